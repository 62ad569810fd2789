use tidegate_authority::{ConnectError, NetGrant};
use tidegate_grants::Endpoint;
use tokio::time::Instant;

use super::fault;
use super::one::Connection;
use super::proxy::{Route, Want};
use super::secured::{Offer, Secured, chose_two};
use super::session::Session;
use super::stream::Io;
use super::tls::{ClientIdentity, Tls};
use crate::{Code, Error};

/// Opens connections to one server.
pub(crate) struct Dialer {
    /// The right to the server: where a proxy stands between, to have it connect there.
    net: NetGrant,
    route: Route,
    tls: Option<Secured>,
    user_agent: String,
}

/// A new connection, by what the server chose to speak.
pub(super) enum Opened {
    One(Connection),
    Two(Session),
}

impl Dialer {
    /// Plain HTTP where `tls` is none. `user_agent` is for proxies. Errors: those of a TLS configuration that cannot work.
    pub(crate) fn new(
        net: NetGrant,
        route: Route,
        tls: Option<&Tls>,
        user_agent: &str,
    ) -> Result<Dialer, Error> {
        let tls = tls.map(|tls| Secured::for_server(net.endpoint(), tls)).transpose()?;
        Ok(Dialer { net, route, tls, user_agent: user_agent.to_owned() })
    }

    /// The proxy that requests are handed to one by one.
    pub(super) fn forwarder(&self) -> Option<&super::proxy::Proxy> {
        match &self.route {
            Route::Proxy(proxy) if self.tls.is_none() && proxy.forwards() => Some(proxy),
            _ => None,
        }
    }

    /// Whether there is a choice between protocols.
    pub(super) fn is_secured(&self) -> bool {
        self.tls.is_some()
    }

    /// `host:port`, for people.
    pub(super) fn server(&self) -> String {
        self.net.endpoint().to_string()
    }

    /// What the server's certificate is checked for.
    pub(super) fn name(&self) -> String {
        match &self.tls {
            Some(secured) => secured.name(),
            None => self.net.endpoint().host().to_string(),
        }
    }

    /// `identity` is the client certificate to connect with.
    pub(super) async fn dial(
        &self,
        identity: Option<&ClientIdentity>,
        offer: Offer,
        deadline: Instant,
    ) -> Result<Opened, Error> {
        // Proxies that pass requests on one by one pass no other protocol on.
        let want = match offer {
            Offer::Switch => Want::Tunnel,
            Offer::Both | Offer::OneOnly if self.tls.is_some() => Want::Tunnel,
            Offer::Both | Offer::OneOnly => Want::Forwarding,
        };
        let io = self.reach(want, deadline).await?;
        let id = identity.map(ClientIdentity::id);
        let opened = match &self.tls {
            None => Connection::open(io, id).await.map(Opened::One),
            Some(secured) => {
                let stream = secured.handshake(identity, offer, io, &self.server(), deadline).await?;
                match chose_two(&stream) {
                    true => Session::open(Box::new(stream), id).await.map(Opened::Two),
                    false => Connection::open(Box::new(stream), id).await.map(Opened::One),
                }
            }
        };
        opened.map_err(|error| fault::in_exchange(error, &self.server(), &self.name()))
    }

    /// The bytes' way to the server.
    async fn reach(&self, want: Want, deadline: Instant) -> Result<Io, Error> {
        match &self.route {
            Route::Direct => match self.net.connect(deadline).await {
                Ok(tcp) => Ok(Box::new(tcp)),
                Err(error) => Err(not_connected(error, "the server")),
            },
            Route::Proxy(proxy) => proxy.open(self.target(), want, &self.user_agent, deadline).await,
        }
    }

    fn target(&self) -> &Endpoint {
        self.net.endpoint()
    }
}

/// `what` is what was dialled.
pub(super) fn not_connected(error: ConnectError, what: &str) -> Error {
    if error.is_refused() {
        // The name was granted, and what it resolved to is not.
        return Error::denied(error.to_string(), error.missing());
    }
    let (code, text) = match error.is_timeout() {
        true => (Code::Timeout, "did not take the connection within the deadline"),
        false => (Code::Unreachable, "cannot be reached"),
    };
    Error::new(code, format!("{what} {text}")).because(error)
}
