//! Requests in flight, and responses whose bodies have not been read.

use std::fmt;
use std::task::Poll;

use serde::de::DeserializeOwned;

use crate::poll::Pollable;
use crate::stream::{ByteStream, EventStream, JsonStream, LineStream};
use crate::wit::tidegate::host::types as wit;
use crate::{Error, Result};

/// A request in flight. It goes on while the guest waits for anything; dropped, it is cancelled.
pub struct Pending(wit::Pending);

impl Pending {
    /// Waits for the response. Errors: anything but 2xx is `status`.
    pub fn take(self) -> Result<Response> {
        Ok(self.0.take()?.into())
    }

    /// The response if it is there already. After `Poll::Ready` the next call is the error `closed`.
    pub fn try_take(&mut self) -> Poll<Result<Response>> {
        match self.0.try_take() {
            None => Poll::Pending,
            Some(taken) => Poll::Ready(taken.map(Response::from).map_err(Error::from)),
        }
    }

    /// Ready when [`Pending::take`] would not wait.
    pub fn subscribe(&self) -> Pollable {
        self.0.subscribe().into()
    }
}

impl From<wit::Pending> for Pending {
    fn from(pending: wit::Pending) -> Self {
        Self(pending)
    }
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").finish_non_exhaustive()
    }
}

/// A 2xx response whose body has not been read. Reading it, in any form, uses it up.
pub struct Response(wit::Response);

impl Response {
    /// 200 to 299.
    pub fn code(&self) -> u16 {
        self.0.code()
    }

    /// The `Content-Type` header as it came.
    pub fn content_type(&self) -> Option<String> {
        self.0.content_type()
    }

    /// The texts of the server's warnings: deprecated APIs, unknown fields.
    pub fn warnings(&self) -> Vec<String> {
        self.0.warnings()
    }

    /// The whole body. Errors: `too-large` past 256 MiB, `timeout`, `protocol` where it was cut short.
    pub fn bytes(self) -> Result<Vec<u8>> {
        Ok(self.0.bytes()?)
    }

    /// The whole body as text. Errors: as [`Response::bytes`], and `protocol` where it is not UTF-8.
    pub fn text(self) -> Result<String> {
        String::from_utf8(self.bytes()?).map_err(|error| {
            Error::new("protocol", "the body is not UTF-8".to_owned(), Some(Box::new(error)))
        })
    }

    /// The whole body, decoded. Errors: as [`Response::bytes`], and `json`.
    pub fn json<T: DeserializeOwned>(self) -> Result<T> {
        let body = self.bytes()?;
        serde_json::from_slice(&body).map_err(|error| Error::json("response", error))
    }

    /// The whole body as text that the host has checked to be one JSON document. Errors: as [`Response::bytes`], and `protocol`.
    pub fn json_text(self) -> Result<String> {
        Ok(self.0.json()?)
    }

    /// The body as it arrives.
    pub fn byte_stream(self) -> Result<ByteStream> {
        Ok(ByteStream::new(self.0.byte_stream()?))
    }

    /// The body line by line.
    pub fn lines(self) -> Result<LineStream> {
        Ok(LineStream::new(self.0.line_stream()?))
    }

    /// The body as one JSON document a line.
    pub fn json_lines(self) -> Result<JsonStream> {
        Ok(JsonStream::new(self.0.json_stream()?))
    }

    /// The body as watch events.
    pub fn events(self) -> Result<EventStream> {
        Ok(EventStream::new(self.0.event_stream()?))
    }
}

impl From<wit::Response> for Response {
    fn from(response: wit::Response) -> Self {
        Self(response)
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response").field("code", &self.code()).finish_non_exhaustive()
    }
}
