//! The fields of a kubeconfig (`k8s.io/client-go/tools/clientcmd/api/v1/types.go`).
//!
//! An empty string and an absent field are the same, as in Go.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::Secret;

/// A `clusters[].cluster`.
#[derive(Debug, Clone, Default)]
pub struct Cluster {
    /// `server`: URL, or `host:port`.
    pub server: String,
    /// `tls-server-name`: the name to check the server's certificate for.
    pub tls_server_name: String,
    /// `insecure-skip-tls-verify`.
    pub insecure_skip_tls_verify: bool,
    /// `certificate-authority`: a file.
    pub certificate_authority: String,
    /// `certificate-authority-data`, decoded: PEM.
    pub certificate_authority_data: Vec<u8>,
    /// `proxy-url`; may hold a password.
    pub proxy_url: Secret,
    /// `disable-compression`.
    pub disable_compression: bool,
    /// `extensions`, as JSON text by name. They may hold credentials.
    pub extensions: BTreeMap<String, Secret>,
}

/// A `contexts[].context`.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// `cluster`: a name.
    pub cluster: String,
    /// `user`: a name.
    pub user: String,
    /// `namespace`.
    pub namespace: String,
}

/// A `users[].user`.
#[derive(Debug, Clone, Default)]
pub struct User {
    /// `client-certificate`: a file.
    pub client_certificate: String,
    /// `client-certificate-data`, decoded: PEM.
    pub client_certificate_data: Secret<Vec<u8>>,
    /// `client-key`: a file.
    pub client_key: String,
    /// `client-key-data`, decoded: PEM.
    pub client_key_data: Secret<Vec<u8>>,
    /// `token`.
    pub token: Secret,
    /// `tokenFile`.
    pub token_file: String,
    /// `as`.
    pub impersonate: String,
    /// `as-uid`.
    pub impersonate_uid: String,
    /// `as-groups`.
    pub impersonate_groups: Vec<String>,
    /// `as-user-extra`.
    pub impersonate_extra: BTreeMap<String, Vec<String>>,
    /// `username`.
    pub username: String,
    /// `password`.
    pub password: Secret,
    /// `auth-provider`.
    pub auth_provider: Option<AuthProvider>,
    /// `exec`.
    pub exec: Option<ExecConfig>,
}

/// `auth-provider`: a credential helper that lived in the client itself (`gcp`, `oidc`).
#[derive(Debug, Clone, Default)]
pub struct AuthProvider {
    /// `name`.
    pub name: String,
    /// `config`; holds tokens.
    pub config: BTreeMap<String, Secret>,
}

/// `exec`: a credential plugin (`client.authentication.k8s.io`, KEP-541).
#[derive(Debug, Clone, Default)]
pub struct ExecConfig {
    /// `command`: a program's name, or a path where it holds a `/`.
    pub command: String,
    /// `args`. They may hold credentials.
    pub args: Vec<Secret>,
    /// `env`, added to the environment of the plugin.
    pub env: Vec<ExecEnv>,
    /// `apiVersion`: `client.authentication.k8s.io/v1`, `…/v1beta1`.
    pub api_version: String,
    /// `installHint`, shown where the command is missing; without control characters.
    pub install_hint: String,
    /// `provideClusterInfo`.
    pub provide_cluster_info: bool,
    /// `interactiveMode`; [`InteractiveMode::IfAvailable`] by default for `v1beta1` and `v1alpha1`, `None` else.
    pub interactive_mode: Option<InteractiveMode>,
    /// What the plugin is told about the cluster. Only [`super::Resolved`] has it, where `provideClusterInfo` is set.
    pub cluster: Option<ExecCluster>,
}

/// What an exec plugin is told about the cluster, its certificates apart.
#[derive(Debug, Clone, Default)]
pub struct ExecCluster {
    /// `server`, as the kubeconfig has it.
    pub server: String,
    /// `tls-server-name`.
    pub tls_server_name: String,
    /// `insecure-skip-tls-verify`.
    pub insecure_skip_tls_verify: bool,
    /// `proxy-url`; may hold a password.
    pub proxy_url: Secret,
    /// `disable-compression`.
    pub disable_compression: bool,
    /// The cluster's extension `client.authentication.k8s.io/exec` as JSON text.
    pub config: Option<Secret>,
}

/// One variable of an exec plugin.
#[derive(Debug, Clone, Default)]
pub struct ExecEnv {
    /// `name`.
    pub name: String,
    /// `value`.
    pub value: Secret,
}

/// Whether an exec plugin uses standard input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InteractiveMode {
    /// `Never`: standard input is not handed on.
    Never,
    /// `IfAvailable`: where it is a terminal.
    IfAvailable,
    /// `Always`: the plugin fails without.
    Always,
    /// Something else: an error once the user is chosen.
    Unknown,
}

impl Cluster {
    /// The files that it names.
    pub fn files(&self) -> Vec<PathBuf> {
        named([&self.certificate_authority])
    }
}

impl User {
    /// The files that it names.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut files = named([&self.client_certificate, &self.client_key, &self.token_file]);
        files.extend(self.auth_provider.iter().flat_map(AuthProvider::files));
        files
    }

    /// The programs that it names.
    pub fn programs(&self) -> Vec<String> {
        let exec = self.exec.iter().map(|exec| exec.command.clone());
        exec.chain(self.auth_provider.iter().flat_map(AuthProvider::programs)).collect()
    }
}

impl AuthProvider {
    /// The files that it names: `idp-certificate-authority` of `oidc`.
    pub fn files(&self) -> Vec<PathBuf> {
        named(self.config.get("idp-certificate-authority").map(Secret::expose))
    }

    /// The programs that it names: `cmd-path` of `gcp`, which without `cmd-args` is a command line.
    pub fn programs(&self) -> Vec<String> {
        let path = self.config.get("cmd-path").map(Secret::expose).map(String::as_str);
        let program = match self.config.contains_key("cmd-args") {
            true => path,
            false => path.and_then(|line| line.split_whitespace().next()),
        };
        program.filter(|program| !program.is_empty()).map(str::to_owned).into_iter().collect()
    }
}

fn named<'a>(paths: impl IntoIterator<Item = &'a String>) -> Vec<PathBuf> {
    paths.into_iter().filter(|path| !path.is_empty()).map(PathBuf::from).collect()
}
