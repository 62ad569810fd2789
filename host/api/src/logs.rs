//! The logs of one or many pods.
//!
//! A log that is followed goes on over whatever breaks: a connection, the API server, the container. What was handed over is remembered by
//! its time, to the last two seconds, so that what a new connection brings again is left out, and nothing else is.
//!
//! ```text
//! pod.rs    what a pod says of its containers, and what follows from that (pure)
//! seen.rs   which lines were handed over (pure)
//! follow.rs one container, look.rs what becomes of it       find.rs  which pods there are       stream.rs  all of them together
//! retry.rs  what is tried again, and when
//! ```

mod find;
mod follow;
mod pod;
mod retry;
mod seen;
mod stream;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tidegate_kube::request::{Method, Request};
use tidegate_transport::{Code, Error};

use crate::discovery::segment;

pub use stream::LogStream;

/// How many containers are followed at a time unless it is said.
pub const AT_ONCE: usize = 64;

/// How many containers are followed at a time at most, whatever is said.
pub const MAX_AT_ONCE: usize = 1024;

/// How many pods selectors may select, at any time.
pub const MAX_PODS: usize = 16_384;

/// How many containers may wait their turn.
pub const MAX_WAITING: usize = 65_536;

/// How many lines a part has at most.
pub(crate) const LINES: usize = 256;

/// Whose logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pods {
    /// One pod.
    Named(String),
    /// Those that these selectors select, in kubectl's forms; empty ones select all. Followed: also those that come later.
    Selected {
        /// Labels.
        labels: String,
        /// Fields.
        fields: String,
    },
}

/// Which of a pod's containers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Containers {
    /// The one that the annotation `kubectl.kubernetes.io/default-container` names, else the first: as kubectl.
    #[default]
    Default,
    /// The one of this name.
    Named(String),
    /// All: init containers, containers, ephemeral containers, in this order.
    All,
}

/// Where a log begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Since {
    /// So long ago, by the node's clock; to the second, and at least one.
    Ago(Duration),
    /// At this time, RFC 3339; the server cuts it to the second.
    Time(String),
}

/// What of the logs. The default: all of what the current run of each container wrote, up to now.
#[derive(Clone, Debug, Default)]
pub struct LogOptions {
    /// Of which containers.
    pub containers: Containers,
    /// What the run before the last restart wrote, rather than the current one. Never followed.
    pub previous: bool,
    /// Whether to go on as the logs grow.
    pub follow: bool,
    /// Where to begin.
    pub since: Option<Since>,
    /// How many lines of each container to begin with, counted from the end; all unless set.
    pub tail: Option<u64>,
    /// How many bytes of each container at most. Of logs that are not followed.
    pub limit_bytes: Option<u64>,
    /// Whether each line begins with its time, RFC 3339 with nanoseconds, and a space.
    pub timestamps: bool,
    /// How many containers are followed at a time; [`AT_ONCE`] unless set, at least 1, at most [`MAX_AT_ONCE`]. Others wait until one ends.
    pub at_once: Option<usize>,
}

/// Something about one container.
#[derive(Clone, Debug)]
pub struct Part {
    /// Which container.
    pub place: Arc<Place>,
    /// What.
    pub event: PartEvent,
}

/// One container of one pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod's name.
    pub pod: String,
    /// The container's name.
    pub container: String,
}

/// What happened in a container's log.
#[derive(Clone, Debug)]
pub enum PartEvent {
    /// Lines, at most 256, without their line ends.
    Lines(Vec<Bytes>),
    /// The container was started again, or the pod was made again: what follows is of the new run.
    Restarted,
    /// Lines may be missing here; why.
    Gap(String),
    /// The connection was lost, and is made again; why. Nothing is missing.
    Interrupted(String),
    /// It waits its turn: as many as may be are followed at a time. The text names that cap.
    Queued(String),
    /// There is no more: the container has ended for good, or the log is not followed.
    Ended,
    /// There is no more, because of this. Of several containers; where there is but one, it is the stream's own error.
    Failed(Error),
}

impl LogOptions {
    /// Errors: [`Code::InvalidRequest`] for what contradicts itself.
    fn check(&self) -> Result<(), Error> {
        let invalid = |text: &str| Err(Error::new(Code::InvalidRequest, text));
        if self.follow && self.previous {
            return invalid("the log of a previous run does not grow: ask for it without follow");
        }
        if self.follow && self.limit_bytes.is_some() {
            return invalid("a limit in bytes is of a log that is not followed");
        }
        match &self.since {
            Some(Since::Time(time)) if tidegate_kube::date::parse(time).is_none() => {
                invalid("since must be a time in RFC 3339, such as 2026-01-31T12:00:00Z")
            }
            _ => Ok(()),
        }
    }

    /// How many containers are read at a time.
    fn at_once(&self) -> usize {
        match self.follow {
            true => self.at_once.unwrap_or(AT_ONCE).clamp(1, MAX_AT_ONCE),
            false => 1,
        }
    }

    /// The beginning of the log, as the server takes it.
    fn begin(&self, request: &mut Request) {
        match &self.since {
            Some(Since::Ago(ago)) => add(request, "sinceSeconds", ago.as_secs().max(1).to_string()),
            Some(Since::Time(time)) => add(request, "sinceTime", time.clone()),
            None => {}
        }
        if let Some(lines) = self.tail {
            add(request, "tailLines", lines.to_string());
        }
    }

    /// The same beginning, of a log that was opened first so long ago and has given no line: what was written since then is not cut to a
    /// number of lines. A time span is rounded up, so that up to a second before the beginning may come too.
    fn begin_again(&self, passed: Duration, request: &mut Request) {
        let ago = match (&self.since, self.tail) {
            (Some(Since::Time(time)), _) => return add(request, "sinceTime", time.clone()),
            (Some(Since::Ago(ago)), _) => ago.as_secs().max(1),
            (None, Some(_)) => 0,
            (None, None) => return,
        };
        add(request, "sinceSeconds", ago.saturating_add(passed.as_secs()).saturating_add(1).to_string());
    }
}

impl Place {
    fn pod_path(&self) -> String {
        format!("/api/v1/namespaces/{}/pods/{}", segment(&self.namespace), segment(&self.pod))
    }

    fn log(&self) -> Request {
        let mut request = Request::new(Method::Get, format!("{}/log", self.pod_path()));
        add(&mut request, "container", self.container.clone());
        request
    }
}

fn add(request: &mut Request, name: &str, value: String) {
    request.query.push((name.to_owned(), value));
}
