//! The logs of one or many pods.

use std::time::Duration;

use crate::poll::nanoseconds;
use crate::wit::tidegate::host::logs as wit;
use crate::{Client, Result, Stream};

/// The logs of one or many pods, to be had with [`Client::open_logs`].
///
/// A log that is followed goes on over whatever breaks: a connection, the API server, the container. No line is lost and none comes twice,
/// as far as the node still has it; where it has not, a [`LogEvent::Gap`] says so.
///
/// ```no_run
/// use tidegate::{LogEvent, LogRequest};
/// # fn main() -> tidegate::Result<()> {
/// let client = tidegate::auto_detect_client()?;
/// for part in client.open_logs(&LogRequest::selected("app=web").namespace("shop").tail(10).follow())? {
///     let part = part?;
///     if let LogEvent::Lines(lines) = part.event {
///         for line in lines {
///             println!("{}/{}: {}", part.pod, part.container, String::from_utf8_lossy(&line));
///         }
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct LogRequest {
    pods: Pods,
    namespace: Option<String>,
    containers: Containers,
    previous: bool,
    follow: bool,
    since: Option<Since>,
    tail: Option<u64>,
    limit_bytes: Option<u64>,
    timestamps: bool,
    at_once: Option<u32>,
}

#[derive(Clone, Debug)]
enum Pods {
    Named(String),
    Selected { labels: String, fields: String },
}

#[derive(Clone, Debug)]
enum Containers {
    Default,
    Named(String),
    All,
}

#[derive(Clone, Debug)]
enum Since {
    Ago(Duration),
    Time(String),
}

impl LogRequest {
    /// Of one pod, in the client's namespace unless another is named.
    pub fn pod(name: impl Into<String>) -> Self {
        Self::of(Pods::Named(name.into()))
    }

    /// Of the pods with these labels (empty: all), in all namespaces unless one is named. Followed, also of those that come later: such a
    /// stream does not end.
    pub fn selected(labels: impl Into<String>) -> Self {
        Self::of(Pods::Selected { labels: labels.into(), fields: String::new() })
    }

    fn of(pods: Pods) -> Self {
        Self {
            pods,
            namespace: None,
            containers: Containers::Default,
            previous: false,
            follow: false,
            since: None,
            tail: None,
            limit_bytes: None,
            timestamps: false,
            at_once: None,
        }
    }

    /// In this namespace.
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }

    /// Of the selected pods, those with these fields, such as `spec.nodeName=a`. Without meaning for one that is named.
    #[must_use]
    pub fn fields(mut self, selector: impl Into<String>) -> Self {
        if let Pods::Selected { fields, .. } = &mut self.pods {
            *fields = selector.into();
        }
        self
    }

    /// Of this container, rather than of the pod's default one.
    #[must_use]
    pub fn container(mut self, name: impl Into<String>) -> Self {
        self.containers = Containers::Named(name.into());
        self
    }

    /// Of all containers.
    #[must_use]
    pub fn all_containers(mut self) -> Self {
        self.containers = Containers::All;
        self
    }

    /// Of the run before the last restart. Such a log cannot be followed.
    #[must_use]
    pub fn previous(mut self) -> Self {
        self.previous = true;
        self
    }

    /// Goes on as the logs grow.
    #[must_use]
    pub fn follow(mut self) -> Self {
        self.follow = true;
        self
    }

    /// Begins with what was written so long ago, to the second.
    #[must_use]
    pub fn since(mut self, ago: Duration) -> Self {
        self.since = Some(Since::Ago(ago));
        self
    }

    /// Begins with what was written at this time, RFC 3339, to the second.
    #[must_use]
    pub fn since_time(mut self, time: impl Into<String>) -> Self {
        self.since = Some(Since::Time(time.into()));
        self
    }

    /// Begins with so many lines of each container, counted from the end.
    #[must_use]
    pub fn tail(mut self, lines: u64) -> Self {
        self.tail = Some(lines);
        self
    }

    /// At most so many bytes of each container, of logs that are not followed.
    #[must_use]
    pub fn limit_bytes(mut self, bytes: u64) -> Self {
        self.limit_bytes = Some(bytes);
        self
    }

    /// Each line begins with its time, RFC 3339 with nanoseconds, and a space.
    #[must_use]
    pub fn timestamps(mut self) -> Self {
        self.timestamps = true;
        self
    }

    /// How many containers are followed at a time; 64 unless set, 1024 at most.
    #[must_use]
    pub fn at_once(mut self, containers: u32) -> Self {
        self.at_once = Some(containers);
        self
    }

    fn options(&self) -> wit::LogOptions {
        let options = wit::LogOptions::new();
        match &self.containers {
            Containers::Default => {}
            Containers::Named(name) => options.set_container(name),
            Containers::All => options.set_all_containers(),
        }
        if self.previous {
            options.set_previous();
        }
        if self.follow {
            options.set_follow();
        }
        match &self.since {
            None => {}
            Some(Since::Ago(ago)) => options.set_since(nanoseconds(*ago)),
            Some(Since::Time(time)) => options.set_since_time(time),
        }
        if let Some(lines) = self.tail {
            options.set_tail(lines);
        }
        if let Some(bytes) = self.limit_bytes {
            options.set_limit_bytes(bytes);
        }
        if self.timestamps {
            options.set_timestamps();
        }
        if let Some(containers) = self.at_once {
            options.set_at_once(containers);
        }
        options
    }
}

/// Logs as they come; [`Client::open_logs`] gives it. Of several containers, one's failure is a part; of one, it is the stream's own.
pub type LogStream = Stream<wit::LogStream>;

/// Something about one container's log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogPart {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod's name.
    pub pod: String,
    /// The container's name.
    pub container: String,
    /// What.
    pub event: LogEvent,
}

/// What happened in a container's log. Texts are for people.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogEvent {
    /// Lines without their line ends, at most 256.
    Lines(Vec<Vec<u8>>),
    /// The container was started again, or the pod made again: what follows is of the new run.
    Restarted,
    /// Lines may be missing here.
    Gap(String),
    /// The connection was lost, and is made again; nothing is missing.
    Interrupted(String),
    /// It waits its turn.
    Queued(String),
    /// There is no more.
    Ended,
    /// There is no more, because of a failure.
    Failed(String),
    /// What this library does not know: its name and text.
    Other(String, String),
}

impl From<wit::LogPart> for LogPart {
    fn from(part: wit::LogPart) -> Self {
        let wit::LogPart { namespace, pod, container, event, text, lines } = part;
        let event = match event.as_str() {
            "lines" => LogEvent::Lines(lines),
            "restarted" => LogEvent::Restarted,
            "gap" => LogEvent::Gap(text),
            "interrupted" => LogEvent::Interrupted(text),
            "queued" => LogEvent::Queued(text),
            "ended" => LogEvent::Ended,
            "failed" => LogEvent::Failed(text),
            _ => LogEvent::Other(event, text),
        };
        Self { namespace, pod, container, event }
    }
}

impl Client {
    /// Begins with logs. Errors: 404 where there is no pod of that name, `invalid-request` for a container that it does not have and for
    /// what contradicts itself, and as [`Client::send`].
    pub fn open_logs(&self, request: &LogRequest) -> Result<LogStream> {
        let (options, namespace) = (request.options(), request.namespace.as_deref());
        let opened = match &request.pods {
            Pods::Named(name) => wit::open_pod(self.as_wit(), namespace, name, options),
            Pods::Selected { labels, fields } => {
                wit::open_selected(self.as_wit(), namespace, labels, fields, options)
            }
        };
        Ok(Stream::new(opened?))
    }
}
