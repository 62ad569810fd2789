//! A list, cut into its items while it arrives.

use bytes::{Buf, Bytes, BytesMut};

pub use super::envelope::ListMeta;
use super::envelope::{self, Member};
use super::error::ListError;
use super::mask::Mask;
use super::skip::Skip;

/// The largest item: 16 MiB, ten times what etcd stores as one object.
pub const ITEM_CAP: usize = 16 << 20;

/// The largest member of a list besides its items, and the longest name of one: 1 MiB.
pub const MEMBER_CAP: usize = 1 << 20;

/// Cuts the body of a list into items, however its chunks are cut and in whatever order its members come.
///
/// An item that lies within one chunk is handed on without a copy. Besides the chunk that was pushed last, no more is kept than the
/// beginning of one item. What is handed out begins with `{`, ends with `}` and has as many closing brackets as opening ones; all else is
/// for whoever looks into it, with [`checked_object`](super::checked_object) or a [`Mask`](super::Mask).
///
/// ```
/// use tidegate_kube::scan::ListSplitter;
/// let mut list = ListSplitter::new();
/// list.push(r#"{"kind":"PodList","metadata":{"resourceVersion":"7"},"items":[{"a":1},{"b"#.into());
/// assert_eq!(list.next_item(), Some(Ok(r#"{"a":1}"#.into())));
/// assert_eq!(list.next_item(), None);
/// list.push(r#"":2}]}"#.into());
/// assert_eq!(list.next_item(), Some(Ok(r#"{"b":2}"#.into())));
/// assert_eq!(list.next_item(), None);
/// assert_eq!(list.finish(), Ok(()));
/// assert_eq!(list.meta().resource_version, "7");
/// ```
#[derive(Debug)]
pub struct ListSplitter {
    chunk: Bytes,
    /// Where the chunk begins, in bytes from the beginning of the body.
    offset: u64,
    state: State,
    /// The way through the name or value at hand.
    skip: Skip,
    /// What came of it in earlier chunks, where it is wanted.
    kept: BytesMut,
    items: u64,
    meta: Option<ListMeta>,
    has_items: bool,
    is_list_kind: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Begin,
    /// Before a member's name; the first one may be missing.
    BeforeName(Place),
    Name,
    Colon(Member),
    BeforeValue(Member),
    Value(Member),
    AfterValue,
    /// Before an item; the first one may be missing.
    BeforeItem(Place),
    Item,
    AfterItem,
    End,
    Failed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    First,
    Later,
}

impl Default for ListSplitter {
    fn default() -> Self {
        Self {
            chunk: Bytes::new(),
            offset: 0,
            state: State::Begin,
            skip: Skip::of(0),
            kept: BytesMut::new(),
            items: 0,
            meta: None,
            has_items: false,
            is_list_kind: false,
        }
    }
}

impl ListSplitter {
    /// One that has read nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds what arrived; drain [`ListSplitter::next_item`] before: what was left of the chunk before is lost.
    pub fn push(&mut self, chunk: Bytes) {
        debug_assert!(self.chunk.is_empty(), "the chunk before was drained");
        if self.state != State::Failed {
            self.chunk = chunk;
        }
    }

    /// The next whole item, or `None` until more is pushed. Items before something wrong are delivered first; after an error there is
    /// nothing more.
    pub fn next_item(&mut self) -> Option<Result<Bytes, ListError>> {
        match self.advance() {
            Ok(item) => item.map(Ok),
            Err(error) => {
                self.state = State::Failed;
                self.chunk = Bytes::new();
                self.kept = BytesMut::new();
                Some(Err(error))
            }
        }
    }

    /// Appends to `out` what `mask` keeps of the next item, if that lies within the chunk that was pushed last; whether it did so. Where it
    /// did not, [`ListSplitter::next_item`] hands the item out, or says what is wrong with it, and what was appended means nothing.
    ///
    /// An item that nobody needs as a whole is walked through once so, and not once to find its end and once more for the mask.
    pub fn mask_next(&mut self, mask: &Mask, out: &mut Vec<u8>) -> bool {
        if self.state == State::AfterItem && self.peek() == Some(b',') {
            self.consume(1);
            self.state = State::BeforeItem(Place::Later);
        }
        if !matches!(self.state, State::BeforeItem(_)) || self.peek() != Some(b'{') {
            return false;
        }
        let Some(length) = mask.apply_to_first(&self.chunk, out).filter(|length| *length <= ITEM_CAP) else {
            return false;
        };
        self.consume(length);
        self.items += 1;
        self.state = State::AfterItem;
        true
    }

    /// To be called when the body has ended and all items were taken.
    ///
    /// Errors: the list had not ended, or there was no list. After an error of [`ListSplitter::next_item`] there is no other here.
    pub fn finish(&self) -> Result<(), ListError> {
        match self.state {
            State::Failed => Ok(()),
            State::End if self.has_items || self.is_list_kind => Ok(()),
            State::End => Err(ListError::NotAList),
            _ => Err(ListError::CutShort { at: self.offset, items: self.items }),
        }
    }

    /// What the list has said of itself so far: API servers say it before the items.
    pub fn meta(&self) -> ListMeta {
        self.meta.clone().unwrap_or_default()
    }

    /// How many items were handed out.
    pub fn items(&self) -> u64 {
        self.items
    }

    fn advance(&mut self) -> Result<Option<Bytes>, ListError> {
        loop {
            if let State::Item = self.state {
                let Some(item) = self.collect(ITEM_CAP)? else { return Ok(None) };
                return self.item(item).map(Some);
            }
            if let State::Name | State::Value(_) = self.state {
                if !self.within()? {
                    return Ok(None);
                }
                continue;
            }
            let Some(byte) = self.peek() else { return Ok(None) };
            self.between(byte)?;
        }
    }

    /// One byte of the list's own grammar.
    fn between(&mut self, byte: u8) -> Result<(), ListError> {
        let next = match (self.state, byte) {
            (State::Begin, b'{') => State::BeforeName(Place::First),
            (State::BeforeName(Place::First), b'}') | (State::AfterValue, b'}') => State::End,
            (State::BeforeName(_), b'"') => {
                self.begin(byte, State::Name);
                return Ok(());
            }
            (State::Colon(member), b':') => State::BeforeValue(member),
            (State::BeforeValue(member), _) => return self.value(member, byte),
            (State::AfterValue, b',') => State::BeforeName(Place::Later),
            (State::BeforeItem(Place::First), b']') | (State::AfterItem, b']') => State::AfterValue,
            (State::BeforeItem(_), b'{') => {
                self.begin(byte, State::Item);
                return Ok(());
            }
            (State::AfterItem, b',') => State::BeforeItem(Place::Later),
            (state, _) => return Err(self.malformed(wanted(state))),
        };
        self.consume(1);
        self.state = next;
        Ok(())
    }

    /// Before the value of a member.
    fn value(&mut self, member: Member, byte: u8) -> Result<(), ListError> {
        match member {
            Member::Items if self.has_items => Err(ListError::Twice { name: "items", at: self.offset }),
            Member::Items if byte == b'[' => {
                self.has_items = true;
                self.consume(1);
                self.state = State::BeforeItem(Place::First);
                Ok(())
            }
            Member::Items if byte != b'n' => Err(self.malformed("an array of `items`, or null,")),
            Member::Metadata if self.meta.is_some() => {
                Err(ListError::Twice { name: "metadata", at: self.offset })
            }
            _ if matches!(byte, b',' | b'}' | b']' | b':') => Err(self.malformed("a value")),
            _ => {
                self.begin(byte, State::Value(member));
                Ok(())
            }
        }
    }

    /// Within a name or a value of the list itself. Whether it ended.
    fn within(&mut self) -> Result<bool, ListError> {
        match self.state {
            State::Name => {
                let Some(name) = self.collect(MEMBER_CAP)? else { return Ok(false) };
                let member = Member::of(&name).ok_or_else(|| self.malformed("a name in UTF-8"))?;
                self.state = State::Colon(member);
            }
            State::Value(Member::Other) => {
                let Some(end) = self.advance_skip()? else {
                    self.consume(self.chunk.len());
                    return Ok(false);
                };
                self.consume(end);
                self.state = State::AfterValue;
            }
            State::Value(member) => {
                let Some(value) = self.collect(MEMBER_CAP)? else { return Ok(false) };
                match member {
                    Member::Metadata => {
                        self.meta = Some(envelope::meta(&value).ok_or(ListError::Metadata)?);
                    }
                    Member::Kind => self.is_list_kind = envelope::is_list_kind(&value),
                    Member::Items if value == "null".as_bytes() => self.has_items = true,
                    _ => return Err(self.malformed("an array of `items`, or null,")),
                }
                self.state = State::AfterValue;
            }
            _ => {}
        }
        Ok(true)
    }

    fn item(&mut self, item: Bytes) -> Result<Bytes, ListError> {
        if item.last() != Some(&b'}') {
            return Err(self.malformed("a `}` before this"));
        }
        self.items += 1;
        self.state = State::AfterItem;
        Ok(item)
    }

    /// All of the name or value at hand once its end is there. What was not needed yet is kept.
    fn collect(&mut self, cap: usize) -> Result<Option<Bytes>, ListError> {
        let end = self.advance_skip()?;
        let length = end.unwrap_or(self.chunk.len());
        if self.kept.len() + length > cap {
            return Err(match self.state {
                State::Item => ListError::ItemTooLarge { item: self.items + 1 },
                _ => ListError::MemberTooLarge,
            });
        }
        self.offset += length as u64;
        let part = self.chunk.split_to(length);
        if end.is_some() && self.kept.is_empty() {
            return Ok(Some(part));
        }
        self.kept.extend_from_slice(&part);
        Ok(end.map(|_| self.kept.split().freeze()))
    }

    fn advance_skip(&mut self) -> Result<Option<usize>, ListError> {
        self.skip.advance(&self.chunk).map_err(|_| ListError::TooDeep { at: self.offset })
    }

    fn begin(&mut self, byte: u8, state: State) {
        self.skip = Skip::of(byte);
        self.state = state;
    }

    /// The next byte that is not white space.
    fn peek(&mut self) -> Option<u8> {
        let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        let spaces = self.chunk.iter().position(|byte| !blank(byte)).unwrap_or(self.chunk.len());
        self.consume(spaces);
        self.chunk.first().copied()
    }

    fn consume(&mut self, length: usize) {
        self.offset += length as u64;
        self.chunk.advance(length);
    }

    fn malformed(&self, wanted: &'static str) -> ListError {
        ListError::Malformed { at: self.offset, wanted }
    }
}

/// What may come in a state, for people.
fn wanted(state: State) -> &'static str {
    match state {
        State::Begin => "a `{`",
        State::BeforeName(Place::First) => "a name or a `}`",
        State::BeforeName(Place::Later) => "a name",
        State::Colon(_) => "a `:`",
        State::AfterValue => "a `,` or a `}`",
        State::BeforeItem(Place::First) => "an object or a `]`",
        State::BeforeItem(Place::Later) => "an object",
        State::AfterItem => "a `,` or a `]`",
        State::End => "nothing",
        _ => "a value",
    }
}

#[cfg(test)]
mod tests;
