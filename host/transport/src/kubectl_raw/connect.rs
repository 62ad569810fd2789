use std::sync::Arc;

use tidegate_authority::{Authority, RunError};

use super::plan::Plan;
use super::transport::KubectlRaw;
use crate::drive::drive;
use crate::{Code, Error, Options, Transport};

/// A transport through the `kubectl` program. `context` is a guest's choice.
pub(crate) fn connect(
    authority: &Authority,
    options: &Options,
    context: Option<String>,
) -> Result<Arc<dyn Transport>, Error> {
    let (program, approved) = drive(authority, Plan::new(&options.kubectl))?;
    let run = approved.run(&program).ok_or_else(|| {
        Error::new(Code::PermissionDenied, "the approval of KubectlRaw's only round is incomplete")
    })?;
    run.program().map_err(not_found)?;
    let mut kubectl = options.kubectl.clone();
    kubectl.context = context.or(kubectl.context);
    Ok(Arc::new(KubectlRaw { run, options: kubectl, observer: options.observer.clone() }))
}

fn not_found(error: RunError) -> Error {
    let text = error.to_string();
    match error.missing() {
        Some(missing) => Error::denied(text, missing.flag().into_iter().collect()),
        None if matches!(error, RunError::Writable { .. }) => Error::denied(text, Vec::new()),
        None => Error::new(Code::NotConfigured, text),
    }
}
