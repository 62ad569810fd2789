//! Patterns of `--allow-net` and `--deny-net`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::endpoint::{self, Endpoint, Host};
use crate::error::Invalid;

/// One value of a net flag, with or without a port; without one it means every port.
///
/// | written | means |
/// |---|---|
/// | `k8s.corp`, `k8s.corp:443` | that name |
/// | `*.corp`, `*.corp:443` | every name beneath `corp`, at any depth, and not `corp` itself |
/// | `1.2.3.4`, `[::1]:8443`, `::1` | that address |
/// | `10.0.0.0/8`, `10.0.0.0/8:6443`, `fd00::/8`, `[fd00::/8]:443` | every address of that network |
///
/// Names match names and addresses match addresses: nothing is resolved here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetPattern {
    host: HostPattern,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum HostPattern {
    Name(String),
    /// Without the `*.`.
    Beneath(String),
    Network(Cidr),
}

impl NetPattern {
    /// Parses one value. Errors: `*` alone, a URL, a port range, a network with host bits set, and what
    /// [`Host::parse`](crate::Host::parse) refuses.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if text.contains("://") {
            return Err(Invalid::new(
                format!("{text:?} is a URL"),
                "write host or host:port, without the scheme",
            ));
        }
        if text.contains('/') {
            return Self::parse_network(text);
        }
        let (host, port) = endpoint::split_port(text)?;
        let host = match host.strip_prefix("*.") {
            Some(suffix) => HostPattern::Beneath(parse_suffix(suffix)?),
            None if host == "*" => return Err(everything(port)),
            None if host.contains('*') => {
                return Err(Invalid::new(
                    format!("{host:?} has a * inside"),
                    "a wildcard is the whole of the first label, as in *.corp",
                ));
            }
            None => match Host::parse(host)? {
                Host::Name(name) => HostPattern::Name(name),
                Host::Address(address) => HostPattern::Network(Cidr::single(address)),
            },
        };
        Ok(Self { host, port })
    }

    /// Whether the pattern covers this endpoint as it is written, without resolving its name.
    pub fn matches(&self, endpoint: &Endpoint) -> bool {
        match endpoint.host() {
            Host::Name(name) => self.matches_name(name, endpoint.port()),
            Host::Address(address) => self.matches_address(*address, endpoint.port()),
        }
    }

    /// Whether the pattern is a name or wildcard that covers this name.
    pub(crate) fn matches_name(&self, name: &str, port: u16) -> bool {
        self.covers_name(name) && self.covers_port(port)
    }

    /// Whether the pattern covers this host for some port.
    pub(crate) fn matches_host(&self, host: &Host) -> bool {
        match (&self.host, host) {
            (HostPattern::Network(network), Host::Address(address)) => network.contains(*address),
            (_, Host::Name(name)) => self.covers_name(name),
            (_, Host::Address(_)) => false,
        }
    }

    /// Whether the pattern names no port.
    pub(crate) fn is_every_port(&self) -> bool {
        self.port.is_none()
    }

    /// Whether the pattern is an address or network that covers this address.
    pub(crate) fn matches_address(&self, address: IpAddr, port: u16) -> bool {
        matches!(&self.host, HostPattern::Network(network) if network.contains(address))
            && self.covers_port(port)
    }

    /// Whether the pattern is one address.
    pub(crate) fn is_address(&self) -> bool {
        matches!(&self.host, HostPattern::Network(network) if network.is_single())
    }

    fn covers_name(&self, name: &str) -> bool {
        match &self.host {
            HostPattern::Name(own) => own == name,
            HostPattern::Beneath(suffix) => {
                name.strip_suffix(suffix.as_str()).is_some_and(|head| head.len() > 1 && head.ends_with('.'))
            }
            HostPattern::Network(_) => false,
        }
    }

    /// Whether the pattern is a name or wildcard.
    pub(crate) fn is_name(&self) -> bool {
        !matches!(self.host, HostPattern::Network(_))
    }

    pub(crate) fn covers_port(&self, port: u16) -> bool {
        self.port.is_none_or(|own| own == port)
    }

    fn parse_network(text: &str) -> Result<Self, Invalid> {
        let bracketed = text.strip_prefix('[').and_then(|rest| rest.split_once(']'));
        let (network, port) = match bracketed {
            // `[fd00::/8]:443`, and beside it `[fd00::]/8:443`.
            Some((inner, "")) if inner.contains('/') => (inner.to_owned(), None),
            Some((inner, rest)) if inner.contains('/') && rest.starts_with(':') => {
                (inner.to_owned(), Some(&rest[1..]))
            }
            Some((inner, rest)) if rest.starts_with('/') => {
                split_network(format!("{inner}{}", before_colon(rest)), rest)
            }
            Some(_) => return Err(not_a_network(text)),
            None => {
                let (address, rest) = text.split_once('/').ok_or_else(|| not_a_network(text))?;
                split_network(format!("{address}/{}", before_colon(rest)), rest)
            }
        };
        let port = port.map(endpoint::parse_port).transpose()?;
        Ok(Self { host: HostPattern::Network(Cidr::parse(&network)?), port })
    }
}

impl fmt::Display for NetPattern {
    /// As it would be written in a flag.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            HostPattern::Name(name) => f.write_str(name)?,
            HostPattern::Beneath(suffix) => write!(f, "*.{suffix}")?,
            HostPattern::Network(network) if network.is_single() => Host::Address(network.address).fmt(f)?,
            HostPattern::Network(network) => network.fmt(f)?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// A network of addresses, `10.0.0.0/8` or `fd00::/8`.
///
/// IPv4-mapped networks of at least 96 bits are the IPv4 network that they embed; `::/0` is every IPv6 address and no IPv4
/// one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    address: IpAddr,
    length: u8,
}

impl Cidr {
    /// Parses `address/length`. Errors: no network, a length beyond the family's, and host bits set, naming the network
    /// that was meant.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let (address, length) = text.split_once('/').ok_or_else(|| not_a_network(text))?;
        let address: IpAddr = address.parse().map_err(|_| not_a_network(text))?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let digits = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
        let length =
            length.parse::<u8>().ok().filter(|length| digits && *length <= longest).ok_or_else(|| {
                Invalid::new(
                    format!("{length:?} is not a network's length"),
                    format!("it is a number from 0 to {longest}"),
                )
            })?;
        let cidr = match address.to_canonical() {
            IpAddr::V4(inner) if address.is_ipv6() && length >= 96 => {
                Self { address: IpAddr::V4(inner), length: length - 96 }
            }
            _ => Self { address, length },
        };
        if cidr.first() != cidr.address {
            let meant = Self { address: cidr.first(), ..cidr };
            return Err(Invalid::new(
                format!("{text} has bits set beyond its /{length}"),
                format!(
                    "write {meant} for the network, or {} for the one address",
                    Host::Address(cidr.address)
                ),
            ));
        }
        Ok(cidr)
    }

    /// Whether the address, IPv4-mapped forms normalised, is in this network.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4() && masked(address, self.length) == self.address
    }

    fn single(address: IpAddr) -> Self {
        let address = address.to_canonical();
        Self { address, length: if address.is_ipv4() { 32 } else { 128 } }
    }

    fn is_single(&self) -> bool {
        *self == Self::single(self.address)
    }

    fn first(&self) -> IpAddr {
        masked(self.address, self.length)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

/// The address with all bits beyond the first `length` cleared.
fn masked(address: IpAddr, length: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
            Ipv4Addr::from_bits(address.to_bits() & mask).into()
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
    }
}

fn parse_suffix(suffix: &str) -> Result<String, Invalid> {
    if suffix.contains('*') {
        return Err(Invalid::new(
            format!("*.{suffix} has a second *"),
            "a wildcard is the whole of the first label",
        ));
    }
    if suffix.parse::<IpAddr>().is_ok() || suffix.starts_with('[') {
        return Err(Invalid::new(
            format!("*.{suffix} mixes a wildcard and an address"),
            "write a network, as in 10.0.0.0/8",
        ));
    }
    endpoint::parse_name(suffix)
}

/// `*` and `*:443` grant every host, which deserves to be said outright.
fn everything(port: Option<u16>) -> Invalid {
    match port {
        None => {
            Invalid::new("\"*\" is not a host", "use the flag alone, without a value, to mean every host")
        }
        Some(port) => Invalid::new(
            format!("\"*:{port}\" is not a host"),
            "name the hosts, as in *.corp, or use the flag alone, without a value, to mean every host and port",
        ),
    }
}

fn not_a_network(text: &str) -> Invalid {
    Invalid::new(format!("{text:?} is not a network"), "write address/length, as in 10.0.0.0/8 or fd00::/8")
}

fn before_colon(text: &str) -> &str {
    text.split_once(':').map_or(text, |(head, _)| head)
}

fn split_network(network: String, rest: &str) -> (String, Option<&str>) {
    (network, rest.split_once(':').map(|(_, port)| port))
}
