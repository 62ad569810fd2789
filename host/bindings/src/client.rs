//! `tidegate:host/client`: a way to one Kubernetes API server.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use tidegate_api::discovery::Discovery;
use tidegate_transport::{Body, Error, Feature, Slot, Transport};
use wasmtime::Result;
use wasmtime::component::Resource;

use crate::decode::Decode;
use crate::request::Mode;
use crate::streams::Stream;
use crate::wit::tidegate::host::client::{Host, HostClient};
use crate::{ByteStream, EventStream, JsonStream, LineStream, Pending, Request, Response, View};

/// A guest's handle to a transport. Requests and streams hold it too: it closes with the last of them.
pub struct Client {
    /// With the hooks of whoever embeds tidegate around it, and counted as this guest's.
    pub(crate) transport: Arc<dyn Transport>,
    /// Not counted as this guest's: what is kept of the server is kept for all guests of the connection.
    pub(crate) shared: Arc<dyn Transport>,
    /// Without hooks: what is known of the server is known to all guests of the connection.
    bare: Arc<dyn Transport>,
    /// What it counts as.
    _slot: Slot,
}

impl Host for View<'_> {}

impl HostClient for View<'_> {
    fn kind(&mut self, client: Resource<Client>) -> Result<String> {
        Ok(self.get(&client)?.transport.kind().as_str().to_owned())
    }

    fn default_namespace(&mut self, client: Resource<Client>) -> Result<Option<String>> {
        Ok(self.get(&client)?.transport.default_namespace().map(str::to_owned))
    }

    fn supports(&mut self, client: Resource<Client>, feature: String) -> Result<bool> {
        let support = self.get(&client)?.transport.support();
        Ok(Feature::from_str(&feature).is_ok_and(|feature| support.has(feature)))
    }

    async fn start(
        &mut self,
        client: Resource<Client>,
        request: Resource<Request>,
    ) -> Result<Result<Resource<Pending>, Resource<Error>>> {
        let transport = self.get(&client)?.transport.clone();
        let started = match self.delete(request)?.take(Mode::Start) {
            Ok((request, body)) => {
                self.aside(async move { Pending::start(transport.send(request, body)) }).await
            }
            Err(error) => Err(error),
        };
        self.settle(started)
    }

    async fn send(
        &mut self,
        client: Resource<Client>,
        request: Resource<Request>,
    ) -> Result<Result<Resource<Response>, Resource<Error>>> {
        let response = self.request(client, request).await?;
        self.settle(response)
    }

    async fn open_bytes(
        &mut self,
        client: Resource<Client>,
        request: Resource<Request>,
    ) -> Result<Result<Resource<ByteStream>, Resource<Error>>> {
        self.open(client, request).await
    }

    async fn open_lines(
        &mut self,
        client: Resource<Client>,
        request: Resource<Request>,
    ) -> Result<Result<Resource<LineStream>, Resource<Error>>> {
        self.open(client, request).await
    }

    async fn open_json(
        &mut self,
        client: Resource<Client>,
        request: Resource<Request>,
    ) -> Result<Result<Resource<JsonStream>, Resource<Error>>> {
        self.open(client, request).await
    }

    async fn open_events(
        &mut self,
        client: Resource<Client>,
        request: Resource<Request>,
    ) -> Result<Result<Resource<EventStream>, Resource<Error>>> {
        self.open(client, request).await
    }

    fn drop(&mut self, client: Resource<Client>) -> Result<()> {
        self.delete(client).map(drop)
    }
}

impl View<'_> {
    /// What a new client counts as, once it may be made. To look for a server asks one.
    pub(crate) async fn admit(&mut self) -> Result<Slot, Error> {
        let slot = self.context.meter.client()?;
        self.asks().await?;
        Ok(slot)
    }

    /// Waits until a server may be asked, for as long as a request would.
    pub(crate) async fn asks(&mut self) -> Result<(), Error> {
        const DEADLINE: Duration = Duration::from_secs(60);
        self.context.meter.ask(DEADLINE).await.map(drop)
    }

    /// Makes a client of a connection. `name` is its name in the registry, where it has one.
    pub(crate) fn client(&self, slot: Slot, bare: Arc<dyn Transport>, name: Option<&str>) -> Client {
        let shared = self.context.surroundings.hooks(name).around(bare.clone());
        let transport = self.context.meter.around(shared.clone());
        Client { transport, shared, bare, _slot: slot }
    }

    /// What the server of a client's connection has.
    pub(crate) fn discovery(&self, client: &Resource<Client>) -> Result<Discovery> {
        let bare = &self.get(client)?.bare;
        Ok(self.context.surroundings.discoveries.of(bare))
    }

    /// Makes a request and waits here for its response; dropped while it waits, it is cancelled.
    async fn request(
        &mut self,
        client: Resource<Client>,
        request: Resource<Request>,
    ) -> Result<Result<Response, Error>> {
        let transport = self.get(&client)?.transport.clone();
        let (request, body) = match self.delete(request)?.take(Mode::Send) {
            Ok(taken) => taken,
            Err(error) => return Ok(Err(error)),
        };
        let sent = self.aside(async move { transport.send(request, body).await }).await;
        Ok(sent.map(Response::from))
    }

    async fn open<D: Decode>(
        &mut self,
        client: Resource<Client>,
        request: Resource<Request>,
    ) -> Result<Result<Resource<Stream<D>>, Resource<Error>>> {
        let response = self.request(client, request).await?;
        let body: Result<Body, Error> = response.and_then(|mut response| response.take_body());
        self.settle(body.map(Stream::new))
    }
}
