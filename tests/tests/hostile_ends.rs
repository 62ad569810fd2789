//! How runs are ended: by a signal, by a reader who leaves. Each with its exit code, soon, quietly, and with all that the guest had opened
//! gone. How they end by themselves is in `diagnosis`.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tidegate_tests::{Act, Live, Peer, Run, eventually, is_alive, kubectl};

const SOON: Duration = Duration::from_secs(5);
const SIGNALS: [(Signal, i32); 3] = [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)];

fn silent_peer() -> Peer {
    Peer::answering(|asked| {
        asked.or_api(|| {
            vec![Act::chunked_head(), Act::chunk("{\"type\":\"ADDED\",\"object\":{}}\n"), Act::Hang]
        })
    })
}

/// Ends soon with that code, and nobody says anything about it.
#[track_caller]
fn ends(live: Live, signal: Signal, code: i32) {
    live.signal(signal);
    let (status, _, stderr) = live.ended_within(SOON);
    assert_eq!(status.code(), Some(code), "{signal:?}: {status:?}, {stderr}");
    assert_eq!(stderr, "", "{signal:?}");
}

#[test]
fn a_signal_ends_a_guest_that_waits_on_a_watch() {
    for (signal, code) in SIGNALS {
        let peer = silent_peer();
        let mut live = Run::ask(&peer).arguments(&["--read", "events", "/api/v1/pods?watch=true"]).live();
        assert_eq!((live.line(), live.line()), ("via KubeConfig".to_owned(), "item 1: {}".to_owned()));
        ends(live, signal, code);
    }
}

#[test]
fn a_signal_ends_a_guest_that_waits_for_an_answer_a_handshake_or_a_clock() {
    let silent = Peer::answering(|asked| asked.or_api(|| vec![Act::Hang]));
    let mut live = Run::ask(&silent).argument("/x").live();
    live.line();
    eventually("the request came", || silent.seen().len() == 2);
    ends(live, Signal::INT, 130);

    let stalled = Peer::start(tidegate_tests::Shown::Good, tidegate_tests::Manner::Silent, |_| Vec::new());
    let live = Run::ask(&stalled).flag("--probe-deadline=60s").argument("/x").live();
    eventually("the connection came", || stalled.connections() == 1);
    ends(live, Signal::TERM, 143);

    let live = Run::guest("spin").arguments(&["sleep", "60"]).live();
    // It says nothing before it sleeps.
    std::thread::sleep(Duration::from_millis(700));
    ends(live, Signal::INT, 130);
}

#[test]
fn a_signal_ends_a_guest_that_never_waits() {
    for (signal, code) in SIGNALS {
        let mut live = Run::guest("spin").argument("loop").live();
        assert_eq!(live.line(), "spinning");
        ends(live, signal, code);
    }
}

/// `nohup tidegate run … &`
#[test]
fn what_is_ignored_at_the_start_stays_ignored() {
    let run = Run::guest("spin").argument("echo");
    let tidegate = run.to_command();
    let mut ignoring = Command::new("/bin/sh");
    ignoring.args(["-c", "trap '' HUP INT; exec \"$@\"", "sh"]).arg(tidegate.get_program());
    ignoring.args(tidegate.get_args()).env_clear();
    ignoring.envs(tidegate.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut child = ignoring.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let id = Pid::from_child(&child);
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    for signal in [Signal::HUP, Signal::INT, Signal::INT] {
        stdin.write_all(b"still here\n").unwrap();
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        assert_eq!(line, "still here\n", "{signal:?}");
        kill_process(id, signal).unwrap();
    }
    kill_process(id, Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(143));
}

#[test]
fn a_signal_ends_kubectl_too() {
    for (signal, code) in SIGNALS {
        let peer = silent_peer();
        let mut live = through_kubectl(&peer, &kubectl()).variable("KUBECONFIG", peer.kubeconfig()).live();
        assert_eq!((live.line(), live.line()), ("via KubectlRaw".to_owned(), "item 1: {}".to_owned()));
        let started = live.descendants();
        assert!(!started.is_empty());
        ends(live, signal, code);
        eventually("kubectl is gone", || !started.iter().any(|id| is_alive(*id)));
    }
}

/// A kubectl that will not go, and that has started others.
#[test]
fn a_signal_ends_a_kubectl_that_ignores_it_and_what_that_started() {
    let peer = silent_peer();
    let script = "#!/bin/sh\ntrap '' INT TERM HUP PIPE
case \"$*\" in *--raw=/api) echo '{\"kind\":\"APIVersions\"}'; exit;; esac
sleep 1000 & (trap '' INT TERM; sleep 1000) & echo '{\"type\":\"ADDED\",\"object\":{}}'; wait; wait; sleep 1000\n";
    let program = program(&peer, script);
    let mut live = through_kubectl(&peer, &program).live();
    assert_eq!((live.line(), live.line()), ("via KubectlRaw".to_owned(), "item 1: {}".to_owned()));
    let started = live.descendants();
    assert!(started.len() >= 3, "{started:?}");
    ends(live, Signal::TERM, 143);
    eventually("all are gone", || !started.iter().any(|id| is_alive(*id)));
}

/// The guest's own end, and a stream that it drops, end kubectl as well.
#[test]
fn a_guest_that_ends_leaves_no_kubectl_behind() {
    let peer = silent_peer();
    let script = "#!/bin/sh
case \"$*\" in *--raw=/api) echo '{\"kind\":\"APIVersions\"}'; exit;; esac
echo $$ > \"$0.id\"; echo 'no event'; exec sleep 1000\n";
    let program = program(&peer, script);
    through_kubectl(&peer, &program).run().expect_code(3).expect_line("error protocol: ");
    let id = std::fs::read_to_string(program.with_extension("id")).unwrap().trim().parse().unwrap();
    eventually("it is gone", || !is_alive(id));
}

fn through_kubectl(peer: &Peer, program: &Path) -> Run {
    let run =
        Run::asking(peer, "kubectl-raw").flag_path("--kubectl", program).flag_path("--allow-run", program);
    run.arguments(&["--read", "events", "/api/v1/pods?watch=true"])
}

fn program(peer: &Peer, script: &str) -> std::path::PathBuf {
    let path = peer.write("kubectl", script);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
    path
}

#[test]
fn a_signal_ends_a_guest_that_waits_for_input() {
    let mut live = Run::guest("spin").argument("echo").live_with(std::process::Stdio::piped());
    std::thread::sleep(Duration::from_millis(700));
    ends(live, Signal::INT, 130);

    // One that was read from before.
    live = Run::guest("spin").argument("echo").live_with(std::process::Stdio::piped());
    live.write("a line\n");
    assert_eq!(live.line(), "a line");
    ends(live, Signal::TERM, 143);
}

/// `tidegate run … | less`, and then Ctrl-C.
#[test]
fn a_signal_ends_a_guest_whose_output_nobody_reads() {
    let mut live = Run::guest("spin").arguments(&["flood", "100000000"]).live();
    assert_eq!(live.line(), "line 0");
    std::thread::sleep(Duration::from_millis(500));
    ends(live, Signal::INT, 130);
}

#[test]
fn a_signal_ends_the_compiler_too() {
    let live = Run::guest("list-pods").flag("--no-cache").live();
    eventually("it compiles", || !live.descendants().is_empty());
    let started = live.descendants();
    ends(live, Signal::INT, 130);
    eventually("the compiler is gone", || !started.iter().any(|id| is_alive(*id)));
}

#[test]
fn a_second_signal_is_not_needed_and_does_no_harm() {
    let mut live = Run::guest("spin").argument("loop").live();
    live.line();
    live.signal(Signal::INT);
    live.signal(Signal::INT);
    ends(live, Signal::INT, 130);
}

/// `tidegate run … | head -1`
#[test]
fn a_reader_who_leaves_ends_the_guest_quietly() {
    let mut live = Run::guest("spin").arguments(&["flood", "100000000"]).live();
    assert_eq!(live.line(), "line 0");
    live.close_stdout();
    let (status, _, stderr) = live.ended_within(SOON);
    assert!(is_broken_pipe(status), "{status:?}: {stderr}");
    assert_eq!(stderr, "");
}

#[test]
fn a_reader_who_leaves_ends_a_guest_that_watches() {
    let events = std::iter::repeat_with(|| {
        [Act::chunk("{\"type\":\"ADDED\",\"object\":{}}\n"), Act::Pause(Duration::from_millis(20))]
    });
    let acts: Vec<Act> = [Act::chunked_head()].into_iter().chain(events.take(400).flatten()).collect();
    let peer = Peer::answering(move |asked| asked.or_api(|| acts.clone()));
    let mut live = Run::ask(&peer).arguments(&["--read", "events", "/api/v1/pods?watch=true"]).live();
    live.line();
    live.close_stdout();
    let (status, _, stderr) = live.ended_within(SOON);
    assert!(is_broken_pipe(status), "{status:?}: {stderr}");
    assert_eq!(stderr, "");
}

/// As a shell sees it: 141, whether the signal ended it or it said so itself.
fn is_broken_pipe(status: ExitStatus) -> bool {
    status.code() == Some(141) || status.signal() == Some(Signal::PIPE.as_raw())
}
