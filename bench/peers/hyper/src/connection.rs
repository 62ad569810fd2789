//! One TLS connection to one server.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, HOST};
use http::{HeaderValue, Request};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::Outcome;

/// Where to connect to, whom to trust and what to show.
pub(crate) struct Server {
    address: SocketAddr,
    tls: TlsConnector,
    host: HeaderValue,
    authorization: HeaderValue,
}

impl Server {
    pub(crate) fn new(address: &str, ca: &Path, token: &Path) -> Outcome<Server> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(ca)? {
            roots.add(certificate?)?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let config = config.with_root_certificates(roots).with_no_client_auth();
        let authorization = format!("Bearer {}", fs::read_to_string(token)?.trim());
        Ok(Server {
            address: address.parse()?,
            tls: TlsConnector::from(Arc::new(config)),
            host: address.parse()?,
            authorization: authorization.parse()?,
        })
    }

    pub(crate) async fn connect(&self) -> Outcome<Connection<'_>> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let stream = self.tls.connect(ServerName::from(self.address.ip()), stream).await?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Connection { server: self, sender })
    }
}

/// Takes one request at a time.
pub(crate) struct Connection<'a> {
    server: &'a Server,
    sender: SendRequest<Empty<Bytes>>,
}

impl Connection<'_> {
    /// The body of a 200 answer.
    pub(crate) async fn get(&mut self, path: &str) -> Outcome<Incoming> {
        let request = Request::get(path)
            .header(HOST, &self.server.host)
            .header(AUTHORIZATION, &self.server.authorization)
            .header(ACCEPT, HeaderValue::from_static("application/json"))
            .body(Empty::new())?;
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        if response.status() != 200 {
            return Err(format!("{path}: {}", response.status()).into());
        }
        Ok(response.into_body())
    }
}
