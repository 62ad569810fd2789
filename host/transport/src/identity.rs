use std::sync::Arc;

/// Which connection a transport leads over: two transports whose identities are equal ask the same server, under the same bounds and hooks and
/// with the same credential. What is known or kept of a connection is kept under this.
///
/// It is made of addresses, and holds nothing: it means something only while one of the transports that have it lives.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    connection: usize,
    server: Arc<str>,
    around: Vec<usize>,
}

impl Identity {
    /// What is shared by all handles to a connection, and the server that they lead to.
    pub fn of<T: ?Sized>(connection: &T, server: impl Into<Arc<str>>) -> Identity {
        Identity { connection: address(connection), server: server.into(), around: Vec::new() }
    }

    /// The same connection with something around it that all who share this have too.
    #[must_use]
    pub fn within<T: ?Sized>(mut self, around: &T) -> Identity {
        self.around.push(address(around));
        self
    }
}

fn address<T: ?Sized>(value: &T) -> usize {
    std::ptr::from_ref(value).cast::<()>() as usize
}
