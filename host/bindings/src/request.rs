//! `tidegate:host/types.request` and `outgoing-body`: what a guest asks for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tidegate_grants::Limit;
use tidegate_kube::request as kube;
use tidegate_transport::{BodyReader, Code, Error, body_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::Result;
use wasmtime::component::Resource;

use crate::charge::Charge;
use crate::error::closed;
use crate::outgoing::OutgoingBody;
use crate::wit::tidegate::host::types::{Host, HostRequest, Method};
use crate::{View, convert};

/// The largest body that `set-body` takes. A store's hostcall fuel must let more through, or the guest traps instead of getting an error.
const BODY: usize = 256 << 20;

/// How many bytes all requests of one guest may hold, sent or not, unless its memory is bounded by less.
const HELD: usize = 1 << 30;

/// A request that has not been started. What is wrong with it is told when it is.
pub struct Request {
    request: kube::Request,
    body: Option<Streamed>,
    charge: Charge,
    too_large: Option<Error>,
}

/// A body that will be written once the request has been started.
struct Streamed {
    reader: BodyReader,
    started: Arc<AtomicBool>,
}

/// How a request is to be sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The guest goes on at once, and can write a body.
    Start,
    /// The guest waits.
    Send,
}

impl Request {
    fn new(held: Held, method: kube::Method, path: String) -> Self {
        let bytes = path.len();
        let mut request = Self {
            request: kube::Request::new(method, path),
            body: None,
            charge: Charge::new(held),
            too_large: None,
        };
        if !request.hold(bytes) {
            request.request.path = "/".to_owned();
        }
        request
    }

    /// Hands it over to a transport.
    pub(crate) fn take(self, mode: Mode) -> Result<(kube::Request, Option<BodyReader>), Error> {
        if let Some(error) = self.too_large {
            return Err(error);
        }
        let charge = self.charge.settle()?;
        let Some(body) = self.body else { return Ok((charged(self.request, charge), None)) };
        if mode == Mode::Send {
            let text =
                "a streamed body is written after `start`: `send` would wait for a body that cannot come";
            return Err(Error::new(Code::InvalidRequest, text));
        }
        body.started.store(true, Ordering::Relaxed);
        Ok((self.request, Some(body.reader)))
    }

    /// Whether it may hold so many bytes more. If not, it says so when it is started.
    fn hold(&mut self, bytes: usize) -> bool {
        self.charge.hold(bytes)
    }
}

/// The request, whose body stands in for all that it held until it has been sent.
fn charged(mut request: kube::Request, charge: Option<OwnedSemaphorePermit>) -> kube::Request {
    if let (Some(body), Some(charge)) = (request.body.take(), charge) {
        request.body = Some(Bytes::from_owner(Charged { body, _charge: charge }));
    }
    request
}

/// A body that gives back what it was charged when the last copy of it is dropped.
struct Charged {
    body: Bytes,
    _charge: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Charged {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

/// What all requests of one guest hold. Clones count together.
#[derive(Clone)]
pub struct Held {
    free: Arc<Semaphore>,
    /// Of the guest's memory, where that is what bounds it.
    limit: Option<Limit>,
}

/// What something holds of that, until it is dropped.
pub struct Holding {
    _taken: OwnedSemaphorePermit,
}

impl Default for Held {
    fn default() -> Self {
        Self::within(None)
    }
}

impl Held {
    const UNIT: usize = 256;

    /// As much as the guest's own memory may have, where that is less than what any guest's requests may hold.
    pub(crate) fn within(memory: Option<Limit>) -> Self {
        let bound = match memory {
            Some(limit @ Limit::Memory(bytes)) => usize::try_from(bytes).ok().map(|bytes| (bytes, limit)),
            _ => None,
        };
        let (bytes, limit) = match bound.filter(|(bytes, _)| *bytes < HELD) {
            Some((bytes, limit)) => (bytes, Some(limit)),
            None => (HELD, None),
        };
        Self { free: Arc::new(Semaphore::new(bytes / Self::UNIT)), limit }
    }

    /// Holds so many bytes. Errors: they are more than are left; [`Code::Limit`] where the limit of the guest's memory is why.
    pub fn hold(&self, bytes: usize) -> Result<Holding, Error> {
        self.take(bytes).map(|taken| Holding { _taken: taken }).ok_or_else(|| self.full())
    }

    /// That no more may be held.
    pub(crate) fn full(&self) -> Error {
        let text = || format!("the requests of this guest would hold more than {HELD} bytes");
        self.limit.map_or_else(|| Error::new(Code::TooLarge, text()), Error::limited)
    }

    pub(crate) fn take(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let units = u32::try_from(bytes.div_ceil(Self::UNIT)).ok()?;
        self.free.clone().try_acquire_many_owned(units).ok()
    }
}

impl Host for View<'_> {}

impl HostRequest for View<'_> {
    fn new(&mut self, method: Method, path: String) -> Result<Resource<Request>> {
        let held = self.context.held.clone();
        self.push(Request::new(held, convert::method(method), path))
    }

    fn add_query(&mut self, request: Resource<Request>, name: String, value: String) -> Result<()> {
        let request = self.get_mut(&request)?;
        // Two strings and their places in the list.
        if request.hold(name.len() + value.len() + 2 * size_of::<String>()) {
            request.request.query.push((name, value));
        }
        Ok(())
    }

    fn set_accept(&mut self, request: Resource<Request>, media_type: String) -> Result<()> {
        let request = self.get_mut(&request)?;
        if request.hold(media_type.len()) {
            request.request.accept = Some(media_type);
        }
        Ok(())
    }

    fn set_content_type(&mut self, request: Resource<Request>, media_type: String) -> Result<()> {
        let request = self.get_mut(&request)?;
        if request.hold(media_type.len()) {
            request.request.content_type = Some(media_type);
        }
        Ok(())
    }

    fn set_body(&mut self, request: Resource<Request>, bytes: Vec<u8>) -> Result<()> {
        let request = self.get_mut(&request)?;
        if bytes.len() > BODY {
            let text = format!("a body may have {BODY} bytes, and this one has {}: stream it", bytes.len());
            request.too_large = Some(Error::new(Code::TooLarge, text));
        } else if request.hold(bytes.len()) {
            request.request.body = Some(bytes.into());
        }
        Ok(())
    }

    fn stream_body(
        &mut self,
        request: Resource<Request>,
    ) -> Result<Result<Resource<OutgoingBody>, Resource<Error>>> {
        let request = self.get_mut(&request)?;
        if request.body.is_some() {
            return self.fail(closed("the streamed body of this request")).map(Err);
        }
        let (writer, reader) = body_channel();
        let started = Arc::new(AtomicBool::new(false));
        request.body = Some(Streamed { reader, started: started.clone() });
        self.push(OutgoingBody::new(writer, started)).map(Ok)
    }

    fn set_deadline(&mut self, request: Resource<Request>, nanoseconds: u64) -> Result<()> {
        self.get_mut(&request)?.request.deadline = Duration::from_nanos(nanoseconds);
        Ok(())
    }

    fn set_idle_deadline(&mut self, request: Resource<Request>, nanoseconds: u64) -> Result<()> {
        self.get_mut(&request)?.request.idle_deadline = Some(Duration::from_nanos(nanoseconds));
        Ok(())
    }

    fn drop(&mut self, request: Resource<Request>) -> Result<()> {
        self.delete(request).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(held: &Held) -> Request {
        Request::new(held.clone(), kube::Method::Post, "/api".to_owned())
    }

    #[test]
    fn what_a_guest_holds_is_bounded_until_it_has_been_sent() {
        let held = Held::default();
        let mut first = request(&held);
        assert!(first.hold(HELD - 1024));
        first.request.body = Some(Bytes::from_static(b"body"));
        let mut second = request(&held);
        assert!(!second.hold(1024));
        assert_eq!(second.take(Mode::Send).unwrap_err().code(), Code::TooLarge);

        let (sent, _) = first.take(Mode::Send).unwrap();
        let copy = sent.clone();
        drop(sent);
        assert!(held.take(1024).is_none(), "a copy of the body is still there");
        drop(copy);
        assert!(held.take(HELD).is_some());
    }

    #[test]
    fn what_a_guest_holds_is_bounded_by_its_memory() {
        let limit = Limit::Memory(1 << 20);
        let held = Held::within(Some(limit));
        let mut request = request(&held);
        assert!(request.hold(1000 << 10) && !request.hold(1 << 20));
        assert_eq!(request.take(Mode::Send).unwrap_err().limit(), Some(limit));
        assert!(Held::within(Some(Limit::Memory(u64::MAX))).take(HELD).is_some());
    }

    #[test]
    fn a_streamed_body_cannot_be_sent_before_it_is_written() {
        for (mode, code) in [(Mode::Start, None), (Mode::Send, Some(Code::InvalidRequest))] {
            let mut request = request(&Held::default());
            let (_writer, reader) = body_channel();
            request.body = Some(Streamed { reader, started: Arc::default() });
            assert_eq!(request.take(mode).err().map(|error| error.code()), code);
        }
    }
}
