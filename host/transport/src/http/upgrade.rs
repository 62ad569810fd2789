//! Asking a server for a WebSocket (RFC 6455, 4).

use aws_lc_rs::{digest, rand};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, HeaderValue, StatusCode, response};
use tidegate_kube::request::Checked;
use tokio::time::{Instant, timeout_at};

use super::client::Client;
use super::dial::Opened;
use super::head::Form;
use super::incoming::{Incoming, Wire};
use super::one::{self, Connection, Switch};
use super::secured::Offer;
use super::status;
use super::stream::Stream;
use super::tls::ClientIdentity;
use crate::credentials::Presented;
use crate::request_body::RequestBody;
use crate::tunnel::{Tunnel, drive};
use crate::{Code, Error};

/// What the server proves with that it read the key (RFC 6455, 1.3).
const PROOF: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// What came of asking.
enum Asked {
    Switched(response::Parts, Stream, Bytes),
    Refused(response::Parts, Incoming),
}

impl Client {
    /// Asks for channels in one of these protocols, over a connection of its own, which is HTTP/1.1: HTTP/2's way (RFC 8441) is spoken by no
    /// API server. A second time with a new credential, where the server does not accept the first any more.
    pub(crate) async fn upgrade(
        &self,
        checked: &Checked,
        protocols: &'static [&'static str],
    ) -> Result<Tunnel, Error> {
        let now = Instant::now();
        let deadline = now + checked.deadline();
        let key = key()?;
        let presented = self.credentials.present(now, deadline).await?;
        let mut asked = self.ask(checked, &presented, &key, protocols, deadline).await?;
        if let Asked::Refused(head, _) = &asked
            && head.status == StatusCode::UNAUTHORIZED
            && let Ok(Some(fresh)) = self.credentials.replaced(&presented, deadline).await
        {
            asked = self.ask(checked, &fresh, &key, protocols, deadline).await?;
        }
        match asked {
            Asked::Switched(head, stream, early) => {
                let protocol = agreed(&head.headers, &key, protocols)?;
                Ok(Tunnel::start(protocol, |shared| drive(stream, early, shared)))
            }
            Asked::Refused(head, _) if head.status.is_success() => {
                let (server, code) = (self.dialer.server(), head.status.as_u16());
                let text = format!("{server} answered {code}, and did not open a tunnel");
                Err(Error::new(Code::Protocol, text))
            }
            Asked::Refused(head, incoming) => Err(status::read(&head, incoming, deadline).await),
        }
    }

    async fn ask(
        &self,
        checked: &Checked,
        presented: &Presented,
        key: &HeaderValue,
        protocols: &[&str],
        deadline: Instant,
    ) -> Result<Asked, Error> {
        let connection = self.connection(presented, deadline).await?;
        let mut request =
            self.fixed.request(checked, presented.header.clone(), Form::Origin, RequestBody::Empty)?;
        let headers = request.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        headers.insert(SEC_WEBSOCKET_KEY, key.clone());
        let offered = HeaderValue::from_str(&protocols.join(", ")).map_err(|error| {
            Error::new(Code::InvalidRequest, "a protocol's name is no header value").because(error)
        })?;
        headers.insert(SEC_WEBSOCKET_PROTOCOL, offered);
        match timeout_at(deadline, connection.switch(request)).await {
            Ok(Ok(Switch::Switched(head, stream, early))) => Ok(Asked::Switched(head, stream, early)),
            Ok(Ok(Switch::Answered(response, connection))) => {
                let (head, body) = response.into_parts();
                let received = one::Received::new(body, connection, self.pool.clone()).await;
                let incoming = Incoming::new(Wire::One(received), &head)?;
                Ok(Asked::Refused(head, incoming))
            }
            Ok(Err(broken)) => Err(self.told(broken.fault)),
            Err(_) => {
                let server = self.dialer.server();
                let text = format!("{server} did not open a tunnel within the request's deadline");
                Err(Error::new(Code::Timeout, text))
            }
        }
    }

    async fn connection(&self, presented: &Presented, deadline: Instant) -> Result<Connection, Error> {
        let identity: Option<&ClientIdentity> = presented.identity.as_deref();
        match self.dialer.dial(identity, Offer::Switch, deadline).await? {
            Opened::One(connection) => Ok(connection),
            Opened::Two(_) => {
                let text = format!("{} chose HTTP/2, which was not offered", self.dialer.server());
                Err(Error::new(Code::Protocol, text))
            }
        }
    }
}

/// Whether the server switched to what was asked for; which protocol it chose.
fn agreed(
    headers: &HeaderMap,
    key: &HeaderValue,
    protocols: &'static [&'static str],
) -> Result<&'static str, Error> {
    let is = |name, value: &[u8]| {
        headers.get(name).is_some_and(|header| header.as_bytes().trim_ascii().eq_ignore_ascii_case(value))
    };
    let refused = |text| Err(Error::new(Code::Protocol, text));
    if !is(UPGRADE, b"websocket") {
        return refused("the server switched to another protocol than WebSocket, which was asked for");
    }
    let proof = proof(key);
    if headers.get(SEC_WEBSOCKET_ACCEPT).is_none_or(|accept| accept.as_bytes() != proof.as_bytes()) {
        return refused(
            "the server's agreement to a WebSocket is not for our request (Sec-WebSocket-Accept)",
        );
    }
    if headers
        .get_all(SEC_WEBSOCKET_EXTENSIONS)
        .iter()
        .any(|header| !header.as_bytes().trim_ascii().is_empty())
    {
        return refused("the server wants a WebSocket extension, and none was offered");
    }
    let mut chosen = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
    match (chosen.next(), chosen.next()) {
        (Some(name), None) => match protocols.iter().find(|known| known.as_bytes() == name.as_bytes()) {
            Some(protocol) => Ok(protocol),
            None => refused("the server chose a protocol for its channels that was not offered"),
        },
        _ => refused(
            "the server knows none of the protocols for channels; it may be older than Kubernetes 1.9",
        ),
    }
}

fn key() -> Result<HeaderValue, Error> {
    let no_randomness = "the operating system gives no randomness for a WebSocket's key";
    let mut nonce = [0; 16];
    rand::fill(&mut nonce).map_err(|error| Error::new(Code::Protocol, no_randomness).because(error))?;
    HeaderValue::from_str(&STANDARD.encode(nonce))
        .map_err(|error| Error::new(Code::Protocol, no_randomness).because(error))
}

fn proof(key: &HeaderValue) -> String {
    let mut sha = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    sha.update(key.as_bytes());
    sha.update(PROOF);
    STANDARD.encode(sha.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFERED: &[&str] = &["v5.channel.k8s.io", "v4.channel.k8s.io"];

    /// The key and the proof of RFC 6455, 1.3.
    const KEY: HeaderValue = HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ==");

    #[test]
    fn a_server_agrees_to_what_was_asked_or_not_at_all() {
        let good = [
            ("upgrade", "WebSocket"),
            ("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
            ("sec-websocket-protocol", "v4.channel.k8s.io"),
        ];
        let with = |name: &'static str, value: &'static str| {
            let mut headers: Vec<_> = good.into_iter().filter(|(other, _)| *other != name).collect();
            headers.push((name, value));
            headers
        };
        let without = |name: &str| good.into_iter().filter(|(other, _)| *other != name).collect::<Vec<_>>();
        for (headers, expected) in [
            (good.to_vec(), Ok("v4.channel.k8s.io")),
            (with("sec-websocket-protocol", "v5.channel.k8s.io"), Ok("v5.channel.k8s.io")),
            (with("sec-websocket-extensions", ""), Ok("v4.channel.k8s.io")),
            (with("upgrade", "SPDY/3.1"), Err("another protocol")),
            (without("upgrade"), Err("another protocol")),
            (with("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo"), Err("not for our request")),
            (without("sec-websocket-accept"), Err("not for our request")),
            (with("sec-websocket-extensions", "permessage-deflate"), Err("extension")),
            (with("sec-websocket-protocol", "v3.channel.k8s.io"), Err("was not offered")),
            (with("sec-websocket-protocol", ""), Err("was not offered")),
            (
                [good.to_vec(), vec![("sec-websocket-protocol", "v5.channel.k8s.io")]].concat(),
                Err("knows none"),
            ),
            (without("sec-websocket-protocol"), Err("knows none")),
        ] {
            let mut map = HeaderMap::new();
            for &(name, value) in &headers {
                map.append(name, HeaderValue::from_static(value));
            }
            match (agreed(&map, &KEY, OFFERED), expected) {
                (Ok(protocol), Ok(expected)) => assert_eq!(protocol, expected, "{headers:?}"),
                (Err(error), Err(words)) => {
                    assert_eq!(error.code(), Code::Protocol);
                    assert!(error.to_string().contains(words), "{error}");
                }
                (found, _) => panic!("{headers:?}: {found:?}"),
            }
        }
    }

    #[test]
    fn keys_are_sixteen_bytes_and_never_the_same() {
        let [one, two] = [key().expect("a key"), key().expect("a key")];
        assert_ne!(one, two);
        assert_eq!(STANDARD.decode(one.as_bytes()).expect("base64").len(), 16);
    }
}
