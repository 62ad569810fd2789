use std::sync::{Arc, Mutex, PoisonError};

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tidegate_authority::{ConnectError, NetGrant, TcpStream};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;

use super::connection::Connection;
use super::fault;
use super::stream::Io;
use super::tls::{ClientIdentity, Tls, client_config, with_identity};
use crate::{Code, Error};

/// Opens connections to one server.
pub(crate) struct Dialer {
    net: NetGrant,
    tls: Option<Secured>,
}

struct Secured {
    /// Without a client certificate.
    config: Arc<ClientConfig>,
    /// With the client certificate that was dialled with last.
    latest: Mutex<Option<(u64, Arc<ClientConfig>)>>,
    name: ServerName<'static>,
}

impl Dialer {
    /// Plain HTTP where `tls` is none. Errors: those of a TLS configuration that cannot work.
    pub(crate) fn new(net: NetGrant, tls: Option<&Tls>) -> Result<Dialer, Error> {
        let tls = tls.map(|tls| Secured::new(&net, tls)).transpose()?;
        Ok(Dialer { net, tls })
    }

    /// `host:port`, for people.
    pub(super) fn server(&self) -> String {
        self.net.endpoint().to_string()
    }

    /// What the server's certificate is checked for.
    pub(super) fn name(&self) -> String {
        match &self.tls {
            Some(secured) => secured.name.to_str().into_owned(),
            None => self.net.endpoint().host().to_string(),
        }
    }

    /// `identity` is the client certificate to connect with.
    pub(super) async fn dial(
        &self,
        identity: Option<&ClientIdentity>,
        deadline: Instant,
    ) -> Result<Connection, Error> {
        let tcp = self.net.connect(deadline).await.map_err(not_connected)?;
        let io = match &self.tls {
            None => Io::Plain(tcp),
            Some(secured) => self.handshake(secured, identity, tcp, deadline).await?,
        };
        let opened = Connection::open(io, identity.map(ClientIdentity::id)).await;
        opened.map_err(|error| fault::in_exchange(error, &self.server(), &self.name()))
    }

    async fn handshake(
        &self,
        secured: &Secured,
        identity: Option<&ClientIdentity>,
        tcp: TcpStream,
        deadline: Instant,
    ) -> Result<Io, Error> {
        let handshake = TlsConnector::from(secured.config(identity)).connect(secured.name.clone(), tcp);
        match timeout_at(deadline, handshake).await {
            Ok(Ok(stream)) => Ok(Io::Tls(Box::new(stream))),
            Ok(Err(error)) => Err(fault::in_handshake(error, &self.server(), &self.name())),
            Err(_) => {
                let text = format!("{} did not finish the TLS handshake within the deadline", self.server());
                Err(Error::new(Code::Timeout, text))
            }
        }
    }
}

fn not_connected(error: ConnectError) -> Error {
    if error.is_refused() {
        // The name was granted, and what it resolved to is not.
        return Error::denied(error.to_string(), error.missing());
    }
    let (code, text) = match error.is_timeout() {
        true => (Code::Timeout, "the server did not take the connection within the deadline"),
        false => (Code::Unreachable, "the server cannot be reached"),
    };
    Error::new(code, text).because(error)
}

impl Secured {
    fn new(net: &NetGrant, tls: &Tls) -> Result<Secured, Error> {
        let config = Arc::new(client_config(tls)?);
        let name = match &tls.server_name {
            Some(name) => name.clone(),
            // Without brackets, as certificates have it.
            None => net.endpoint().host().to_string().trim_matches(['[', ']']).to_owned(),
        };
        let name = ServerName::try_from(name).map_err(|error| {
            Error::new(Code::Tls, "tls-server-name is neither a DNS name nor an address").because(error)
        })?;
        Ok(Secured { config, latest: Mutex::new(None), name })
    }

    /// Made once for each certificate: those that were replaced are not needed again.
    fn config(&self, identity: Option<&ClientIdentity>) -> Arc<ClientConfig> {
        let Some(identity) = identity else { return self.config.clone() };
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        match &*latest {
            Some((id, config)) if *id == identity.id() => config.clone(),
            _ => {
                let config = Arc::new(with_identity(&self.config, identity));
                *latest = Some((identity.id(), config.clone()));
                config
            }
        }
    }
}
