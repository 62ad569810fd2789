use std::sync::Arc;
use std::time::Instant;

use futures_util::future::BoxFuture;
use tidegate_kube::request::{Checked, Method, Request, StreamedBody};

use super::client::{Client, Origin};
use crate::request_body::RequestBody;
use crate::{
    BodyReader, Code, CredentialReport, Error, Event, Kind, Observer, Response, Support, Transport, Tunnel,
};

/// The transports that speak HTTP by themselves: all but [`Kind::KubectlRaw`].
pub(crate) struct HttpTransport {
    pub(crate) kind: Kind,
    pub(crate) namespace: Option<String>,
    pub(crate) origin: Origin,
    pub(crate) client: Client,
    pub(crate) observer: Arc<dyn Observer>,
}

impl Transport for HttpTransport {
    fn kind(&self) -> Kind {
        self.kind
    }

    fn default_namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    fn support(&self) -> Support {
        Support::EVERYTHING
    }

    fn server(&self) -> String {
        self.origin.to_string()
    }

    fn credentials(&self) -> Vec<CredentialReport> {
        self.client.credentials().reports()
    }

    fn send(
        self: Arc<Self>,
        request: Request,
        body: Option<BodyReader>,
    ) -> BoxFuture<'static, Result<Response, Error>> {
        Box::pin(async move {
            let verdict = body.as_ref().map(BodyReader::verdict);
            let result = self.exchange(request, body).await;
            if let (Err(error), Some(verdict)) = (&result, verdict) {
                verdict.failed(error);
            }
            result
        })
    }

    fn tunnel(
        self: Arc<Self>,
        request: Request,
        protocols: &'static [&'static str],
    ) -> BoxFuture<'static, Result<Tunnel, Error>> {
        Box::pin(async move {
            let checked = request
                .check(StreamedBody::Absent)
                .map_err(|invalid| Error::new(Code::InvalidRequest, invalid.to_string()))?;
            if checked.method() != Method::Get {
                return Err(Error::new(Code::InvalidRequest, "a tunnel is asked for with GET"));
            }
            let started = Instant::now();
            let result = self.client.upgrade(&checked, protocols).await;
            let code = match &result {
                Ok(_) => Some(101),
                Err(error) => error.status().map(|status| status.code),
            };
            self.tell(&checked, code, started);
            result
        })
    }
}

impl HttpTransport {
    async fn exchange(&self, request: Request, body: Option<BodyReader>) -> Result<Response, Error> {
        let streamed = if body.is_some() { StreamedBody::Present } else { StreamedBody::Absent };
        let checked = request
            .check(streamed)
            .map_err(|invalid| Error::new(Code::InvalidRequest, invalid.to_string()))?;
        let body = RequestBody::new(request.body, body)?;
        let started = Instant::now();
        let result = self.client.send(&checked, body).await;
        let code = match &result {
            Ok(response) => Some(response.code),
            Err(error) => error.status().map(|status| status.code),
        };
        self.tell(&checked, code, started);
        result
    }

    fn tell(&self, checked: &Checked, code: Option<u16>, started: Instant) {
        self.observer.event(&Event::Request {
            method: checked.method(),
            path: checked.path().as_str(),
            code,
            elapsed: started.elapsed(),
        });
    }
}
