//! What a client found, so that clients that found different things are not compared.

use std::error::Error;
use std::fmt;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use crate::Identity;

/// What was found and how long that took, told as one line: `found COUNT WEIGHT SECONDS`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tally {
    /// Objects or events.
    pub count: u64,
    /// Bytes of all names, namespaces, uids and resource versions, and of the types of events.
    pub weight: u64,
    /// From the first request to the last answer: the client's own start is not in it.
    pub elapsed: Duration,
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
        write!(f, "found {} {} {:.9}", self.count, self.weight, self.elapsed.as_secs_f64())
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
        let ["found", count, weight, seconds] = words[..] else { return Err(NoTally) };
        Ok(Tally {
            count: count.parse().map_err(|_| NoTally)?,
            weight: weight.parse().map_err(|_| NoTally)?,
            elapsed: Duration::try_from_secs_f64(seconds.parse().map_err(|_| NoTally)?)
                .map_err(|_| NoTally)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_comes_back() {
        let tally = Tally { count: 3, weight: 99, elapsed: Duration::from_micros(1234) };
        assert_eq!(tally.to_string().parse(), Ok(tally));
        for line in ["", "found 1 2", "found 1 2 -3", "found x 2 3", "lost 1 2 3"] {
            assert_eq!(line.parse::<Tally>(), Err(NoTally), "{line}");
        }
    }
}
