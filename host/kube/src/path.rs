//! The path and query that a guest asks for, checked before anything is sent.
//!
//! What is sent is what was checked: nothing is re-encoded, so a guest's path must already be a URI path (RFC 3986). The
//! API server decodes a path once before it routes, and this module judges that decoded form: `%2e%2e` is `..`, and `%2F`
//! is a separator, as it is for the server. `%252e` decodes to the text `%2e` and stays that text, for the server too.
//! In a query, encoded control bytes are data (an exec command's arguments, say) and pass.

use std::borrow::Cow;
use std::fmt;

/// The longest path with its query, in bytes. The API server itself stops at 1 MiB of headers; URLs of this size are no
/// honest request.
pub const MAX_LENGTH: usize = 64 << 10;

/// Why a path, a query or a media type was refused. The refused text is not in the message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// The path does not begin with `/`.
    #[error(
        "the path must begin with `/`, for example `/api/v1/pods`; the server's address is not part of it"
    )]
    NotAbsolute,
    /// The path begins with `//`, which some software reads as the name of another host.
    #[error("the path begins with `//`; drop one of them")]
    LooksLikeAHost,
    /// Path and query together are too long.
    #[error("path and query are {length} bytes long, the cap is {MAX_LENGTH}")]
    TooLong {
        /// Their length in bytes.
        length: usize,
    },
    /// A byte that a URI cannot hold: a control byte (CR and LF included), a space, a backslash, non-ASCII, or one of
    /// ``"<>[]^`{|}``.
    #[error(
        "byte {byte:#04x} at offset {offset} of the path is not allowed; percent-encode it, or pass it as a query pair"
    )]
    Byte {
        /// The byte.
        byte: u8,
        /// Where, in bytes from 0.
        offset: usize,
    },
    /// `#`: the part after it would not be sent.
    #[error("`#` at offset {offset} of the path: a request has no fragment; write it as `%23`")]
    Fragment {
        /// Where, in bytes from 0.
        offset: usize,
    },
    /// `%` without two hexadecimal digits.
    #[error(
        "`%` at offset {offset} of the path is not followed by two hexadecimal digits; write it as `%25`"
    )]
    Percent {
        /// Where, in bytes from 0.
        offset: usize,
    },
    /// A control byte, a backslash or broken UTF-8 once the path is decoded.
    #[error("the path holds an encoded control byte, backslash or broken UTF-8")]
    Encoded,
    /// A `.` or `..` segment, encoded or not: it could lead out of the server URL's own prefix.
    #[error("the path holds a `.` or `..` segment; write the path that it leads to")]
    DotSegment,
    /// A query pair without a name.
    #[error("a query pair has an empty name")]
    EmptyQueryName,
    /// A media type with bytes other than visible ASCII and spaces, empty, or longer than 1024 bytes.
    #[error("the {what} must be 1 to 1024 visible ASCII characters")]
    MediaType {
        /// `accept` or `content type`.
        what: &'static str,
    },
    /// A body was given with a method that has none.
    #[error("{method} requests have no body")]
    BodyNotAllowed {
        /// The method.
        method: &'static str,
    },
    /// A deadline of zero, or beyond one day.
    #[error("the {what} must be more than zero and at most one day")]
    Deadline {
        /// `deadline` or `idle deadline`.
        what: &'static str,
    },
}

/// A checked path with an optional query. Its text can be put into a request line as it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ApiPath {
    text: String,
    path_length: usize,
}

/// Checks a path with an optional query (`/api/v1/pods?limit=500`).
///
/// ```
/// use tidegate_kube::path::{Invalid, parse};
/// assert_eq!(parse("/api/v1/pods?limit=500")?.path(), "/api/v1/pods");
/// assert_eq!(parse("/api/v1/%2e%2e/secrets"), Err(Invalid::DotSegment));
/// # Ok::<(), Invalid>(())
/// ```
pub fn parse(path_and_query: &str) -> Result<ApiPath, Invalid> {
    if path_and_query.len() > MAX_LENGTH {
        return Err(Invalid::TooLong { length: path_and_query.len() });
    }
    if !path_and_query.starts_with('/') {
        return Err(Invalid::NotAbsolute);
    }
    check_bytes(path_and_query.as_bytes())?;
    let path_length = path_and_query.find('?').unwrap_or(path_and_query.len());
    check_path(&path_and_query[..path_length])?;
    Ok(ApiPath { text: path_and_query.to_owned(), path_length })
}

impl ApiPath {
    /// The path without its query, as it is sent.
    pub fn path(&self) -> &str {
        &self.text[..self.path_length]
    }

    /// The query as it is sent, without `?`.
    pub fn query(&self) -> Option<&str> {
        self.text.get(self.path_length + 1..)
    }

    /// Path and query as they are sent.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The path's segments as the API server routes them: decoded once, `%2F` being a separator, empty ones dropped.
    pub fn segments(&self) -> Vec<String> {
        let routed = self.routed();
        routed.split('/').filter(|segment| !segment.is_empty()).map(str::to_owned).collect()
    }

    /// The path as the API server routes it: decoded once.
    pub(crate) fn routed(&self) -> Cow<'_, str> {
        decode(self.path()).unwrap_or_default()
    }

    /// The first value of a query name, decoded as the API server does (`+` is a space). A name without `=` has the
    /// value "".
    pub fn query_value(&self, name: &str) -> Option<String> {
        self.query()?.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (form_decode(key) == name).then(|| form_decode(value))
        })
    }

    /// Every pair of the query, decoded as the API server does (`+` is a space), in order. A name without `=` has the value "".
    pub fn query_pairs(&self) -> impl Iterator<Item = (String, String)> {
        let pairs = self.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (form_decode(name), form_decode(value))
        })
    }

    /// Adds query pairs, percent-encoded (everything but RFC 3986's unreserved characters), after `?`, or after `&`
    /// where there is a query already.
    pub fn with_query<K: AsRef<str>, V: AsRef<str>>(mut self, pairs: &[(K, V)]) -> Result<Self, Invalid> {
        for (name, value) in pairs {
            if name.as_ref().is_empty() {
                return Err(Invalid::EmptyQueryName);
            }
            match self.query() {
                None => self.text.push('?'),
                Some("") => {}
                Some(query) if query.ends_with('&') => {}
                Some(_) => self.text.push('&'),
            }
            encode(name.as_ref(), &mut self.text);
            self.text.push('=');
            encode(value.as_ref(), &mut self.text);
            if self.text.len() > MAX_LENGTH {
                return Err(Invalid::TooLong { length: self.text.len() });
            }
        }
        Ok(self)
    }

    /// The request target behind a server URL's own prefix (`""` or `/kubernetes/global`, see
    /// [`crate::kubeconfig::Server::prefix`]).
    pub fn join(&self, prefix: &str) -> String {
        [prefix.trim_end_matches('/'), &self.text].concat()
    }
}

impl fmt::Display for ApiPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Percent-encodes one query name, value or path segment: everything but RFC 3986's unreserved characters.
pub fn encode_component(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    encode(text, &mut out);
    out
}

/// The rules for a path alone: no host, no dot segments, nothing odd once decoded. Bytes are checked already.
pub(crate) fn check_path(path: &str) -> Result<(), Invalid> {
    let decoded = decode(path).ok_or(Invalid::Encoded)?;
    if decoded.starts_with("//") {
        return Err(Invalid::LooksLikeAHost);
    }
    // What is not encoded holds none of these.
    if matches!(decoded, Cow::Owned(_)) && decoded.contains(|c: char| c.is_control() || c == '\\') {
        return Err(Invalid::Encoded);
    }
    if decoded.as_bytes().split(|&byte| byte == b'/').any(|segment| matches!(segment, b"." | b"..")) {
        return Err(Invalid::DotSegment);
    }
    Ok(())
}

/// Only what a URI's path and query may hold (RFC 3986, 3.3 and 3.4), and whole percent triplets.
pub(crate) fn check_bytes(text: &[u8]) -> Result<(), Invalid> {
    for (offset, &byte) in text.iter().enumerate() {
        match byte {
            _ if PLAIN[usize::from(byte)] => {}
            b'#' => return Err(Invalid::Fragment { offset }),
            b'%' if triplet(&text[offset..]).is_some() => {}
            b'%' => return Err(Invalid::Percent { offset }),
            _ => return Err(Invalid::Byte { byte, offset }),
        }
    }
    Ok(())
}

/// The bytes that stand for themselves in a URI's path and query.
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0;
    while byte < plain.len() {
        plain[byte] = matches!(
            byte as u8,
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9'
            | b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b','
            | b';' | b'=' | b':' | b'@' | b'/' | b'?'
        );
        byte += 1;
    }
    plain
};

/// Percent-decodes once. None where no text comes of it.
fn decode(text: &str) -> Option<Cow<'_, str>> {
    // As most are, and each request asks.
    if !text.as_bytes().contains(&b'%') {
        return Some(Cow::Borrowed(text));
    }
    String::from_utf8(decode_bytes(text.as_bytes())).ok().map(Cow::Owned)
}

fn decode_bytes(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, tail)) = rest.split_first() {
        match triplet(rest) {
            Some(byte) => {
                out.push(byte);
                rest = &rest[3..];
            }
            None => {
                out.push(first);
                rest = tail;
            }
        }
    }
    out
}

fn form_decode(text: &str) -> String {
    String::from_utf8_lossy(&decode_bytes(text.replace('+', " ").as_bytes())).into_owned()
}

/// The byte that `%xx` at the beginning of `text` stands for.
fn triplet(text: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = text else { return None };
    let digit = |b: &u8| char::from(*b).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

fn encode(text: &str, out: &mut String) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in text.as_bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => {
                out.push('%');
                out.push(char::from(HEX[usize::from(byte >> 4)]));
                out.push(char::from(HEX[usize::from(byte & 15)]));
            }
        }
    }
}

#[cfg(test)]
mod tests;
