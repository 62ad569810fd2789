use std::collections::BTreeMap;
use std::net::{IpAddr, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

const A: u16 = 1;
const AAAA: u16 = 28;

/// A DNS server (RFC 1035, over UDP) whose answers change as a test wants.
#[derive(Clone, Debug)]
pub struct Names {
    known: Arc<Mutex<BTreeMap<String, Name>>>,
}

#[derive(Debug, Default)]
struct Name {
    /// One list a look-up; the last is repeated.
    answers: Vec<Vec<IpAddr>>,
    delay: Duration,
    /// How often IPv4 and IPv6 addresses were asked for: a look-up asks for both.
    asked: [usize; 2],
    first_asked: Option<Instant>,
}

impl Names {
    /// Answers at port 53 of an address until the process ends.
    #[expect(clippy::expect_used, reason = "a test without its server fails")]
    pub(crate) fn serve(address: IpAddr) -> Names {
        let names = Names { known: Arc::default() };
        let socket = Arc::new(UdpSocket::bind((address, 53)).expect("listen on port 53"));
        let own = names.clone();
        std::thread::spawn(move || {
            let mut packet = [0; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut packet) {
                let Some((reply, delay)) = own.reply(&packet[..length]) else { continue };
                let socket = socket.clone();
                std::thread::spawn(move || {
                    std::thread::sleep(delay);
                    let _ = socket.send_to(&reply, from);
                });
            }
        });
        names
    }

    /// What the first look-up of a name is answered, the second, …; the last goes for all that follow. An empty list is a name without
    /// addresses. Counting begins anew.
    ///
    /// # Panics
    /// Where an address is none.
    #[expect(clippy::expect_used, reason = "a test with a wrong table fails")]
    pub fn answer(&self, name: &str, answers: &[&[&str]]) {
        let parsed = |list: &&[&str]| list.iter().map(|text| text.parse().expect("an address")).collect();
        let answers = answers.iter().map(parsed).collect();
        self.lock().insert(name.to_owned(), Name { answers, ..Name::default() });
    }

    /// Every answer for a name comes this much later.
    pub fn delay(&self, name: &str, delay: Duration) {
        self.lock().entry(name.to_owned()).or_default().delay = delay;
    }

    /// How often a name was looked up.
    pub fn look_ups(&self, name: &str) -> usize {
        self.lock().get(name).map_or(0, |name| name.asked.into_iter().max().unwrap_or_default())
    }

    /// When it was looked up first.
    pub fn first_look_up(&self, name: &str) -> Option<Instant> {
        self.lock().get(name)?.first_asked
    }

    /// The reply to a query, and when it is due. None: this is no query that a resolver sends.
    fn reply(&self, query: &[u8]) -> Option<(Vec<u8>, Duration)> {
        let (name, end) = question(query)?;
        let kind = u16::from_be_bytes([*query.get(end)?, *query.get(end + 1)?]);
        let mut known = self.lock();
        let Some(entry) = known.get_mut(&name) else {
            return Some((message(query, end, 3, &[]), Duration::ZERO));
        };
        entry.first_asked.get_or_insert_with(Instant::now);
        let mut addresses = Vec::new();
        if let Some(family) = [A, AAAA].iter().position(|own| *own == kind) {
            let turn = entry.asked[family].min(entry.answers.len().saturating_sub(1));
            entry.asked[family] += 1;
            let all = entry.answers.get(turn).into_iter().flatten().copied();
            addresses.extend(all.filter(|address| address.is_ipv6() == (kind == AAAA)));
        }
        Some((message(query, end, 0, &addresses), entry.delay))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Name>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name that is asked for, in small letters, and where its type begins.
fn question(query: &[u8]) -> Option<(String, usize)> {
    let (mut at, mut labels) = (12, Vec::new());
    loop {
        let length = usize::from(*query.get(at)?);
        at += 1;
        if length == 0 {
            return Some((labels.join("."), at));
        }
        labels.push(String::from_utf8_lossy(query.get(at..at + length)?).to_ascii_lowercase());
        at += length;
    }
}

/// An answer to the one question that ends 4 bytes behind its name, which nobody may keep.
fn message(query: &[u8], name_end: usize, code: u8, addresses: &[IpAddr]) -> Vec<u8> {
    let count = u8::try_from(addresses.len()).unwrap_or(u8::MAX);
    let mut reply = query[..2].to_vec();
    // A response, to a query that wanted recursion; one question, these answers, nothing else.
    reply.extend([0x81, 0x80 | code, 0, 1, 0, count, 0, 0, 0, 0]);
    reply.extend(&query[12..(name_end + 4).min(query.len())]);
    for address in addresses {
        let (kind, bytes) = match address {
            IpAddr::V4(address) => (A, address.octets().to_vec()),
            IpAddr::V6(address) => (AAAA, address.octets().to_vec()),
        };
        // The name is that of the question, at byte 12.
        reply.extend([0xc0, 12]);
        reply.extend(kind.to_be_bytes());
        reply.extend([0, 1, 0, 0, 0, 0, 0, u8::try_from(bytes.len()).unwrap_or_default()]);
        reply.extend(bytes);
    }
    reply
}
