//! `tidegate:host/listen`: connections that are accepted where it was granted.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};

use futures_util::future::BoxFuture;
use tidegate_authority::{Authority, ListenError, Listener as Accepts, Needs, TcpStream};
use tidegate_grants::listen_address;
use tidegate_transport::{Code, Error, Meter, Slot};
use tokio::sync::Mutex;
use wasmtime::Result;
use wasmtime::component::Resource;

use crate::View;
use crate::poll::{Pollable, Source, soon};
use crate::wit::tidegate::host::listen::{Host, HostListener, HostSocket};

/// How much is read at a time.
const PIECE: usize = 64 << 10;

/// A guest's handle to a listener. Dropped, it accepts no more, whoever still waits for it.
pub struct Listener(Arc<Accepting>);

/// A guest's handle to a connection. Dropped, it closes it, whoever still waits for it.
pub struct Socket(Arc<Connected>);

/// What a handle and its pollables share, until the handle is dropped.
struct Held<T>(StdMutex<Option<Arc<T>>>);

/// What a listener and its pollables share. The locks are free whenever the guest runs.
struct Accepting {
    address: SocketAddr,
    /// With what it counts as.
    listener: Held<(Accepts, Slot)>,
    /// Whom was waited for.
    ahead: Mutex<Option<io::Result<TcpStream>>>,
}

/// What a socket and its pollables share. The locks are free whenever the guest runs.
struct Connected {
    peer: SocketAddr,
    /// With what it counts as.
    stream: Held<(TcpStream, Slot)>,
    meter: Meter,
    /// What was read to know that there is something; no bytes are the end.
    ahead: Mutex<Option<io::Result<Vec<u8>>>>,
}

/// Whether something can be written.
struct Writable(Arc<Connected>);

impl<T> Held<T> {
    fn new(value: T) -> Self {
        Self(StdMutex::new(Some(Arc::new(value))))
    }

    fn get(&self) -> Option<Arc<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn close(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.0.listener.close();
        if let Ok(mut ahead) = self.0.ahead.try_lock() {
            *ahead = None;
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.0.stream.close();
    }
}

impl Accepting {
    async fn fill(&self) -> Option<io::Result<TcpStream>> {
        let mut ahead = self.ahead.lock().await;
        if ahead.is_none()
            && let Some(listener) = self.listener.get()
        {
            *ahead = Some(listener.0.accept().await);
        }
        ahead.take()
    }

    /// One more than may be open is closed, and is an error.
    async fn accept(&self, meter: &Meter) -> Result<Socket, Error> {
        match self.fill().await {
            Some(Ok(stream)) => Ok(Socket::new(stream, meter.open()?, meter.clone())),
            Some(Err(error)) => Err(Error::new(Code::Unreachable, "a connection was lost").because(error)),
            None => Err(Error::new(Code::Closed, "the listener was dropped")),
        }
    }
}

impl Source for Accepting {
    fn ready(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            let mut ahead = self.ahead.lock().await;
            if ahead.is_none()
                && let Some(listener) = self.listener.get()
            {
                *ahead = Some(listener.0.accept().await);
            }
        })
    }
}

impl Socket {
    fn new(stream: TcpStream, slot: Slot, meter: Meter) -> Socket {
        let (peer, stream) = (stream.peer(), Held::new((stream, slot)));
        Socket(Arc::new(Connected { peer, stream, meter, ahead: Mutex::default() }))
    }
}

impl Connected {
    async fn next(&self) -> Result<Option<Vec<u8>>, Error> {
        let mut ahead = self.ahead.lock().await;
        self.fill(&mut ahead).await;
        match ahead.take() {
            Some(Ok(bytes)) => {
                self.meter.spend(bytes.len())?;
                Ok((!bytes.is_empty()).then_some(bytes))
            }
            Some(Err(error)) => Err(broken(error)),
            None => Ok(None),
        }
    }

    /// Reads on, where nothing was. Cancel-safe.
    async fn fill(&self, ahead: &mut Option<io::Result<Vec<u8>>>) {
        if ahead.is_none()
            && let Some(stream) = self.stream.get()
        {
            *ahead = Some(read(&stream.0).await);
        }
    }

    fn stream(&self) -> Result<Arc<(TcpStream, Slot)>, Error> {
        self.stream.get().ok_or_else(|| Error::new(Code::Closed, "the connection was closed"))
    }

    async fn write(&self, bytes: &[u8]) -> Result<(), Error> {
        let stream = self.stream()?;
        let mut left = bytes;
        while !left.is_empty() {
            stream.0.writable().await.map_err(broken)?;
            left = &left[self.send(&stream.0, left)?..];
        }
        Ok(())
    }

    async fn try_write(&self, bytes: &[u8]) -> Result<u64, Error> {
        let stream = self.stream()?;
        // Where nothing is known of the socket yet, this asks.
        let ready = soon(stream.0.writable()).await;
        match ready {
            Some(ready) => ready.map_err(broken)?,
            None => return Ok(0),
        }
        Ok(self.send(&stream.0, bytes)? as u64)
    }

    /// Sends what the guest may still move, as far as it is taken, and counts that.
    fn send(&self, stream: &TcpStream, bytes: &[u8]) -> Result<usize, Error> {
        if bytes.is_empty() {
            return Ok(0);
        }
        let most = self.meter.left()?.min(bytes.len());
        let written = taken(stream.try_write(&bytes[..most]))?;
        self.meter.spend(written)?;
        Ok(written)
    }
}

impl Source for Connected {
    fn ready(&self) -> BoxFuture<'_, ()> {
        Box::pin(async { self.fill(&mut *self.ahead.lock().await).await })
    }
}

impl Source for Writable {
    fn ready(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            if let Some(stream) = self.0.stream.get() {
                // An error is told by the write that follows.
                _ = stream.0.writable().await;
            }
        })
    }
}

async fn read(stream: &TcpStream) -> io::Result<Vec<u8>> {
    loop {
        stream.readable().await?;
        // Not before: connections at which nothing comes cost no buffer.
        let mut bytes = vec![0; PIECE];
        match stream.try_read(&mut bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            read => {
                bytes.truncate(read?);
                bytes.shrink_to_fit();
                return Ok(bytes);
            }
        }
    }
}

/// How much a write took.
fn taken(written: io::Result<usize>) -> Result<usize, Error> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
        written => written.map_err(broken),
    }
}

fn broken(error: io::Error) -> Error {
    Error::new(Code::Unreachable, "the connection broke").because(error)
}

async fn listen(authority: &Authority, address: &str) -> Result<Accepts, Error> {
    let address =
        listen_address(address).map_err(|error| Error::new(Code::InvalidRequest, error.to_string()))?;
    let approved = authority
        .approve(&Needs::new().listen(address))
        .map_err(|denied| Error::denied(denied.to_string(), denied.flags()))?;
    let Some(grant) = approved.listen(address) else {
        return Err(Error::denied(format!("access to listen on {address}"), Vec::new()));
    };
    grant.listen().await.map_err(|error| match error {
        ListenError::Denied { .. } => Error::denied(error.to_string(), Vec::new()),
        other => Error::new(Code::Unavailable, other.to_string()).because(other),
    })
}

impl Host for View<'_> {
    async fn listen(&mut self, address: String) -> Result<Result<Resource<Listener>, Resource<Error>>> {
        let authority = self.context.authority.clone();
        let listening = match self.context.meter.open() {
            Ok(slot) => {
                let listening = self.aside(async move { listen(&authority, &address).await }).await;
                listening.map(|listener| (listener, slot))
            }
            Err(error) => Err(error),
        };
        self.settle(listening.map(|listener| {
            let address = listener.0.address();
            Listener(Arc::new(Accepting { address, listener: Held::new(listener), ahead: Mutex::default() }))
        }))
    }
}

impl HostListener for View<'_> {
    fn address(&mut self, listener: Resource<Listener>) -> Result<String> {
        Ok(self.get(&listener)?.0.address.to_string())
    }

    async fn accept(
        &mut self,
        listener: Resource<Listener>,
    ) -> Result<Result<Resource<Socket>, Resource<Error>>> {
        let shared = self.get(&listener)?.0.clone();
        let meter = self.context.meter.clone();
        let accepted = self.aside(async move { shared.accept(&meter).await }).await;
        self.settle(accepted)
    }

    async fn try_accept(
        &mut self,
        listener: Resource<Listener>,
    ) -> Result<Option<Result<Resource<Socket>, Resource<Error>>>> {
        let shared = self.get(&listener)?.0.clone();
        let meter = self.context.meter.clone();
        match self.aside(async move { soon(shared.accept(&meter)).await }).await {
            Some(accepted) => self.settle(accepted).map(Some),
            None => Ok(None),
        }
    }

    fn subscribe(&mut self, listener: Resource<Listener>) -> Result<Resource<Pollable>> {
        let shared = self.get(&listener)?.0.clone();
        self.push(Pollable::new(shared))
    }

    fn drop(&mut self, listener: Resource<Listener>) -> Result<()> {
        self.delete(listener).map(drop)
    }
}

impl HostSocket for View<'_> {
    fn peer(&mut self, socket: Resource<Socket>) -> Result<String> {
        Ok(self.get(&socket)?.0.peer.to_string())
    }

    async fn next(&mut self, socket: Resource<Socket>) -> Result<Result<Option<Vec<u8>>, Resource<Error>>> {
        let shared = self.get(&socket)?.0.clone();
        let next = self.aside(async move { shared.next().await }).await;
        self.answer(next)
    }

    async fn try_next(
        &mut self,
        socket: Resource<Socket>,
    ) -> Result<Option<Result<Option<Vec<u8>>, Resource<Error>>>> {
        let shared = self.get(&socket)?.0.clone();
        match self.aside(async move { soon(shared.next()).await }).await {
            Some(next) => self.answer(next).map(Some),
            None => Ok(None),
        }
    }

    fn subscribe(&mut self, socket: Resource<Socket>) -> Result<Resource<Pollable>> {
        let shared = self.get(&socket)?.0.clone();
        self.push(Pollable::new(shared))
    }

    async fn write(
        &mut self,
        socket: Resource<Socket>,
        bytes: Vec<u8>,
    ) -> Result<Result<(), Resource<Error>>> {
        let shared = self.get(&socket)?.0.clone();
        let written = self.aside(async move { shared.write(&bytes).await }).await;
        self.answer(written)
    }

    async fn try_write(
        &mut self,
        socket: Resource<Socket>,
        bytes: Vec<u8>,
    ) -> Result<Result<u64, Resource<Error>>> {
        let shared = self.get(&socket)?.0.clone();
        let written = self.aside(async move { shared.try_write(&bytes).await }).await;
        self.answer(written)
    }

    fn subscribe_write(&mut self, socket: Resource<Socket>) -> Result<Resource<Pollable>> {
        let shared = self.get(&socket)?.0.clone();
        self.push(Pollable::new(Arc::new(Writable(shared))))
    }

    fn finish(&mut self, socket: Resource<Socket>) -> Result<Result<(), Resource<Error>>> {
        let shared = self.get(&socket)?.0.clone();
        let finished = shared.stream().and_then(|stream| stream.0.shut_down_writing().map_err(broken));
        self.answer(finished)
    }

    fn drop(&mut self, socket: Resource<Socket>) -> Result<()> {
        self.delete(socket).map(drop)
    }
}
