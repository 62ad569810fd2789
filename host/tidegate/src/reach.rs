//! A connection for the program around this library, without a guest.

use std::sync::Arc;

use tidegate_grants::Grants;
use tidegate_transport::{Choice, Detected, Error, Options, Transport, auto_detect, connect};

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
