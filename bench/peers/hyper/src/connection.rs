//! TLS connections to one server.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::Outcome;

/// Which HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// A connection takes one request at a time.
    One,
    /// Requests share a connection.
    Two,
}

/// Where to connect to, whom to trust and what to show.
pub(crate) struct Server {
    address: SocketAddr,
    version: Version,
    tls: TlsConnector,
    host: HeaderValue,
    authorization: HeaderValue,
}

impl Server {
    pub(crate) fn new(version: Version, address: &str, ca: &Path, token: &Path) -> Outcome<Server> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(ca)? {
            roots.add(certificate?)?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let mut config = config.with_root_certificates(roots).with_no_client_auth();
        if version == Version::Two {
            config.alpn_protocols = vec![b"h2".to_vec()];
        }
        let authorization = format!("Bearer {}", fs::read_to_string(token)?.trim());
        Ok(Server {
            address: address.parse()?,
            version,
            tls: TlsConnector::from(Arc::new(config)),
            host: address.parse()?,
            authorization: authorization.parse()?,
        })
    }

    pub(crate) async fn connect(&self) -> Outcome<Connection<'_>> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let stream = self.tls.connect(ServerName::from(self.address.ip()), stream).await?;
        let sender = match self.version {
            Version::One => {
                let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
                tokio::spawn(connection);
                Sender::One(sender)
            }
            Version::Two => {
                let opened = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
                let (sender, connection) = opened?;
                tokio::spawn(connection);
                Sender::Two(sender)
            }
        };
        Ok(Connection { server: self, sender })
    }

    /// Whether requests share connections.
    pub(crate) fn shares(&self) -> bool {
        self.version == Version::Two
    }
}

/// Takes requests.
pub(crate) struct Connection<'a> {
    server: &'a Server,
    sender: Sender,
}

type Body = Full<Bytes>;

enum Sender {
    One(http1::SendRequest<Body>),
    Two(http2::SendRequest<Body>),
}

impl<'a> Connection<'a> {
    /// Another user of it, where it can be shared.
    pub(crate) fn share(&self) -> Option<Connection<'a>> {
        match &self.sender {
            Sender::One(_) => None,
            Sender::Two(sender) => {
                Some(Connection { server: self.server, sender: Sender::Two(sender.clone()) })
            }
        }
    }

    /// The body of a 200 answer.
    pub(crate) async fn get(&mut self, path: &str) -> Outcome<Incoming> {
        let response = self.send(Method::GET, path, String::new()).await?;
        if response.status() != 200 {
            return Err(format!("{path}: {}", response.status()).into());
        }
        Ok(response.into_body())
    }

    /// Sends a body, JSON where it is not empty.
    pub(crate) async fn send(
        &mut self,
        method: Method,
        path: &str,
        body: String,
    ) -> Outcome<Response<Incoming>> {
        let server = self.server;
        let target = match &self.sender {
            Sender::One(_) => path.to_owned(),
            Sender::Two(_) => format!("https://{}{path}", server.address),
        };
        let mut request = Request::builder().method(method).uri(target);
        request = request
            .header(AUTHORIZATION, &server.authorization)
            .header(ACCEPT, HeaderValue::from_static("application/json"));
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        match &mut self.sender {
            Sender::One(sender) => {
                let request = request.header(HOST, &server.host).body(Full::from(body))?;
                sender.ready().await?;
                Ok(sender.send_request(request).await?)
            }
            Sender::Two(sender) => {
                let request = request.body(Full::from(body))?;
                sender.ready().await?;
                Ok(sender.send_request(request).await?)
            }
        }
    }
}
