//! What is tried again, and when.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use tidegate_transport::{Code, Error};

pub(super) fn has_code(error: &Error, code: u16) -> bool {
    error.status().is_some_and(|status| status.code == code)
}

/// Whether the same may work later.
pub(super) fn may_pass(error: &Error) -> bool {
    match error.code() {
        Code::Unreachable | Code::Timeout | Code::Protocol | Code::Tls | Code::Unauthorized => true,
        Code::Status => {
            error.status().is_some_and(|status| status.code >= 500 || matches!(status.code, 408 | 429))
        }
        Code::Limit => error.limit().is_some_and(|limit| !limit.is_for_good()),
        _ => false,
    }
}

/// Longer and longer ones: at once, then 0.8 s to 30 s, each shortened by up to half so that many do not come back together.
#[derive(Debug, Default)]
pub(super) struct Pause {
    tries: u32,
}

impl Pause {
    pub(super) fn next(&mut self) -> Duration {
        let tries = self.tries;
        self.tries = tries.saturating_add(1);
        if tries == 0 {
            return Duration::ZERO;
        }
        let longest = Duration::from_millis(800 << (tries - 1).min(10)).min(Duration::from_secs(30));
        // The standard library's own randomness, which seeds its tables.
        let random = u32::try_from(RandomState::new().build_hasher().finish() >> 32).unwrap_or(0);
        longest.mul_f64(1.0 - 0.5 * f64::from(random) / f64::from(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_half_a_minute() {
        let mut pause = Pause::default();
        assert_eq!(pause.next(), Duration::ZERO);
        for longest in [0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0] {
            let next = pause.next().as_secs_f64();
            assert!((longest / 2.0..=longest).contains(&next), "{next} of {longest}");
        }
        pause.tries = u32::MAX;
        assert!(pause.next() <= Duration::from_secs(30));
    }
}
