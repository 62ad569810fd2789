//! `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`, as Go reads them (golang.org/x/net/http/httpproxy).

use std::net::IpAddr;

use tidegate_grants::{Endpoint, Host};
use tidegate_kube::Secret;
use tidegate_kube::kubeconfig::Scheme;

use super::url::ProxyUrl;
use crate::plan::{Inputs, Variable};
use crate::{Code, Error};

/// The variables, the preferred spelling first.
const HTTPS: [&str; 2] = ["HTTPS_PROXY", "https_proxy"];
const HTTP: [&str; 2] = ["HTTP_PROXY", "http_proxy"];
const NO: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// The variables that name a proxy.
pub(crate) const PROXY_VARIABLES: [&str; 4] = [HTTPS[0], HTTPS[1], HTTP[0], HTTP[1]];

/// What the environment says about proxies, as far as it is granted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    https: Option<(&'static str, Secret)>,
    http: Option<(&'static str, Secret)>,
    exceptions: Vec<Exception>,
}

/// A part of `NO_PROXY`.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Exception {
    Everything,
    Network(IpAddr, u8),
    Address(IpAddr, Port),
    /// Names that end in this, which begins with a dot; with [`Itself::Too`] the name without the dot as well.
    Beneath(String, Itself, Port),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Itself {
    Too,
    Not,
}

/// As it is written: Go compares text. None is every port.
type Port = Option<String>;

impl Environment {
    /// What a plan asks for: without a grant each counts as unset.
    pub(crate) fn variables() -> impl Iterator<Item = Variable> {
        [HTTPS, HTTP, NO].into_iter().flatten().map(Variable::Optional)
    }

    pub(crate) fn of(inputs: &Inputs) -> Environment {
        let exceptions = first(inputs, NO).map(|(_, list)| exceptions(list.expose())).unwrap_or_default();
        Environment { https: first(inputs, HTTPS), http: first(inputs, HTTP), exceptions }
    }

    /// The proxy for a server, if there is one for it. Errors: the variable for it is no proxy's URL, which Go passes over
    /// silently: it would go where somebody said it should not.
    pub(crate) fn proxy_for(&self, scheme: Scheme, server: &Endpoint) -> Result<Option<ProxyUrl>, Error> {
        let variable = match scheme {
            Scheme::Https => &self.https,
            Scheme::Http => &self.http,
        };
        match variable {
            Some((name, url)) if self.is_proxied(server) => {
                ProxyUrl::parse_loosely(url.expose()).map(Some).map_err(|invalid| {
                    Error::new(Code::NotConfigured, format!("the environment variable {name}"))
                        .because(invalid)
                        .broken()
                })
            }
            _ => Ok(None),
        }
    }

    /// This machine itself is never behind a proxy.
    fn is_proxied(&self, server: &Endpoint) -> bool {
        match server.host() {
            Host::Name(name) if name == "localhost" => return false,
            Host::Address(address) if address.to_canonical().is_loopback() => return false,
            _ => {}
        }
        !self.exceptions.iter().any(|exception| exception.covers(server))
    }
}

impl Exception {
    fn covers(&self, server: &Endpoint) -> bool {
        let at = |port: &Port| port.as_ref().is_none_or(|port| *port == server.port().to_string());
        match (self, server.host()) {
            (Exception::Everything, _) => true,
            (Exception::Network(network, length), Host::Address(address)) => {
                let address = address.to_canonical();
                address.is_ipv4() == network.is_ipv4() && bits(address, *length) == bits(*network, *length)
            }
            (Exception::Address(own, port), Host::Address(address)) => {
                *own == address.to_canonical() && at(port)
            }
            (Exception::Beneath(suffix, itself, port), Host::Name(name)) => {
                let own = *itself == Itself::Too && suffix.strip_prefix('.') == Some(name);
                (own || name.ends_with(suffix.as_str())) && at(port)
            }
            _ => false,
        }
    }
}

/// The first spelling that is granted, set and not empty. What is no text names no proxy, and is told once it is needed.
fn first(inputs: &Inputs, names: [&'static str; 2]) -> Option<(&'static str, Secret)> {
    let value = |name| Some((name, Secret::new(inputs.variable(name)?.to_string_lossy().into_owned())));
    names.into_iter().find_map(value)
}

fn exceptions(list: &str) -> Vec<Exception> {
    let mut exceptions = Vec::new();
    for part in list.split(',').map(|part| part.trim().to_lowercase()).filter(|part| !part.is_empty()) {
        if part == "*" {
            return vec![Exception::Everything];
        }
        exceptions.extend(exception(&part));
    }
    exceptions
}

/// None where it says nothing, which Go passes over.
fn exception(part: &str) -> Option<Exception> {
    if let Some((address, length)) = part.split_once('/')
        && let Some(network) = network(address, length)
    {
        return Some(network);
    }
    let (host, port) = split(part);
    let port = port.filter(|port| !port.is_empty()).map(str::to_owned);
    if let Ok(address) = host.parse::<IpAddr>() {
        return Some(Exception::Address(address.to_canonical(), port));
    }
    let host = if host.starts_with("*.") { &host[1..] } else { host };
    match host.as_bytes().first() {
        None => None,
        Some(b'.') => Some(Exception::Beneath(host.to_owned(), Itself::Not, port)),
        Some(_) => Some(Exception::Beneath(format!(".{host}"), Itself::Too, port)),
    }
}

fn network(address: &str, length: &str) -> Option<Exception> {
    let address: IpAddr = address.parse().ok()?;
    let digits = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
    let length: u8 = length.parse().ok().filter(|_| digits)?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    match address.to_canonical() {
        _ if length > longest => None,
        IpAddr::V4(inner) if address.is_ipv6() && length >= 96 => {
            Some(Exception::Network(inner.into(), length - 96))
        }
        _ => Some(Exception::Network(address, length)),
    }
}

/// Host and port, as `net.SplitHostPort` would; where it would not, all of it is the host.
fn split(part: &str) -> (&str, Option<&str>) {
    if let Some(rest) = part.strip_prefix('[') {
        return match rest.split_once("]:") {
            Some((host, port)) if !port.contains(':') => (host, Some(port)),
            _ => (part, None),
        };
    }
    match part.split_once(':') {
        Some((host, port)) if !port.contains(':') => (host, Some(port)),
        _ => (part, None),
    }
}

/// The first bits of an address.
fn bits(address: IpAddr, length: u8) -> u128 {
    let (all, width) = match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    };
    all.checked_shr(width - u32::from(length)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tables::variables;

    fn proxy(pairs: &[(&'static str, &str)], scheme: Scheme, server: &str) -> Option<String> {
        let environment = Environment::of(&variables(pairs));
        let server = Endpoint::parse(server).expect("endpoint");
        let url = environment.proxy_for(scheme, &server).expect("proxy");
        url.map(|url| url.endpoint().to_string())
    }

    #[test]
    fn each_scheme_has_its_variable() {
        use Scheme::{Http, Https};
        for (pairs, scheme, chosen) in [
            (&[][..], Https, None),
            (&[("HTTPS_PROXY", "a:1")], Https, Some("a:1")),
            (&[("https_proxy", "a:1")], Https, Some("a:1")),
            (&[("HTTPS_PROXY", "a:1"), ("https_proxy", "b:1")], Https, Some("a:1")),
            (&[("HTTPS_PROXY", ""), ("https_proxy", "b:1")], Https, Some("b:1")),
            (&[("HTTPS_PROXY", "a:1")], Http, None),
            (&[("HTTP_PROXY", "a:1")], Https, None),
            (&[("HTTP_PROXY", "a:1")], Http, Some("a:1")),
            (&[("http_proxy", "socks5://u:p@a")], Http, Some("a:1080")),
            (&[("HTTPS_PROXY", "a:1"), ("NO_PROXY", "corp")], Https, None),
            (&[("HTTPS_PROXY", "a:1"), ("no_proxy", "corp")], Https, None),
            (&[("HTTPS_PROXY", "a:1"), ("NO_PROXY", "x"), ("no_proxy", "corp")], Https, Some("a:1")),
        ] {
            assert_eq!(proxy(pairs, scheme, "k8s.corp:6443").as_deref(), chosen, "{pairs:?}");
        }
    }

    /// The cases of httpproxy's own `proxy_test.go`, and ours.
    #[test]
    fn exceptions_are_gos() {
        for (no_proxy, server, direct) in [
            ("", "k8s.corp:443", false),
            ("", "localhost:443", true),
            ("", "localhost.corp:443", false),
            ("", "127.0.0.1:443", true),
            ("", "127.5.5.5:443", true),
            ("", "[::1]:443", true),
            ("", "[::ffff:127.0.0.1]:443", true),
            ("*", "k8s.corp:443", true),
            ("*", "10.0.0.1:443", true),
            ("a, *", "k8s.corp:443", true),
            ("*x", "k8s.corp:443", false),
            ("corp", "k8s.corp:443", true),
            ("corp", "corp:443", true),
            ("corp", "k8scorp:443", false),
            (".corp", "k8s.corp:443", true),
            (".corp", "corp:443", false),
            ("*.corp", "k8s.corp:443", true),
            ("*.corp", "corp:443", false),
            ("K8S.Corp", "k8s.corp:443", true),
            (" k8s.corp ", "k8s.corp:443", true),
            ("k8s.corp:443", "k8s.corp:443", true),
            ("k8s.corp:6443", "k8s.corp:443", false),
            ("k8s.corp:0443", "k8s.corp:443", false),
            ("k8s.corp:", "k8s.corp:443", true),
            (":443", "k8s.corp:443", false),
            (",,", "k8s.corp:443", false),
            ("10.0.0.1", "10.0.0.1:443", true),
            ("10.0.0.1:443", "10.0.0.1:443", true),
            ("10.0.0.1:80", "10.0.0.1:443", false),
            ("10.0.0.1", "10.0.0.11:443", false),
            ("10.0.0.0/8", "10.9.9.9:443", true),
            ("10.1.2.3/8", "10.9.9.9:443", true),
            ("10.0.0.0/8", "11.0.0.1:443", false),
            ("0.0.0.0/0", "11.0.0.1:443", true),
            ("10.0.0.0/8", "k8s.corp:443", false),
            ("10.0.0.0/33", "10.0.0.1:443", false),
            ("::/0", "10.0.0.1:443", false),
            ("fd00::/8", "[fd12::1]:443", true),
            ("fd00::1", "[fd00::1]:443", true),
            ("[fd00::1]:443", "[fd00::1]:443", true),
            ("[fd00::1]:80", "[fd00::1]:443", false),
            ("[fd00::1]", "[fd00::1]:443", false),
            ("::ffff:10.0.0.0/104", "10.9.9.9:443", true),
            ("::ffff:10.0.0.1", "10.0.0.1:443", true),
            ("corp/8", "k8s.corp:443", false),
        ] {
            let pairs = &[("HTTPS_PROXY", "proxy:3128"), ("NO_PROXY", no_proxy)];
            let proxied = proxy(pairs, Scheme::Https, server).is_some();
            assert_eq!(proxied, !direct, "{server} with NO_PROXY={no_proxy:?}");
        }
    }

    #[test]
    fn a_variable_that_is_no_proxy_is_an_error_that_does_not_quote_it() {
        let pairs = &[("HTTPS_PROXY", "ftp://me:hunter2@proxy"), ("NO_PROXY", "direct")];
        let environment = Environment::of(&variables(pairs));
        let server = |text| Endpoint::parse(text).expect("endpoint");
        let error = environment.proxy_for(Scheme::Https, &server("k8s:443")).expect_err("ftp");
        assert_eq!(error.code(), Code::NotConfigured);
        assert_eq!(
            error.report(),
            "the environment variable HTTPS_PROXY: its scheme must be http, https or socks5"
        );
        assert!(!format!("{environment:?}{error:?}").contains("hunter2"));
        assert!(environment.proxy_for(Scheme::Https, &server("direct:443")).expect("unused").is_none());
    }
}
