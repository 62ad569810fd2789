//! What `tidegate doctor` asks.

use tidegate_grants::Grants;
use tidegate_transport::{Finding, Options, diagnose as each};

use crate::host;

/// Tries every one of `options.transports` with these grants, also those behind the first that works: what each reaches, or why
/// not and what to grant. Needs a tokio runtime with time and I/O enabled; takes at most the probe's deadline for each transport, and
/// what reading its credentials takes.
pub async fn diagnose(grants: Grants, options: &Options) -> Vec<Finding> {
    each(&host::authority(grants), options).await
}
