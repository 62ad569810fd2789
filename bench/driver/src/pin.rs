//! Which processor runs whom.
//!
//! Left alone, the kernel moves client and server together and apart at whim, and a sequential request then measures the wake-up of
//! a sleeping core. A process inherits where its parent may run, so the driver moves itself before it starts another.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::Failure;

/// Who is bound to a processor of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pin {
    /// Server and client, each to its own.
    Apart,
    /// The server; the client may use all: some have threads that help.
    ServerOnly,
}

/// The processors that this process was given.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Processors {
    all: CpuSet,
    client: CpuSet,
    server: CpuSet,
}

impl Processors {
    pub(crate) fn find() -> Result<Processors, Failure> {
        let all = sched_getaffinity(None)?;
        let numbers: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|&number| all.is_set(number)).collect();
        let [first, .., last] = numbers[..] else {
            return Err("a comparison needs two processors: one for the server, one for the client".into());
        };
        Ok(Processors { all, client: only(first), server: only(last) })
    }

    /// Starts something on the server's processor.
    pub(crate) fn as_server<T>(&self, start: impl FnOnce() -> T) -> Result<T, Failure> {
        self.during(&self.server, start)
    }

    /// Starts something where this pin puts a client.
    pub(crate) fn as_client<T>(&self, pin: Pin, start: impl FnOnce() -> T) -> Result<T, Failure> {
        match pin {
            Pin::Apart => self.during(&self.client, start),
            Pin::ServerOnly => Ok(start()),
        }
    }

    /// Moves the calling thread out of a pinned client's way.
    pub(crate) fn stand_aside(&self, pin: Pin) -> Result<(), Failure> {
        let place = if pin == Pin::Apart { &self.server } else { &self.all };
        Ok(sched_setaffinity(None, place)?)
    }

    fn during<T>(&self, place: &CpuSet, start: impl FnOnce() -> T) -> Result<T, Failure> {
        sched_setaffinity(None, place)?;
        let started = start();
        sched_setaffinity(None, &self.all)?;
        Ok(started)
    }
}

fn only(number: usize) -> CpuSet {
    let mut set = CpuSet::new();
    set.set(number);
    set
}
