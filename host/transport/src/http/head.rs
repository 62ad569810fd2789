use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, PROXY_AUTHORIZATION,
    USER_AGENT, WARNING,
};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use http_body::Body as _;
use tidegate_kube::request::{Checked, Method};
use tidegate_kube::status::MAX_MESSAGE;
use tidegate_kube::text;

use crate::request_body::RequestBody;
use crate::{Code, Error};

/// What every request to a server carries, made once.
#[derive(Debug)]
pub(super) struct Fixed {
    pub(super) host: HeaderValue,
    pub(super) user_agent: HeaderValue,
    pub(super) prefix: String,
    /// `Impersonate-…`.
    pub(super) impersonate: Vec<(HeaderName, HeaderValue)>,
    /// Scheme and authority, where the server or a proxy wants them with each request.
    pub(super) scheme: Scheme,
    pub(super) authority: Authority,
    /// For a proxy that passes requests on one by one.
    pub(super) proxy_authorization: Option<HeaderValue>,
    /// Whether bodies may come packed.
    pub(super) compression: Compression,
}

/// Whether bodies may come packed: `disable-compression`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    Gzip,
    None,
}

/// How a request says where it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Path and `Host`: HTTP/1.1 to the server itself.
    Origin,
    /// The whole URL and `Host`: HTTP/1.1 to a proxy.
    Absolute,
    /// The whole URL: HTTP/2.
    Pseudo,
}

impl Fixed {
    /// Only these headers exist, whatever a guest asks for.
    pub(super) fn request(
        &self,
        checked: &Checked,
        authorization: Option<HeaderValue>,
        form: Form,
        body: RequestBody,
    ) -> Result<http::Request<RequestBody>, Error> {
        // Servers and proxies that wait for a body's length refuse what would have one and does not say so (RFC 9110, 8.6).
        let says_nothing =
            body.is_end_stream() && matches!(checked.method(), Method::Post | Method::Put | Method::Patch);
        let mut request = http::Request::new(body);
        *request.method_mut() = method(checked.method());
        *request.uri_mut() = self.uri(checked.target(&self.prefix), form)?;
        let headers = request.headers_mut();
        headers.reserve(8 + self.impersonate.len());
        if form != Form::Pseudo {
            headers.insert(HOST, self.host.clone());
        }
        headers.insert(USER_AGENT, self.user_agent.clone());
        headers.insert(ACCEPT, media_type(checked.accept())?);
        // Servers pack no streams, and whoever else did would hold events back until a block is full.
        if self.compression == Compression::Gzip && !checked.is_stream() {
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        }
        if let Some(content_type) = checked.content_type() {
            headers.insert(CONTENT_TYPE, media_type(content_type)?);
        }
        if says_nothing {
            headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        if let Some(authorization) = authorization {
            headers.insert(AUTHORIZATION, authorization);
        }
        for (name, value) in &self.impersonate {
            headers.append(name.clone(), value.clone());
        }
        if form == Form::Absolute
            && let Some(authorization) = &self.proxy_authorization
        {
            headers.insert(PROXY_AUTHORIZATION, authorization.clone());
        }
        Ok(request)
    }

    fn uri(&self, target: String, form: Form) -> Result<Uri, Error> {
        let target = PathAndQuery::from_maybe_shared(bytes::Bytes::from(target)).map_err(|error| {
            Error::new(Code::InvalidRequest, "the path is no request target").because(error)
        })?;
        if form == Form::Origin {
            return Ok(Uri::from(target));
        }
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(target);
        Uri::from_parts(parts)
            .map_err(|error| Error::new(Code::InvalidRequest, "the path is no request target").because(error))
    }
}

/// A file's name is in it, which may be in any language, or say more than a name: what no header holds becomes `_`.
pub(super) fn visible(user_agent: &str) -> String {
    user_agent.chars().map(|c| if matches!(c, ' '..='~') { c } else { '_' }).collect()
}

/// The texts of the `Warning` headers with code 299: `299 - "text"`.
pub(super) fn warnings(headers: &HeaderMap) -> Vec<String> {
    headers.get_all(WARNING).iter().filter_map(|value| warning(value.as_bytes())).collect()
}

fn warning(value: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(value);
    let (code, rest) = text.trim().split_once(' ')?;
    let (_agent, quoted) = rest.trim_start().split_once(' ')?;
    if code != "299" {
        return None;
    }
    let mut unquoted = String::new();
    let mut characters = quoted.trim_start().strip_prefix('"')?.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => return Some(text::for_people(&unquoted, MAX_MESSAGE)),
            '\\' => unquoted.push(characters.next()?),
            plain => unquoted.push(plain),
        }
    }
    None
}

fn method(method: Method) -> http::Method {
    match method {
        Method::Get => http::Method::GET,
        Method::Post => http::Method::POST,
        Method::Put => http::Method::PUT,
        Method::Patch => http::Method::PATCH,
        Method::Delete => http::Method::DELETE,
        Method::Options => http::Method::OPTIONS,
        Method::Head => http::Method::HEAD,
    }
}

fn media_type(text: &str) -> Result<HeaderValue, Error> {
    if text == "application/json" {
        return Ok(HeaderValue::from_static("application/json"));
    }
    HeaderValue::from_str(text)
        .map_err(|error| Error::new(Code::InvalidRequest, "the media type is no header value").because(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_agent_of_any_file_name_is_a_header() {
        for (given, sent) in [
            ("tidegate/0.1.0 (list-pods)", "tidegate/0.1.0 (list-pods)"),
            ("t (pr\u{fc}fung)", "t (pr_fung)"),
            ("t (x)\r\nX-Evil: 1\0\t\u{7f}", "t (x)__X-Evil: 1___"),
            ("", ""),
        ] {
            assert_eq!(visible(given), sent);
            assert!(HeaderValue::from_str(sent).is_ok());
        }
    }

    #[test]
    fn warnings_are_unquoted() {
        for (header, text) in [
            (
                r#"299 - "v1 ComponentStatus is deprecated in v1.19+""#,
                Some("v1 ComponentStatus is deprecated in v1.19+"),
            ),
            (r#"299 kube "unknown field \"spec.x\"""#, Some(r#"unknown field "spec.x""#)),
            (r#"299 - "two" "Wed, 21 Oct 2015 07:28:00 GMT""#, Some("two")),
            ("299 - \"a\u{9b}b\\\u{9b}c\\\u{202e}d\"", Some("a\u{fffd}b\u{fffd}c\u{fffd}d")),
            (r#"199 - "other""#, None),
            (r#"299 - "open"#, None),
            ("299", None),
            ("", None),
        ] {
            assert_eq!(warning(header.as_bytes()).as_deref(), text, "{header}");
        }
    }
}
