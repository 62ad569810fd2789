//! Servers that agree to a tunnel and then say what they should not.

use tidegate_tests::{Act, Peer};

use crate::{ours, through};

/// A message of at most 125 bytes.
fn says(channel: u8, text: &str) -> Act {
    let length = u8::try_from(text.len() + 1).expect("a short message");
    Act::Say([&[0x82, length, channel][..], text.as_bytes()].concat())
}

fn close() -> Act {
    Act::Say(vec![0x88, 0])
}

#[test]
fn a_guest_is_told_what_came_and_why_no_more_does() {
    const SUCCESS: &str = r#"{"status":"Success"}"#;
    const V5: &str = "v5.channel.k8s.io";
    let cases: [(&str, Vec<Act>, &str, i32, &str); 11] = [
        (V5, vec![says(1, "out"), says(3, SUCCESS), close()], "out", 0, ""),
        (V5, vec![says(3, SUCCESS), says(1, "late"), close()], "late", 0, ""),
        (V5, vec![says(1, "out"), says(3, SUCCESS), Act::Close], "out", 0, ""),
        (V5, vec![says(1, "out"), close()], "out", 1, "the tunnel ended without a word about its process"),
        (V5, vec![says(1, "out"), Act::Close], "out", 1, "the tunnel was cut after"),
        (
            V5,
            vec![says(1, "out"), Act::Say(b"\x82\x7f".to_vec()), Act::Close],
            "out",
            1,
            "the tunnel was cut after",
        ),
        (
            V5,
            vec![says(1, "out"), Act::say("HTTP/1.1 400 Bad Request\r\n\r\n"), Act::Hang],
            "out",
            1,
            "does not speak WebSocket",
        ),
        (V5, vec![says(3, "{}"), close()], "", 1, "nothing understandable"),
        (V5, vec![says(7, "what"), says(3, SUCCESS), close()], "", 0, ""),
        (
            V5,
            vec![
                says(
                    3,
                    r#"{"kind":"Status","status":"Failure","code":500,"reason":"InternalError","message":"no runtime"}"#,
                ),
                close(),
            ],
            "",
            1,
            "no runtime (500 InternalError)",
        ),
        ("v4.channel.k8s.io", vec![says(1, "four"), says(3, SUCCESS), close()], "four", 0, ""),
    ];
    for (protocol, acts, stdout, code, words) in cases {
        let then = acts.clone();
        let peer = Peer::answering(move |asked| asked.or_api(|| asked.agree(protocol, then.clone())));
        let run = through("KubeConfig", &peer.kubeconfig(), &peer.address())
            .flag_path("--allow-read", &peer.folder())
            .arguments(&["-n", "n", "pod", "--", "ls"]);
        let found = ours(&run, Vec::new());
        assert_eq!(found.code, Some(code), "{acts:?}: {}", found.text());
        assert_eq!(String::from_utf8_lossy(&found.stdout), stdout, "{acts:?}: {}", found.text());
        let said = String::from_utf8_lossy(&found.stderr).into_owned();
        assert!(said.contains(words) && (code != 0 || said.is_empty()), "{acts:?}: {said}");
    }
}

/// The end of standard input cannot be said in the older protocol: an error, and no process that waits for ever.
#[test]
fn an_older_server_cannot_be_told_the_end_of_input() {
    let peer = Peer::answering(|asked| asked.or_api(|| asked.agree("v4.channel.k8s.io", vec![Act::Hang])));
    let run = through("KubeConfig", &peer.kubeconfig(), &peer.address())
        .flag_path("--allow-read", &peer.folder())
        .arguments(&["-n", "n", "-i", "pod", "--", "cat"]);
    let found = ours(&run, b"text".to_vec());
    let said = String::from_utf8_lossy(&found.stderr).into_owned();
    assert!(found.code == Some(1) && said.contains("cannot end standard input"), "{}", found.text());
}
