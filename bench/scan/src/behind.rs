//! A watch of one object while others are written: what all clients agree on.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::{Delays, Tally};

/// Where all objects of this work are.
pub const OBJECTS: &str = "/api/v1/namespaces/default/configmaps";

/// The object that is watched. Somebody else writes it again and again, each time with when the server said that it had taken the one before.
pub const PROBE: &str = "bench-probe";

/// The query of the watch.
pub const PROBE_SELECTOR: &str = "metadata.name=bench-probe";

/// The watched object after one that was taken at this time.
pub fn probe(taken: Duration) -> String {
    config_map(PROBE, &format!(r#"{{"taken":"{}"}}"#, taken.as_nanos()))
}

/// Since 1970.
pub fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// The name of an object that one of the writers writes.
pub fn name(writer: usize) -> String {
    format!("bench-writer-{writer}")
}

/// What it holds at its writer's so-manyeth turn: a kilobyte, as small objects have.
pub fn written(writer: usize, turn: usize) -> String {
    config_map(&name(writer), &format!(r#"{{"turn":"{turn}","filling":"{}"}}"#, "x".repeat(900)))
}

fn config_map(name: &str, data: &str) -> String {
    format!(r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"{name}"}},"data":{data}}}"#)
}

/// How long after the server's answer to its writer each event came; not at all where it came before.
#[derive(Debug, Default)]
pub struct Seen {
    delays: Vec<Duration>,
    /// When the last one came.
    came: Option<Duration>,
}

impl Seen {
    /// Counts an event of the watched object that came just now; the object may be one of its fields alone.
    pub fn add(&mut self, object: &[u8]) {
        if let Some(taken) = taken(object) {
            self.add_taken(taken);
        }
    }

    /// The same, of what it holds as `taken`.
    pub fn add_taken(&mut self, taken: &str) {
        let Ok(taken) = taken.parse().map(Duration::from_nanos) else { return };
        self.delays.extend(self.came.map(|came| came.saturating_sub(taken)));
        self.came = Some(now());
    }

    /// Whether there were so many.
    pub fn is_enough(&self, wanted: usize) -> bool {
        self.delays.len() >= wanted
    }

    /// What there was to be found.
    pub fn tally(mut self, wanted: usize) -> Tally {
        self.delays.truncate(wanted);
        Tally { count: self.delays.len() as u64, delays: Delays::of(self.delays), ..Tally::default() }
    }
}

/// When the one before was taken, in nanoseconds since 1970.
fn taken(object: &[u8]) -> Option<&str> {
    const KEY: &[u8] = b"\"taken\":\"";
    let at = object.windows(KEY.len()).position(|window| window == KEY)? + KEY.len();
    let length = object[at..].iter().position(|&byte| byte == b'"')?;
    std::str::from_utf8(&object[at..at + length]).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_says_when_the_one_before_was_taken() {
        let (mut seen, early) = (Seen::default(), now());
        for taken in [early, early, now() + Duration::from_secs(60)] {
            seen.add(probe(taken).as_bytes());
        }
        for other in [written(1, 2).as_str(), r#"{"data":{}}"#, r#"{"data":{"taken":"x"}}"#] {
            seen.add(other.as_bytes());
        }
        assert!(seen.is_enough(2) && !seen.is_enough(3));
        assert_eq!(seen.delays[1], Duration::ZERO, "it came before it was taken");
        assert!(seen.tally(1).delays.is_some_and(|delays| delays.worst < Duration::from_secs(5)));
    }
}
