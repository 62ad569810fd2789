//! Ways to reach one Kubernetes API server.
//!
//! Each way is first a *plan*: pure data that names what it needs in rounds (locate, read, connect). An
//! [`Authority`](tidegate_authority::Authority) approves a whole round or names every flag that it lacks, and only what it hands
//! out opens anything. At the end stands a [`Transport`], which sends requests and knows nothing of guests or grants.
//!
//! [`auto_detect`] tries the four ways in order, [`connect`] one that a guest chose, [`diagnose`](diagnose()) all of them.

mod body;
mod breath;
mod code;
mod credentials;
mod detect;
mod diagnose;
mod direct;
mod drive;
mod error;
mod events;
mod failure;
mod http;
mod identity;
mod in_cluster;
mod kubeconfig;
mod kubectl_proxy;
mod kubectl_raw;
mod lists;
mod meter;
mod observer;
mod options;
mod paths;
mod plan;
mod precedence;
mod probe;
mod request_body;
mod support;
mod tunnel;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use tidegate_kube::request::Request;

pub use body::Body;
pub use code::Code;
pub use credentials::{
    CertificatePair, CredentialKind, CredentialProvider, CredentialReport, CredentialRequest, Provided,
    ProviderError, Providers,
};
pub use detect::{Choice, Detected, auto_detect, connect};
pub use diagnose::{Finding, Reached, diagnose};
pub use direct::{Direct, DirectCredential, connect_direct};
pub use error::Error;
pub use events::{EventDecoder, Wanted, WatchEvent};
pub use failure::{Failure, NoClient, Reason};
pub use identity::Identity;
pub use kubeconfig::planned_credentials;
pub use lists::{Batch, Expired, ItemStream, ListOptions, ListSource};
pub use meter::{Meter, Slot, Told};
pub use observer::{Event, Observer, Silent};
pub use options::{
    InClusterOptions, KubeConfigOptions, KubectlOptions, Options, PluginOptions, ProxyOptions,
};
pub use paths::{check_proxy_url, credential_paths, proxies, proxy_endpoint};
pub use precedence::{Explicit, connect_by_precedence};
pub use probe::probe;
pub use request_body::{BodyReader, BodyWriter, body_channel};
pub use support::{Feature, Support};
/// What a guest's limits are is for `tidegate-grants` to say.
pub use tidegate_grants::Limit;
pub use tunnel::Tunnel;

/// A way to reach an API server, in the order in which they are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// The pod's own service account.
    InCluster,
    /// A kubeconfig file or document.
    KubeConfig,
    /// A `kubectl proxy` that runs already.
    KubectlProxy,
    /// The `kubectl` program, started for each request.
    KubectlRaw,
}

impl Kind {
    /// Every kind, in the order in which detection tries them.
    pub const ALL: [Kind; 4] = [Kind::InCluster, Kind::KubeConfig, Kind::KubectlProxy, Kind::KubectlRaw];

    /// The name that guests, messages and `--transports=` use.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::InCluster => "InCluster",
            Kind::KubeConfig => "KubeConfig",
            Kind::KubectlProxy => "KubectlProxy",
            Kind::KubectlRaw => "KubectlRaw",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A word that names no transport.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no transport {word:?}: choose among InCluster, KubeConfig, KubectlProxy and KubectlRaw")]
pub struct UnknownKind {
    /// What was given.
    pub word: String,
}

impl FromStr for Kind {
    type Err = UnknownKind;

    /// Upper and lower case are one, and dashes are skipped: `in-cluster` is `InCluster`.
    fn from_str(word: &str) -> Result<Kind, UnknownKind> {
        let plain = word.trim().replace('-', "");
        Kind::ALL
            .into_iter()
            .find(|kind| kind.as_str().eq_ignore_ascii_case(&plain))
            .ok_or_else(|| UnknownKind { word: word.to_owned() })
    }
}

/// A way to one API server that was approved, connected and found to answer.
pub trait Transport: Send + Sync + 'static {
    /// Which of the four ways this is.
    fn kind(&self) -> Kind;

    /// The namespace to use where none is named: the service account's, or the kubeconfig context's.
    fn default_namespace(&self) -> Option<&str>;

    /// What can be asked of it; all else is refused as [`Code::Unsupported`] before anything is sent.
    fn support(&self) -> Support;

    /// The server, or the kubectl context, in words for people. Never holds a credential.
    fn server(&self) -> String;

    /// What it proves itself with, without saying it; empty where it has no credential, or where another program has it.
    fn credentials(&self) -> Vec<CredentialReport>;

    /// Which connection it leads over; one of its own unless handles to it are made one by one.
    fn identity(&self) -> Identity {
        Identity::of(self, self.server())
    }

    /// The same connection for what is asked in the midst of another request, which has its place among what may be open already; none
    /// where nothing is counted.
    fn beside(&self) -> Option<Arc<dyn Transport>> {
        None
    }

    /// Sends one request and waits for the head of its response, at most for the request's deadline.
    ///
    /// `body` is for a body that is written while it is sent, and is not allowed besides `request.body`. Dropping the future
    /// cancels the request: its connection is closed or its kubectl killed.
    ///
    /// Errors: anything but 2xx is [`Code::Status`]; a redirect is [`Code::Redirect`] and is never followed.
    fn send(
        self: Arc<Self>,
        request: Request,
        body: Option<BodyReader>,
    ) -> BoxFuture<'static, Result<Response, Error>>;

    /// Asks for numbered channels instead of a response, and waits until the server has agreed, at most for the request's deadline.
    ///
    /// `request` is a GET without a body of what a kubelet serves so (`…/pods/NAME/exec`, `attach`, `portforward`); `protocols` are the
    /// names of what is spoken in the channels, the best first, of which the server chooses one. Dropping the future cancels.
    ///
    /// Errors: as [`send`](Transport::send); [`Code::Unsupported`] where the transport cannot do it, which [`support`](Transport::support)
    /// says beforehand; [`Code::Protocol`] where the server answers without agreeing.
    fn tunnel(
        self: Arc<Self>,
        request: Request,
        protocols: &'static [&'static str],
    ) -> BoxFuture<'static, Result<Tunnel, Error>> {
        _ = (request, protocols);
        let kind = self.kind();
        Box::pin(async move { Err(Error::new(Code::Unsupported, format!("{kind} opens no tunnels"))) })
    }
}

impl fmt::Debug for dyn Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").field("kind", &self.kind()).field("server", &self.server()).finish()
    }
}

/// A 2xx response whose body has not been read.
#[derive(Debug)]
pub struct Response {
    /// 200 to 299; 101 where hooks are told of a tunnel.
    pub code: u16,
    /// The `Content-Type` header as it came, if it is text.
    pub content_type: Option<String>,
    /// The texts of the `Warning` headers with code 299 (RFC 7234, 5.5), without code, agent and quotes.
    pub warnings: Vec<String>,
    /// The body as it arrives.
    pub body: Body,
}
