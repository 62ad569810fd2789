//! A tree from the parser's events, under budgets.

use std::collections::HashMap;

use granit_parser::StructureStyle;
use zeroize::Zeroizing;

use super::super::scalar::{self, Tag};
use super::{Fault, MAX_ALIAS_BYTES, MAX_DEPTH, MAX_NODES, Value, whole};

/// Builds one document.
#[derive(Default)]
pub(super) struct Builder {
    open: Vec<Frame>,
    anchors: HashMap<usize, Node>,
    root: Option<Value>,
    nodes: usize,
    copied: usize,
}

/// A finished value and what copying it costs.
#[derive(Clone)]
struct Node {
    value: Value,
    nodes: usize,
    bytes: usize,
    height: usize,
}

/// A list or a map that is not finished.
struct Frame {
    style: StructureStyle,
    anchor: usize,
    nodes: usize,
    bytes: usize,
    height: usize,
    content: Content,
}

enum Content {
    List(Vec<Value>),
    Map(Vec<(String, Value)>, Option<Key>),
}

enum Key {
    Name(String),
    Merge,
}

const CORE: &str = "tag:yaml.org,2002:";

impl Builder {
    /// A scalar. `tag` is its handle and suffix.
    pub(super) fn scalar(
        &mut self,
        text: Zeroizing<String>,
        plain: bool,
        tag: Option<(&str, &str)>,
        anchor: usize,
    ) -> Result<(), Fault> {
        self.count(1)?;
        let whole = tag.map(|(handle, suffix)| format!("{handle}{suffix}"));
        let tag = match &whole {
            None => Tag::None,
            Some(whole) => whole.strip_prefix(CORE).map_or(Tag::Foreign, Tag::Core),
        };
        let is_merge =
            text.as_str() == "<<" && (plain && matches!(tag, Tag::None) || matches!(tag, Tag::Core("merge")));
        if is_merge && let Some(Frame { content: Content::Map(_, key @ None), .. }) = self.open.last_mut() {
            *key = Some(Key::Merge);
            return Ok(());
        }
        let bytes = text.len();
        let value = scalar::resolve(text, plain, tag)?;
        self.done(anchor, Node { value, nodes: 1, bytes, height: 0 })
    }

    pub(super) fn begin_list(&mut self, style: StructureStyle, anchor: usize) -> Result<(), Fault> {
        self.begin(style, anchor, Content::List(Vec::new()))
    }

    pub(super) fn begin_map(&mut self, style: StructureStyle, anchor: usize) -> Result<(), Fault> {
        self.begin(style, anchor, Content::Map(Vec::new(), None))
    }

    /// Whether the next node is outside of all brackets and braces.
    pub(super) fn is_block(&self) -> bool {
        self.open.last().is_none_or(|frame| frame.style == StructureStyle::Block)
    }

    /// The innermost list or map is finished.
    pub(super) fn end(&mut self) -> Result<(), Fault> {
        let Some(frame) = self.open.pop() else { return Ok(()) };
        let value = match frame.content {
            Content::List(items) => Value::List(items),
            Content::Map(entries, _) => Value::Map(last_of_each(entries)),
        };
        self.done(
            frame.anchor,
            Node { value, nodes: frame.nodes, bytes: frame.bytes, height: frame.height + 1 },
        )
    }

    /// A copy of what was anchored.
    pub(super) fn alias(&mut self, anchor: usize) -> Result<(), Fault> {
        let Some(node) = self.anchors.get(&anchor) else { return Err(Fault::Cycle) };
        let (nodes, bytes) = (node.nodes, node.bytes);
        self.count(nodes)?;
        self.copy(bytes)?;
        let node = self.anchors[&anchor].clone();
        self.put(node)
    }

    pub(super) fn finish(self) -> Value {
        self.root.unwrap_or(Value::Null)
    }

    fn begin(&mut self, style: StructureStyle, anchor: usize, content: Content) -> Result<(), Fault> {
        self.count(1)?;
        if self.open.len() >= MAX_DEPTH {
            return Err(Fault::Depth);
        }
        self.open.push(Frame { style, anchor, nodes: 1, bytes: 0, height: 0, content });
        Ok(())
    }

    fn done(&mut self, anchor: usize, node: Node) -> Result<(), Fault> {
        if anchor != 0 {
            // The anchored copy costs as much as an alias: nested anchors would else be quadratic.
            self.count(node.nodes)?;
            self.copy(node.bytes)?;
            self.anchors.insert(anchor, node.clone());
        }
        self.put(node)
    }

    fn put(&mut self, node: Node) -> Result<(), Fault> {
        if self.open.len() + node.height > MAX_DEPTH {
            return Err(Fault::Depth);
        }
        let Some(frame) = self.open.last_mut() else {
            self.root = Some(node.value);
            return Ok(());
        };
        frame.nodes += node.nodes;
        frame.bytes += node.bytes;
        frame.height = frame.height.max(node.height);
        match &mut frame.content {
            Content::List(items) => items.push(node.value),
            Content::Map(entries, key) => match key.take() {
                None => *key = Some(Key::Name(name(node.value)?)),
                Some(Key::Name(name)) => entries.push((name, node.value)),
                Some(Key::Merge) => merge(entries, node.value)?,
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

/// A key as JSON has it.
fn name(value: Value) -> Result<String, Fault> {
    match value {
        Value::Text(text) => Ok(text.to_string()),
        Value::Bool(value) => Ok(value.to_string()),
        Value::Number(value) => {
            Ok(whole(&value).map_or_else(|| value.to_string(), |value| value.to_string()))
        }
        Value::Null | Value::List(_) | Value::Map(_) => Err(Fault::Key),
    }
}

/// `<<`, in go-yaml v2's way: it sets its keys where it stands, so that keys after it win, and keys before it lose.
fn merge(entries: &mut Vec<(String, Value)>, value: Value) -> Result<(), Fault> {
    match value {
        Value::Map(merged) => entries.extend(merged),
        Value::List(items) => {
            // The first map of a list wins.
            for item in items.into_iter().rev() {
                let Value::Map(merged) = item else { return Err(Fault::Merge) };
                entries.extend(merged);
            }
        }
        _ => return Err(Fault::Merge),
    }
    Ok(())
}

/// Sorted by key; of equal keys, the last.
fn last_of_each(mut entries: Vec<(String, Value)>) -> Vec<(String, Value)> {
    entries.reverse();
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    entries.dedup_by(|later, kept| later.0 == kept.0);
    entries.shrink_to_fit();
    entries
}
