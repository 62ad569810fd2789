use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use tidegate_grants::{Endpoint, Host};
use tidegate_kube::Secret;

/// A proxy's URL. Its user and password are secrets.
#[derive(Clone)]
pub(crate) struct ProxyUrl {
    pub(super) scheme: Scheme,
    endpoint: Endpoint,
    pub(super) user: Option<User>,
}

/// How to speak to a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    Http,
    Https,
    /// `socks5` and `socks5h` are one: as in Go, the proxy looks names up.
    Socks5,
}

/// Who we are to a proxy.
#[derive(Clone)]
pub(super) struct User {
    pub(super) name: Secret,
    pub(super) password: Secret,
}

/// Why a URL is no proxy's. Never quotes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Invalid {
    #[error("its scheme must be http, https or socks5")]
    Scheme,
    #[error("its host is no name and no address")]
    Host,
    #[error("its port is no number from 1 to 65535")]
    Port,
    #[error("its user or password holds a character that must be percent-encoded")]
    User,
}

impl ProxyUrl {
    /// Of `proxy-url`: a scheme must be there. As Go reads it: path, query and fragment mean nothing.
    pub(crate) fn parse(text: &str) -> Result<ProxyUrl, Invalid> {
        let (scheme, rest) = text.split_once("://").ok_or(Invalid::Scheme)?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            "socks5" | "socks5h" => Scheme::Socks5,
            _ => return Err(Invalid::Scheme),
        };
        let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
        let (user, address) = match authority.rsplit_once('@') {
            Some((user, address)) => (Some(User::parse(user)?), address),
            None => (None, authority),
        };
        let (host, port) = host_and_port(address)?;
        let host = Host::parse(host).map_err(|_| Invalid::Host)?;
        let port = match port {
            "" => scheme.default_port(),
            port if port.bytes().all(|byte| byte.is_ascii_digit()) => {
                port.parse().ok().filter(|&port| port != 0).ok_or(Invalid::Port)?
            }
            _ => return Err(Invalid::Port),
        };
        Ok(ProxyUrl { scheme, endpoint: Endpoint::new(host, port), user })
    }

    /// Of a variable: where there is no scheme it is `http`.
    pub(crate) fn parse_loosely(text: &str) -> Result<ProxyUrl, Invalid> {
        match text.split_once("://") {
            Some((scheme, _)) if !scheme.is_empty() && !scheme.contains(['/', '@', ':']) => {
                ProxyUrl::parse(text)
            }
            _ => ProxyUrl::parse(&format!("http://{text}")),
        }
    }

    /// Where it listens.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProxyUrl")
            .field("scheme", &self.scheme)
            .field("endpoint", &self.endpoint)
            .field("has_user", &self.user.is_some())
            .finish()
    }
}

impl Scheme {
    fn default_port(self) -> u16 {
        match self {
            Scheme::Http => 80,
            Scheme::Https => 443,
            Scheme::Socks5 => 1080,
        }
    }
}

impl User {
    fn parse(text: &str) -> Result<User, Invalid> {
        let (name, password) = text.split_once(':').unwrap_or((text, ""));
        Ok(User { name: Secret::new(decoded(name)?), password: Secret::new(decoded(password)?) })
    }

    /// `Proxy-Authorization`.
    pub(super) fn basic(&self) -> HeaderValue {
        let pair = Secret::new(format!("{}:{}", self.name.expose(), self.password.expose()));
        let text = Secret::new(format!("Basic {}", STANDARD.encode(pair.expose())));
        let mut header = HeaderValue::from_str(text.expose()).unwrap_or(HeaderValue::from_static(""));
        header.set_sensitive(true);
        header
    }
}

fn host_and_port(address: &str) -> Result<(&str, &str), Invalid> {
    let (host, port) = match address.strip_prefix('[') {
        Some(rest) => rest.split_once(']').ok_or(Invalid::Host)?,
        None => address.split_at(address.find(':').unwrap_or(address.len())),
    };
    match port.strip_prefix(':') {
        Some(port) => Ok((host, port)),
        None if port.is_empty() => Ok((host, port)),
        None => Err(Invalid::Port),
    }
}

/// Percent-decoded. Errors: half an escape, or what is no UTF-8, and what Go's `validUserinfo` refuses.
fn decoded(text: &str) -> Result<String, Invalid> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let mut digit = || bytes.next().and_then(|byte| char::from(byte).to_digit(16));
                let (high, low) = (digit().ok_or(Invalid::User)?, digit().ok_or(Invalid::User)?);
                (high * 16 + low) as u8
            }
            byte if byte.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=@".contains(&byte) => byte,
            _ => return Err(Invalid::User),
        });
    }
    String::from_utf8(decoded).map_err(|_| Invalid::User)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_as_go_reads_them() {
        for (text, scheme, endpoint, user) in [
            ("http://proxy.corp:3128", Scheme::Http, "proxy.corp:3128", None),
            ("HTTP://Proxy.Corp", Scheme::Http, "proxy.corp:80", None),
            ("https://proxy.corp/", Scheme::Https, "proxy.corp:443", None),
            ("https://proxy.corp:/x?y#z", Scheme::Https, "proxy.corp:443", None),
            ("socks5://10.0.0.1", Scheme::Socks5, "10.0.0.1:1080", None),
            ("socks5h://[::1]:9050", Scheme::Socks5, "[::1]:9050", None),
            ("http://me:hunter2@proxy:1", Scheme::Http, "proxy:1", Some(("me", "hunter2"))),
            ("http://me@proxy:1", Scheme::Http, "proxy:1", Some(("me", ""))),
            ("http://:key@proxy:1", Scheme::Http, "proxy:1", Some(("", "key"))),
            (
                "http://team%2Fname:a%40b%3Ac:d@proxy:1",
                Scheme::Http,
                "proxy:1",
                Some(("team/name", "a@b:c:d")),
            ),
            ("http://a@b@proxy:1", Scheme::Http, "proxy:1", Some(("a@b", ""))),
        ] {
            let url = ProxyUrl::parse(text).expect(text);
            assert_eq!((url.scheme, url.endpoint.to_string().as_str()), (scheme, endpoint), "{text}");
            let pair = url.user.as_ref().map(|user| (user.name.expose(), user.password.expose()));
            assert_eq!(pair.map(|(name, password)| (&**name, &**password)), user, "{text}");
            assert!(!format!("{url:?}").contains("hunter2"));
        }
    }

    #[test]
    fn what_is_no_proxy_is_refused() {
        for (text, why) in [
            ("proxy:3128", Invalid::Scheme),
            ("", Invalid::Scheme),
            ("ftp://proxy", Invalid::Scheme),
            ("://proxy", Invalid::Scheme),
            ("http://", Invalid::Host),
            ("http://me:pw@", Invalid::Host),
            ("http://[::1", Invalid::Host),
            ("http://a b", Invalid::Host),
            ("http://proxy\r\nX: y", Invalid::Host),
            ("http://proxy:0", Invalid::Port),
            ("http://proxy:65536", Invalid::Port),
            ("http://proxy:+1", Invalid::Port),
            ("http://[::1]x", Invalid::Port),
            ("http://::1", Invalid::Host),
            ("http://a%4:b@proxy", Invalid::User),
            ("http://a%ff:b@proxy", Invalid::User),
            ("http://a b:c@proxy", Invalid::User),
            ("http://a\r\nX:b@proxy", Invalid::User),
        ] {
            assert_eq!(ProxyUrl::parse(text).err(), Some(why), "{text:?}");
        }
    }

    #[test]
    fn a_variable_needs_no_scheme() {
        for (text, endpoint) in [
            ("proxy:3128", "proxy:3128"),
            ("proxy", "proxy:80"),
            ("127.0.0.1:8080", "127.0.0.1:8080"),
            ("me:pw@proxy:3128", "proxy:3128"),
            ("socks5://proxy", "proxy:1080"),
            ("https://proxy", "proxy:443"),
        ] {
            assert_eq!(ProxyUrl::parse_loosely(text).expect(text).endpoint().to_string(), endpoint);
        }
        for text in ["://proxy", "ftp://proxy", " ", "http://"] {
            assert!(ProxyUrl::parse_loosely(text).is_err(), "{text}");
        }
    }

    #[test]
    fn basic_is_base64() {
        let url = ProxyUrl::parse("http://aladdin:open%20sesame@proxy").expect("url");
        let header = url.user.as_ref().expect("user").basic();
        assert_eq!(header.to_str().ok(), Some("Basic YWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
        assert!(header.is_sensitive());
    }
}
