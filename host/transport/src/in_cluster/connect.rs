use std::sync::Arc;

use tidegate_authority::Authority;
use tidegate_kube::kubeconfig::Scheme;

use super::plan::Plan;
use crate::credentials::{Credentials, Moment, TokenFile};
use crate::drive::drive;
use crate::http::proxy::{Proxy, Route};
use crate::http::{Certificates, Client, Compression, Dialer, HttpTransport, Origin, Tls, Trust};
use crate::{Code, Error, Kind, Options, Transport};

/// The plan of the host's own choice.
pub(crate) fn plan(options: &Options) -> Result<Plan, Error> {
    Plan::new(&options.in_cluster)
}

/// A transport with the pod's service account.
pub(crate) fn connect(authority: &Authority, options: &Options) -> Result<Arc<dyn Transport>, Error> {
    let (ready, approved) = drive(authority, Plan::new(&options.in_cluster)?)?;
    let lost = || Error::new(Code::PermissionDenied, "the approval of InCluster's last round is incomplete");
    let net = approved.net(&ready.endpoint).ok_or_else(lost)?;
    let folder = approved.read(&ready.folder).ok_or_else(lost)?;

    let path = |name| ready.folder.join(name).display().to_string();
    let ca = Certificates { pem: ready.ca, origin: path("ca.crt") };
    let tls = Tls { trust: Trust::Given(ca), server_name: None };
    let token = TokenFile::new(folder.child("token"), ready.token.expose(), &path("token"), Moment::now())?;
    let origin = Origin { scheme: Scheme::Https, endpoint: ready.endpoint, prefix: String::new() };
    let route = match ready.proxy {
        None => Route::Direct,
        Some(url) => {
            let net = approved.net(url.endpoint()).ok_or_else(lost)?;
            Route::Proxy(Proxy::new(net, url, Some(&tls))?)
        }
    };
    let dialer = Dialer::new(net, route, Some(&tls), &options.user_agent)?;
    let token = Credentials::Source(Arc::new(token));
    let client = Client::new(&origin, dialer, token, Compression::Gzip, &options.user_agent)?;
    Ok(Arc::new(HttpTransport {
        kind: Kind::InCluster,
        namespace: ready.namespace,
        origin,
        client,
        observer: options.observer.clone(),
    }))
}
