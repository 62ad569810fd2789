//! A tree with lines from the parser's events, under budgets.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use granit_parser::{Event, ScalarStyle, StructureStyle};
use zeroize::Zeroizing;

use super::{Entry, MAX_ALIAS_BYTES, MAX_BYTES, MAX_DEPTH, MAX_NODES, Node, Value};
use crate::kubeconfig::scalar::{self, Tag};
use crate::kubeconfig::yaml::{self, Sink};
use crate::text;

/// What is wrong with a document.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("it is longer than the cap of {MAX_BYTES} bytes")]
    TooLong,
    #[error("there are more than the cap of {MAX_NODES} nodes once the aliases are put in")]
    Nodes,
    #[error("the aliases copy more than the cap of {MAX_ALIAS_BYTES} bytes")]
    AliasBytes,
    #[error("the nesting is deeper than the cap of {MAX_DEPTH} levels")]
    Depth,
    #[error("the key {0:?} is here for the second time; remove or rename one of the two")]
    Duplicate(String),
    #[error("a merge (<<) is not taken here; write the fields out")]
    Merge,
    #[error("a tag (!) is not taken here; leave it out")]
    Tag,
    #[error("a key is nothing, a list or a map; write a name")]
    Key,
    #[error("a second document begins; write one only")]
    Second,
    #[error("{0}")]
    Yaml(yaml::Fault),
}

impl From<yaml::Fault> for Fault {
    fn from(fault: yaml::Fault) -> Self {
        Self::Yaml(fault)
    }
}

/// Builds the one document.
#[derive(Default)]
pub(super) struct Builder {
    open: Vec<Frame>,
    anchors: HashMap<usize, Measured>,
    root: Option<Node>,
    documents: usize,
    nodes: usize,
    copied: usize,
}

/// A finished node and what a copy of it costs.
#[derive(Clone)]
struct Measured {
    node: Node,
    nodes: usize,
    bytes: usize,
    height: usize,
}

/// A list or map that is not finished.
struct Frame {
    style: StructureStyle,
    anchor: usize,
    line: usize,
    nodes: usize,
    bytes: usize,
    height: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map(Entries),
}

#[derive(Default)]
struct Entries {
    entries: Vec<Entry>,
    seen: HashSet<String>,
    /// The key whose value comes next, and its line.
    key: Option<(String, usize)>,
}

impl Sink for Builder {
    type Fault = Fault;

    fn is_block(&self) -> bool {
        self.open.last().is_none_or(|frame| frame.style == StructureStyle::Block)
    }

    fn take(&mut self, event: Event<'_>, line: usize) -> Result<ControlFlow<()>, Fault> {
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(Fault::Second);
                }
            }
            Event::Scalar(_, _, _, Some(_))
            | Event::SequenceStart(_, _, Some(_))
            | Event::MappingStart(_, _, Some(_)) => return Err(Fault::Tag),
            Event::Scalar(text, style, anchor, None) => {
                let text = Zeroizing::new(text.into_owned());
                self.scalar(text, style == ScalarStyle::Plain, anchor, line)?;
            }
            Event::SequenceStart(style, anchor, None) => {
                self.begin(style, anchor, line, Content::List(Vec::new()))?;
            }
            Event::MappingStart(style, anchor, None) => {
                self.begin(style, anchor, line, Content::Map(Entries::default()))?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.end()?,
            Event::Alias(anchor) => self.alias(anchor)?,
            Event::StreamEnd => return Ok(ControlFlow::Break(())),
            _ => {}
        }
        Ok(ControlFlow::Continue(()))
    }
}

impl Builder {
    pub(super) fn finish(self) -> Node {
        self.root.unwrap_or(Node { line: 1, value: Value::Null })
    }

    fn scalar(
        &mut self,
        text: Zeroizing<String>,
        plain: bool,
        anchor: usize,
        line: usize,
    ) -> Result<(), Fault> {
        self.count(1)?;
        if let Some(Frame { content: Content::Map(map), bytes, .. }) = self.open.last_mut()
            && map.key.is_none()
        {
            if plain && text.as_str() == "<<" {
                return Err(Fault::Merge);
            }
            if plain && matches!(text.as_str(), "" | "~") {
                return Err(Fault::Key);
            }
            if !map.seen.insert(text.to_string()) {
                return Err(Fault::Duplicate(text::for_people(&text, 80)));
            }
            *bytes += text.len();
            map.key = Some((text.to_string(), line));
            return Ok(());
        }
        let bytes = text.len();
        let value = match scalar::resolve(text, plain, Tag::None)? {
            yaml::Value::Null => Value::Null,
            yaml::Value::Bool(value) => Value::Bool(value),
            yaml::Value::Number(_) => Value::Number,
            yaml::Value::Text(text) => Value::Text(text),
            // A scalar is neither.
            yaml::Value::List(_) | yaml::Value::Map(_) => Value::Null,
        };
        self.done(anchor, Measured { node: Node { line, value }, nodes: 1, bytes, height: 0 })
    }

    fn begin(
        &mut self,
        style: StructureStyle,
        anchor: usize,
        line: usize,
        content: Content,
    ) -> Result<(), Fault> {
        self.count(1)?;
        if self.open.len() >= MAX_DEPTH {
            return Err(Fault::Depth);
        }
        self.open.push(Frame { style, anchor, line, nodes: 1, bytes: 0, height: 0, content });
        Ok(())
    }

    fn end(&mut self) -> Result<(), Fault> {
        let Some(Frame { anchor, line, nodes, bytes, height, content, .. }) = self.open.pop() else {
            return Ok(());
        };
        let value = match content {
            Content::List(items) => Value::List(items),
            Content::Map(map) => Value::Map(map.entries),
        };
        self.done(anchor, Measured { node: Node { line, value }, nodes, bytes, height: height + 1 })
    }

    fn alias(&mut self, anchor: usize) -> Result<(), Fault> {
        let cycle = Fault::Yaml(yaml::Fault::Cycle);
        let Some(measured) = self.anchors.get(&anchor) else { return Err(cycle) };
        let (nodes, bytes) = (measured.nodes, measured.bytes);
        self.count(nodes)?;
        self.copy(bytes)?;
        let measured = self.anchors[&anchor].clone();
        self.put(measured)
    }

    fn done(&mut self, anchor: usize, measured: Measured) -> Result<(), Fault> {
        if anchor != 0 {
            // The anchored copy costs as much as an alias: nested anchors would else be quadratic.
            self.count(measured.nodes)?;
            self.copy(measured.bytes)?;
            self.anchors.insert(anchor, measured.clone());
        }
        self.put(measured)
    }

    fn put(&mut self, Measured { node, nodes, bytes, height }: Measured) -> Result<(), Fault> {
        if self.open.len() + height > MAX_DEPTH {
            return Err(Fault::Depth);
        }
        let Some(frame) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        frame.nodes += nodes;
        frame.bytes += bytes;
        frame.height = frame.height.max(height);
        match &mut frame.content {
            Content::List(items) => items.push(node),
            Content::Map(map) => match map.key.take() {
                None => return Err(Fault::Key),
                Some((key, line)) => map.entries.push(Entry { key, line, node }),
            },
        }
        Ok(())
    }

    fn count(&mut self, nodes: usize) -> Result<(), Fault> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > MAX_NODES { Err(Fault::Nodes) } else { Ok(()) }
    }

    fn copy(&mut self, bytes: usize) -> Result<(), Fault> {
        self.copied = self.copied.saturating_add(bytes);
        if self.copied > MAX_ALIAS_BYTES { Err(Fault::AliasBytes) } else { Ok(()) }
    }
}
