//! `tidegate:host/detect`: ways to get a client.

use std::sync::Arc;

use tidegate_authority::Authority;
use tidegate_transport::{self as transport, Choice, Error, Options, Transport};
use wasmtime::Result;
use wasmtime::component::Resource;

use crate::wit::tidegate::host::detect::{Detected, Host};
use crate::{Client, View, convert};

/// A client, or why there is none.
type Outcome = Result<Result<Resource<Client>, Resource<Error>>>;

impl Host for View<'_> {
    async fn auto_detect_client(&mut self) -> Result<Result<Detected, Resource<Error>>> {
        let slot = match self.admit().await {
            Ok(slot) => slot,
            Err(error) => return self.fail(error).map(Err),
        };
        let (authority, options) = self.authority();
        match self.aside(async move { transport::auto_detect(&authority, &options).await }).await {
            Ok(detected) => {
                let failures = convert::failures(&detected.failures);
                let client = self.client(slot, detected.transport, None);
                let client = self.push(client)?;
                Ok(Ok(Detected { client, failures }))
            }
            Err(no_client) => self.fail(no_client.into()).map(Err),
        }
    }

    async fn in_cluster(&mut self) -> Outcome {
        self.connect(Choice::InCluster).await
    }

    async fn read_kube_config(&mut self, path: Option<String>, context: Option<String>) -> Outcome {
        self.connect(Choice::ReadKubeConfig { path: path.map(Into::into), context }).await
    }

    async fn for_kube_config(&mut self, document: String, context: Option<String>) -> Outcome {
        self.connect(Choice::ForKubeConfig { document: document.into_bytes(), context }).await
    }

    async fn kubectl_proxy(&mut self, url: Option<String>) -> Outcome {
        self.connect(Choice::KubectlProxy { url }).await
    }

    async fn kubectl_raw(&mut self, context: Option<String>) -> Outcome {
        self.connect(Choice::KubectlRaw { context }).await
    }
}

impl View<'_> {
    async fn connect(&mut self, choice: Choice) -> Outcome {
        let slot = match self.admit().await {
            Ok(slot) => slot,
            Err(error) => return self.fail(error).map(Err),
        };
        let (authority, options) = self.authority();
        let connected: Result<Arc<dyn Transport>, Error> =
            self.aside(async move { transport::connect(&authority, &options, choice).await }).await;
        let client = connected.map(|transport| self.client(slot, transport, None));
        self.settle(client)
    }

    fn authority(&self) -> (Authority, Arc<Options>) {
        (self.context.authority.clone(), self.context.options.clone())
    }
}
