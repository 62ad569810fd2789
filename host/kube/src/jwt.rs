//! What a JSON Web Token says of itself. No signature is checked: who receives the token does that.

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::date;

/// Why a text is no token. The text is not in the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Invalid {
    /// client-go's words.
    #[error("ID Token is not a valid JWT")]
    Parts,
    /// The middle part is no base64.
    #[error("the payload of the ID token is not base64 (URL alphabet, without padding)")]
    Base64,
    /// The payload is no object, or `exp` no number.
    #[error("parsing claims: the payload of the ID token is no JSON object, or its exp is no number")]
    Claims,
}

/// When the token ends by its own word (`exp`); `None` where it does not say.
///
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
/// // {"exp":1700000000}
/// let token = "eyJhbGciOiJub25lIn0.eyJleHAiOjE3MDAwMDAwMDB9.";
/// let expiry = tidegate_kube::jwt::expiry(token)?;
/// assert_eq!(expiry, Some(UNIX_EPOCH + Duration::from_secs(1_700_000_000)));
/// # Ok::<(), tidegate_kube::jwt::Invalid>(())
/// ```
pub fn expiry(token: &str) -> Result<Option<SystemTime>, Invalid> {
    #[derive(Deserialize)]
    struct Claims {
        exp: Option<f64>,
    }
    let parts: Vec<&str> = token.split('.').collect();
    let [_, payload, _] = parts.as_slice() else { return Err(Invalid::Parts) };
    let payload = Zeroizing::new(URL_SAFE_NO_PAD.decode(payload).map_err(|_| Invalid::Base64)?);
    let claims: Claims = serde_json::from_slice(&payload).map_err(|_| Invalid::Claims)?;
    // As Go: whole seconds, and a float is cut. One that no clock reaches never ends.
    Ok(claims.exp.and_then(|seconds| date::since_1970(seconds as i64)))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn claims() {
        for (payload, expiry) in [
            (r#"{"exp":1700000000}"#, Ok(Some(1_700_000_000))),
            (r#"{"exp":1.7e9,"sub":"x"}"#, Ok(Some(1_700_000_000))),
            (r#"{"exp":1700000000.9}"#, Ok(Some(1_700_000_000))),
            (r#"{"sub":"x"}"#, Ok(None)),
            (r#"{"exp":null}"#, Ok(None)),
            (r#"{"exp":"1700000000"}"#, Err(Invalid::Claims)),
            ("[]", Err(Invalid::Claims)),
            ("", Err(Invalid::Claims)),
        ] {
            let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(payload));
            let expected = expiry.map(|e| e.map(|e| UNIX_EPOCH + Duration::from_secs(e)));
            assert_eq!(super::expiry(&token), expected, "{payload}");
        }
        for (token, error) in [
            ("", Invalid::Parts),
            ("opaque", Invalid::Parts),
            ("a.b.c.d", Invalid::Parts),
            ("a.!!!.c", Invalid::Base64),
            ("a.e30=.c", Invalid::Base64),
        ] {
            assert_eq!(super::expiry(token), Err(error), "{token}");
        }
    }
}
