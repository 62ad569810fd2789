//! What is wrong with a list, a mask or a filter.

use super::checked::NotAnObject;
use super::list::{ITEM_CAP, MEMBER_CAP};
use super::skip::DEPTH_CAP;

/// Why a body is no list, or an item of it cannot be handed out. No text of the body is in the message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// Something else stands where the grammar of a list wants one of a few bytes.
    #[error("the list is malformed at byte {at}: {wanted} must come there")]
    Malformed {
        /// Where, in bytes from 0.
        at: u64,
        /// What must come there.
        wanted: &'static str,
    },
    /// A document, but of something else.
    #[error("the answer is no list: it has no member `items`, and its kind is none that ends in `List`")]
    NotAList,
    /// A member that a list has once came again.
    #[error("the list has a second `{name}` at byte {at}")]
    Twice {
        /// `items`, `metadata`.
        name: &'static str,
        /// Where its value begins, in bytes from 0.
        at: u64,
    },
    /// `metadata` is not what a list's is.
    #[error("the `metadata` of the list is not understood")]
    Metadata,
    /// The body ended within the list.
    #[error("the list was cut short after {at} bytes and {items} whole items")]
    CutShort {
        /// How many bytes came.
        at: u64,
        /// How many items came whole.
        items: u64,
    },
    /// One item is too large.
    #[error("item {item} of the list is larger than the item cap of {ITEM_CAP} bytes")]
    ItemTooLarge {
        /// Which, counted from 1.
        item: u64,
    },
    /// A member of the list itself, but `items`, or its name, is too large.
    #[error("a member of the list besides its items is larger than the cap of {MEMBER_CAP} bytes")]
    MemberTooLarge,
    /// Something is nested too deeply.
    #[error("the list is nested deeper than the cap of {DEPTH_CAP} levels, at byte {at} or soon after")]
    TooDeep {
        /// Where, in bytes from 0.
        at: u64,
    },
    /// One item is not JSON, as far as it was looked at.
    #[error("item {item} of the list is refused")]
    Item {
        /// Which, counted from 1.
        item: u64,
        /// Why.
        #[source]
        source: NotAnObject,
    },
}

/// Why texts are no mask. `Display` says what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMask {
    /// A text is no path.
    #[error("in the path `{path}`, column {column}: {problem}")]
    Path {
        /// The text.
        path: String,
        /// Where, in bytes from 1.
        column: usize,
        /// What is wrong, and what to write instead.
        problem: String,
    },
    /// The same path came with and without `-`.
    #[error("the path `{path}` is kept and dropped: name it once")]
    Contradiction {
        /// The path.
        path: String,
    },
    /// There are too many paths.
    #[error("a mask has at most {cap} paths: name an object that holds several of them")]
    TooMany {
        /// How many there may be.
        cap: usize,
    },
}

/// Why a text is no filter. `Display` says where, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct InvalidFilter {
    pub(super) message: String,
}

/// Why a filter could not say whether an item is wanted. The item's text is not in the message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterFailed {
    /// The item is not JSON, as far as it was looked at.
    #[error(transparent)]
    NotAnObject(#[from] NotAnObject),
    /// The expression failed for this item.
    #[error("{0}")]
    Expression(String),
}
