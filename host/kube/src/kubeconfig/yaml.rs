//! YAML, as kubectl reads it (`sigs.k8s.io/yaml` on go-yaml v2): the first document counts, the last of two equal keys
//! wins, a plain scalar has a type, `<<` merges where it stands, and UTF-16 with a byte order mark is text too.
//!
//! The parser's events are used, not a serde deserialiser: only they tell a quoted scalar from a plain one.

use std::borrow::Cow;
use std::ops::ControlFlow;

use granit_parser::{Event, Parser, ScalarStyle};
use serde::ser::{Serialize, SerializeMap, Serializer};
use zeroize::Zeroizing;

mod build;

use build::Builder;

/// The longest kubeconfig, in bytes.
pub const MAX_BYTES: usize = 16 << 20;
/// How many YAML nodes a kubeconfig may have, once its aliases are put in.
pub const MAX_NODES: usize = 2_000_000;
/// How many bytes of text its anchors and aliases may copy.
pub const MAX_ALIAS_BYTES: usize = 64 << 20;
/// How deep its nodes may be nested.
pub const MAX_DEPTH: usize = 200;

/// A YAML tree as JSON has it. Text is wiped when dropped: it may be a credential.
#[derive(Clone)]
pub(crate) enum Value {
    /// Nothing.
    Null,
    /// A bool.
    Bool(bool),
    /// A number.
    Number(serde_json::Number),
    /// Text.
    Text(Zeroizing<String>),
    /// A list.
    List(Vec<Value>),
    /// A map, sorted by key, each key once.
    Map(Vec<(String, Value)>),
}

impl Value {
    /// What JSON calls it, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a bool",
            Self::Number(_) => "a number",
            Self::Text(_) => "a string",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(value) => match whole(value) {
                Some(value) => serializer.serialize_i64(value),
                None => value.serialize(serializer),
            },
            Self::Text(value) => serializer.serialize_str(value),
            Self::List(items) => serializer.collect_seq(items),
            Self::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

/// A float that is whole: Go prints it without a fraction.
fn whole(number: &serde_json::Number) -> Option<i64> {
    let value = number.as_f64().filter(|_| number.is_f64())?;
    (value.fract() == 0.0 && value.abs() < 1e15).then_some(value as i64)
}

/// What is wrong with a document, its text left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("it is longer than the cap of {MAX_BYTES} bytes")]
    TooLong,
    #[error("it is not UTF-8 (nor UTF-16 with a byte order mark)")]
    Encoding,
    #[error("control characters are not allowed")]
    Control,
    #[error("a tab is used for indentation; use spaces")]
    Tab,
    #[error("it is not YAML")]
    Syntax,
    #[error("it has more than the cap of {MAX_NODES} nodes once its aliases are put in")]
    Nodes,
    #[error("its anchors and aliases copy more than the cap of {MAX_ALIAS_BYTES} bytes")]
    AliasBytes,
    #[error("it is nested deeper than the cap of {MAX_DEPTH} levels")]
    Depth,
    #[error("an anchor's value contains itself")]
    Cycle,
    #[error("a map's key is null, a list or a map")]
    Key,
    #[error("a merge (`<<`) needs a map or a list of maps")]
    Merge,
    #[error("a value does not fit its tag")]
    Tag,
    #[error("a number is infinite or not a number")]
    NotJson,
}

/// A fault and its line, counted from 1; 0 where it has none.
pub(crate) type At = (Fault, usize);

/// Reads the first document. An empty one is [`Value::Null`].
pub(crate) fn read(bytes: &[u8]) -> Result<Value, At> {
    if bytes.len() > MAX_BYTES {
        return Err((Fault::TooLong, 0));
    }
    let mut builder = Builder::default();
    feed(bytes, &mut builder)?;
    Ok(builder.finish())
}

/// What is made of the parser's events.
pub(crate) trait Sink {
    /// What it finds wrong.
    type Fault: From<Fault>;

    /// Whether the next node is outside of all brackets and braces.
    fn is_block(&self) -> bool;

    /// Takes an event that begins at `line`, and says whether it wants more of them.
    fn take(&mut self, event: Event<'_>, line: usize) -> Result<ControlFlow<()>, Self::Fault>;
}

/// Reads text that may be YAML. Errors: with the line, counted from 1; 0 where it is the whole document.
pub(crate) fn feed<S: Sink>(bytes: &[u8], sink: &mut S) -> Result<(), (S::Fault, usize)> {
    let fault = |fault: Fault, line| (fault.into(), line);
    let text = Zeroizing::new(unicode(bytes).ok_or_else(|| fault(Fault::Encoding, 0))?.into_owned());
    if let Some(offset) = text.find(is_refused) {
        return Err(fault(Fault::Control, text[..offset].matches('\n').count() + 1));
    }
    for event in Parser::new_from_str(&text) {
        let (event, span) = event.map_err(|error| fault(Fault::Syntax, error.marker().line()))?;
        let line = span.start.line();
        if sink.is_block()
            && is_node(&event)
            && span.start.byte_offset().is_some_and(|at| is_after_tab(&text[..at]))
        {
            return Err(fault(Fault::Tab, line));
        }
        if sink.take(event, line).map_err(|fault| (fault, line))?.is_break() {
            break;
        }
    }
    Ok(())
}

impl Sink for Builder {
    type Fault = Fault;

    fn is_block(&self) -> bool {
        Builder::is_block(self)
    }

    fn take(&mut self, event: Event<'_>, _: usize) -> Result<ControlFlow<()>, Fault> {
        match event {
            Event::DocumentEnd | Event::StreamEnd => return Ok(ControlFlow::Break(())),
            Event::Scalar(text, style, anchor, tag) => {
                let tag = tag.as_deref().map(|tag| (tag.handle(), tag.suffix()));
                self.scalar(Zeroizing::new(text.into_owned()), style == ScalarStyle::Plain, tag, anchor)?;
            }
            Event::SequenceStart(style, anchor, _) => self.begin_list(style, anchor)?,
            Event::MappingStart(style, anchor, _) => self.begin_map(style, anchor)?,
            Event::SequenceEnd | Event::MappingEnd => self.end()?,
            Event::Alias(anchor) => self.alias(anchor)?,
            _ => {}
        }
        Ok(ControlFlow::Continue(()))
    }
}

fn is_node(event: &Event<'_>) -> bool {
    matches!(event, Event::Scalar(..) | Event::SequenceStart(..) | Event::MappingStart(..) | Event::Alias(_))
}

/// Whether only white space with a tab in it is before the end of `text` on its line. YAML 1.2, and with it the parser,
/// takes more tabs than go-yaml does.
fn is_after_tab(text: &str) -> bool {
    let line = text.rsplit(['\n', '\r']).next().unwrap_or_default();
    line.contains('\t') && line.bytes().all(|b| matches!(b, b' ' | b'\t'))
}

/// The text without its byte order mark.
fn unicode(bytes: &[u8]) -> Option<Cow<'_, str>> {
    let utf16 = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let units = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
        let text: Result<String, _> = char::decode_utf16(units).collect();
        text.ok().filter(|_| bytes.len().is_multiple_of(2)).map(Cow::Owned)
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => simdutf8::basic::from_utf8(rest).ok().map(Cow::Borrowed),
        _ => simdutf8::basic::from_utf8(bytes).ok().map(Cow::Borrowed),
    }
}

/// What YAML 1.1 does not hold (`yaml_parser_update_buffer` of libyaml).
fn is_refused(c: char) -> bool {
    matches!(c, '\u{0}'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{7f}'..='\u{84}' | '\u{86}'..='\u{9f}')
        || matches!(c, '\u{fffe}' | '\u{ffff}')
}
