//! What is refused, before anything is sent or after a server's answer.

use tidegate_tests::{Act, Peer, Run, kubectl};

use crate::{asked, lines, on};

/// By our HTTP and by kubectl alike.
#[test]
fn no_guest_leads_to_another_place_or_says_a_line_more() {
    let peer = Peer::answering(|asked| asked.or_api(|| vec![Act::json("{}")]));
    let raw = Run::guest("requests")
        .flag("--transports=KubectlRaw")
        .flag_path("--kubectl", &kubectl())
        .flag_path("--allow-run", &kubectl())
        .variable("KUBECONFIG", peer.kubeconfig())
        .argument("refused");
    for (via, run) in [("KubeConfig", on(&peer, "refused")), ("KubectlRaw", raw)] {
        let outcome = run.run().expect_code(0);
        let all = lines(&outcome);
        assert!(all.len() > 250, "{via}: {outcome:?}");
        for line in all {
            // kubectl attaches to nothing, whatever its name is.
            let is_refused = line.ends_with(": error invalid-request")
                || (via == "KubectlRaw"
                    && line.starts_with("attach to")
                    && line.ends_with(": error unsupported"));
            assert!(is_refused, "{via}: {line}");
        }
    }
    assert!(asked(&peer).is_empty(), "{:?}", peer.seen());
}

/// What else a name holds is encoded, and leads nowhere.
#[test]
fn a_name_is_one_segment_of_a_path() {
    let peer = Peer::answering(|asked| asked.or_api(|| vec![Act::respond("404 Not Found", "", "")]));
    for (name, segment) in
        [("a b", "a%20b"), ("a?x=y&z#", "a%3Fx%3Dy%26z%23"), ("%2e%2e", "%252e%252e"), ("a%2fb", "a%252fb")]
    {
        let outcome = on(&peer, "tunnel").arguments(&["n", name]).run().expect_code(0);
        assert_eq!(lines(&outcome), ["tunnel: error status 404 NotFound"], "{name:?}");
        let target = peer.seen().pop().unwrap().target;
        let path = format!("/api/v1/namespaces/n/pods/{segment}/exec?command=sh&");
        assert!(target.starts_with(&path), "{target}");
    }
}

#[test]
fn a_redirect_is_not_followed_by_any_method() {
    let other = Peer::answering(|_| vec![Act::json("{}")]);
    for code in [301, 302, 303, 307, 308] {
        let head = format!(
            "HTTP/1.1 {code} Moved\r\nLocation: {}/api/v1/secrets\r\nContent-Length: 0\r\n\r\n",
            other.url()
        );
        let peer = Peer::answering(move |asked| asked.or_api(|| vec![Act::say(head.clone())]));
        let outcome = on(&peer, "redirected").flag("--allow-net").run().expect_code(0);
        let methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "exec"];
        let expected: Vec<String> =
            methods.iter().map(|method| format!("{method}: error redirect")).collect();
        assert_eq!(lines(&outcome), expected, "{code}");
        assert_eq!(asked(&peer).len(), 8);
    }
    assert_eq!(other.connections(), 0);
}
