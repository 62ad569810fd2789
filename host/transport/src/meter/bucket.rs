use std::time::Duration;

use tidegate_grants::Rate;
use tokio::time::Instant;

/// A token bucket that holds what one period brings, kept as the time at which it would be full again (GCRA).
pub(super) struct Bucket {
    each: Duration,
    burst: Duration,
    full: Instant,
}

impl Bucket {
    /// A full one.
    pub(super) fn new(rate: Rate, now: Instant) -> Bucket {
        let each = (rate.per() / rate.count()).max(Duration::from_nanos(1));
        Bucket { each, burst: each.saturating_mul(rate.count()), full: now }
    }

    /// Takes one, and says how long to wait for it; none, and takes nothing, where that is longer than `within`.
    pub(super) fn take(&mut self, now: Instant, within: Duration) -> Option<Duration> {
        let full = self.full.max(now).checked_add(self.each)?;
        let wait = full.saturating_duration_since(now).saturating_sub(self.burst);
        if wait > within {
            return None;
        }
        self.full = full;
        Some(wait)
    }

    /// One that was taken was not used.
    pub(super) fn give_back(&mut self) {
        self.full = self.full.checked_sub(self.each).unwrap_or(self.full);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_at_once_and_then_one_by_one() {
        let begin = Instant::now();
        let at = |milliseconds: u64| begin + Duration::from_millis(milliseconds);
        let mut bucket = Bucket::new(Rate::new(3, Duration::from_millis(300)), begin);
        let hour = Duration::from_secs(3600);
        for (now, wait) in [
            (0, 0),
            (0, 0),
            (0, 0),
            (0, 100),
            (50, 150),
            (250, 50),
            (1000, 0),
            (1000, 0),
            (1000, 0),
            (1000, 100),
        ] {
            let taken = bucket.take(at(now), hour).map(|wait| wait.as_millis());
            assert_eq!(taken, Some(wait), "at {now}");
        }
        assert_eq!(bucket.take(at(1000), Duration::from_millis(199)), None);
        bucket.give_back();
        assert_eq!(bucket.take(at(1000), Duration::from_millis(100)), Some(Duration::from_millis(100)));
    }

    #[test]
    fn the_most_and_the_least_are_legal() {
        let begin = Instant::now();
        for rate in [
            Rate::new(u32::MAX, Duration::from_nanos(1)),
            Rate::new(1, Duration::MAX),
            Rate::new(0, Duration::ZERO),
        ] {
            let mut bucket = Bucket::new(rate, begin);
            bucket.take(begin, Duration::ZERO);
            bucket.take(begin, Duration::MAX);
            bucket.give_back();
        }
    }
}
