//! When a server is asked for a sign of life, and when it is given up. Knows no clock.

use std::time::Duration;

use tokio::time::Instant;

/// How long a server may be silent before it is asked. Balancers that cut what is idle wait for 30 s and more.
const SILENCE: Duration = Duration::from_secs(20);

/// How long it may take to answer.
const ANSWER: Duration = Duration::from_secs(25);

/// How long after something was sent the server is asked whether it has read that.
const PROOF: Duration = Duration::from_secs(2);

/// How long a server may be busy with what it was sent, and say nothing at all. A kubelet's own patience with a stream
/// (`streamingConnectionIdleTimeout`).
const BUSY: Duration = Duration::from_secs(4 * 60 * 60);

/// What was heard from a server, and what it was sent.
#[derive(Debug)]
pub(super) struct Beat {
    heard: Instant,
    /// When it was first asked for a sign of life since then.
    asked: Option<Instant>,
    /// When to ask again, once it was asked.
    again: Instant,
    /// Messages sent.
    sent: u64,
    /// How many of them came before the last ping.
    pinged: u64,
    /// How many of them the server has read: it has answered a ping that came after them.
    proven: u64,
    /// When to ask for proof of those that no ping came after.
    proof: Instant,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Nothing until [`Beat::due`].
    Wait,
    /// Ask for a sign of life, with these bytes; then [`Beat::pinged`].
    Ping([u8; 8]),
    /// Nobody is at the other end.
    GiveUp(Silence),
}

/// For how long a server was silent that was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Silence {
    /// It had read all that it was sent, and did not answer.
    Idle,
    /// It may have been busy with what it was sent, but not for so long.
    Busy,
}

impl Beat {
    pub(super) fn new(now: Instant) -> Beat {
        Beat { heard: now, asked: None, again: now, sent: 0, pinged: 0, proven: 0, proof: now }
    }

    /// Something came.
    pub(super) fn heard(&mut self, now: Instant) {
        (self.heard, self.asked) = (now, None);
    }

    /// A message was sent.
    pub(super) fn sent(&mut self, now: Instant) {
        if self.sent == self.pinged {
            self.proof = now + PROOF;
        }
        self.sent += 1;
    }

    /// The ping of the last [`judge`](Beat::judge) is on its way, after all that was sent.
    pub(super) fn pinged(&mut self) {
        self.pinged = self.sent;
    }

    /// A ping of these bytes was answered.
    pub(super) fn answered(&mut self, ping: &[u8]) {
        if let Ok(count) = ping.try_into().map(u64::from_be_bytes)
            && count <= self.sent
        {
            self.proven = self.proven.max(count);
        }
    }

    /// When to [`judge`](Beat::judge) next.
    pub(super) fn due(&self) -> Instant {
        let alive = match self.asked {
            Some(_) => self.again,
            None => self.heard + SILENCE,
        };
        if self.sent > self.pinged { alive.min(self.proof) } else { alive }
    }

    /// `reads` is whether an answer would have been seen.
    ///
    /// Silence proves nothing while the server may be busy with what it was sent: a kubelet reads no further, pings included, until the
    /// process has read its standard input. So it is asked soon after each message: once it has answered, silence counts. What counts is
    /// the first ask: it is asked again after every message, and, where it takes nothing more, every two seconds in vain.
    pub(super) fn judge(&mut self, now: Instant, reads: bool) -> Act {
        if now < self.due() {
            return Act::Wait;
        }
        if reads && self.asked.is_some_and(|asked| now >= asked + ANSWER) {
            if self.proven == self.sent {
                return Act::GiveUp(Silence::Idle);
            }
            if now >= self.heard + BUSY {
                return Act::GiveUp(Silence::Busy);
            }
        }
        self.asked.get_or_insert(now);
        (self.again, self.proof) = (now + ANSWER, now + PROOF);
        Act::Ping(self.sent.to_be_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What happens at a second.
    enum At {
        Heard,
        Sent,
        /// The last ping is answered.
        Answered,
        /// Judged, and the answer that is expected: `w`ait, `p`ing, `g`ive up, or give up who is `b`usy for too long.
        Judged(char),
        /// The same while nothing is read.
        Unread(char),
        /// A ping is due that does not go, since other bytes wait to be sent.
        Held,
        /// From the last event until now the same each time that one is due.
        Clogged,
        /// From the last event until now something is sent every 24 s, and each ping that is due goes.
        Chats,
    }

    #[test]
    fn who_is_silent_is_asked_and_who_is_busy_is_left_alone() {
        use At::{Answered, Chats, Clogged, Heard, Held, Judged, Sent, Unread};
        for (name, story) in [
            ("silent", &[(19, Judged('w')), (20, Judged('p')), (44, Judged('w')), (45, Judged('g'))][..]),
            ("talks", &[(19, Heard), (20, Judged('w')), (38, Judged('w')), (39, Judged('p'))]),
            (
                "answers",
                &[
                    (20, Judged('p')),
                    (21, Heard),
                    (21, Answered),
                    (40, Judged('w')),
                    (41, Judged('p')),
                    (66, Judged('g')),
                ],
            ),
            (
                "has something to read",
                &[
                    (1, Sent),
                    (2, Judged('w')),
                    (3, Judged('p')),
                    (27, Judged('w')),
                    (28, Judged('p')),
                    (53, Judged('p')),
                    (71, Heard),
                    (71, Answered),
                    (91, Judged('p')),
                    (116, Judged('g')),
                ],
            ),
            (
                "has read it, and stalls",
                &[
                    (1, Sent),
                    (3, Judged('p')),
                    (3, Heard),
                    (3, Answered),
                    (22, Judged('w')),
                    (23, Judged('p')),
                    (48, Judged('g')),
                ],
            ),
            (
                "answers what came before",
                &[
                    (20, Judged('p')),
                    (21, Sent),
                    (22, Heard),
                    (22, Answered),
                    (23, Judged('p')),
                    (48, Judged('p')),
                    (73, Judged('p')),
                ],
            ),
            (
                "is sent something all the time",
                &[
                    (1, Sent),
                    (2, Sent),
                    (3, Judged('p')),
                    (4, Sent),
                    (5, Sent),
                    (5, Judged('w')),
                    (6, Judged('p')),
                ],
            ),
            (
                "is sent so much that pings have to wait",
                &[(1, Sent), (3, Held), (4, Judged('w')), (5, Held), (7, Judged('p')), (8, Judged('w'))],
            ),
            (
                "is busy for hours",
                &[(1, Sent), (3, Judged('p')), (14_399, Judged('p')), (14_424, Judged('b'))],
            ),
            (
                "takes nothing more",
                &[(1, Sent), (3, Held), (14_399, Clogged), (14_400, Judged('w')), (14_401, Judged('b'))],
            ),
            (
                "hangs while it is sent something now and then",
                &[(1, Chats), (14_399, Chats), (14_401, Sent), (14_402, Judged('w')), (14_403, Judged('b'))],
            ),
            (
                "is not read",
                &[
                    (20, Unread('p')),
                    (45, Unread('p')),
                    (70, Unread('p')),
                    (80, Judged('w')),
                    (95, Judged('g')),
                ],
            ),
        ] {
            let begin = Instant::now();
            let (mut beat, mut ping) = (Beat::new(begin), [0; 8]);
            let mut last = 0;
            for (second, at) in story {
                let since = std::mem::replace(&mut last, *second);
                let now = begin + Duration::from_secs(*second);
                let (expected, reads) = match at {
                    Heard => {
                        beat.heard(now);
                        continue;
                    }
                    Sent => {
                        beat.sent(now);
                        continue;
                    }
                    Answered => {
                        beat.answered(&ping);
                        continue;
                    }
                    Held => {
                        assert!(matches!(beat.judge(now, true), Act::Ping(_)), "{name}, second {second}");
                        continue;
                    }
                    Clogged | Chats => {
                        for past in since + 1..=*second {
                            let now = begin + Duration::from_secs(past);
                            if matches!(at, Chats) && past % 24 == 1 {
                                beat.sent(now);
                            }
                            match (now >= beat.due(), beat.judge(now, true)) {
                                (false, Act::Wait) => {}
                                (true, Act::Ping(_)) if matches!(at, Clogged) => {}
                                (true, Act::Ping(_)) => beat.pinged(),
                                (_, act) => panic!("{name}, second {past}: {act:?}"),
                            }
                        }
                        continue;
                    }
                    Judged(expected) => (*expected, true),
                    Unread(expected) => (*expected, false),
                };
                let act = match beat.judge(now, reads) {
                    Act::Wait => 'w',
                    Act::Ping(bytes) => {
                        beat.pinged();
                        ping = bytes;
                        'p'
                    }
                    Act::GiveUp(Silence::Idle) => 'g',
                    Act::GiveUp(Silence::Busy) => 'b',
                };
                assert_eq!(act, expected, "{name}, second {second}");
            }
        }
    }

    #[test]
    fn an_answer_to_what_was_not_asked_proves_nothing() {
        let now = Instant::now();
        let mut beat = Beat::new(now);
        beat.sent(now);
        for answer in [&b""[..], b"1", &[0xff; 8], &[0; 8], &[0; 9]] {
            beat.answered(answer);
            assert_eq!(beat.proven, 0, "{answer:x?}");
        }
        beat.answered(&1u64.to_be_bytes());
        assert_eq!(beat.proven, 1);
    }
}
