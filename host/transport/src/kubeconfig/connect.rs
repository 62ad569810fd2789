use std::path::PathBuf;
use std::sync::Arc;

use tidegate_authority::{Approved, Authority};

use super::credential::{credentials, lost};
use super::plan::Plan;
use super::ready::Ready;
use crate::drive::drive;
use crate::http::proxy::{Proxy, Route};
use crate::http::{Client, Dialer, HttpTransport};
use crate::{Error, Event, Kind, Options, Providers, Transport};

/// The plan of the host's own choice.
pub(crate) fn plan(options: &Options) -> Result<Plan, Error> {
    Plan::of_file(&options.kubeconfig, None, None)
}

/// A transport out of the host's kubeconfig, or of the file or context of it that a guest chose.
pub(crate) async fn connect_file(
    authority: &Authority,
    options: &Options,
    path: Option<PathBuf>,
    context: Option<String>,
) -> Result<Arc<dyn Transport>, Error> {
    let plan = Plan::of_file(&options.kubeconfig, path, context)?;
    let (ready, approved) = drive(authority, plan)?;
    connect(ready, &approved, authority, options).await
}

/// A transport out of a document that a guest supplies.
pub(crate) async fn connect_document(
    authority: &Authority,
    options: &Options,
    document: &[u8],
    context: Option<String>,
) -> Result<Arc<dyn Transport>, Error> {
    let (ready, approved) = drive(authority, Plan::of_document(document, context)?)?;
    // A guest's document sends no credential of an embedder's to a server of the guest's.
    let options = Options { providers: Providers::default(), ..options.clone() };
    connect(ready, &approved, authority, &options).await
}

async fn connect(
    mut ready: Ready,
    approved: &Approved,
    authority: &Authority,
    options: &Options,
) -> Result<Arc<dyn Transport>, Error> {
    for warning in &ready.warnings {
        options.observer.event(&Event::Warning { text: warning });
    }
    let net = approved.net(&ready.origin.endpoint).ok_or_else(lost)?;
    let route = match ready.proxy.take() {
        None => Route::Direct,
        Some(url) => {
            let net = approved.net(url.endpoint()).ok_or_else(lost)?;
            Route::Proxy(Proxy::new(net, url, ready.tls.as_ref())?)
        }
    };
    let credentials = credentials(&mut ready, approved, authority, options)?;
    let dialer = Dialer::new(net, route, ready.tls.as_ref(), &options.user_agent)?;
    // A plugin may ask a person: no request's deadline is to count that.
    credentials.prepare().await?;
    let mut client = Client::new(&ready.origin, dialer, credentials, ready.compression, &options.user_agent)?;
    if let Some(whom) = &ready.impersonate {
        client = client.impersonating(whom)?;
    }
    Ok(Arc::new(HttpTransport {
        kind: Kind::KubeConfig,
        namespace: ready.namespace,
        origin: ready.origin,
        client,
        observer: options.observer.clone(),
    }))
}
