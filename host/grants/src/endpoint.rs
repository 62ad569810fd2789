//! A host and a port, in the one form that grants compare.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::error::Invalid;

/// A host: a DNS name or an address.
///
/// Equal hosts compare equal however they were written: names are lower case without a trailing dot, and an IPv4 address
/// inside IPv6 (`::ffff:10.0.0.1`) is that IPv4 address.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Host {
    /// A DNS name: lower case, no trailing dot, ASCII.
    Name(String),
    /// An address: IPv4-mapped IPv6 is normalised to IPv4.
    Address(IpAddr),
}

impl Host {
    /// Parses a name, an IPv4 address, or an IPv6 address with or without brackets.
    ///
    /// Errors: empty, non-ASCII (write the `xn--` form: IDNA is not attempted), a label that DNS does not allow, an IPv6
    /// zone (`%eth0`), and the short or octal or hexadecimal forms of an address (`127.1`, `0x7f.1`) that a resolver would
    /// accept and a reader would not recognise.
    pub fn parse(text: &str) -> Result<Host, Invalid> {
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        if let Some(inner) = bare {
            return match inner.parse::<IpAddr>() {
                Ok(address @ IpAddr::V6(_)) => Ok(Host::from(address)),
                _ => Err(Invalid::new(
                    format!("{inner:?} is not an IPv6 address"),
                    "brackets hold one, as in [::1]",
                )),
            };
        }
        match text.parse::<IpAddr>() {
            Ok(address) => Ok(Host::from(address)),
            Err(_) => parse_name(text).map(Host::Name),
        }
    }

    /// Whether this is `localhost` or a name beneath it, which RFC 6761 keeps for loopback.
    pub fn is_localhost(&self) -> bool {
        matches!(self, Host::Name(name) if name == "localhost" || name.ends_with(".localhost"))
    }
}

impl From<IpAddr> for Host {
    fn from(address: IpAddr) -> Self {
        Host::Address(address.to_canonical())
    }
}

impl fmt::Display for Host {
    /// The name, the IPv4 address, or the IPv6 address in brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name),
            Host::Address(IpAddr::V4(address)) => address.fmt(f),
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

/// A host and a port: what a TCP connection goes to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Endpoint {
    host: Host,
    port: u16,
}

impl Endpoint {
    /// Joins the two. Port 0 is representable and never granted: no pattern names it.
    pub fn new(host: Host, port: u16) -> Self {
        Self { host, port }
    }

    /// Parses `name:port`, `1.2.3.4:port` or `[v6]:port`. Errors: as [`Host::parse`], and a port that is missing, zero or
    /// above 65535.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let (host, port) = split_port(text)?;
        let Some(port) = port else {
            return Err(Invalid::new(format!("{text:?} has no port"), "write host:port"));
        };
        Ok(Self::new(Host::parse(host)?, port))
    }

    /// The host.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl FromStr for Endpoint {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::parse(text)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Splits `host[:port]`; IPv6 needs brackets to carry a port, and without any colon is read as a port's.
pub(crate) fn split_port(text: &str) -> Result<(&str, Option<u16>), Invalid> {
    if let Some(end) = text.strip_prefix('[').and_then(|_| text.find(']')) {
        let (host, rest) = text.split_at(end + 1);
        return match rest.strip_prefix(':') {
            Some(port) => Ok((host, Some(parse_port(port)?))),
            None if rest.is_empty() => Ok((host, None)),
            None => Err(Invalid::new(format!("{rest:?} follows the bracket"), "write [address]:port")),
        };
    }
    match text.matches(':').count() {
        0 => Ok((text, None)),
        1 => {
            let (host, port) = text.split_once(':').expect("one colon was counted");
            Ok((host, Some(parse_port(port)?)))
        }
        // Several colons and no bracket: an IPv6 address without a port.
        _ => Ok((text, None)),
    }
}

/// Parses a port from 1 to 65535.
pub(crate) fn parse_port(text: &str) -> Result<u16, Invalid> {
    if text.contains('-') {
        return Err(Invalid::new(
            format!("port ranges such as {text:?} are not supported"),
            "list each port, as in host:80,host:81, or leave the port out",
        ));
    }
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<u16>() {
        Ok(port) if digits && port != 0 => Ok(port),
        _ if text == "*" => {
            Err(Invalid::new("\"*\" is not a port", "leave the port out to mean every port, as in host"))
        }
        _ => Err(Invalid::new(format!("{text:?} is not a port"), "a port is a number from 1 to 65535")),
    }
}

/// Checks and normalises a DNS name.
pub(crate) fn parse_name(text: &str) -> Result<String, Invalid> {
    let name = text.strip_suffix('.').unwrap_or(text);
    if name.is_empty() {
        return Err(Invalid::new("the host is empty", "write a name or an address"));
    }
    if !name.is_ascii() {
        return Err(Invalid::new(
            format!("{text:?} is not ASCII"),
            "write an internationalised name in its xn-- form",
        ));
    }
    if name.contains(':') || name.contains('%') {
        return Err(Invalid::new(
            format!("{text:?} is neither a name nor an address"),
            "write host, host:port or [IPv6]:port, without a zone",
        ));
    }
    if name.len() > 253 {
        return Err(Invalid::new("the name is longer than 253 bytes", "DNS allows no such name"));
    }
    if let Some(label) = name.split('.').find(|label| !is_label(label)) {
        return Err(Invalid::new(
            format!("{label:?} in {text:?} is not a DNS label"),
            "a label has 1 to 63 letters, digits, - or _, and no - at either end",
        ));
    }
    if name.rsplit('.').next().is_some_and(looks_numeric) {
        // getaddrinfo reads `127.1`, `2130706433` and `0x7f.1` as 127.0.0.1.
        return Err(Invalid::new(
            format!("{text:?} reads as a number, not as a name"),
            "write an address with its four numbers, as in 127.0.0.1",
        ));
    }
    Ok(name.to_ascii_lowercase())
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

fn looks_numeric(label: &str) -> bool {
    let hexadecimal = label.strip_prefix("0x").or_else(|| label.strip_prefix("0X"));
    label.bytes().all(|byte| byte.is_ascii_digit())
        || hexadecimal.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}
