//! `auth-provider: gcp`, as client-go had it until v0.25: a command that prints JSON, or the token that it printed last.

use std::time::SystemTime;

use serde_json::Value;

use crate::kubeconfig::schema::AuthProvider;
use crate::{Secret, date};

/// The provider's `config`.
#[derive(Debug, Clone)]
pub struct Gcp {
    /// What to run; `None` where there is only what was kept.
    pub command: Option<Command>,
    /// `access-token` and `expiry`. As in client-go, one without the other does not count.
    pub kept: Option<Token>,
}

/// What to run, and where the token is in what it prints.
#[derive(Debug, Clone)]
pub struct Command {
    /// A name to look up on `PATH`, or a path.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// `token-key`, by default `{.access_token}`.
    token_key: String,
    /// `expiry-key`, by default `{.token_expiry}`.
    expiry_key: String,
}

/// A token, and when it ends.
#[derive(Debug, Clone)]
pub struct Token {
    /// For `Authorization: Bearer`.
    pub token: Secret,
    /// `None` where the command does not say, or says it in another form than RFC 3339.
    pub expires: Option<SystemTime>,
}

/// Why there is no token. No output is in the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Invalid {
    /// `cmd-path` is there and empty.
    #[error("missing access token cmd (cmd-path)")]
    NoCommand,
    /// client-go's words: scopes are for what we do not have.
    #[error("scopes can only be used when kubectl is using a gcp service account key")]
    Scopes,
    /// It is no JSON.
    #[error("the access token command printed no JSON")]
    NotJson,
    /// There is nothing at `token-key`, or no text.
    #[error("the access token command printed nothing at token-key")]
    NoToken,
}

impl Gcp {
    /// Errors: [`Invalid::NoCommand`], [`Invalid::Scopes`].
    pub fn of(provider: &AuthProvider) -> Result<Gcp, Invalid> {
        let text = |name: &str| provider.given(name).map(|value| value.expose().as_str());
        let command = match provider.config.get("cmd-path") {
            None => None,
            Some(_) if text("scopes").is_some() => return Err(Invalid::Scopes),
            Some(path) => {
                // client-go: without `cmd-args` the path is a command line.
                let words = path.expose().split_whitespace();
                let (program, arguments): (Option<&str>, Vec<&str>) = match provider.config.get("cmd-args") {
                    Some(arguments) => (text("cmd-path"), arguments.expose().split_whitespace().collect()),
                    None => (words.clone().next(), words.skip(1).collect()),
                };
                Some(Command {
                    program: program.ok_or(Invalid::NoCommand)?.to_owned(),
                    arguments: arguments.into_iter().map(str::to_owned).collect(),
                    token_key: text("token-key").unwrap_or("{.access_token}").to_owned(),
                    expiry_key: text("expiry-key").unwrap_or("{.token_expiry}").to_owned(),
                })
            }
        };
        let kept = provider.given("access-token").zip(text("expiry").and_then(date::parse));
        let kept = kept.map(|(token, expires)| Token { token: token.clone(), expires: Some(expires) });
        Ok(Gcp { command, kept })
    }
}

impl Command {
    /// Finds the token in what the command printed. Errors: [`Invalid::NotJson`], [`Invalid::NoToken`].
    pub fn parse(&self, printed: &[u8]) -> Result<Token, Invalid> {
        let json: Value = serde_json::from_slice(printed).map_err(|_| Invalid::NotJson)?;
        let text = |path: &str| find(&json, path).and_then(Value::as_str).filter(|text| !text.is_empty());
        let token = text(&self.token_key).ok_or(Invalid::NoToken)?;
        let expires = text(&self.expiry_key).and_then(date::parse);
        Ok(Token { token: Secret::new(token.to_owned()), expires })
    }
}

/// What stands at `{.credential.access_token}`, `{.items[0].token}` or `{.x['a.b']}`: the part of JSONPath that names one value.
fn find<'a>(json: &'a Value, path: &str) -> Option<&'a Value> {
    let mut rest = path.trim().strip_prefix('{')?.strip_suffix('}')?.trim();
    rest = rest.strip_prefix('$').unwrap_or(rest);
    let mut found = json;
    while !rest.is_empty() {
        if let Some(inside) = rest.strip_prefix('[') {
            let (step, after) = inside.split_once(']')?;
            let name = ['\'', '"'].iter().find_map(|&quote| step.strip_prefix(quote)?.strip_suffix(quote));
            found = match name {
                Some(name) => found.get(name)?,
                None => found.get(step.parse::<usize>().ok()?)?,
            };
            rest = after;
        } else {
            let name = rest.strip_prefix('.')?;
            let end = name.find(['.', '[']).unwrap_or(name.len());
            found = found.get(&name[..end])?;
            rest = &name[end..];
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provider(config: &[(&str, &str)]) -> AuthProvider {
        let config =
            config.iter().map(|(name, value)| ((*name).to_owned(), Secret::new((*value).to_owned())));
        AuthProvider { name: "gcp".to_owned(), config: config.collect() }
    }

    #[test]
    fn commands() {
        for (config, shown) in [
            (&[][..], Ok(None)),
            (
                &[("cmd-path", "gcloud"), ("cmd-args", "config config-helper  --format=json")],
                Ok(Some("gcloud|config|config-helper|--format=json")),
            ),
            (&[("cmd-path", "/opt/my gcloud"), ("cmd-args", "")], Ok(Some("/opt/my gcloud"))),
            (&[("cmd-path", "gcloud config config-helper")], Ok(Some("gcloud|config|config-helper"))),
            (&[("cmd-path", "")], Err(Invalid::NoCommand)),
            (&[("cmd-path", ""), ("cmd-args", "x")], Err(Invalid::NoCommand)),
            (&[("cmd-path", "gcloud"), ("scopes", "x")], Err(Invalid::Scopes)),
        ] {
            let gcp = Gcp::of(&provider(config));
            let line = |command: Command| [vec![command.program], command.arguments].concat().join("|");
            assert_eq!(
                gcp.map(|gcp| gcp.command.map(line)),
                shown.map(|s| s.map(str::to_owned)),
                "{config:?}"
            );
        }
    }

    #[test]
    fn tokens_that_were_kept() {
        for (config, kept) in [
            (&[("access-token", "t"), ("expiry", "2030-01-01T00:00:00Z")][..], true),
            (&[("access-token", "t")], false),
            (&[("access-token", "t"), ("expiry", "soon")], false),
            (&[("expiry", "2030-01-01T00:00:00Z")], false),
        ] {
            assert_eq!(Gcp::of(&provider(config)).expect("gcp").kept.is_some(), kept, "{config:?}");
        }
    }

    #[test]
    fn tokens_are_found_in_what_a_command_prints() {
        let gcloud = r#"{"credential":{"access_token":"hunter2","token_expiry":"2030-01-01T00:00:00Z"},"a.b":[{"t":"x"}]}"#;
        let [keys, default] = [
            vec![("token-key", "{.credential.access_token}"), ("expiry-key", "{.credential.token_expiry}")],
            vec![],
        ];
        for (keys, printed, token) in [
            (&keys, gcloud, Ok(("hunter2", true))),
            (&vec![("token-key", "{$.credential['access_token']}")], gcloud, Ok(("hunter2", false))),
            (&vec![("token-key", "{['a.b'][0].t}")], gcloud, Ok(("x", false))),
            (&default, r#"{"access_token":"t","token_expiry":"tomorrow"}"#, Ok(("t", false))),
            (&default, gcloud, Err(Invalid::NoToken)),
            (&default, r#"{"access_token":""}"#, Err(Invalid::NoToken)),
            (&default, r#"{"access_token":7}"#, Err(Invalid::NoToken)),
            (&vec![("token-key", ".access_token")], r#"{"access_token":"t"}"#, Err(Invalid::NoToken)),
            (&vec![("token-key", "{.[}")], gcloud, Err(Invalid::NoToken)),
            (&default, "hunter2", Err(Invalid::NotJson)),
            (&default, "", Err(Invalid::NotJson)),
        ] {
            let config = [&[("cmd-path", "gcloud")], keys.as_slice()].concat();
            let command = Gcp::of(&provider(&config)).expect("gcp").command.expect("command");
            let found = command.parse(printed.as_bytes());
            let found = found.as_ref().map(|found| (found.token.expose().as_str(), found.expires.is_some()));
            assert_eq!(found.map_err(|error| *error), token, "{keys:?} {printed}");
        }
    }
}
