//! What `wasi:http` holds in the host for a guest's own requests, bounded: whoever imports it may make them, granted or not, and a handle
//! keeps whatever was written to it.

use std::any::Any;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, SizeHint};
use tidegate_bindings::Holding;
use tidegate_grants::Limit;
use wasmtime::component::{Linker, LinkerInstance, Resource};
use wasmtime::{Result, StoreContextMut};
use wasmtime_wasi_http::p2::bindings::http::types::{self as wit, Host as _, HostFields, Method};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;
use wasmtime_wasi_http::p2::types::{HostOutgoingRequest, HostOutgoingResponse};
use wasmtime_wasi_http::{Error, FieldMap, WasiHttpCtx, WasiHttpView};

use crate::guest::Guest;

/// How much a guest writes to a body at once.
pub(super) const PIECE: usize = 64 << 10;

/// How many pieces wait in a body: wasmtime-wasi-http keeps one besides those that it is asked to.
const PIECES: usize = 2;

/// How large fields may be where memory is limited; elsewhere it is for wasmtime-wasi-http to say.
const FIELDS: usize = 32 << 10;

/// How long a path may be (crate http), with the texts beside it.
const TEXTS: usize = (64 << 10) + 2 * TEXT;

/// How long an authority or a method may be.
const TEXT: usize = 4 << 10;

/// What the heads that a guest keeps may take at least, however little memory it has.
const LEAST: u64 = 1 << 20;

type Store<'a> = StoreContextMut<'a, Guest>;

/// The settings of `wasi:http` for a guest of so much memory.
pub(crate) fn fields_within(memory: Option<Limit>) -> WasiHttpCtx {
    let mut context = WasiHttpCtx::new();
    if memory.is_some() {
        context.set_field_size_limit(FIELDS);
    }
    context
}

impl Guest {
    /// Goes on if a guest may keep another head, which takes so much at most. It may keep heads of a quarter of its memory.
    ///
    /// Errors: its limit of memory, which ends it: making fields cannot fail.
    fn may_keep(&mut self, more: usize) -> Result<()> {
        let Some(limit @ Limit::Memory(memory)) = self.context.memory() else { return Ok(()) };
        let size = |entry: &mut (dyn Any + Send)| match () {
            () if entry.is::<FieldMap>() || entry.is::<HostOutgoingResponse>() => FIELDS,
            () if entry.is::<HostOutgoingRequest>() => FIELDS + TEXTS,
            () => 0,
        };
        let kept = self.table.iter_mut().map(size).sum::<usize>();
        if (kept + more) as u64 > (memory / 4).max(LEAST) { Err(wasmtime::Error::new(limit)) } else { Ok(()) }
    }

    /// What a body of the guest's may take until it is dropped. None, and that is noted, where that is too much.
    fn hold_body(&mut self) -> Option<Holding> {
        // Trailers too.
        let held = self.context.held().hold(PIECES * PIECE + FIELDS);
        held.map_err(|error| self.context.meter().note(error.limit())).ok()
    }
}

/// Bounds what `wasi:http/types` makes.
pub(super) fn add_to_linker(linker: &mut Linker<Guest>, interface: &str) -> Result<()> {
    let mut types = linker.instance(interface)?;
    fields(&mut types)?;
    requests(&mut types)?;
    responses(&mut types)
}

fn fields(types: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    type Entries = Vec<(String, Vec<u8>)>;
    types.func_wrap("[constructor]fields", |mut store: Store<'_>, (): ()| {
        store.data_mut().may_keep(FIELDS)?;
        Ok((HostFields::new(&mut store.data_mut().http())?,))
    })?;
    types.func_wrap("[static]fields.from-list", |mut store: Store<'_>, (entries,): (Entries,)| {
        store.data_mut().may_keep(FIELDS)?;
        let mut web = store.data_mut().http();
        Ok((match web.from_list(entries) {
            Ok(fields) => Ok(fields),
            Err(error) => Err(web.convert_header_error(error)?),
        },))
    })?;
    types.func_wrap("[method]fields.clone", |mut store: Store<'_>, (fields,): (Resource<FieldMap>,)| {
        let guest = store.data_mut();
        // Those that a server sent can be larger than a guest's own.
        let sent = guest.table.get(&fields)?.iter().map(|(name, value)| name.as_str().len() + value.len());
        let size = sent.sum::<usize>().max(FIELDS);
        guest.may_keep(size)?;
        Ok((HostFields::clone(&mut guest.http(), fields)?,))
    })
}

fn requests(types: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    type Request = Resource<HostOutgoingRequest>;
    types.func_wrap(
        "[constructor]outgoing-request",
        |mut store: Store<'_>, (fields,): (Resource<FieldMap>,)| {
            // The fields become its own.
            store.data_mut().may_keep(TEXTS)?;
            Ok((wit::HostOutgoingRequest::new(&mut store.data_mut().http(), fields)?,))
        },
    )?;
    types.func_wrap(
        "[method]outgoing-request.set-method",
        |mut store: Store<'_>, (request, method): (Request, Method)| {
            if matches!(&method, Method::Other(name) if name.len() > TEXT) {
                return Ok((Err(()),));
            }
            Ok((wit::HostOutgoingRequest::set_method(&mut store.data_mut().http(), request, method)?,))
        },
    )?;
    types.func_wrap(
        "[method]outgoing-request.set-authority",
        |mut store: Store<'_>, (request, authority): (Request, Option<String>)| {
            if authority.as_ref().is_some_and(|authority| authority.len() > TEXT) {
                return Ok((Err(()),));
            }
            Ok((wit::HostOutgoingRequest::set_authority(&mut store.data_mut().http(), request, authority)?,))
        },
    )?;
    types.func_wrap("[method]outgoing-request.body", |mut store: Store<'_>, (request,): (Request,)| {
        let guest = store.data_mut();
        let Some(held) = guest.hold_body() else { return Ok((Err(()),)) };
        let of = Resource::new_borrow(request.rep());
        let made = wit::HostOutgoingRequest::body(&mut guest.http(), request)?;
        if made.is_ok() {
            keep(&mut guest.table.get_mut::<HostOutgoingRequest>(&of)?.body, held);
        }
        Ok((made,))
    })
}

fn responses(types: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    type Response = Resource<HostOutgoingResponse>;
    types.func_wrap("[method]outgoing-response.body", |mut store: Store<'_>, (response,): (Response,)| {
        let guest = store.data_mut();
        let Some(held) = guest.hold_body() else { return Ok((Err(()),)) };
        let of = Resource::new_borrow(response.rep());
        let made = wit::HostOutgoingResponse::body(&mut guest.http(), response)?;
        if made.is_ok() {
            keep(&mut guest.table.get_mut::<HostOutgoingResponse>(&of)?.body, held);
        }
        Ok((made,))
    })
}

/// Gives a body what it holds, until whoever sends it drops it.
fn keep(body: &mut Option<HyperOutgoingBody>, held: Holding) {
    *body = body.take().map(|body| Kept { body, _held: held }.boxed_unsync());
}

struct Kept {
    body: HyperOutgoingBody,
    _held: Holding,
}

impl Body for Kept {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
