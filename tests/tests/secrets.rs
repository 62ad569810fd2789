//! No credential is ever in a guest's memory, in what `--verbose` shows, or in an error: over all four transports, whatever fails.
//!
//! Covers: T13

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE};
use tidegate_tests::{Act, KubectlProxy, Manner, Outcome, Peer, Run, Shown, TOKEN, kubectl};

/// Half of a response that every transport brings: what is looked for is found where it is.
const MARKER: &str = "m4rk3r-of-a-response";
const PASSWORD: &str = "pa55-of-Somebody/else";

/// All forms in which a credential could show.
fn secrets() -> Vec<String> {
    let basic = format!("somebody:{PASSWORD}");
    let mut secrets = vec![TOKEN.to_owned(), PASSWORD.to_owned(), format!("Bearer {TOKEN}")];
    for secret in [TOKEN, PASSWORD, &basic] {
        secrets.extend([
            BASE64_STANDARD.encode(secret),
            BASE64_STANDARD_NO_PAD.encode(secret),
            BASE64_URL_SAFE.encode(secret),
        ]);
        secrets.push(secret.bytes().map(|byte| format!("{byte:02x}")).collect());
        // Half of it is too much as well.
        secrets.push(secret[secret.len() / 2..].to_owned());
    }
    secrets
}

#[track_caller]
fn expect_no_secret(what: &str, outcome: &Outcome) {
    let everything = outcome.everything();
    for secret in secrets() {
        assert!(!everything.contains(&secret), "{what}: {secret} in {everything}");
    }
}

/// Reversed and in hexadecimal, as `memory-grep` wants it.
fn needle(text: &str) -> String {
    text.bytes().rev().map(|byte| format!("{byte:02x}")).collect()
}

fn peer() -> Peer {
    Peer::answering(|asked| {
        asked.or_api(|| match asked.target.as_str() {
            "/api/v1/pods" => {
                vec![Act::json(&format!("{{\"kind\":\"PodList\",\"items\":[\"{MARKER}\"]}}\n"))]
            }
            target if target.contains("watch=true") => {
                vec![
                    Act::chunked_head(),
                    Act::chunk("{\"type\":\"ADDED\",\"object\":{}}\n"),
                    Act::say("0\r\n\r\n"),
                ]
            }
            _ => vec![Act::respond(
                "404 Not Found",
                "application/json",
                r#"{"kind":"Status","message":"no such thing","reason":"NotFound","code":404}"#,
            )],
        })
    })
}

fn kubectl_for(peer: &Peer) -> Command {
    let mut command = Command::new(kubectl());
    command.env("HOME", peer.folder()).env("KUBECONFIG", peer.kubeconfig()).env("KUBERC", "off");
    command
}

/// The run made to go one way to the peer, with all that is needed granted.
type Way<'a> = (&'static str, Box<dyn Fn(Run) -> Run + 'a>);

fn ways<'a>(peer: &'a Peer, proxy: &'a KubectlProxy) -> Vec<Way<'a>> {
    let base = |run: Run, name: &str| {
        run.flag("-A").flag(format!("--transports={name}")).variable("KUBECONFIG", peer.kubeconfig())
    };
    let kubeconfig = move |user: String| {
        move |run: Run| {
            peer.write("config", &peer.kubeconfig_with(&user));
            base(run, "KubeConfig")
        }
    };
    let inline = kubeconfig(format!("{{token: '{TOKEN}'}}"));
    let file = kubeconfig(format!("{{tokenFile: '{}'}}", peer.folder().join("token").display()));
    let basic = kubeconfig(format!("{{username: somebody, password: '{PASSWORD}'}}"));
    let raw_inline = inline.clone();
    vec![
        (
            "InCluster",
            Box::new(move |run| {
                let run = base(run, "InCluster").flag_path("--service-account", &peer.folder());
                run.flag(format!("--in-cluster-address={}", peer.address()))
            }),
        ),
        ("KubeConfig", Box::new(inline)),
        ("KubeConfig with a token file", Box::new(file)),
        ("KubeConfig with a password", Box::new(basic)),
        (
            "KubectlProxy",
            Box::new(move |run| base(run, "KubectlProxy").flag(format!("--kubectl-proxy={}", proxy.url()))),
        ),
        (
            "KubectlRaw",
            Box::new(move |run| {
                raw_inline(Run::command("doctor"));
                base(run, "KubectlRaw").flag_path("--kubectl", &kubectl())
            }),
        ),
    ]
}

#[test]
fn a_guests_memory_holds_none() {
    let peer = peer();
    let proxy = KubectlProxy::start(&kubectl_for(&peer));
    for (what, way) in ways(&peer, &proxy) {
        let run = way(Run::guest("memory-grep")).argument("/api/v1/pods").argument(needle(MARKER));
        let outcome = secrets().iter().fold(run, |run, secret| run.argument(needle(secret))).run();
        assert_eq!(outcome.code(), 0, "{what}: {outcome:?}");
        let counts: Vec<(&str, u32)> = outcome
            .stdout
            .lines()
            .filter_map(|line| line.split_once(": "))
            .filter_map(|(needle, count)| Some((needle, count.parse().ok()?)))
            .collect();
        assert_eq!(counts.len(), secrets().len() + 1, "{what}: {outcome:?}");
        assert!(counts[0].1 > 0, "{what}: the search finds nothing: {outcome:?}");
        let found: Vec<_> = counts[1..].iter().filter(|(_, count)| *count > 0).collect();
        assert!(found.is_empty(), "{what}: {found:?}");
        expect_no_secret(what, &outcome);
    }
    let sent: Vec<_> =
        peer.seen().iter().filter_map(|asked| asked.header("authorization").map(str::to_owned)).collect();
    for expected in [
        format!("Bearer {TOKEN}"),
        format!("Basic {}", BASE64_STANDARD.encode(format!("somebody:{PASSWORD}"))),
    ] {
        assert!(sent.contains(&expected), "{expected} was never sent, so this test proves nothing: {sent:?}");
    }
}

#[test]
fn verbose_shows_requests_and_command_lines_and_no_credential() {
    let peer = peer();
    let proxy = KubectlProxy::start(&kubectl_for(&peer));
    for (what, way) in ways(&peer, &proxy) {
        let run = way(Run::guest("ask")).flag("--verbose");
        let outcome = run.arguments(&["--query", "limit=5", "/api/v1/pods", "/api/v1/nothing"]).run();
        assert_eq!(outcome.code(), 3, "{what}: {outcome:?}");
        for line in ["GET /api 200 ", "GET /api/v1/pods?limit=5 404 ", "GET /api/v1/nothing?limit=5 404 "] {
            assert!(
                outcome.stderr.lines().any(|shown| shown.starts_with(line)),
                "{what}: no {line:?} in {}",
                outcome.stderr
            );
        }
        if what == "KubectlRaw" {
            let start = format!("$ {} ", kubectl().display());
            let lines: Vec<&str> = outcome.stderr.lines().filter(|line| line.starts_with(&start)).collect();
            assert_eq!(lines.len(), 3, "{}", outcome.stderr);
            assert!(
                lines[1].contains(" get ") && lines[1].contains("--raw=/api/v1/pods?limit=5"),
                "{}",
                lines[1]
            );
        }
        expect_no_secret(what, &outcome);
        let quiet = way(Run::guest("ask")).arguments(&["/api/v1/pods"]).run().expect_code(0);
        assert!(!quiet.stderr.contains("GET /api"), "{what} is verbose unasked: {}", quiet.stderr);
    }
    let posted = Run::ask(&peer)
        .flag("-v")
        .arguments(&["--method", "POST", "--body", "{}", "/api/v1/pods"])
        .run()
        .expect_code(0);
    assert!(posted.stderr.contains("POST /api/v1/pods 200 "), "{posted:?}");
}

/// A request that got no answer is shown as well.
#[test]
fn verbose_shows_requests_that_failed() {
    let peer = Peer::answering(|asked| asked.or_api(|| vec![Act::Hang]));
    let outcome =
        Run::ask(&peer).flag("--verbose").arguments(&["--deadline", "300", "/x"]).run().expect_code(3);
    assert!(outcome.stderr.lines().any(|line| line.starts_with("GET /x failed ")), "{outcome:?}");
    expect_no_secret("a timeout", &outcome);
}

fn failing(acts: Vec<Act>) -> Peer {
    Peer::answering(move |_| acts.clone())
}

/// Every way of failing that a server has, over every transport: the guest fails, doctor tells why, and neither says the credential.
#[test]
fn no_failure_of_a_server_shows_one() {
    let status = |code: &str| {
        vec![Act::respond(code, "application/json", r#"{"kind":"Status","message":"no","code":401}"#)]
    };
    let redirect = "HTTP/1.1 302 Found\r\nLocation: https://login.example/\r\nContent-Length: 0\r\n\r\n";
    let peers = [
        ("another authority", Peer::start(Shown::OtherAuthority, Manner::Usual, |_| Vec::new())),
        ("expired", Peer::start(Shown::Expired, Manner::Usual, |_| Vec::new())),
        ("another name", Peer::start(Shown::OtherName, Manner::Usual, |_| Vec::new())),
        ("silent", Peer::start(Shown::Good, Manner::Silent, |_| Vec::new())),
        ("closing", Peer::start(Shown::Good, Manner::Closes, |_| Vec::new())),
        ("plain", Peer::start(Shown::Plain, Manner::Usual, |_| Vec::new())),
        ("401", failing(status("401 Unauthorized"))),
        ("403", failing(status("403 Forbidden"))),
        ("500", failing(status("500 Internal Server Error"))),
        ("a redirect", failing(vec![Act::say(redirect)])),
        ("no HTTP", failing(vec![Act::say("SSH-2.0-x\r\n")])),
        ("HTML", failing(vec![Act::respond("200 OK", "text/html", "<html>")])),
        ("no end", failing(vec![Act::chunked_head(), Act::Hang])),
    ];
    for (what, peer) in &peers {
        let fails = |way: &str, run: Run| {
            let run = run.flags("-A -v --probe-deadline=1s").flag(format!("--transports={way}"));
            let run = run
                .flag_path("--service-account", &peer.folder())
                .flag(format!("--in-cluster-address={}", peer.address()));
            run.flag_path("--kubectl", &kubectl())
                .variable("KUBECONFIG", peer.kubeconfig())
                .deadline(Duration::from_secs(30))
        };
        for way in ["InCluster", "KubeConfig", "KubectlRaw"] {
            let outcome = fails(way, Run::guest("ask")).argument("/x").run();
            assert_eq!(outcome.code(), 3, "{what}, {way}: {outcome:?}");
            expect_no_secret(&format!("{what}, {way}"), &outcome);
        }
        let outcome = fails("InCluster,KubeConfig,KubectlRaw", Run::command("doctor")).run();
        // A 403 of an API server is a server that works.
        assert!(outcome.code() == 1 || *what == "403", "{what}: {outcome:?}");
        expect_no_secret(&format!("{what}, doctor"), &outcome);
    }
}

/// Every way of being broken that a configuration has, with a credential at the place where it is broken.
#[test]
fn no_broken_configuration_shows_one() {
    let peer = peer();
    let user = |user: &str| peer.kubeconfig_with(&user.replace("TOKEN", TOKEN));
    let good = user("{token: TOKEN}");
    let pem = "-----BEGIN CERTIFICATE-----\\nTOKEN\\n-----END CERTIFICATE-----\\n";
    let rows = [
        ("unclosed", good.replace("'}", "")),
        ("indentation", format!("users:\n- name: u\n  user:\n    token: {TOKEN}\n   token: {TOKEN}\n")),
        ("a tab", format!("users:\n\t- token: {TOKEN}\n")),
        ("a colon", user("{token: TOKEN: TOKEN}")),
        ("a list", user("{token: [TOKEN]}")),
        ("a mapping", user("{token: {TOKEN: TOKEN}}")),
        ("an alias", user("{token: *TOKEN}")),
        ("a line break", user("{token: \"TOKEN\\nTOKEN\"}")),
        ("a control byte", user("{token: \"TOKEN\\x07\"}")),
        ("two ways", user("{token: TOKEN, username: TOKEN, password: TOKEN}")),
        ("base64", user("{client-certificate-data: TOKEN, client-key-data: TOKEN}")),
        ("a certificate", user(&format!("{{client-certificate-data: \"{pem}\", client-key-data: TOKEN}}"))),
        (
            "PEM that is none",
            user(&format!(
                "{{client-certificate-data: {0}, client-key-data: {0}}}",
                BASE64_STANDARD.encode(TOKEN)
            )),
        ),
        (
            "an exec plugin",
            user(
                "{exec: {apiVersion: client.authentication.k8s.io/v1, command: TOKEN, args: [TOKEN], env: [{name: A, value: TOKEN}]}}",
            ),
        ),
        (
            "a provider",
            user(
                "{auth-provider: {name: oidc, config: {id-token: TOKEN, refresh-token: TOKEN, client-secret: TOKEN}}}",
            ),
        ),
        (
            "a proxy",
            good.replace("{server:", &format!("{{proxy-url: 'http://u:{TOKEN}@127.0.0.1:1', server:")),
        ),
        ("a server with a user", good.replace("https://", &format!("https://u:{TOKEN}@"))),
        ("a server that is no URL", good.replace("https://", &format!("{TOKEN}://"))),
        ("a server with a query", good.replace(&peer.url(), &format!("{}/?token={TOKEN}", peer.url()))),
        ("only it", TOKEN.to_owned()),
    ];
    for (what, text) in rows {
        peer.write("config", &text);
        for run in [Run::guest("ask").argument("/x"), Run::command("doctor")] {
            let run = run.flags("-A -v --transports=KubeConfig").variable("KUBECONFIG", peer.kubeconfig());
            let outcome = run.run();
            assert!(matches!(outcome.code(), 1 | 3), "{what}: {outcome:?}");
            expect_no_secret(what, &outcome);
        }
        // A guest's own document is its own, but its words go through the same parser into the host's log.
        let outcome =
            Run::asking(&peer, &format!("document={text}")).flag("-v").argument("/x").run().expect_code(3);
        expect_no_secret(what, &outcome);
    }
    for (what, token) in [
        ("lines", format!("{TOKEN}\n{TOKEN}\n")),
        ("bytes", format!("{TOKEN}\u{0}{TOKEN}")),
        ("spaces", " \n".to_owned()),
    ] {
        peer.write("token", &token);
        peer.write(
            "config",
            &peer.kubeconfig_with(&format!("{{tokenFile: '{}'}}", peer.folder().join("token").display())),
        );
        for way in ["InCluster", "KubeConfig"] {
            let run = Run::guest("ask")
                .flags("-A -v")
                .flag(format!("--transports={way}"))
                .variable("KUBECONFIG", peer.kubeconfig());
            let run = run
                .flag_path("--service-account", &peer.folder())
                .flag(format!("--in-cluster-address={}", peer.address()));
            let outcome = run.argument("/x").run().expect_code(3);
            expect_no_secret(&format!("a token file with {what}, {way}"), &outcome);
        }
    }
    assert_eq!(peer.connections(), 0, "{:?}", peer.seen());
}

/// kubectl's own words go to the guest: those that are not about a status must not carry what kubectl was given.
#[test]
fn no_failure_of_kubectl_shows_one() {
    let peer = peer();
    let program = |script: &str| {
        let path = peer.write("kubectl", &format!("#!/bin/sh\n{script}\n"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
        path
    };
    let run = |program: &Path, config: &Path| {
        let run = Run::guest("ask").flags("-A -v --transports=KubectlRaw").flag_path("--kubectl", program);
        run.variable("KUBECONFIG", config).variable("API_TOKEN", TOKEN).argument("/x").run().expect_code(3)
    };
    for script in [
        "exit 7",
        "kill -9 $$",
        "exec /nowhere",
        "echo '{}'; exit 1",
        "echo 'error: You must be logged in' >&2; exit 1",
    ] {
        expect_no_secret(script, &run(&program(script), &peer.kubeconfig()));
    }
    let broken =
        peer.write("broken", &format!("users:\n- name: u\n  user:\n    token: {TOKEN}\n   token: x\n"));
    let nobody = peer.write(
        "nobody",
        &peer.kubeconfig_with(&format!("{{token: '{TOKEN}'}}")).replace(&peer.address(), "127.0.0.1:1"),
    );
    for config in [broken, nobody, peer.folder().join("nothing")] {
        expect_no_secret(&config.display().to_string(), &run(&kubectl(), &config));
    }
}
