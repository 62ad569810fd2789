use std::sync::Arc;

use futures_util::future::BoxFuture;
use tidegate_kube::request::Request;

use super::{Meter, Slot};
use crate::{
    BodyReader, Code, CredentialReport, Error, Identity, Kind, Response, Support, Transport, Tunnel,
};

/// A transport whose use by one guest is counted.
struct Metered {
    inner: Arc<dyn Transport>,
    meter: Meter,
    place: Place,
}

/// What a request takes among what is open.
#[derive(Clone, Copy)]
enum Place {
    Own,
    /// That of another request, for which this one is made.
    Others,
}

pub(super) fn around(meter: Meter, inner: Arc<dyn Transport>) -> Arc<dyn Transport> {
    Arc::new(Metered { inner, meter, place: Place::Own })
}

impl Transport for Metered {
    fn kind(&self) -> Kind {
        self.inner.kind()
    }

    fn default_namespace(&self) -> Option<&str> {
        self.inner.default_namespace()
    }

    fn support(&self) -> Support {
        self.inner.support()
    }

    fn server(&self) -> String {
        self.inner.server()
    }

    fn credentials(&self) -> Vec<CredentialReport> {
        self.inner.credentials()
    }

    fn identity(&self) -> Identity {
        self.inner.identity()
    }

    fn beside(&self) -> Option<Arc<dyn Transport>> {
        let (inner, meter) = (self.inner.clone(), self.meter.clone());
        Some(Arc::new(Metered { inner, meter, place: Place::Others }))
    }

    fn send(
        self: Arc<Self>,
        request: Request,
        body: Option<BodyReader>,
    ) -> BoxFuture<'static, Result<Response, Error>> {
        Box::pin(async move {
            let (request, slot) = self.admit(request).await?;
            let whole = request.body.as_ref().map_or(0, |body| body.len());
            self.meter.spend(whole)?;
            let body = body.map(|body| body.metered(self.meter.clone()));
            let response = self.inner.clone().send(request, body).await.map_err(|error| {
                if is_unsent(&error) {
                    self.meter.give_back(whole);
                }
                self.charged(error)
            })?;
            let Response { code, content_type, warnings, body } = response;
            Ok(Response { code, content_type, warnings, body: body.metered(self.meter.clone(), slot) })
        })
    }

    fn tunnel(
        self: Arc<Self>,
        request: Request,
        protocols: &'static [&'static str],
    ) -> BoxFuture<'static, Result<Tunnel, Error>> {
        Box::pin(async move {
            let (request, slot) = self.admit(request).await?;
            let opened = self.inner.clone().tunnel(request, protocols).await;
            opened.map(|tunnel| tunnel.metered(self.meter.clone(), slot)).map_err(|error| self.charged(error))
        })
    }
}

impl Metered {
    /// A request that may be sent now, with what is left of its deadline, and its place among what is open. What waits has its place
    /// already: so no more wait than may be open.
    async fn admit(&self, mut request: Request) -> Result<(Request, Slot), Error> {
        let slot = match self.place {
            Place::Own => self.meter.open()?,
            Place::Others => Slot(None),
        };
        let waited = self.meter.ask(request.deadline).await?;
        request.deadline = request.deadline.saturating_sub(waited);
        Ok((request, slot))
    }

    /// An answer that is no 2xx has a body too, of which the guest gets what is in the status.
    fn charged(&self, error: Error) -> Error {
        let told = error.status().map_or(0, |status| {
            status.message.len() + status.details.as_ref().map_or(0, |details| details.len())
        });
        self.meter.spend(told).err().unwrap_or(error)
    }
}

/// Whether nothing can have been sent. Where a connection broke, some of it may have been.
fn is_unsent(error: &Error) -> bool {
    use Code::{InvalidRequest, NoClient, NotConfigured, PermissionDenied, Unsupported};
    matches!(error.code(), PermissionDenied | NoClient | InvalidRequest | Unsupported | NotConfigured)
}
