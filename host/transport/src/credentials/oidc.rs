use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::HeaderValue;
use tidegate_authority::{Authority, Needs, NetGrant};
use tidegate_kube::kubeconfig::Server;
use tidegate_kube::kubeconfig::provider::oidc::{
    ClientBy, Oidc as Config, Refreshed, error_name, refreshed, token_endpoint,
};
use tidegate_kube::request::{Method, Request, StreamedBody};
use tidegate_kube::{Secret, jwt};

use super::cached::{Fetch, Fetched};
use super::{CredentialKind, CredentialReport, Credentials, Presented, bearer, whose};
use crate::http::proxy::{Environment, Proxy, Route};
use crate::http::{Client, Compression, Dialer, Origin, Tls};
use crate::request_body::RequestBody;
use crate::{Code, Error, Options};

/// What an issuer may answer, in bytes.
const CAP: u64 = 1024 * 1024;

/// As client-go: an ID token that ends so soon is over.
const EARLY: Duration = Duration::from_secs(10);

/// `auth-provider: oidc`: the ID token until it ends, then another one of its issuer's.
///
/// Nothing is written to disk: a refresh token that the issuer rotates is known to this process alone.
pub(crate) struct Oidc {
    config: Config,
    /// Approves the network to the issuer, and to its token endpoint, which only the issuer can name.
    authority: Authority,
    tls: Tls,
    /// What the environment says about the way to the issuer; the cluster's `proxy-url` is about the cluster.
    proxies: Environment,
    options: Options,
    origin: String,
    state: Mutex<State>,
}

struct State {
    refresh_token: Option<Secret>,
    endpoint: Option<Server>,
    client_by: ClientBy,
}

impl Oidc {
    /// `origin` is `auth-provider of user "u"`.
    pub(crate) fn new(
        config: Config,
        (tls, proxies): (Tls, Environment),
        authority: &Authority,
        options: &Options,
        origin: String,
    ) -> Oidc {
        let state = State {
            refresh_token: config.refresh_token.clone(),
            endpoint: None,
            client_by: ClientBy::Header,
        };
        let (authority, options) = (authority.clone(), options.clone());
        Oidc { config, authority, tls, proxies, options, origin, state: Mutex::new(state) }
    }

    /// The ID token of the configuration, while it lasts. Errors: it is none.
    pub(crate) fn known(&self, now: SystemTime) -> Result<Option<Fetched>, Error> {
        let Some(token) = &self.config.id_token else { return Ok(None) };
        let expires = jwt::expiry(token.expose())
            .map_err(|error| self.broken("the id-token cannot be used").because(error))?;
        if expires.is_none_or(|end| end <= now + EARLY) {
            return Ok(None);
        }
        self.fetched(token, expires).map(Some)
    }

    async fn refresh(&self) -> Result<Fetched, Error> {
        let (token, known, by) = {
            let state = self.lock();
            (state.refresh_token.clone(), state.endpoint.clone(), state.client_by)
        };
        let token = token.ok_or_else(|| {
            self.broken("No valid id-token, and cannot refresh without refresh-token; log in again")
        })?;
        let endpoint = match known {
            Some(endpoint) => endpoint,
            None => self.discover().await?,
        };
        let (answer, by) = match self.ask(&endpoint, &token, by).await {
            Ok(answer) => (answer, by),
            // As Go's oauth2: some issuers want a client to name itself in the form.
            Err(error) if by == ClientBy::Header && error.code() == Code::Unauthorized => {
                (self.ask(&endpoint, &token, ClientBy::Form).await?, ClientBy::Form)
            }
            Err(error) => return Err(error),
        };
        let Refreshed { id_token, expires, refresh_token } =
            refreshed(&answer).map_err(|error| self.broken("failed to refresh token").because(error))?;
        let mut state = self.lock();
        state.endpoint = Some(endpoint);
        state.client_by = by;
        if refresh_token.is_some() {
            state.refresh_token = refresh_token;
        }
        drop(state);
        // One that does not say when it ends is over at once, as in client-go.
        self.fetched(&id_token, Some(expires.unwrap_or(SystemTime::UNIX_EPOCH)))
    }

    async fn discover(&self) -> Result<Server, Error> {
        let request = Request::new(Method::Get, self.config.discovery_path());
        let document = self.send(&self.config.issuer, None, request, None).await?;
        token_endpoint(&document).map_err(|error| {
            self.broken("oidc: failed to query the issuer's discovery document").because(error)
        })
    }

    async fn ask(&self, endpoint: &Server, token: &Secret, by: ClientBy) -> Result<Bytes, Error> {
        let (form, header) = self.config.refresh(token, by);
        let path = Some(endpoint.prefix()).filter(|path| !path.is_empty()).unwrap_or("/");
        let mut request = Request::new(Method::Post, path);
        request.content_type = Some("application/x-www-form-urlencoded".to_owned());
        self.send(endpoint, header, request, Some(form)).await
    }

    /// Over a connection of its own: this happens once in minutes.
    async fn send(
        &self,
        server: &Server,
        header: Option<Secret>,
        mut request: Request,
        form: Option<Secret>,
    ) -> Result<Bytes, Error> {
        let origin = Origin { prefix: String::new(), ..Origin::of(server)? };
        let (net, route) = self.way(&origin)?;
        let header = header.map(|header| {
            let value = HeaderValue::from_str(header.expose());
            value.map_err(|_| self.broken("client-id or client-secret cannot be sent"))
        });
        let presented = Presented { header: header.transpose()?, ..Presented::default() };
        let credentials = Credentials::Fixed { presented, reports: Vec::new() };
        let dialer = Dialer::new(net, route, Some(&self.tls), &self.options.user_agent)?;
        let client = Client::new(&origin, dialer, credentials, Compression::Gzip, &self.options.user_agent)?;
        request.deadline = self.options.plugins.deadline;
        let checked = request
            .check(StreamedBody::Absent)
            .map_err(|error| self.broken("the issuer's URL cannot be used").because(error))?;
        let form = form.map(|form| Bytes::copy_from_slice(form.expose().as_bytes()));
        let response = client.send(&checked, RequestBody::new(form, None)?).await;
        match response {
            Ok(response) => response.body.whole(CAP).await,
            Err(error) => Err(self.refused(server, error)),
        }
    }

    /// The network to the issuer, or to its token endpoint, and to the proxy before it: approved together.
    fn way(&self, origin: &Origin) -> Result<(NetGrant, Route), Error> {
        let lost =
            || Error::new(Code::PermissionDenied, "the approval of the issuer's network is incomplete");
        let proxy = self.proxies.proxy_for(origin.scheme, &origin.endpoint)?;
        let needs = Needs::new().net(origin.endpoint.clone());
        let needs = match &proxy {
            None => needs,
            Some(url) => needs.net(url.endpoint().clone()),
        };
        let approved = self.authority.approve(&needs)?;
        let route = match proxy {
            None => Route::Direct,
            Some(url) => {
                let net = approved.net(url.endpoint()).ok_or_else(lost)?;
                Route::Proxy(Proxy::new(net, url, Some(&self.tls))?)
            }
        };
        Ok((approved.net(&origin.endpoint).ok_or_else(lost)?, route))
    }

    /// The issuer's words may hold anything; its code and the name of its error do not.
    fn refused(&self, server: &Server, error: Error) -> Error {
        let Some(status) = error.status() else {
            let text = format!("the issuer {server} cannot be asked ({})", self.origin);
            return Error::new(error.code(), text).because(error);
        };
        let message = &status.message;
        let name = message.find('{').and_then(|at| error_name(&message.as_bytes()[at..]));
        let name = name.map(|name| format!(", {name}")).unwrap_or_default();
        let text = format!(
            "failed to refresh token: the issuer {server} answered {}{name} ({})",
            status.code, self.origin
        );
        match status.code {
            500.. => Error::new(Code::Unreachable, text),
            _ => Error::new(Code::Unauthorized, format!("{text}; log in again")),
        }
    }

    fn fetched(&self, token: &Secret, expires: Option<SystemTime>) -> Result<Fetched, Error> {
        let header = bearer(token.expose().as_bytes(), &self.origin)?;
        Ok(Fetched { header: Some(header), identity: None, expires })
    }

    fn broken(&self, text: &str) -> Error {
        Error::new(Code::NotConfigured, format!("{text} ({})", self.origin)).broken()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fetch for Oidc {
    fn fetch(&self) -> BoxFuture<'_, Result<Fetched, Error>> {
        Box::pin(self.refresh())
    }

    fn report(&self) -> CredentialReport {
        let source = format!("{}, {}", self.config.issuer, whose(&self.origin));
        CredentialReport::new(CredentialKind::Oidc, &source)
    }
}
