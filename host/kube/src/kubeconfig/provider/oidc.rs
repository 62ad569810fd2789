//! `auth-provider: oidc`: an ID token, and how another one is had from its issuer (OpenID Connect Discovery 1.0; RFC 6749, 6).

use std::fmt::Write as _;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::kubeconfig::Source;
use crate::kubeconfig::decode::base64;
use crate::kubeconfig::schema::AuthProvider;
use crate::kubeconfig::server::{Scheme, Server, ServerError};
use crate::{Secret, jwt};

/// The provider's `config`.
#[derive(Debug, Clone)]
pub struct Oidc {
    /// `idp-issuer-url`.
    pub issuer: Server,
    /// `idp-certificate-authority` or its `-data`; the system's certificates where `None`.
    pub ca: Option<Source>,
    /// `id-token`.
    pub id_token: Option<Secret>,
    /// `refresh-token`.
    pub refresh_token: Option<Secret>,
    client_id: String,
    client_secret: Secret,
}

/// Why there is no token. What an issuer said is not in the message, but for its error's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Invalid {
    /// `config` lacks this. client-go's words.
    #[error("Must provide {0}")]
    Missing(&'static str),
    /// A URL cannot be used; `0` says whose.
    #[error("{0} cannot be used")]
    Url(&'static str, #[source] ServerError),
    /// Tokens would go over it in the clear. Stricter than client-go.
    #[error("{0} is no https:// URL; a refresh token is not sent in the clear")]
    Plain(&'static str),
    /// `idp-certificate-authority-data` is no base64.
    #[error("idp-certificate-authority-data is not base64")]
    Base64,
    /// The discovery document is no JSON object.
    #[error("oidc: failed to decode provider discovery object")]
    Discovery,
    /// client-go's words.
    #[error("oidc: discovery object doesn't contain a token_endpoint")]
    NoTokenEndpoint,
    /// The answer is no JSON object.
    #[error("the issuer's answer to the refresh is no JSON object")]
    Answer,
    /// client-go's words.
    #[error(
        "token response did not contain an id_token, either the scope \"openid\" wasn't requested upon login, \
         or the provider doesn't support id_tokens as part of the refresh response"
    )]
    NoIdToken,
    /// The new ID token is none.
    #[error("the issuer's new ID token cannot be used")]
    Token(#[source] jwt::Invalid),
}

/// How a client names itself to the issuer. As Go's oauth2: the header is tried first, then the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientBy {
    /// `Authorization: Basic`.
    Header,
    /// Fields of the form.
    Form,
}

/// What a refresh gave.
#[derive(Debug)]
pub struct Refreshed {
    /// The new ID token.
    pub id_token: Secret,
    /// When it ends; `None` where it does not say, which counts as over.
    pub expires: Option<SystemTime>,
    /// Where the issuer gave another one, the old one is good no more.
    pub refresh_token: Option<Secret>,
}

impl Oidc {
    /// Errors: [`Invalid::Missing`], [`Invalid::Url`], [`Invalid::Plain`], [`Invalid::Base64`].
    pub fn of(provider: &AuthProvider) -> Result<Oidc, Invalid> {
        const ISSUER: &str = "idp-issuer-url";
        let text = |name: &str| provider.given(name).map(|value| value.expose().clone());
        let issuer = text(ISSUER).ok_or(Invalid::Missing(ISSUER))?;
        let client_id = text("client-id").ok_or(Invalid::Missing("client-id"))?;
        let ca = match provider.given("idp-certificate-authority-data") {
            Some(data) => Some(Source::Inline(Secret::new(base64(data.expose()).ok_or(Invalid::Base64)?))),
            None => text("idp-certificate-authority").map(|path| Source::File(path.into())),
        };
        Ok(Oidc {
            issuer: secure(&issuer, ISSUER)?,
            ca,
            id_token: provider.given("id-token").cloned(),
            refresh_token: provider.given("refresh-token").cloned(),
            client_id,
            client_secret: provider.given("client-secret").cloned().unwrap_or_default(),
        })
    }

    /// The path of the discovery document at the issuer.
    pub fn discovery_path(&self) -> String {
        format!("{}/.well-known/openid-configuration", self.issuer.prefix())
    }

    /// The form that asks for a new ID token (`application/x-www-form-urlencoded`), and the `Authorization` header.
    pub fn refresh(&self, refresh_token: &Secret, by: ClientBy) -> (Secret, Option<Secret>) {
        let escaped = |text: &str| Secret::new(escaped(text));
        let (id, secret) = (escaped(&self.client_id), escaped(self.client_secret.expose()));
        let token = escaped(refresh_token.expose());
        let grant = format!("grant_type=refresh_token&refresh_token={}", token.expose());
        match by {
            ClientBy::Header => {
                let pair = Secret::new(format!("{}:{}", id.expose(), secret.expose()));
                let header = Secret::new(format!("Basic {}", STANDARD.encode(pair.expose())));
                (Secret::new(grant), Some(header))
            }
            ClientBy::Form if secret.expose().is_empty() => {
                (Secret::new(format!("client_id={}&{grant}", id.expose())), None)
            }
            ClientBy::Form => {
                let form = format!("client_id={}&client_secret={}&{grant}", id.expose(), secret.expose());
                (Secret::new(form), None)
            }
        }
    }
}

/// Where tokens are refreshed, by the discovery document.
///
/// Errors: [`Invalid::Discovery`], [`Invalid::NoTokenEndpoint`], [`Invalid::Url`], [`Invalid::Plain`].
pub fn token_endpoint(document: &[u8]) -> Result<Server, Invalid> {
    #[derive(Deserialize)]
    struct Discovery {
        #[serde(default)]
        token_endpoint: Option<String>,
    }
    let discovery: Discovery = serde_json::from_slice(document).map_err(|_| Invalid::Discovery)?;
    let url = discovery.token_endpoint.filter(|url| !url.is_empty()).ok_or(Invalid::NoTokenEndpoint)?;
    secure(&url, "the token_endpoint of the issuer")
}

/// Reads the issuer's answer. Errors: [`Invalid::Answer`], [`Invalid::NoIdToken`], [`Invalid::Token`].
pub fn refreshed(answer: &[u8]) -> Result<Refreshed, Invalid> {
    #[derive(Deserialize)]
    struct Answer {
        id_token: Option<String>,
        refresh_token: Option<String>,
    }
    let answer: Answer = serde_json::from_slice(answer).map_err(|_| Invalid::Answer)?;
    let given = |token: Option<String>| token.filter(|token| !token.is_empty()).map(Secret::new);
    let (id_token, refresh_token) = (given(answer.id_token), given(answer.refresh_token));
    let id_token = id_token.ok_or(Invalid::NoIdToken)?;
    let expires = jwt::expiry(id_token.expose()).map_err(Invalid::Token)?;
    Ok(Refreshed { id_token, expires, refresh_token })
}

/// The name of an issuer's error (RFC 6749, 5.2: `invalid_grant`), where it is one.
pub fn error_name(answer: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Answer {
        error: String,
    }
    let error = serde_json::from_slice::<Answer>(answer).ok()?.error;
    let plain = error.len() <= 64 && error.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    Some(error).filter(|_| plain)
}

fn secure(url: &str, whose: &'static str) -> Result<Server, Invalid> {
    let server: Server = url.parse().map_err(|error| Invalid::Url(whose, error))?;
    match server.scheme() {
        Scheme::Https => Ok(server),
        Scheme::Http => Err(Invalid::Plain(whose)),
    }
}

/// As Go's `url.QueryEscape`.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 3);
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provider(config: &[(&str, &str)]) -> AuthProvider {
        let config =
            config.iter().map(|(name, value)| ((*name).to_owned(), Secret::new((*value).to_owned())));
        AuthProvider { name: "oidc".to_owned(), config: config.collect() }
    }

    const ISSUER: (&str, &str) = ("idp-issuer-url", "https://id.corp:8443/realms/one/");
    const CLIENT: (&str, &str) = ("client-id", "tide gate");

    #[test]
    fn configurations() {
        for (config, error) in [
            (&[CLIENT][..], Invalid::Missing("idp-issuer-url")),
            (&[ISSUER], Invalid::Missing("client-id")),
            (&[ISSUER, ("client-id", "")], Invalid::Missing("client-id")),
            (&[("idp-issuer-url", "http://id.corp"), CLIENT], Invalid::Plain("idp-issuer-url")),
            (
                &[("idp-issuer-url", "https://u:p@id.corp"), CLIENT],
                Invalid::Url("idp-issuer-url", ServerError::UserInfo),
            ),
            (&[ISSUER, CLIENT, ("idp-certificate-authority-data", "?")], Invalid::Base64),
        ] {
            assert_eq!(Oidc::of(&provider(config)).expect_err("refused"), error);
        }
        let oidc = Oidc::of(&provider(&[ISSUER, CLIENT])).expect("oidc");
        assert_eq!(oidc.discovery_path(), "/realms/one/.well-known/openid-configuration");
        assert!(oidc.ca.is_none() && oidc.id_token.is_none() && oidc.refresh_token.is_none());
    }

    #[test]
    fn requests() {
        let token = Secret::new("r/1+2".to_owned());
        for (secret, by, form, header) in [
            (
                "s&cret",
                ClientBy::Header,
                "grant_type=refresh_token&refresh_token=r%2F1%2B2",
                Some("tide+gate:s%26cret"),
            ),
            ("", ClientBy::Header, "grant_type=refresh_token&refresh_token=r%2F1%2B2", Some("tide+gate:")),
            (
                "s&cret",
                ClientBy::Form,
                "client_id=tide+gate&client_secret=s%26cret&grant_type=refresh_token&refresh_token=r%2F1%2B2",
                None,
            ),
            (
                "",
                ClientBy::Form,
                "client_id=tide+gate&grant_type=refresh_token&refresh_token=r%2F1%2B2",
                None,
            ),
        ] {
            let oidc = Oidc::of(&provider(&[ISSUER, CLIENT, ("client-secret", secret)])).expect("oidc");
            let (sent, authorization) = oidc.refresh(&token, by);
            assert_eq!(sent.expose(), form);
            let expected = header.map(|pair| format!("Basic {}", STANDARD.encode(pair)));
            assert_eq!(authorization.map(|header| header.expose().clone()), expected);
        }
    }

    #[test]
    fn answers() {
        let endpoint = |text: &str| token_endpoint(text.as_bytes()).map(|server| server.to_string());
        assert_eq!(
            endpoint(r#"{"token_endpoint":"https://o.corp/token","x":1}"#).as_deref(),
            Ok("https://o.corp/token")
        );
        for (text, error) in [
            ("<html>", Invalid::Discovery),
            ("{}", Invalid::NoTokenEndpoint),
            (r#"{"token_endpoint":""}"#, Invalid::NoTokenEndpoint),
            (r#"{"token_endpoint":"http://o.corp"}"#, Invalid::Plain("the token_endpoint of the issuer")),
        ] {
            assert_eq!(endpoint(text), Err(error), "{text}");
        }
        let answer = refreshed(br#"{"id_token":"e30.eyJleHAiOjE3MDAwMDAwMDB9.s","refresh_token":"r2"}"#)
            .expect("answer");
        assert!(answer.expires.is_some() && answer.refresh_token.is_some());
        for (text, error) in [
            ("", Invalid::Answer),
            ("{}", Invalid::NoIdToken),
            (r#"{"id_token":"opaque"}"#, Invalid::Token(jwt::Invalid::Parts)),
        ] {
            assert_eq!(refreshed(text.as_bytes()).expect_err("refused"), error, "{text}");
        }
        for (text, name) in [
            (r#"{"error":"invalid_grant","error_description":"hunter2"}"#, Some("invalid_grant")),
            (r#"{"error":"Hunter 2"}"#, None),
            ("<html>", None),
        ] {
            assert_eq!(error_name(text.as_bytes()).as_deref(), name);
        }
    }
}
