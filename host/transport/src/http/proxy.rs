//! Proxies between us and a server: `proxy-url`, and `HTTPS_PROXY` and its like.
//!
//! What they say is parsed by machines that know no sockets; [`open`](Proxy::open) moves the bytes.

mod answer;
mod environment;
mod open;
mod socks;
mod url;

use http::HeaderValue;
use tidegate_authority::NetGrant;

pub(crate) use environment::{Environment, PROXY_VARIABLES};
pub(super) use open::Want;
pub(crate) use url::ProxyUrl;

use super::secured::Secured;
use super::tls::Tls;
use crate::Error;
use url::{Scheme, User};

/// The way to a server.
pub(crate) enum Route {
    /// To its own address.
    Direct,
    /// Through somebody else, who looks its name up himself.
    Proxy(Proxy),
}

/// A proxy that may be used.
pub(crate) struct Proxy {
    net: NetGrant,
    speaks: Speaks,
    user: Option<User>,
}

enum Speaks {
    Http,
    Https(Box<Secured>),
    Socks,
}

impl Proxy {
    /// `net` is the grant for [`ProxyUrl::endpoint`]; `tls` is how the server behind it is believed, and for a proxy with TLS the
    /// proxy is believed likewise, as in client-go, but by its own name and without a client certificate.
    ///
    /// Errors: those of a TLS configuration that cannot work.
    pub(crate) fn new(net: NetGrant, url: ProxyUrl, tls: Option<&Tls>) -> Result<Proxy, Error> {
        let speaks = match url.scheme {
            Scheme::Http => Speaks::Http,
            Scheme::Socks5 => Speaks::Socks,
            Scheme::Https => Speaks::Https(Box::new(Secured::for_proxy(net.endpoint(), tls)?)),
        };
        Ok(Proxy { net, speaks, user: url.user })
    }

    /// `Proxy-Authorization`, for requests that the proxy passes on one by one.
    pub(super) fn authorization(&self) -> Option<HeaderValue> {
        self.user.as_ref().map(User::basic)
    }

    /// Whether requests to a server without TLS are handed to the proxy one by one; a SOCKS5 proxy does not look at them.
    pub(super) fn forwards(&self) -> bool {
        !matches!(self.speaks, Speaks::Socks)
    }

    /// For people, without user and password.
    fn shown(&self) -> String {
        format!("the proxy {}", self.net.endpoint())
    }
}
