//! Tunnels through which nothing comes any more, although nobody says so: the host notices by itself, says what it was, and nothing stays.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use futures_util::future::{LocalBoxFuture, join, join_all};
use tidegate::{Ending, Input, Script};
use tidegate_cluster::Behind;
use tidegate_tests::{FaultProxy, Toward};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex, repeat};
use tokio::time::{sleep, timeout};

use crate::forward::server;
use crate::harmed::{Place, closed};
use crate::{NAMESPACE, cluster};

/// What the error says.
const SILENT: &str = "the server has not said anything for 45 s, not even in answer to a ping";

/// How long a tunnel stays as it is, before it stalls, for what is on its way.
const SETTLED: Duration = Duration::from_secs(5);

/// What a ping and its answer weigh at least, in bytes of a WebSocket within TLS.
const PING: u64 = 32;

/// All at once, since each takes the whole of that time.
#[tokio::test(flavor = "current_thread")]
async fn a_tunnel_that_stalls_is_noticed_and_leaves_nothing() {
    let program = |script: &str| ["sh", "-c", script].map(str::to_owned).to_vec();
    let behind = Behind {
        attach: vec![
            ("quiet".into(), program("echo begun; exec sleep 300")),
            ("cat".into(), program("echo begun; exec cat")),
        ],
        ports: vec![(81, server(echo))],
        ..Behind::default()
    };
    // One for each direction: who attaches second to a program hears nothing of what it said before.
    for pod in ["stalls", "stalls-too"] {
        cluster().run_pod(NAMESPACE, pod, &["quiet", "cat"], &behind).expect("a pod that runs");
    }
    let place = Place::new(cluster());
    let (exec, forward) = (place.script("exec").await, place.script("port-forward").await);
    let quiet = "echo begun; exec sleep 300";
    let loud = "echo begun; while sleep 0.01; do echo and on; done";
    let mut all: Vec<LocalBoxFuture<'_, ()>> = Vec::new();
    for (toward, pod) in [(Toward::Client, "stalls"), (Toward::Server, "stalls-too")] {
        for words in [
            of(&["quiet", pod, "--", "sh", "-c", quiet]),
            // Something was typed, and read.
            of(&["cat", "-i", pod, "--", "sh", "-c", "echo begun; exec cat"]),
            of(&["quiet", "--attach", pod]),
            of(&["cat", "-i", "--attach", pod]),
        ] {
            all.push(Box::pin(process(&place, &exec, toward, words)));
        }
        all.push(Box::pin(port(&place, &forward, toward)));
    }
    let words = of(&["quiet", "stalls", "--", "sh", "-c", loud]);
    all.push(Box::pin(process(&place, &exec, Toward::Client, words)));
    all.push(Box::pin(transfer(&place, &exec)));
    join_all(all).await;
    place.no_task_is_left("all of them").await;
}

/// Arguments of the example, from the container's name on.
fn of<'a>(words: &[&'a str]) -> Vec<&'a str> {
    [&["-n", NAMESPACE, "-c"], words].concat()
}

/// A process whose tunnel stalls a while after it has begun.
async fn process(place: &Place, exec: &Script, toward: Toward, words: Vec<&str>) {
    let what = format!("{words:?} {toward:?}");
    let proxy = FaultProxy::before(cluster().address());
    // Stays open: whoever types there may type on.
    let (mut typed, stdin) = duplex(64);
    let running = place.run(exec, &proxy, &words, Input::reader(stdin));
    let (begun, heard) = (running.says("begun"), running.says("hello"));
    let stall = async {
        begun.await;
        if words.contains(&"-i") {
            typed.write_all(b"hello\n").await.expect("type");
            heard.await;
            proven(&proxy).await;
        }
        sleep(SETTLED).await;
        proxy.stall_all(toward);
        Instant::now()
    };
    let (outcome, stalled) = join(timeout(Duration::from_secs(180), running.end), stall).await;
    let (outcome, elapsed) = (outcome.expect(&what), stalled.elapsed());
    assert_eq!(outcome.ending, Ending::Exited(1), "{what}: {}", running.stderr.text());
    assert!(running.stderr.text().contains(SILENT), "{what}: {}", running.stderr.text());
    assert!(elapsed < Duration::from_secs(75), "{what}: {elapsed:?}");
    assert!(proxy.carried(toward) > 0);
    closed(&proxy, &what).await;
}

/// A connection to a port, the same way.
async fn port(place: &Place, forward: &Script, toward: Toward) {
    let proxy = FaultProxy::before(cluster().address());
    let words = ["-n", NAMESPACE, "--connections", "1", "stalls", ":81"];
    let running = place.run(forward, &proxy, &words, Input::null());
    let listens = running.says("-> 81\n");
    let stall = async {
        listens.await;
        let told = running.stdout.text();
        let address = told.split(' ').nth(2).expect("an address");
        let mut stream = tokio::net::TcpStream::connect(address).await.expect("connect");
        stream.write_all(b"hello").await.expect("write");
        let mut heard = [0; 5];
        stream.read_exact(&mut heard).await.expect("an echo");
        assert_eq!(&heard, b"hello");
        proven(&proxy).await;
        sleep(SETTLED).await;
        proxy.stall_all(toward);
        let stalled = Instant::now();
        // Its end, or a reset.
        let end = timeout(Duration::from_secs(75), stream.read(&mut heard)).await.expect("an end in time");
        assert!(!end.is_ok_and(|read| read > 0), "{toward:?}");
        stalled
    };
    let (outcome, stalled) = join(timeout(Duration::from_secs(180), running.end), stall).await;
    let said = running.stderr.text();
    assert_eq!(outcome.expect("an end in time").ending, Ending::Exited(0), "{toward:?}: {said}");
    assert!(said.contains(&format!("a connection was lost: {SILENT}")), "{toward:?}: {said}");
    assert!(stalled.elapsed() < Duration::from_secs(80), "{toward:?}: {:?}", stalled.elapsed());
    closed(&proxy, "a port").await;
}

/// Until the proxy has carried a ping and its answer: then the server is known to have read what was sent. Where the one that comes two
/// seconds after that was answered already, there is another after 20 s of silence.
async fn proven(proxy: &FaultProxy) {
    let carried = || [Toward::Server, Toward::Client].map(|toward| proxy.carried(toward));
    let before = carried();
    let wait = async {
        while carried().iter().zip(before).any(|(now, before)| *now < before + PING) {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(60), wait).await.expect("a ping and its answer");
}

/// In the middle of a transfer nobody can tell a stall from a process that is busy with what it was sent: it is for the script to end it,
/// and nothing stays then.
async fn transfer(place: &Place, exec: &Script) {
    let proxy = FaultProxy::before(cluster().address());
    let words = ["-n", NAMESPACE, "-i", "-c", "cat", "stalls", "--", "cat"];
    let running = place.run(exec, &proxy, &words, Input::reader(repeat(b'x')));
    let stall = async {
        while running.stdout.bytes().len() < 500_000 {
            sleep(Duration::from_millis(20)).await;
        }
        proxy.stall_all(Toward::Client);
    };
    let (end, ()) = join(timeout(Duration::from_secs(70), running.end), stall).await;
    assert!(end.is_err(), "{}", running.stderr.text());
    // The guest is gone with its future, and its socket is nobody's: what it had sent and nobody reads is the system's to forget.
    let gone = Instant::now();
    while held_towards(proxy.address().port()) > 0 {
        assert!(gone.elapsed() < Duration::from_secs(10), "a socket is left");
        sleep(Duration::from_millis(10)).await;
    }
}

/// How many sockets of this machine that lead to this port belong to a process.
fn held_towards(port: u16) -> usize {
    let table = std::fs::read_to_string("/proc/net/tcp").expect("the system's table");
    let leads = table.lines().skip(1).filter(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        columns[2].ends_with(&format!(":{port:04X}")) && columns[9] != "0"
    });
    leads.count()
}

fn echo(mut stream: TcpStream) {
    let mut piece = [0; 1024];
    while let Ok(read @ 1..) = stream.read(&mut piece) {
        if stream.write_all(&piece[..read]).is_err() {
            return;
        }
    }
}
