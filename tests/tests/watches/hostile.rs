//! Servers that mean harm, over real sockets. What each transition leads to is pinned in `host/reflector`; here is what only a network shows.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tidegate_tests::{Act, Asked, Peer, Run, Shown, eventually};

use crate::told::{Told, watcher};

fn at(peer: &Peer, flags: &[&str]) -> Run {
    watcher(&peer.kubeconfig(), &peer.address(), &[flags, &["/api/v1/pods"]].concat())
}

fn is_watch(asked: &Asked) -> bool {
    asked.target.contains("watch=true")
}

fn list(version: u32) -> Vec<Act> {
    vec![Act::json(&format!(
        r#"{{"kind":"PodList","metadata":{{"resourceVersion":"{version}"}},"items":[{{"metadata":{{"name":"a"}}}}]}}"#
    ))]
}

fn event(ty: &str, name: &str, version: u32) -> Act {
    Act::chunk(&format!(
        "{{\"type\":\"{ty}\",\"object\":{{\"metadata\":{{\"name\":\"{name}\",\"resourceVersion\":\"{version}\"}}}}}}\n"
    ))
}

/// A peer that answers what is asked first, second and so on, and nothing behind that.
fn peer(answers: Vec<Vec<Act>>) -> Peer {
    let answers = Mutex::new(answers.into_iter());
    Peer::start(Shown::Good, tidegate_tests::Manner::Usual, move |asked| {
        asked.or_api(|| answers.lock().unwrap().next().unwrap_or_else(|| vec![Act::Hang]))
    })
}

/// A connection that a balancer forgot: nothing comes, nobody says that it has ended.
#[test]
fn a_watch_that_is_silent_is_asked_about_and_replaced() {
    let peer = peer(vec![
        list(7),
        vec![Act::chunked_head(), event("ADDED", "b", 8), Act::Hang],
        list(9),
        vec![Act::chunked_head(), event("ADDED", "c", 9), Act::Hang],
    ]);
    let mut told = Told::of(at(&peer, &["--idle-deadline", "400"]));
    let lines: Vec<String> = (0..5).map(|_| told.next()).collect();
    assert_eq!(lines, ["init", "init-apply a -", "init-done", "apply b -", "apply c -"]);
    let asked: Vec<String> = peer.seen().iter().map(|asked| asked.target.clone()).collect();
    let wanted = ["/api", "limit=500", "resourceVersion=7", "limit=1", "resourceVersion=8"];
    assert!(asked.iter().zip(wanted).all(|(asked, wanted)| asked.contains(wanted)), "{asked:?}");
    // The forgotten one was closed: there is the new watch, and what the questions went over.
    eventually("the silent watch is closed", || peer.open() <= 2);
    drop(told);
    eventually("nothing is left open", || peer.open() == 0);
}

/// Whatever a connection does to the bytes of a watch, the next one goes on behind the last whole event.
#[test]
fn a_watch_that_is_cut_goes_on_behind_its_last_event() {
    for (what, end) in [
        ("closed within a chunk", vec![Act::say("ff\r\n{\"type\":\"ADD"), Act::Close]),
        ("closed between two chunks", vec![Act::Close]),
        ("ended within an event", vec![Act::chunk("{\"type\":\"ADD"), Act::say("0\r\n\r\n")]),
        ("no chunk", vec![Act::say("zz\r\n"), Act::Hang]),
        (
            "a line without end",
            vec![Act::Repeat([&b"10000\r\n"[..], &[b'x'; 1 << 16], b"\r\n"].concat(), 300), Act::Hang],
        ),
    ] {
        let watch = [vec![Act::chunked_head(), event("ADDED", "b", 8)], end].concat();
        let next = vec![Act::chunked_head(), event("MODIFIED", "b", 9), Act::Hang];
        let peer = peer(vec![list(7), watch, next]);
        let mut told = Told::of(at(&peer, &[]));
        told.until("apply b -");
        assert!(told.next().starts_with("error "), "{what}: {:?}", told.all);
        assert_eq!(told.next(), "apply b -", "{what}: {:?}", told.all);
        let last = peer.seen().last().unwrap().target.clone();
        assert!(last.contains("resourceVersion=8"), "{what}: {last}");
    }
}

/// Nobody is asked more than once or twice a second, whatever they answer.
#[test]
fn a_server_is_not_hammered() {
    let at_once = |asked: &Asked| -> Vec<Act> {
        let status = |code: &str| Act::respond(code, "", "");
        match (is_watch(asked), asked.target.contains("/pods")) {
            (true, _) => vec![Act::json("")],
            (false, true) => list(7),
            _ => vec![status("404 Not Found")],
        }
    };
    let error =
        r#"{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"old"}}"#;
    let forgets = move |asked: &Asked| match is_watch(asked) {
        true => vec![Act::json(error)],
        false => list(7),
    };
    let refuses = |_: &Asked| vec![Act::respond("500 Internal Server Error", "", "")];
    let ends = |_: &Asked| vec![Act::Close];
    type Script = Box<dyn Fn(&Asked) -> Vec<Act> + Send + Sync>;
    let scripts: [(&str, Script); 4] = [
        ("ends watches at once", Box::new(at_once)),
        ("has forgotten everything", Box::new(forgets)),
        ("refuses", Box::new(refuses)),
        ("hangs up", Box::new(ends)),
    ];
    for (what, script) in scripts {
        let peer = Peer::answering(move |asked| asked.or_api(|| script(asked)));
        let told = Told::of(at(&peer, &[]));
        eventually("it has begun", || peer.seen().iter().any(|asked| asked.target.contains("/pods")));
        std::thread::sleep(Duration::from_secs(4));
        let asked = peer.seen().iter().filter(|asked| asked.target.contains("/pods")).count();
        // Whoever hangs up is asked three times, as a request that reached nobody is.
        assert!((2..=14).contains(&asked), "{what}: asked {asked} times in 4 s");
        drop(told);
    }
}

/// Plain text, as flow control and balancers answer, with a header that says when to come back.
#[test]
fn a_retry_after_is_obeyed() {
    let times = Arc::new(Mutex::new(Vec::new()));
    let asked_at = times.clone();
    let peer = Peer::answering(move |asked| {
        asked.or_api(|| {
            let mut times = asked_at.lock().unwrap();
            times.push(Instant::now());
            match times.len() {
                1 => vec![Act::say(
                    "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 3\r\nContent-Type: text/plain\r\nContent-Length: 8\r\n\r\nToo many",
                )],
                2 => list(7),
                _ => vec![Act::Hang],
            }
        })
    });
    let mut told = Told::of(at(&peer, &[]));
    assert!(told.next().starts_with("error status 429 TooManyRequests: "), "{:?}", told.all);
    told.until("init-done");
    let times = times.lock().unwrap();
    assert!(times[1] - times[0] >= Duration::from_secs(3), "{:?}", times[1] - times[0]);
}

/// What only this side refuses is told once, and is the end.
#[test]
fn an_expression_without_an_answer_is_the_end() {
    let peer = peer(vec![list(7)]);
    let outcome = at(&peer, &["--filter", "object.spec.x == 1"]).run().expect_code(0);
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    assert!(
        lines[1].starts_with("error invalid-request: the filter has no answer for item 1 of the list"),
        "{lines:?}"
    );
    assert_eq!((lines[0], lines[2]), ("init", "end"));
    for flags in [&["--mask", "spec.x[0]"][..], &["--idle-deadline", "0"], &["--version", "0"]] {
        at(&peer, flags).run().expect_code(3).expect_line("error invalid-request: ");
    }
}

/// A peer that sends without end to a guest that takes nothing.
#[test]
fn a_guest_that_takes_nothing_holds_its_server_back() {
    let large = format!(
        "{{\"type\":\"MODIFIED\",\"object\":{{\"metadata\":{{\"name\":\"a\",\"resourceVersion\":\"8\"}},\"x\":\"{}\"}}}}\n",
        "x".repeat(60_000)
    );
    let chunk = format!("{:x}\r\n{large}\r\n", large.len()).into_bytes();
    let peer = peer(vec![list(7), vec![Act::chunked_head(), Act::Repeat(chunk, 2_000), Act::Hang]]);
    let mut told = Told::of(at(&peer, &["--pause-at", "apply:3000"]));
    told.until("apply a -");
    std::thread::sleep(Duration::from_millis(1500));
    let held = peer.written();
    assert!(held < 40 << 20, "{held} bytes were taken while the guest slept");
    (0..1999).for_each(|_| assert_eq!(told.next(), "apply a -"));
    let memory = std::fs::read_to_string(format!("/proc/{}/status", told.id())).unwrap();
    let peak =
        memory.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")).unwrap();
    assert!(peak.parse::<u64>().unwrap() < 150 << 10, "{peak} kB for 120 MB of events");
}
