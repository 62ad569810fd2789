//! A guest that listens: what it is sent, what it sends, and who holds whom back.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use tidegate_tests::Run;

#[test]
fn connections_go_both_ways_and_end_with_their_handles() {
    let mut live = Run::guest("sockets").flag("--allow-listen=localhost").argument("localhost").live();
    let address: SocketAddr = live.line().strip_prefix("listens ").unwrap().parse().unwrap();
    assert!(address.ip().is_loopback());

    // Half-closed, and everything comes back.
    let mut echo = TcpStream::connect(address).unwrap();
    let sent: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    let (mut writer, whole) = (echo.try_clone().unwrap(), sent.clone());
    let sender = std::thread::spawn(move || {
        writer.write_all(&whole).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    });
    let mut back = Vec::new();
    echo.read_to_end(&mut back).unwrap();
    sender.join().unwrap();
    assert!(back == sent, "{} of {} bytes", back.len(), sent.len());
    assert_eq!(live.line(), format!("echoed {} true", sent.len()));
    assert_eq!(live.line(), "end stays true");
    assert_eq!(live.line(), "after the end unreachable");

    // A handle that is dropped closes its connection, whoever still waits for it.
    let mut dropped = TcpStream::connect(address).unwrap();
    assert_eq!(live.line(), "silent false true");
    assert_eq!(live.line(), "ready [0, 1, 2]");
    assert_eq!(dropped.read(&mut [0]).unwrap(), 0);

    // Who does not read holds the guest back.
    let mut flood = TcpStream::connect(address).unwrap();
    assert_eq!(live.line(), "held back");
    flood.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut all = Vec::new();
    flood.read_to_end(&mut all).unwrap();
    assert!(all.len() == 16 << 20 && all.iter().all(|byte| *byte == 7), "{}", all.len());
    assert_eq!(live.line(), format!("sent {} true", 16 << 20));

    assert_eq!(live.line(), "nobody true");
    assert_eq!(live.line(), "taken unavailable");
    assert_eq!(live.line(), "dropped true");
    assert_eq!(live.line(), "again ok");
    let (status, _, stderr) = live.ended_within(Duration::from_secs(10));
    assert!(status.success(), "{stderr}");
    assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn each_refusal_says_what_is_wrong() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for (flags, address, says) in [
        (
            "",
            "127.0.0.1:8080",
            "permission-denied: access to listen on \"127.0.0.1:8080\", run again with --allow-listen=127.0.0.1:8080",
        ),
        (
            "",
            "localhost",
            "permission-denied: access to listen on \"127.0.0.1\", run again with --allow-listen=127.0.0.1",
        ),
        ("--allow-listen=127.0.0.1:8080", "[::1]:8080", "run again with '--allow-listen=[::1]:8080'"),
        ("--allow-net --wasi-net", "127.0.0.1:8080", "permission-denied: "),
        ("--allow-listen --deny-listen=10.0.0.0/8", "0.0.0.0:8080", "which --deny-listen=10.0.0.0/8 refuses"),
        ("--allow-listen", &taken, "unavailable: cannot listen on "),
        ("--allow-listen", "192.0.2.1:8080", "unavailable: cannot listen on 192.0.2.1:8080"),
        ("--allow-listen", "example.com:80", "invalid-request: \"example.com\" is a name"),
        ("--allow-listen", "127.0.0.1:99999", "invalid-request: "),
        ("--allow-listen", "", "invalid-request: "),
    ] {
        let outcome = Run::guest("sockets").flags(flags).argument(address).run().expect_code(134);
        assert!(outcome.stderr.contains(says), "{flags} {address}: {}", outcome.stderr);
    }
}
