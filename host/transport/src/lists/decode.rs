//! What a body of either form is made into: items, and what the list says of itself.

use bytes::Bytes;
use serde::Deserialize;
use tidegate_kube::frames::LineSplitter;
use tidegate_kube::frames::watch::{self, EventType};
use tidegate_kube::scan::{ListError, ListMeta, ListSplitter, Mask, resource_version};

use crate::events::failure;
use crate::{Code, Error};

/// What masks leave of most objects, in bytes.
pub(super) const NARROWED: usize = 256;

/// The body of one answer.
pub(super) enum Decoder {
    List(Box<ListSplitter>),
    Events(Box<Events>),
}

/// The initial events of a watch.
///
/// Older API servers end them with a bookmark of their own time, and what changes meanwhile comes before it. By then everything that was
/// there has come: a change is a later state of an item, and where one is deleted, what came before that is the list, of the version
/// before the deletion. Whoever watches from there is told of it.
#[derive(Default)]
pub(super) struct Events {
    lines: LineSplitter,
    /// What the bookmark at their end says, or what follows from the first deletion.
    end: Option<ListMeta>,
}

impl Decoder {
    pub(super) fn push(&mut self, chunk: Bytes) {
        match self {
            Decoder::List(list) => list.push(chunk),
            Decoder::Events(events) => events.lines.push(chunk),
        }
    }

    /// The next item of what was pushed.
    pub(super) fn next(&mut self) -> Option<Result<Bytes, Error>> {
        match self {
            Decoder::List(list) => Some(list.next_item()?.map_err(list_error)),
            Decoder::Events(events) => events.next(),
        }
    }

    /// What `mask` keeps of the next item, where that can be had at once; else [`Decoder::next`] is to be asked.
    pub(super) fn mask_next(&mut self, mask: &Mask) -> Option<Vec<u8>> {
        let Decoder::List(list) = self else { return None };
        let mut out = Vec::with_capacity(NARROWED);
        list.mask_next(mask, &mut out).then_some(out)
    }

    /// Whether nothing is wanted of what comes after.
    pub(super) fn is_over(&self) -> bool {
        matches!(self, Decoder::Events(events) if events.end.is_some())
    }

    /// To be called where the body has ended.
    pub(super) fn finish(&self) -> Result<(), Error> {
        match self {
            Decoder::List(list) => list.finish().map_err(list_error),
            Decoder::Events(events) if events.end.is_some() => Ok(()),
            Decoder::Events(_) => {
                let text = "the watch ended before the bookmark that ends its initial events";
                Err(Error::new(Code::Protocol, text))
            }
        }
    }

    /// What the list has said of itself so far.
    pub(super) fn meta(&self) -> ListMeta {
        match self {
            Decoder::List(list) => list.meta(),
            Decoder::Events(events) => events.end.clone().unwrap_or_default(),
        }
    }
}

impl Events {
    fn next(&mut self) -> Option<Result<Bytes, Error>> {
        while self.end.is_none() {
            let number = self.lines.line_number();
            let line = match self.lines.next_line()? {
                Ok(line) if line.is_empty() => continue,
                Ok(line) => line,
                Err(error) => return Some(Err(Error::new(Code::TooLarge, error.to_string()))),
            };
            match self.event(&line, number) {
                Ok(None) => {}
                Ok(Some(item)) => return Some(Ok(item)),
                Err(error) => return Some(Err(error)),
            }
        }
        None
    }

    fn event(&mut self, line: &Bytes, number: u64) -> Result<Option<Bytes>, Error> {
        let event =
            watch::parse(line, number).map_err(|error| Error::new(Code::Protocol, error.to_string()))?;
        let object = line.slice_ref(event.object.as_bytes());
        match event.ty {
            EventType::Added | EventType::Modified => Ok(Some(object)),
            EventType::Bookmark => {
                self.end = bookmark(&object);
                Ok(None)
            }
            EventType::Error => Err(failure(&object)),
            EventType::Deleted => match before(&object) {
                Some(meta) => {
                    self.end = Some(meta);
                    Ok(None)
                }
                None => {
                    let text = format!(
                        "line {number} of the watch deletes an object before the initial events have ended, and does not say at which version"
                    );
                    Err(Error::new(Code::Protocol, text))
                }
            },
        }
    }
}

/// The version before that of a deletion: versions are numbers that grow (KEP-5504), and any of them is a place to watch from.
fn before(object: &[u8]) -> Option<ListMeta> {
    let version: u64 = resource_version(object).ok()?.parse().ok()?;
    // 0 would be any version.
    let resource_version = version.checked_sub(1).filter(|&before| before > 0)?.to_string();
    Some(ListMeta { resource_version, ..ListMeta::default() })
}

/// What a bookmark says, where it is the one that ends the initial events.
fn bookmark(object: &[u8]) -> Option<ListMeta> {
    #[derive(Deserialize)]
    struct Wire {
        metadata: Metadata,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Metadata {
        resource_version: String,
        #[serde(default)]
        annotations: std::collections::BTreeMap<String, String>,
    }
    let Wire { metadata } = serde_json::from_slice(object).ok()?;
    let ends = metadata.annotations.get("k8s.io/initial-events-end").is_some_and(|value| value == "true");
    ends.then(|| ListMeta { resource_version: metadata.resource_version, ..ListMeta::default() })
}

fn list_error(error: ListError) -> Error {
    let code = match error {
        ListError::ItemTooLarge { .. } | ListError::MemberTooLarge | ListError::TooDeep { .. } => {
            Code::TooLarge
        }
        _ => Code::Protocol,
    };
    let message = error.to_string();
    match error {
        ListError::Item { source, .. } => Error::new(code, message).because(source),
        _ => Error::new(code, message),
    }
}
