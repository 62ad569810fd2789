use std::path::{Path, PathBuf};

use tidegate_kube::kubeconfig;

use crate::{Options, in_cluster};

/// The files and folders from which the transports may take credentials, as far as the environment tells: the service-account
/// folder, each file of `$KUBECONFIG` or the explicit one, and `$HOME/.kube`, where kubectl and its plugins keep theirs.
///
/// What those kubeconfig files name besides is told by [`credential_paths_in`]. No guest may be given any of it by WASI.
pub fn credential_paths(env: &dyn Fn(&str) -> Option<String>, options: &Options) -> Vec<PathBuf> {
    let mut paths = vec![in_cluster::folder(&options.in_cluster)];
    paths.extend(options.kubeconfig.path.clone());
    if let Some(list) = env("KUBECONFIG") {
        paths.extend(std::env::split_paths(&list).filter(|path| !path.as_os_str().is_empty()));
    }
    if let Some(home) = env("HOME").filter(|home| !home.is_empty()) {
        paths.push(Path::new(&home).join(".kube"));
    }
    paths.extend(options.kubectl.cache.clone());
    paths
}

/// The files that the kubeconfig with this text, read from `origin`, names: certificates, keys, tokens. None where it cannot be
/// understood, since no transport takes anything from it then.
pub fn credential_paths_in(text: &[u8], origin: &Path) -> Vec<PathBuf> {
    match kubeconfig::parse(text, origin) {
        Ok(document) => document.config().files(),
        Err(_) => Vec::new(),
    }
}
