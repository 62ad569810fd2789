//! What the four streams make of the bytes of a body.

use tidegate_kube::frames::watch::EventType;
use tidegate_kube::frames::{JsonLineError, JsonLines, LineSplitter, LineTooLong};
use tidegate_transport::{Code, Error, EventDecoder, Wanted};

use crate::wit::tidegate::host::types::{self, WatchEvent};

/// Chunks in, items out. A fresh one has nothing to give.
pub trait Decode: Default + Send + 'static {
    /// One line, document, event or piece.
    type Item: Send;
    /// What a guest gets at a time.
    type Batch: Send;
    /// How many items a batch holds at most.
    const BATCH: usize;

    /// Adds what arrived; all that came before has been taken by then.
    fn push(&mut self, chunk: bytes::Bytes);
    /// The next item of what was pushed.
    fn next(&mut self) -> Option<Result<Self::Item, Error>>;
    /// The item that only the end of the body completes.
    fn finish(&mut self) -> Option<Result<Self::Item, Error>>;
    /// Makes a batch of at least one item.
    fn batch(items: Vec<Self::Item>) -> Self::Batch;

    /// Whether the item given last ends the stream, whatever the peer still sends.
    fn is_over(&self) -> bool {
        false
    }
}

/// Pieces of at most 256 KiB.
#[derive(Default)]
pub struct Bytes(bytes::Bytes);

impl Decode for Bytes {
    type Item = bytes::Bytes;
    type Batch = Vec<u8>;
    const BATCH: usize = 1;

    fn push(&mut self, chunk: bytes::Bytes) {
        self.0 = chunk;
    }

    fn next(&mut self) -> Option<Result<bytes::Bytes, Error>> {
        const PIECE: usize = 256 << 10;
        if self.0.is_empty() {
            return None;
        }
        if self.0.len() <= PIECE {
            return Some(Ok(std::mem::take(&mut self.0)));
        }
        Some(Ok(self.0.split_to(PIECE)))
    }

    fn finish(&mut self) -> Option<Result<bytes::Bytes, Error>> {
        None
    }

    fn batch(items: Vec<bytes::Bytes>) -> Vec<u8> {
        // Without a copy where the piece is all of its buffer.
        items.into_iter().next().map(Vec::from).unwrap_or_default()
    }
}

/// Lines without their line ends.
#[derive(Default)]
pub struct Lines(LineSplitter);

impl Decode for Lines {
    type Item = Vec<u8>;
    type Batch = Vec<Vec<u8>>;
    const BATCH: usize = 256;

    fn push(&mut self, chunk: bytes::Bytes) {
        self.0.push(chunk);
    }

    fn next(&mut self) -> Option<Result<Vec<u8>, Error>> {
        Some(self.0.next_line()?.map(Vec::from).map_err(line_error))
    }

    fn finish(&mut self) -> Option<Result<Vec<u8>, Error>> {
        std::mem::take(&mut self.0).finish().map(|line| Ok(Vec::from(line)))
    }

    fn batch(items: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        items
    }
}

/// One JSON object a line.
#[derive(Default)]
pub struct JsonObjects(JsonLines);

impl Decode for JsonObjects {
    type Item = String;
    type Batch = Vec<String>;
    const BATCH: usize = 256;

    fn push(&mut self, chunk: bytes::Bytes) {
        self.0.push(chunk);
    }

    fn next(&mut self) -> Option<Result<String, Error>> {
        self.0.next_object().map(text)
    }

    fn finish(&mut self) -> Option<Result<String, Error>> {
        std::mem::take(&mut self.0).finish().map(text)
    }

    fn batch(items: Vec<String>) -> Vec<String> {
        items
    }
}

/// Watch events; the stream is over after one of type ERROR.
#[derive(Default)]
pub struct Events(EventDecoder);

impl Decode for Events {
    type Item = WatchEvent;
    type Batch = Vec<WatchEvent>;
    const BATCH: usize = 256;

    fn push(&mut self, chunk: bytes::Bytes) {
        self.0.push(chunk);
    }

    fn next(&mut self) -> Option<Result<WatchEvent, Error>> {
        loop {
            match self.0.next_event()? {
                Ok(event) if event.wanted == Wanted::No => {}
                event => return Some(event.map(watch_event)),
            }
        }
    }

    fn finish(&mut self) -> Option<Result<WatchEvent, Error>> {
        match self.0.finish()? {
            Ok(event) if event.wanted == Wanted::No => None,
            event => Some(event.map(watch_event)),
        }
    }

    fn batch(items: Vec<WatchEvent>) -> Vec<WatchEvent> {
        items
    }

    fn is_over(&self) -> bool {
        self.0.is_over()
    }
}

impl Events {
    /// What `decoder` makes of a body.
    pub(crate) fn of(decoder: EventDecoder) -> Self {
        Self(decoder)
    }
}

fn watch_event(event: tidegate_transport::WatchEvent) -> WatchEvent {
    WatchEvent { event_type: event_type(event.ty), object: event.into_vec() }
}

fn event_type(ty: EventType) -> types::EventType {
    match ty {
        EventType::Added => types::EventType::Added,
        EventType::Modified => types::EventType::Modified,
        EventType::Deleted => types::EventType::Deleted,
        EventType::Bookmark => types::EventType::Bookmark,
        EventType::Error => types::EventType::Error,
    }
}

/// The text of a line that was checked already.
fn text(line: Result<bytes::Bytes, JsonLineError>) -> Result<String, Error> {
    let line = line.map_err(json_error)?;
    String::from_utf8(Vec::from(line)).map_err(|error| Error::new(Code::Protocol, error.to_string()))
}

fn line_error(error: LineTooLong) -> Error {
    Error::new(Code::TooLarge, error.to_string())
}

fn json_error(error: JsonLineError) -> Error {
    let code = match error {
        JsonLineError::TooLong(_) => Code::TooLarge,
        _ => Code::Protocol,
    };
    Error::new(code, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every item of `chunks`, then of the end; an error ends it.
    fn decode<D: Decode>(chunks: &[&[u8]], show: impl Fn(&D::Item) -> String) -> Vec<String> {
        let mut decoder = D::default();
        let mut shown = Vec::new();
        let mut take = |item: Result<D::Item, Error>| match item {
            Ok(item) => shown.push(show(&item)),
            Err(error) => shown.push(format!("{}: {}", error.code(), error.report())),
        };
        for chunk in chunks {
            decoder.push(bytes::Bytes::copy_from_slice(chunk));
            while let Some(item) = decoder.next() {
                take(item);
            }
        }
        if let Some(item) = decoder.finish() {
            take(item);
        }
        shown
    }

    #[test]
    fn pieces_are_bounded() {
        let chunk = vec![b'x'; (600 << 10) + 1];
        let lengths = decode::<Bytes>(&[b"ab", &chunk, b""], |piece| piece.len().to_string());
        assert_eq!(lengths, ["2", "262144", "262144", "90113"]);
    }

    #[test]
    fn events() {
        let show =
            |event: &WatchEvent| format!("{:?} {}", event.event_type, String::from_utf8_lossy(&event.object));
        let cases: [(&[&[u8]], &[&str]); 6] = [
            (&[b"{\"type\":\"ADDED\",\"obj", b"ect\":{}}\n\n"], &["EventType::Added {}"]),
            (&[b"{\"type\":\"DELETED\",\"object\":{\"a\":1}}"], &["EventType::Deleted {\"a\":1}"]),
            (
                &[b"{\"type\":\"ERROR\",\"object\":{}}\n{\"type\":\"ADDED\",\"object\":{}}\n"],
                &["EventType::Error {}"],
            ),
            (
                &[b"{\"type\":\"ADDED\"}\n"],
                &[
                    "protocol: line 1 of the watch is not an event: it must have one `type` (a string) and one `object` (an object)",
                ],
            ),
            (&[b"[1]\n"], &["protocol: line 1 of the stream is not one JSON object (column 1)"]),
            (&[b""], &[]),
        ];
        for (chunks, expected) in cases {
            assert_eq!(decode::<Events>(chunks, show), expected, "{chunks:?}");
        }
    }

    #[test]
    fn lines_and_objects() {
        let lines = decode::<Lines>(&[b"a\r\nb\n\nc"], |line| String::from_utf8_lossy(line).into_owned());
        assert_eq!(lines, ["a", "b", "", "c"]);
        let objects = decode::<JsonObjects>(&[b"{\"a\":1}\n\n{", b"}\n[]\n"], String::clone);
        assert_eq!(objects[..2], ["{\"a\":1}", "{}"]);
        assert!(
            objects[2].starts_with("protocol: line 4 of the stream is not one JSON object"),
            "{objects:?}"
        );
    }
}
