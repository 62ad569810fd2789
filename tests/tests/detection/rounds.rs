//! What a transport needs is known in rounds: each names all that it lacks at once, and touches nothing beyond those before it.

use tidegate_tests::{Act, Outcome, Peer, Run, kubectl};

use crate::machine::{Machine, expected, verdicts};

/// A kubeconfig in two files, which name a third and a fourth.
struct Files {
    peer: Peer,
    folder: tempfile::TempDir,
}

impl Files {
    fn new() -> Files {
        let peer = Peer::answering(|asked| asked.or_api(|| vec![Act::json("{}")]));
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::copy(peer.folder().join("token"), at("token")).unwrap();
        std::fs::copy(peer.folder().join("ca.crt"), at("ca.crt")).unwrap();
        let clusters = format!(
            "clusters: [{{name: c, cluster: {{server: '{}', certificate-authority: ca.crt}}}}]\ncurrent-context: x\n",
            peer.url()
        );
        std::fs::write(at("clusters"), clusters).unwrap();
        let users = "users: [{name: u, user: {tokenFile: token}}]\ncontexts: [{name: x, context: {cluster: c, user: u}}]\n";
        std::fs::write(at("users"), users).unwrap();
        Files { peer, folder }
    }

    fn at(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}

/// The flags that the one transport that was tried lacks, in their order.
fn lacking(outcome: &Outcome) -> Vec<&str> {
    outcome.stdout.lines().filter_map(|line| line.trim().strip_prefix("add ")).collect()
}

/// None of these is in a line of the trace but that which starts tidegate itself.
#[track_caller]
fn untouched(trace: &str, things: &[String]) {
    for thing in things {
        let own = |line: &&str| !(line.contains("execve(") && line.contains("/tidegate\", ["));
        let touched: Vec<&str> =
            trace.lines().filter(own).filter(|line| line.contains(thing.as_str())).collect();
        assert!(touched.is_empty(), "{thing}: {touched:#?}");
    }
}

#[test]
fn a_kubeconfig_is_located_then_read_then_connected_to() {
    let files = Files::new();
    let connection = format!("htons({})", files.peer.port());
    let rounds: [(Vec<String>, Vec<String>); 3] = [
        (
            vec!["--allow-env=KUBECONFIG".to_owned(), "--allow-env=HOME".to_owned()],
            ["clusters", "users", "token", "ca.crt"].map(|name| files.at(name)).into(),
        ),
        (
            ["clusters", "users"].map(|name| format!("--allow-read={}", files.at(name))).into(),
            ["clusters", "users", "token", "ca.crt"].map(|name| files.at(name)).into(),
        ),
        (
            vec![
                format!("--allow-net={}", files.peer.address()),
                format!("--allow-read={}", files.at("ca.crt")),
                format!("--allow-read={}", files.at("token")),
            ],
            ["token", "ca.crt"].map(|name| files.at(name)).into(),
        ),
    ];
    let run = || {
        let list = format!("{}:{}", files.at("clusters"), files.at("users"));
        Run::guest("autodetect-report").flag("--transports=KubeConfig").variable("KUBECONFIG", list)
    };
    let mut granted: Vec<String> = Vec::new();
    for (lacks, mut beyond) in rounds {
        let (outcome, trace) = granted.iter().fold(run(), Run::flag).traced();
        let outcome = outcome.expect_code(126);
        let mut named = lacking(&outcome);
        named.sort_unstable();
        let mut wanted: Vec<&str> = lacks.iter().map(String::as_str).collect();
        wanted.sort_unstable();
        assert_eq!(named, wanted, "{granted:?}: {outcome:?}");
        beyond.push(connection.clone());
        untouched(&trace, &beyond);
        // One of them alone changes nothing: the round is approved as a whole.
        for one in &lacks {
            let (outcome, trace) = granted.iter().fold(run().flag(one), Run::flag).traced();
            assert_eq!(lacking(&outcome).len(), lacks.len() - 1, "{one}: {outcome:?}");
            assert!(!lacking(&outcome).contains(&one.as_str()), "{one}: {outcome:?}");
            untouched(&trace, &beyond);
        }
        granted.extend(lacks);
    }
    let outcome = granted.iter().fold(run(), Run::flag).run().expect_code(0);
    assert_eq!(verdicts(&outcome), expected(&[("KubeConfig", "works")]), "{outcome:?}");
}

/// Where the environment is granted it says where the server is; where it is not, that is no failure.
#[test]
fn an_optional_need_is_used_where_it_is_granted_and_not_missed_where_it_is_not() {
    let machine = Machine::new();
    let peer = machine.peer("InCluster");
    let run = || {
        Run::guest("autodetect-report")
            .flag("--transports=InCluster")
            .flag_path("--service-account", &peer.folder())
            .flag_path("--allow-read", &peer.folder())
            .variable("KUBERNETES_SERVICE_HOST", "127.0.0.1")
            .variable("KUBERNETES_SERVICE_PORT", peer.port().to_string())
    };
    let both = "--allow-env=KUBERNETES_SERVICE_HOST,KUBERNETES_SERVICE_PORT";
    let rows = [
        ("", "--allow-net=kubernetes.default.svc:443".to_owned()),
        ("--allow-env=KUBERNETES_SERVICE_PORT", "--allow-net=kubernetes.default.svc:443".to_owned()),
        (both, format!("--allow-net={}", peer.address())),
    ];
    for (flags, lacks) in rows {
        let outcome = run().flags(flags).run().expect_code(126);
        assert_eq!(lacking(&outcome), [lacks], "{flags}: {outcome:?}");
    }
    assert_eq!(peer.connections(), 0);
    let outcome = run().flag(both).flag(format!("--allow-net={}", peer.address())).run().expect_code(0);
    assert_eq!(verdicts(&outcome), expected(&[("InCluster", "works")]), "{outcome:?}");
}

#[test]
fn the_others_have_one_round_each_after_the_folder_is_read() {
    let machine = Machine::new();
    let account = machine.peer("InCluster").folder();
    let read = format!("--allow-read={}", account.display());
    let net = |transport: &str| format!("--allow-net={}", machine.peer(transport).address());
    let run = format!("--allow-run={}", kubectl().display());
    let port = |transport: &str| format!("htons({})", machine.peer(transport).port());
    let token = account.join("token").display().to_string();
    let rows: [(&str, &[String], String, Vec<String>); 4] = [
        ("InCluster", &[], read.clone(), vec![token, port("InCluster")]),
        ("InCluster", &[read], net("InCluster"), vec![port("InCluster")]),
        ("KubectlProxy", &[], net("KubectlProxy"), vec![port("KubectlProxy")]),
        ("KubectlRaw", &[], run, vec![format!("{}\"", kubectl().display())]),
    ];
    for (transport, granted, lacks, beyond) in rows {
        let report = machine.report().flag(format!("--transports={transport}"));
        let (outcome, trace) = granted.iter().fold(report, Run::flag).traced();
        let outcome = outcome.expect_code(126);
        assert_eq!(lacking(&outcome), [lacks], "{transport}: {outcome:?}");
        untouched(&trace, &beyond);
    }
    assert!(machine.touched().is_empty());
}

/// On a terminal, with somebody there to ask, detection says what it lacks and ends: it says the same as without one.
#[test]
fn detection_never_prompts() {
    let run = || Run::guest("autodetect-report").variable("NO_COLOR", "1");
    let piped = run().run().expect_code(126);
    let (status, shown) = run().on_a_terminal();
    assert_eq!(status.code(), Some(126), "{shown}");
    let mut lines: Vec<&str> = shown.split("\r\n").filter(|line| !line.is_empty()).collect();
    let mut expected: Vec<&str> =
        piped.stdout.lines().chain(piped.said()).filter(|line| !line.is_empty()).collect();
    lines.sort_unstable();
    expected.sort_unstable();
    assert_eq!(lines, expected);
}
