//! Credential plugins that misbehave, and credentials that change under the reader's eyes: the run ends soon with a reason, or goes on with what is
//! good, and nothing secret is told.

use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tidegate_tests::{Act, Outcome, Peer, Run, TOKEN, eventually, is_alive};

const SECRET: &str = "pl0gin-hush-token-of-the-plugin";

fn peer() -> Peer {
    Peer::answering(|asked| asked.or_api(|| vec![Act::json("{}")]))
}

/// A run with a plugin of these lines of shell, which are told the peer's folder as `$1`.
fn with_plugin(peer: &Peer, script: &str) -> Run {
    let path = peer.write("plugin.sh", script);
    let user = format!(
        "{{exec: {{apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: /bin/sh, args: ['{}', '{}']}}}}",
        path.display(),
        peer.folder().display()
    );
    peer.write("config", &peer.kubeconfig_with(&user));
    Run::ask(peer).flag("--allow-run=/bin/sh")
}

/// A plugin's line that prints a credential; `more` goes behind the token.
fn answer(token: &str, more: &str) -> String {
    let api = "client.authentication.k8s.io/v1";
    format!(
        "printf '%s' '{{\"apiVersion\":\"{api}\",\"kind\":\"ExecCredential\",\"status\":{{\"token\":\"{token}\"{more}}}}}'\n"
    )
}

fn last_line(outcome: &Outcome) -> &str {
    outcome.stdout.lines().last().unwrap_or_default()
}

/// How often the plugin ran, if it counts in `runs`.
fn runs(peer: &Peer) -> usize {
    std::fs::read_to_string(peer.folder().join("runs")).unwrap_or_default().lines().count()
}

fn tokens(peer: &Peer) -> Vec<String> {
    let value = |asked: &tidegate_tests::Asked| asked.header("authorization").unwrap_or_default().to_owned();
    peer.seen().iter().map(value).collect()
}

#[test]
fn a_plugin_that_prints_a_gigabyte() {
    let peer = peer();
    for to in ["", " >&2"] {
        let script = format!("head -c 1073741824 /dev/zero | tr '\\0' 'x'{to}\n");
        let run = with_plugin(&peer, &script).argument("/x").deadline(Duration::from_secs(60));
        let (outcome, usage) = run.measured();
        assert_eq!(outcome.code(), 3, "{outcome:?}");
        let expected = if to.is_empty() { "error too-large: " } else { "error not-configured: " };
        assert!(last_line(&outcome).starts_with(expected), "{outcome:?}");
        assert!(outcome.everything().len() < 100 << 10, "{} bytes are told", outcome.everything().len());
        assert!(usage.memory < 100 << 20, "{usage:?}");
        assert!(usage.processor < Duration::from_secs(10), "{usage:?}");
    }
    assert_eq!(peer.connections(), 0);
}

#[test]
fn a_plugin_that_never_ends() {
    let peer = peer();
    // Deaf to a polite request, and with a child of its own.
    let script =
        "trap '' TERM\nsleep 98761 & echo $! >\"$1/child\"\necho $$ >\"$1/self\"\nwait\nsleep 98761\n";
    let begun = Instant::now();
    let outcome = with_plugin(&peer, script).flag("--plugin-deadline=1s").argument("/x").run();
    assert!(last_line(&outcome).starts_with("error timeout: "), "{outcome:?}");
    assert!(last_line(&outcome).contains("1 s"), "{outcome:?}");
    assert!(begun.elapsed() < Duration::from_secs(5));
    for name in ["self", "child"] {
        let id = read_id(&peer, name);
        eventually("it is ended", || !is_alive(id));
    }
}

fn read_id(peer: &Peer, name: &str) -> u32 {
    std::fs::read_to_string(peer.folder().join(name)).unwrap().trim().parse().unwrap()
}

#[test]
fn a_plugin_that_leaves_something_behind() {
    let peer = peer();
    // What it leaves holds both of its outputs open.
    let script = format!("sleep 98762 & echo $! >\"$1/child\"\n{}", answer(SECRET, ""));
    let begun = Instant::now();
    with_plugin(&peer, &script).argument("/x").run().expect_code(0);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!(tokens(&peer).last().unwrap(), &format!("Bearer {SECRET}"));
    // As kubectl's, it may go on: some plugins keep an agent.
    let id = i32::try_from(read_id(&peer, "child")).ok().and_then(rustix::process::Pid::from_raw).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::KILL).unwrap();
}

#[test]
fn what_a_plugin_says_is_told_without_its_secrets() {
    let peer = peer();
    let token = answer(SECRET, "");
    for (what, script, told, hidden) in [
        ("its token", format!("echo got {SECRET} for you >&2\n{token}"), "for you", SECRET),
        (
            "its token in pieces",
            format!("printf 'got pl0gin-hush-' >&2; sleep 0.2; echo token-of-the-plugin >&2\n{token}"),
            "got",
            SECRET,
        ),
        ("its token, and failing", format!("echo got {SECRET} >&2\n{token}exit 1\n"), "exit code 1", SECRET),
        ("no JSON but a token", format!("echo {SECRET}\necho got {SECRET} >&2\n"), "got", SECRET),
        (
            "marks that move a terminal",
            format!("printf 'hello \\033[2J\\007 you\\n' >&2\n{token}"),
            "hello",
            "\u{1b}",
        ),
    ] {
        let outcome = with_plugin(&peer, &script).argument("/x").run();
        assert!(outcome.stderr.contains(told) || outcome.stdout.contains(told), "{what}: {outcome:?}");
        assert!(!outcome.everything().contains(hidden), "{what}: {outcome:?}");
    }
}

#[test]
fn what_a_plugin_prints_is_never_told() {
    let peer = peer();
    for printed in [
        SECRET.to_owned(),
        format!("{{\"token\":\"{SECRET}\"}}"),
        answer(SECRET, ",\"expirationTimestamp\":\"x\""),
    ] {
        let script =
            if printed.starts_with("printf") { printed } else { format!("cat <<'END'\n{printed}\nEND\n") };
        let outcome = with_plugin(&peer, &script).flag("--verbose").argument("/x").run();
        assert_eq!(outcome.code(), 3, "{outcome:?}");
        assert!(!outcome.everything().contains(SECRET), "{outcome:?}");
    }
    assert_eq!(peer.connections(), 0);
}

#[test]
fn expiries_in_the_past_and_far_ahead() {
    let peer = peer();
    for (expiry, fewest, most) in [
        // As client-go: what comes is sent, and asked for again the next time.
        ("2001-01-01T00:00:00Z", 1, 6),
        ("9999-12-31T23:59:59Z", 1, 1),
        ("2090-01-01T00:00:00+14:00", 1, 1),
    ] {
        let _ = std::fs::remove_file(peer.folder().join("runs"));
        let script = format!(
            "echo run >>\"$1/runs\"\n{}",
            answer(SECRET, &format!(",\"expirationTimestamp\":\"{expiry}\""))
        );
        with_plugin(&peer, &script).arguments(&["/a", "/b", "/c"]).run().expect_code(0);
        assert!((fewest..=most).contains(&runs(&peer)), "{expiry}: {} runs", runs(&peer));
    }
}

#[test]
fn a_refused_token_is_replaced_once() {
    // The server takes nothing.
    let refuses = Peer::answering(|_| vec![Act::respond("401 Unauthorized", "application/json", "{}")]);
    let script = format!("echo run >>\"$1/runs\"\n{}", answer(SECRET, ""));
    let outcome = with_plugin(&refuses, &script).argument("/x").run();
    assert!(last_line(&outcome).starts_with("error unauthorized: "), "{outcome:?}");
    // Run once before and once on the refusal; the same token is not sent again.
    assert_eq!((runs(&refuses), refuses.seen().len()), (2, 1));

    // It takes the second one.
    let changes = Peer::answering(|asked| match asked.header("authorization") {
        Some("Bearer second") => asked.or_api(|| vec![Act::json("{}")]),
        _ => vec![Act::respond("401 Unauthorized", "application/json", "{}")],
    });
    let script = format!(
        "echo run >>\"$1/runs\"\nif test $(wc -l <\"$1/runs\") = 1; then\n{}else\n{}fi\n",
        answer("first", ""),
        answer("second", "")
    );
    with_plugin(&changes, &script).arguments(&["/x", "/y"]).run().expect_code(0);
    assert_eq!(runs(&changes), 2);
}

#[test]
fn a_token_file_that_is_replaced_while_it_is_read() {
    let peer = peer();
    let file = peer.write("token", TOKEN);
    peer.write("config", &peer.kubeconfig_with(&format!("{{tokenFile: '{}'}}", file.display())));
    let ended = AtomicBool::new(false);
    let long = "t".repeat(5_000);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // By a rename, as a rotation does, and over the file itself, as an editor does.
            while !ended.load(Ordering::Relaxed) {
                replace(&file, &long);
                std::fs::write(&file, TOKEN).unwrap();
            }
        });
        for _ in 0..20 {
            let outcome = Run::ask(&peer).argument("/x").run();
            // Caught in the middle of being written it may be empty; then that is said.
            let told = last_line(&outcome);
            assert!(outcome.code() == 0 || told.contains("holds no token"), "{outcome:?}");
        }
        ended.store(true, Ordering::Relaxed);
    });
    let whole = [format!("Bearer {TOKEN}"), format!("Bearer {long}")];
    let broken: Vec<String> = tokens(&peer).into_iter().filter(|token| !whole.contains(token)).collect();
    // A file that is written in place can be read by half; what was read is sent, and is no secret of another's.
    assert!(
        broken
            .iter()
            .all(|token| whole[1].starts_with(token.as_str()) || whole[0].starts_with(token.as_str())),
        "{broken:?}"
    );
}

fn replace(path: &Path, text: &str) {
    let new = path.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(&new, path).unwrap();
}

#[test]
fn a_plugin_that_is_interrupted_with_its_guest() {
    let peer = peer();
    let live = with_plugin(&peer, "echo $$ >\"$1/self.new\"; mv \"$1/self.new\" \"$1/self\"\nsleep 98763\n")
        .argument("/x")
        .live_with(Stdio::null());
    eventually("the plugin runs", || peer.folder().join("self").exists());
    live.signal(rustix::process::Signal::INT);
    let (status, _, _) = live.ended_within(Duration::from_secs(5));
    assert_eq!(status.code(), Some(130));
    let id = read_id(&peer, "self");
    eventually("the plugin is ended", || !is_alive(id));
}
