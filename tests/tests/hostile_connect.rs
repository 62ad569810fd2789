//! Servers that are no good before a guest asks anything: a wrong certificate, silence, a wrong answer to the first question. Nothing is
//! sent to the first, and the others are given up on in good time.

use std::time::{Duration, Instant};

use tidegate_tests::{Act, Manner, Peer, Run, Shown};

/// Asks within half a second of patience; the line that says what came of it.
fn ask(peer: &Peer, path: &str) -> String {
    let patience = ["--deadline", "700", "--idle-deadline", "400"];
    let begun = Instant::now();
    let outcome = Run::ask(peer).flag("--probe-deadline=700ms").arguments(&patience).argument(path).run();
    // The deadlines, and the time that a busy machine takes for all the rest.
    assert!(begun.elapsed() < Duration::from_secs(9), "{:?}: {outcome:?}", begun.elapsed());
    assert!(matches!(outcome.code(), 0 | 3), "{outcome:?}");
    outcome.stdout.lines().last().unwrap_or_default().to_owned()
}

#[test]
fn a_certificate_is_checked_for_issuer_dates_and_name() {
    let rows = [
        (Shown::Good, "done: "),
        (Shown::Given, "done: "),
        (Shown::OtherAuthority, "error tls: the certificate of 127.0.0.1:"),
        (Shown::SelfSigned, "error tls: the certificate of 127.0.0.1:"),
        (Shown::Expired, "error tls: the certificate of 127.0.0.1:"),
        (Shown::NotYet, "error tls: the certificate of 127.0.0.1:"),
        (Shown::OtherName, "error tls: the certificate of 127.0.0.1:"),
    ];
    let told = [
        (Shown::OtherAuthority, "signed by nobody who is trusted here"),
        (Shown::SelfSigned, "signed by nobody who is trusted here"),
        (Shown::Expired, "has expired"),
        (Shown::NotYet, "is not valid yet"),
        (Shown::OtherName, "is not for \"127.0.0.1\" but for"),
    ];
    for (shown, expected) in rows {
        let peer = Peer::start(shown, Manner::Usual, |asked| asked.or_api(|| vec![Act::json("{}")]));
        let line = ask(&peer, "/x");
        assert!(line.starts_with(expected), "{shown:?}: {line}");
        let words = told.iter().find(|row| row.0 == shown).map_or("", |row| row.1);
        assert!(line.contains(words), "{shown:?}: {line}");
        assert_eq!(
            peer.seen().is_empty(),
            !words.is_empty(),
            "{shown:?}: a request was sent: {:?}",
            peer.seen()
        );
    }
}

#[test]
fn tls_and_plain_http_that_meet_each_other_say_so() {
    let plain = Peer::start(Shown::Plain, Manner::Usual, |_| vec![Act::json("{}")]);
    let config = plain.kubeconfig_with("{token: x}").replace("http://", "https://");
    plain.write("config", &config);
    let line = ask(&plain, "/x");
    assert!(line.starts_with("error tls: ") && line.contains("http://"), "{line}");

    let tls = Peer::answering(|_| vec![Act::json("{}")]);
    tls.write("config", &tls.kubeconfig_with("{token: x}").replace("https://", "http://"));
    let line = ask(&tls, "/x");
    let codes = ["error protocol: ", "error unreachable: ", "error not-kubernetes: "];
    assert!(codes.iter().any(|code| line.starts_with(code)), "{line}");
    assert!(tls.seen().is_empty());
}

#[test]
fn a_peer_that_stalls_before_http_is_given_up_on() {
    let rows = [
        (Manner::NeverAccepts, "error timeout: "),
        (Manner::Silent, "error timeout: "),
        (Manner::HalfHandshake(1), "error timeout: "),
        (Manner::HalfHandshake(70), "error timeout: "),
        (Manner::HalfHandshake(300), "error timeout: "),
        (Manner::Closes, "error tls: "),
    ];
    for (manner, expected) in rows {
        let peer = Peer::start(Shown::Good, manner, |_| Vec::new());
        let line = ask(&peer, "/x");
        assert!(line.starts_with(expected), "{manner:?}: {line}");
        assert!(line.contains(&peer.address()), "{manner:?} is told without the server: {line}");
    }
    let nobody = Peer::start(Shown::Good, Manner::Usual, |_| Vec::new());
    let config = nobody.kubeconfig_with("{token: x}").replace(&nobody.address(), "127.0.0.1:1");
    nobody.write("config", &config);
    let outcome = Run::ask(&nobody).flag("--allow-net=127.0.0.1:1").argument("/x").run().expect_code(3);
    outcome.expect_line("error unreachable: ");
}

#[test]
fn what_answers_the_first_question_wrongly_is_not_used() {
    let rows: [(&str, Vec<Act>, &str); 10] = [
        (
            "a login page",
            vec![Act::respond("200 OK", "text/html", "<html>login</html>")],
            "error not-kubernetes: ",
        ),
        ("another document", vec![Act::json("{\"kind\":\"Pod\"}")], "error not-kubernetes: "),
        ("nothing", vec![Act::respond("204 No Content", "", "")], "error not-kubernetes: "),
        (
            "a redirect to a login page",
            vec![Act::say(
                "HTTP/1.1 302 Found\r\nLocation: https://login.example/\r\nContent-Length: 0\r\n\r\n",
            )],
            "error not-kubernetes: ",
        ),
        (
            "an endless document",
            vec![Act::chunked_head(), Act::Repeat(format!("1000\r\n{:4096}\r\n", "").into_bytes(), 1 << 10)],
            "error not-kubernetes: ",
        ),
        ("401", vec![Act::respond("401 Unauthorized", "", "")], "error unauthorized: "),
        ("403 of a proxy", vec![Act::respond("403 Forbidden", "text/html", "<html>")], "error forbidden: "),
        (
            "403 to nobody",
            vec![Act::respond(
                "403 Forbidden",
                "application/json",
                r#"{"kind":"Status","message":"forbidden: User \"system:anonymous\" cannot get path \"/api\"","code":403}"#,
            )],
            "error unauthorized: ",
        ),
        ("404", vec![Act::respond("404 Not Found", "", "")], "error not-kubernetes: "),
        ("silence", vec![Act::Hang], "error timeout: "),
    ];
    for (what, acts, expected) in rows {
        let line = ask(&Peer::answering(move |_| acts.clone()), "/x");
        assert!(line.starts_with(expected), "{what}: expected {expected:?}, found {line:?}");
    }
}
