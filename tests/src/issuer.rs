use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::{Act, Asked, Peer};

/// An OpenID Connect issuer: discovery, its key, and a token endpoint that takes refresh tokens, each once. Ended when this is dropped.
#[derive(Debug)]
pub struct Issuer {
    peer: Peer,
    desk: Arc<Desk>,
}

/// Who a refresh token speaks for, and how long what it gives lasts.
#[derive(Clone, Debug)]
pub struct Grant {
    /// The claim `email`; also `sub`.
    pub email: String,
    /// The claim `groups`.
    pub groups: Vec<String>,
    /// How long its id-tokens last.
    pub lifetime: Duration,
}

struct Desk {
    key: EcdsaKeyPair,
    /// What each refresh token stands for. A token that was used is gone.
    grants: Mutex<Vec<(String, Grant)>>,
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk").finish_non_exhaustive()
    }
}

/// The client that the issuer knows, and its secret.
pub const CLIENT: (&str, &str) = ("tidegate-tests", "s3cret-of/the+client");

impl Issuer {
    /// Starts one on a free port of 127.0.0.1.
    ///
    /// # Panics
    /// Where it cannot listen.
    #[expect(clippy::expect_used, reason = "a test without its issuer fails")]
    pub fn start() -> Issuer {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
        let desk = Arc::new(Desk { key, grants: Mutex::default() });
        let answering = desk.clone();
        Issuer { peer: Peer::answering(move |asked| vec![answering.answer(asked)]), desk }
    }

    /// `https://127.0.0.1:port`, which is also the claim `iss`.
    pub fn url(&self) -> String {
        self.peer.url()
    }

    /// `127.0.0.1:port`.
    pub fn address(&self) -> String {
        self.peer.address()
    }

    /// The file with the certificate of the authority that signed its own, PEM.
    pub fn authority(&self) -> std::path::PathBuf {
        self.peer.folder().join("ca.crt")
    }

    /// A signed id-token that was issued at a time of the test's choice.
    pub fn token(&self, grant: &Grant, issued: SystemTime) -> String {
        self.desk.token(&self.url(), grant, issued)
    }

    /// A refresh token; it and each that follows it can be used once.
    pub fn refresh_token(&self, grant: Grant) -> String {
        self.desk.remember(grant)
    }

    /// Every request so far.
    pub fn seen(&self) -> Vec<Asked> {
        self.peer.seen()
    }
}

impl Desk {
    fn answer(&self, asked: &Asked) -> Act {
        let url = format!("https://{}", asked.header("host").unwrap_or_default());
        match asked.target.as_str() {
            "/.well-known/openid-configuration" => Act::json(&format!(
                r#"{{"issuer":"{url}","authorization_endpoint":"{url}/auth","token_endpoint":"{url}/token","jwks_uri":"{url}/keys",
"response_types_supported":["code"],"subject_types_supported":["public"],"id_token_signing_alg_values_supported":["ES256"]}}"#
            )),
            "/keys" => Act::json(&self.public()),
            "/token" => self.refresh(asked, &url),
            _ => Act::respond("404 Not Found", "text/plain", "no such page"),
        }
    }

    /// RFC 6749, sections 2.3.1, 5 and 6.
    fn refresh(&self, asked: &Asked, url: &str) -> Act {
        let refused = |code, why| Act::respond(code, "application/json", &format!(r#"{{"error":"{why}"}}"#));
        let form = form(&String::from_utf8_lossy(&asked.body));
        let field = |name: &str| form.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str());
        let basic =
            base64::engine::general_purpose::STANDARD.encode(format!("{}:{}", CLIENT.0, escaped(CLIENT.1)));
        let by_header = asked.header("authorization") == Some(&format!("Basic {basic}"));
        let by_form = (field("client_id"), field("client_secret")) == (Some(CLIENT.0), Some(CLIENT.1));
        if !by_header && !by_form {
            return refused("401 Unauthorized", "invalid_client");
        }
        if field("grant_type") != Some("refresh_token") {
            return refused("400 Bad Request", "unsupported_grant_type");
        }
        let Some(grant) = field("refresh_token").and_then(|token| self.take(token)) else {
            return refused("400 Bad Request", "invalid_grant");
        };
        let (token, next) = (self.token(url, &grant, SystemTime::now()), self.remember(grant));
        Act::json(&format!(
            r#"{{"access_token":"not-used","token_type":"Bearer","id_token":"{token}","refresh_token":"{next}"}}"#
        ))
    }

    #[expect(clippy::expect_used, reason = "a test without its token fails")]
    fn token(&self, issuer: &str, grant: &Grant, issued: SystemTime) -> String {
        let issued = issued.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let groups: Vec<String> = grant.groups.iter().map(|group| format!("\"{group}\"")).collect();
        let claims = format!(
            r#"{{"iss":"{issuer}","aud":"{}","sub":"{email}","email":"{email}","email_verified":true,"groups":[{}],"iat":{issued},"exp":{}}}"#,
            CLIENT.0,
            groups.join(","),
            issued + grant.lifetime.as_secs(),
            email = grant.email,
        );
        let header = r#"{"alg":"ES256","kid":"tests"}"#;
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = self.key.sign(&SystemRandom::new(), message.as_bytes()).expect("a signature");
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// A point in its uncompressed form: a byte, then both coordinates.
    fn public(&self) -> String {
        let (x, y) = self.key.public_key().as_ref()[1..].split_at(32);
        let [x, y] = [x, y].map(|coordinate| URL_SAFE_NO_PAD.encode(coordinate));
        format!(
            r#"{{"keys":[{{"kty":"EC","crv":"P-256","alg":"ES256","use":"sig","kid":"tests","x":"{x}","y":"{y}"}}]}}"#
        )
    }

    fn remember(&self, grant: Grant) -> String {
        let mut grants = self.grants();
        let token = format!("refresh-{}-{}", grant.email, next());
        grants.push((token.clone(), grant));
        token
    }

    fn take(&self, token: &str) -> Option<Grant> {
        let mut grants = self.grants();
        let at = grants.iter().position(|(own, _)| own == token)?;
        Some(grants.swap_remove(at).1)
    }

    fn grants(&self) -> MutexGuard<'_, Vec<(String, Grant)>> {
        self.grants.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn next() -> usize {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static COUNT: AtomicUsize = AtomicUsize::new(1);
    COUNT.fetch_add(1, Ordering::Relaxed)
}

/// `application/x-www-form-urlencoded`.
fn form(body: &str) -> Vec<(String, String)> {
    let pairs = body.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (unescaped(name), unescaped(value))).collect()
}

fn unescaped(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let code =
            after.get(..2).and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        match (first, code) {
            (b'%', Some(code)) => {
                bytes.push(code);
                rest = &after[2..];
            }
            (b'+', _) => {
                bytes.push(b' ');
                rest = after;
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn escaped(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}
