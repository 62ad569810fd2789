//! What a guest is told and what it finds in the store, on both servers.

use std::collections::BTreeSet;

use tidegate_tests::{Server, Target};

use super::{kubectl, lines_to, on};

const BOTH: [Target; 2] = [Target::Playground, Target::Real];

/// A config map as the tests write them.
fn map(namespace: &str, name: &str, number: u32) -> String {
    let tier = if number.is_multiple_of(2) { "even" } else { "odd" };
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: {namespace}, labels: {{tier: {tier}}}, \
         annotations: {{a.b/c: 'x{number}'}}}}\ndata: {{number: '{number}', other: '{}'}}\n---\n",
        "y".repeat(200)
    )
}

fn populate(server: &Server, namespace: &str) -> String {
    let maps: String = (10..30).map(|number| map(namespace, &format!("c-{number}"), number)).collect();
    let space = format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {namespace}}}\n---\n");
    kubectl(server, "create -f -", &(space + &maps));
    format!("/api/v1/namespaces/{namespace}/configmaps")
}

fn short(name: &str, number: u32) -> String {
    format!(r#"{{"metadata":{{"name":"{name}"}},"data":{{"number":"{number}"}}}}"#)
}

#[test]
fn changes_come_with_the_state_before_and_the_store_has_them() {
    for target in BOTH {
        let server = Server::of(target);
        let path = populate(server, "reflect-told");
        let flags = [
            "--labels",
            "tier",
            "--mask",
            "data",
            "--mask",
            "metadata.labels",
            "--view",
            "metadata.name",
            "--view",
            "data.number",
            "--previous",
            "yes",
            "--until",
            "last",
            "--get",
            "reflect-told/c-11",
        ];
        let mut live = on(server, &[&flags[..], &[path.as_str()]].concat()).live();
        let begin = lines_to(&mut live, "SYNCED");
        let added: BTreeSet<String> = begin.iter().cloned().collect();
        let wanted = (10..30).map(|number| format!("ADDED {}", short(&format!("c-{number}"), number)));
        assert_eq!(added, wanted.chain(["SYNCED".to_owned()]).collect(), "{target:?}");
        assert_eq!(begin.len(), 21, "{begin:?}");
        kubectl(server, "replace -f -", &map("reflect-told", "c-11", 111));
        // Nothing that is kept has changed, and nothing that is selected.
        kubectl(server, "annotate configmap -n reflect-told c-12 x=y", "");
        kubectl(server, "create configmap -n reflect-told other", "");
        kubectl(server, "delete configmap -n reflect-told c-13", "");
        // What is selected no more is gone.
        kubectl(server, "label configmap -n reflect-told c-14 tier-", "");
        kubectl(server, "create -f -", &map("reflect-told", "last", 7));
        let changes = lines_to(&mut live, "ADDED");
        assert_eq!(
            changes,
            [
                format!("MODIFIED {} WAS {}", short("c-11", 111), short("c-11", 11)),
                format!("DELETED {}", short("c-13", 13)),
                format!("DELETED {}", short("c-14", 14)),
                format!("ADDED {}", short("last", 7)),
            ],
            "{target:?}"
        );
        assert_eq!(live.line(), format!("got: {}", short("c-11", 111)));
        let stored = lines_to(&mut live, "done: ");
        assert_eq!(stored.last().unwrap(), "done: 19 stored, 19 seen, synced true, told 21/1/2, faults 0");
        assert_eq!(stored[0], format!("stored: {}", short("c-10", 10)));
        assert_eq!(stored[stored.len() - 2], format!("stored: {}", short("last", 7)));
    }
}

#[test]
fn each_guest_filters_for_itself() {
    for target in BOTH {
        let server = Server::of(target);
        let path = populate(server, "reflect-filters");
        for (flags, count) in [
            (&["--label-filter", "tier=even"][..], 10),
            (&["--field-filter", "data.number!=10"], 19),
            (&["--field-filter", "metadata.annotations['a.b/c']=x17"], 1),
            (&["--filter", "has(object.data) && int(object.data.number) > 20"], 9),
            (&["--filter", "'a.b/c' in object.metadata.annotations", "--labels", "tier=odd"], 10),
            (&["--fields", "metadata.name=c-11"], 1),
            (&["--source", "watch-list"], 20),
            (&["--source", "whole", "--metadata-only", "yes"], 20),
        ] {
            // A later selector counts; controllers put a config map of their own into each namespace, which has no label.
            let (all, rest) =
                (["--labels", "tier"], ["--view", "metadata.name", "--until-synced", "yes", &path]);
            let flags = [&all[..], flags, &rest].concat();
            let outcome = on(server, &flags).run().expect_code(0);
            let end = outcome.stdout.lines().last().unwrap_or_default();
            let wanted =
                format!("done: {count} stored, {count} seen, synced true, told {count}/0/0, faults 0");
            assert_eq!(end, wanted, "{target:?} {flags:?}: {}", outcome.stdout);
        }
        for (flags, wanted) in [
            (&["--mask", "-metadata"][..], "error invalid-request: a reflector keeps `metadata.name`"),
            (&["--view", "a["], "error invalid-request: in the path `a[`"),
            (&["--filter", "object."], "error invalid-request: in the expression"),
            (&["--idle-deadline", "0"], "error invalid-request: the idle deadline"),
            (&["--filter", "object.nothing == 1"], "error invalid-request: the filter has no answer"),
        ] {
            let outcome = on(server, &[flags, &[path.as_str()]].concat()).run().expect_code(3);
            assert!(outcome.stdout.contains(wanted), "{flags:?}: {}", outcome.stdout);
        }
    }
}

/// Each holds on to what the store replaces meanwhile: one guest may hold so many, and others hold theirs.
#[test]
fn a_guest_holds_so_many_snapshots_and_no_more() {
    let server = Server::of(Target::Playground);
    let path = populate(server, "reflect-snapshots");
    for (snapshots, code, end) in [
        ("64", 0, "done: "),
        ("65", 3, "error too-large: this guest holds 64 snapshots, which is the cap: drop some"),
    ] {
        let arguments = ["--quiet", "yes", "--until-synced", "yes", "--snapshots", snapshots, &path];
        let outcome = on(server, &arguments).run().expect_code(code);
        let last = outcome.stdout.lines().last().unwrap_or_default();
        assert!(last.starts_with(end), "{snapshots}: {outcome:?}");
    }
}
