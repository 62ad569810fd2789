//! Label and field selectors, as `k8s.io/apimachinery/pkg/{labels,fields}` read them.

mod fields;
mod labels;

pub(crate) use fields::FieldSelector;
pub(crate) use labels::LabelSelector;
pub(crate) use labels::is_name;

use crate::store::Object;

/// What a list or a watch is narrowed to.
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
        self.labels.matches(&object.labels) && self.fields.matches(object)
    }
}
