//! What a client proves itself with. Besides the parsed kubeconfig, a credential lives here and nowhere else.
//!
//! What never changes is [`Credentials::Fixed`], which costs a request neither an allocation nor a wait. All else is behind the
//! small trait [`Source`].

mod cached;
mod certificate;
mod exec;
mod gcp;
mod header;
mod oidc;
mod program;
mod provider;
mod report;
mod said;
mod token_file;

use std::sync::Arc;
use std::time::SystemTime;

use futures_util::future::BoxFuture;
use http::HeaderValue;
use tokio::time::{Instant, timeout_at};

pub(crate) use cached::Cached;
pub(crate) use certificate::CertificateFiles;
pub(crate) use exec::Plugin;
pub(crate) use gcp::Gcp;
pub(crate) use header::{basic, bearer, expiry};
pub(crate) use oidc::Oidc;
pub(crate) use program::Program;
pub use provider::{
    CertificatePair, CredentialProvider, CredentialRequest, Provided, ProviderError, Providers,
};
pub(crate) use provider::{Custom, authorization};
pub(crate) use report::whose;
pub use report::{CredentialKind, CredentialReport};
pub(crate) use token_file::TokenFile;

use crate::http::ClientIdentity;
use crate::{Code, Error};

/// What one request is sent with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Presented {
    /// `Authorization`.
    pub(crate) header: Option<HeaderValue>,
    /// The client certificate of the connection that it goes over.
    pub(crate) identity: Option<Arc<ClientIdentity>>,
    /// Larger for each that a source gave after another one: a server that refuses one says nothing about the next.
    pub(crate) generation: u64,
}

/// A point in time on both clocks: waits are counted by one, and credentials expire by the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) instant: Instant,
    pub(crate) date: SystemTime,
}

impl Moment {
    pub(crate) fn now() -> Moment {
        Moment { instant: Instant::now(), date: SystemTime::now() }
    }
}

/// Where credentials come from that change.
pub(crate) trait Source: Send + Sync {
    /// What is known and still good; none where [`Source::refresh`] has to be asked.
    fn current(&self, now: Moment) -> Option<Presented>;

    /// Another one. `refused` is the generation that a server refused, if that is the reason: where a later one is known, that
    /// one is given. However many wait, the work is done once, and they share what comes of it.
    ///
    /// Errors: there is none to be had. Where it gives what was refused, there is no other one.
    fn refresh(&self, refused: Option<u64>) -> BoxFuture<'_, Result<Presented, Error>>;

    /// For people, one for each credential that it gives. Never holds a secret.
    fn reports(&self) -> Vec<CredentialReport>;
}

/// What the requests of one client are sent with.
#[derive(Clone)]
pub(crate) enum Credentials {
    /// The same for ever.
    Fixed {
        /// What it is.
        presented: Presented,
        /// What can be said about it.
        reports: Vec<CredentialReport>,
    },
    /// What the source says.
    Source(Arc<dyn Source>),
}

impl Credentials {
    /// Nothing.
    pub(crate) fn none() -> Credentials {
        Credentials::Fixed { presented: Presented::default(), reports: Vec::new() }
    }

    /// This header for ever.
    pub(crate) fn fixed(header: HeaderValue, kind: CredentialKind, origin: &str) -> Credentials {
        let mut report = CredentialReport::new(kind, whose(origin));
        report.expires = expiry(&header);
        let presented = Presented { header: Some(header), ..Presented::default() };
        Credentials::Fixed { presented, reports: vec![report] }
    }

    /// The same with this client certificate for ever.
    pub(crate) fn with_identity(self, identity: Arc<ClientIdentity>, origin: &str) -> Credentials {
        let mut report = CredentialReport::new(CredentialKind::ClientCertificate, whose(origin));
        report.expires = identity.expires();
        match self {
            Credentials::Fixed { mut presented, mut reports } => {
                presented.identity = Some(identity);
                reports.push(report);
                Credentials::Fixed { presented, reports }
            }
            Credentials::Source(source) => Credentials::Source(Arc::new(Beside { source, identity, report })),
        }
    }

    /// What can be said about it.
    pub(crate) fn reports(&self) -> Vec<CredentialReport> {
        match self {
            Credentials::Fixed { reports, .. } => reports.clone(),
            Credentials::Source(source) => source.reports(),
        }
    }

    /// What is known and still good.
    pub(crate) fn current(&self, now: Moment) -> Option<Presented> {
        match self {
            Credentials::Fixed { presented, .. } => Some(presented.clone()),
            Credentials::Source(source) => source.current(now),
        }
    }

    /// Has a credential before there is a request, whose deadline then does not count the time that it takes.
    pub(crate) async fn prepare(&self) -> Result<(), Error> {
        match self {
            Credentials::Source(source) if source.current(Moment::now()).is_none() => {
                source.refresh(None).await.map(drop)
            }
            _ => Ok(()),
        }
    }

    /// For the next request. Waits only where a source has to be asked, at most until the request's deadline.
    pub(crate) async fn present(&self, now: Instant, deadline: Instant) -> Result<Presented, Error> {
        let source = match self {
            Credentials::Fixed { presented, .. } => return Ok(presented.clone()),
            Credentials::Source(source) => source,
        };
        match source.current(Moment { instant: now, date: SystemTime::now() }) {
            Some(presented) => Ok(presented),
            None => within(deadline, source.refresh(None)).await,
        }
    }

    /// Another one than the server refused. None: there is no other one. Errors: there was to be one, and it could not be had.
    pub(crate) async fn replaced(
        &self,
        refused: &Presented,
        deadline: Instant,
    ) -> Result<Option<Presented>, Error> {
        match self {
            Credentials::Fixed { .. } => Ok(None),
            Credentials::Source(source) => {
                let fresh = within(deadline, source.refresh(Some(refused.generation))).await?;
                Ok(Some(fresh).filter(|fresh| fresh.generation != refused.generation))
            }
        }
    }
}

async fn within(
    deadline: Instant,
    refresh: BoxFuture<'_, Result<Presented, Error>>,
) -> Result<Presented, Error> {
    timeout_at(deadline, refresh).await.unwrap_or_else(|_| {
        Err(Error::new(Code::Timeout, "there was no credential within the request's deadline"))
    })
}

/// A source's header, and a client certificate that never changes.
struct Beside {
    source: Arc<dyn Source>,
    identity: Arc<ClientIdentity>,
    report: CredentialReport,
}

impl Beside {
    fn add(&self, presented: Presented) -> Presented {
        Presented { identity: Some(self.identity.clone()), ..presented }
    }
}

impl Source for Beside {
    fn current(&self, now: Moment) -> Option<Presented> {
        self.source.current(now).map(|presented| self.add(presented))
    }

    fn refresh(&self, refused: Option<u64>) -> BoxFuture<'_, Result<Presented, Error>> {
        let refresh = self.source.refresh(refused);
        Box::pin(async move { Ok(self.add(refresh.await?)) })
    }

    fn reports(&self) -> Vec<CredentialReport> {
        let mut reports = self.source.reports();
        reports.push(self.report.clone());
        reports
    }
}
