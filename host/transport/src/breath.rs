use std::task::{Context, Poll};

/// How many bytes are read in one go: what a processor's cache holds until it is used.
const BYTES: usize = 128 * 1024;

/// What a read counts for at least, so that many small ones end too.
const LEAST: usize = 128;

/// Lets others run while a peer sends faster than we can read.
///
/// tokio's own budget would, but whoever asks a guest's streams whether something is there does so outside of it, and a peer that
/// sends what yields nothing (empty lines, interim responses, complaints) would hold the thread for ever.
#[derive(Debug)]
pub(crate) struct Breath {
    left: usize,
}

impl Default for Breath {
    fn default() -> Breath {
        Breath { left: BYTES }
    }
}

impl Breath {
    /// To be asked before each read: pending once so much was read without waiting, and then woken at once.
    pub(crate) fn poll(&mut self, cx: &Context<'_>) -> Poll<()> {
        if self.left > 0 {
            return Poll::Ready(());
        }
        *self = Breath::default();
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// To be told what came of each read: so many bytes, or that there is something to wait for.
    pub(crate) fn read(&mut self, read: Poll<usize>) {
        match read {
            Poll::Ready(bytes) => self.left = self.left.saturating_sub(bytes.max(LEAST)),
            Poll::Pending => *self = Breath::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[test]
    fn a_breath_is_taken_after_so_many_bytes_or_a_thousand_reads() {
        for (bytes, reads) in
            [(BYTES, 1), (BYTES + 7, 1), (BYTES / 2, 2), (BYTES / 16, 16), (1, 1024), (0, 1024)]
        {
            let (mut breath, cx) = (Breath::default(), Context::from_waker(Waker::noop()));
            for round in 0..3 {
                for read in 0..reads {
                    assert!(breath.poll(&cx).is_ready(), "{bytes} bytes, read {read} of round {round}");
                    breath.read(Poll::Ready(bytes));
                }
                assert!(breath.poll(&cx).is_pending(), "{bytes} bytes, {reads} times");
            }
            breath.read(Poll::Ready(BYTES));
            breath.read(Poll::Pending);
            assert!(breath.poll(&cx).is_ready(), "who waits has breathed");
        }
    }
}
