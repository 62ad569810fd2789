//! Lists as they arrive: cut into items, narrowed to the fields that somebody asked for, without building a tree.
//!
//! [`ListSplitter`] turns the chunks of a list's body into items, [`Mask`] copies the wanted fields of an item, [`Filter`] says whether
//! an item is wanted at all; [`find_event`] does for a line of a watch what the splitter does for a list. Where they look for a name that
//! an object has twice, the first one counts, so that they may stop once they have found what they need; no API server writes a name
//! twice.
//!
//! Brackets and strings are followed through everything that arrives, by 64 bytes at a time. The rest of JSON's grammar and UTF-8 are
//! checked for what is handed out ([`checked_object`]), and only for that.

mod block;
mod checked;
mod cursor;
mod envelope;
mod error;
mod event;
mod expression;
mod filter;
mod list;
mod mask;
mod meta;
mod path;
mod skip;

pub use checked::{NotAnObject, checked_object};
pub use error::{FilterFailed, InvalidFilter, InvalidMask, ListError};
pub use event::{FoundEvent, find_event};
pub use filter::{Filter, FilterBuilder};
pub use list::{ITEM_CAP, ListMeta, ListSplitter, MEMBER_CAP};
pub use mask::{MASK_CAP, Mask};
pub use meta::{ObjectMeta, resource_version};
pub use skip::DEPTH_CAP;
