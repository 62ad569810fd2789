//! The library's face: build, start, look inside, stop.

use std::error::Error;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use serde_json::Value;
use time::OffsetDateTime;
use tokio::task::JoinHandle;

use crate::api::{self, State};
use crate::kubeconfig;
use crate::server::{self, Identity, Shared};
use crate::store::{Key, TableId};
use crate::world::{self, World, seed};

/// Past bodies that are kept for each resource, so that watches and lists can go back: 1 GiB.
const HISTORY: usize = 1 << 30;

/// What a playground is to be. Made by [`Playground::builder`].
pub struct Builder {
    listen: SocketAddr,
    token: Option<String>,
    names: Vec<String>,
    history: usize,
    pods: usize,
    pod_bytes: usize,
    demo: Option<f64>,
}

/// A running playground; it ends when this is dropped.
pub struct Playground {
    shared: Arc<Shared>,
    ca_pem: String,
    tasks: Vec<JoinHandle<()>>,
}

/// Why a playground did not start.
#[derive(Debug)]
pub struct StartError {
    what: &'static str,
    source: Box<dyn Error + Send + Sync>,
}

impl Playground {
    /// A playground on a free loopback port, with a new token, the four namespaces of every cluster and nothing else.
    pub fn builder() -> Builder {
        Builder {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            token: None,
            names: Vec::new(),
            history: HISTORY,
            pods: 0,
            pod_bytes: 0,
            demo: None,
        }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.shared.address
    }

    /// `https://…`, without a slash at the end.
    pub fn url(&self) -> String {
        format!("https://{}", self.shared.address)
    }

    /// The certificate that clients verify it by, in PEM.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The bearer token that lets a client in.
    pub fn token(&self) -> &str {
        &self.shared.token
    }

    /// A kubeconfig with token and certificate inline.
    pub fn kubeconfig(&self) -> String {
        kubeconfig::text(&self.url(), &self.ca_pem, &self.shared.token)
    }

    /// The revision of the newest write.
    pub fn revision(&self) -> u64 {
        self.shared.look(|state| state.store.revision())
    }

    /// Forgets all history up to now: watches and exact lists from before are answered 410. Returns the revision.
    pub fn compact(&self) -> u64 {
        self.shared.with(|state| {
            let revision = state.store.revision();
            state.store.compact(revision);
            revision
        })
    }

    /// The object, without `kind` and `apiVersion`, as it is stored; `None` where it is not there.
    pub fn object(&self, group: &str, plural: &str, namespace: Option<&str>, name: &str) -> Option<Value> {
        let key = Key::new(namespace, name);
        self.shared.look(|state| {
            state.store.get(&TableId::new(group, plural), &key).map(|object| Value::Object(object.value()))
        })
    }

    /// Stores an object as it is, in place of one of that name, without validation; what the server sets is set
    /// where it is missing. Returns its revision; `None` where the kind is not served or the object has no name.
    pub fn put(&self, group: &str, plural: &str, object: Value) -> Option<u64> {
        self.shared
            .with(|state| state.plant(group, plural, object, OffsetDateTime::now_utc()).map(|o| o.revision))
    }

    /// Adds running pods of about `bytes` each (0: as a cluster has them, some 4 KB) to `namespace`, which is made where it is missing.
    pub fn seed_pods(&self, namespace: &str, count: usize, bytes: usize) {
        self.shared.with(|state| seed::pods(state, namespace, count, bytes, OffsetDateTime::now_utc()));
    }

    /// Changes pods in turn until `count` events have been made, for watches to replay; returns how many were.
    pub fn make_events(&self, count: usize) -> usize {
        self.shared.with(|state| seed::events(state, count))
    }

    /// Ends all connections and watches; returns when it no longer listens.
    pub async fn stop(mut self) {
        self.shared.stop();
        for task in std::mem::take(&mut self.tasks) {
            // A task that panicked has ended as well.
            let _ = task.await;
        }
    }
}

impl Drop for Playground {
    fn drop(&mut self) {
        self.shared.stop();
    }
}

impl Builder {
    /// Listens there; port 0 takes a free one. Default: `127.0.0.1:0`.
    pub fn listen(mut self, address: SocketAddr) -> Builder {
        self.listen = address;
        self
    }

    /// Lets holders of this token in. Default: a new one of 256 bits.
    pub fn token(mut self, token: impl Into<String>) -> Builder {
        self.token = Some(token.into());
        self
    }

    /// A name or address more that the server's certificate is valid for.
    pub fn server_name(mut self, name: impl Into<String>) -> Builder {
        self.names.push(name.into());
        self
    }

    /// Bytes of past bodies that are kept for each resource. Default: 1 GiB.
    pub fn history_bytes(mut self, bytes: usize) -> Builder {
        self.history = bytes;
        self
    }

    /// Starts with that many running pods in `default`. Default: none.
    pub fn seed_pods(mut self, count: usize) -> Builder {
        self.pods = count;
        self
    }

    /// About how large each of those is. Default: 0, as a cluster has them (some 4 KB).
    pub fn pod_bytes(mut self, bytes: usize) -> Builder {
        self.pod_bytes = bytes;
        self
    }

    /// Simulates a node, a scheduler, a kubelet and the controllers of Deployments and ReplicaSets, starts with a few
    /// pods, and makes `pods_per_second` more that come and go (0: none). Default: off, nothing moves by itself.
    pub fn demo(mut self, pods_per_second: f64) -> Builder {
        self.demo = Some(pods_per_second);
        self
    }

    /// Starts serving on the current tokio runtime.
    ///
    /// # Errors
    /// The address cannot be bound, or a server name is none.
    pub async fn start(self) -> Result<Playground, StartError> {
        let identity = Identity::generate(&self.names)?;
        let bound = server::bind(self.listen).await.map_err(StartError::listen)?;
        let address = bound.address().map_err(StartError::listen)?;
        let now = OffsetDateTime::now_utc();
        let mut state = State::new(self.history, identity.ca_pem.clone());
        seed::cluster(&mut state, address.port(), now);
        if self.demo.is_some() {
            seed::node(&mut state, now);
            seed::welcome(&mut state, now);
        }
        seed::pods(&mut state, "default", self.pods, self.pod_bytes, now);
        state.do_chores(now);
        let token = self.token.unwrap_or_else(api::token);
        let shared = Arc::new(Shared::new(state, token, address));
        let mut tasks = vec![tokio::spawn(bound.serve(shared.clone(), identity.config))];
        if let Some(rate) = self.demo {
            tasks.push(tokio::spawn(world::run(shared.clone(), World::new(rate, now))));
        }
        Ok(Playground { shared, ca_pem: identity.ca_pem, tasks })
    }
}

impl StartError {
    pub(crate) fn certificate(source: impl Error + Send + Sync + 'static) -> StartError {
        StartError { what: "make the server's certificate", source: Box::new(source) }
    }

    fn listen(source: std::io::Error) -> StartError {
        StartError { what: "listen", source: Box::new(source) }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}

/// Neither the token nor the kubeconfig is shown.
impl fmt::Debug for Playground {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Playground").field("addr", &self.shared.address).finish_non_exhaustive()
    }
}
