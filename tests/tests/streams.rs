//! Lines, JSON lines and watch events, as a guest reads them: over HTTP and through kubectl, of servers that cut them anywhere, and of real
//! ones.
//!
//! Covers: T9

use std::process::Stdio;
use std::time::Duration;

use tidegate_tests::{Act, Live, Outcome, Peer, Run, Server, Target, kubectl};

/// The cap on a line, its end not counted.
const CAP: usize = 16 << 20;

const VIAS: [&str; 2] = ["kube-config", "kubectl-raw"];

/// The guest `ask` on a peer's kubeconfig, through our HTTP or through the real kubectl.
fn ask(peer: &Peer, via: &str, read: &str) -> Run {
    let run = match via {
        "kube-config" => Run::ask(peer),
        _ => Run::asking(peer, via)
            .flag_path("--kubectl", &kubectl())
            .flag_path("--allow-run", &kubectl())
            .variable("KUBECONFIG", peer.kubeconfig()),
    };
    run.arguments(&["--read", read, "/api/v1/things?watch=true"])
}

/// A body that ends where its connection does, in these pieces.
fn pieces(pieces: &[&str]) -> Peer {
    let mut acts = vec![Act::chunked_head()];
    for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
        acts.extend([Act::chunk(piece), Act::Pause(Duration::from_millis(2))]);
    }
    acts.push(Act::say("0\r\n\r\n"));
    Peer::answering(move |asked| asked.or_api(|| acts.clone()))
}

fn items(outcome: &Outcome) -> Vec<&str> {
    // Not by `lines`, which trims what is to be seen here.
    let lines = outcome.stdout.split('\n').filter_map(|line| line.strip_prefix("item "));
    lines.filter_map(|item| item.split_once(": ")).map(|(_, text)| text).collect()
}

/// However the body is cut: line ends are trimmed, and the last line needs none.
#[test]
fn line_ends_are_trimmed_and_an_unterminated_last_line_is_delivered() {
    let event = |name: &str| format!(r#"{{"type":"ADDED","object":{{"name":"{name}"}}}}"#);
    let rows = [
        (
            "lines",
            "one\r\ntwo\n\r\n\nfive\rsix\r\r\nlast".to_owned(),
            vec!["one", "two", "", "", "five\rsix\r", "last"],
        ),
        ("lines", "one\n".to_owned(), vec!["one"]),
        ("lines", "last\r".to_owned(), vec!["last"]),
        (
            "json-lines",
            "{\"a\":1}\r\n\n\r\n{\"b\": 2}\n{\"last\":3}".to_owned(),
            vec!["{\"a\":1}", "{\"b\": 2}", "{\"last\":3}"],
        ),
        (
            "events",
            format!("{}\r\n\n{}\n{}", event("one"), event("two"), event("last")),
            vec![r#"{"name":"one"}"#, r#"{"name":"two"}"#, r#"{"name":"last"}"#],
        ),
    ];
    for (read, text, expected) in rows {
        let bytes: Vec<&str> = text.split_inclusive(|_| true).collect();
        let third = text.len() / 3;
        for cut in [vec![text.as_str()], bytes, vec![&text[..third], &text[third..]]] {
            for via in VIAS {
                let outcome = ask(&pieces(&cut), via, read).run().expect_code(0);
                assert_eq!(items(&outcome), expected, "{via}, {read}, {cut:?}: {outcome:?}");
            }
        }
    }
}

/// The longest line is delivered; one byte more is an error that names the line and the cap, after the lines before it.
#[test]
fn a_line_past_the_cap_is_an_error_and_one_at_the_cap_is_none() {
    let forms = [
        ("events", r#"{"type":"ADDED","object":{"x":""#, "\"}}"),
        ("json-lines", r#"{"":""#, "\"}"),
        ("lines", "", ""),
    ];
    for (read, head, tail) in forms {
        let filled = CAP - head.len() - tail.len();
        let first = format!("{head}{tail}");
        for (more, line_end) in [(0, "\n"), (0, "\r\n"), (0, ""), (1, "\n"), (1, "\r\n"), (1, "")] {
            let acts = vec![
                Act::say(format!("HTTP/1.1 200 OK\r\n\r\n{first}\n{head}")),
                Act::Repeat(vec![b'x'; filled], 1),
                Act::say(format!("{}{tail}{line_end}", "x".repeat(more))),
                Act::Close,
            ];
            let peer = Peer::saying(acts);
            for via in VIAS {
                let outcome = ask(&peer, via, read).run();
                let what = format!("{via}, {read}, {more} more, {line_end:?}");
                let last = outcome.stdout.lines().last().unwrap_or_default();
                assert!(outcome.stdout.contains("item 1: "), "{what}: {outcome:?}");
                if more == 0 {
                    assert!(outcome.code() == 0 && last.starts_with("done: 2 items, "), "{what}: {last}");
                } else {
                    let told = last.starts_with("error too-large: line 2 of the ")
                        && last.contains("line cap of 16777216 bytes");
                    assert!(outcome.code() == 3 && told, "{what}: {last}");
                }
            }
        }
    }
}

/// A server that sends as fast as it can to a guest that reads one batch and then nothing: what the buffers between hold is taken, then
/// nothing more, until the guest reads on.
#[test]
fn a_guest_that_does_not_read_holds_its_server_back() {
    let line =
        format!("{{\"type\":\"ADDED\",\"object\":{{\"pad\":\"{}\"}}}}\n", "x".repeat(1 << 10)).repeat(64);
    for via in ["proxy", "raw"] {
        for read in ["bytes", "lines", "json", "events"] {
            let flood = line.clone().into_bytes();
            let peer = Peer::saying(vec![Act::say("HTTP/1.1 200 OK\r\n\r\n"), Act::Repeat(flood, 1 << 20)]);
            let run = Run::guest("handles").argument("hold");
            let run = match via {
                "proxy" => run.flag(format!("--allow-net={}", peer.address())).argument(peer.url()),
                _ => run
                    .flag_path("--kubectl", &kubectl())
                    .flag_path("--allow-run", &kubectl())
                    .variable("KUBECONFIG", peer.kubeconfig())
                    .argument("raw"),
            };
            let mut live = run.argument(read).live_with(Stdio::piped());
            assert_eq!(live.line(), "holding", "{via}, {read}");
            let held = settled(&peer);
            // Two sockets' buffers, kubectl's own and a pipe.
            assert!(held < 16 << 20, "{via}, {read}: {held} bytes were taken");
            live.write("\n");
            assert_eq!(live.line(), "read on", "{via}, {read}");
            let more = settled(&peer);
            assert!(more > held + (2 << 20), "{via}, {read}: {held} bytes, then {more}");
            end(live);
        }
    }
}

/// How many bytes were taken from it once it is no more.
#[track_caller]
fn settled(peer: &Peer) -> usize {
    let mut before = peer.written();
    for _ in 0..40 {
        std::thread::sleep(Duration::from_millis(250));
        let now = peer.written();
        if now == before {
            return now;
        }
        before = now;
    }
    panic!("it goes on: {before} bytes");
}

fn end(mut live: Live) {
    live.write("\n");
    let (status, _, stderr) = live.ended_within(Duration::from_secs(10));
    assert!(status.success(), "{stderr}");
}

/// A watch of real servers read three ways gives the same events.
#[test]
fn a_real_watch_is_lines_json_lines_and_events() {
    for target in [Target::Playground, Target::Real] {
        let server = Server::of(target);
        let read = |via: &str, read: &str| {
            let run =
                Run::guest("ask").flag_path("--kubectl", &kubectl()).flag_path("--allow-run", &kubectl());
            let run = run
                .flag_path("--kubeconfig", &server.kubeconfig)
                .flag_path("--allow-read", &server.kubeconfig);
            let run = run
                .flag(format!("--allow-net={}", server.address))
                .variable("KUBECONFIG", &server.kubeconfig);
            let path = "/api/v1/namespaces?watch=true&timeoutSeconds=1";
            run.arguments(&["--via", via, "--read", read, path]).run().expect_code(0)
        };
        for via in VIAS {
            let events = read(via, "events");
            let names = |outcome: &Outcome| {
                let name = |item: &str| Some(item.split("\"name\":\"").nth(1)?.split('"').next()?.to_owned());
                let mut names: Vec<String> = items(outcome).into_iter().filter_map(name).collect();
                names.sort_unstable();
                names
            };
            assert!(names(&events).contains(&"kube-system".to_owned()), "{via}, {target:?}: {events:?}");
            for other in ["lines", "json-lines"] {
                assert_eq!(names(&read(via, other)), names(&events), "{via}, {target:?}, {other}");
            }
        }
    }
}
