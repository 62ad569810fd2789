//! What a guest may ask for: method, path, query, two media types, a body and deadlines. It sets no other header.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;

pub use crate::path::Invalid;
use crate::path::{self, ApiPath};

/// How long a request may take unless it says otherwise.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(60);
/// How long a stream (a watch, a followed log) may be silent unless the request says otherwise. The API server ends a
/// watch by itself after 30 to 60 minutes, so a stream that is silent for longer is dead.
pub const DEFAULT_STREAM_IDLE_DEADLINE: Duration = Duration::from_secs(65 * 60);
/// How long any other response may stall unless the request says otherwise.
pub const DEFAULT_IDLE_DEADLINE: Duration = Duration::from_secs(60);
/// The longest deadline that may be asked for.
pub const MAX_DEADLINE: Duration = Duration::from_secs(24 * 60 * 60);

const MAX_MEDIA_TYPE: usize = 1024;
const JSON: &str = "application/json";

/// An HTTP method that Kubernetes answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "HTTP's own words")]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
    Options,
    Head,
}

impl Method {
    /// Every method.
    pub const ALL: [Self; 7] =
        [Self::Get, Self::Post, Self::Put, Self::Patch, Self::Delete, Self::Options, Self::Head];

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
            Self::Head => "HEAD",
        }
    }

    /// Whether a request may carry a body. DELETE may: `DeleteOptions` go there.
    pub fn body(self) -> BodyRule {
        match self {
            Self::Post | Self::Put | Self::Patch | Self::Delete => BodyRule::Allowed,
            Self::Get | Self::Options | Self::Head => BodyRule::Refused,
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is no method that Kubernetes answers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a method: use GET, POST, PUT, PATCH, DELETE, OPTIONS or HEAD")]
pub struct UnknownMethod;

impl FromStr for Method {
    type Err = UnknownMethod;

    /// Upper-case only, as HTTP has it.
    fn from_str(word: &str) -> Result<Self, UnknownMethod> {
        Self::ALL.into_iter().find(|m| m.as_str() == word).ok_or(UnknownMethod)
    }
}

/// Whether a body may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyRule {
    /// It may.
    Allowed,
    /// It is an error.
    Refused,
}

/// A request as a guest wrote it, not yet checked.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The path, with or without a query. See [`crate::path`].
    pub path: String,
    /// Query pairs, not encoded; they come after the path's own query.
    pub query: Vec<(String, String)>,
    /// What to accept; `application/json` if absent.
    pub accept: Option<String>,
    /// What the body is; `application/json` if absent and there is a body.
    pub content_type: Option<String>,
    /// The body, where it is not streamed.
    pub body: Option<Bytes>,
    /// How long until the response's headers are there (a stream) or until its end (everything else). More than zero, at
    /// most [`MAX_DEADLINE`].
    pub deadline: Duration,
    /// How long the response's body may be silent. `None`: [`DEFAULT_STREAM_IDLE_DEADLINE`] for a stream, else
    /// [`DEFAULT_IDLE_DEADLINE`].
    pub idle_deadline: Option<Duration>,
    /// What the deadline counts. Default: [`Counts::Everything`].
    pub counts: Counts,
}

/// What a request's deadline counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Counts {
    /// All of it.
    #[default]
    Everything,
    /// The server's part: while a credential has to be had, for which a plugin may ask a person, the deadline stands still. What gives
    /// credentials has a deadline of its own.
    TheServer,
}

impl Request {
    /// A request with defaults for all but method and path.
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            query: Vec::new(),
            accept: None,
            content_type: None,
            body: None,
            deadline: DEFAULT_DEADLINE,
            idle_deadline: None,
            counts: Counts::Everything,
        }
    }

    /// Adds a query pair.
    #[must_use]
    pub fn with_query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push((name.into(), value.into()));
        self
    }

    /// Checks everything that can be checked without a server. A body that is streamed beside the request is told by
    /// `streamed`.
    pub fn check(&self, streamed: StreamedBody) -> Result<Checked, Invalid> {
        let target = path::parse(&self.path)?.with_query(&self.query)?;
        let has_body = self.body.is_some() || streamed == StreamedBody::Present;
        if has_body && self.method.body() == BodyRule::Refused {
            return Err(Invalid::BodyNotAllowed { method: self.method.as_str() });
        }
        let accept = media_type("accept", self.accept.as_deref())?;
        let content_type = media_type("content type", self.content_type.as_deref())?;
        let content_type = has_body.then_some(content_type);
        let length = length_of(self.method, &target);
        let deadline = deadline("deadline", self.deadline)?;
        let idle_deadline = match (self.idle_deadline, length) {
            (Some(given), _) => self::deadline("idle deadline", given)?,
            (None, Length::Stream) => DEFAULT_STREAM_IDLE_DEADLINE,
            (None, Length::Whole) => DEFAULT_IDLE_DEADLINE,
        };
        Ok(Checked {
            method: self.method,
            path: target,
            accept: or_json(accept),
            content_type: content_type.map(or_json),
            body: self.body.clone(),
            length,
            deadline,
            idle_deadline,
            counts: self.counts,
        })
    }
}

/// Whether a body is streamed beside the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamedBody {
    /// There is one.
    Present,
    /// There is none.
    Absent,
}

/// What the response's body is expected to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// It ends by itself soon.
    Whole,
    /// A watch or a followed log: it ends when someone ends it.
    Stream,
}

/// A request that was checked: every text in it can be put on the wire as it is.
#[derive(Debug, Clone)]
pub struct Checked {
    method: Method,
    path: ApiPath,
    accept: Cow<'static, str>,
    content_type: Option<Cow<'static, str>>,
    body: Option<Bytes>,
    length: Length,
    deadline: Duration,
    idle_deadline: Duration,
    counts: Counts,
}

impl Checked {
    /// The method.
    pub fn method(&self) -> Method {
        self.method
    }

    /// Path and query, without the server's prefix.
    pub fn path(&self) -> &ApiPath {
        &self.path
    }

    /// The request target behind a server's prefix, in origin form.
    pub fn target(&self, prefix: &str) -> String {
        self.path.join(prefix)
    }

    /// The value of `Accept`.
    pub fn accept(&self) -> &str {
        &self.accept
    }

    /// The value of `Content-Type`; `None` where there is no body.
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    /// The body, where it is not streamed.
    pub fn body(&self) -> Option<&Bytes> {
        self.body.as_ref()
    }

    /// Whether the response is a long stream.
    pub fn length(&self) -> Length {
        self.length
    }

    /// Whether the response is a long stream.
    pub fn is_stream(&self) -> bool {
        self.length == Length::Stream
    }

    /// See [`Request::deadline`].
    pub fn deadline(&self) -> Duration {
        self.deadline
    }

    /// See [`Request::counts`].
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// See [`Request::idle_deadline`]; the default is filled in.
    pub fn idle_deadline(&self) -> Duration {
        self.idle_deadline
    }
}

/// A watch (`watch` in the query as the API server reads it, or the legacy `/watch/` paths), or a followed log.
fn length_of(method: Method, target: &ApiPath) -> Length {
    if method != Method::Get {
        return Length::Whole;
    }
    let routed = target.routed();
    let mut segments = routed.as_bytes().split(|&byte| byte == b'/').filter(|segment| !segment.is_empty());
    let on = |name| target.query_value(name).is_some_and(|value| is_true(&value));
    let watched = match segments.next() {
        Some(b"api") => segments.nth(1),
        Some(b"apis") => segments.nth(2),
        _ => None,
    };
    let legacy = watched == Some(b"watch");
    let log = routed.trim_end_matches('/').ends_with("/log");
    if on("watch") || legacy || (log && on("follow")) { Length::Stream } else { Length::Whole }
}

fn or_json(media_type: Option<&str>) -> Cow<'static, str> {
    media_type.map_or(Cow::Borrowed(JSON), |given| Cow::Owned(given.to_owned()))
}

/// As apimachinery converts a query value to a bool: everything but "0" and "false" is true, "" included
/// (`pkg/runtime/conversion.go`).
fn is_true(value: &str) -> bool {
    value != "0" && !value.eq_ignore_ascii_case("false")
}

fn media_type<'a>(what: &'static str, value: Option<&'a str>) -> Result<Option<&'a str>, Invalid> {
    let Some(value) = value else { return Ok(None) };
    let trimmed = value.trim_matches(' ');
    let fits =
        (1..=MAX_MEDIA_TYPE).contains(&trimmed.len()) && trimmed.bytes().all(|b| matches!(b, b' '..=b'~'));
    if fits { Ok(Some(trimmed)) } else { Err(Invalid::MediaType { what }) }
}

fn deadline(what: &'static str, value: Duration) -> Result<Duration, Invalid> {
    if value.is_zero() || value > MAX_DEADLINE { Err(Invalid::Deadline { what }) } else { Ok(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(request: &Request) -> Result<Checked, Invalid> {
        request.check(StreamedBody::Absent)
    }

    #[test]
    fn streams_are_told_by_path_and_query() {
        use Method::{Delete, Get};
        for (method, path, stream) in [
            (Get, "/api/v1/pods", false),
            (Get, "/api/v1/pods?watch=1", true),
            (Get, "/api/v1/pods?watch=true", true),
            (Get, "/api/v1/pods?watch=TRUE&limit=1", true),
            (Get, "/api/v1/pods?watch", true),
            (Get, "/api/v1/pods?watch=", true),
            (Get, "/api/v1/pods?watch=0", false),
            (Get, "/api/v1/pods?watch=False", false),
            (Get, "/api/v1/pods?watch=false&watch=true", false),
            (Get, "/api/v1/pods?w%61tch=true", true),
            (Get, "/api/v1/watch/pods", true),
            (Get, "/apis/apps/v1/watch/deployments", true),
            (Get, "/api/v1/namespaces/watch/pods", false),
            (Get, "/api/v1/namespaces/n/pods/p/log", false),
            (Get, "/api/v1/namespaces/n/pods/p/log?follow=true", true),
            (Get, "/api/v1/namespaces/n/pods/p?follow=true", false),
            (Delete, "/api/v1/pods?watch=true", false),
        ] {
            let checked = checked(&Request::new(method, path)).expect(path);
            assert_eq!(checked.is_stream(), stream, "{method} {path}");
            let idle = if stream { DEFAULT_STREAM_IDLE_DEADLINE } else { DEFAULT_IDLE_DEADLINE };
            assert_eq!((checked.deadline(), checked.idle_deadline()), (DEFAULT_DEADLINE, idle));
        }
        let pairs = Request::new(Get, "/api/v1/pods").with_query("watch", "true");
        assert!(checked(&pairs).expect("a request").is_stream());
    }

    #[test]
    fn bodies_and_media_types() {
        let plain = checked(&Request::new(Method::Get, "/api")).expect("a request");
        assert_eq!((plain.accept(), plain.content_type()), ("application/json", None));
        for method in Method::ALL {
            let with_body = Request { body: Some("{}".into()), ..Request::new(method, "/api") };
            let streamed = Request::new(method, "/api").check(StreamedBody::Present);
            for result in [checked(&with_body), streamed] {
                match method {
                    Method::Get | Method::Head | Method::Options => {
                        assert_eq!(result.err(), Some(Invalid::BodyNotAllowed { method: method.as_str() }));
                    }
                    _ => assert_eq!(
                        result.expect("a body").content_type(),
                        Some("application/json"),
                        "{method}"
                    ),
                }
            }
            assert_eq!(method.as_str().parse(), Ok(method));
        }
        assert_eq!("get".parse::<Method>(), Err(UnknownMethod));
    }

    #[test]
    fn hostile_headers_and_deadlines_are_refused() {
        for media_type in ["", " ", "a\r\nHost: x", "a\nb", "a\0", "ä", "a\tb", &"a".repeat(1025)] {
            let accept = Request { accept: Some(media_type.into()), ..Request::new(Method::Get, "/api") };
            assert_eq!(checked(&accept).err(), Some(Invalid::MediaType { what: "accept" }), "{media_type:?}");
            let content_type =
                Request { content_type: Some(media_type.into()), ..Request::new(Method::Post, "/api") };
            assert_eq!(
                checked(&content_type).err(),
                Some(Invalid::MediaType { what: "content type" }),
                "{media_type:?}"
            );
        }
        for (seconds, fine) in [(0, false), (1, true), (86_400, true), (86_401, false)] {
            let deadline = Duration::from_secs(seconds);
            let request = Request { deadline, ..Request::new(Method::Get, "/api") };
            assert_eq!(checked(&request).is_ok(), fine, "{seconds}");
            let request = Request { idle_deadline: Some(deadline), ..Request::new(Method::Get, "/api") };
            assert_eq!(checked(&request).is_ok(), fine, "idle {seconds}");
        }
    }
}
