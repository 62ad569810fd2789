//! What a list or a watch is narrowed to.

pub(crate) use tidegate_kube::select::{FieldSelector, InvalidSelector, LabelSelector, is_label_value};

use crate::store::Object;

/// Selectors of both sorts; an object must match each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Selection {
    /// By labels.
    pub(crate) labels: LabelSelector,
    /// By fields.
    pub(crate) fields: FieldSelector,
}

impl Selection {
    /// Whether nothing is narrowed.
    pub(crate) fn is_everything(&self) -> bool {
        self.labels.is_everything() && self.fields.is_everything()
    }

    /// Whether the object is selected.
    pub(crate) fn matches(&self, object: &Object) -> bool {
        self.labels.matches(&object.labels) && self.fields.matches_with(|field| object.field(field))
    }
}
