//! The paths of pods, of names that a guest gives.

use tidegate_transport::{Code, Error};

use crate::discovery::segment;

/// The path of the pods of a namespace. Errors: [`Code::InvalidRequest`] for what is no name.
pub(crate) fn pods(namespace: &str) -> Result<String, Error> {
    check("namespace", namespace)?;
    Ok(format!("/api/v1/namespaces/{}/pods", segment(namespace)))
}

/// The path of a pod. Errors: as [`pods`].
pub(crate) fn pod(namespace: &str, pod: &str) -> Result<String, Error> {
    let pods = pods(namespace)?;
    check("pod", pod)?;
    Ok(format!("{pods}/{}", segment(pod)))
}

/// Another name would lead to another path, whoever on the way takes `%2F` for `/`.
fn check(what: &str, name: &str) -> Result<(), Error> {
    if name.contains('/') || matches!(name, "" | "." | "..") {
        return Err(Error::new(Code::InvalidRequest, format!("{name:?} is no name of a {what}")));
    }
    Ok(())
}
