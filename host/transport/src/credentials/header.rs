use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use tidegate_kube::{Secret, jwt};

use crate::{Code, Error};

/// `Bearer` and the token without the white space around it. Errors: there is no token, or one with bytes that no header holds;
/// `origin` says whose.
pub(crate) fn bearer(token: &[u8], origin: &str) -> Result<HeaderValue, Error> {
    let token = token.trim_ascii();
    if token.is_empty() {
        return Err(Error::new(Code::NotConfigured, format!("{origin} holds no token")).broken());
    }
    let text = Secret::new([b"Bearer ", token].concat());
    sensitive(text.expose(), origin)
}

/// `Basic` and user and password.
pub(crate) fn basic(username: &str, password: &Secret, origin: &str) -> Result<HeaderValue, Error> {
    let pair = Secret::new(format!("{username}:{}", password.expose()));
    let text = Secret::new(format!("Basic {}", STANDARD.encode(pair.expose())));
    sensitive(text.expose().as_bytes(), origin)
}

/// When a bearer token ends, where it is a JSON Web Token and says so.
pub(crate) fn expiry(header: &HeaderValue) -> Option<SystemTime> {
    let token = header.to_str().ok()?.strip_prefix("Bearer ")?;
    jwt::expiry(token).ok().flatten()
}

fn sensitive(text: &[u8], origin: &str) -> Result<HeaderValue, Error> {
    // The source would be no more precise, and is not to be trusted with the text.
    let Ok(mut header) = HeaderValue::from_bytes(text) else {
        let text = format!("{origin} holds a credential with line breaks or control bytes in it");
        return Err(Error::new(Code::NotConfigured, text).broken());
    };
    header.set_sensitive(true);
    Ok(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_trimmed_and_never_shown() {
        for (token, header) in [
            ("abc", Some("Bearer abc")),
            ("abc\n", Some("Bearer abc")),
            ("\r\n abc \t\n", Some("Bearer abc")),
            ("", None),
            (" \n", None),
            ("a\nb", None),
            ("a\0b", None),
        ] {
            match bearer(token.as_bytes(), "the token file") {
                Ok(made) => {
                    assert_eq!(made.to_str().ok(), header, "{token:?}");
                    assert!(!format!("{made:?}").contains("abc"));
                }
                Err(error) => {
                    assert_eq!(header, None, "{token:?}");
                    assert!(error.report().starts_with("the token file holds"), "{error:?}");
                }
            }
        }
    }

    #[test]
    fn basic_is_base64() {
        let header = basic("aladdin", &Secret::new("open sesame".to_owned()), "user \"x\"").expect("basic");
        assert_eq!(header.to_str().ok(), Some("Basic YWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
        assert!(header.is_sensitive());
    }
}
