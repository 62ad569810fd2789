//! Who owns which field: `metadata.managedFields`, and server-side apply on top of it
//! (`sigs.k8s.io/structured-merge-diff`).

mod apply;
mod lists;
mod managers;
mod set;
mod track;

pub(crate) use apply::{Conflict, apply};
pub(crate) use lists::{ListKind, patch_list};
pub(crate) use track::{same_but_for_times, track};

use crate::kinds::Schema;

/// Who writes.
pub(crate) struct Writer<'a> {
    /// The field manager's name.
    pub(crate) manager: String,
    /// The version that the write is in.
    pub(crate) api_version: String,
    /// `status` or `scale`, where the write goes there.
    pub(crate) subresource: Option<&'a str>,
    /// RFC 3339.
    pub(crate) time: String,
    /// The schema of a custom kind, which says how its lists merge.
    pub(crate) schema: Option<&'a Schema>,
    /// The object's kind.
    pub(crate) kind: &'a str,
    /// Whether `status` is somebody else's, because it has a subresource that this write does not go to.
    pub(crate) leaves_status: bool,
}
