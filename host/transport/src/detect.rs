use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use tidegate_authority::Authority;

use crate::failure::{Failure, NoClient};
use crate::{Error, Event, Kind, Options, Transport};
use crate::{in_cluster, kubeconfig, kubectl_proxy, kubectl_raw, probe};

/// The first transport that works.
#[derive(Debug)]
pub struct Detected {
    /// It answered `GET /api`.
    pub transport: Arc<dyn Transport>,
    /// Why those before it did not, in the order in which they were tried.
    pub failures: Vec<Failure>,
}

/// What a guest chooses by itself. Everything else of a connection is in [`Options`].
#[derive(Clone)]
pub enum Choice {
    /// The pod's own service account.
    InCluster,
    /// A kubeconfig file on the host.
    ReadKubeConfig {
        /// An absolute path; the host's choice, else `$KUBECONFIG`, else `$HOME/.kube/config`, unless set.
        path: Option<PathBuf>,
        /// A context of it, instead of the host's choice or `current-context`.
        context: Option<String>,
    },
    /// A kubeconfig that the guest brings along: inline credentials only.
    ForKubeConfig {
        /// YAML or JSON.
        document: Vec<u8>,
        /// A context of it, instead of `current-context`.
        context: Option<String>,
    },
    /// A `kubectl proxy` that runs already.
    KubectlProxy {
        /// As [`ProxyOptions::url`](crate::ProxyOptions::url), instead of the host's choice.
        url: Option<String>,
    },
    /// The `kubectl` program.
    KubectlRaw {
        /// kubectl's `--context`; the host's choice unless set, and no other where the host made one.
        context: Option<String>,
    },
}

impl Choice {
    /// Which transport it makes.
    pub fn kind(&self) -> Kind {
        match self {
            Choice::InCluster => Kind::InCluster,
            Choice::ReadKubeConfig { .. } | Choice::ForKubeConfig { .. } => Kind::KubeConfig,
            Choice::KubectlProxy { .. } => Kind::KubectlProxy,
            Choice::KubectlRaw { .. } => Kind::KubectlRaw,
        }
    }

    /// What detection does for a kind: nothing of it is the guest's choice.
    pub(crate) fn of_host(kind: Kind) -> Choice {
        match kind {
            Kind::InCluster => Choice::InCluster,
            Kind::KubeConfig => Choice::ReadKubeConfig { path: None, context: None },
            Kind::KubectlProxy => Choice::KubectlProxy { url: None },
            Kind::KubectlRaw => Choice::KubectlRaw { context: None },
        }
    }
}

impl fmt::Debug for Choice {
    /// The kind alone: a document holds credentials, and a URL may.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Choice").field(&self.kind()).finish()
    }
}

/// Tries `options.transports` in order and returns the first that answers.
///
/// Nothing is asked of anybody, and a grant that is missing leaves everything that it guards untouched. Where a transport was
/// configured but failed, the observer is warned which server was chosen instead.
pub async fn auto_detect(authority: &Authority, options: &Options) -> Result<Detected, NoClient> {
    let (mut failures, mut surprises) = (Vec::new(), Vec::new());
    for &kind in &options.transports {
        match connect(authority, options, Choice::of_host(kind)).await {
            Ok(transport) => {
                warn_of_fallthrough(options, &surprises, &*transport);
                return Ok(Detected { transport, failures });
            }
            Err(error) => {
                let failure = Failure::of(kind, &error);
                if failure.reason.was_configured() || error.is_broken() {
                    surprises.push(failure.clone());
                }
                failures.push(failure);
            }
        }
    }
    Err(NoClient { failures })
}

/// Plans, approves, connects and probes one transport.
///
/// Errors: [`Code::PermissionDenied`](crate::Code::PermissionDenied) with all that the failed round lacked, and the codes that
/// [`Reason`](crate::Reason) has words for.
pub async fn connect(
    authority: &Authority,
    options: &Options,
    choice: Choice,
) -> Result<Arc<dyn Transport>, Error> {
    let transport = open(authority, options, choice).await?;
    probe::probe(transport.clone(), options.probe_deadline).await?;
    Ok(transport)
}

/// [`connect`] without the probe: whether somebody answers is not known yet.
pub(crate) async fn open(
    authority: &Authority,
    options: &Options,
    choice: Choice,
) -> Result<Arc<dyn Transport>, Error> {
    Ok(match choice {
        Choice::InCluster => in_cluster::connect(authority, options)?,
        Choice::ReadKubeConfig { path, context } => {
            kubeconfig::connect_file(authority, options, path, context).await?
        }
        Choice::ForKubeConfig { document, context } => {
            kubeconfig::connect_document(authority, options, &document, context).await?
        }
        Choice::KubectlProxy { url } => kubectl_proxy::connect(authority, options, url)?,
        Choice::KubectlRaw { context } => kubectl_raw::connect(authority, options, context)?,
    })
}

/// Whoever has two clusters must see that it is the other one that answers.
fn warn_of_fallthrough(options: &Options, surprises: &[Failure], chosen: &dyn Transport) {
    for failure in surprises {
        let (kind, server) = (chosen.kind(), chosen.server());
        let text =
            format!("{failure}; {kind} ({server}) is used instead (--transports={} pins)", failure.transport);
        options.observer.event(&Event::Warning { text: &text });
    }
}
