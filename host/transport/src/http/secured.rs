use std::sync::{Arc, Mutex, PoisonError};

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tidegate_grants::Endpoint;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;

use super::fault;
use super::gathered::Gathered;
use super::stream::Io;
use super::tls::{ClientIdentity, Tls, client_config, proxy_config, with_identity};
use crate::{Code, Error};

const HTTP_2: &[u8] = b"h2";
const HTTP_1: &[u8] = b"http/1.1";

/// TLS over some connection.
pub(super) type TlsStream = tokio_rustls::client::TlsStream<Gathered>;

/// Which protocols are offered to a server, which chooses one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offer {
    /// HTTP/2, and HTTP/1.1 besides.
    Both,
    /// HTTP/1.1 alone: for a server that will not answer over HTTP/2.
    OneOnly,
    /// HTTP/1.1 alone, for a request that asks for another protocol.
    Switch,
}

/// TLS to one server or proxy.
pub(super) struct Secured {
    /// Without a client certificate.
    config: Arc<ClientConfig>,
    /// With the client certificate that was dialled with last.
    latest: Mutex<Option<(u64, Arc<ClientConfig>)>>,
    name: ServerName<'static>,
}

impl Secured {
    /// Errors: a configuration that cannot work.
    pub(super) fn for_server(server: &Endpoint, tls: &Tls) -> Result<Secured, Error> {
        let mut config = client_config(tls)?;
        config.alpn_protocols = vec![HTTP_2.to_vec(), HTTP_1.to_vec()];
        let name = match &tls.server_name {
            Some(name) => name.clone(),
            None => bare(server),
        };
        Secured::new(config, name, "tls-server-name")
    }

    /// Errors: a configuration that cannot work.
    pub(super) fn for_proxy(proxy: &Endpoint, tls: Option<&Tls>) -> Result<Secured, Error> {
        let mut config = proxy_config(tls)?;
        config.alpn_protocols = vec![HTTP_1.to_vec()];
        Secured::new(config, bare(proxy), "the proxy's host")
    }

    fn new(config: ClientConfig, name: String, what: &str) -> Result<Secured, Error> {
        let name = ServerName::try_from(name).map_err(|error| {
            Error::new(Code::Tls, format!("{what} is neither a DNS name nor an address")).because(error)
        })?;
        Ok(Secured { config: Arc::new(config), latest: Mutex::new(None), name })
    }

    /// What the certificate is checked for.
    pub(super) fn name(&self) -> String {
        self.name.to_str().into_owned()
    }

    /// `who` is the peer, for people.
    pub(super) async fn handshake(
        &self,
        identity: Option<&ClientIdentity>,
        offer: Offer,
        io: Io,
        who: &str,
        deadline: Instant,
    ) -> Result<TlsStream, Error> {
        let io = Gathered::new(io);
        let handshake = TlsConnector::from(self.config(identity, offer)).connect(self.name.clone(), io);
        match timeout_at(deadline, handshake).await {
            Ok(Ok(mut stream)) => {
                stream.get_mut().0.begun();
                Ok(stream)
            }
            Ok(Err(error)) => Err(fault::in_handshake(error, who, &self.name())),
            Err(_) => {
                let text = format!("{who} did not finish the TLS handshake within the deadline");
                Err(Error::new(Code::Timeout, text))
            }
        }
    }

    fn config(&self, identity: Option<&ClientIdentity>, offer: Offer) -> Arc<ClientConfig> {
        let config = self.identified(identity);
        match offer {
            Offer::Both => config,
            Offer::OneOnly | Offer::Switch => {
                let mut config = ClientConfig::clone(&config);
                config.alpn_protocols = vec![HTTP_1.to_vec()];
                Arc::new(config)
            }
        }
    }

    /// Made once for each certificate: those that were replaced are not needed again.
    fn identified(&self, identity: Option<&ClientIdentity>) -> Arc<ClientConfig> {
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

/// Whether the server chose HTTP/2.
pub(super) fn chose_two(stream: &TlsStream) -> bool {
    stream.get_ref().1.alpn_protocol() == Some(HTTP_2)
}

/// Without brackets, as certificates have it.
fn bare(endpoint: &Endpoint) -> String {
    endpoint.host().to_string().trim_matches(['[', ']']).to_owned()
}
