//! YAML for files of tidegate's own: read as kubeconfigs are, but strictly, and with the line of each node.
//!
//! Two equal keys, a second document, merges (`<<`) and tags are errors here: whoever writes a configuration by hand must hear of
//! what would silently be dropped. Anchors and aliases are allowed within the caps. No error holds the text of a value.

use std::fmt;

use zeroize::Zeroizing;

mod build;

use crate::kubeconfig::yaml::feed;
use build::{Builder, Fault};

/// The longest document, in bytes.
pub const MAX_BYTES: usize = 1 << 20;
/// How many nodes a document may have, once its aliases are put in.
pub const MAX_NODES: usize = 200_000;
/// How many bytes of text its aliases may copy.
pub const MAX_ALIAS_BYTES: usize = 4 << 20;
/// How deep its nodes may be nested.
pub const MAX_DEPTH: usize = 32;

/// A node and the line on which it begins, counted from 1; of an alias, the line of what it stands for.
#[derive(Clone)]
pub struct Node {
    /// The line.
    pub line: usize,
    /// What it is.
    pub value: Value,
}

/// What a node is.
#[derive(Clone)]
pub enum Value {
    /// Nothing: empty, `~` or `null`.
    Null,
    /// `true`, `false` and YAML 1.1's other words for them.
    Bool(bool),
    /// A number. None of our fields is one; as text it needs quotes.
    Number,
    /// Text, wiped when dropped.
    Text(Zeroizing<String>),
    /// A list.
    List(Vec<Node>),
    /// A map, in the document's order, each key once.
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Clone)]
pub struct Entry {
    /// The key's text, whatever a plain scalar of that text would be.
    pub key: String,
    /// The line of the key.
    pub line: usize,
    /// The value.
    pub node: Node,
}

impl Value {
    /// What to call it in a message.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "true or false",
            Self::Number => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }
}

/// Keys and kinds; values may be secrets.
impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Value::List(items) => f.debug_list().entries(items).finish(),
            Value::Map(entries) => {
                f.debug_map().entries(entries.iter().map(|entry| (&entry.key, &entry.node))).finish()
            }
            other => f.write_str(other.kind()),
        }
    }
}

/// Why a document cannot be read. Displays as `line 3: two equal keys "prod"; …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct YamlError {
    line: usize,
    problem: String,
}

impl YamlError {
    /// The line, counted from 1; 0 where it is the whole document.
    pub fn line(&self) -> usize {
        self.line
    }

    /// What is wrong, without the line.
    pub fn problem(&self) -> &str {
        &self.problem
    }
}

impl fmt::Display for YamlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.problem),
            line => write!(f, "line {line}: {}", self.problem),
        }
    }
}

impl std::error::Error for YamlError {}

/// Reads the one document that there is; an empty one is [`Value::Null`].
///
/// ```
/// use tidegate_kube::yaml::{Value, read};
/// let node = read(b"connections:\n  prod: {conn: ~/.kube/config}\n")?;
/// let Value::Map(entries) = &node.value else { panic!("a map") };
/// assert_eq!((entries[0].key.as_str(), entries[0].node.line), ("connections", 2));
/// # Ok::<(), tidegate_kube::yaml::YamlError>(())
/// ```
pub fn read(bytes: &[u8]) -> Result<Node, YamlError> {
    let told = |(fault, line): (Fault, usize)| YamlError { line, problem: fault.to_string() };
    if bytes.len() > MAX_BYTES {
        return Err(told((Fault::TooLong, 0)));
    }
    let mut builder = Builder::default();
    feed(bytes, &mut builder).map_err(told)?;
    Ok(builder.finish())
}
