use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Passes bytes on to a server, and counts the connections.
pub(crate) struct Counter {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

/// How fast bytes pass, each way of each connection.
#[derive(Clone, Copy)]
pub(crate) enum Pace {
    /// As they come.
    Free,
    /// So many a second, as over a long way.
    BytesPerSecond(u32),
}

impl Counter {
    pub(crate) fn before(server: SocketAddr, pace: Pace) -> Counter {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = connections.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                count.fetch_add(1, Ordering::SeqCst);
                let Ok(upstream) = TcpStream::connect(server) else { continue };
                for stream in [&client, &upstream] {
                    stream.set_nodelay(true).unwrap();
                }
                let (back, forth) = (client.try_clone().unwrap(), upstream.try_clone().unwrap());
                std::thread::spawn(move || copy(client, forth, pace));
                std::thread::spawn(move || copy(upstream, back, pace));
            }
        });
        Counter { address, connections }
    }

    /// How many there were so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream, pace: Pace) {
    let mut bytes = [0; 16 << 10];
    let mut free = Instant::now();
    while let Ok(read @ 1..) = from.read(&mut bytes) {
        if let Pace::BytesPerSecond(rate) = pace {
            free = free.max(Instant::now()) + Duration::from_secs(1) * read as u32 / rate;
            std::thread::sleep(free.saturating_duration_since(Instant::now()));
        }
        if to.write_all(&bytes[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Write);
}
