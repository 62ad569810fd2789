//! HTTP/1.1: connections of one request at a time.

mod received;

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::Incoming as HyperBody;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;

use super::fault::{Broken, Fault, Progress};
use super::stream::{Io, Meter, Stream};
use crate::request_body::RequestBody;

pub(super) use received::Received;

/// The largest head of a response, in bytes. API servers send about 500.
pub(super) const MAX_HEAD: usize = 256 * 1024;

/// How much may come before a response's head is there, in bytes: interim responses (1xx), which hyper drops, and the head.
const MAX_BEFORE: u64 = 1024 * 1024;

/// An HTTP/1.1 connection that is driven by whoever holds it.
pub(super) struct Connection {
    sender: http1::SendRequest<RequestBody>,
    /// None once the connection has ended.
    driver: Option<Driver>,
    meter: Arc<Meter>,
}

/// What a server made of a request for another protocol.
pub(super) enum Switch {
    /// It speaks that protocol from here on: over this stream, on which these bytes came already.
    Switched(http::response::Parts, Stream, Bytes),
    /// It does not.
    Answered(http::Response<HyperBody>, Connection),
}

type Driver = Pin<Box<http1::Connection<TokioIo<Stream>, RequestBody>>>;

impl Connection {
    /// `identity` is that of the client certificate which the server saw.
    pub(super) async fn open(io: Io, identity: Option<u64>) -> Result<Connection, Fault> {
        let (stream, meter) = Stream::new(io, identity);
        let opened = http1::Builder::new().max_header_size(MAX_HEAD).handshake(TokioIo::new(stream)).await;
        let (sender, driver) = opened.map_err(Fault::One)?;
        Ok(Connection { sender, driver: Some(Box::pin(driver)), meter })
    }

    /// Which client certificate the server saw.
    pub(super) fn identity(&self) -> Option<u64> {
        self.meter.identity()
    }

    /// Sends the request and waits for the response's head.
    pub(super) async fn exchange(
        &mut self,
        request: http::Request<RequestBody>,
    ) -> Result<http::Response<HyperBody>, Broken> {
        self.exchange_with(request, drive).await
    }

    /// Sends a request for another protocol.
    pub(super) async fn switch(mut self, request: http::Request<RequestBody>) -> Result<Switch, Broken> {
        let mut over = false;
        let response = self
            .exchange_with(request, |driver, cx| {
                // Kept, unlike one that is over by itself: the socket is in it.
                if let Some(running) = driver
                    && !over
                {
                    over = running.as_mut().poll(cx).is_ready();
                }
            })
            .await?;
        let driver =
            self.driver.take().filter(|_| response.status() == http::StatusCode::SWITCHING_PROTOCOLS);
        let Some(mut driver) = driver else { return Ok(Switch::Answered(response, self)) };
        if !over {
            let ended = poll_fn(|cx| driver.as_mut().poll(cx)).await;
            ended.map_err(|error| Broken {
                fault: Fault::One(error),
                progress: Progress::Answered,
                body: None,
            })?;
        }
        let (head, _) = response.into_parts();
        let parts = (*Pin::into_inner(driver)).into_parts();
        Ok(Switch::Switched(head, parts.io.into_inner(), parts.read_buf))
    }

    async fn exchange_with(
        &mut self,
        request: http::Request<RequestBody>,
        mut drive: impl FnMut(&mut Option<Driver>, &mut Context<'_>),
    ) -> Result<http::Response<HyperBody>, Broken> {
        let (read, written) = self.meter.now();
        let mut response = pin!(self.sender.try_send_request(request));
        let (driver, meter) = (&mut self.driver, &self.meter);
        let result = poll_fn(|cx| {
            drive(driver, cx);
            let polled = response.as_mut().poll(cx);
            let floods = polled.is_pending() && meter.now().0 - read > MAX_BEFORE;
            if floods { Poll::Ready(None) } else { polled.map(Some) }
        })
        .await;
        let Some(result) = result else {
            return Err(Broken {
                fault: Fault::Interim("1 MiB of"),
                progress: Progress::Answered,
                body: None,
            });
        };
        result.map_err(|mut failed| {
            let (read_now, written_now) = self.meter.now();
            let body = failed.take_message().map(http::Request::into_body);
            let unsent = body.is_some() || written_now == written;
            let progress = match (unsent, read_now == read) {
                (_, false) => Progress::Answered,
                (true, true) => Progress::Unsent,
                (false, true) => Progress::Unanswered,
            };
            Broken { fault: Fault::One(failed.into_error()), progress, body }
        })
    }

    /// Lets the connection read and write what it can.
    pub(super) fn drive(&mut self, cx: &mut Context<'_>) {
        drive(&mut self.driver, cx);
    }

    /// Whether another request can be sent, as far as the socket tells now.
    pub(super) fn poll_usable(&mut self, cx: &mut Context<'_>) -> bool {
        self.drive(cx);
        self.driver.is_some() && self.sender.is_ready()
    }
}

fn drive(driver: &mut Option<Driver>, cx: &mut Context<'_>) {
    if let Some(running) = driver
        && let Poll::Ready(_) = running.as_mut().poll(cx)
    {
        // Its error, if any, is told by the response or the body that it belongs to.
        *driver = None;
    }
}
