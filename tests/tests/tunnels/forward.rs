//! Ports of pods through the real API server and a kubelet, beside what the real kubectl does; and listening only where it was granted.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use tidegate_cluster::{AuthKind, Behind, Cluster, Options, Shared};
use tidegate_tests::{Act, Asked, Dice, Fault, FaultProxy, Live, Peer, Run, Toward, eventually};

static CLUSTER: Shared = Shared::new(|| Options::api_only().with_kubelet());

const MEGABYTE: usize = 1 << 20;

fn cluster() -> &'static Cluster {
    CLUSTER.get().unwrap()
}

/// A run of the example with the grants for this kubeconfig.
fn forward(kubeconfig: &Path, port: u16, listen: &str, arguments: &str) -> Run {
    let run = Run::guest("port-forward")
        .flag("--transports=KubeConfig")
        .flag_path("--kubeconfig", kubeconfig)
        .flag_path("--allow-read", kubeconfig)
        .flag(format!("--allow-net=127.0.0.1:{port}"))
        .flags(listen);
    arguments.split_whitespace().fold(run, Run::argument)
}

fn forward_of(cluster: &Cluster, listen: &str, arguments: &str) -> Run {
    forward(&cluster.kubeconfig(AuthKind::Token), cluster.port(), listen, arguments)
}

/// The address that a started example, or kubectl, says it listens on.
fn told(line: &str) -> SocketAddr {
    let address = line.strip_prefix("Forwarding from ").and_then(|rest| rest.split(' ').next());
    address.and_then(|address| address.parse().ok()).unwrap_or_else(|| panic!("{line:?}"))
}

/// A server in the place of a pod's, which serves each connection on a thread of its own.
pub(crate) fn server(serve: fn(TcpStream)) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || serve(stream));
        }
    });
    address
}

fn pod(cluster: &Cluster, namespace: &str, ports: &[(u16, SocketAddr)]) {
    let behind = Behind { ports: ports.to_vec(), ..Behind::default() };
    cluster.run_pod(namespace, "web", &["app"], &behind).unwrap();
}

/// Answers a request, as a web server of HTTP/1.0.
fn web(mut stream: TcpStream) {
    let mut request = [0; 1024];
    let length = stream.read(&mut request).unwrap_or(0);
    let request = String::from_utf8_lossy(&request[..length]).into_owned();
    let path = request.split(' ').nth(1).unwrap_or_default();
    let body = format!("{path} {}", "x".repeat(200_000));
    let _ = write!(stream, "HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
}

fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// The bytes of a seed, and their sum.
fn bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut dice = Dice::new(seed);
    let mut bytes = Vec::with_capacity(length);
    while bytes.len() < length {
        bytes.extend_from_slice(&dice.below(u64::MAX).to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

fn sum(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

/// Sends 100 MB while it reads 100 MB, and then their sum.
fn both_ways(mut stream: TcpStream) {
    let mut writer = stream.try_clone().unwrap();
    let sender = thread::spawn(move || writer.write_all(&bytes(1, 100 * MEGABYTE)));
    let mut read = vec![0; 100 * MEGABYTE];
    stream.read_exact(&mut read).unwrap();
    sender.join().unwrap().unwrap();
    stream.write_all(&sum(&read).to_le_bytes()).unwrap();
}

/// The other side of [`both_ways`].
fn exchange(address: SocketAddr) {
    let mut stream = TcpStream::connect(address).unwrap();
    let mut writer = stream.try_clone().unwrap();
    let sent = bytes(2, 100 * MEGABYTE);
    let expected = sum(&sent);
    let sender = thread::spawn(move || writer.write_all(&sent));
    let mut read = vec![0; 100 * MEGABYTE];
    stream.read_exact(&mut read).unwrap();
    assert_eq!(sum(&read), sum(&bytes(1, 100 * MEGABYTE)), "what the pod sent");
    sender.join().unwrap().unwrap();
    let mut theirs = [0; 8];
    stream.read_exact(&mut theirs).unwrap();
    assert_eq!(u64::from_le_bytes(theirs), expected, "what the pod got");
    assert_eq!(stream.read(&mut theirs).unwrap(), 0, "and then the end");
}

#[test]
fn as_kubectl_forwards() {
    let cluster = cluster();
    pod(cluster, "alike", &[(80, server(web)), (81, server(both_ways))]);
    let mut kubectl = cluster.kubectl();
    kubectl.args(["-n", "alike", "port-forward", "pod/web", ":80"]).stdout(Stdio::piped());
    let mut kubectl = kubectl.spawn().unwrap();
    let mut line = [0; 128];
    let length = kubectl.stdout.as_mut().unwrap().read(&mut line).unwrap();
    let theirs = told(String::from_utf8_lossy(&line[..length]).lines().next().unwrap());

    let mut live = forward_of(cluster, "--allow-listen=127.0.0.1", "-n alike web :80 :81").live();
    let (ours, big) = (told(&live.line()), told(&live.line()));
    assert_eq!(get(ours, "/one"), get(theirs, "/one"));
    // Many at once.
    thread::scope(|scope| {
        for number in 0..20 {
            scope.spawn(move || {
                let answer = get(ours, &format!("/{number}"));
                assert!(answer.contains(&format!("/{number} x")) && answer.ends_with("xxx"), "{number}");
            });
        }
    });
    exchange(big);
    kubectl.kill().unwrap();
    kubectl.wait().unwrap();
    // What the local side sends last reaches the pod, although the protocol cannot say that it was the last.
    let mut stream = TcpStream::connect(ours).unwrap();
    write!(stream, "GET /half HTTP/1.0\r\n\r\n").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("/half x"), "{}", answer.len());
}

#[test]
fn what_cannot_be_forwarded_is_said() {
    let cluster = cluster();
    pod(cluster, "nobody", &[]);
    for (arguments, says) in [
        ("-n nobody web :9", "inside the pod: connection refused"),
        ("-n nobody none :9", "port 9: pods \"none\" not found"),
    ] {
        let arguments = format!("--connections 1 {arguments}");
        let mut live = forward_of(cluster, "--allow-listen=localhost", &arguments).live();
        let address = told(&live.line());
        let mut stream = TcpStream::connect(address).unwrap();
        let mut end = Vec::new();
        // Reset or ended: a connection that was there cannot be refused any more.
        let _ = stream.read_to_end(&mut end);
        assert!(end.is_empty());
        let (status, _, stderr) = live.ended_within(Duration::from_secs(20));
        assert!(status.success() && stderr.contains(says), "{arguments}: {stderr}");
    }
}

#[test]
fn nobody_listens_where_it_was_not_granted() {
    let cluster = cluster();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().port();
    for (flags, address, code, says) in [
        (
            "",
            "127.0.0.1",
            126,
            "access to listen on \"127.0.0.1:7777\", run again with --allow-listen=127.0.0.1:7777",
        ),
        ("--allow-listen=127.0.0.1:7778", "127.0.0.1", 126, "run again with --allow-listen=127.0.0.1:7777"),
        ("--allow-listen=127.0.0.1", "0.0.0.0", 126, "run again with --allow-listen=0.0.0.0:7777"),
        ("--allow-listen --deny-listen=127.0.0.0/8", "127.0.0.1", 126, "--deny-listen=127.0.0.0/8"),
        ("--allow-listen --deny-listen=127.0.0.1:7777", "0.0.0.0", 126, "--deny-listen=127.0.0.1:7777"),
        ("-A --deny-listen", "127.0.0.1", 126, "--deny-listen"),
        ("--allow-listen", "example.com", 1, "is a name"),
    ] {
        let arguments = format!("--address {address} -n nobody web 7777:80");
        let failed = forward_of(cluster, flags, &arguments).run();
        assert!(
            failed.stderr.contains(says) && failed.code() == code,
            "{flags}: {} {}",
            failed.code(),
            failed.stderr
        );
        assert!(TcpStream::connect("127.0.0.1:7777").is_err(), "{flags}");
    }
    let arguments = format!("-n nobody web {taken}:80");
    let failed = forward_of(cluster, "--allow-listen", &arguments).run().expect_code(1);
    assert!(failed.stderr.contains(&format!("cannot listen on 127.0.0.1:{taken}")), "{}", failed.stderr);
}

fn through(cluster: &Cluster, proxy: &FaultProxy) -> PathBuf {
    let kubeconfig = cluster.folder().join("forward-through-proxy.kubeconfig");
    let text = std::fs::read_to_string(cluster.kubeconfig(AuthKind::Token)).unwrap();
    let server = format!("https://{}", proxy.address());
    std::fs::write(&kubeconfig, text.replace(&cluster.server_url(), &server)).unwrap();
    kubeconfig
}

fn descriptors(live: &Live) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", live.id())).unwrap().count()
}

#[test]
fn a_tunnel_that_is_harmed_is_an_error_and_leaves_nothing() {
    const ROUNDS: usize = 24;
    let cluster = cluster();
    pod(cluster, "harmed", &[(81, server(both_ways))]);
    // The first connection is the client's own; each other one is a tunnel.
    let proxy = FaultProxy::with(cluster.address(), |number| {
        let mut dice = Dice::new(number as u64);
        let toward = [Toward::Client, Toward::Server][dice.below(2) as usize];
        let at = dice.below(3_000_000);
        let fault = match number % 3 {
            0 => Fault::Cut(toward, at),
            1 => Fault::Reset(toward, at),
            _ => Fault::Corrupt(toward, at),
        };
        if number == 0 { Vec::new() } else { vec![fault] }
    });
    let kubeconfig = through(cluster, &proxy);
    let arguments = format!("--connections {ROUNDS} -n harmed web :81");
    let mut live =
        forward(&kubeconfig, proxy.address().port(), "--allow-listen=localhost", &arguments).live();
    let address = told(&live.line());
    let before = descriptors(&live);
    for round in 0..ROUNDS {
        let mut stream = TcpStream::connect(address).unwrap();
        let mut writer = stream.try_clone().unwrap();
        let sender = thread::spawn(move || writer.write_all(&bytes(2, 8 * MEGABYTE)));
        let mut read = Vec::new();
        // However it ends, it ends.
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let ended = stream.read_to_end(&mut read);
        let timed_out = ended.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
        assert!(!timed_out, "round {round} after {} bytes", read.len());
        let _ = sender.join();
        assert!(read.len() < 100 * MEGABYTE);
        if round == ROUNDS / 2 {
            drop(stream);
            eventually("no descriptor is left", || descriptors(&live) <= before + 1);
        }
    }
    let (status, _, stderr) = live.ended_within(Duration::from_secs(30));
    assert!(status.success(), "{stderr}");
    let lost: Vec<&str> = stderr.lines().collect();
    assert_eq!(lost.len(), ROUNDS, "{stderr}");
    assert!(
        lost.iter().all(|line| line.contains("a connection was lost: ") || line.contains("port 81: ")),
        "{stderr}"
    );
    eventually("no connection is left", || proxy.open() == 0);
}

/// A server that agrees to a tunnel and then says this.
fn upgraded(asked: &Asked, frames: &[u8]) -> Vec<Act> {
    asked.agree("v4.channel.k8s.io", vec![Act::Say(frames.to_vec()), Act::Close])
}

/// A whole message on a channel.
fn message(channel: u8, bytes: &[u8]) -> Vec<u8> {
    let length = u8::try_from(bytes.len() + 1).unwrap();
    assert!(length < 126);
    [&[0x82, length, channel], bytes].concat()
}

#[test]
fn servers_that_speak_nonsense_are_told_as_that() {
    let begun = [message(0, b"\x51\0"), message(1, b"\x51\0")].concat();
    let with = |more: &[u8]| [&begun[..], more].concat();
    let end = [0x88, 0];
    for (what, frames, arrives, says) in [
        (
            "another port",
            message(0, b"\x50\0hello"),
            "",
            "a connection was lost: the server speaks another port-forward",
        ),
        ("half a port, and the end", [&message(0, b"\x51")[..], &end].concat(), "", ""),
        (
            "a channel of another port",
            with(&message(2, b"\x52\0")),
            "",
            "the server speaks another port-forward",
        ),
        (
            "a channel that there is not",
            with(&message(255, b"")),
            "",
            "the server speaks another port-forward",
        ),
        ("text", with(&[0x81, 1, b'a']), "", "the server does not speak WebSocket after"),
        ("nothing", Vec::new(), "", "the tunnel was cut after 0 bytes"),
        ("half a frame", with(&[0x82, 10, 0, b'a']), "a", "the tunnel was cut after"),
        ("bytes, and the end", with(&[&message(0, b"hello")[..], &end].concat()), "hello", ""),
        (
            "bytes in pieces",
            with(&[&[0x02, 3, 0, b'h', b'e', 0x80, 3][..], b"llo", &end].concat()),
            "hello",
            "",
        ),
        (
            "bytes, then what went wrong",
            with(&[&message(0, b"hello")[..], &message(1, b" no more \n"), &end].concat()),
            "hello",
            "a connection was lost: no more",
        ),
        ("what went wrong, and a cut", with(&message(1, b"no more")), "", "a connection was lost: no more"),
        (
            "broken off",
            with(&[0x88, 5, 0x03, 0xf3, b'b', b'a', b'd']),
            "",
            "the server broke the tunnel off: 1011 bad",
        ),
    ] {
        let peer = Peer::answering(move |asked| asked.or_api(|| upgraded(asked, &frames)));
        check(&peer, what, arrives, says);
        eventually(what, || peer.open() == 0);
    }
    let forbidden =
        r#"{"kind":"Status","message":"pods \"web\" is forbidden","reason":"Forbidden","code":403}"#;
    for (what, act, says) in [
        (
            "refused",
            Act::respond("403 Forbidden", "application/json", forbidden),
            "port 81: pods \"web\" is forbidden",
        ),
        ("not agreed", Act::json("{}"), "port 81: "),
        ("a proxy's page", Act::respond("502 Bad Gateway", "text/html", "<html>"), "port 81: "),
    ] {
        let peer = Peer::answering(move |asked| asked.or_api(|| vec![act.clone()]));
        check(&peer, what, "", says);
    }
}

/// Connects once, and compares what arrives and what is said about it.
fn check(peer: &Peer, what: &str, arrives: &str, says: &str) {
    let run = forward(&peer.kubeconfig(), peer.port(), "--allow-listen=localhost", "--connections 1 web :81");
    let mut live = run.flag_path("--allow-read", &peer.folder()).live();
    let mut stream = TcpStream::connect(told(&live.line())).unwrap();
    let mut heard = Vec::new();
    let _ = stream.read_to_end(&mut heard);
    let (status, _, stderr) = live.ended_within(Duration::from_secs(30));
    assert!(status.success(), "{what}: {stderr}");
    assert_eq!(String::from_utf8_lossy(&heard), arrives, "{what}: {stderr}");
    assert!(if says.is_empty() { stderr.is_empty() } else { stderr.contains(says) }, "{what}: {stderr}");
}
