//! A connection for the program around this library, without a guest.

use std::sync::Arc;

use tidegate_grants::Grants;
use tidegate_transport::{
    Choice, Detected, Error, Explicit, Options, Transport, auto_detect, connect, connect_by_precedence,
};

use crate::host;

/// Connects as a guest with these grants would: the transport that `choice` names, or the first of `options.transports` that works. Needs a
/// tokio runtime with time and I/O enabled. What can be done with it: [`api`](crate::api).
///
/// Errors: as for a guest; a grant that is missing is named.
pub async fn reach(
    grants: Grants,
    options: &Options,
    choice: Option<Choice>,
) -> Result<Arc<dyn Transport>, Error> {
    let authority = host::authority(grants);
    match choice {
        Some(choice) => connect(&authority, options, choice).await,
        None => {
            let Detected { transport, .. } = auto_detect(&authority, options).await?;
            Ok(transport)
        }
    }
}

/// Connects as an operator does, within these grants: to what is given, be it a transport or a cluster whose address and credential are
/// values; else with the pod's service account where its folder is there; else by the kubeconfig. It never falls through: a service
/// account that is there and broken is an error. Needs a tokio runtime with time and I/O enabled.
///
/// Errors: as [`reach`]; [`Code::NotConfigured`](crate::transport::Code::NotConfigured) for values that cannot be used.
pub async fn reach_by_precedence(
    grants: Grants,
    options: &Options,
    explicit: Option<Explicit>,
) -> Result<Arc<dyn Transport>, Error> {
    connect_by_precedence(&host::authority(grants), options, explicit).await
}
