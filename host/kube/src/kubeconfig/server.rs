//! A server's address.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::path;

/// How to speak to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Plain text. As in client-go, no credential is sent over it.
    Http,
    /// TLS.
    Https,
}

impl Scheme {
    /// `http` or `https`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// 80 or 443.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// A server's address: scheme, host, port and path prefix, and nothing else.
///
/// ```
/// use tidegate_kube::kubeconfig::Server;
/// let server: Server = "https://[FD00::1]:6443/kubernetes/global/".parse()?;
/// assert_eq!((server.host(), server.port(), server.prefix()), ("fd00::1", 6443, "/kubernetes/global"));
/// assert_eq!(server.to_string(), "https://[fd00::1]:6443/kubernetes/global");
/// # Ok::<(), tidegate_kube::kubeconfig::ServerError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    scheme: Scheme,
    host: String,
    port: u16,
    prefix: String,
}

impl Server {
    /// The scheme.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host: a name in lower case (with its last dot, if it was given one), an IPv4 address, or an IPv6 address
    /// without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port; the scheme's default is filled in.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The path that goes before each request's: "" or `/kubernetes/global`, without a slash at its end.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// `host`, or `host:port` where the port is not the scheme's default; IPv6 in brackets. For the `Host` header.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == self.scheme.default_port() { host } else { format!("{host}:{}", self.port) }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme.as_str(), self.authority(), self.prefix)
    }
}

/// Why a server's address was refused. The address is not in the message: it might hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// There is none.
    #[error("it is empty")]
    Empty,
    /// client-go's words.
    #[error("host must be a URL or a host:port pair")]
    NotAUrl,
    /// A scheme other than `http` and `https`.
    #[error("its scheme must be http or https")]
    Scheme,
    /// A user name or password.
    #[error("it holds a user name or a password; put them into the user's entry")]
    UserInfo,
    /// A query or a fragment.
    #[error("it holds a query or a fragment; remove it")]
    Query,
    /// An international name.
    #[error("its host is not ASCII; write it in its `xn--` form")]
    NotAscii,
    /// No host, or one that is no name and no address.
    #[error("its host is no name and no address")]
    Host,
    /// `127.1`, `0x7f000001`: some resolvers read addresses from these.
    #[error("its host ends in a number but is no IPv4 address; write all four parts in decimal")]
    LooseIpv4,
    /// An IPv6 address that is not in brackets.
    #[error("its host is an IPv6 address without brackets; write [address]:port")]
    Brackets,
    /// `fe80::1%eth0`.
    #[error("its host holds an IPv6 zone; a zone has a meaning on one machine only")]
    Zone,
    /// A port that is no number from 1 to 65535.
    #[error("its port is no number from 1 to 65535")]
    Port,
    /// The path is unusable.
    #[error("its path is unusable")]
    Path(#[source] path::Invalid),
}

impl FromStr for Server {
    type Err = ServerError;

    /// As client-go's `DefaultServerURL`: an address without a scheme is `http://`, and then has no path. Stricter: no
    /// user, query, fragment, zone or odd spelling of a host.
    fn from_str(text: &str) -> Result<Self, ServerError> {
        if text.is_empty() {
            return Err(ServerError::Empty);
        }
        let (scheme, rest) = match text.split_once("://") {
            Some((word, rest)) if word.eq_ignore_ascii_case("https") => (Scheme::Https, rest),
            Some((word, rest)) if word.eq_ignore_ascii_case("http") => (Scheme::Http, rest),
            Some(_) => return Err(ServerError::Scheme),
            None if text.split_once('/').is_some_and(|(_, path)| !path.is_empty()) => {
                return Err(ServerError::NotAUrl);
            }
            None => (Scheme::Http, text),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if authority.contains('@') {
            return Err(ServerError::UserInfo);
        }
        if path.contains(['?', '#']) {
            return Err(ServerError::Query);
        }
        let (host, port) = host_and_port(authority)?;
        let port = port.map_or(Ok(scheme.default_port()), parse_port)?;
        let prefix = path.trim_end_matches('/');
        path::check_bytes(prefix.as_bytes())
            .and_then(|()| path::check_path(prefix))
            .map_err(ServerError::Path)?;
        Ok(Self { scheme, host, port, prefix: prefix.to_owned() })
    }
}

/// The host in its canonical form, and the port's text. "host:" has no port, as in Go.
fn host_and_port(authority: &str) -> Result<(String, Option<&str>), ServerError> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (address, port) = rest.split_once(']').ok_or(ServerError::Host)?;
        if address.contains('%') {
            return Err(ServerError::Zone);
        }
        let address: Ipv6Addr = address.parse().map_err(|_| ServerError::Host)?;
        let port = match port.strip_prefix(':') {
            Some(port) => port,
            None if port.is_empty() => "",
            None => return Err(ServerError::Port),
        };
        return Ok((address.to_string(), Some(port).filter(|p| !p.is_empty())));
    }
    if authority.matches(':').count() > 1 {
        return Err(ServerError::Brackets);
    }
    let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
    Ok((parse_host(host)?, Some(port).filter(|p| !p.is_empty())))
}

fn parse_host(host: &str) -> Result<String, ServerError> {
    if !host.is_ascii() {
        return Err(ServerError::NotAscii);
    }
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        return Ok(address.to_string());
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    let label = |l: &str| (1..=63).contains(&l.len()) && l.bytes().all(allowed);
    if name.len() > 253 || !name.split('.').all(label) {
        return Err(ServerError::Host);
    }
    let last = name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    let hex = last.strip_prefix("0x").is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
    if hex || last.bytes().all(|b| b.is_ascii_digit()) {
        return Err(ServerError::LooseIpv4);
    }
    Ok(host.to_ascii_lowercase())
}

fn parse_port(port: &str) -> Result<u16, ServerError> {
    if !port.bytes().all(|b| b.is_ascii_digit()) {
        return Err(ServerError::Port);
    }
    port.parse().ok().filter(|&port| port != 0).ok_or(ServerError::Port)
}
