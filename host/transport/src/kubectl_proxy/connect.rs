use std::sync::Arc;

use tidegate_authority::Authority;
use tidegate_kube::kubeconfig::Scheme;

use super::plan::Plan;
use crate::credentials::Credentials;
use crate::drive::drive;
use crate::http::proxy::Route;
use crate::http::{Client, Compression, Dialer, HttpTransport, Tls, Trust};
use crate::{Code, Error, Kind, Options, Transport};

/// A transport through a proxy that adds the credential itself. `url` is a guest's choice.
pub(crate) fn connect(
    authority: &Authority,
    options: &Options,
    url: Option<String>,
) -> Result<Arc<dyn Transport>, Error> {
    let url = url.or_else(|| options.kubectl_proxy.url.clone());
    let (origin, approved) = drive(authority, Plan::new(url.as_deref())?)?;
    let net = approved.net(&origin.endpoint).ok_or_else(|| {
        Error::new(Code::PermissionDenied, "the approval of KubectlProxy's only round is incomplete")
    })?;
    let tls = Tls { trust: Trust::System, server_name: None };
    let tls = Some(&tls).filter(|_| origin.scheme == Scheme::Https);
    let dialer = Dialer::new(net, Route::Direct, tls, &options.user_agent)?;
    let client = Client::new(&origin, dialer, Credentials::none(), Compression::Gzip, &options.user_agent)?;
    Ok(Arc::new(HttpTransport {
        kind: Kind::KubectlProxy,
        namespace: None,
        origin,
        client,
        observer: options.observer.clone(),
    }))
}
