//! Kubeconfigs: where they are found and what that needs, how several become one, who chooses among them, and what is wrong with some.
//!
//! All of T4 but overrides by an embedder and by a named connection (`connections/` has those), and the `;` of Windows.

mod choice;
mod hostile;
mod located;
