use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tokio::sync::Semaphore;

use super::*;
use crate::credentials::CredentialKind;
use crate::{Code, Silent};

thread_local! {
    /// How far the two clocks of this test are ahead of the real ones, in seconds.
    static AHEAD: std::cell::Cell<(u64, i64)> = const { std::cell::Cell::new((0, 0)) };
}

fn now() -> Moment {
    let (instant, date) = AHEAD.get();
    let real = Moment::now();
    let distance = Duration::from_secs(date.unsigned_abs());
    let date = if date < 0 { real.date - distance } else { real.date + distance };
    Moment { instant: real.instant + Duration::from_secs(instant), date }
}

fn set(instant: u64, date: i64) {
    AHEAD.set((instant, date));
}

/// Gives `token-1`, `token-2` and so on, each good for so many seconds of the test's date.
struct Counting {
    asked: Arc<AtomicU64>,
    life: Option<u64>,
    /// Fails from this one on.
    fails_at: u64,
    /// The same token each time.
    same: bool,
    gate: Arc<Semaphore>,
}

impl Counting {
    fn new(life: Option<u64>) -> Counting {
        let gate = Arc::new(Semaphore::new(Semaphore::MAX_PERMITS));
        Counting { asked: Arc::default(), life, fails_at: u64::MAX, same: false, gate }
    }

    fn source(self) -> (Cached, Arc<AtomicU64>) {
        let asked = self.asked.clone();
        (Cached::with_clock(Box::new(self), Arc::new(Silent), now), asked)
    }
}

impl Fetch for Counting {
    fn fetch(&self) -> BoxFuture<'_, Result<Fetched, Error>> {
        Box::pin(async {
            let number = self.asked.fetch_add(1, Relaxed) + 1;
            self.gate.acquire().await.expect("open").forget();
            if number >= self.fails_at {
                return Err(Error::new(Code::NotConfigured, "no more"));
            }
            let text = if self.same { "token".to_owned() } else { format!("token-{number}") };
            let expires = self.life.map(|life| now().date + Duration::from_secs(life));
            Ok(Fetched { header: HeaderValue::from_str(&text).ok(), identity: None, expires })
        })
    }

    fn report(&self) -> CredentialReport {
        CredentialReport::new(CredentialKind::ExecPlugin, "test")
    }
}

fn token(presented: &Presented) -> &str {
    presented.header.as_ref().and_then(|header| header.to_str().ok()).expect("header")
}

/// What a request is sent with.
async fn present(source: &Cached) -> Result<String, Error> {
    match source.current(now()) {
        Some(presented) => Ok(token(&presented).to_owned()),
        None => source.refresh(None).await.map(|presented| token(&presented).to_owned()),
    }
}

#[tokio::test]
async fn what_ends_is_replaced_before_it_does() {
    set(0, 0);
    let (source, asked) = Counting::new(Some(1000)).source();
    // The monotonic clock and the date are so many seconds ahead; so often was it asked by then.
    for (instant, date, times) in [
        (0, 0, 1),
        (800, 800, 1),
        // 60 seconds before its end, or up to 30 seconds earlier.
        (941, 941, 2),
        (1000, 1000, 2),
        // The date alone was set, forward and back: either clock can end it, and neither makes it last.
        (1000, 1900, 3),
        (1000, 0, 3),
        (1950, -500, 4),
        (3000, -500, 5),
        // While the machine slept.
        (3000, 5000, 6),
    ] {
        set(instant, date);
        assert_eq!(present(&source).await.expect("token"), format!("token-{times}"), "{instant} {date}");
        assert_eq!(asked.load(Relaxed), times, "{instant} {date}");
    }
}

#[tokio::test]
async fn what_has_ended_already_is_used_once() {
    set(0, 0);
    let (source, asked) = Counting::new(Some(0)).source();
    for times in 1..4 {
        assert_eq!(present(&source).await.expect("token"), format!("token-{times}"));
        assert_eq!(asked.load(Relaxed), times);
    }
    let (forever, asked) = Counting::new(None).source();
    for instant in [0, 1 << 32] {
        set(instant, 1 << 32);
        assert_eq!(present(&forever).await.expect("token"), "token-1");
    }
    assert_eq!(asked.load(Relaxed), 1);
}

#[tokio::test]
async fn a_storm_asks_once() {
    set(0, 0);
    let counting = Counting::new(None);
    let gate = counting.gate.clone();
    let (source, asked) = counting.source();
    let source = Arc::new(source);
    let first = source.refresh(None).await.expect("token");
    gate.forget_permits(Semaphore::MAX_PERMITS);
    let waiting: Vec<_> = (0..1000)
        .map(|_| {
            let (source, refused) = (source.clone(), first.generation);
            tokio::spawn(async move { source.refresh(Some(refused)).await })
        })
        .collect();
    tokio::task::yield_now().await;
    // One that leaves takes nobody along.
    waiting[0].abort();
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    gate.add_permits(1000);
    for waiter in waiting.into_iter().skip(1) {
        assert_eq!(token(&waiter.await.expect("task").expect("token")), "token-2");
    }
    // Refused long ago, told late.
    assert_eq!(token(&source.refresh(Some(first.generation)).await.expect("token")), "token-2");
    assert_eq!(asked.load(Relaxed), 2);
}

#[tokio::test]
async fn nobody_who_waits_leaves_nothing_behind() {
    set(0, 0);
    let counting = Counting::new(None);
    let gate = counting.gate.clone();
    gate.forget_permits(Semaphore::MAX_PERMITS);
    let (source, asked) = counting.source();
    let left = tokio::time::timeout(Duration::from_millis(10), source.refresh(None)).await;
    assert!(left.is_err());
    gate.add_permits(1000);
    assert_eq!(token(&source.refresh(None).await.expect("token")), "token-2");
    assert_eq!(asked.load(Relaxed), 2);
}

#[tokio::test]
async fn the_same_again_is_no_other_one() {
    set(0, 0);
    let (source, _) = Counting { same: true, ..Counting::new(None) }.source();
    let first = source.refresh(None).await.expect("token");
    let second = source.refresh(Some(first.generation)).await.expect("token");
    assert_eq!(first.generation, second.generation);
}

#[tokio::test]
async fn what_is_still_good_outlives_a_failure() {
    set(0, 0);
    let (source, asked) = Counting { fails_at: 2, ..Counting::new(Some(1000)) }.source();
    for (ahead, given, times) in [
        (0, Ok("token-1"), 1),
        (950, Ok("token-1"), 2),
        (955, Ok("token-1"), 2),
        (961, Ok("token-1"), 3),
        (1001, Err("no more"), 4),
        (1002, Err("no more"), 5),
    ] {
        set(ahead, ahead as i64);
        let result = present(&source).await;
        assert_eq!(result.as_deref().map_err(Error::report), given.map_err(str::to_owned), "{ahead}");
        assert_eq!(asked.load(Relaxed), times, "{ahead}");
    }
    assert_eq!(source.reports()[0].missing, ["no more"]);
}
