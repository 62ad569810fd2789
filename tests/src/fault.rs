use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::sockopt;

/// A TCP proxy that does harm at the byte that a test names, or at once when it is told to. Ended, with all that it carries, when this is
/// dropped.
///
/// It sees bytes and nothing in them: put it before TLS, and a corrupted byte is a broken record.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// A direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Toward {
    /// What the server says.
    Client,
    /// What the client says.
    Server,
}

/// What is done to one connection. Bytes are counted from the connection's begin, each way by itself; those before `at` pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Each piece that is carried waits for this long.
    Delay(Toward, Duration),
    /// Both sides see an end of the stream, as from a proxy that was restarted.
    Cut(Toward, u64),
    /// Both sides see a reset.
    Reset(Toward, u64),
    /// Nothing passes any more this way, and the connection stays until the client closes it, be it by half: as behind a balancer that
    /// forgot it.
    Stall(Toward, u64),
    /// This byte comes with a bit turned over.
    Corrupt(Toward, u64),
}

type Plan = Box<dyn Fn(usize) -> Vec<Fault> + Send + Sync>;

struct Shared {
    server: Mutex<SocketAddr>,
    plan: Plan,
    accepted: AtomicUsize,
    refuses: AtomicBool,
    ended: AtomicBool,
    carried: [AtomicU64; 2],
    open: Mutex<BTreeMap<usize, Arc<Connection>>>,
}

/// Both ends of what is carried. They are closed when both ways are done.
struct Connection {
    client: TcpStream,
    server: TcpStream,
    is_over: AtomicBool,
    /// Whether each way is to stall, once something comes that way.
    stalls: [AtomicBool; 2],
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("accepted", &self.accepted).finish_non_exhaustive()
    }
}

impl FaultProxy {
    /// One that does no harm by itself.
    pub fn before(server: SocketAddr) -> FaultProxy {
        FaultProxy::with(server, |_| Vec::new())
    }

    /// One that does to each connection what `plan` says of its number; the first is 0.
    ///
    /// # Panics
    /// Where it cannot listen.
    #[expect(clippy::expect_used, reason = "a test without its peer fails")]
    pub fn with(
        server: SocketAddr,
        plan: impl Fn(usize) -> Vec<Fault> + Send + Sync + 'static,
    ) -> FaultProxy {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listen");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            server: Mutex::new(server),
            plan: Box::new(plan),
            accepted: AtomicUsize::new(0),
            refuses: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            carried: Default::default(),
            open: Mutex::default(),
        });
        let own = shared.clone();
        std::thread::spawn(move || accept(&listener, &own));
        FaultProxy { address, shared }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Leads to another server from now on; what is open stays.
    pub fn lead_to(&self, server: SocketAddr) {
        *lock(&self.shared.server) = server;
    }

    /// Closes new connections at once, or takes them again.
    pub fn refuse(&self, refuses: bool) {
        self.shared.refuses.store(refuses, Ordering::SeqCst);
    }

    /// Ends what is open, as [`Fault::Cut`] does.
    pub fn cut_all(&self) {
        self.end_all(Connection::cut);
    }

    /// Ends what is open, as [`Fault::Reset`] does.
    pub fn reset_all(&self) {
        self.end_all(Connection::reset);
    }

    /// Lets nothing pass any more this way on what is open, as [`Fault::Stall`] does.
    pub fn stall_all(&self, toward: Toward) {
        let open = lock(&self.shared.open);
        open.values().for_each(|connection| connection.stalls[toward as usize].store(true, Ordering::SeqCst));
    }

    /// How many connections were taken.
    pub fn connections(&self) -> usize {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    /// How many are open on either side.
    pub fn open(&self) -> usize {
        lock(&self.shared.open).len()
    }

    /// How many bytes came to be carried this way, over all connections.
    pub fn carried(&self, toward: Toward) -> u64 {
        self.shared.carried[toward as usize].load(Ordering::SeqCst)
    }

    fn end_all(&self, end: fn(&Connection)) {
        lock(&self.shared.open).values().for_each(|connection| end(connection));
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
        self.cut_all();
    }
}

/// The same numbers for the same seed, for plans that are random and can be had again.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Numbers of this seed.
    pub fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    /// One of 0 to `below`, without it; 0 where that is 0.
    pub fn below(&mut self, below: u64) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)).checked_rem(below).unwrap_or_default()
    }

    /// Any fault that a connection does not survive, either way, at a byte below `most`.
    pub fn fault(&mut self, most: u64) -> Fault {
        let toward = if self.below(2) == 0 { Toward::Client } else { Toward::Server };
        let at = self.below(most);
        match self.below(4) {
            0 => Fault::Cut(toward, at),
            1 => Fault::Reset(toward, at),
            2 => Fault::Stall(toward, at),
            _ => Fault::Corrupt(toward, at),
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for client in listener.incoming() {
        if shared.ended.load(Ordering::SeqCst) {
            return;
        }
        let Ok(client) = client else { continue };
        let number = shared.accepted.fetch_add(1, Ordering::SeqCst);
        if !shared.refuses.load(Ordering::SeqCst) {
            // A connection that cannot be made is one that is closed.
            let _ = carry(client, number, shared);
        }
    }
}

fn carry(client: TcpStream, number: usize, shared: &Arc<Shared>) -> io::Result<()> {
    let server = TcpStream::connect_timeout(&lock(&shared.server), Duration::from_secs(5))?;
    for stream in [&client, &server] {
        stream.set_nodelay(true)?;
        // So that one who writes to somebody who does not read sees that the connection is over.
        stream.set_write_timeout(Some(Duration::from_millis(100)))?;
    }
    let (is_over, stalls) = Default::default();
    let connection = Arc::new(Connection { client, server, is_over, stalls });
    lock(&shared.open).insert(number, connection.clone());
    let left = Arc::new(AtomicUsize::new(2));
    for toward in [Toward::Client, Toward::Server] {
        let (connection, shared, left) = (connection.clone(), shared.clone(), left.clone());
        std::thread::spawn(move || {
            let faults = (shared.plan)(number);
            Way { toward, faults, connection: &connection, shared: &shared }.carry();
            drop(connection);
            if left.fetch_sub(1, Ordering::SeqCst) == 1 {
                lock(&shared.open).remove(&number);
            }
        });
    }
    Ok(())
}

/// One direction of one connection.
struct Way<'a> {
    toward: Toward,
    faults: Vec<Fault>,
    connection: &'a Connection,
    shared: &'a Shared,
}

impl Way<'_> {
    fn carry(&self) {
        let (client, server) = (&self.connection.client, &self.connection.server);
        let (mut from, to) = match self.toward {
            Toward::Client => (server, client),
            Toward::Server => (client, server),
        };
        let mut piece = vec![0; 64 * 1024];
        let mut passed = 0u64;
        while let Some(room) = self.harm(passed) {
            let room = room.min(piece.len() as u64) as usize;
            let read = from.read(&mut piece[..room]);
            if read.is_ok() && self.connection.stalls[self.toward as usize].load(Ordering::SeqCst) {
                return self.connection.stall();
            }
            match read {
                Ok(0) => {
                    if !self.connection.is_over.load(Ordering::SeqCst) {
                        // A half-close is told on.
                        let _ = to.shutdown(Shutdown::Write);
                    }
                    return;
                }
                Ok(read) => {
                    self.shared.carried[self.toward as usize].fetch_add(read as u64, Ordering::SeqCst);
                    self.change(&mut piece[..read], passed);
                    if self.write(to, &piece[..read]).is_err() {
                        return self.connection.cut();
                    }
                    passed += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return self.connection.reset(),
            }
        }
    }

    fn write(&self, mut to: &TcpStream, mut piece: &[u8]) -> io::Result<()> {
        while !piece.is_empty() {
            match to.write(piece) {
                Ok(written) => piece = &piece[written..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error)
                    if error.kind() == io::ErrorKind::WouldBlock
                        && !self.connection.is_over.load(Ordering::SeqCst) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Does what is due after so many bytes; how many may pass until the next, or none where that was the end.
    fn harm(&self, passed: u64) -> Option<u64> {
        let mut room = u64::MAX;
        for fault in &self.faults {
            let (toward, at, end): (_, _, fn(&Connection)) = match *fault {
                Fault::Delay(toward, wait) => {
                    if toward == self.toward {
                        std::thread::sleep(wait);
                    }
                    continue;
                }
                Fault::Corrupt(..) => continue,
                Fault::Cut(toward, at) => (toward, at, Connection::cut),
                Fault::Reset(toward, at) => (toward, at, Connection::reset),
                Fault::Stall(toward, at) => (toward, at, Connection::stall),
            };
            if toward == self.toward {
                if at <= passed {
                    end(self.connection);
                    return None;
                }
                room = room.min(at - passed);
            }
        }
        Some(room)
    }

    fn change(&self, piece: &mut [u8], passed: u64) {
        for fault in &self.faults {
            if let Fault::Corrupt(toward, at) = *fault
                && toward == self.toward
                && let Some(byte) = at.checked_sub(passed).and_then(|at| piece.get_mut(at as usize))
            {
                *byte ^= 0x10;
            }
        }
    }
}

impl Connection {
    fn cut(&self) {
        self.is_over.store(true, Ordering::SeqCst);
        for socket in [&self.client, &self.server] {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    /// A socket that is closed without lingering sends a reset, and it is closed once both ways are done with it.
    fn reset(&self) {
        self.is_over.store(true, Ordering::SeqCst);
        for socket in [&self.client, &self.server] {
            let _ = sockopt::set_socket_linger(socket, Some(Duration::ZERO));
            // Tells nobody, and wakes who reads from it.
            let _ = socket.shutdown(Shutdown::Read);
        }
    }

    /// Waits until the client, or who ends the proxy, ends the connection. Nothing is taken from it.
    fn stall(&self) {
        let over = PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR;
        let mut watched = [PollFd::new(&self.client, PollFlags::RDHUP)];
        while poll(&mut watched, None).is_ok() && !watched[0].revents().intersects(over) {}
        self.cut();
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
