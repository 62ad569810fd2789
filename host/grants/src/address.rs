//! Addresses that a grant of a *name* does not cover, and the refusal that says so.
//!
//! Whoever answers for a granted name chooses its addresses, so a name's grant must not open what stands behind this
//! machine's own interfaces.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::endpoint::{Endpoint, Host};
use crate::need::Need;

/// What a name's grant leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressClass {
    /// 127.0.0.0/8 and ::1; admitted for `localhost` and names beneath it.
    Loopback,
    /// 169.254.0.0/16 and fe80::/10.
    LinkLocal,
    /// A cloud's metadata service outside the link-local ranges: `fd00:ec2::254` and its like at other clouds.
    Metadata,
    /// 0.0.0.0/8 and ::, which connect to this machine.
    Unspecified,
    /// 224.0.0.0/4, ff00::/8 and the broadcast address.
    Multicast,
}

impl AddressClass {
    /// The class of this address, or of the IPv4 address that it embeds (IPv4-mapped, IPv4-compatible, NAT64, 6to4).
    pub fn of(address: IpAddr) -> Option<Self> {
        forms(address).find_map(|form| match form {
            IpAddr::V4(address) => Self::of_v4(address),
            IpAddr::V6(address) => Self::of_v6(address),
        })
    }

    fn of_v4(address: Ipv4Addr) -> Option<Self> {
        // Alibaba, Oracle and Azure answer on addresses that are not link-local.
        const METADATA: [Ipv4Addr; 3] = [
            Ipv4Addr::new(100, 100, 100, 200),
            Ipv4Addr::new(192, 0, 0, 192),
            Ipv4Addr::new(168, 63, 129, 16),
        ];
        match address {
            _ if address.is_loopback() => Some(Self::Loopback),
            _ if address.is_link_local() => Some(Self::LinkLocal),
            _ if address.octets()[0] == 0 => Some(Self::Unspecified),
            _ if address.is_multicast() || address.is_broadcast() => Some(Self::Multicast),
            _ if METADATA.contains(&address) => Some(Self::Metadata),
            _ => None,
        }
    }

    fn of_v6(address: Ipv6Addr) -> Option<Self> {
        // AWS and Google.
        const METADATA: [Ipv6Addr; 2] = [
            Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
            Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
        ];
        match address {
            _ if address.is_loopback() => Some(Self::Loopback),
            _ if address.is_unicast_link_local() => Some(Self::LinkLocal),
            _ if address.is_unspecified() => Some(Self::Unspecified),
            _ if address.is_multicast() => Some(Self::Multicast),
            _ if METADATA.contains(&address) => Some(Self::Metadata),
            _ => None,
        }
    }
}

impl fmt::Display for AddressClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Loopback => "a loopback address",
            Self::LinkLocal => "a link-local address",
            Self::Metadata => "a cloud's metadata service",
            Self::Unspecified => "an unspecified address",
            Self::Multicast => "a multicast address",
        })
    }
}

/// An address that may not be dialled although its name was granted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct AddressRefused {
    endpoint: Endpoint,
    address: IpAddr,
    refusal: Refusal,
}

/// Why an address is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// A deny flag covers it; the text is that flag, ready for a shell.
    Denied(String),
    /// A grant of a name does not cover this class of addresses.
    Class(AddressClass),
    /// Neither the endpoint nor the address is granted.
    NotGranted,
}

impl AddressRefused {
    pub(crate) fn new(endpoint: &Endpoint, address: IpAddr, refusal: Refusal) -> Self {
        Self { endpoint: endpoint.clone(), address: address.to_canonical(), refusal }
    }

    /// What was asked for.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The address that it resolved to.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// Why it is refused.
    pub fn refusal(&self) -> &Refusal {
        &self.refusal
    }

    /// The flag that would admit it; none where a deny flag is in the way.
    pub fn flag(&self) -> Option<String> {
        let address = Endpoint::new(Host::Address(self.address), self.endpoint.port());
        match self.refusal {
            Refusal::Denied(_) => None,
            Refusal::Class(_) => Some(Need::Net(address).flag()),
            Refusal::NotGranted => Some(Need::Net(self.endpoint.clone()).flag()),
        }
    }
}

impl fmt::Display for AddressRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.endpoint.host() {
            Host::Name(name) => write!(f, "{name:?} resolves to {}", self.address)?,
            Host::Address(address) => address.fmt(f)?,
        }
        match &self.refusal {
            Refusal::Denied(by) => return write!(f, ", which {by} refuses; run again without it"),
            Refusal::Class(class) => write!(f, ", {class}, which a grant of a name does not cover")?,
            Refusal::NotGranted => write!(f, ", which is not granted")?,
        }
        self.flag().map_or(Ok(()), |flag| write!(f, "; run again with {flag}"))
    }
}

/// Where a connection to this address goes: IPv4-mapped normalised, and loopback for the unspecified address, as Linux has it.
pub fn destination(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        address => address,
    }
}

/// The address itself (IPv4-mapped normalised), then where a connection to it goes: to [`destination`], or to the IPv4 address that
/// a translator on the way would send to.
pub(crate) fn forms(address: IpAddr) -> impl Iterator<Item = IpAddr> {
    let address = address.to_canonical();
    let destination = Some(destination(address)).filter(|destination| *destination != address);
    let embedded = match address {
        IpAddr::V6(address) => embedded(address).map(IpAddr::V4),
        IpAddr::V4(_) => None,
    };
    std::iter::once(address).chain(destination).chain(embedded)
}

fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let segments = address.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match segments {
        // ::1 and :: are no IPv4-compatible addresses.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        // IPv4-compatible (RFC 4291) and IPv4-translated (RFC 2765).
        [0, 0, 0, 0, 0, 0, high, low] | [0, 0, 0, 0, 0xffff, 0, high, low] => Some(v4(high, low)),
        // NAT64's well-known prefix (RFC 6052).
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(v4(high, low)),
        // 6to4 (RFC 3056).
        [0x2002, high, low, ..] => Some(v4(high, low)),
        _ => None,
    }
}

/// Checks one resolved address against what a name's grant covers.
pub(crate) fn covered_by_name(endpoint: &Endpoint, address: SocketAddr) -> Result<(), Refusal> {
    match AddressClass::of(address.ip()) {
        None => Ok(()),
        Some(AddressClass::Loopback) if endpoint.host().is_localhost() => Ok(()),
        Some(class) => Err(Refusal::Class(class)),
    }
}
