//! The proxy that does harm, before a server that echoes: what each fault does, either way, and that nothing is left of it.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use tidegate_tests::{Dice, Fault, FaultProxy, Toward, eventually};

/// Sends back what it reads, and closes when that ends.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || std::io::copy(&mut stream.try_clone()?, &mut stream));
        }
    });
    address
}

/// What comes back of so many bytes, and how it ended: `end`, `reset`, `silence` or another word of the operating system.
fn exchange(proxy: &FaultProxy, bytes: usize) -> (Vec<u8>, String) {
    converse(proxy, bytes, |stream| stream.shutdown(Shutdown::Write))
}

fn converse(
    proxy: &FaultProxy,
    bytes: usize,
    then: fn(&TcpStream) -> std::io::Result<()>,
) -> (Vec<u8>, String) {
    let mut stream = TcpStream::connect(proxy.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let mut writing = stream.try_clone().unwrap();
    std::thread::spawn(move || {
        let _ = writing.write_all(&vec![0; bytes]).and_then(|()| then(&writing));
    });
    let (mut got, mut piece) = (Vec::new(), [0; 4096]);
    let end = loop {
        match stream.read(&mut piece) {
            Ok(0) => break "end".to_owned(),
            Ok(read) => got.extend_from_slice(&piece[..read]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break "reset".to_owned(),
            Err(error) if error.kind() == ErrorKind::WouldBlock => break "silence".to_owned(),
            Err(error) => break error.to_string(),
        }
    };
    (got, end)
}

#[test]
fn each_fault_does_what_it_says_at_its_byte() {
    use Fault::{Corrupt, Cut, Reset, Stall};
    use Toward::{Client, Server};
    let server = echo();
    for (fault, got, end) in [
        (None, 100_000, "end"),
        (Some(Cut(Client, 0)), 0, "end"),
        (Some(Cut(Client, 70_001)), 70_001, "end"),
        (Some(Cut(Server, 0)), 0, "end"),
        (Some(Reset(Client, 5_000)), 5_000, "reset"),
        (Some(Reset(Server, 0)), 0, "reset"),
        (Some(Stall(Client, 5_000)), 5_000, "silence"),
        (Some(Stall(Server, 5_000)), 5_000, "silence"),
        (Some(Corrupt(Client, 99_999)), 100_000, "end"),
        (Some(Corrupt(Server, 64)), 100_000, "end"),
        (Some(Corrupt(Server, 100_000)), 100_000, "end"),
        (Some(Cut(Client, 100_001)), 100_000, "end"),
    ] {
        let proxy = FaultProxy::with(server, move |_| fault.into_iter().collect());
        let (came, ended) = match fault {
            // Half a close is as good as one to a proxy that says nothing any more.
            Some(Stall(..)) => converse(&proxy, 100_000, |_| Ok(())),
            _ => exchange(&proxy, 100_000),
        };
        if matches!(fault, Some(Reset(Client, _))) {
            // What was on the way when the reset came is lost.
            assert!(came.len() <= got && ended == end, "{fault:?}: {} {ended}", came.len());
        } else {
            assert_eq!((came.len(), ended.as_str()), (got, end), "{fault:?}");
        }
        let turned: Vec<usize> = (0..came.len()).filter(|at| came[*at] != 0).collect();
        let expected = match fault {
            Some(Corrupt(_, at)) if at < 100_000 => vec![at as usize],
            _ => Vec::new(),
        };
        assert_eq!(turned, expected, "{fault:?}");
        eventually("nothing is left open", || proxy.open() == 0);
    }
}

#[test]
fn pieces_wait() {
    let wait = Duration::from_millis(60);
    let proxy = FaultProxy::with(echo(), move |_| vec![Fault::Delay(Toward::Client, wait)]);
    let begun = Instant::now();
    assert_eq!(exchange(&proxy, 10).0.len(), 10);
    assert!(begun.elapsed() >= wait);
}

#[test]
fn what_is_open_can_be_ended_and_what_comes_refused() {
    let proxy = FaultProxy::before(echo());
    let open = || {
        let mut stream = TcpStream::connect(proxy.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(b"x").unwrap();
        stream.read_exact(&mut [0]).unwrap();
        stream
    };
    let mut stream = open();
    proxy.cut_all();
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    let mut stream = open();
    proxy.reset_all();
    assert_eq!(stream.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!((proxy.carried(Toward::Server), proxy.carried(Toward::Client)), (2, 2));
    for toward in [Toward::Client, Toward::Server] {
        let mut stream = open();
        proxy.stall_all(toward);
        stream.write_all(b"x").unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        assert_eq!(stream.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock, "{toward:?}");
        // It stays for as long as the client does.
        assert_eq!(proxy.open(), 1);
        drop(stream);
        eventually("it is closed", || proxy.open() == 0);
    }
    proxy.refuse(true);
    assert!(exchange(&proxy, 1).0.is_empty());
    proxy.refuse(false);
    proxy.lead_to(echo());
    assert_eq!(exchange(&proxy, 1).0.len(), 1);
    assert_eq!(proxy.connections(), 6);
    eventually("nothing is left open", || proxy.open() == 0);
}

#[test]
fn dice_fall_the_same_way_twice() {
    let throw = |seed| {
        let mut dice = Dice::new(seed);
        (0..100).map(|_| dice.fault(1000)).collect::<Vec<Fault>>()
    };
    assert_eq!(throw(7), throw(7));
    assert_ne!(throw(7), throw(8));
    assert_eq!(Dice::new(1).below(0), 0);
}
