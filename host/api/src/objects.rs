//! Operations on the objects of one resource: list, get, create, replace, patch, delete, watch, wait.
//!
//! ```no_run
//! # use std::{sync::Arc, time::Duration};
//! # use tidegate_api::discovery::{Discovery, DiscoveryOptions};
//! # use tidegate_api::objects::{Delete, List, Objects, Wait, Write};
//! # use tidegate_transport::{Error, Transport};
//! # async fn example(transport: Arc<dyn Transport>) -> Result<(), Box<dyn std::error::Error>> {
//! let pods = Discovery::new(&transport, DiscoveryOptions::default()).lookup("po").await?;
//! let pods = Objects::new(transport, &pods).within("default");
//! let made = serde_json::json!({ "metadata": { "generateName": "job-" }, "spec": { "containers": [] } });
//! let made = pods.create(&made, &Write::default()).await?;
//! let name = made["metadata"]["name"].as_str().unwrap_or_default();
//! pods.wait(name, &"condition=Ready".parse()?, &Wait::default()).await?;
//! pods.delete(name, &Delete::default()).await?;
//! # Ok(())
//! # }
//! ```

mod batch;
mod delete;
mod list;
mod options;
mod patch;
mod wait;
mod watch;
mod write;

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;
use tidegate_kube::request::{Method, Request};
use tidegate_transport::{Code, Error, Response, Transport};

pub use batch::{in_order, requests};
pub use list::Page;
pub use options::{Delete, List, Preconditions, Propagation, Wait, Write};
pub use patch::{Apply, Patch};
pub use tidegate_kube::condition::{Condition, InvalidCondition};
pub use tidegate_kube::select::{FieldSelector, InvalidSelector, LabelSelector};
pub use wait::Waited;
pub use watch::{Event, EventType, Watch};

use crate::discovery::{Resource, Scope, segment};

/// The largest object or page that is read, in bytes.
pub const MAX_BODY: u64 = 256 << 20;

/// The objects of one resource, in one namespace or all, or one subresource of them.
///
/// Objects are JSON: what the server sends is what is given. Errors of every operation: [`Code::Status`] with the server's own words, and
/// whatever befell the connection; [`Code::Protocol`] where an answer is not what it must be.
#[derive(Clone, Debug)]
pub struct Objects {
    transport: Arc<dyn Transport>,
    resource: Arc<Resource>,
    namespace: Option<String>,
    subresource: Option<String>,
}

impl Objects {
    /// All namespaces, or a resource that has none.
    pub fn new(transport: Arc<dyn Transport>, resource: &Arc<Resource>) -> Objects {
        Objects { transport, resource: resource.clone(), namespace: None, subresource: None }
    }

    /// The same in one namespace. Without meaning for a resource that has none.
    #[must_use]
    pub fn within(mut self, namespace: impl Into<String>) -> Objects {
        self.namespace = Some(namespace.into());
        self
    }

    /// The same in the connection's own namespace, else `default`.
    #[must_use]
    pub fn within_default(self) -> Objects {
        let namespace = self.transport.default_namespace().unwrap_or("default").to_owned();
        self.within(namespace)
    }

    /// One subresource of each object: `status`, `scale`, or any other. Then `get`, `create`, `replace` and `patch` are about that.
    #[must_use]
    pub fn subresource(mut self, name: impl Into<String>) -> Objects {
        self.subresource = Some(name.into());
        self
    }

    /// What these are objects of.
    pub fn resource(&self) -> &Arc<Resource> {
        &self.resource
    }

    /// One object by name.
    pub async fn get(&self, name: &str) -> Result<Value, Error> {
        self.call(self.at(Method::Get, name)?).await
    }

    /// One object by name; none where the server says 404.
    pub async fn get_opt(&self, name: &str) -> Result<Option<Value>, Error> {
        match self.get(name).await {
            Ok(object) => Ok(Some(object)),
            Err(error) if is_not_found(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A request for the collection. Errors: [`Code::InvalidRequest`] for a subresource, which has none.
    fn all(&self, method: Method) -> Result<Request, Error> {
        match &self.subresource {
            None => Ok(Request::new(method, self.resource.path(self.namespace.as_deref()))),
            Some(name) => Err(invalid(format!("the subresource {name} is one of each object: name one"))),
        }
    }

    /// A request for one object. Errors: [`Code::InvalidRequest`] for an empty name, which would be the collection, and for an object in a
    /// namespace where none is chosen.
    fn at(&self, method: Method, name: &str) -> Result<Request, Error> {
        if name.is_empty() {
            return Err(invalid("the name of an object must not be empty: it would name all of them"));
        }
        if self.resource.scope() == Scope::Namespaced && self.namespace.is_none() {
            let text = format!("{} are in namespaces: choose one with within()", self.resource.plural());
            return Err(invalid(text));
        }
        let mut path = format!("{}/{}", self.resource.path(self.namespace.as_deref()), segment(name));
        if let Some(below) = &self.subresource {
            path.push('/');
            path.push_str(&segment(below));
        }
        Ok(Request::new(method, path))
    }

    async fn send(&self, request: Request) -> Result<Response, Error> {
        self.transport.clone().send(request, None).await
    }

    async fn call<T: DeserializeOwned>(&self, request: Request) -> Result<T, Error> {
        let body = self.send(request).await?.body.whole(MAX_BODY).await?;
        decode(&body)
    }
}

fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        Error::new(Code::Protocol, format!("the answer is no such object (line {line}, column {column})"))
    })
}

fn invalid(text: impl Into<String>) -> Error {
    Error::new(Code::InvalidRequest, text)
}

fn is_not_found(error: &Error) -> bool {
    has_code(error, 404)
}

fn has_code(error: &Error, code: u16) -> bool {
    error.status().is_some_and(|status| status.code == code)
}
