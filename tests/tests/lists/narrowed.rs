//! Masks and filters, by each source; and lists that expire while they are read.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::Duration;

use tidegate_tests::{Act, Peer, Server, Target};

use super::{BOTH, OBJECTS, at, done, items, on, populate};

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
        let pause = if target == Target::Real { "40000" } else { "25000" };
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
