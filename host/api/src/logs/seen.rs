//! Which lines of a log were handed over, as far as it may bring them again.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, SystemTime};

use tidegate_kube::date;

/// How far behind the newest line one may come that is older: container runtimes write two streams side by side.
const LATE: Duration = Duration::from_secs(2);

/// How many lines are remembered at most: some 3 MiB.
const REMEMBERED: usize = 1 << 16;

/// A line, by its time and a digest of its text.
type Mark = (SystemTime, u64);

/// The lines that were handed over last.
///
/// A log is read again from a whole second on. What was handed over since then comes first, in the same order; then what is new. Of lines
/// that are further back than what is remembered, all were handed over.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// How often each line was handed over, of those past `until`.
    lines: BTreeMap<Mark, u32>,
    /// Everything up to here was handed over.
    until: Option<SystemTime>,
    newest: Option<SystemTime>,
    /// What may come again in the reading at hand; none of the first one.
    again: Option<BTreeMap<Mark, u32>>,
}

impl Seen {
    /// Where a log must be read from again: a whole second. None if no line was handed over.
    pub(super) fn since(&self) -> Option<String> {
        let newest = self.newest?;
        let floor = self.until.unwrap_or_else(|| newest.checked_sub(LATE).unwrap_or(newest));
        Some(date::format(floor))
    }

    /// The log is read again, from [`since`](Self::since) on.
    pub(super) fn again(&mut self) {
        self.again = self.newest.is_some().then(|| self.lines.clone());
    }

    /// Whether a line is to be handed over; it is then taken to be.
    pub(super) fn is_new(&mut self, time: SystemTime, text: &[u8]) -> bool {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let mark = (time, hasher.finish());
        if let Some(again) = &mut self.again {
            if self.until.is_some_and(|until| time <= until) {
                return false;
            }
            if let Some(count) = again.get_mut(&mark) {
                *count -= 1;
                if *count == 0 {
                    again.remove(&mark);
                }
                return false;
            }
            // Everything has come again: what comes late from here on is new.
            if again.is_empty() {
                self.again = None;
            }
        }
        self.remember(mark);
        true
    }

    fn remember(&mut self, mark: Mark) {
        *self.lines.entry(mark).or_default() += 1;
        if self.newest.is_none_or(|newest| mark.0 > newest) {
            self.newest = Some(mark.0);
            if let Some(floor) = mark.0.checked_sub(LATE) {
                self.forget_until(floor);
            }
        }
        if self.lines.len() > REMEMBERED
            && let Some(&(floor, _)) = self.lines.keys().nth(REMEMBERED / 2)
        {
            self.forget_until(floor);
        }
    }

    fn forget_until(&mut self, floor: SystemTime) {
        while let Some(entry) = self.lines.first_entry()
            && entry.key().0 <= floor
        {
            let (time, _) = entry.remove_entry().0;
            self.until = self.until.max(Some(time));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn at(milliseconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(milliseconds)
    }

    /// What comes of a log that is read to `cuts` in turn and again from where it must be, and at last to its end.
    fn read(log: &[(u64, &str)], cuts: &[usize]) -> Vec<String> {
        let (mut seen, mut out) = (Seen::default(), Vec::new());
        for &cut in cuts.iter().chain([&log.len()]) {
            let since = seen.since().map(|since| date::parse(&since).unwrap());
            seen.again();
            for (time, text) in &log[..cut.min(log.len())] {
                let time = at(*time);
                if since.is_none_or(|since| time >= since) && seen.is_new(time, text.as_bytes()) {
                    out.push((*text).to_owned());
                }
            }
        }
        out
    }

    #[test]
    fn every_line_once_wherever_it_is_cut() {
        for (what, log) in [
            ("in order", &[(1000, "a"), (1500, "b"), (2000, "c"), (9000, "d")][..]),
            ("equal lines at one time", &[(1000, "a"), (1000, "a"), (1000, "a"), (1001, "a")]),
            ("late ones", &[(1000, "a"), (2900, "b"), (1200, "c"), (2900, "b"), (2800, "d"), (4000, "e")]),
            ("a pause", &[(1000, "a"), (3_600_000, "b"), (3_600_000, "c")]),
        ] {
            let whole: Vec<String> = log.iter().map(|(_, text)| (*text).to_owned()).collect();
            for first in 0..=log.len() {
                for second in first..=log.len() {
                    assert_eq!(read(log, &[first, second]), whole, "{what}: {first}, {second}");
                }
            }
        }
    }

    #[test]
    fn what_was_rotated_away_costs_no_new_line() {
        let (mut seen, mut out) = (Seen::default(), Vec::new());
        for text in ["a", "b", "c"] {
            assert!(seen.is_new(at(5000), text.as_bytes()));
        }
        seen.again();
        for (time, text) in [(5000, "c"), (5000, "d"), (5001, "e")] {
            if seen.is_new(at(time), text.as_bytes()) {
                out.push(text);
            }
        }
        assert_eq!(out, ["d", "e"]);
    }

    #[test]
    fn a_flood_is_remembered_up_to_the_cap() {
        let mut seen = Seen::default();
        for number in 0..3 * REMEMBERED as u64 {
            let time = UNIX_EPOCH + Duration::from_nanos(number * 1000);
            assert!(seen.is_new(time, &number.to_le_bytes()));
            assert!(seen.lines.len() <= REMEMBERED);
        }
        seen.again();
        for number in 0..3 * REMEMBERED as u64 {
            let time = UNIX_EPOCH + Duration::from_nanos(number * 1000);
            assert!(!seen.is_new(time, &number.to_le_bytes()), "{number}");
        }
    }
}
