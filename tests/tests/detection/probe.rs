//! What counts as reachable, and how long the question may take.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use tidegate_tests::{Act, Manner, Peer, Run, Server, Shown, Target, eventually};

use crate::machine::{Machine, expected, peer, verdicts};

/// A server's answer to `GET /api`, and the reason why that is not enough; none where it is.
fn answers() -> Vec<(&'static str, Vec<Act>, Option<&'static str>)> {
    let status = |code: &str, text: &str| {
        let code_number = &code[..3];
        let body =
            format!(r#"{{"kind":"Status","apiVersion":"v1","code":{code_number},"message":{text:?}}}"#);
        vec![Act::respond(code, "application/json", &body)]
    };
    let forbidden =
        |user: &str| status("403 Forbidden", &format!("forbidden: User {user:?} cannot get path \"/api\""));
    vec![
        ("APIVersions", vec![Act::json(r#"{"kind":"APIVersions","versions":["v1"]}"#)], None),
        ("403 to somebody", forbidden("system:serviceaccount:web:default"), None),
        ("403 to nobody", forbidden("system:anonymous"), Some("unauthorized")),
        ("401", status("401 Unauthorized", "Unauthorized"), Some("unauthorized")),
        (
            "401 of a proxy",
            vec![Act::respond("401 Unauthorized", "text/html", "<html>")],
            Some("unauthorized"),
        ),
        ("403 of a proxy", vec![Act::respond("403 Forbidden", "text/html", "<html>")], Some("forbidden")),
        (
            "403 in other words",
            vec![Act::respond("403 Forbidden", "application/json", r#"{"error":"no"}"#)],
            Some("forbidden"),
        ),
        ("another document", vec![Act::json(r#"{"kind":"Status"}"#)], Some("not-kubernetes")),
        ("a web site", vec![Act::respond("200 OK", "text/html", "<html>")], Some("not-kubernetes")),
        ("404", status("404 Not Found", "the server could not find it"), Some("not-kubernetes")),
    ]
}

#[test]
fn reachable_is_who_answers_as_an_api_server_that_knows_us() {
    for transport in ["InCluster", "KubeConfig", "KubectlProxy"] {
        for (what, acts, reason) in answers() {
            let machine = Machine::new().with(transport, peer(transport, move |_| acts.clone()));
            let run = machine.grants(transport).iter().fold(machine.report(), Run::flag);
            let outcome = run.flag(format!("--transports={transport}")).run();
            let rows = [(transport, reason.unwrap_or("works"))];
            assert_eq!(verdicts(&outcome), expected(&rows), "{transport}, {what}: {outcome:?}");
            let asked = &machine.peer(transport).seen()[0];
            assert_eq!((asked.method.as_str(), asked.target.as_str()), ("GET", "/api"));
        }
    }
}

/// The real server, to somebody that it knows and allows nothing, to somebody that it does not know, and to nobody.
#[test]
fn the_real_server_is_told_apart_too() {
    let server = Server::of(Target::Real);
    let kubectl = |arguments: &[&str]| {
        let output = server.kubectl().args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let folder = tempfile::tempdir().unwrap();
    let account = |token: &str| {
        std::fs::copy(server.service_account.join("ca.crt"), folder.path().join("ca.crt")).unwrap();
        std::fs::write(folder.path().join("namespace"), "default").unwrap();
        std::fs::write(folder.path().join("token"), token).unwrap();
        let run = Run::guest("autodetect-report").flag("--transports=InCluster");
        let run = run.flag_path("--service-account", folder.path()).flag_path("--allow-read", folder.path());
        let run = run.flag(format!("--in-cluster-address={}", server.address));
        verdicts(&run.flag(format!("--allow-net={}", server.address)).run())
    };
    kubectl(&["create", "serviceaccount", "knows-nobody"]);
    let token = kubectl(&["create", "token", "knows-nobody"]);
    assert_eq!(account(&token), expected(&[("InCluster", "works")]));
    // Whoever is logged in may ask which APIs there are, until somebody takes that away.
    kubectl(&["delete", "clusterrolebinding", "system:discovery"]);
    let forbidden = || {
        let output = server.kubectl().args(["--token", token.trim(), "get", "--raw=/api"]).output().unwrap();
        String::from_utf8_lossy(&output.stderr).contains("Forbidden")
    };
    eventually("the server forbids it", forbidden);
    assert_eq!(account(&token), expected(&[("InCluster", "works")]));
    assert_eq!(account("nobody-s.t0ken"), expected(&[("InCluster", "unauthorized")]));

    let text = std::fs::read_to_string(&server.kubeconfig).unwrap();
    let anonymous: String =
        text.lines().filter(|line| !line.contains("token:")).map(|line| format!("{line}\n")).collect();
    assert_ne!(anonymous, text);
    let config = folder.path().join("config");
    std::fs::write(&config, anonymous).unwrap();
    let run = Run::guest("autodetect-report").flag("-A").flag("--transports=KubeConfig");
    let outcome = run.flag_path("--kubeconfig", &config).run();
    assert_eq!(verdicts(&outcome), expected(&[("KubeConfig", "unauthorized")]), "{outcome:?}");
}

/// Three seconds, or what the command line says.
#[test]
fn the_question_has_a_deadline() {
    let hang = || Peer::start(Shown::Good, Manner::Usual, |_| vec![Act::Hang]);
    let trickle = |_: &tidegate_tests::Asked| {
        let drip = [Act::chunk(" "), Act::Pause(Duration::from_millis(100))];
        [Act::chunked_head()].into_iter().chain(drip.into_iter().cycle().take(400)).collect()
    };
    let rows: [(&str, Peer, &str, u64); 4] = [
        ("silence", hang(), "", 3_000),
        ("silence", hang(), "--probe-deadline=600ms", 600),
        ("a drip", Peer::start(Shown::Good, Manner::Usual, trickle), "", 3_000),
        (
            "no handshake",
            Peer::start(Shown::Good, Manner::Silent, |_| Vec::new()),
            "--probe-deadline=1s",
            1_000,
        ),
    ];
    for (what, peer, flags, deadline) in rows {
        let machine = Machine::new().with("KubeConfig", peer);
        let run = machine.grants("KubeConfig").iter().fold(machine.report().flags(flags), Run::flag);
        let begun = Instant::now();
        let outcome = run.flag("--transports=KubeConfig").run().expect_code(1);
        let elapsed = begun.elapsed();
        assert_eq!(verdicts(&outcome), expected(&[("KubeConfig", "timeout")]), "{what}: {outcome:?}");
        let deadline = Duration::from_millis(deadline);
        // What a busy machine takes besides.
        assert!((deadline..deadline + Duration::from_secs(2)).contains(&elapsed), "{what}: {elapsed:?}");
    }
}

/// Counted once credentials are there: a plugin that takes longer than that to fetch one has a deadline of its own.
#[test]
fn the_time_that_a_credential_takes_is_not_the_servers() {
    for (what, answers, verdict) in [("an answer", true, "works"), ("silence", false, "timeout")] {
        let peer =
            Peer::answering(
                move |asked| {
                    if answers { asked.or_api(|| vec![Act::json("{}")]) } else { vec![Act::Hang] }
                },
            );
        let answer = r#"{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","status":{"token":"x"}}"#;
        let plugin = peer.write("plugin", &format!("#!/bin/sh\nsleep 2\necho '{answer}'\n"));
        std::fs::set_permissions(&plugin, std::fs::Permissions::from_mode(0o700)).unwrap();
        let user = format!(
            "{{exec: {{apiVersion: client.authentication.k8s.io/v1, command: '{}', interactiveMode: Never}}}}",
            plugin.display()
        );
        peer.write("config", &peer.kubeconfig_with(&user));
        let machine = Machine::new().with("KubeConfig", peer);
        let run = machine.grants("KubeConfig").iter().fold(machine.report(), Run::flag);
        let run = run.flag_path("--allow-run", &plugin).flags("--transports=KubeConfig --probe-deadline=1s");
        let begun = Instant::now();
        let outcome = run.run();
        assert_eq!(verdicts(&outcome), expected(&[("KubeConfig", verdict)]), "{what}: {outcome:?}");
        let least = if answers { 2 } else { 3 };
        assert!((least..least + 3).contains(&begun.elapsed().as_secs()), "{what}: {:?}", begun.elapsed());
    }
}

/// kubectl is ended with the deadline, and with it whatever it waits for.
#[test]
fn kubectl_has_the_same_deadline() {
    let machine = Machine::new();
    let program = machine.peer("KubectlRaw").write("kubectl", "#!/bin/sh\nexec sleep 60\n");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
    let run = Run::guest("autodetect-report").flags("--transports=KubectlRaw --probe-deadline=1s");
    let begun = Instant::now();
    let outcome =
        run.flag_path("--kubectl", &program).flag_path("--allow-run", &program).run().expect_code(1);
    assert_eq!(verdicts(&outcome), expected(&[("KubectlRaw", "timeout")]), "{outcome:?}");
    assert!((1..5).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
}
