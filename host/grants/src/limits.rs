//! What one guest may use up: memory, time, streams, requests, bytes.

use std::fmt;
use std::time::Duration;

use crate::amount;
use crate::error::{FlagError, Invalid};

/// What can be limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LimitKind {
    /// Linear memory and tables, all of a guest's together.
    Memory,
    /// Processor time.
    Cpu,
    /// Time on the clock, from the guest's start.
    Wall,
    /// What is open at a time.
    Streams,
    /// Requests in a time.
    Requests,
    /// Bytes of bodies, received and sent, in all.
    Bytes,
}

/// How many in which time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    count: u32,
    per: Duration,
}

/// One limit and its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Limit {
    /// In bytes.
    Memory(u64),
    /// Processor time, see [`LimitKind::Cpu`].
    Cpu(Duration),
    /// Time on the clock.
    Wall(Duration),
    /// How many may be open.
    Streams(u32),
    /// How many requests in which time.
    Requests(Rate),
    /// In bytes.
    Bytes(u64),
}

/// What one guest may use up. Nothing is limited unless set.
///
/// ```
/// use std::time::Duration;
/// use tidegate_grants::{Limits, Rate};
///
/// let limits = Limits::none()
///     .memory(64 << 20)
///     .cpu(Duration::from_secs(10))
///     .wall(Duration::from_secs(60))
///     .streams(16)
///     .requests(Rate::per_second(100))
///     .bytes(1 << 30);
/// assert_eq!(limits.to_string(), "memory 64MiB, cpu 10s, wall 1m, streams 16, requests 100/s, bytes 1GiB");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Limits {
    memory: Option<u64>,
    cpu: Option<Duration>,
    wall: Option<Duration>,
    streams: Option<u32>,
    requests: Option<Rate>,
    bytes: Option<u64>,
}

impl LimitKind {
    /// Every kind.
    pub const ALL: [LimitKind; 6] =
        [Self::Memory, Self::Cpu, Self::Wall, Self::Streams, Self::Requests, Self::Bytes];

    /// `memory`, `cpu`, `wall`, `streams`, `requests`, `bytes`.
    pub fn as_str(self) -> &'static str {
        self.flag().trim_start_matches("--limit-")
    }

    /// The flag that sets it, without a value.
    pub fn flag(self) -> &'static str {
        match self {
            Self::Memory => "--limit-memory",
            Self::Cpu => "--limit-cpu",
            Self::Wall => "--limit-wall",
            Self::Streams => "--limit-streams",
            Self::Requests => "--limit-requests",
            Self::Bytes => "--limit-bytes",
        }
    }

    /// What stands after the flag's `=`, none for `none`: no limit.
    ///
    /// Sizes are bytes, `64MiB` or `64Mi`, `64MB` or `64M`; times `500ms`, `10s`, `1m30s`, `2h`, and seconds without a unit; rates `100/s`,
    /// `600/m`, `1000/h`; streams a number. Nothing may be 0. Errors name the flag, the value, what is wrong and the cure.
    pub fn parse(self, text: &str) -> Result<Option<Limit>, FlagError> {
        if text == "none" {
            return Ok(None);
        }
        let limit = match self {
            Self::Memory => amount::size(text).map(Limit::Memory),
            Self::Cpu => amount::time(text).map(Limit::Cpu),
            Self::Wall => amount::time(text).map(Limit::Wall),
            Self::Streams => amount::count(text).map(Limit::Streams),
            Self::Requests => amount::rate(text).map(|(count, per)| Limit::Requests(Rate { count, per })),
            Self::Bytes => amount::size(text).map(Limit::Bytes),
        };
        limit.map(Some).map_err(|invalid: Invalid| FlagError::new(self.flag(), text, invalid))
    }
}

impl fmt::Display for LimitKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Rate {
    /// So many a second; at least one.
    pub fn per_second(count: u32) -> Rate {
        Rate::new(count, Duration::from_secs(1))
    }

    /// So many in this time, at least one. As many may come at once; then one each `per / count`.
    pub fn new(count: u32, per: Duration) -> Rate {
        Rate { count: count.max(1), per: per.max(Duration::from_nanos(1)) }
    }

    /// How many.
    pub fn count(self) -> u32 {
        self.count
    }

    /// In which time.
    pub fn per(self) -> Duration {
        self.per
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.per.as_secs() {
            1 => "s",
            60 => "m",
            3600 => "h",
            _ => return write!(f, "{}/{}", self.count, amount::shown_time(self.per)),
        };
        write!(f, "{}/{unit}", self.count)
    }
}

impl Limit {
    /// What it limits.
    pub fn kind(self) -> LimitKind {
        match self {
            Self::Memory(_) => LimitKind::Memory,
            Self::Cpu(_) => LimitKind::Cpu,
            Self::Wall(_) => LimitKind::Wall,
            Self::Streams(_) => LimitKind::Streams,
            Self::Requests(_) => LimitKind::Requests,
            Self::Bytes(_) => LimitKind::Bytes,
        }
    }

    /// The value as the flag takes it: `64MiB`, `10s`, `100/s`.
    pub fn value(self) -> String {
        match self {
            Self::Memory(bytes) | Self::Bytes(bytes) => amount::shown_size(bytes),
            Self::Cpu(time) | Self::Wall(time) => amount::shown_time(time),
            Self::Streams(count) => count.to_string(),
            Self::Requests(rate) => rate.to_string(),
        }
    }

    /// What to do about it.
    pub fn cure(self) -> String {
        let (flag, twice) = (self.kind().flag(), self.twice().value());
        match self {
            Self::Streams(_) => format!("close some before, or run again with more, e.g. {flag}={twice}"),
            Self::Requests(_) => {
                format!("ask for less at a time, or run again with more, e.g. {flag}={twice}")
            }
            _ => format!("if that is too little, run again with more, e.g. {flag}={twice}"),
        }
    }

    /// Whether nothing brings back what is used up: more streams may be opened once others are closed, and more requests made later.
    pub fn is_for_good(self) -> bool {
        !matches!(self, Self::Streams(_) | Self::Requests(_))
    }

    fn twice(self) -> Limit {
        match self {
            Self::Memory(bytes) => Self::Memory(bytes.saturating_mul(2)),
            Self::Bytes(bytes) => Self::Bytes(bytes.saturating_mul(2)),
            Self::Cpu(time) => Self::Cpu(time.saturating_mul(2)),
            Self::Wall(time) => Self::Wall(time.saturating_mul(2)),
            Self::Streams(count) => Self::Streams(count.saturating_mul(2)),
            Self::Requests(rate) => Self::Requests(Rate { count: rate.count.saturating_mul(2), ..rate }),
        }
    }
}

/// That it was reached: what, how much of it there was, and which flag says so.
impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (flag, value) = (self.kind().flag(), self.value());
        match self {
            Self::Memory(_) => write!(f, "the script needs more memory than its limit of {value} ({flag})"),
            Self::Cpu(_) => write!(f, "the script has used up its {value} of processor time ({flag})"),
            Self::Wall(_) => write!(f, "the script has run for {value}, its limit ({flag})"),
            Self::Streams(_) => {
                write!(f, "the script would have more open than its limit of {value} streams ({flag})")
            }
            Self::Requests(_) => {
                write!(
                    f,
                    "the script makes more requests than its limit of {value} ({flag}): this one would wait past its deadline"
                )
            }
            Self::Bytes(_) => {
                write!(f, "the script has received and sent its limit of {value} ({flag})")
            }
        }
    }
}

impl std::error::Error for Limit {}

impl Limits {
    /// Nothing is limited.
    pub fn none() -> Limits {
        Limits::default()
    }

    /// How many bytes its linear memories and tables may have together. What its requests hold in the host may be as much again.
    #[must_use]
    pub fn memory(self, bytes: u64) -> Limits {
        Limits { memory: Some(bytes), ..self }
    }

    /// How long a processor may work for it: its own code, and what the host does in its turn. Waiting does not count.
    #[must_use]
    pub fn cpu(self, time: Duration) -> Limits {
        Limits { cpu: Some(time), ..self }
    }

    /// How long it may run, waiting included.
    #[must_use]
    pub fn wall(self, time: Duration) -> Limits {
        Limits { wall: Some(time), ..self }
    }

    /// How many things may be open at a time: requests whose body has not ended, tunnels, followed reflectors, sockets, files. As many
    /// clients may be held besides.
    #[must_use]
    pub fn streams(self, count: u32) -> Limits {
        Limits { streams: Some(count), ..self }
    }

    /// How many requests may be made in a time. One more waits, within its deadline.
    #[must_use]
    pub fn requests(self, rate: Rate) -> Limits {
        Limits { requests: Some(rate), ..self }
    }

    /// How many bytes of bodies may be received and sent together, in all.
    #[must_use]
    pub fn bytes(self, bytes: u64) -> Limits {
        Limits { bytes: Some(bytes), ..self }
    }

    /// The limit of this kind; none if there is none.
    pub fn get(&self, kind: LimitKind) -> Option<Limit> {
        match kind {
            LimitKind::Memory => self.memory.map(Limit::Memory),
            LimitKind::Cpu => self.cpu.map(Limit::Cpu),
            LimitKind::Wall => self.wall.map(Limit::Wall),
            LimitKind::Streams => self.streams.map(Limit::Streams),
            LimitKind::Requests => self.requests.map(Limit::Requests),
            LimitKind::Bytes => self.bytes.map(Limit::Bytes),
        }
    }

    /// Sets the limit of this kind, or takes it away: what [`LimitKind::parse`] gave.
    pub fn set(&mut self, kind: LimitKind, limit: Option<Limit>) {
        match (kind, limit) {
            (_, Some(Limit::Memory(bytes))) => self.memory = Some(bytes),
            (_, Some(Limit::Cpu(time))) => self.cpu = Some(time),
            (_, Some(Limit::Wall(time))) => self.wall = Some(time),
            (_, Some(Limit::Streams(count))) => self.streams = Some(count),
            (_, Some(Limit::Requests(rate))) => self.requests = Some(rate),
            (_, Some(Limit::Bytes(bytes))) => self.bytes = Some(bytes),
            (LimitKind::Memory, None) => self.memory = None,
            (LimitKind::Cpu, None) => self.cpu = None,
            (LimitKind::Wall, None) => self.wall = None,
            (LimitKind::Streams, None) => self.streams = None,
            (LimitKind::Requests, None) => self.requests = None,
            (LimitKind::Bytes, None) => self.bytes = None,
        }
    }

    /// Those that there are.
    pub fn iter(&self) -> impl Iterator<Item = Limit> {
        let limits = *self;
        LimitKind::ALL.into_iter().filter_map(move |kind| limits.get(kind))
    }

    /// Whether nothing is limited.
    pub fn is_none(&self) -> bool {
        *self == Limits::none()
    }
}

/// `memory 64MiB, cpu 10s`, or `none`.
impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: Vec<String> =
            self.iter().map(|limit| format!("{} {}", limit.kind(), limit.value())).collect();
        f.write_str(if shown.is_empty() { "none" } else { "" })?;
        f.write_str(&shown.join(", "))
    }
}
