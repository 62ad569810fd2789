//! Bodies as they arrive: bytes, lines, JSON documents, watch events.
//!
//! Every stream is an iterator that waits for its next item, and ends after `None` or an error. The host hands over batches of what
//! is there already; `try_next` gives what needs no waiting. A stream that is not read holds its peer back; dropped, it closes
//! what it read from.

use std::fmt;
use std::task::Poll;
use std::vec;

use serde::de::DeserializeOwned;

use crate::poll::Pollable;
use crate::wit::tidegate::host::types as wit;
pub use crate::wit::tidegate::host::types::EventType;
use crate::wit::tidegate::host::{lists, logs};
use crate::{Error, Result};

/// Bytes as they arrive, in pieces of at most 256 KiB.
pub type ByteStream = Stream<wit::ByteStream>;

/// Lines without their line ends. An unterminated last line is delivered. Errors: `too-large` for a line past 16 MiB.
pub type LineStream = Stream<wit::LineStream>;

/// JSON documents, one a line, as text that the host has checked. Errors: as [`LineStream`], and `protocol` for a line that is no
/// JSON object.
pub type JsonStream = Stream<wit::JsonStream>;

/// Items of a list, each one JSON object in UTF-8; [`crate::Client::open_items`] gives it. Errors, after the items before them: `too-large` for
/// an item past 16 MiB, `protocol` for what is no list, was cut short, or has an item that is no object.
pub type ItemStream = Stream<lists::ItemStream>;

/// Watch events. Errors: as [`JsonStream`].
pub type EventStream = Stream<wit::EventStream>;

/// One event of a watch.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// What happened.
    pub event_type: EventType,
    /// The object, as JSON text in UTF-8. Of [`EventType::Error`]: a `Status`; its code 410 says that the watch must begin with a new list.
    pub object: Vec<u8>,
}

impl Event {
    /// The object, decoded. Errors: `json`.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.object).map_err(|error| Error::json("object of a watch event", error))
    }
}

/// A stream of one of the six forms.
pub struct Stream<S: Source> {
    source: S,
    /// What came with the last batch and was not taken yet.
    batch: vec::IntoIter<S::Item>,
    ended: bool,
}

impl<S: Source> Stream<S> {
    pub(crate) fn new(source: S) -> Self {
        Self { source, batch: Vec::new().into_iter(), ended: false }
    }

    pub(crate) fn source(&self) -> &S {
        &self.source
    }

    /// The next item if it is there already; `Poll::Ready(None)` is the end.
    pub fn try_next(&mut self) -> Poll<Option<Result<S::Item>>> {
        loop {
            if let Some(item) = self.batch.next() {
                return Poll::Ready(Some(Ok(item)));
            }
            if self.ended {
                return Poll::Ready(None);
            }
            let Some(batch) = self.source.try_batch() else { return Poll::Pending };
            if let Err(error) = self.refill(batch) {
                return Poll::Ready(Some(Err(error)));
            }
        }
    }

    /// Ready when the host would hand over a batch, or the end, without waiting. What came with the last batch is not counted: call
    /// [`Stream::try_next`] until it is pending, then wait.
    pub fn subscribe(&self) -> Pollable {
        self.source.pollable()
    }

    fn refill(&mut self, batch: Result<Option<Vec<S::Item>>, wit::Error>) -> Result<()> {
        // After an error the stream has ended, for the host as for us.
        self.ended = !matches!(batch, Ok(Some(_)));
        self.batch = batch?.unwrap_or_default().into_iter();
        Ok(())
    }
}

impl<S: Source> Iterator for Stream<S> {
    type Item = Result<S::Item>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(item) = self.batch.next() {
                return Some(Ok(item));
            }
            if self.ended {
                return None;
            }
            let batch = self.source.batch();
            if let Err(error) = self.refill(batch) {
                return Some(Err(error));
            }
        }
    }
}

impl<S: Source> std::iter::FusedIterator for Stream<S> {}

impl<S: Source> fmt::Debug for Stream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("ended", &self.ended).finish_non_exhaustive()
    }
}

impl LineStream {
    /// The lines as text; what is not UTF-8 becomes U+FFFD.
    pub fn text(self) -> impl Iterator<Item = Result<String>> {
        self.map(|line| Ok(String::from_utf8_lossy(&line?).into_owned()))
    }
}

impl JsonStream {
    /// The documents, decoded. Errors: as the stream's own, and `json`.
    pub fn decode<T: DeserializeOwned>(self) -> impl Iterator<Item = Result<T>> {
        self.map(|text| serde_json::from_str(&text?).map_err(|error| Error::json("line", error)))
    }
}

impl ByteStream {
    /// The bytes as a [`std::io::Read`] and [`std::io::BufRead`].
    pub fn reader(self) -> Reader {
        Reader { stream: self, piece: Vec::new(), taken: 0 }
    }
}

/// A [`ByteStream`] in std's words; [`ByteStream::reader`] gives it. Errors carry an [`Error`].
#[derive(Debug)]
pub struct Reader {
    stream: ByteStream,
    piece: Vec<u8>,
    taken: usize,
}

impl std::io::BufRead for Reader {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        while self.taken == self.piece.len() {
            let Some(piece) = self.stream.next().transpose().map_err(std::io::Error::other)? else { break };
            (self.piece, self.taken) = (piece, 0);
        }
        Ok(&self.piece[self.taken..])
    }

    fn consume(&mut self, amount: usize) {
        self.taken = (self.taken + amount).min(self.piece.len());
    }
}

impl std::io::Read for Reader {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let taken = std::io::Read::read(&mut std::io::BufRead::fill_buf(self)?, into)?;
        std::io::BufRead::consume(self, taken);
        Ok(taken)
    }
}

use sealed::Source;

mod sealed {
    use super::{Event, Pollable, Result, lists, logs, wit};
    use crate::LogPart;

    type Batch<T> = Result<Option<Vec<T>>, wit::Error>;

    /// One of the host's six stream resources.
    pub trait Source {
        /// What it is a stream of.
        type Item;
        /// Waits for what comes next.
        fn batch(&self) -> Batch<Self::Item>;
        /// What is there already.
        fn try_batch(&self) -> Option<Batch<Self::Item>>;
        /// Ready when `batch` would not wait.
        fn pollable(&self) -> Pollable;
    }

    macro_rules! source {
        ($resource:path, $item:ty, $convert:expr) => {
            impl Source for $resource {
                type Item = $item;

                fn batch(&self) -> Batch<$item> {
                    self.next().map(|batch| batch.map($convert))
                }

                fn try_batch(&self) -> Option<Batch<$item>> {
                    self.try_next().map(|batch| batch.map(|batch| batch.map($convert)))
                }

                fn pollable(&self) -> Pollable {
                    self.subscribe().into()
                }
            }
        };
    }

    source!(wit::ByteStream, Vec<u8>, |piece| vec![piece]);
    source!(wit::LineStream, Vec<u8>, |lines| lines);
    source!(lists::ItemStream, Vec<u8>, |items| items);
    source!(logs::LogStream, LogPart, |parts: Vec<logs::LogPart>| parts
        .into_iter()
        .map(LogPart::from)
        .collect());
    source!(wit::JsonStream, String, |documents| documents);
    source!(wit::EventStream, Event, |events: Vec<wit::WatchEvent>| {
        events
            .into_iter()
            .map(|wit::WatchEvent { event_type, object }| Event { event_type, object })
            .collect()
    });
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::VecDeque;

    use super::*;

    /// What a host would hand over, batch by batch; `None` where `try_next` would wait.
    struct Batches(RefCell<VecDeque<Option<Vec<u8>>>>);

    impl Source for Batches {
        type Item = u8;

        fn batch(&self) -> Result<Option<Vec<u8>>, wit::Error> {
            loop {
                match self.0.borrow_mut().pop_front() {
                    None => return Ok(None),
                    Some(Some(batch)) => return Ok(Some(batch)),
                    // It waited.
                    Some(None) => {}
                }
            }
        }

        fn try_batch(&self) -> Option<Result<Option<Vec<u8>>, wit::Error>> {
            match self.0.borrow_mut().pop_front() {
                None => Some(Ok(None)),
                Some(batch) => batch.map(|batch| Ok(Some(batch))),
            }
        }

        fn pollable(&self) -> Pollable {
            unreachable!("no test waits")
        }
    }

    fn stream(batches: &[Option<&[u8]>]) -> Stream<Batches> {
        Stream::new(Batches(RefCell::new(batches.iter().map(|batch| batch.map(<[u8]>::to_vec)).collect())))
    }

    #[test]
    fn batches_are_one_stream_however_they_are_cut() {
        for batches in [
            &[Some(&[1, 2, 3][..])][..],
            &[Some(&[1]), Some(&[2, 3])],
            &[Some(&[]), Some(&[1, 2]), Some(&[]), None, Some(&[3]), Some(&[])],
        ] {
            let mut stream = stream(batches);
            let items: Vec<u8> = stream.by_ref().map(Result::unwrap).collect();
            assert_eq!(items, [1, 2, 3], "{batches:?}");
            assert!(
                stream.next().is_none() && stream.try_next().map(|end| end.is_none()) == Poll::Ready(true)
            );
        }
    }

    #[test]
    fn what_is_there_needs_no_waiting() {
        let mut stream = stream(&[Some(&[1, 2]), None, Some(&[]), None, Some(&[3])]);
        let mut seen = Vec::new();
        for _ in 0..7 {
            seen.push(match stream.try_next() {
                Poll::Pending => "waits".to_owned(),
                Poll::Ready(None) => "end".to_owned(),
                Poll::Ready(Some(item)) => item.unwrap().to_string(),
            });
        }
        assert_eq!(seen, ["1", "2", "waits", "waits", "3", "end", "end"]);
    }

    #[test]
    fn an_object_that_is_not_what_was_wanted_says_what_it_was() {
        let event = |object: &str| Event { event_type: EventType::Added, object: object.into() };
        assert_eq!(event("[1,2]").json::<Vec<u8>>().unwrap(), [1, 2]);
        for object in ["", "{", "{\"a\":1}", "\u{feff}[]"] {
            let error = event(object).json::<Vec<u8>>().unwrap_err();
            assert_eq!(error.code(), "json", "{object:?}");
            assert!(error.message().starts_with("object of a watch event: "), "{error}");
        }
    }
}
