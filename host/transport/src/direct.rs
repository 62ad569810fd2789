//! A cluster that an embedder names piece by piece, without a file.

use std::fmt;
use std::sync::Arc;

use tidegate_authority::Authority;
use tidegate_grants::Endpoint;
use tidegate_kube::Secret;
use tidegate_kube::kubeconfig::{Impersonate, Scheme, Server, Verification};

use crate::credentials::{
    Cached, CertificatePair, CredentialKind, CredentialRequest, Credentials, Custom, authorization,
};
use crate::drive::drive;
use crate::http::proxy::{Environment, Proxy, ProxyUrl, Route};
use crate::http::{Client, Compression, Dialer, HttpTransport, Material, Origin, Tls, Trust};
use crate::plan::{Inputs, Plan as Rounds, Round, Step};
use crate::{Code, Error, Kind, Options, Transport, probe};

/// A cluster and a credential for it, as values. Needs the network to the server and to the proxy before it, and nothing else.
#[derive(Clone)]
pub struct Direct {
    /// `https://10.0.0.1:6443`, with a path prefix if there is one. A credential goes over TLS only.
    pub server: String,
    /// The certificates to believe, PEM; the system's where none. Clones of one `Arc` are held once, however many clusters believe them.
    pub ca: Option<Arc<[u8]>>,
    /// Whether the server's certificate is checked.
    pub verification: Verification,
    /// The name to check it for, instead of the server's.
    pub server_name: Option<String>,
    /// The URL of a proxy, as `proxy-url` in a kubeconfig; the environment's, where `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` are granted, unless
    /// set.
    pub proxy: Option<Secret>,
    /// The namespace to use where a guest names none.
    pub namespace: Option<String>,
    /// Whom to impersonate.
    pub impersonate: Option<Box<Impersonate>>,
    /// What to send.
    pub credential: DirectCredential,
}

/// What a [`Direct`] connection proves itself with.
#[derive(Clone, Default)]
pub enum DirectCredential {
    /// Nothing.
    #[default]
    None,
    /// The whole value of `Authorization`: `Bearer …`, `Basic …`.
    Header(Secret),
    /// A client certificate.
    Certificate(CertificatePair),
    /// What the provider of this name gives ([`Options::providers`]); the request holds this server and `config`.
    Provider {
        /// The name that it was registered by.
        name: String,
        /// What it is told besides the server.
        config: std::collections::BTreeMap<String, Secret>,
    },
}

impl Direct {
    /// This server, believed as the system believes, without a credential.
    pub fn new(server: impl Into<String>) -> Direct {
        Direct {
            server: server.into(),
            ca: None,
            verification: Verification::Verify,
            server_name: None,
            proxy: None,
            namespace: None,
            impersonate: None,
            credential: DirectCredential::None,
        }
    }
}

impl fmt::Debug for Direct {
    /// The kind of credential alone, and whether there is a server: a URL that is not checked yet may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Direct")
            .field("has_server", &!self.server.is_empty())
            .field("verification", &self.verification)
            .field("namespace", &self.namespace)
            .field("credential", &self.credential)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for DirectCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DirectCredential::None => "None",
            DirectCredential::Header(_) => "Header",
            DirectCredential::Certificate(_) => "Certificate",
            DirectCredential::Provider { .. } => "Provider",
        })
    }
}

/// Connects to a cluster that is named piece by piece, and probes it. It counts as [`Kind::KubeConfig`].
///
/// Errors: [`Code::PermissionDenied`] where the server's network is not granted, [`Code::NotConfigured`] for values that cannot be
/// used, and those of [`connect`](crate::connect).
pub async fn connect_direct(
    authority: &Authority,
    options: &Options,
    direct: Direct,
) -> Result<Arc<dyn Transport>, Error> {
    let broken =
        || Error::new(Code::NotConfigured, "the server of a direct connection cannot be used").broken();
    let server: Server = direct.server.parse().map_err(|error| broken().because(error))?;
    let origin = Origin::of(&server).map_err(|error| broken().because(error))?;
    let secure = origin.scheme == Scheme::Https;
    if !secure && !matches!(direct.credential, DirectCredential::None) {
        let text =
            format!("the server {origin} has no TLS, so that no credential is sent to it; use https://");
        return Err(Error::new(Code::NotConfigured, text).broken());
    }
    let credentials = credentials(&direct, &origin, options)?;
    let tls = tls(&direct);
    let tls = Some(&tls).filter(|_| secure);
    let (Ready { endpoint, proxy }, approved) = drive(authority, Plan::new(&direct, &origin)?)?;
    let net = approved.net(&endpoint).ok_or_else(lost)?;
    let route = match proxy {
        None => Route::Direct,
        Some(url) => {
            let net = approved.net(url.endpoint()).ok_or_else(lost)?;
            Route::Proxy(Proxy::new(net, url, tls)?)
        }
    };
    let dialer = Dialer::new(net, route, tls, &options.user_agent)?;
    credentials.prepare().await?;
    let mut client = Client::new(&origin, dialer, credentials, Compression::Gzip, &options.user_agent)?;
    if let Some(whom) = &direct.impersonate {
        client = client.impersonating(whom)?;
    }
    let transport: Arc<dyn Transport> = Arc::new(HttpTransport {
        kind: Kind::KubeConfig,
        namespace: direct.namespace,
        origin,
        client,
        observer: options.observer.clone(),
    });
    probe::probe(transport.clone(), options.probe_deadline).await?;
    Ok(transport)
}

fn tls(direct: &Direct) -> Tls {
    let trust = match (direct.verification, &direct.ca) {
        (Verification::Skip, _) => Trust::Anybody,
        (Verification::Verify, None) => Trust::System,
        (Verification::Verify, Some(ca)) => Trust::Given(Material {
            pem: Secret::new(ca.to_vec()),
            origin: "the certificate authority of a direct connection".to_owned(),
        }),
    };
    Tls { trust, server_name: direct.server_name.clone() }
}

fn credentials(direct: &Direct, origin: &Origin, options: &Options) -> Result<Credentials, Error> {
    const ORIGIN: &str = "direct connection";
    Ok(match &direct.credential {
        DirectCredential::None => Credentials::none(),
        DirectCredential::Header(text) => {
            Credentials::fixed(authorization(text, ORIGIN)?, CredentialKind::Header, ORIGIN)
        }
        DirectCredential::Certificate(pair) => {
            Credentials::none().with_identity(pair.identity(ORIGIN)?, ORIGIN)
        }
        DirectCredential::Provider { name, config } => {
            let provider = options.providers.get(name).ok_or_else(|| {
                let text = format!("no credential provider {name:?} is registered");
                Error::new(Code::NotConfigured, text).broken()
            })?;
            let request = CredentialRequest { server: origin.to_string(), config: config.clone() };
            let deadline = options.plugins.deadline;
            let custom = Custom { name: name.clone(), provider, request, deadline };
            Credentials::Source(Arc::new(Cached::new(Box::new(custom), options.observer.clone())))
        }
    })
}

/// locate (the environment's proxies) → connect (the server and its proxy).
struct Plan {
    scheme: Scheme,
    endpoint: Endpoint,
    proxy: Way,
}

/// How the server is reached.
enum Way {
    /// As the environment says, which is not known yet.
    Unknown,
    /// Through this one, or directly.
    Known(Option<ProxyUrl>),
}

struct Ready {
    endpoint: Endpoint,
    /// None where the server is reached directly.
    proxy: Option<ProxyUrl>,
}

impl Plan {
    /// Errors: the proxy that was given is none.
    fn new(direct: &Direct, origin: &Origin) -> Result<Plan, Error> {
        let given = direct.proxy.as_ref().map(|url| ProxyUrl::parse(url.expose())).transpose();
        let given = given.map_err(|invalid| {
            let text = "the proxy of a direct connection cannot be used";
            Error::new(Code::NotConfigured, text).because(invalid).broken()
        })?;
        let proxy = given.map_or(Way::Unknown, |url| Way::Known(Some(url)));
        Ok(Plan { scheme: origin.scheme, endpoint: origin.endpoint.clone(), proxy })
    }
}

impl Rounds for Plan {
    type Ready = Ready;

    fn round(&self) -> Round {
        match &self.proxy {
            Way::Unknown => Round { variables: Environment::variables().collect(), ..Round::default() },
            Way::Known(proxy) => {
                let proxy = proxy.as_ref().map(ProxyUrl::endpoint);
                let net = [&self.endpoint].into_iter().chain(proxy).cloned().collect();
                Round { net, ..Round::default() }
            }
        }
    }

    fn advance(self, inputs: Inputs) -> Result<Step<Plan, Ready>, Error> {
        match self.proxy {
            Way::Unknown => {
                let proxy = Environment::of(&inputs).proxy_for(self.scheme, &self.endpoint)?;
                Ok(Step::Again(Plan { proxy: Way::Known(proxy), ..self }))
            }
            Way::Known(proxy) => Ok(Step::Ready(Ready { endpoint: self.endpoint, proxy })),
        }
    }
}

fn lost() -> Error {
    Error::new(Code::PermissionDenied, "the approval of a direct connection's last round is incomplete")
}
