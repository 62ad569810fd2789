//! Requests as data, and request bodies that are written piece by piece.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::poll::{Pollable, nanoseconds};
use crate::wit::tidegate::host::types as wit;
pub use crate::wit::tidegate::host::types::Method;
use crate::{Error, Result};

/// A request to be made: method, path, query, media types and body. Which server, which credential and every other header are
/// the host's.
///
/// ```
/// use tidegate::Request;
/// let request = Request::get("/api/v1/namespaces/default/pods").query("limit", "10");
/// ```
#[derive(Clone, Debug)]
pub struct Request {
    method: Method,
    path: String,
    query: Vec<(String, String)>,
    accept: Option<String>,
    content_type: Option<String>,
    body: Option<Vec<u8>>,
    deadline: Option<Duration>,
    idle_deadline: Option<Duration>,
}

impl Request {
    /// `path` begins with `/` and may hold a query. What is not allowed (control bytes, `..` segments) is told when the request is
    /// started, as `invalid-request`.
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            query: Vec::new(),
            accept: None,
            content_type: None,
            body: None,
            deadline: None,
            idle_deadline: None,
        }
    }

    /// A GET.
    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Method::Get, path)
    }

    /// A POST.
    pub fn post(path: impl Into<String>) -> Self {
        Self::new(Method::Post, path)
    }

    /// A PUT.
    pub fn put(path: impl Into<String>) -> Self {
        Self::new(Method::Put, path)
    }

    /// A PATCH; mind [`Request::content_type`].
    pub fn patch(path: impl Into<String>) -> Self {
        Self::new(Method::Patch, path)
    }

    /// A DELETE.
    pub fn delete(path: impl Into<String>) -> Self {
        Self::new(Method::Delete, path)
    }

    /// Appends one query pair, which the host percent-encodes. Pairs keep their order, names may repeat.
    #[must_use]
    pub fn query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push((name.into(), value.into()));
        self
    }

    /// The `Accept` header; `application/json` unless set.
    #[must_use]
    pub fn accept(mut self, media_type: impl Into<String>) -> Self {
        self.accept = Some(media_type.into());
        self
    }

    /// The `Content-Type` header; `application/json` unless set and if there is a body.
    #[must_use]
    pub fn content_type(mut self, media_type: impl Into<String>) -> Self {
        self.content_type = Some(media_type.into());
        self
    }

    /// The whole body.
    #[must_use]
    pub fn body(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.body = Some(bytes.into());
        self
    }

    /// The whole body, as JSON. Errors: `json`.
    pub fn json<T: Serialize + ?Sized>(self, value: &T) -> Result<Self> {
        let body = serde_json::to_vec(value).map_err(|error| Error::json("request body", error))?;
        Ok(self.body(body))
    }

    /// How long to wait for the head of the response, and, where the body is read whole, for its end; 60 seconds unless set. At
    /// most one day.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// How long a body that is read may be silent; 60 seconds unless set, or 65 minutes for a watch or a followed log. At most one day.
    #[must_use]
    pub fn idle_deadline(mut self, deadline: Duration) -> Self {
        self.idle_deadline = Some(deadline);
        self
    }

    /// Drops what a page after the first must not say again: the `continue` token has it.
    pub(crate) fn continued(&self, token: &str) -> Self {
        let first_only = ["continue", "resourceVersion", "resourceVersionMatch"];
        let mut next = self.clone();
        next.query.retain(|(name, _)| !first_only.contains(&name.as_str()));
        next.query("continue", token)
    }

    pub(crate) fn has_query(&self, name: &str) -> bool {
        self.query.iter().any(|(have, _)| have == name)
    }

    /// Method, target and media types, for a table to compare with.
    #[cfg(all(test, feature = "kube"))]
    pub(crate) fn line(&self) -> String {
        assert!(self.query.is_empty(), "kube-core puts it into the path");
        let words = [Some(format!("{:?}", self.method).replace("Method::", "")), Some(self.path.clone())];
        let types = [self.accept.clone(), self.content_type.clone()];
        words.into_iter().chain(types).flatten().collect::<Vec<_>>().join(" ")
    }

    pub(crate) fn into_wit(self) -> wit::Request {
        let request = wit::Request::new(self.method, &self.path);
        for (name, value) in &self.query {
            request.add_query(name, value);
        }
        if let Some(accept) = &self.accept {
            request.set_accept(accept);
        }
        if let Some(content_type) = &self.content_type {
            request.set_content_type(content_type);
        }
        if let Some(body) = &self.body {
            request.set_body(body);
        }
        if let Some(deadline) = self.deadline {
            request.set_deadline(nanoseconds(deadline));
        }
        if let Some(deadline) = self.idle_deadline {
            request.set_idle_deadline(nanoseconds(deadline));
        }
        request
    }
}

/// Requests that kube-core builds, and any other whose headers are `Accept` and `Content-Type` alone. Errors: `invalid-request` for
/// another header, which no guest may set, and for a method that Kubernetes has no use for.
#[cfg(feature = "kube")]
impl TryFrom<http::Request<Vec<u8>>> for Request {
    type Error = Error;

    fn try_from(request: http::Request<Vec<u8>>) -> Result<Self> {
        let (parts, body) = request.into_parts();
        let method = method(&parts.method)?;
        let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
        let mut ours = Self::new(method, tidy(target));
        for (name, value) in &parts.headers {
            let value = value
                .to_str()
                .map_err(|_| Error::invalid_request(format!("header {name}: not visible ASCII")))?;
            ours = match name.as_str() {
                "accept" => ours.accept(value),
                "content-type" => ours.content_type(value),
                other => {
                    return Err(Error::invalid_request(format!(
                        "header {other}: the host sets it, not a guest"
                    )));
                }
            };
        }
        Ok(if body.is_empty() { ours } else { ours.body(body) })
    }
}

#[cfg(feature = "kube")]
fn method(method: &http::Method) -> Result<Method> {
    Ok(match method.as_str() {
        "GET" => Method::Get,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "PATCH" => Method::Patch,
        "DELETE" => Method::Delete,
        "OPTIONS" => Method::Options,
        "HEAD" => Method::Head,
        other => {
            return Err(Error::invalid_request(format!("method {other}: not one of the Kubernetes API")));
        }
    })
}

/// kube-core writes `path?&a=b`, and `path?` where there is no query.
#[cfg(feature = "kube")]
fn tidy(target: &str) -> String {
    match target.split_once('?') {
        None => target.to_owned(),
        Some((path, query)) => match query.trim_start_matches('&') {
            "" => path.to_owned(),
            query => format!("{path}?{query}"),
        },
    }
}

/// A request body that is written piece by piece; [`crate::Client::start_streaming`] gives it. Dropped before
/// [`OutgoingBody::finish`], it cancels the request.
pub struct OutgoingBody(wit::OutgoingBody);

impl OutgoingBody {
    /// Writes all of it; waits while the peer takes nothing. Errors: why the request failed.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.0.write(bytes)?)
    }

    /// Writes what can be taken now, and says how many bytes that were; 0 where none.
    pub fn try_write(&mut self, bytes: &[u8]) -> Result<usize> {
        // Never more than what was given, which fits.
        Ok(self.0.try_write(bytes)? as usize)
    }

    /// Ready when [`OutgoingBody::try_write`] would take something or fail.
    pub fn subscribe(&self) -> Pollable {
        self.0.subscribe().into()
    }

    /// Ends the body. Without it, the request is cancelled.
    pub fn finish(self) -> Result<()> {
        Ok(self.0.finish()?)
    }
}

impl From<wit::OutgoingBody> for OutgoingBody {
    fn from(body: wit::OutgoingBody) -> Self {
        Self(body)
    }
}

impl std::io::Write for OutgoingBody {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        OutgoingBody::write(self, bytes).map_err(std::io::Error::other)?;
        Ok(bytes.len())
    }

    /// Does nothing: what was written is on its way.
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for OutgoingBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutgoingBody").finish_non_exhaustive()
    }
}

#[cfg(all(test, feature = "kube"))]
mod tests {
    use super::*;

    #[test]
    fn targets_of_kube_core_are_tidied() {
        for (given, want) in [
            ("/api/v1/pods", "/api/v1/pods"),
            ("/api/v1/pods?", "/api/v1/pods"),
            ("/api/v1/pods?&limit=1&continue=a%26b", "/api/v1/pods?limit=1&continue=a%26b"),
            ("/api/v1/pods?watch=true", "/api/v1/pods?watch=true"),
        ] {
            assert_eq!(tidy(given), want);
        }
    }

    #[test]
    fn a_guest_sets_no_header_of_its_own() {
        for header in ["authorization", "impersonate-user", "host", "connection", "x-anything"] {
            let request = http::Request::get("/api").header(header, "x").body(Vec::new()).unwrap();
            let error = Request::try_from(request).unwrap_err();
            assert_eq!(error.code(), "invalid-request");
            assert!(error.message().contains(header), "{error}");
        }
        let request = http::Request::builder().method("TRACE").uri("/api").body(Vec::new()).unwrap();
        assert_eq!(Request::try_from(request).unwrap_err().code(), "invalid-request");
    }

    #[test]
    fn a_later_page_says_only_its_token() {
        let first = Request::get("/api/v1/pods").query("limit", "2").query("resourceVersion", "0");
        let next = first.continued("abc").continued("def");
        let pairs: Vec<_> = next.query.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(pairs, [("limit", "2"), ("continue", "def")]);
    }
}
