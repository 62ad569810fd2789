//! Label and field selectors, as `k8s.io/apimachinery/pkg/{labels,fields}` (v0.36) read, write and match them.
//!
//! A selector is read from text, or built; what it shows is the text that goes into `labelSelector=` or `fieldSelector=`.

mod fields;
mod labels;
mod syntax;

pub use fields::{Comparison, FieldSelector, FieldTerm};
pub use labels::{LabelSelector, LabelSelectorBuilder, Operator, Requirement};
pub use syntax::{is_label_key, is_label_value};

/// A text or a requirement that is no selector. The message is apimachinery's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct InvalidSelector {
    message: String,
}

impl InvalidSelector {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }
}
