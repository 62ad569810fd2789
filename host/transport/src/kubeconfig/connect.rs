use std::path::PathBuf;
use std::sync::Arc;

use tidegate_authority::{Approved, Authority};

use super::plan::{Credential, Plan, Ready};
use crate::credentials::{Credentials, Moment, Presented, TokenFile, basic, bearer};
use crate::drive::drive;
use crate::http::{Client, ClientIdentity, Dialer, HttpTransport};
use crate::{Code, Error, Event, Kind, Options, Transport};

/// A transport out of the host's kubeconfig, or of the file or context of it that a guest chose.
pub(crate) fn connect_file(
    authority: &Authority,
    options: &Options,
    path: Option<PathBuf>,
    context: Option<String>,
) -> Result<Arc<dyn Transport>, Error> {
    let plan = Plan::of_file(&options.kubeconfig, path, context)?;
    let (ready, approved) = drive(authority, plan)?;
    connect(ready, &approved, options)
}

/// A transport out of a document that a guest supplies.
pub(crate) fn connect_document(
    authority: &Authority,
    options: &Options,
    document: &[u8],
    context: Option<String>,
) -> Result<Arc<dyn Transport>, Error> {
    let (ready, approved) = drive(authority, Plan::of_document(document, context)?)?;
    connect(ready, &approved, options)
}

fn connect(ready: Ready, approved: &Approved, options: &Options) -> Result<Arc<dyn Transport>, Error> {
    let lost = || Error::new(Code::PermissionDenied, "the approval of KubeConfig's last round is incomplete");
    for warning in &ready.warnings {
        options.observer.event(&Event::Warning { text: warning });
    }
    let net = approved.net(&ready.origin.endpoint).ok_or_else(lost)?;
    let identity = ready.identity.as_ref().map(ClientIdentity::new).transpose()?;
    let fixed = |header| Credentials::Fixed(Presented { header, identity: identity.clone(), generation: 0 });
    let credentials = match &ready.credential {
        Credential::None => fixed(None),
        Credential::Token { token, origin } => fixed(Some(bearer(token.expose().as_bytes(), origin)?)),
        Credential::Basic { username, password, origin } => fixed(Some(basic(username, password, origin)?)),
        Credential::TokenFile { path, token } => {
            let file = approved.read(path).ok_or_else(lost)?;
            let origin = path.display().to_string();
            let file = TokenFile::new(file, token.expose(), &origin, identity, Moment::now())?;
            Credentials::Source(Arc::new(file))
        }
    };
    let dialer = Dialer::new(net, ready.tls.as_ref())?;
    let client = Client::new(&ready.origin, dialer, credentials, &options.user_agent)?;
    Ok(Arc::new(HttpTransport {
        kind: Kind::KubeConfig,
        namespace: ready.namespace,
        origin: ready.origin,
        client,
        observer: options.observer.clone(),
    }))
}
