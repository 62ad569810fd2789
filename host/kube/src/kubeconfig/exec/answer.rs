use std::time::SystemTime;

use zeroize::Zeroizing;

use super::Version;
use crate::kubeconfig::decode::{Fields, ParseError, Place};
use crate::kubeconfig::yaml::{self, Value};
use crate::{Secret, date};

/// What a plugin gave: a token, a client certificate, or both.
#[derive(Debug, Clone)]
pub struct Answer {
    /// For `Authorization: Bearer`.
    pub token: Option<Secret>,
    /// A client certificate with its key.
    pub pair: Option<Pair>,
    /// When it ends; `None` where it is good until a server refuses it.
    pub expires: Option<SystemTime>,
}

/// A client certificate with its key, both PEM.
#[derive(Debug, Clone)]
pub struct Pair {
    /// The certificate, with intermediates.
    pub certificate: Secret<Vec<u8>>,
    /// The key.
    pub key: Secret<Vec<u8>>,
}

/// Why an output is no credential, in client-go's words where it has some. The output is not in the message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Invalid {
    /// Nothing, or white space.
    #[error("decoding stdout: exec plugin printed nothing; an ExecCredential was expected")]
    Empty,
    /// It cannot be read.
    #[error("decoding stdout: exec plugin printed neither JSON nor YAML")]
    Syntax,
    /// A field has the wrong type.
    #[error("decoding stdout: exec plugin printed an ExecCredential with a field of the wrong type")]
    Type(#[source] ParseError),
    /// It is another kind's.
    #[error("decoding stdout: exec plugin printed another kind than ExecCredential")]
    Kind,
    /// It is another version's than the plugin is configured for.
    #[error("exec plugin is configured to use API version {configured}, plugin returned version {returned}")]
    Version {
        /// The one that the kubeconfig names.
        configured: Version,
        /// The one that came, if it is one of the three.
        returned: &'static str,
    },
    /// client-go's words.
    #[error("exec plugin didn't return a status field")]
    NoStatus,
    /// client-go's words.
    #[error("exec plugin didn't return a token or cert/key pair")]
    NoCredential,
    /// client-go's words.
    #[error("exec plugin returned only certificate or key, not both")]
    HalfAPair,
    /// `expirationTimestamp` is no point in time.
    #[error("decoding stdout: the expirationTimestamp that exec plugin returned is no RFC 3339 time")]
    Expiry,
}

/// Reads what the plugin printed: JSON or, as kubectl does, YAML. A missing `kind` is `ExecCredential`.
///
/// ```
/// use tidegate_kube::kubeconfig::exec::{Version, parse};
/// let printed = br#"{"apiVersion": "client.authentication.k8s.io/v1", "status": {"token": "hunter2"}}"#;
/// let answer = parse(printed, Version::V1)?;
/// assert_eq!(answer.token.as_ref().map(|token| token.expose().as_str()), Some("hunter2"));
/// # Ok::<(), tidegate_kube::kubeconfig::exec::Invalid>(())
/// ```
pub fn parse(printed: &[u8], configured: Version) -> Result<Answer, Invalid> {
    if printed.trim_ascii().is_empty() {
        return Err(Invalid::Empty);
    }
    let root = Place::root();
    let mut fields = Fields::of(&root, tree(printed)?).map_err(Invalid::Type)?;
    let kind = fields.string("kind").map_err(Invalid::Type)?;
    if !matches!(kind.as_str(), "" | "ExecCredential") {
        return Err(Invalid::Kind);
    }
    let version = fields.string("apiVersion").map_err(Invalid::Type)?;
    if version != configured.as_str() {
        let known = version.parse::<Version>().map(Version::as_str);
        let returned = known.unwrap_or(if version.is_empty() { "(none)" } else { "(another)" });
        return Err(Invalid::Version { configured, returned });
    }
    let status = fields.optional("status", status).map_err(Invalid::Type)?.ok_or(Invalid::NoStatus)?;
    let filled = |secret: Secret| Some(secret).filter(|secret| !secret.expose().is_empty());
    let [token, certificate, key] = [status.token, status.certificate, status.key].map(filled);
    let pem = |secret: Secret| Secret::new(secret.expose().as_bytes().to_vec());
    let pair = match (certificate, key) {
        (None, None) if token.is_none() => return Err(Invalid::NoCredential),
        (None, None) => None,
        (Some(certificate), Some(key)) => Some(Pair { certificate: pem(certificate), key: pem(key) }),
        _ => return Err(Invalid::HalfAPair),
    };
    let expires = status.expires.map(|text| date::parse(&text).ok_or(Invalid::Expiry)).transpose()?;
    Ok(Answer { token, pair, expires })
}

struct Status {
    token: Secret,
    certificate: Secret,
    key: Secret,
    expires: Option<String>,
}

fn status(place: &Place<'_>, value: Value) -> Result<Status, ParseError> {
    let mut fields = Fields::of(place, value)?;
    Ok(Status {
        token: fields.secret("token")?,
        certificate: fields.secret("clientCertificateData")?,
        key: fields.secret("clientKeyData")?,
        expires: fields.optional("expirationTimestamp", |place, value| {
            crate::kubeconfig::decode::string(place, value)
        })?,
    })
}

/// JSON first, as the API machinery does: not everything that is JSON is YAML to every parser.
fn tree(printed: &[u8]) -> Result<Value, Invalid> {
    match serde_json::from_slice(printed) {
        Ok(json) => Ok(of_json(json)),
        // As in client-go, what begins as JSON is JSON to its end.
        Err(_) if printed.trim_ascii_start().starts_with(b"{") => Err(Invalid::Syntax),
        Err(_) => yaml::read(printed).map_err(|_| Invalid::Syntax),
    }
}

fn of_json(json: serde_json::Value) -> Value {
    use serde_json::Value as Json;
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(value),
        Json::Number(value) => Value::Number(value),
        Json::String(value) => Value::Text(Zeroizing::new(value)),
        Json::Array(items) => Value::List(items.into_iter().map(of_json).collect()),
        Json::Object(entries) => {
            let mut entries: Vec<_> = entries.into_iter().map(|(key, value)| (key, of_json(value))).collect();
            entries.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
            Value::Map(entries)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const V1: &str = "client.authentication.k8s.io/v1";

    fn shown(printed: &str, version: Version) -> String {
        match parse(printed.as_bytes(), version) {
            Ok(Answer { token, pair, expires }) => {
                let text = |bytes: Secret<Vec<u8>>| String::from_utf8_lossy(bytes.expose()).into_owned();
                let pair = pair.map(|pair| (text(pair.certificate), text(pair.key)));
                let token = token.map(|token| token.expose().clone());
                format!("{token:?} {pair:?} {:?}", expires.map(date::format))
            }
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn answers() {
        let ok =
            |status: &str| format!(r#"{{"kind":"ExecCredential","apiVersion":"{V1}","status":{status}}}"#);
        for (printed, result) in [
            (ok(r#"{"token":"t"}"#), r#"Some("t") None None"#),
            (
                ok(
                    r#"{"clientCertificateData":"c","clientKeyData":"k","token":"t","expirationTimestamp":"2030-01-02T03:04:05Z"}"#,
                ),
                r#"Some("t") Some(("c", "k")) Some("2030-01-02T03:04:05Z")"#,
            ),
            (ok(r#"{"clientCertificateData":"c","clientKeyData":"k"}"#), r#"None Some(("c", "k")) None"#),
            (ok(r#"{"token":"t","expirationTimestamp":null,"more":[{}]}"#), r#"Some("t") None None"#),
            (ok(r#"{"token":"a\ud83d\ude00\/"}"#), "Some(\"a\u{1f600}/\") None None"),
            (
                format!("apiVersion: {V1}\nkind: ExecCredential\nstatus:\n  token: t\n"),
                r#"Some("t") None None"#,
            ),
            (format!(r#"{{"apiVersion":"{V1}","status":{{"token":"t"}}}}"#), r#"Some("t") None None"#),
            (ok("null"), "exec plugin didn't return a status field"),
            (ok("{}"), "exec plugin didn't return a token or cert/key pair"),
            (ok(r#"{"token":""}"#), "exec plugin didn't return a token or cert/key pair"),
            (
                ok(r#"{"token":"t","clientKeyData":"k"}"#),
                "exec plugin returned only certificate or key, not both",
            ),
            (
                ok(r#"{"clientCertificateData":"c"}"#),
                "exec plugin returned only certificate or key, not both",
            ),
            (
                ok(r#"{"token":"t","expirationTimestamp":"tomorrow"}"#),
                "decoding stdout: the expirationTimestamp that exec plugin returned is no RFC 3339 time",
            ),
            (
                ok(r#"{"token":12345}"#),
                "decoding stdout: exec plugin printed an ExecCredential with a field of the wrong type",
            ),
            (String::new(), "decoding stdout: exec plugin printed nothing; an ExecCredential was expected"),
            (
                " \n".to_owned(),
                "decoding stdout: exec plugin printed nothing; an ExecCredential was expected",
            ),
            ("{".to_owned(), "decoding stdout: exec plugin printed neither JSON nor YAML"),
            (
                "hunter2".to_owned(),
                "decoding stdout: exec plugin printed an ExecCredential with a field of the wrong type",
            ),
            (
                format!(r#"{{"kind":"Pod","apiVersion":"{V1}","status":{{"token":"t"}}}}"#),
                "decoding stdout: exec plugin printed another kind than ExecCredential",
            ),
            (
                format!(r#"{{"kind":"ExecCredential","apiVersion":"{V1}beta1","status":{{"token":"t"}}}}"#),
                "exec plugin is configured to use API version client.authentication.k8s.io/v1, \
                 plugin returned version client.authentication.k8s.io/v1beta1",
            ),
            (
                r#"{"kind":"ExecCredential","apiVersion":"hunter2"}"#.to_owned(),
                "exec plugin is configured to use API version client.authentication.k8s.io/v1, \
                 plugin returned version (another)",
            ),
        ] {
            assert_eq!(shown(&printed, Version::V1), result, "{printed}");
        }
        for version in [Version::V1Alpha1, Version::V1Beta1] {
            let printed =
                format!(r#"{{"apiVersion":"{version}","kind":"ExecCredential","status":{{"token":"t"}}}}"#);
            assert_eq!(shown(&printed, version), r#"Some("t") None None"#);
        }
    }
}
