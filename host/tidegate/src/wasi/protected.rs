//! What no guest reaches by itself, whatever the flags say.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use tidegate_authority::{Authority, HostAuthority};
use tidegate_grants::{Endpoint, Host, Kind, Need};
use tidegate_kube::kubeconfig;
use tidegate_registry::{Definition, KubeConfig, Registry, ServiceAccount};
use tidegate_transport::{Options, credential_paths, proxies, proxy_endpoint};

use crate::engine::Inner;
use crate::wasi::Around;

/// Paths and endpoints that are not for guests.
pub(super) struct Protected {
    /// Canonical.
    pub(super) paths: Vec<PathBuf>,
    /// Of API servers, of `kubectl proxy`, of proxies and of the issuers of tokens.
    pub(super) endpoints: Vec<Endpoint>,
}

impl Protected {
    /// Looks at the environment and the kubeconfig files as transports would.
    pub(super) fn find(around: &Around<'_>, authority: &Authority) -> Self {
        let Around { engine, options, registry, variables, .. } = *around;
        let host = &engine.host;
        let env = |name: &str| match variables {
            Some(variables) => variables.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone()),
            None => host.env(name),
        };
        let mut paths = credential_paths(&env, options);
        paths.extend(granted_to_transports(authority));
        let mut endpoints = servers(options, &env);
        endpoints.extend(options.kubeconfig.proxy.as_deref().and_then(proxy_endpoint));
        // Connections use the environment whatever this guest's own transports may see of it.
        let granted =
            |name: &str| !registry.is_empty() || authority.query(&Need::Env(name.to_owned())).is_granted();
        endpoints.extend(proxies(&env, &granted));
        let unread = named(registry, authority, &mut paths, &mut endpoints);
        endpoints.extend(in_pod(&env).filter(|_| !registry.is_empty()));
        for path in paths.clone() {
            let kubeconfig = if path.ends_with(".kube") { path.join("config") } else { path };
            kubeconfig_names(host, &kubeconfig, &mut paths, &mut endpoints);
        }
        paths.extend(unread);
        paths.extend(own(engine));
        // The kernel shows this process' memory and environment there.
        paths.extend(["/proc", "/dev"].map(PathBuf::from));
        let canonical: Vec<PathBuf> = paths.iter().filter_map(|path| host.canonical(path)).collect();
        paths.extend(canonical);
        paths.sort();
        paths.dedup();
        Self { paths, endpoints }
    }
}

/// Adds what a kubeconfig names, if it can be read: files, plugins, servers, and what stands before them.
fn kubeconfig_names(
    host: &HostAuthority,
    path: &Path,
    paths: &mut Vec<PathBuf>,
    endpoints: &mut Vec<Endpoint>,
) {
    let Ok(document) = host.read_component(path).map(|text| kubeconfig::parse(&text, path)) else { return };
    let Ok(document) = document else { return };
    let config = document.into_config();
    paths.extend(config.files());
    // A guest that could replace a plugin would be one.
    paths.extend(config.programs().into_iter().map(PathBuf::from).filter(|program| program.is_absolute()));
    for cluster in config.clusters().values() {
        endpoints.extend(of_url(&cluster.server));
        endpoints.extend(proxy_endpoint(cluster.proxy_url.expose()));
    }
    let providers = config.users().values().filter_map(|user| user.auth_provider.as_ref());
    endpoints
        .extend(providers.filter_map(|provider| of_url(provider.config.get("idp-issuer-url")?.expose())));
}

/// What connections are made from: the paths of all, since the next guest may be granted what this one is not; and of those that this
/// guest may open also what their kubeconfigs name, which costs reading each. Gives back the paths that are not to be read.
fn named(
    registry: &Registry,
    authority: &Authority,
    paths: &mut Vec<PathBuf>,
    endpoints: &mut Vec<Endpoint>,
) -> Vec<PathBuf> {
    let mut unread: Vec<PathBuf> = registry.configuration_file().map(Path::to_owned).into_iter().collect();
    for connection in registry.list() {
        let granted = authority.query(&Need::Connection(connection.name().to_owned())).is_granted();
        match connection.definition() {
            Definition::KubeConfig(KubeConfig { path, overrides, .. }) => {
                if granted { &mut *paths } else { &mut unread }.push(path.clone());
                endpoints.extend(overrides.server.as_deref().and_then(of_url));
                endpoints.extend(overrides.proxy.as_deref().and_then(proxy_endpoint));
            }
            Definition::ServiceAccount(ServiceAccount { folder, address }) => {
                paths.extend(folder.clone());
                endpoints.extend(address.as_deref().and_then(|address| Endpoint::parse(address).ok()));
            }
            Definition::Direct(direct) => endpoints.extend(of_url(&direct.server)),
        }
    }
    unread
}

/// What `--allow-read` names is there for transports to take credentials from: a guest may choose any file in it as its kubeconfig,
/// and that may name any other.
fn granted_to_transports(authority: &Authority) -> Vec<PathBuf> {
    let (roots, _) = authority.grants().path_roots(Kind::Read);
    roots.iter().flat_map(|root| [root.given(), root.real()]).map(Path::to_owned).collect()
}

/// The cache, and where configuration and logs are.
fn own(engine: &Inner) -> Vec<PathBuf> {
    let host = &engine.host;
    let under = |variable: &str, fallback: &str| {
        let folder = host.env(variable).map(PathBuf::from).filter(|path| path.is_absolute());
        let folder = folder.or_else(|| Some(PathBuf::from(host.env("HOME")?).join(fallback)));
        folder.map(|folder| folder.join("tidegate"))
    };
    let folders = [
        under("XDG_CACHE_HOME", ".cache"),
        under("XDG_CONFIG_HOME", ".config"),
        under("XDG_STATE_HOME", ".local/state"),
        engine.cache.as_ref().map(|cache| cache.folder().to_owned()),
    ];
    folders.into_iter().flatten().collect()
}

/// The servers that flags, the environment and defaults name.
fn servers(options: &Options, env: &dyn Fn(&str) -> Option<OsString>) -> Vec<Endpoint> {
    let proxy = options.kubectl_proxy.url.as_deref().unwrap_or("http://localhost:8001");
    let server = options.kubeconfig.server.as_deref().and_then(of_url);
    let in_cluster = match &options.in_cluster.address {
        Some(address) => vec![Endpoint::parse(address).ok()],
        // The second is for a transport that may not see the variables.
        None => vec![in_pod(env), Endpoint::parse("kubernetes.default.svc:443").ok()],
    };
    in_cluster.into_iter().chain([of_url(proxy), server]).flatten().collect()
}

/// The server as a pod's variables have it.
fn in_pod(env: &dyn Fn(&str) -> Option<OsString>) -> Option<Endpoint> {
    let text = |name: &str| env(name).and_then(|value| value.into_string().ok());
    let port = text("KUBERNETES_SERVICE_PORT").and_then(|port| port.parse().ok()).unwrap_or(443);
    Some(Endpoint::new(Host::parse(&text("KUBERNETES_SERVICE_HOST")?).ok()?, port))
}

/// Host and port of an `http` or `https` URL.
fn of_url(url: &str) -> Option<Endpoint> {
    let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
    let authority = rest.split(['/', '?', '#']).next()?;
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let port = if scheme.eq_ignore_ascii_case("http") { 80 } else { 443 };
    Endpoint::parse(authority).ok().or_else(|| Some(Endpoint::new(Host::parse(authority).ok()?, port)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_of_urls() {
        let cases = [
            ("https://10.0.0.1:6443", Some("10.0.0.1:6443")),
            ("https://API.corp/kubernetes/global", Some("api.corp:443")),
            ("http://localhost:8001", Some("localhost:8001")),
            ("http://user@[::1]:8001/x", Some("[::1]:8001")),
            ("http://[fd00::1]", Some("[fd00::1]:80")),
            ("api.corp", Some("api.corp:443")),
            ("https://", None),
        ];
        for (url, expected) in cases {
            assert_eq!(of_url(url).map(|endpoint| endpoint.to_string()).as_deref(), expected, "{url}");
        }
    }
}
