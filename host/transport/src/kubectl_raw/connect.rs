use std::sync::Arc;

use tidegate_authority::{Authority, RunError};

use super::plan::Plan;
use super::transport::KubectlRaw;
use crate::drive::drive;
use crate::{Code, Error, Options, Transport};

/// A transport through the `kubectl` program. `context` is a guest's choice, where the host made none.
///
/// Errors besides those of the plan: another context than the host's. Nothing else bounds where kubectl goes: a net grant, which does
/// for a kubeconfig's contexts, is not asked.
pub(crate) fn connect(
    authority: &Authority,
    options: &Options,
    context: Option<String>,
) -> Result<Arc<dyn Transport>, Error> {
    let mut kubectl = options.kubectl.clone();
    kubectl.context = choose(kubectl.context, context)?;
    let (program, approved) = drive(authority, Plan::new(&options.kubectl))?;
    let run = approved.run(&program).ok_or_else(|| {
        Error::new(Code::PermissionDenied, "the approval of KubectlRaw's only round is incomplete")
    })?;
    run.program().map_err(not_found)?;
    Ok(Arc::new(KubectlRaw { run, options: kubectl, observer: options.observer.clone() }))
}

fn choose(host: Option<String>, guest: Option<String>) -> Result<Option<String>, Error> {
    match (host, guest) {
        (Some(host), Some(guest)) if host != guest => {
            let text = format!("the host chose kubectl's context {host:?}; no other can be chosen");
            Err(Error::new(Code::Unsupported, text))
        }
        (host, guest) => Ok(host.or(guest)),
    }
}

fn not_found(error: RunError) -> Error {
    let text = error.to_string();
    match error.missing() {
        Some(missing) => Error::denied(text, missing.flag().into_iter().collect()),
        None if matches!(error, RunError::Writable { .. }) => Error::denied(text, Vec::new()),
        None => Error::new(Code::NotConfigured, text),
    }
}
