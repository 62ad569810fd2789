//! `tidegate:host/connections`: connections by name.

use tidegate_transport::{Error, Transport};
use wasmtime::Result;
use wasmtime::component::Resource;

use crate::wit::tidegate::host::connections::Host;
use crate::{Client, View};

impl Host for View<'_> {
    fn names(&mut self) -> Result<Vec<String>> {
        Ok(self.context.connections.names())
    }

    async fn open(&mut self, name: String) -> Result<Result<Resource<Client>, Resource<Error>>> {
        let slot = match self.admit().await {
            Ok(slot) => slot,
            Err(error) => return self.fail(error).map(Err),
        };
        let (connections, wanted) = (self.context.connections.clone(), name.clone());
        let opened: Result<std::sync::Arc<dyn Transport>, Error> =
            self.aside(async move { connections.open(&wanted).await }).await;
        let client = opened.map(|transport| self.client(slot, transport, Some(&name)));
        self.settle(client)
    }
}
