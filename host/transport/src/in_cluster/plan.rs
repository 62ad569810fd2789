use std::path::{Path, PathBuf};

use tidegate_grants::{Endpoint, Host};
use tidegate_kube::Secret;
use tidegate_kube::kubeconfig::Scheme;

use crate::http::proxy::{Environment, ProxyUrl};
use crate::options::InClusterOptions;
use crate::plan::{Inputs, Plan as Rounds, Round, Step, Variable};
use crate::{Code, CredentialKind, CredentialReport, Error};

/// Where the kubelet puts it.
const FOLDER: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

const HOST: &str = "KUBERNETES_SERVICE_HOST";
const PORT: &str = "KUBERNETES_SERVICE_PORT";

/// The server's name inside a cluster, for where the environment is not granted.
const DEFAULT_HOST: &str = "kubernetes.default.svc";
const DEFAULT_PORT: u16 = 443;

/// The service-account folder.
pub(crate) fn folder(options: &InClusterOptions) -> PathBuf {
    options.folder.clone().unwrap_or_else(|| PathBuf::from(FOLDER))
}

/// locate (the environment) → read (the folder) → connect (the address).
#[derive(Debug)]
pub(crate) struct Plan {
    folder: PathBuf,
    /// What the environment says about proxies; none before the first round, whichever that is.
    proxies: Option<Environment>,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Locate,
    Read { endpoint: Endpoint },
    Connect { endpoint: Endpoint, proxy: Option<ProxyUrl>, account: Account },
}

/// What the folder holds.
#[derive(Debug)]
struct Account {
    ca: Secret<Vec<u8>>,
    token: Secret<Vec<u8>>,
    namespace: Option<String>,
}

/// What a transport is made of.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(super) endpoint: Endpoint,
    /// None where the server is reached directly.
    pub(super) proxy: Option<ProxyUrl>,
    pub(super) folder: PathBuf,
    pub(super) ca: Secret<Vec<u8>>,
    pub(super) token: Secret<Vec<u8>>,
    pub(super) namespace: Option<String>,
}

impl Plan {
    /// Errors: the address that the host chose is none, or its folder is not absolute.
    pub(super) fn new(options: &InClusterOptions) -> Result<Plan, Error> {
        let folder = folder(options);
        if !folder.is_absolute() {
            let text = format!("the folder for InCluster must be absolute, and {} is not", folder.display());
            return Err(Error::new(Code::NotConfigured, text).broken());
        }
        let stage = match &options.address {
            None => Stage::Locate,
            Some(address) => Stage::Read {
                endpoint: Endpoint::parse(address).map_err(|error| {
                    Error::new(Code::NotConfigured, "the address that was given for InCluster")
                        .because(error)
                        .broken()
                })?,
            },
        };
        Ok(Plan { folder, proxies: None, stage })
    }

    pub(super) fn token_path(folder: &Path) -> PathBuf {
        folder.join("token")
    }

    pub(super) fn ca_path(folder: &Path) -> PathBuf {
        folder.join("ca.crt")
    }

    fn namespace_path(folder: &Path) -> PathBuf {
        folder.join("namespace")
    }
}

impl Rounds for Plan {
    type Ready = Ready;

    fn round(&self) -> Round {
        let folder = &self.folder;
        let mut round = match &self.stage {
            Stage::Locate => Round {
                variables: vec![Variable::Optional(HOST), Variable::Optional(PORT)],
                ..Round::default()
            },
            Stage::Read { .. } => Round {
                folders: vec![folder.clone()],
                files: vec![Plan::ca_path(folder), Plan::token_path(folder), Plan::namespace_path(folder)],
                ..Round::default()
            },
            // The folder again: the token is read from it for as long as the transport lives.
            Stage::Connect { endpoint, proxy, .. } => {
                let proxy = proxy.as_ref().map(ProxyUrl::endpoint);
                let net = [endpoint].into_iter().chain(proxy).cloned().collect();
                Round { folders: vec![folder.clone()], net, ..Round::default() }
            }
        };
        if self.proxies.is_none() {
            round.variables.extend(Environment::variables());
        }
        round
    }

    fn credentials(&self) -> Vec<CredentialReport> {
        match &self.stage {
            Stage::Connect { .. } => {
                let path = Plan::token_path(&self.folder).display().to_string();
                vec![CredentialReport::new(CredentialKind::TokenFile, &path)]
            }
            Stage::Locate | Stage::Read { .. } => Vec::new(),
        }
    }

    fn advance(mut self, inputs: Inputs) -> Result<Step<Plan, Ready>, Error> {
        let proxies = self.proxies.get_or_insert_with(|| Environment::of(&inputs));
        self.stage = match self.stage {
            Stage::Locate => Stage::Read { endpoint: endpoint(&inputs)? },
            Stage::Read { endpoint } => {
                let account = account(&self.folder, inputs)?;
                let proxy = proxies.proxy_for(Scheme::Https, &endpoint)?;
                Stage::Connect { endpoint, proxy, account }
            }
            Stage::Connect { endpoint, proxy, account: Account { ca, token, namespace } } => {
                let folder = self.folder;
                return Ok(Step::Ready(Ready { endpoint, proxy, folder, ca, token, namespace }));
            }
        };
        Ok(Step::Again(self))
    }
}

/// A variable that is not granted is a fallback, one that is nonsense an error.
fn endpoint(inputs: &Inputs) -> Result<Endpoint, Error> {
    let Some(host) = inputs.variable(HOST) else {
        return Ok(Endpoint::new(Host::Name(DEFAULT_HOST.to_owned()), DEFAULT_PORT));
    };
    let bad =
        |name: &str| Error::new(Code::NotConfigured, format!("the environment variable {name}")).broken();
    let host = host.to_str().ok_or_else(|| bad(HOST))?;
    let host = Host::parse(host).map_err(|error| bad(HOST).because(error))?;
    let port = match inputs.variable(PORT) {
        None => DEFAULT_PORT,
        Some(port) => port
            .to_str()
            .and_then(|port| port.parse().ok())
            .filter(|&port| port != 0)
            .ok_or_else(|| bad(PORT).because("it is no port from 1 to 65535"))?,
    };
    Ok(Endpoint::new(host, port))
}

fn account(folder: &Path, mut inputs: Inputs) -> Result<Account, Error> {
    let ca = inputs.file(&Plan::ca_path(folder))?;
    let token = inputs.file(&Plan::token_path(folder))?;
    let namespace = inputs.file(&Plan::namespace_path(folder))?;
    let shown = folder.display();
    let (ca, token) = match (ca, token) {
        (Some(ca), Some(token)) => (ca, token),
        (None, None) => {
            return Err(Error::new(Code::NotConfigured, format!("there is no service account in {shown}")));
        }
        // No verification would hand the token to whoever answers.
        (None, Some(_)) => {
            let text = format!("{shown} has no ca.crt, without which the server cannot be told from another");
            return Err(Error::new(Code::Tls, text).broken());
        }
        (Some(_), None) => {
            return Err(Error::new(Code::NotConfigured, format!("{shown} has no token")).broken());
        }
    };
    let namespace = namespace
        .and_then(|bytes| String::from_utf8(bytes.expose().trim_ascii().to_vec()).ok())
        .filter(|name| is_namespace(name));
    Ok(Account { ca, token, namespace })
}

/// A DNS label: anything else would be a path into other requests.
fn is_namespace(name: &str) -> bool {
    (1..=63).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tables::{PROXIES, again, failed, files, lines, ready, variables};

    const FILES: &[(&str, &str)] =
        &[("/sa/ca.crt", "CA"), ("/sa/token", "TOKEN\n"), ("/sa/namespace", "prod\n")];

    fn plan(address: Option<&str>) -> Plan {
        let options =
            InClusterOptions { folder: Some(PathBuf::from("/sa")), address: address.map(str::to_owned) };
        Plan::new(&options).expect("plan")
    }

    #[test]
    fn three_rounds() {
        let plan = plan(None);
        let own = ["env KUBERNETES_SERVICE_HOST?", "env KUBERNETES_SERVICE_PORT?"];
        assert_eq!(lines(&plan.round()), [&own[..], &PROXIES].concat());
        let plan = again(plan, variables(&[(HOST, "10.0.0.1"), (PORT, "6443")]));
        assert_eq!(
            lines(&plan.round()),
            ["folder /sa", "file /sa/ca.crt", "file /sa/token", "file /sa/namespace"]
        );
        let plan = again(plan, files(FILES));
        assert_eq!(lines(&plan.round()), ["folder /sa", "net 10.0.0.1:6443"]);
        let ready = ready(plan, Inputs::default());
        assert_eq!(ready.namespace.as_deref(), Some("prod"));
    }

    #[test]
    fn the_environment_says_where() {
        for (given, endpoint) in [
            (&[][..], "kubernetes.default.svc:443"),
            (&[(HOST, "")], "kubernetes.default.svc:443"),
            (&[(PORT, "6443")], "kubernetes.default.svc:443"),
            (&[(HOST, "10.0.0.1")], "10.0.0.1:443"),
            (&[(HOST, "fd00::1"), (PORT, "6443")], "[fd00::1]:6443"),
        ] {
            let plan = again(again(plan(None), variables(given)), files(FILES));
            assert_eq!(plan.round().net[0].to_string(), endpoint);
        }
        for given in
            [&[(HOST, "10.0.0.1"), (PORT, "70000")][..], &[(HOST, "a b")], &[(HOST, "h"), (PORT, "0")]]
        {
            assert!(failed(plan(None), variables(given)).is_broken(), "{given:?}");
        }
    }

    #[test]
    fn an_address_of_the_host_needs_no_environment() {
        let plan = plan(Some("[::1]:16443"));
        assert!(!lines(&plan.round()).iter().any(|line| line.contains("KUBERNETES")));
        assert_eq!(again(plan, files(FILES)).round().net[0].to_string(), "[::1]:16443");
    }

    #[test]
    fn the_environment_names_a_proxy() {
        for (given, net) in [
            (&[("HTTPS_PROXY", "http://me:hunter2@proxy:3128")][..], &["10.0.0.1:443", "proxy:3128"][..]),
            (&[("https_proxy", "socks5://proxy")], &["10.0.0.1:443", "proxy:1080"]),
            (&[("HTTP_PROXY", "proxy:3128")], &["10.0.0.1:443"]),
            (&[("HTTPS_PROXY", "proxy:3128"), ("NO_PROXY", "10.0.0.0/8")], &["10.0.0.1:443"]),
        ] {
            let given = variables(&[given, &[(HOST, "10.0.0.1")]].concat());
            let plan = again(again(plan(None), given), files(FILES));
            let shown: Vec<String> = plan.round().net.iter().map(ToString::to_string).collect();
            assert_eq!(shown, net);
            assert_eq!(ready(plan, Inputs::default()).proxy.is_some(), net.len() == 2);
        }
    }

    #[test]
    fn half_an_account_is_an_error_and_never_no_verification() {
        for (given, code, words) in [
            (&[][..], Code::NotConfigured, "there is no service account in /sa"),
            (&FILES[..1], Code::NotConfigured, "/sa has no token"),
            (&FILES[1..], Code::Tls, "/sa has no ca.crt"),
        ] {
            let error = failed(plan(Some("h:1")), files(given));
            assert_eq!(error.code(), code);
            assert!(error.report().contains(words), "{error:?}");
        }
    }

    #[test]
    fn a_namespace_is_a_label_or_none() {
        for (text, namespace) in [(" prod \n", Some("prod")), ("", None), ("../x", None), ("A", None)] {
            let given = [FILES[0], FILES[1], ("/sa/namespace", text)];
            let ready = ready(again(plan(Some("h:1")), files(&given)), Inputs::default());
            assert_eq!(ready.namespace.as_deref(), namespace, "{text:?}");
        }
    }
}
