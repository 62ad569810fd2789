//! Kubeconfigs: where they are found and what that needs, how several become one, who chooses among them, and what is wrong with some.
//!
//! All of T4 but an override of the proxy, which there is not yet, and the `;` of Windows, where tidegate does not run.

mod choice;
mod hostile;
mod located;
