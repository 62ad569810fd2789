//! One file, and several made into one.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use super::decode::{self, ParseError};
use super::schema::{Cluster, Context, User};
use super::yaml;
use crate::Secret;

/// One kubeconfig file, its relative paths made absolute against the file's folder.
#[derive(Debug, Clone, Default)]
pub struct Document {
    config: Config,
}

/// Several documents merged.
#[derive(Debug, Clone, Default)]
pub struct Config {
    pub(super) current_context: String,
    pub(super) clusters: BTreeMap<String, Cluster>,
    pub(super) contexts: BTreeMap<String, Context>,
    pub(super) users: BTreeMap<String, User>,
}

/// Reads one kubeconfig. `origin` is the file's absolute path: relative paths within it (and a plugin's command that holds
/// a `/`) are relative to its folder, and are cleaned lexically as Go's `filepath.Join` does.
///
/// An empty document is an empty config, as in client-go.
///
/// ```
/// use tidegate_kube::kubeconfig::parse;
/// let text = b"clusters: [{name: c, cluster: {server: 'https://10.0.0.1', certificate-authority: ../ca.crt}}]";
/// let document = parse(text, "/home/me/.kube/config".as_ref())?;
/// assert_eq!(document.config().clusters()["c"].certificate_authority, "/home/me/ca.crt");
/// # Ok::<(), tidegate_kube::kubeconfig::ParseError>(())
/// ```
pub fn parse(text: &[u8], origin: &Path) -> Result<Document, ParseError> {
    let mut config = decode::config(yaml::read(text)?)?;
    let folder = origin.parent().unwrap_or(Path::new(""));
    for cluster in config.clusters.values_mut() {
        absolute(folder, &mut cluster.certificate_authority);
    }
    for user in config.users.values_mut() {
        absolute(folder, &mut user.client_certificate);
        absolute(folder, &mut user.client_key);
        absolute(folder, &mut user.token_file);
        // Stricter than client-go, which takes it from wherever it was started.
        let provider = user.auth_provider.as_mut();
        if let Some(ca) = provider.and_then(|provider| provider.config.get_mut("idp-certificate-authority")) {
            let mut path = ca.expose().clone();
            absolute(folder, &mut path);
            *ca = Secret::new(path);
        }
        // A name without a separator is looked up on PATH.
        if let Some(exec) = &mut user.exec
            && exec.command.contains('/')
        {
            absolute(folder, &mut exec.command);
        }
    }
    Ok(Document { config })
}

/// Merges documents, the first one counting most: the first document to name a cluster, user or context wins (whole entries,
/// not fields), and the first non-empty `current-context`.
pub fn merge(documents: Vec<Document>) -> Config {
    let mut merged = Config::default();
    for Document { config } in documents {
        if merged.current_context.is_empty() {
            merged.current_context = config.current_context;
        }
        add_missing(&mut merged.clusters, config.clusters);
        add_missing(&mut merged.contexts, config.contexts);
        add_missing(&mut merged.users, config.users);
    }
    merged
}

impl Config {
    /// `current-context`, if set.
    pub fn current_context(&self) -> Option<&str> {
        Some(self.current_context.as_str()).filter(|name| !name.is_empty())
    }

    /// The contexts by name.
    pub fn contexts(&self) -> &BTreeMap<String, Context> {
        &self.contexts
    }

    /// The clusters by name.
    pub fn clusters(&self) -> &BTreeMap<String, Cluster> {
        &self.clusters
    }

    /// The users by name.
    pub fn users(&self) -> &BTreeMap<String, User> {
        &self.users
    }

    /// Every file that any entry names, chosen or not. Empty for a document with inline credentials only.
    pub fn files(&self) -> Vec<PathBuf> {
        let clusters = self.clusters.values().flat_map(Cluster::files);
        clusters.chain(self.users.values().flat_map(User::files)).collect()
    }

    /// Every program that any entry names, chosen or not: a name to look up on `PATH`, or a path where it holds a `/`.
    pub fn programs(&self) -> Vec<String> {
        self.users.values().flat_map(User::programs).collect()
    }
}

impl Document {
    /// The document alone, unmerged: what an explicit path or a guest's own document stands for.
    pub fn into_config(self) -> Config {
        self.config
    }

    /// The document's content.
    pub fn config(&self) -> &Config {
        &self.config
    }
}

fn add_missing<T>(merged: &mut BTreeMap<String, T>, more: BTreeMap<String, T>) {
    for (name, value) in more {
        merged.entry(name).or_insert(value);
    }
}

/// Makes a relative path absolute; an empty one stays empty.
fn absolute(folder: &Path, path: &mut String) {
    if path.is_empty() || Path::new(path.as_str()).is_absolute() {
        return;
    }
    let mut out = PathBuf::new();
    for part in folder.join(path.as_str()).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => match out.components().next_back() {
                Some(Component::Normal(_)) => drop(out.pop()),
                Some(Component::RootDir | Component::Prefix(_)) => {}
                _ => out.push(".."),
            },
            part => out.push(part),
        }
    }
    *path = out.to_string_lossy().into_owned();
}
