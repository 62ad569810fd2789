//! How long to wait after failures in a row.

use std::time::Duration;

/// The shortest wait, and the half of the first one's longest. client-go's reflector begins there too.
const FIRST: Duration = Duration::from_millis(800);

/// The longest wait.
const LONGEST: Duration = Duration::from_secs(30);

/// How long all must have gone well for the failures before to be forgotten.
const FORGOTTEN: Duration = Duration::from_secs(120);

/// Counts failures. Knows no clock: `now` is the time since any fixed moment.
#[derive(Debug, Default, Clone)]
pub(crate) struct Backoff {
    failures: u32,
    /// Since when all has gone well.
    good_since: Option<Duration>,
}

impl Backoff {
    /// A watch was opened.
    pub(crate) fn succeeded(&mut self, now: Duration) {
        self.good_since.get_or_insert(now);
    }

    /// Something failed. Whether it is the first failure in a while.
    pub(crate) fn failed(&mut self, now: Duration) -> Row {
        let good = self.good_since.take().map(|since| now.saturating_sub(since));
        if good.is_some_and(|good| good >= FORGOTTEN) {
            self.failures = 0;
        }
        self.failures = self.failures.saturating_add(1);
        if self.failures == 1 { Row::First } else { Row::Another }
    }

    /// How long to wait after that: somewhere in the upper half of a range that doubles, so that not all come back at once.
    pub(crate) fn wait(&self, random: u64) -> Duration {
        let doublings = self.failures.saturating_sub(1).min(16);
        let longest = (FIRST * 2).saturating_mul(1 << doublings).min(LONGEST);
        let shortest = longest / 2;
        // 16 bits are chance enough.
        shortest + shortest * (random & 0xffff) as u32 / 0xffff
    }
}

/// Where a failure stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Row {
    /// None came shortly before.
    First,
    /// Not the first.
    Another,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn waits_double_within_bounds() {
        let mut backoff = Backoff::default();
        let mut rows = Vec::new();
        for _ in 0..8 {
            let row = backoff.failed(Duration::ZERO);
            let milliseconds = |random| backoff.wait(random).as_millis();
            rows.push((row == Row::First, milliseconds(0), milliseconds(0x7fff), milliseconds(u64::MAX)));
        }
        let later = |shortest, middle, longest| (false, shortest, middle, longest);
        assert_eq!(
            rows,
            [
                (true, 800, 1199, 1600),
                later(1600, 2399, 3200),
                later(3200, 4799, 6400),
                later(6400, 9599, 12800),
                later(12800, 19199, 25600),
                later(15000, 22499, 30000),
                later(15000, 22499, 30000),
                later(15000, 22499, 30000),
            ]
        );
    }

    #[test]
    fn two_good_minutes_make_up_for_all_failures() {
        for (good, forgotten) in [(0.0, false), (119.9, false), (120.0, true), (9e9, true)] {
            let mut backoff = Backoff::default();
            backoff.failed(seconds(1.0));
            backoff.failed(seconds(2.0));
            backoff.succeeded(seconds(10.0));
            // Watches that end as they should are one good time.
            backoff.succeeded(seconds(10.0 + good / 2.0));
            let row = backoff.failed(seconds(10.0 + good));
            assert_eq!(row == Row::First, forgotten, "{good}");
        }
        let mut endless = Backoff { failures: u32::MAX - 1, good_since: None };
        endless.failed(Duration::ZERO);
        endless.failed(Duration::ZERO);
        assert_eq!(endless.wait(0), seconds(15.0));
    }
}
