//! Waiting for one of several things, and for time to pass.

use std::fmt;
use std::time::Duration;

use crate::wit::tidegate::host::poll as wit;

/// Something that becomes ready: a response, a piece of a stream, room in a request's body, a moment.
///
/// It outlives what it came from; dropping that first makes it ready.
pub struct Pollable(wit::Pollable);

impl Pollable {
    /// Whether waiting would return at once. Never blocks.
    pub fn ready(&self) -> bool {
        self.0.ready()
    }

    /// Waits until it is ready.
    pub fn block(&self) {
        self.0.block();
    }
}

impl fmt::Debug for Pollable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pollable").finish_non_exhaustive()
    }
}

impl From<wit::Pollable> for Pollable {
    fn from(pollable: wit::Pollable) -> Self {
        Self(pollable)
    }
}

/// Waits until at least one is ready, and returns the indexes of all that are, in ascending order; an empty list returns at once.
pub fn poll(pollables: &[&Pollable]) -> Vec<usize> {
    let handles: Vec<_> = pollables.iter().map(|pollable| &pollable.0).collect();
    wit::poll(&handles).into_iter().map(|index| index as usize).collect()
}

/// Becomes ready once `duration` has passed since this call, and stays ready. At most some 584 years.
pub fn after(duration: Duration) -> Pollable {
    Pollable(wit::after(nanoseconds(duration)))
}

/// Waits. Requests in flight go on meanwhile.
pub fn sleep(duration: Duration) {
    after(duration).block();
}

pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
