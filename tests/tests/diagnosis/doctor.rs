//! `tidegate doctor`: each transport's verdict, and what to grant.

use serde_json::Value;
use tidegate_tests::{Act, Outcome, Peer, Run, Server, Shown, TOKEN, Target, kubectl};

use crate::peer;

#[test]
fn doctor_says_what_each_transport_needs() {
    let (outcome, trace) = Run::command("doctor").traced();
    let outcome = outcome.expect_code(1);
    let account = "/var/run/secrets/kubernetes.io/serviceaccount";
    let verdicts: Vec<&str> = outcome.stdout.lines().filter(|line| !line.starts_with(' ')).collect();
    let names: Vec<&str> = verdicts.iter().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(names, ["InCluster", "KubeConfig", "KubectlProxy", "KubectlRaw"], "{outcome:?}");
    let grants: Vec<&str> =
        outcome.stdout.lines().filter_map(|line| line.trim().strip_prefix("grant: ")).collect();
    let expected = [
        &format!("--allow-read={account}"),
        "--allow-env=KUBECONFIG --allow-env=HOME",
        "--allow-net=localhost:8001",
        "--allow-run=kubectl",
    ];
    assert_eq!(grants, expected, "{outcome:?}");
    let own = |line: &&str| !line.contains("/tidegate\", [");
    let touched: Vec<&str> = trace
        .lines()
        .filter(own)
        .filter(|line| line.contains("connect(") || line.contains(account))
        .collect();
    assert!(touched.is_empty(), "{touched:#?}");
}

/// What doctor says to grant is enough to get on, round by round.
#[test]
fn granting_what_doctor_says_leads_to_a_transport() {
    let peer = peer();
    let mut granted: Vec<String> = Vec::new();
    for round in 0..5 {
        let run =
            Run::command("doctor").flag("--transports=KubeConfig").variable("KUBECONFIG", peer.kubeconfig());
        let outcome = granted.iter().fold(run, Run::flag).run();
        if outcome.code() == 0 {
            let mut lines = outcome.stdout.lines();
            let works = format!("KubeConfig    works: {}, namespace default", peer.url());
            assert_eq!(lines.next(), Some(works.as_str()));
            let credential = lines.next().unwrap_or_default().trim();
            assert!(credential.starts_with("credential: token: user "), "{outcome:?}");
            assert_eq!(round, 3, "{granted:?}");
            return;
        }
        let more = outcome.stdout.lines().filter_map(|line| line.trim().strip_prefix("grant: "));
        let more: Vec<String> = more.flat_map(str::split_whitespace).map(str::to_owned).collect();
        assert!(
            !more.is_empty() && more.iter().all(|flag| !granted.contains(flag)),
            "{granted:?}: {outcome:?}"
        );
        granted.extend(more);
    }
    panic!("still not enough: {granted:?}");
}

#[test]
fn doctor_tries_every_transport_and_says_why_not() {
    let good = peer();
    let refusing = Peer::answering(|_| vec![Act::respond("401 Unauthorized", "", "")]);
    let stranger = Peer::start(Shown::OtherAuthority, tidegate_tests::Manner::Usual, |_| Vec::new());
    let doctor = |peer: &Peer| {
        let run = Run::command("doctor")
            .flags("-A --transports=KubeConfig,InCluster,KubectlProxy,KubectlRaw --kubectl=/nowhere/kubectl");
        let run =
            run.flag_path("--kubeconfig", &peer.kubeconfig()).flag_path("--service-account", &good.folder());
        run.flag(format!("--in-cluster-address={}", good.address()))
            .flag("--kubectl-proxy=http://127.0.0.1:1")
            .run()
    };
    for (peer, verdict) in [(&good, "works:"), (&refusing, "unauthorized:"), (&stranger, "tls:")] {
        let outcome = doctor(peer).expect_code(0);
        let verdicts: Vec<Vec<&str>> = outcome
            .stdout
            .lines()
            .filter(|line| !line.starts_with(' '))
            .map(|line| line.split_whitespace().take(2).collect())
            .collect();
        let expected = [
            vec!["KubeConfig", verdict],
            vec!["InCluster", "works:"],
            vec!["KubectlProxy", "unreachable:"],
            vec!["KubectlRaw", "not-configured:"],
        ];
        assert_eq!(verdicts, expected, "{outcome:?}");
        assert!(outcome.stdout.contains("namespace web"), "{outcome:?}");
        assert!(!outcome.everything().contains(TOKEN));
    }
}

/// Every transport to a real server, with just what it needs.
#[test]
fn doctor_reaches_real_servers_by_each_transport() {
    for server in [Target::Playground, Target::Real].map(Server::of) {
        let proxy = server.kubectl_proxy().url().to_owned();
        let at = proxy.strip_prefix("http://").unwrap().to_owned();
        let run = || {
            let run = Run::command("doctor").flag_path("--kubeconfig", &server.kubeconfig);
            let run = run.variable("KUBECONFIG", &server.kubeconfig).flag_path("--kubectl", &kubectl());
            let run = run.flag_path("--service-account", &server.service_account);
            run.flag(format!("--in-cluster-address={}", server.address))
                .flag(format!("--kubectl-proxy={proxy}"))
        };
        let granted = run()
            .flag_path("--allow-read", &server.kubeconfig)
            .flag_path("--allow-read", &server.service_account)
            .flag(format!("--allow-net={},{at}", server.address))
            .flag_path("--allow-run", &kubectl());
        let outcome = granted.flag("--json").run().expect_code(0);
        let told: Value = serde_json::from_str(&outcome.stdout).unwrap();
        let verdicts = |told: &Value| -> Vec<(String, bool)> {
            let one = |told: &Value| (told["transport"].as_str().unwrap().to_owned(), told["works"] == true);
            told.as_array().unwrap().iter().map(one).collect()
        };
        let all = ["InCluster", "KubeConfig", "KubectlProxy", "KubectlRaw"];
        assert_eq!(
            verdicts(&told),
            all.map(|name| (name.to_owned(), true)),
            "{:?}: {outcome:?}",
            server.target
        );
        // And with each grant withheld, that one is named, and no other transport is the worse for it.
        let outcome = run().flag_path("--allow-run", &kubectl()).flag("--json").run().expect_code(0);
        let told: Value = serde_json::from_str(&outcome.stdout).unwrap();
        assert_eq!(verdicts(&told).iter().filter(|(_, works)| *works).count(), 1, "{outcome:?}");
        let missing = |index: usize| told[index]["missing"][0].as_str().unwrap_or_default().to_owned();
        assert_eq!(missing(0), format!("--allow-read={}", server.service_account.display()));
        assert_eq!(missing(1), format!("--allow-read={}", server.kubeconfig.display()));
        assert_eq!(missing(2), format!("--allow-net={at}"));
        no_secret(&outcome, server);
    }
}

fn no_secret(outcome: &Outcome, server: &Server) {
    let token = std::fs::read_to_string(server.service_account.join("token")).unwrap();
    assert!(!outcome.everything().contains(token.trim()));
}
