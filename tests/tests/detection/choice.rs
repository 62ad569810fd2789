//! The order, and who may change it; what is told of the transports before the one that works, or of all where none does.

use tidegate::grants::{Grants, Kind as Grant};
use tidegate::transport::{Kind, Options};
use tidegate::{Cache, Engine, Output};
use tidegate_tests::{Act, Manner, Peer, Run, Shown, TOKEN, guest, kubectl, program};

use crate::machine::{ALL, Machine, expected, peer, verdicts};

#[test]
fn the_first_that_works_is_chosen_and_those_behind_it_are_left_alone() {
    for first in 0..ALL.len() {
        let machine = Machine::new();
        let report = machine.report().flag("--probe-deadline=30s");
        let run = machine.all_grants(&ALL[first..]).iter().fold(report, Run::flag);
        let outcome = run.run().expect_code(0);
        let mut rows: Vec<(&str, &str)> =
            ALL[..first].iter().map(|name| (*name, "permission-denied")).collect();
        rows.push((ALL[first], "works"));
        assert_eq!(verdicts(&outcome), expected(&rows), "{outcome:?}");
        assert_eq!(machine.touched(), [ALL[first]], "{outcome:?}");
        // A grant that is missing is no surprise.
        assert!(outcome.said().is_empty(), "{outcome:?}");
    }
}

/// Which are tried, in which order, with only `KubectlProxy` granted; and what came of it.
const ORDERS: [(&str, &[&str], bool); 6] = [
    ("KubectlProxy", &["KubectlProxy"], true),
    ("KubectlRaw,KubectlProxy,InCluster", &["KubectlRaw", "KubectlProxy"], true),
    (
        "KubeConfig,InCluster,KubectlRaw,KubectlProxy",
        &["KubeConfig", "InCluster", "KubectlRaw", "KubectlProxy"],
        true,
    ),
    ("KubeConfig,InCluster", &["KubeConfig", "InCluster"], false),
    ("KubectlRaw", &["KubectlRaw"], false),
    ("InCluster,KubectlProxy", &["InCluster", "KubectlProxy"], true),
];

fn rows<'a>(tried: &'a [&'a str], works: bool) -> Vec<(&'a str, &'a str)> {
    let mut rows: Vec<(&str, &str)> = tried.iter().map(|name| (*name, "permission-denied")).collect();
    if let (true, Some(last)) = (works, rows.last_mut()) {
        last.1 = "works";
    }
    rows
}

#[test]
fn the_command_line_reorders_and_drops() {
    for (flag, tried, works) in ORDERS {
        let machine = Machine::new();
        let run = machine.grants("KubectlProxy").iter().fold(machine.report(), Run::flag);
        let outcome = run.flag(format!("--transports={flag}")).run();
        assert_eq!(verdicts(&outcome), expected(&rows(tried, works)), "{flag}: {outcome:?}");
        assert_eq!(outcome.code(), if works { 0 } else { 126 }, "{flag}: {outcome:?}");
    }
    for flag in ["Telnet", "InCluster,InCluster,Telnet", ""] {
        Run::guest("autodetect-report").flag(format!("--transports={flag}")).run().expect_code(2);
    }
}

/// The same through the library.
#[tokio::test]
async fn an_embedder_reorders_and_drops() {
    let cache = tempfile::tempdir().unwrap();
    let engine = Engine::builder().cache(Cache::Folder(cache.path().join("compiled")));
    let engine = engine.compiler(program("tidegate-compile")).build().unwrap();
    let script = engine.load_file(guest("autodetect-report")).await.unwrap();
    for (names, tried, works) in ORDERS {
        let machine = Machine::new();
        let mut options = Options::new("tests/1");
        options.transports = names.split(',').map(kind).collect();
        options.kubectl_proxy.url = Some(machine.peer("KubectlProxy").url());
        let grants = Grants::builder()
            .allow(Grant::Net, Some(&machine.peer("KubectlProxy").address()))
            .unwrap()
            .build();
        let (stdout, written) = Output::capture(1 << 20);
        let run = script.run().grants(grants).options(options).stdout(stdout).stderr(Output::null());
        run.start().await.unwrap();
        let outcome = tidegate_tests::Outcome {
            status: Default::default(),
            stdout: written.text(),
            stderr: String::new(),
        };
        assert_eq!(verdicts(&outcome), expected(&rows(tried, works)), "{names}: {outcome:?}");
    }
}

fn kind(name: &str) -> Kind {
    Kind::ALL.into_iter().find(|kind| kind.to_string() == name).unwrap()
}

/// Servers that are there and are no use, and the reason that is given.
fn broken() -> Vec<(&'static str, Peer)> {
    let answering =
        |code: &'static str| Peer::answering(move |_| vec![Act::respond(code, "text/html", "<html>")]);
    vec![
        ("tls", Peer::start(Shown::OtherAuthority, Manner::Usual, |_| Vec::new())),
        ("unauthorized", answering("401 Unauthorized")),
        ("unreachable", Peer::answering(|_| vec![Act::Close])),
        ("forbidden", answering("403 Forbidden")),
        ("not-kubernetes", answering("200 OK")),
        ("timeout", Peer::answering(|_| vec![Act::Hang])),
    ]
}

/// Who has two clusters must see that it is the other one that answers.
#[test]
fn falling_through_from_what_was_configured_warns_with_the_server_that_is_used_instead() {
    for (reason, peer) in broken() {
        let machine = Machine::new().with("InCluster", peer);
        let all = machine.all_grants(&ALL);
        let run = || all.iter().fold(machine.report().flag("--probe-deadline=2s"), Run::flag);
        let outcome = run().run().expect_code(0);
        assert_eq!(
            verdicts(&outcome),
            expected(&[("InCluster", reason), ("KubeConfig", "works")]),
            "{outcome:?}"
        );
        let warnings = outcome.said();
        let instead = format!("KubeConfig ({}) is used instead", machine.peer("KubeConfig").url());
        assert_eq!(warnings.len(), 1, "{outcome:?}");
        assert!(
            warnings[0].starts_with("warning: InCluster ") && warnings[0].contains(&instead),
            "{outcome:?}"
        );
        assert!(warnings[0].contains("--transports=InCluster"), "{outcome:?}");
        assert!(!outcome.everything().contains(TOKEN), "{outcome:?}");
        assert_eq!(run().flag("--quiet").run().expect_code(0).stderr, "");

        // Pinned: no other is tried, and nothing is used instead.
        let before = machine.peer("KubeConfig").connections();
        let pinned = run().flag("--transports=InCluster").run().expect_code(1);
        assert_eq!(verdicts(&pinned), expected(&[("InCluster", reason)]), "{pinned:?}");
        assert!(!pinned.stderr.contains("warning"), "{pinned:?}");
        assert_eq!(machine.peer("KubeConfig").connections(), before);
    }
}

#[test]
fn each_surprise_has_a_warning_and_nothing_else_has() {
    let refusing = || Peer::answering(|_| vec![Act::respond("401 Unauthorized", "", "")]);
    let machine = Machine::new().with("InCluster", refusing()).with("KubeConfig", refusing());
    let run = machine.all_grants(&ALL).iter().fold(machine.report(), Run::flag);
    let outcome = run.run().expect_code(0);
    let instead = format!("KubectlProxy ({}) is used instead", machine.peer("KubectlProxy").url());
    let warnings = outcome.said();
    assert_eq!(warnings.len(), 2, "{outcome:?}");
    for (warning, transport) in warnings.iter().zip(ALL) {
        assert!(
            warning.starts_with(&format!("warning: {transport} ")) && warning.contains(&instead),
            "{warning}"
        );
    }
    // Nothing there to use: no service account, no kubeconfig.
    let machine = Machine::new();
    let nothing = tempfile::tempdir().unwrap();
    let run = Run::guest("autodetect-report").flag("-A").variable("HOME", nothing.path());
    let run = run.flag_path("--service-account", &nothing.path().join("sa"));
    let run = run.flag(format!("--kubectl-proxy={}", machine.peer("KubectlProxy").url()));
    let outcome = run.run().expect_code(0);
    let rows = [("InCluster", "not-configured"), ("KubeConfig", "not-configured"), ("KubectlProxy", "works")];
    assert_eq!((verdicts(&outcome), outcome.said()), (expected(&rows), vec![]), "{outcome:?}");
}

#[test]
fn where_none_works_one_error_lists_each_with_its_reason() {
    let machine = Machine::new()
        .with("InCluster", Peer::start(Shown::OtherAuthority, Manner::Usual, |_| Vec::new()))
        .with("KubectlProxy", peer("KubectlProxy", |_| vec![Act::respond("401 Unauthorized", "", "")]));
    machine.peer("KubeConfig").write("config", "clusters: []\n");
    let granted = machine.all_grants(&ALL[..3]);
    let outcome = granted.iter().fold(machine.report(), Run::flag).run().expect_code(1);
    let rows = [
        ("InCluster", "tls"),
        ("KubeConfig", "not-configured"),
        ("KubectlProxy", "unauthorized"),
        ("KubectlRaw", "permission-denied"),
    ];
    assert_eq!(verdicts(&outcome), expected(&rows), "{outcome:?}");
    let (_, error) = outcome.stderr.split_once("Failed to load any possible Kubernetes clients:\n").unwrap();
    let lines: Vec<&str> = error.lines().filter(|line| line.starts_with("- ")).collect();
    let starts = [
        "- InCluster Tls: ",
        "- KubeConfig NotConfigured: ",
        "- KubectlProxy Unauthorized: ",
        "- KubectlRaw PermissionDenied: access to run ",
    ];
    assert_eq!(lines.len(), starts.len(), "{outcome:?}");
    for (line, start) in lines.iter().zip(starts) {
        assert!(line.starts_with(start), "{line}");
    }
    assert!(
        lines[3].ends_with(&format!("run again with --allow-run={}", kubectl().display())),
        "{}",
        lines[3]
    );
}
