//! Bodies of answers: whole, a list written as it is sent, or a watch.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::vec::IntoIter;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::mpsc;

use crate::api::view::{ListMeta, View};
use crate::store::Object;

/// Bytes that are written at a time: a few TLS records, and far from a whole list.
const CHUNK: usize = 128 * 1024;

/// What an object may add to a chunk before its memory has to grow.
const BEYOND: usize = 16 * 1024;

/// The body of one answer.
pub(crate) enum Payload {
    /// All of it.
    Whole(Option<Bytes>),
    /// A list.
    List(Box<ListBody>),
    /// What a watch sends.
    Stream(mpsc::Receiver<Bytes>),
}

/// A list of which no more is in memory than is being sent.
pub(crate) struct ListBody {
    view: Box<View>,
    /// Written to see whether it is all.
    first: Option<Vec<u8>>,
    /// Written, and too little to be sent.
    begun: Vec<u8>,
    objects: IntoIter<Arc<Object>>,
    any: bool,
    done: bool,
}

impl Payload {
    /// A whole body.
    pub(crate) fn whole(bytes: impl Into<Bytes>) -> Payload {
        Payload::Whole(Some(bytes.into()))
    }

    /// A list; one that fits a chunk is sent whole, with its length.
    pub(crate) fn list(view: Box<View>, meta: &ListMeta, objects: Vec<Arc<Object>>) -> Payload {
        let begun = view.list_head(meta);
        let mut body =
            ListBody { view, first: None, begun, objects: objects.into_iter(), any: false, done: false };
        let Some(first) = body.chunk() else { return Payload::whole(Bytes::new()) };
        if body.done {
            return Payload::whole(first);
        }
        body.first = Some(first);
        Payload::List(Box::new(body))
    }
}

impl ListBody {
    fn chunk(&mut self) -> Option<Vec<u8>> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        let mut out = std::mem::take(&mut self.begun);
        out.reserve(CHUNK + BEYOND - out.len().min(CHUNK));
        while !self.done && out.len() < CHUNK {
            let Some(object) = self.objects.next() else {
                out.extend_from_slice(self.view.list_tail());
                self.done = true;
                break;
            };
            if std::mem::replace(&mut self.any, true) {
                out.push(b',');
            }
            self.view.list_item(&object, &mut out);
        }
        if !self.done {
            // A few kilobytes beyond a chunk would be a frame, a record and a write of their own.
            let whole = out.len() - out.len() % CHUNK;
            self.begun = out[whole..].to_vec();
            out.truncate(whole);
        }
        (!out.is_empty()).then_some(out)
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let bytes = match self.get_mut() {
            Payload::Whole(bytes) => Poll::Ready(bytes.take()),
            Payload::List(list) => Poll::Ready(list.chunk().map(Bytes::from)),
            Payload::Stream(receiver) => receiver.poll_recv(cx),
        };
        bytes.map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Payload::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Payload::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            _ => SizeHint::default(),
        }
    }
}
