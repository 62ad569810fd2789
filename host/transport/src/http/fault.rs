//! What went wrong on a connection, in the words and codes of this crate.

use std::error::Error as StdError;
use std::io;

use rustls::CertificateError;

use super::one::MAX_HEAD;
use super::stream::Meter;
use crate::request_body::RequestBody;
use crate::{Code, Error};

/// A request that got no response.
pub(super) struct Broken {
    pub(super) fault: Fault,
    pub(super) progress: Progress,
    /// The request's body, where nothing of it was taken.
    pub(super) body: Option<RequestBody>,
}

/// How far a request came before it broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// Not a byte of it was written: any request can be sent again.
    Unsent,
    /// The server says that it did nothing with it: any request can be sent again.
    Refused,
    /// It was written at least in part, and nothing came back: only what changes nothing can be sent again.
    Unanswered,
    /// The response had begun.
    Answered,
}

/// What went wrong on a connection.
#[derive(Debug)]
pub(super) enum Fault {
    /// Over HTTP/1.1.
    One(hyper::Error),
    /// Over HTTP/2.
    Two(h2::Error),
    /// Below HTTP/2, whose errors do not say it.
    Tls(rustls::Error),
    /// The server answered nothing any more, not even a ping.
    Silent,
    /// So many interim responses (1xx) came before the answer that nobody waits for it.
    Interim(&'static str),
    /// On our side: a request body that was dropped unfinished.
    Own(Error),
}

impl Fault {
    /// What a connection that this error ended really died of.
    pub(super) fn two(error: h2::Error, meter: &Meter) -> Fault {
        match meter.tls_error() {
            Some(error) => Fault::Tls(error),
            None => Fault::Two(error),
        }
    }

    /// Whether the server said that it did not and will not look at the request (RFC 9113, 8.7).
    pub(super) fn is_refusal(&self) -> bool {
        let Fault::Two(error) = self else { return false };
        error.is_remote()
            && (error.is_go_away() || error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM))
    }

    /// Whether the server wants this request over HTTP/1.1.
    pub(super) fn wants_one(&self) -> bool {
        let Fault::Two(error) = self else { return false };
        error.is_remote() && error.reason() == Some(h2::Reason::HTTP_1_1_REQUIRED)
    }
}

/// A handshake that failed, or TLS that failed later; `name` is what the certificate was checked for.
pub(super) fn in_handshake(error: io::Error, server: &str, name: &str) -> Error {
    match tls_error(&error) {
        Some(tls) => in_tls(tls, server, name),
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            Error::new(Code::Tls, format!("{server} closed the connection during the TLS handshake"))
        }
        None => Error::new(Code::Tls, format!("TLS handshake with {server}")).because(error),
    }
}

/// A request that got no response; `name` is what the certificate was checked for.
pub(super) fn in_exchange(fault: Fault, server: &str, name: &str) -> Error {
    match fault {
        Fault::One(error) => in_one(error, server, name),
        Fault::Two(error) => in_two(error, server),
        Fault::Tls(error) => in_tls(&error, server, name),
        Fault::Silent => silent(server),
        Fault::Interim(cap) => {
            let text =
                format!("{server} sent more than {cap} interim responses (1xx) before an answer, the cap");
            Error::new(Code::TooLarge, text)
        }
        Fault::Own(error) => error,
    }
}

fn in_one(error: hyper::Error, server: &str, name: &str) -> Error {
    if let Some(own) = own(&error) {
        return own;
    }
    if let Some(tls) = tls_error(&error) {
        return in_tls(tls, server, name);
    }
    // hyper has a question for this with its server half only.
    if error.is_parse() && error.to_string() == "message head is too large" {
        let text = format!("the response's head is larger than {MAX_HEAD} bytes or 100 headers, the cap");
        return Error::new(Code::TooLarge, text);
    }
    if error.is_parse() {
        return Error::new(Code::Protocol, format!("{server} does not answer in HTTP/1.1")).because(error);
    }
    Error::new(Code::Unreachable, format!("{server} closed the connection before it answered")).because(error)
}

fn in_two(error: h2::Error, server: &str) -> Error {
    // h2 has no other word for a head over the size that it was told.
    let ours = error.is_library() && error.reason().is_some();
    if ours && (error.is_reset() || error.reason() == Some(h2::Reason::ENHANCE_YOUR_CALM)) {
        let text = format!("the response's head is malformed, or larger than {MAX_HEAD} bytes, the cap");
        return Error::new(Code::TooLarge, text).because(error);
    }
    if ours {
        return Error::new(Code::Protocol, format!("{server} does not answer in HTTP/2")).because(error);
    }
    let text = match error.is_reset() {
        true => format!("{server} gave the request up before it answered"),
        false => format!("{server} closed the connection before it answered"),
    };
    Error::new(Code::Unreachable, text).because(error)
}

fn silent(server: &str) -> Error {
    let text = format!("{server} has not said anything for 45 s, not even in answer to a ping");
    Error::new(Code::Timeout, text)
}

fn interim(server: &str, cap: &str) -> Error {
    let text = format!("{server} sent more than {cap} interim responses (1xx) before an answer, the cap");
    Error::new(Code::TooLarge, text)
}

/// A body that broke after `read` bytes.
pub(super) fn in_body(fault: Fault, read: u64) -> Error {
    let error: Box<dyn StdError + Send + Sync> = match fault {
        Fault::One(error) => match own(&error) {
            Some(own) => return own,
            None => error.into(),
        },
        Fault::Own(error) => return error,
        Fault::Silent => return silent("the server"),
        Fault::Interim(cap) => return interim("the server", cap),
        Fault::Two(error) => error.into(),
        Fault::Tls(error) => error.into(),
    };
    let text = format!("the response's body was cut short or malformed after {read} bytes");
    Error::new(Code::Protocol, text).because(error)
}

/// The error of a request body that was dropped unfinished went through hyper and comes back.
fn own(error: &hyper::Error) -> Option<Error> {
    chain(error).find_map(|source| source.downcast_ref::<Error>()).cloned()
}

fn tls_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a rustls::Error> {
    chain(error).find_map(|source| match source.downcast_ref::<io::Error>() {
        // io::Error skips what it wraps in its own `source`.
        Some(io) => io.get_ref()?.downcast_ref::<rustls::Error>(),
        None => source.downcast_ref::<rustls::Error>(),
    })
}

fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

fn in_tls(error: &rustls::Error, server: &str, name: &str) -> Error {
    let text = match error {
        rustls::Error::InvalidCertificate(certificate) => return in_certificate(certificate, server, name),
        rustls::Error::NoCertificatesPresented => format!("{server} shows no certificate"),
        rustls::Error::AlertReceived(alert) => format!(
            "{server} broke TLS off with the alert {alert:?}; it may want another client certificate or TLS version"
        ),
        rustls::Error::InvalidMessage(_) | rustls::Error::InappropriateMessage { .. } => {
            format!("{server} does not answer in TLS; if it speaks plain HTTP, write http:// in its URL")
        }
        _ => format!("TLS with {server} failed"),
    };
    Error::new(Code::Tls, text).because(error.clone())
}

fn in_certificate(error: &CertificateError, server: &str, name: &str) -> Error {
    use CertificateError as E;
    let text = match error {
        E::UnknownIssuer | E::BadSignature => format!(
            "the certificate of {server} is signed by nobody who is trusted here; \
             give its authority as certificate-authority (a service account's ca.crt)"
        ),
        E::Expired | E::ExpiredContext { .. } => {
            format!(
                "the certificate of {server} has expired; renew it on the server, or set this machine's clock"
            )
        }
        E::NotValidYet | E::NotValidYetContext { .. } => {
            format!("the certificate of {server} is not valid yet; set this machine's clock")
        }
        E::NotValidForName | E::NotValidForNameContext { .. } => {
            let presented = presented(error);
            format!(
                "the certificate of {server} is not for {name:?}{presented}; \
                 set tls-server-name to a name that it is for"
            )
        }
        E::Revoked => format!("the certificate of {server} is revoked"),
        E::InvalidPurpose | E::InvalidPurposeContext { .. } => {
            format!("the certificate of {server} is not one for servers")
        }
        E::Other(other) if other.0.downcast_ref() == Some(&webpki::Error::CaUsedAsEndEntity) => format!(
            "the certificate of {server} is an authority's own, which is believed only where it is given itself; \
             give it as certificate-authority"
        ),
        _ => format!("the certificate of {server} is refused"),
    };
    Error::new(Code::Tls, text).because(rustls::Error::InvalidCertificate(error.clone()))
}

/// The names that a certificate is for, as many as people read.
fn presented(error: &CertificateError) -> String {
    let CertificateError::NotValidForNameContext { presented, .. } = error else { return String::new() };
    match presented.len() {
        0 => " (it names nothing)".to_owned(),
        n if n <= 8 => format!(" but for {}", presented.join(", ")),
        n => format!(" but for {} and {} others", presented[..8].join(", "), n - 8),
    }
}
