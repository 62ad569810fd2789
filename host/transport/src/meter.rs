//! What one guest uses of connections, against its limits.

mod bucket;
mod metered;
mod told;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tidegate_grants::{Limit, LimitKind, Limits};
use tokio::time::{Instant, sleep};

use crate::{Error, Event, Observer, Transport};
use bucket::Bucket;
use told::Last;
pub use told::Told;

/// Counts what one guest has open, how often it asks and how many bytes it moves, and refuses what its limits do not allow. Clones count
/// together.
///
/// Every refusal is [`Code::Limit`](crate::Code::Limit), and says which flag would have allowed it.
#[derive(Clone)]
pub struct Meter(Arc<Inner>);

struct Inner {
    streams: Option<Gauge>,
    clients: Option<Gauge>,
    requests: Option<(Limit, Mutex<Bucket>)>,
    bytes: Option<(Limit, u64, AtomicU64)>,
    observer: Arc<dyn Observer>,
    /// Whether somebody was told that the guest is held back.
    told: AtomicBool,
    /// What the guest was told last.
    last: Last,
}

/// How many of something there are.
struct Gauge {
    limit: Limit,
    most: u32,
    open: AtomicU32,
}

/// Something that is open, until it is dropped.
#[derive(Debug)]
pub struct Slot(Option<(Arc<Inner>, What)>);

#[derive(Clone, Copy, Debug)]
enum What {
    Stream,
    Client,
}

impl Meter {
    /// Counts against these limits; `observer` is warned once if the guest has to wait for the sake of its request rate.
    pub fn new(limits: &Limits, observer: Arc<dyn Observer>) -> Meter {
        let gauge = || match limits.get(LimitKind::Streams) {
            Some(limit @ Limit::Streams(most)) => Some(Gauge { limit, most, open: AtomicU32::new(0) }),
            _ => None,
        };
        let requests = match limits.get(LimitKind::Requests) {
            Some(limit @ Limit::Requests(rate)) => {
                Some((limit, Mutex::new(Bucket::new(rate, Instant::now()))))
            }
            _ => None,
        };
        let bytes = match limits.get(LimitKind::Bytes) {
            Some(limit @ Limit::Bytes(most)) => Some((limit, most, AtomicU64::new(0))),
            _ => None,
        };
        let (streams, clients, told, last) = (gauge(), gauge(), AtomicBool::new(false), Last::default());
        Meter(Arc::new(Inner { streams, clients, requests, bytes, observer, told, last }))
    }

    /// The same connection, whose requests, bodies and tunnels are counted; the connection itself where nothing is limited. Others know
    /// both as the same connection.
    pub fn around(&self, transport: Arc<dyn Transport>) -> Arc<dyn Transport> {
        let Inner { streams, requests, bytes, .. } = &*self.0;
        if streams.is_none() && requests.is_none() && bytes.is_none() {
            return transport;
        }
        metered::around(self.clone(), transport)
    }

    /// Something is opened that costs the host a connection, a process or a place. Errors: too much is open.
    pub fn open(&self) -> Result<Slot, Error> {
        self.take(What::Stream)
    }

    /// A client is made, which may keep a connection for its next request. There may be as many as streams, besides those. Errors: there
    /// are too many.
    pub fn client(&self) -> Result<Slot, Error> {
        self.take(What::Client)
    }

    /// Something is asked of a server: waits until it may be, and says how long that was. Dropped while it waits, nothing was asked.
    ///
    /// Errors: it would have to wait longer than `within`; or no byte may be moved any more, so that no answer could be read.
    pub async fn ask(&self, within: Duration) -> Result<Duration, Error> {
        self.spend(0)?;
        let Some((limit, bucket)) = &self.0.requests else { return Ok(Duration::ZERO) };
        let begun = Instant::now();
        let wait = locked(bucket).take(begun, within).ok_or_else(|| Error::limited(*limit))?;
        if wait.is_zero() {
            self.given(LimitKind::Requests);
            return Ok(wait);
        }
        self.tell(*limit);
        let waiting = Waiting(Some(bucket));
        sleep(wait).await;
        waiting.over();
        self.given(LimitKind::Requests);
        Ok(begun.elapsed().min(within))
    }

    /// So many bytes are moved, or are about to be. Errors: those are more than are left; then nothing is left.
    pub fn spend(&self, bytes: usize) -> Result<(), Error> {
        let Some((limit, most, spent)) = &self.0.bytes else { return Ok(()) };
        let before = spent.fetch_add(bytes as u64, Ordering::Relaxed);
        if before > *most || before + bytes as u64 > *most {
            spent.store(most.saturating_add(1), Ordering::Relaxed);
            return Err(Error::limited(*limit));
        }
        Ok(())
    }

    /// How many bytes may still be moved, at least one; for those who spend them right after. Errors: none; then nothing is left.
    pub fn left(&self) -> Result<usize, Error> {
        let Some((_, most, spent)) = &self.0.bytes else { return Ok(usize::MAX) };
        match most.saturating_sub(spent.load(Ordering::Relaxed)) {
            0 => self.spend(1).map(|()| {
                self.give_back(1);
                1
            }),
            left => Ok(usize::try_from(left).unwrap_or(usize::MAX)),
        }
    }

    /// So many of the bytes that were to be moved were not.
    pub fn give_back(&self, bytes: usize) {
        if let Some((_, most, spent)) = &self.0.bytes {
            let back = |now: u64| (now <= *most).then(|| now.saturating_sub(bytes as u64));
            _ = spent.fetch_update(Ordering::Relaxed, Ordering::Relaxed, back);
        }
    }

    fn take(&self, what: What) -> Result<Slot, Error> {
        let Some(gauge) = self.0.gauge(what) else { return Ok(Slot(None)) };
        let more = |open: u32| (open < gauge.most).then(|| open + 1);
        match gauge.open.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more) {
            Ok(_) => {
                self.given(LimitKind::Streams);
                Ok(Slot(Some((self.0.clone(), what))))
            }
            Err(_) => Err(Error::limited(gauge.limit)),
        }
    }

    fn tell(&self, limit: Limit) {
        if !self.0.told.swap(true, Ordering::Relaxed) {
            let (value, flag) = (limit.value(), limit.kind().flag());
            let text = format!(
                "the script makes more than {value} requests ({flag}): from now on it waits for its turn"
            );
            self.0.observer.event(&Event::Warning { text: &text });
        }
    }
}

impl Inner {
    fn gauge(&self, what: What) -> Option<&Gauge> {
        match what {
            What::Stream => self.streams.as_ref(),
            What::Client => self.clients.as_ref(),
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some((inner, what)) = self.0.take()
            && let Some(gauge) = inner.gauge(what)
        {
            gauge.open.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = |gauge: &Option<Gauge>| gauge.as_ref().map(|gauge| gauge.open.load(Ordering::Relaxed));
        let spent = self.bytes.as_ref().map(|(_, _, spent)| spent.load(Ordering::Relaxed));
        let (streams, clients) = (open(&self.streams), open(&self.clients));
        f.debug_struct("Meter")
            .field("streams", &streams)
            .field("clients", &clients)
            .field("bytes", &spent)
            .finish()
    }
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A place in the queue, given back where nobody waits in it any more.
struct Waiting<'a>(Option<&'a Mutex<Bucket>>);

impl Waiting<'_> {
    fn over(mut self) {
        self.0 = None;
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(bucket) = self.0 {
            locked(bucket).give_back();
        }
    }
}

fn locked(bucket: &Mutex<Bucket>) -> std::sync::MutexGuard<'_, Bucket> {
    bucket.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Code, Silent};

    fn meter(limits: Limits) -> Meter {
        Meter::new(&limits, Arc::new(Silent))
    }

    #[test]
    fn what_is_open_is_counted_until_it_is_dropped() {
        let meter = meter(Limits::none().streams(2));
        let slots = [meter.open().unwrap(), meter.open().unwrap()];
        let error = meter.open().unwrap_err();
        assert_eq!((error.code(), error.limit()), (Code::Limit, Some(Limit::Streams(2))));
        let clients = [meter.client().unwrap(), meter.client().unwrap()];
        assert!(meter.client().is_err());
        drop(slots);
        meter.open().unwrap();
        assert!(meter.client().is_err());
        drop(clients);
        meter.client().unwrap();
    }

    #[test]
    fn bytes_are_spent_for_good_but_for_those_that_were_not_moved() {
        let meter = meter(Limits::none().bytes(100));
        meter.spend(60).unwrap();
        meter.spend(40).unwrap();
        meter.give_back(10);
        meter.spend(10).unwrap();
        assert_eq!(meter.spend(1).unwrap_err().limit(), Some(Limit::Bytes(100)));
        meter.give_back(50);
        assert!(meter.spend(0).is_err(), "what was refused once is refused for good");
    }

    #[test]
    fn what_is_left_is_refused_once_it_is_nothing() {
        assert_eq!(meter(Limits::none()).left().unwrap(), usize::MAX);
        let meter = meter(Limits::none().bytes(100));
        meter.spend(99).unwrap();
        assert_eq!(meter.left().unwrap(), 1);
        meter.spend(1).unwrap();
        assert_eq!(meter.left().unwrap_err().limit(), Some(Limit::Bytes(100)));
        meter.give_back(50);
        assert!(meter.left().is_err(), "for good");
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_too_often_waits_within_a_deadline() {
        let meter = meter(Limits::none().requests(tidegate_grants::Rate::per_second(10)));
        let begun = Instant::now();
        for _ in 0..10 {
            assert_eq!(meter.ask(Duration::ZERO).await.unwrap(), Duration::ZERO);
        }
        assert_eq!(meter.ask(Duration::ZERO).await.unwrap_err().code(), Code::Limit);
        // One that gives up leaves its place to the next.
        let minute = Duration::from_secs(60);
        assert!(tokio::time::timeout(Duration::from_millis(1), meter.ask(minute)).await.is_err());
        for _ in 0..20 {
            meter.ask(minute).await.unwrap();
        }
        let took = begun.elapsed().as_millis();
        assert!((1_990..2_100).contains(&took), "{took}");
    }
}
