//! When a connection is asked whether it still lives, and when it is given up.

use std::time::Duration;

use tokio::time::Instant;

/// How long a server may be silent before it is asked for a sign of life. client-go's `ReadIdleTimeout`.
const SILENCE: Duration = Duration::from_secs(30);

/// How long it may take to answer. client-go's `PingTimeout`.
const ANSWER: Duration = Duration::from_secs(15);

/// How long a connection is kept that nobody uses. Go's `IdleConnTimeout`.
pub(in crate::http) const IDLE: Duration = Duration::from_secs(90);

/// What was heard from a server, and when. Knows no clock.
#[derive(Debug)]
pub(super) struct Health {
    read: u64,
    heard: Instant,
    asked: Option<Instant>,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Nothing until [`Health::due`].
    Wait,
    /// Ask for a sign of life.
    Ping,
    /// Nobody uses the connection.
    Close,
    /// Nobody is at the other end.
    GiveUp,
}

impl Health {
    pub(super) fn new(now: Instant) -> Health {
        Health { read: 0, heard: now, asked: None }
    }

    /// `read` is how many bytes came so far. The clock is asked only where there are new ones.
    pub(super) fn heard(&mut self, read: u64, now: impl FnOnce() -> Instant) {
        if read != self.read {
            *self = Health { read, heard: now(), asked: None };
        }
    }

    /// When to [`judge`](Health::judge) next; `idle` is since when nobody uses the connection.
    pub(super) fn due(&self, idle: Option<Instant>) -> Instant {
        let alive = match self.asked {
            Some(asked) => asked + ANSWER,
            None => self.heard + SILENCE,
        };
        idle.map_or(alive, |since| alive.min(since + IDLE))
    }

    pub(super) fn judge(&mut self, now: Instant, idle: Option<Instant>) -> Act {
        if idle.is_some_and(|since| now >= since + IDLE) {
            return Act::Close;
        }
        match self.asked {
            Some(asked) if now >= asked + ANSWER => Act::GiveUp,
            None if now >= self.heard + SILENCE => {
                self.asked = Some(now);
                Act::Ping
            }
            _ => Act::Wait,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_server_is_asked_and_given_up() {
        let begin = Instant::now();
        let at = |second| begin + Duration::from_secs(second);
        let mut health = Health::new(begin);
        for (second, read, idle, act, due) in [
            (1, 10, None, Act::Wait, 31),
            (30, 10, None, Act::Wait, 31),
            (31, 10, None, Act::Ping, 46),
            (40, 10, None, Act::Wait, 46),
            // It answers.
            (41, 27, None, Act::Wait, 71),
            (71, 27, None, Act::Ping, 86),
            (86, 27, None, Act::GiveUp, 86),
            // Late, but before anybody gave up.
            (90, 44, Some(60), Act::Wait, 120),
            (120, 44, Some(60), Act::Ping, 135),
            (130, 61, Some(60), Act::Wait, 150),
            (149, 61, Some(60), Act::Wait, 150),
            (150, 61, Some(60), Act::Close, 150),
        ] {
            let idle = idle.map(at);
            health.heard(read, || at(second));
            assert_eq!(health.judge(at(second), idle), act, "second {second}");
            assert_eq!(health.due(idle), at(due), "second {second}");
        }
    }
}
