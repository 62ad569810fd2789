//! The right to accept connections at one address.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use tidegate_grants::{Need, Verdict};

use crate::authority::Inner;
use crate::host::{ListenError, Listener};

/// The right to accept connections at one address of this machine.
#[derive(Clone)]
pub struct ListenGrant {
    authority: Arc<Inner>,
    address: SocketAddr,
}

impl ListenGrant {
    /// The address. Port 0 is one that the system chooses.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts connections there, until the listener is dropped.
    ///
    /// Errors: [`ListenError::Bind`], for instance where the port is taken; [`ListenError::Denied`] where the system chose a port that a
    /// `--deny-listen` flag names.
    pub async fn listen(&self) -> Result<Listener, ListenError> {
        let listener = Listener::open(self.address).await?;
        let address = listener.address();
        match self.authority.judge(&Need::Listen(address)) {
            Verdict::Denied { by } => Err(ListenError::Denied { address, by }),
            _ => Ok(listener),
        }
    }

    pub(crate) fn new(authority: Arc<Inner>, address: SocketAddr) -> Self {
        Self { authority, address }
    }
}

impl fmt::Debug for ListenGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ListenGrant").field(&self.address).finish()
    }
}
