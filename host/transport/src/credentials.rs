//! What a client proves itself with. Besides the parsed kubeconfig, a credential lives here and nowhere else.
//!
//! What never changes is [`Credentials::Fixed`], which costs a request neither an allocation nor a wait. All else is behind the
//! small trait [`Source`].

mod header;
mod report;
mod token_file;

use std::sync::Arc;
use std::time::SystemTime;

use futures_util::future::BoxFuture;
use http::HeaderValue;
use tokio::time::{Instant, timeout_at};

pub(crate) use header::{basic, bearer};
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

    /// For people. Never holds a secret.
    fn report(&self) -> CredentialReport;
}

/// What the requests of one client are sent with.
#[derive(Clone)]
pub(crate) enum Credentials {
    /// The same for ever.
    Fixed(Presented),
    /// What the source says.
    Source(Arc<dyn Source>),
}

impl Credentials {
    /// Nothing.
    pub(crate) fn none() -> Credentials {
        Credentials::Fixed(Presented::default())
    }

    /// What can be said about it.
    pub(crate) fn reports(&self) -> Vec<CredentialReport> {
        match self {
            Credentials::Fixed(_) => Vec::new(),
            Credentials::Source(source) => vec![source.report()],
        }
    }

    /// For the next request. Waits only where a source has to be asked, at most until the request's deadline.
    pub(crate) async fn present(&self, now: Instant, deadline: Instant) -> Result<Presented, Error> {
        let source = match self {
            Credentials::Fixed(presented) => return Ok(presented.clone()),
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
            Credentials::Fixed(_) => Ok(None),
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
