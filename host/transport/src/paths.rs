use std::ffi::OsString;
use std::path::{Path, PathBuf};

use tidegate_grants::Endpoint;
use tidegate_kube::kubeconfig::Separator;

use crate::http::proxy::{PROXY_VARIABLES, ProxyUrl};
use crate::{Code, Error, Options, in_cluster};

/// The files and folders from which the transports may take credentials, as far as the environment tells: the service-account
/// folder, each file of `$KUBECONFIG` or the explicit one, and `$HOME/.kube`, where kubectl and its plugins keep theirs.
///
/// What those kubeconfig files name besides is theirs to tell (`tidegate_kube::kubeconfig::Config::files`). No guest may be given
/// any of it by WASI.
pub fn credential_paths(env: &dyn Fn(&str) -> Option<OsString>, options: &Options) -> Vec<PathBuf> {
    let mut paths = vec![in_cluster::folder(&options.in_cluster)];
    paths.extend(options.kubeconfig.path.clone());
    if let Some(list) = env("KUBECONFIG") {
        let here = options.kubeconfig.working_folder.as_deref().unwrap_or(Path::new(""));
        paths.extend(Separator::OF_PLATFORM.paths(&list).into_iter().map(|path| here.join(path)));
    }
    if let Some(home) = env("HOME").filter(|home| !home.is_empty()) {
        paths.push(Path::new(&home).join(".kube"));
    }
    paths.extend(options.kubectl.cache.clone());
    paths
}

/// The proxies of the environment that transports may go through: of the variables that
/// `granted` says yes to.
pub fn proxies(env: &dyn Fn(&str) -> Option<OsString>, granted: &dyn Fn(&str) -> bool) -> Vec<Endpoint> {
    let granted = PROXY_VARIABLES.into_iter().filter(|name| granted(name));
    let set = granted.filter_map(|name| env(name)?.into_string().ok());
    set.filter_map(|url| proxy_endpoint(&url)).collect()
}

/// Whether a `proxy-url` could be used. Errors: what is wrong with it, without quoting it.
pub fn check_proxy_url(url: &str) -> Result<(), Error> {
    ProxyUrl::parse(url).map(drop).map_err(|invalid| {
        Error::new(Code::NotConfigured, "the proxy's URL cannot be used").because(invalid).broken()
    })
}

/// Host and port of a `proxy-url` or of a proxy in the environment; none where that is no proxy's URL.
pub fn proxy_endpoint(url: &str) -> Option<Endpoint> {
    ProxyUrl::parse_loosely(url).ok().map(|url| url.endpoint().clone())
}
