//! What a response is taken as.

use tidegate_tests::{Act, Peer};

use crate::{lines, on};

const EVENTS: &str = "{\"type\":\"ADDED\",\"object\":{\"a\":1}}\r\n\n{\"type\":\"BOOKMARK\",\"object\":{}}";

#[test]
fn a_body_is_bytes_text_json_or_a_stream_of_each() {
    let peer = Peer::answering(|asked| {
        asked.or_api(|| match asked.target.as_str() {
            "/json" => vec![Act::json(" {\"a\": [1, 2]} ")],
            "/missing" => vec![Act::respond("404 Not Found", "text/html", "<html>")],
            _ => vec![Act::json(EVENTS)],
        })
    });
    let outcome = on(&peer, "results").run().expect_code(0);
    let length = EVENTS.len();
    assert_eq!(
        lines(&outcome),
        [
            &format!("bytes: {length}"),
            &format!("text: {length}"),
            "json:  {\"a\": [1, 2]} ",
            "no json: error protocol",
            &format!("byte stream: {length}"),
            "line: {\"type\":\"ADDED\",\"object\":{\"a\":1}}",
            "line: ",
            "line: {\"type\":\"BOOKMARK\",\"object\":{}}",
            "json stream: {\"type\":\"ADDED\",\"object\":{\"a\":1}}",
            "json stream: {\"type\":\"BOOKMARK\",\"object\":{}}",
            "event: EventType::Added {\"a\":1}",
            "event: EventType::Bookmark {}",
            "a status: error status 404 NotFound",
        ]
    );
}

#[test]
fn or_a_tunnel() {
    let says = |channel: u8, text: &str| {
        Act::Say([&[0x82, u8::try_from(text.len() + 1).unwrap(), channel][..], text.as_bytes()].concat())
    };
    let status = r#"{"status":"Failure","reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":"7"}]}}"#;
    let peer = Peer::answering(move |asked| {
        asked.or_api(|| {
            let close = Act::Say(vec![0x88, 2, 3, 232]);
            let then = vec![says(1, "out"), says(2, "err"), says(3, status), close];
            asked.agree("v5.channel.k8s.io", then)
        })
    });
    let outcome = on(&peer, "tunnel").arguments(&["n", "p"]).run().expect_code(0);
    assert_eq!(lines(&outcome), ["tunnel: 7 \"out\" \"err\""]);
    let seen = peer.seen().pop().unwrap();
    assert_eq!((seen.method.as_str(), seen.header("upgrade")), ("GET", Some("websocket")));
}
