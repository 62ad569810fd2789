//! Which files are read, what is needed for them and for what they name, and what is picked of them.

use std::path::PathBuf;

use tidegate_tests::{Door, Outcome, Recorder, Run};

use crate::place::Place;

fn missing(outcome: &Outcome) -> Vec<&str> {
    let mut flags: Vec<&str> =
        outcome.stdout.lines().filter_map(|line| line.strip_prefix("missing ")).collect();
    flags.sort_unstable();
    flags
}

#[test]
fn a_list_or_the_file_at_home() {
    let place = Place::new();
    let rows = [
        ("{}/one", "one", "file-of-one"),
        ("::{}/sub/two:", "two", "file-of-two"),
        ("{}/nothing:{}/sub/two", "two", "file-of-two"),
        // The first non-empty current context.
        ("{}/sub/two:{}/one", "two", "file-of-two"),
        ("{}/one:{}/sub/two", "one", "file-of-one"),
    ];
    for (list, server, token) in rows {
        let outcome = place.run().variable("KUBECONFIG", place.list(list)).run();
        place.expect_asked(list, outcome, server, token);
    }
    // Of two entries of one name the first is taken, whole; what only the other file has is there too.
    for (context, server, token) in [("x", "one", "inline-of-one"), ("of-two", "two", "file-of-two")] {
        let list = place.list("{}/one:{}/sub/two");
        let outcome = place.run().flag(format!("--context={context}")).variable("KUBECONFIG", list).run();
        place.expect_asked(context, outcome, server, token);
    }
    std::fs::create_dir_all(place.at("home/.kube")).unwrap();
    std::fs::copy(place.at("one"), place.at("home/.kube/config")).unwrap();
    for name in ["ca.crt", "token"] {
        std::fs::copy(place.at(name), place.at("home/.kube").join(name)).unwrap();
    }
    for list in ["", ":"] {
        let run = place.run().variable("HOME", place.at("home"));
        let run = if list.is_empty() { run } else { run.variable("KUBECONFIG", list) };
        place.expect_asked("home", run.run(), "one", "file-of-one");
    }
}

#[test]
fn what_is_missing_or_unknown_is_told_with_what_there_is() {
    let place = Place::new();
    let nothing = place.list("{}/nothing:{}/nought");
    let one = place.list("{}/one");
    let rows: [(Run, &[&str]); 6] = [
        (place.run().variable("KUBECONFIG", &nothing), &["/nothing", "/nought", "there is no kubeconfig"]),
        (place.run().flag_path("--kubeconfig", &place.at("nothing")), &["/nothing does not exist"]),
        (
            place.run().flag("--context=z").variable("KUBECONFIG", &one),
            &["context \"z\" does not exist", "\"x\"", "\"of-one\""],
        ),
        (
            place.run().flag("--cluster=z").variable("KUBECONFIG", &one),
            &["cluster \"z\"", "does not exist", "\"c\"", "\"of-one\""],
        ),
        (
            place.run().flag("--user=z").variable("KUBECONFIG", &one),
            &["user \"z\"", "does not exist", "\"u\"", "\"of-one\""],
        ),
        (
            place.run().variable("KUBECONFIG", &one).arguments(&["--context", "zz"]),
            &["context \"zz\" does not exist", "\"x\""],
        ),
    ];
    for (run, words) in rows {
        let outcome = run.run().expect_code(3);
        assert!(outcome.stdout.starts_with("error not-configured: "), "{outcome:?}");
        for word in words {
            assert!(outcome.stdout.contains(word), "{word}: {outcome:?}");
        }
    }
    assert_eq!(place.one.connections() + place.two.connections(), 0);
}

#[test]
fn the_command_line_pairs_what_a_guest_cannot() {
    let place = Place::new();
    let list = place.list("{}/one:{}/sub/two");
    let run = |flags: &str| place.run().flags(flags).variable("KUBECONFIG", &list);
    place.expect_asked("cluster", run("--cluster=of-two").run(), "two", "file-of-one");
    place.expect_asked("user", run("--user=of-two").run(), "one", "file-of-two");
    let server = format!("--cluster=of-two --server={}", place.two.url());
    place.expect_asked("server", run(&server).run(), "two", "file-of-one");
    // Beside such a pair the guest chooses neither context nor file.
    let seen = (place.one.seen().len(), place.two.seen().len());
    for flag in [
        "--cluster=of-two",
        "--user=of-two",
        "--server=https://127.0.0.1:1",
        "--proxy-url=http://127.0.0.1:1",
    ] {
        let outcome = run(flag).arguments(&["--context", "x"]).run().expect_code(3);
        assert!(outcome.stdout.starts_with("error unsupported: "), "{flag}: {outcome:?}");
    }
    assert_eq!((place.one.seen().len(), place.two.seen().len()), seen);
}

#[test]
fn each_stage_names_all_that_it_needs() {
    let place = Place::new();
    let outcome = place.bare().run().expect_code(3);
    assert_eq!(missing(&outcome), ["--allow-env=HOME", "--allow-env=KUBECONFIG"]);
    let (one, two) = (place.at("one"), place.at("sub/two"));
    let read = |path: &PathBuf| format!("--allow-read={}", path.display());
    let run = place.bare().flag("--allow-env=KUBECONFIG,HOME");
    let outcome = run.variable("KUBECONFIG", place.list("{}/one:{}/sub/two")).run().expect_code(3);
    assert_eq!(missing(&outcome), [read(&one), read(&two)]);
    // Chosen by the host, a file needs no environment.
    let chosen = |path: &PathBuf| place.bare().flag_path("--kubeconfig", path);
    assert_eq!(missing(&chosen(&one).run()), [read(&one)]);

    let peer = &place.one;
    let exec =
        "{exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: /bin/true}}";
    let text = peer.kubeconfig_with(exec).replace("{server:", "{proxy-url: 'http://127.0.0.1:3128', server:");
    let config = peer.write("config", &text);
    let outcome = chosen(&config).flag(read(&config)).run().expect_code(3);
    let mut needs = [
        format!("--allow-net={}", peer.address()),
        "--allow-net=127.0.0.1:3128".to_owned(),
        read(&peer.folder().join("ca.crt")),
        "--allow-run=/bin/true".to_owned(),
    ];
    needs.sort_unstable();
    assert_eq!(missing(&outcome), needs, "{outcome:?}");
    assert_eq!(peer.connections(), 0);
}

/// It needs a grant as any other, goes before what the file says, and is refused where it is none.
#[test]
fn the_command_line_says_which_proxy() {
    let (place, recorder) = (Place::new(), Recorder::start());
    let text = std::fs::read_to_string(place.at("one")).unwrap();
    std::fs::write(place.at("one"), text.replace("{server:", "{proxy-url: 'http://127.0.0.1:1', server:"))
        .unwrap();
    let proxy = recorder.address(Door::HttpProxy);
    let run = || {
        let run = place.run().flag_path("--kubeconfig", &place.at("one"));
        run.flag(format!("--proxy-url=http://{proxy}"))
    };
    let outcome = run().run().expect_code(3);
    assert_eq!(missing(&outcome), [format!("--allow-net={proxy}")]);
    assert_eq!(recorder.connections(), 0);
    let granted = run().flag(format!("--allow-net={proxy}"));
    place.expect_asked("proxy", granted.run(), "one", "file-of-one");
    assert!(recorder.connections() > 0);
    let bad = place.run().flag_path("--kubeconfig", &place.at("one")).flag("--proxy-url=ftp://user:s3cr3t@h");
    let outcome = bad.run().expect_code(3);
    assert!(outcome.stdout.contains("must be http, https, or socks5"), "{outcome:?}");
    assert!(!outcome.everything().contains("s3cr3t"), "{outcome:?}");
}
