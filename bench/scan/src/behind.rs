//! A watch of one object while others are written: what all clients agree on.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::{Delays, Tally};

/// Where all objects of this work are.
pub const OBJECTS: &str = "/api/v1/namespaces/default/configmaps";

/// The object that is watched. Somebody else writes it, and into it when.
pub const PROBE: &str = "bench-probe";

/// The query of the watch.
pub const PROBE_SELECTOR: &str = "metadata.name=bench-probe";

/// What the watched object holds if it is written now.
pub fn probe() -> String {
    let sent = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    config_map(PROBE, &format!(r#"{{"sent":"{}"}}"#, sent.as_nanos()))
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

/// The delays of the events that were seen.
#[derive(Debug, Default)]
pub struct Seen(Vec<Duration>);

impl Seen {
    /// Counts an event of the watched object that came just now; the object may be one of its fields alone.
    pub fn add(&mut self, object: &[u8]) {
        if let Some(sent) = sent(object) {
            self.add_sent(sent);
        }
    }

    /// The same, of what it holds as `sent`.
    pub fn add_sent(&mut self, sent: &str) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.0.extend(sent.parse().ok().map(|sent| now.saturating_sub(Duration::from_nanos(sent))));
    }

    /// Whether there were so many.
    pub fn is_enough(&self, wanted: usize) -> bool {
        self.0.len() >= wanted
    }

    /// What there was to be found.
    pub fn tally(mut self, wanted: usize) -> Tally {
        self.0.truncate(wanted);
        Tally { count: self.0.len() as u64, delays: Delays::of(self.0), ..Tally::default() }
    }
}

/// When the object was written, in nanoseconds since 1970.
fn sent(object: &[u8]) -> Option<&str> {
    const KEY: &[u8] = b"\"sent\":\"";
    let at = object.windows(KEY.len()).position(|window| window == KEY)? + KEY.len();
    let length = object[at..].iter().position(|&byte| byte == b'"')?;
    std::str::from_utf8(&object[at..at + length]).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_is_read() {
        let mut seen = Seen::default();
        seen.add(probe().as_bytes());
        seen.add(br#"{"data":{}}"#);
        seen.add(written(1, 2).as_bytes());
        assert!(seen.is_enough(1) && !seen.is_enough(2));
        let tally = seen.tally(1);
        assert_eq!(tally.count, 1);
        assert!(tally.delays.is_some_and(|delays| delays.worst < Duration::from_secs(5)), "{tally}");
    }
}
