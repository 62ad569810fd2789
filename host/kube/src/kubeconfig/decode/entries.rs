//! Each struct of the schema.

use super::super::merge::Config;
use super::super::schema::{AuthProvider, Cluster, Context, ExecConfig, ExecEnv, InteractiveMode, User};
use super::{Fields, ParseError, Place, list, raw, secret, string};
use crate::kubeconfig::yaml::Value;

/// The whole document.
pub(in crate::kubeconfig) fn config(value: Value) -> Result<Config, ParseError> {
    let root = Place::root();
    check_kind(&value)?;
    let mut fields = Fields::of(&root, value)?;
    fields.nested("preferences", |place, value| Fields::of(place, value).map(drop))?;
    fields.named("extensions", "extension", raw)?;
    Ok(Config {
        current_context: fields.string("current-context")?,
        clusters: fields.named("clusters", "cluster", cluster)?,
        contexts: fields.named("contexts", "context", context)?,
        users: fields.named("users", "user", user)?,
    })
}

/// `kind` and `apiVersion` may be missing. Unlike all other names these two are matched without regard to case: kubectl
/// finds them with another decoder (`apimachinery/pkg/runtime/serializer/json/meta.go`).
fn check_kind(value: &Value) -> Result<(), ParseError> {
    let Value::Map(entries) = value else { return Ok(()) };
    let root = Place::root();
    let find = |name: &'static str| {
        let found = entries.iter().rev().find(|(key, _)| key.eq_ignore_ascii_case(name));
        string(&root.field(name), found.map_or(Value::Null, |(_, value)| value.clone()))
    };
    let (kind, version) = (find("kind")?, find("apiVersion")?);
    if matches!(kind.as_str(), "" | "Config") && matches!(version.as_str(), "" | "/" | "v1" | "/v1") {
        return Ok(());
    }
    let kind = if kind.is_empty() { "Config".to_owned() } else { kind };
    let version = if version.is_empty() { "v1".to_owned() } else { version };
    Err(ParseError::Kind {
        kind: Some(kind).filter(|k| is_kind(k)),
        version: Some(version).filter(|v| is_version(v)),
    })
}

/// Whether a word looks like a kind, so that it can be shown: a credential does not.
fn is_kind(word: &str) -> bool {
    word.len() <= 40
        && word.starts_with(|c: char| c.is_ascii_uppercase())
        && word.bytes().all(|b| b.is_ascii_alphabetic())
}

/// Whether a word looks like a version (`v1`, `apps/v1beta2`).
fn is_version(word: &str) -> bool {
    let (group, version) = word.rsplit_once('/').unwrap_or(("", word));
    let digits = version.strip_prefix('v').unwrap_or_default();
    let stable = digits.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    let rest = &digits[stable.len()..];
    let level = rest.trim_end_matches(|c: char| c.is_ascii_digit());
    let group_fits =
        group.len() <= 63 && group.bytes().all(|b| b.is_ascii_lowercase() || matches!(b, b'.' | b'-'));
    group_fits && !stable.is_empty() && version.len() <= 12 && matches!(level, "" | "alpha" | "beta")
}

fn cluster(place: &Place<'_>, value: Value) -> Result<Cluster, ParseError> {
    let mut fields = Fields::of(place, value)?;
    Ok(Cluster {
        server: fields.string("server")?,
        tls_server_name: fields.string("tls-server-name")?,
        insecure_skip_tls_verify: fields.bool("insecure-skip-tls-verify")?,
        certificate_authority: fields.string("certificate-authority")?,
        certificate_authority_data: fields.bytes("certificate-authority-data")?.expose().clone(),
        proxy_url: fields.secret("proxy-url")?,
        disable_compression: fields.bool("disable-compression")?,
        extensions: fields.named("extensions", "extension", raw)?,
    })
}

fn context(place: &Place<'_>, value: Value) -> Result<Context, ParseError> {
    let mut fields = Fields::of(place, value)?;
    fields.named("extensions", "extension", raw)?;
    Ok(Context {
        cluster: fields.string("cluster")?,
        user: fields.string("user")?,
        namespace: fields.string("namespace")?,
    })
}

fn user(place: &Place<'_>, value: Value) -> Result<User, ParseError> {
    let mut fields = Fields::of(place, value)?;
    fields.named("extensions", "extension", raw)?;
    Ok(User {
        client_certificate: fields.string("client-certificate")?,
        client_certificate_data: fields.bytes("client-certificate-data")?,
        client_key: fields.string("client-key")?,
        client_key_data: fields.bytes("client-key-data")?,
        token: fields.secret("token")?,
        token_file: fields.string("tokenFile")?,
        impersonate: fields.string("as")?,
        impersonate_uid: fields.string("as-uid")?,
        impersonate_groups: fields.list("as-groups", string)?,
        impersonate_extra: fields.map("as-user-extra", |place, value| list(place, value, string))?,
        username: fields.string("username")?,
        password: fields.secret("password")?,
        auth_provider: fields.optional("auth-provider", auth_provider)?,
        exec: fields.optional("exec", exec)?,
    })
}

fn auth_provider(place: &Place<'_>, value: Value) -> Result<AuthProvider, ParseError> {
    let mut fields = Fields::of(place, value)?;
    Ok(AuthProvider { name: fields.string("name")?, config: fields.map("config", secret)? })
}

fn exec(place: &Place<'_>, value: Value) -> Result<ExecConfig, ParseError> {
    let mut fields = Fields::of(place, value)?;
    let api_version = fields.string("apiVersion")?;
    let interactive_mode = match fields.string("interactiveMode")?.as_str() {
        "Never" => Some(InteractiveMode::Never),
        "IfAvailable" => Some(InteractiveMode::IfAvailable),
        "Always" => Some(InteractiveMode::Always),
        // client-go's default (`api/v1/defaults.go`): `v1` has to say.
        "" if matches!(
            api_version.as_str(),
            "client.authentication.k8s.io/v1beta1" | "client.authentication.k8s.io/v1alpha1"
        ) =>
        {
            Some(InteractiveMode::IfAvailable)
        }
        "" => None,
        _ => Some(InteractiveMode::Unknown),
    };
    Ok(ExecConfig {
        command: fields.string("command")?,
        args: fields.list("args", secret)?,
        env: fields.list("env", exec_env)?,
        api_version,
        install_hint: crate::text::for_people(&fields.string("installHint")?, 4096),
        provide_cluster_info: fields.bool("provideClusterInfo")?,
        interactive_mode,
        cluster: None,
    })
}

fn exec_env(place: &Place<'_>, value: Value) -> Result<ExecEnv, ParseError> {
    let mut fields = Fields::of(place, value)?;
    Ok(ExecEnv { name: fields.string("name")?, value: fields.secret("value")? })
}
