//! Kubeconfigs: where they are found and what that needs, how several become one, who chooses among them and what goes before what they say,
//! and what is wrong with some. The `;` that separates files on Windows is a table of `tidegate_kube::kubeconfig::Separator`'s own.
//!
//! Covers: T4

mod choice;
mod hostile;
mod located;
mod overrides;
mod place;
