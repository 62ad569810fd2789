//! When a server is asked for a sign of life, and when it is given up. Knows no clock.

use std::time::Duration;

use tokio::time::Instant;

/// How long a server may be silent before it is asked. Balancers that cut what is idle wait for 30 s and more.
const SILENCE: Duration = Duration::from_secs(20);

/// How long it may take to answer.
const ANSWER: Duration = Duration::from_secs(25);

/// What was heard from a server, and what it was sent.
#[derive(Debug)]
pub(super) struct Beat {
    heard: Instant,
    asked: Option<Instant>,
    /// Messages sent.
    sent: u64,
    /// How many of them the server has read: it has answered a ping that came after them.
    proven: u64,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Nothing until [`Beat::due`].
    Wait,
    /// Ask for a sign of life, with these bytes.
    Ping([u8; 8]),
    /// Nobody is at the other end.
    GiveUp,
}

impl Beat {
    pub(super) fn new(now: Instant) -> Beat {
        Beat { heard: now, asked: None, sent: 0, proven: 0 }
    }

    /// Something came.
    pub(super) fn heard(&mut self, now: Instant) {
        (self.heard, self.asked) = (now, None);
    }

    /// A message was sent.
    pub(super) fn sent(&mut self) {
        self.sent += 1;
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
        match self.asked {
            Some(asked) => asked + ANSWER,
            None => self.heard + SILENCE,
        }
    }

    /// `reads` is whether an answer would have been seen.
    ///
    /// Silence proves nothing while the server may be busy with what it was sent: a kubelet reads no further, pings included, until the
    /// process has read its standard input. The kernel's own keep-alive notices then that a machine is gone.
    pub(super) fn judge(&mut self, now: Instant, reads: bool) -> Act {
        if now < self.due() {
            return Act::Wait;
        }
        if self.asked.is_some() && reads && self.proven == self.sent {
            return Act::GiveUp;
        }
        self.asked = Some(now);
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
        /// Judged, and the answer that is expected: `w`ait, `p`ing, `g`ive up.
        Judged(char),
        /// The same while nothing is read.
        Unread(char),
    }

    #[test]
    fn who_is_silent_is_asked_and_who_is_busy_is_left_alone() {
        use At::{Answered, Heard, Judged, Sent, Unread};
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
                    (20, Judged('p')),
                    (45, Judged('p')),
                    (70, Judged('p')),
                    (71, Heard),
                    (71, Answered),
                    (91, Judged('p')),
                    (116, Judged('g')),
                ],
            ),
            (
                "answers what came before",
                &[
                    (20, Judged('p')),
                    (21, Sent),
                    (22, Heard),
                    (22, Answered),
                    (42, Judged('p')),
                    (67, Judged('p')),
                ],
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
            for (second, at) in story {
                let now = begin + Duration::from_secs(*second);
                let (expected, reads) = match at {
                    Heard => {
                        beat.heard(now);
                        continue;
                    }
                    Sent => {
                        beat.sent();
                        continue;
                    }
                    Answered => {
                        beat.answered(&ping);
                        continue;
                    }
                    Judged(expected) => (*expected, true),
                    Unread(expected) => (*expected, false),
                };
                let act = match beat.judge(now, reads) {
                    Act::Wait => 'w',
                    Act::Ping(bytes) => {
                        ping = bytes;
                        'p'
                    }
                    Act::GiveUp => 'g',
                };
                assert_eq!(act, expected, "{name}, second {second}");
            }
        }
    }

    #[test]
    fn an_answer_to_what_was_not_asked_proves_nothing() {
        let mut beat = Beat::new(Instant::now());
        beat.sent();
        for answer in [&b""[..], b"1", &[0xff; 8], &[0; 8], &[0; 9]] {
            beat.answered(answer);
            assert_eq!(beat.proven, 0, "{answer:x?}");
        }
        beat.answered(&1u64.to_be_bytes());
        assert_eq!(beat.proven, 1);
    }
}
