//! What a client found, so that clients that found different things are not compared.

use std::error::Error;
use std::fmt;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use crate::Identity;

/// What was found and how long that took, told as one line: `found COUNT WEIGHT SECONDS`, with `P50 P99 WORST` behind it, in seconds, where
/// something was waited for again and again.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tally {
    /// Objects or events.
    pub count: u64,
    /// Bytes of all names, namespaces, uids and resource versions, and of the types of events.
    pub weight: u64,
    /// From the first request to the last answer: the client's own start is not in it.
    pub elapsed: Duration,
    /// How long was waited each time.
    pub delays: Option<Delays>,
}

/// How long something took that happened often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delays {
    /// Half of them were at most so long.
    pub median: Duration,
    /// Of 100, 99 were at most so long.
    pub p99: Duration,
    /// The longest.
    pub worst: Duration,
}

impl Delays {
    /// None of none.
    pub fn of(mut all: Vec<Duration>) -> Option<Delays> {
        all.sort_unstable();
        let at = |share: f64| {
            all.get(((all.len() as f64 * share) as usize).min(all.len().checked_sub(1)?)).copied()
        };
        Some(Delays { median: at(0.5)?, p99: at(0.99)?, worst: at(1.0)? })
    }
}

impl Tally {
    /// Counts one object.
    pub fn add(&mut self, found: &Identity<'_>) {
        let lengths = [found.name, found.namespace, found.uid, found.resource_version].map(<[u8]>::len);
        self.add_weight(lengths.iter().sum());
    }

    /// Counts one object whose members weigh this much.
    pub fn add_weight(&mut self, weight: usize) {
        self.count += 1;
        self.weight += weight as u64;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "found {} {} {:.9}", self.count, self.weight, self.elapsed.as_secs_f64())?;
        let Some(Delays { median, p99, worst }) = self.delays else { return Ok(()) };
        [median, p99, worst].iter().try_for_each(|delay| write!(f, " {:.9}", delay.as_secs_f64()))
    }
}

/// How a client's program ends: with the line that its driver reads, or with an error and a bad exit code.
pub fn ended(outcome: Result<Tally, Box<dyn Error>>) -> ExitCode {
    match outcome {
        Ok(tally) => {
            println!("{tally}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The line is none that [`Tally`] writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoTally;

impl FromStr for Tally {
    type Err = NoTally;

    fn from_str(line: &str) -> Result<Tally, NoTally> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let ["found", count, weight, elapsed, ref delays @ ..] = words[..] else { return Err(NoTally) };
        Ok(Tally {
            count: count.parse().map_err(|_| NoTally)?,
            weight: weight.parse().map_err(|_| NoTally)?,
            elapsed: seconds(elapsed)?,
            delays: match *delays {
                [] => None,
                [median, p99, worst] => {
                    Some(Delays { median: seconds(median)?, p99: seconds(p99)?, worst: seconds(worst)? })
                }
                _ => return Err(NoTally),
            },
        })
    }
}

fn seconds(word: &str) -> Result<Duration, NoTally> {
    word.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).ok_or(NoTally)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_comes_back() {
        let tally = Tally { count: 3, weight: 99, elapsed: Duration::from_micros(1234), delays: None };
        let delays = Delays::of((1..=200).map(Duration::from_millis).collect());
        for tally in [tally, Tally { delays, ..tally }] {
            assert_eq!(tally.to_string().parse(), Ok(tally));
        }
        for line in ["", "found 1 2", "found 1 2 -3", "found 1 2 3 4", "found x 2 3", "lost 1 2 3"] {
            assert_eq!(line.parse::<Tally>(), Err(NoTally), "{line}");
        }
    }

    #[test]
    fn delays() {
        let of = |all: Vec<u64>| Delays::of(all.into_iter().map(Duration::from_millis).collect());
        assert_eq!(of(Vec::new()), None);
        for (all, median, p99, worst) in
            [(vec![7], 7, 7, 7), (vec![3, 1, 2], 2, 3, 3), ((1..=1000).collect(), 501, 991, 1000)]
        {
            let [median, p99, worst] = [median, p99, worst].map(Duration::from_millis);
            assert_eq!(of(all), Some(Delays { median, p99, worst }));
        }
    }
}
