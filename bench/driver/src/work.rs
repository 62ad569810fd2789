//! What is compared, with whom, and how often.

use crate::client::Peer;
use crate::options::Pace;
use crate::pin::Pin;
use crate::server::Load;

/// One work, done by all.
#[derive(Debug)]
pub(crate) struct Work {
    /// Of the published set.
    pub(crate) name: &'static str,
    /// A row for each.
    pub(crate) units: &'static [Unit],
    pub(crate) load: Load,
    pub(crate) task: Task,
    pub(crate) pin: Pin,
    pub(crate) peers: &'static [Peer],
    thorough: u32,
    quick: u32,
}

/// What a client is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// So many GETs of one pod, so many of them at once.
    Get { count: u64, ways: u64 },
    /// All pods, in one answer or, by clients that always do so, in pages.
    List,
    /// So many events.
    Watch { count: u64 },
    /// So many events of one object that somebody else writes, while the client itself has so many writes of others in flight.
    Behind { events: u64, writers: u64 },
}

/// What a number means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Of the whole process: smaller is better.
    Milliseconds,
    /// Of the whole process: smaller is better.
    Seconds,
    /// Requests a second, measured within the client, whose start does not count: larger is better.
    PerSecond,
    /// Half of the events came at most so many milliseconds after their writer had the server's answer.
    Median,
    /// The same of 99 of 100.
    P99,
    /// The same of all.
    Worst,
}

impl Unit {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Unit::Milliseconds => "ms",
            Unit::Seconds => "s",
            Unit::PerSecond => "1/s",
            Unit::Median => "p50",
            Unit::P99 => "p99",
            Unit::Worst => "max",
        }
    }
}

impl Work {
    /// How many pairs are measured.
    pub(crate) fn repetitions(&self, pace: Pace) -> u32 {
        match pace {
            Pace::Thorough => self.thorough,
            Pace::Quick => self.quick,
        }
    }

    /// Whether a client runs once before it is measured. Where one run takes seconds, its files being in memory matters no more.
    pub(crate) fn warms_up(&self, pace: Pace) -> bool {
        pace == Pace::Thorough || self.quick > 1
    }

    /// Whether there is time for this peer.
    pub(crate) fn fits(&self, peer: Peer, pace: Pace) -> bool {
        !(pace == Pace::Quick && peer == Peer::Kubectl && self.quick == 1)
    }
}

const CLIENTS: &[Peer] = &[Peer::Hyper, Peer::Kube, Peer::Kubectl, Peer::Deno];
const LISTERS: &[Peer] = &[
    Peer::Hyper,
    Peer::Kube,
    Peer::KubePaged,
    Peer::KubeTyped,
    Peer::KubeTypedPaged,
    Peer::Kubectl,
    Peer::Deno,
];
const WATCHERS: &[Peer] = &[Peer::Hyper, Peer::Kube, Peer::KubeTyped, Peer::Kubectl, Peer::Deno];
/// kubectl starts anew for each request, which is the first work.
const GETTERS: &[Peer] = &[Peer::Hyper, Peer::HyperTwo, Peer::Kube, Peer::KubeTyped, Peer::Deno];
const WRITERS: &[Peer] = &[Peer::HyperTwo, Peer::Kube];

/// All works. Those that need the same server follow each other.
pub(crate) const WORKS: &[Work] = &[
    Work {
        name: "start and one GET",
        units: &[Unit::Milliseconds],
        load: Load::Small,
        task: Task::Get { count: 1, ways: 1 },
        pin: Pin::Apart,
        peers: CLIENTS,
        thorough: 60,
        quick: 15,
    },
    Work {
        name: "watch 100,000 events",
        units: &[Unit::Seconds],
        load: Load::Small,
        task: Task::Watch { count: 100_000 },
        pin: Pin::ServerOnly,
        peers: WATCHERS,
        thorough: 7,
        quick: 1,
    },
    Work {
        name: "watch behind 100 writers",
        units: &[Unit::Median, Unit::Worst],
        load: Load::Small,
        task: Task::Behind { events: 300, writers: 100 },
        pin: Pin::ServerOnly,
        peers: WRITERS,
        thorough: 5,
        quick: 1,
    },
    Work {
        name: "watch behind 400 writers",
        units: &[Unit::Median, Unit::P99],
        load: Load::Small,
        task: Task::Behind { events: 300, writers: 400 },
        pin: Pin::ServerOnly,
        peers: WRITERS,
        thorough: 5,
        quick: 1,
    },
    Work {
        name: "sequential GET",
        units: &[Unit::PerSecond],
        load: Load::Small,
        task: Task::Get { count: 5_000, ways: 1 },
        pin: Pin::Apart,
        peers: GETTERS,
        thorough: 9,
        quick: 1,
    },
    Work {
        name: "64-way GET",
        units: &[Unit::PerSecond],
        load: Load::Small,
        task: Task::Get { count: 10_000, ways: 64 },
        pin: Pin::Apart,
        peers: GETTERS,
        thorough: 9,
        quick: 1,
    },
    Work {
        name: "list 10,000 pods",
        units: &[Unit::Milliseconds],
        load: Load::Pods(10_000),
        task: Task::List,
        pin: Pin::ServerOnly,
        peers: LISTERS,
        thorough: 9,
        quick: 1,
    },
    Work {
        name: "list 50,000 pods",
        units: &[Unit::Seconds],
        load: Load::Pods(50_000),
        task: Task::List,
        pin: Pin::ServerOnly,
        peers: LISTERS,
        thorough: 5,
        quick: 1,
    },
];
