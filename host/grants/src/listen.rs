//! Patterns of `--allow-listen` and `--deny-listen`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::endpoint::{Endpoint, Host};
use crate::error::Invalid;
use crate::net::NetPattern;

/// One value of a listen flag, with or without a port; without one it means every port, and one that the system chooses.
///
/// | written | means |
/// |---|---|
/// | `127.0.0.1:8080`, `[::1]:8080`, `127.0.0.1` | that address |
/// | `localhost:8080`, `localhost` | `127.0.0.1` and `::1` |
/// | `127.0.0.0/8`, `[fd00::/8]:8080` | every address of that network |
///
/// `0.0.0.0` and `::` are every address of this machine, and granted only by themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenPattern(NetPattern);

impl ListenPattern {
    /// Parses one value. Errors: a name other than `localhost`, and what [`NetPattern::parse`] refuses.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let pattern = NetPattern::parse(text)?;
        if pattern.is_name() && !pattern.matches_host(&localhost()) {
            return Err(Invalid::new(
                format!("{text:?} is a name"),
                "listen on an address of this machine, as in 127.0.0.1:8080, or on localhost",
            ));
        }
        Ok(Self(pattern))
    }

    /// Whether the pattern covers this address. Port 0, a port that the system chooses, is covered by patterns without a port.
    pub fn matches(&self, address: SocketAddr) -> bool {
        let (ip, port) = (address.ip().to_canonical(), address.port());
        if ip.is_unspecified() && !self.0.is_address() {
            return false;
        }
        let by_name = is_loopback(ip) && self.0.matches_name("localhost", port);
        by_name || self.0.matches_address(ip, port)
    }

    /// Whether who listens there could be reached at an address of the pattern: every address is part of the unspecified one.
    pub(crate) fn reaches(&self, address: SocketAddr) -> bool {
        let everywhere = address.ip().to_canonical().is_unspecified() && self.0.covers_port(address.port());
        everywhere || self.matches(address)
    }
}

impl fmt::Display for ListenPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An address to listen on, as a guest or a flag writes it: `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080`, which is `127.0.0.1`; without a
/// port, or with port 0, the system chooses one.
///
/// Errors: a name other than `localhost`, and what [`Endpoint::parse`] refuses.
pub fn listen_address(text: &str) -> Result<SocketAddr, Invalid> {
    let (host, port) = match text.strip_suffix(":0") {
        Some(host) if !host.ends_with(':') => (Host::parse(host)?, 0),
        _ => match Host::parse(text) {
            Ok(host) => (host, 0),
            Err(_) => {
                let endpoint = Endpoint::parse(text)?;
                (endpoint.host().clone(), endpoint.port())
            }
        },
    };
    match host {
        Host::Address(address) => Ok(SocketAddr::new(address, port)),
        host if host == localhost() => Ok(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port)),
        Host::Name(name) => Err(Invalid::new(
            format!("{name:?} is a name"),
            "listen on an address of this machine, as in 127.0.0.1:8080, or on localhost",
        )),
    }
}

/// The address as a flag's value: a port that the system chooses is every port.
pub(crate) fn value(address: SocketAddr) -> String {
    match address.port() {
        0 => Host::from(address.ip()).to_string(),
        port => Endpoint::new(Host::from(address.ip()), port).to_string(),
    }
}

fn localhost() -> Host {
    Host::Name("localhost".to_owned())
}

/// The two that `localhost` is; the rest of `127.0.0.0/8` is granted by itself.
fn is_loopback(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip == Ipv4Addr::LOCALHOST,
        IpAddr::V6(ip) => ip.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_pattern_covers() {
        for (pattern, address, covers) in [
            ("127.0.0.1:8080", "127.0.0.1:8080", true),
            ("127.0.0.1:8080", "127.0.0.1:8081", false),
            ("127.0.0.1:8080", "127.0.0.1:0", false),
            ("127.0.0.1", "127.0.0.1:0", true),
            ("127.0.0.1", "127.0.0.2:1", false),
            ("127.0.0.0/8", "127.0.0.2:1", true),
            ("localhost:80", "127.0.0.1:80", true),
            ("localhost:80", "[::1]:80", true),
            ("localhost", "127.0.0.2:80", false),
            ("localhost", "10.0.0.1:80", false),
            ("127.0.0.1", "[::ffff:127.0.0.1]:9", true),
            ("127.0.0.1", "0.0.0.0:9", false),
            ("10.0.0.0/8", "0.0.0.0:9", false),
            ("0.0.0.0", "0.0.0.0:9", true),
            ("0.0.0.0", "127.0.0.1:9", false),
            ("::", "[::]:9", true),
            ("::/0", "127.0.0.1:9", false),
            ("::/0", "[fd00::1]:9", true),
            ("::/0", "[::]:9", false),
            ("::/8", "[::]:9", false),
            ("::/128", "[::]:9", true),
            ("0.0.0.0/0", "10.0.0.1:9", true),
            ("0.0.0.0/0", "0.0.0.0:9", false),
            ("0.0.0.0/8", "[::ffff:0.0.0.0]:9", false),
            ("0.0.0.0/32", "0.0.0.0:9", true),
        ] {
            let parsed = ListenPattern::parse(pattern).expect(pattern);
            assert_eq!(parsed.matches(address.parse().expect("an address")), covers, "{pattern} {address}");
        }
    }

    #[test]
    fn a_denied_address_is_part_of_every_address() {
        for (pattern, address, reaches) in [
            ("10.0.0.1", "0.0.0.0:80", true),
            ("10.0.0.1:80", "[::]:80", true),
            ("10.0.0.1:80", "0.0.0.0:81", false),
            ("10.0.0.1", "10.0.0.2:80", false),
            ("::/0", "[::]:80", true),
            ("0.0.0.0/0", "0.0.0.0:80", true),
        ] {
            let parsed = ListenPattern::parse(pattern).expect(pattern);
            assert_eq!(parsed.reaches(address.parse().expect("an address")), reaches, "{pattern} {address}");
        }
    }

    #[test]
    fn addresses_as_they_are_written() {
        for (text, address) in [
            ("127.0.0.1:8080", Some("127.0.0.1:8080")),
            ("127.0.0.1", Some("127.0.0.1:0")),
            ("127.0.0.1:0", Some("127.0.0.1:0")),
            ("localhost:80", Some("127.0.0.1:80")),
            ("localhost", Some("127.0.0.1:0")),
            ("LocalHost.:80", Some("127.0.0.1:80")),
            ("[::1]:80", Some("[::1]:80")),
            ("::1", Some("[::1]:0")),
            ("::", Some("[::]:0")),
            ("[::ffff:127.0.0.1]:1", Some("127.0.0.1:1")),
            ("example.com:80", None),
            (":80", None),
            ("127.0.0.1:65536", None),
            ("127.1:80", None),
            ("", None),
            ("127.0.0.1:80/x", None),
        ] {
            let parsed = listen_address(text).ok();
            assert_eq!(parsed, address.map(|text| text.parse().expect("an address")), "{text}");
        }
        for bad in ["*", "*.corp", "example.com:80", "http://127.0.0.1", "127.0.0.1:0", "127.0.0.1:80-90"] {
            assert!(ListenPattern::parse(bad).is_err(), "{bad}");
        }
    }
}
