use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

use super::gunzip::{Gunzip, Malformed};
use super::{one, session};
use crate::breath::Breath;
use crate::{Code, Error};

/// The body of a response, as it arrives, unpacked.
pub(crate) struct Incoming {
    wire: Wire,
    gunzip: Option<Box<Unpacking>>,
}

pub(super) enum Wire {
    One(one::Received),
    Two(session::Received),
    /// Nobody reads it.
    Unread,
}

struct Unpacking {
    gunzip: Gunzip,
    breath: Breath,
    ended: bool,
}

impl Incoming {
    /// Errors: it is packed in a way that was not asked for. What is no success has no body then: its code says enough.
    pub(super) fn new(wire: Wire, head: &http::response::Parts) -> Result<Incoming, Error> {
        let unpacking = || Unpacking { gunzip: Gunzip::new(), breath: Breath::default(), ended: false };
        match is_packed(&head.headers) {
            Ok(false) => Ok(Incoming { wire, gunzip: None }),
            Ok(true) => Ok(Incoming { wire, gunzip: Some(Box::new(unpacking())) }),
            Err(_) if !head.status.is_success() => Ok(Incoming { wire: Wire::Unread, gunzip: None }),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        match &mut self.gunzip {
            None => self.wire.poll_chunk(cx),
            Some(unpacking) => unpacking.poll_chunk(&mut self.wire, cx),
        }
    }
}

impl Wire {
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        match self {
            Wire::One(received) => received.poll_chunk(cx),
            Wire::Two(received) => received.poll_chunk(cx),
            Wire::Unread => Poll::Ready(None),
        }
    }
}

impl Unpacking {
    /// Nothing more is read from the wire before all of what was read is taken.
    fn poll_chunk(&mut self, wire: &mut Wire, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        // A bomb is there already: nobody else would ever have to wait for its next piece.
        ready!(self.breath.poll(cx));
        loop {
            match self.gunzip.next() {
                Ok(Some(piece)) => {
                    self.breath.read(Poll::Ready(piece.len()));
                    return Poll::Ready(Some(Ok(piece)));
                }
                Ok(None) => {}
                Err(malformed) => return self.end(Err(malformed)),
            }
            match wire.poll_chunk(cx) {
                Poll::Ready(Some(Ok(packed))) => self.gunzip.feed(packed),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
                Poll::Ready(None) => return self.end(self.gunzip.end()),
                Poll::Pending => {
                    self.breath.read(Poll::Pending);
                    return Poll::Pending;
                }
            }
        }
    }

    fn end(&mut self, end: Result<(), Malformed>) -> Poll<Option<Result<Bytes, Error>>> {
        self.ended = true;
        Poll::Ready(end.err().map(|malformed| {
            Err(Error::new(Code::Protocol, "the response's body cannot be unpacked").because(malformed))
        }))
    }
}

/// Whether the body is gzip. Errors: it is something else, which nobody could read.
fn is_packed(headers: &HeaderMap) -> Result<bool, Error> {
    let mut codings = headers.get_all(CONTENT_ENCODING).iter().map(|value| value.as_bytes().trim_ascii());
    match (codings.next(), codings.next()) {
        (None, _) => Ok(false),
        (Some(one), None) if one.is_empty() || one.eq_ignore_ascii_case(b"identity") => Ok(false),
        (Some(one), None) if one.eq_ignore_ascii_case(b"gzip") || one.eq_ignore_ascii_case(b"x-gzip") => {
            Ok(true)
        }
        (Some(one), _) => {
            let shown: String = String::from_utf8_lossy(one).chars().take(50).collect();
            let text = format!("the response's body is packed as {shown:?}, which was not asked for");
            Err(Error::new(Code::Protocol, text))
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn only_gzip_is_unpacked() {
        for (codings, packed) in [
            (&[][..], Some(false)),
            (&["identity"], Some(false)),
            (&[""], Some(false)),
            (&["gzip"], Some(true)),
            (&[" GZIP "], Some(true)),
            (&["x-gzip"], Some(true)),
            (&["br"], None),
            (&["gzip, gzip"], None),
            (&["gzip", "gzip"], None),
        ] {
            let mut headers = HeaderMap::new();
            for coding in codings {
                headers.append(CONTENT_ENCODING, HeaderValue::from_str(coding).expect("header"));
            }
            let verdict = is_packed(&headers);
            assert_eq!(verdict.as_ref().ok().copied(), packed, "{codings:?}");
            assert!(verdict.err().is_none_or(|error| error.code() == Code::Protocol));
        }
    }
}
