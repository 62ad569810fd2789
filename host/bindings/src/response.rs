//! `tidegate:host/types.response`: a 2xx response whose body has not been read.

use bytes::Bytes;
use serde::de::IgnoredAny;
use tidegate_grants::Limit;
use tidegate_transport::{self as transport, Body, Code, Error};
use wasmtime::Result;
use wasmtime::component::Resource;

use crate::decode::Decode;
use crate::error::closed;
use crate::streams::Stream;
use crate::wit::tidegate::host::types::HostResponse;
use crate::{ByteStream, EventStream, JsonStream, LineStream, View};

/// The most that is read of a body that a guest wants whole.
const WHOLE_BODY: u64 = 256 << 20;

/// A 2xx response. Its body can be taken once; dropped, it closes the body.
pub struct Response {
    code: u16,
    content_type: Option<String>,
    warnings: Vec<String>,
    body: Option<Body>,
}

impl From<transport::Response> for Response {
    fn from(response: transport::Response) -> Self {
        let transport::Response { code, content_type, warnings, body } = response;
        Self { code, content_type, warnings, body: Some(body) }
    }
}

impl Response {
    pub(crate) fn take_body(&mut self) -> Result<Body, Error> {
        self.body.take().ok_or_else(|| closed("the body of this response"))
    }
}

impl HostResponse for View<'_> {
    fn code(&mut self, response: Resource<Response>) -> Result<u16> {
        Ok(self.get(&response)?.code)
    }

    fn content_type(&mut self, response: Resource<Response>) -> Result<Option<String>> {
        Ok(self.get(&response)?.content_type.clone())
    }

    fn warnings(&mut self, response: Resource<Response>) -> Result<Vec<String>> {
        Ok(self.get(&response)?.warnings.clone())
    }

    async fn bytes(&mut self, response: Resource<Response>) -> Result<Result<Vec<u8>, Resource<Error>>> {
        let whole = self.whole(response).await?;
        // Without a copy where the body came in one piece.
        self.answer(whole.map(Vec::from))
    }

    async fn json(&mut self, response: Resource<Response>) -> Result<Result<String, Resource<Error>>> {
        let whole = self.whole(response).await?;
        self.answer(whole.and_then(json))
    }

    fn byte_stream(
        &mut self,
        response: Resource<Response>,
    ) -> Result<Result<Resource<ByteStream>, Resource<Error>>> {
        self.stream(response)
    }

    fn line_stream(
        &mut self,
        response: Resource<Response>,
    ) -> Result<Result<Resource<LineStream>, Resource<Error>>> {
        self.stream(response)
    }

    fn json_stream(
        &mut self,
        response: Resource<Response>,
    ) -> Result<Result<Resource<JsonStream>, Resource<Error>>> {
        self.stream(response)
    }

    fn event_stream(
        &mut self,
        response: Resource<Response>,
    ) -> Result<Result<Resource<EventStream>, Resource<Error>>> {
        self.stream(response)
    }

    fn drop(&mut self, response: Resource<Response>) -> Result<()> {
        self.delete(response).map(drop)
    }
}

impl View<'_> {
    async fn whole(&mut self, response: Resource<Response>) -> Result<Result<Bytes, Error>> {
        let body = self.get_mut(&response)?.take_body();
        let (cap, limit) = match self.context.memory {
            // What has no room in the guest's memory is not read into the host's.
            Some(limit @ Limit::Memory(bytes)) if bytes < WHOLE_BODY => (bytes, Some(limit)),
            _ => (WHOLE_BODY, None),
        };
        let whole = match body {
            Ok(body) => self.aside(async move { body.whole(cap).await }).await,
            Err(error) => Err(error),
        };
        Ok(whole.map_err(|error| match limit {
            Some(limit) if error.code() == Code::TooLarge => Error::limited(limit),
            _ => error,
        }))
    }

    fn stream<D: Decode>(
        &mut self,
        response: Resource<Response>,
    ) -> Result<Result<Resource<Stream<D>>, Resource<Error>>> {
        let body = self.get_mut(&response)?.take_body();
        self.settle(body.map(Stream::new))
    }
}

/// Checks that a body is one JSON document in UTF-8. The message holds a position and none of the text.
fn json(body: Bytes) -> Result<String, Error> {
    let text = String::from_utf8(Vec::from(body)).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Error::new(Code::Protocol, format!("the body is not UTF-8 (after {at} bytes)"))
    })?;
    match serde_json::from_str::<IgnoredAny>(&text) {
        Ok(_) => Ok(text),
        Err(error) => {
            let (line, column) = (error.line(), error.column());
            let text = format!("the body is not one JSON document (line {line}, column {column})");
            Err(Error::new(Code::Protocol, text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_json_body_is_one_document() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let cases: [(&[u8], &str); 8] = [
            (b"{\"a\":[1,null]}", "ok"),
            (b" 1 \n", "ok"),
            (deep.as_bytes(), "ok"),
            (b"", "the body is not one JSON document (line 1, column 0)"),
            (b"{}{}", "the body is not one JSON document (line 1, column 3)"),
            (b"{\"a\":\n", "the body is not one JSON document (line 2, column 0)"),
            (b"<html>", "the body is not one JSON document (line 1, column 1)"),
            (b"\"\xff\"", "the body is not UTF-8 (after 1 bytes)"),
        ];
        for (body, expected) in cases {
            let shown =
                json(Bytes::copy_from_slice(body)).map(|_| "ok".to_owned()).unwrap_or_else(|e| e.report());
            assert_eq!(shown, expected, "{}", String::from_utf8_lossy(&body[..body.len().min(20)]));
        }
    }
}
