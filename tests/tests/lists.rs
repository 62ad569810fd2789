//! Lists and watches of just what is wanted, through a guest: on the playground, the real control plane, and servers that mean harm.
//!
//! Covers: T15

use std::collections::BTreeSet;
use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

use tidegate_tests::{Act, Outcome, Peer, Run, Server, Target};

const BOTH: [Target; 2] = [Target::Playground, Target::Real];

/// How many objects the servers hold for these tests, in a namespace of their own.
const OBJECTS: usize = 25;

fn on(server: &Server, guest: &str, arguments: &[&str]) -> Run {
    Run::guest(guest)
        .flag("--transports=KubeConfig")
        .flag_path("--kubeconfig", &server.kubeconfig)
        .flag_path("--allow-read", &server.kubeconfig)
        .flag(format!("--allow-net={}", server.address))
        .deadline(Duration::from_secs(180))
        .arguments(arguments)
}

fn at(peer: &Peer, arguments: &[&str]) -> Run {
    Run::guest("lists")
        .flag("--transports=KubeConfig")
        .flag_path("--kubeconfig", &peer.kubeconfig())
        .flag_path("--allow-read", &peer.folder())
        .flag(format!("--allow-net={}", peer.address()))
        .deadline(Duration::from_secs(120))
        .arguments(arguments)
        .argument("/api/v1/pods")
}

fn create(server: &Server, documents: &str) {
    let mut kubectl = server.kubectl();
    let mut child = kubectl.args(["create", "-f", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(documents.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

/// A namespace with `OBJECTS` config maps `c-10` to `c-34`: labelled by whether they are even, with their number.
fn populate(server: &Server, namespace: &str) -> String {
    let mut documents = format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {namespace}}}\n");
    for number in 10..10 + OBJECTS {
        let tier = if number % 2 == 0 { "even" } else { "odd" };
        documents += &format!(
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c-{number}, namespace: {namespace}, labels: {{tier: {tier}}}, \
             annotations: {{'a.b/c': 'x\"{number}'}}}}\ndata: {{number: '{number}', other: '{}'}}\n",
            "y".repeat(200)
        );
    }
    create(server, &documents);
    format!("/api/v1/namespaces/{namespace}/configmaps")
}

fn items(outcome: &Outcome) -> BTreeSet<String> {
    outcome.stdout.lines().filter_map(|line| line.strip_prefix("item: ")).map(str::to_owned).collect()
}

fn done(outcome: &Outcome) -> &str {
    outcome.stdout.lines().rev().find(|line| line.starts_with("done: ")).unwrap_or_default()
}

#[test]
fn masks_and_filters_through_every_source() {
    for target in BOTH {
        let server = Server::of(target);
        let path = populate(server, "lists-masks");
        let wanted: BTreeSet<String> = (10..10 + OBJECTS)
            .filter(|number| number % 2 == 0 && *number > 20 && *number != 30)
            .map(|number| {
                format!(
                    r#"{{"metadata":{{"name":"c-{number}","annotations":{{"a.b/c":"x\"{number}"}}}},"data":{{"number":"{number}"}}}}"#
                )
            })
            .collect();
        for source in [&["--limit", "7"][..], &["--source", "whole"], &["--source", "watch-list"]] {
            let flags = [
                "--mask",
                "metadata.name",
                "--mask",
                "metadata.annotations['a.b/c']",
                "--mask",
                "data.number",
                "--label-filter",
                "tier in (even)",
                "--field-filter",
                "data.number!=30",
                "--filter",
                "has(object.data) && int(object.data.number) > 20",
                "--show",
                "100",
            ];
            let outcome =
                on(server, "lists", &[source, &flags, &[path.as_str()]].concat()).run().expect_code(0);
            // Members come in the server's order.
            let found = items(&outcome).iter().map(|item| reorder(item)).collect::<BTreeSet<_>>();
            assert_eq!(found, wanted, "{target:?} {source:?}");
            assert!(done(&outcome).ends_with("consistent true"), "{}", outcome.stdout);
            assert!(!done(&outcome).contains("version ,"), "{}", outcome.stdout);
        }
        // What the server selects, and nothing but metadata; drops; a list of nothing.
        for (flags, count) in [
            (&["--labels", "tier=odd"][..], 12),
            (&["--fields", "metadata.name=c-11"], 1),
            (&["--labels", "tier=none"], 0),
            (&["--labels", "tier", "--metadata-only", "yes"], OBJECTS),
            (&["--labels", "tier", "--mask", "-data", "--mask", "-metadata.managedFields"], OBJECTS),
        ] {
            let outcome =
                on(server, "lists", &[flags, &["--show", "50", path.as_str()]].concat()).run().expect_code(0);
            assert_eq!(items(&outcome).len(), count, "{flags:?}: {}", outcome.stdout);
            if flags.len() > 2 {
                assert!(!outcome.stdout.contains("\"data\""), "{}", outcome.stdout);
            }
        }
    }
}

/// `metadata`'s annotations after its name, as the test writes them.
fn reorder(item: &str) -> String {
    let annotations_first = r#"{"metadata":{"annotations":"#;
    match item.strip_prefix(annotations_first).and_then(|rest| rest.split_once(r#"},"name":"#)) {
        Some((annotations, rest)) => {
            let (name, rest) = rest.split_once('}').unwrap();
            format!(r#"{{"metadata":{{"name":{name},"annotations":{annotations}}}}}{rest}"#)
        }
        None => item.to_owned(),
    }
}

#[test]
fn a_watch_is_masked_and_filtered() {
    for target in BOTH {
        let server = Server::of(target);
        let path = populate(server, "lists-watch");
        let flags = [
            "--watch",
            "1",
            "--version",
            "0",
            "--label-filter",
            "tier=even",
            "--filter",
            "object.data.number == '12'",
            "--mask",
            "metadata.name",
        ];
        let outcome = on(server, "lists", &[&flags[..], &[path.as_str()]].concat()).run().expect_code(0);
        outcome.expect_line(r#"event Added: {"metadata":{"name":"c-12"}}"#);
    }
    let event = |ty: &str, name: &str, tier: &str| {
        format!(
            r#"{{"type":"{ty}","object":{{"metadata":{{"name":"{name}","labels":{{"tier":"{tier}"}}}},"spec":{{}}}}}}"#
        ) + "\n"
    };
    let body = [
        event("ADDED", "a", "odd"),
        event("ADDED", "b", "even"),
        event("MODIFIED", "b", "odd"),
        event("MODIFIED", "a", "even"),
        event("DELETED", "c", "odd"),
        "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"9\"}}}\n".to_owned(),
    ]
    .concat();
    let peer = Peer::saying(vec![Act::json(&body)]);
    let flags = ["--watch", "9", "--label-filter", "tier=even", "--mask", "metadata.name"];
    let outcome = at(&peer, &flags).run().expect_code(0);
    let seen: Vec<&str> = outcome.stdout.lines().filter_map(|line| line.strip_prefix("event ")).collect();
    assert_eq!(
        seen,
        [
            r#"Added: {"metadata":{"name":"b"}}"#,
            r#"Deleted: {"metadata":{"name":"b"}}"#,
            r#"Modified: {"metadata":{"name":"a"}}"#,
            r#"Deleted: {"metadata":{"name":"c"}}"#,
            r#"Bookmark: {"metadata":{"resourceVersion":"9"}}"#,
        ]
    );
}

/// A server forgets the state of the first page while the guest sleeps on it.
#[test]
fn a_list_that_expires_in_the_middle_is_a_410_or_goes_on_inconsistently() {
    for target in BOTH {
        let server = Server::of(target);
        let path = populate(server, "lists-expired");
        let pause = if target == Target::Real { "40000" } else { "12000" };
        let flags = ["--limit", "5", "--labels", "tier", "--pause-after", pause, path.as_str()];
        let begin = |more: &[&str]| {
            let run = on(server, "lists", &[more, &flags].concat());
            std::thread::spawn(move || run.run())
        };
        let (strict, lenient) = (begin(&[]), begin(&["--inconsistent", "yes"]));
        std::thread::sleep(Duration::from_millis(2000));
        while !strict.is_finished() || !lenient.is_finished() {
            let mut kubectl = server.kubectl();
            let text = format!("text={}", "z".repeat(120 << 10));
            kubectl.args(["-n", "lists-expired", "annotate", "--overwrite", "configmap", "c-10", &text]);
            kubectl.stdout(Stdio::null());
            assert!(kubectl.status().unwrap().success());
            let mut clear = server.kubectl();
            clear
                .args(["-n", "lists-expired", "annotate", "configmap", "c-10", "text-"])
                .stdout(Stdio::null());
            assert!(clear.status().unwrap().success());
        }
        let strict = strict.join().unwrap().expect_code(3);
        // The next page may have been asked for before the guest slept.
        let had = strict.stdout.lines().any(|line| matches!(line, "had: 5 items" | "had: 10 items"));
        assert!(had, "{}", strict.stdout);
        strict.expect_line("error status 410 Expired: ");
        let lenient = lenient.join().unwrap().expect_code(0);
        assert!(done(&lenient).ends_with("consistent false"), "{target:?}: {}", lenient.stdout);
        assert!(done(&lenient).starts_with("done: 25 items"), "{target:?}: {}", lenient.stdout);
    }
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_is_sent() {
    let peer = Peer::saying(vec![Act::json(r#"{"items":[]}"#)]);
    for (flags, wanted) in [
        (
            &["--mask", "spec.x[0]"][..],
            "error invalid-request: in the path `spec.x[0]`, column 8: single elements",
        ),
        (&["--filter", "object.a =="], "error invalid-request: in the expression: line 1, column "),
        (&["--label-filter", "a=b=c"], "error invalid-request: in the label selector: "),
        (&["--field-filter", "status"], "error invalid-request: in the field selector: "),
    ] {
        at(&peer, flags).run().expect_code(3).expect_line(wanted);
    }
    assert!(peer.seen().iter().all(|asked| asked.target == "/api"), "{:?}", peer.seen());
}

/// What it is, what the server does, the guest's flags, how many items come before the error, and how the error's line begins.
type Row = (&'static str, Vec<Act>, &'static [&'static str], usize, &'static str);

#[test]
fn servers_that_mean_harm_get_typed_errors() {
    let body = |text: &str| vec![Act::json(text)];
    let deep = format!(r#"{{"items":[{{"a":{}{}}}]}}"#, "[".repeat(2000), "]".repeat(2000));
    let rows: Vec<Row> = vec![
        ("no list", body(r#"{"kind":"Pod"}"#), &[], 0, "error protocol: the answer is no list"),
        ("HTML", body("<html>"), &[], 0, "error protocol: the list is malformed at byte 0"),
        (
            "items that are none",
            body(r#"{"items":{"a":1}}"#),
            &[],
            0,
            "error protocol: the list is malformed at byte 9",
        ),
        (
            "items twice",
            body(r#"{"items":[{}],"items":[{}]}"#),
            &[],
            1,
            "error protocol: the list has a second `items`",
        ),
        (
            "garbage between",
            body(r#"{"items":[{},x{}]}"#),
            &[],
            1,
            "error protocol: the list is malformed at byte 13",
        ),
        (
            "no end",
            body(r#"{"items":[{},{}"#),
            &[],
            2,
            "error protocol: the list was cut short after 15 bytes",
        ),
        (
            "deep",
            body(&deep),
            &[],
            0,
            "error too-large: the list is nested deeper than the cap of 1000 levels",
        ),
        (
            "no JSON",
            body(r#"{"items":[{},{"a":nul}]}"#),
            &[],
            1,
            "error protocol: item 2 of the list is refused: it is not one JSON object",
        ),
        (
            "wrong brackets",
            body(r#"{"items":[{"a":[}}]}"#),
            &[],
            0,
            "error protocol: item 1 of the list is refused",
        ),
        (
            "no JSON that a mask would hand out",
            body(r#"{"items":[{"a":nul,"b":1}]}"#),
            &["--mask", "a"],
            0,
            "error protocol: item 1 of the list is refused",
        ),
        (
            "no answer",
            body(r#"{"items":[{"a":1},{}]}"#),
            &["--filter", "object.a == 1"],
            1,
            "error invalid-request: the filter has no answer for item 2 of the list: No such key: a",
        ),
        (
            "a truncated chunk",
            vec![Act::chunked_head(), Act::chunk(r#"{"items":[{},"#), Act::say("ff\r\n{"), Act::Close],
            &[],
            1,
            "error protocol: ",
        ),
        (
            "silence",
            vec![Act::chunked_head(), Act::chunk(r#"{"items":[{},"#), Act::Hang],
            &["--idle-deadline", "300"],
            1,
            "error timeout: the body was silent for 0.3 s",
        ),
        (
            "a watch without its bookmark",
            body("{\"type\":\"ADDED\",\"object\":{}}\n"),
            &["--source", "watch-list"],
            1,
            "error protocol: the watch ended before the bookmark that ends its initial events",
        ),
        (
            "a watch that fails",
            body(
                "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410,\"reason\":\"Expired\"}}\n",
            ),
            &["--source", "watch-list"],
            0,
            "error status 410 Expired",
        ),
    ];
    for (what, acts, flags, items, wanted) in rows {
        println!("{what}");
        let outcome = at(&Peer::saying(acts), flags).run().expect_code(3);
        outcome.expect_line(&format!("had: {items} items")).expect_line(wanted);
    }
}

#[test]
fn memory_does_not_grow_with_the_list() {
    let item = format!(r#"{{"metadata":{{"name":"p"}},"spec":{{"a":"{}"}}}},"#, "x".repeat(700));
    let list = |times: usize| {
        let (head, tail) = (r#"{"items":["#, "{}]}");
        let length = head.len() + item.len() * times + tail.len();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{head}");
        Peer::saying(vec![Act::say(head), Act::Repeat(item.clone().into_bytes(), times), Act::say(tail)])
    };
    let flags = ["--mask", "metadata.name", "--label-filter", "!tier"];
    let (outcome, few) = at(&list(100), &flags).measured();
    assert!(done(&outcome.expect_code(0)).starts_with("done: 101 items"));
    let (outcome, many) = at(&list(50_000), &flags).measured();
    assert!(done(&outcome.expect_code(0)).starts_with("done: 50001 items"));
    assert!(many.memory < few.memory + (6 << 20), "{few:?} for 100 items, {many:?} for 50,000");

    // One item without an end, and one member that nobody wants.
    let endless = |head: &str| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{head}", 1 << 30);
        Peer::saying(vec![Act::say(head), Act::Repeat(vec![b'x'; 1 << 16], 1 << 14), Act::Close])
    };
    let (outcome, usage) = at(&endless(r#"{"items":[{},{"a":""#), &[]).measured();
    let outcome = outcome.expect_code(3).expect_line("had: 1 items");
    outcome.expect_line("error too-large: item 2 of the list is larger than the item cap of 16777216 bytes");
    assert!(usage.memory < few.memory + (48 << 20), "{usage:?}");
}

#[test]
fn a_guest_that_takes_nothing_holds_its_server_back() {
    let item = format!(r#"{{"a":"{}"}},"#, "x".repeat(60_000));
    let peer = Peer::saying(vec![
        Act::chunked_head(),
        Act::chunk(r#"{"items":["#),
        Act::Repeat(format!("{:x}\r\n{item}\r\n", item.len()).into_bytes(), 2_000),
        Act::chunk("{}]}"),
        Act::say("0\r\n\r\n"),
    ]);
    std::thread::scope(|scope| {
        let run = at(&peer, &["--pause-after", "3000"]);
        let running = scope.spawn(move || run.run());
        tidegate_tests::eventually("it begins", || peer.written() > 0);
        std::thread::sleep(Duration::from_millis(1500));
        let held = peer.written();
        assert!(held < 40 << 20, "{held} bytes were taken while the guest slept");
        assert!(done(&running.join().unwrap().expect_code(0)).starts_with("done: 2001 items"));
    });
}

#[test]
fn the_example_lists_images() {
    for target in BOTH {
        let server = Server::of(target);
        let mut kubectl = server.kubectl();
        kubectl.args(["run", "imaged", "--image=example.org/image:1", "--restart=Never"]);
        assert!(kubectl.status().unwrap().success());
        let filter = "object.spec.containers.exists(c, c.image == 'example.org/image:1')";
        let outcome = on(server, "list-images", &[filter]).run().expect_code(0);
        assert_eq!(outcome.stdout, "default/imaged imaged example.org/image:1\n");
    }
}
