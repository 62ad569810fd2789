//! `tidegate:host/tunnels`: processes in pods.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tidegate_api::process::{self, Stream};
use tidegate_transport::Error;
use wasmtime::Result;
use wasmtime::component::Resource;

use crate::charge::Charge;
use crate::error::closed;
use crate::poll::{Pollable, Source, soon};
use crate::wit::tidegate::host::tunnels::{Chunk, Host, HostProcess, HostProcessOptions, OutputStream};
use crate::{Client, View};

/// What a guest said about a process. What is wrong with it is told when the process is started.
pub struct ProcessOptions {
    charge: Charge,
    options: process::ProcessOptions,
}

/// A guest's handle to a process. Dropped, it closes the tunnel, whoever still waits for it.
pub struct Process(Arc<Shared>);

/// What a process and its pollables share.
struct Shared(Mutex<Option<Arc<process::Process>>>);

/// Waits for output.
struct Readable(Arc<Shared>);

/// Waits for room for input.
struct Writable(Arc<Shared>);

impl Process {
    fn new(process: process::Process) -> Self {
        Self(Arc::new(Shared(Mutex::new(Some(Arc::new(process))))))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Shared {
    /// None once the handle was dropped.
    fn process(&self) -> Option<Arc<process::Process>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Source for Readable {
    fn ready(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            if let Some(process) = self.0.process() {
                process.readable().await;
            }
        })
    }
}

impl Source for Writable {
    fn ready(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            if let Some(process) = self.0.process() {
                process.writable().await;
            }
        })
    }
}

impl ProcessOptions {
    /// Errors: the guest's requests hold too much.
    fn take(self) -> Result<process::ProcessOptions, Error> {
        self.charge.settle()?;
        Ok(self.options)
    }
}

impl View<'_> {
    fn process(&self, handle: &Resource<Process>) -> Result<Result<Arc<process::Process>, Error>> {
        Ok(self.get(handle)?.0.process().ok_or_else(|| closed("this process")))
    }
}

/// The process behind a handle, or the answer that there is none.
macro_rules! process {
    ($view:ident, $handle:ident) => {
        match $view.process(&$handle)? {
            Ok(process) => process,
            Err(error) => return $view.fail(error).map(Err),
        }
    };
}

impl Host for View<'_> {
    async fn exec(
        &mut self,
        client: Resource<Client>,
        namespace: Option<String>,
        pod: String,
        command: Vec<String>,
        options: Resource<ProcessOptions>,
    ) -> Result<Result<Resource<Process>, Resource<Error>>> {
        let transport = self.get(&client)?.transport.clone();
        let started = match self.delete(options)?.take() {
            Ok(options) => {
                let starting = async move {
                    process::exec(transport, namespace.as_deref(), &pod, &command, &options).await
                };
                self.aside(starting).await
            }
            Err(error) => Err(error),
        };
        self.settle(started.map(Process::new))
    }

    async fn attach(
        &mut self,
        client: Resource<Client>,
        namespace: Option<String>,
        pod: String,
        options: Resource<ProcessOptions>,
    ) -> Result<Result<Resource<Process>, Resource<Error>>> {
        let transport = self.get(&client)?.transport.clone();
        let attached = match self.delete(options)?.take() {
            Ok(options) => {
                let starting =
                    async move { process::attach(transport, namespace.as_deref(), &pod, &options).await };
                self.aside(starting).await
            }
            Err(error) => Err(error),
        };
        self.settle(attached.map(Process::new))
    }
}

impl HostProcessOptions for View<'_> {
    fn new(&mut self) -> Result<Resource<ProcessOptions>> {
        let charge = Charge::new(self.context.held.clone());
        self.push(ProcessOptions { charge, options: process::ProcessOptions::default() })
    }

    fn set_container(&mut self, options: Resource<ProcessOptions>, name: String) -> Result<()> {
        let options = self.get_mut(&options)?;
        options.options.container = options.charge.text(name);
        Ok(())
    }

    fn open_stdin(&mut self, options: Resource<ProcessOptions>) -> Result<()> {
        self.get_mut(&options)?.options.stdin = true;
        Ok(())
    }

    fn omit_stdout(&mut self, options: Resource<ProcessOptions>) -> Result<()> {
        self.get_mut(&options)?.options.stdout = false;
        Ok(())
    }

    fn omit_stderr(&mut self, options: Resource<ProcessOptions>) -> Result<()> {
        self.get_mut(&options)?.options.stderr = false;
        Ok(())
    }

    fn set_terminal(&mut self, options: Resource<ProcessOptions>) -> Result<()> {
        self.get_mut(&options)?.options.tty = true;
        Ok(())
    }

    fn set_deadline(&mut self, options: Resource<ProcessOptions>, nanoseconds: u64) -> Result<()> {
        self.get_mut(&options)?.options.deadline = Duration::from_nanos(nanoseconds);
        Ok(())
    }

    fn drop(&mut self, options: Resource<ProcessOptions>) -> Result<()> {
        self.delete(options).map(drop)
    }
}

impl HostProcess for View<'_> {
    async fn next(
        &mut self,
        handle: Resource<Process>,
    ) -> Result<Result<Option<Vec<Chunk>>, Resource<Error>>> {
        let process = process!(self, handle);
        let next = self.aside(async move { process.next().await }).await;
        self.answer(next.map(encode))
    }

    async fn try_next(
        &mut self,
        handle: Resource<Process>,
    ) -> Result<Option<Result<Option<Vec<Chunk>>, Resource<Error>>>> {
        let process = match self.process(&handle)? {
            Ok(process) => process,
            Err(error) => return self.fail(error).map(|error| Some(Err(error))),
        };
        match self.aside(async move { soon(process.next()).await }).await {
            Some(next) => self.answer(next.map(encode)).map(Some),
            None => Ok(None),
        }
    }

    fn subscribe(&mut self, handle: Resource<Process>) -> Result<Resource<Pollable>> {
        let shared = self.get(&handle)?.0.clone();
        self.push(Pollable::new(Arc::new(Readable(shared))))
    }

    async fn write(
        &mut self,
        handle: Resource<Process>,
        bytes: Vec<u8>,
    ) -> Result<Result<(), Resource<Error>>> {
        let process = process!(self, handle);
        let written = self.aside(async move { process.write(bytes.into()).await }).await;
        self.answer(written)
    }

    async fn try_write(
        &mut self,
        handle: Resource<Process>,
        bytes: Vec<u8>,
    ) -> Result<Result<u64, Resource<Error>>> {
        let process = process!(self, handle);
        let writing = async move {
            soon(process.writable()).await;
            let mut left = Bytes::from(bytes);
            let all = left.len();
            process.try_write(&mut left).map(|()| (all - left.len()) as u64)
        };
        let written = self.aside(writing).await;
        self.answer(written)
    }

    fn subscribe_write(&mut self, handle: Resource<Process>) -> Result<Resource<Pollable>> {
        let shared = self.get(&handle)?.0.clone();
        self.push(Pollable::new(Arc::new(Writable(shared))))
    }

    async fn close_stdin(&mut self, handle: Resource<Process>) -> Result<Result<(), Resource<Error>>> {
        let process = process!(self, handle);
        let ended = self.aside(async move { process.close_stdin().await }).await;
        self.answer(ended)
    }

    async fn resize(
        &mut self,
        handle: Resource<Process>,
        width: u16,
        height: u16,
    ) -> Result<Result<(), Resource<Error>>> {
        let process = process!(self, handle);
        let resized = self.aside(async move { process.resize(width, height).await }).await;
        self.answer(resized)
    }

    async fn exit(&mut self, handle: Resource<Process>) -> Result<Result<i32, Resource<Error>>> {
        let process = process!(self, handle);
        let exit = self.aside(async move { process.exit().await }).await;
        self.answer(exit)
    }

    async fn try_exit(&mut self, handle: Resource<Process>) -> Result<Option<Result<i32, Resource<Error>>>> {
        let Ok(process) = self.process(&handle)? else { return Ok(None) };
        tokio::task::yield_now().await;
        match process.try_exit() {
            Some(exit) => self.answer(exit).map(Some),
            None => Ok(None),
        }
    }

    fn drop(&mut self, handle: Resource<Process>) -> Result<()> {
        self.delete(handle).map(drop)
    }
}

fn encode(batch: Option<Vec<process::Chunk>>) -> Option<Vec<Chunk>> {
    let chunk = |chunk: process::Chunk| Chunk {
        output_stream: match chunk.stream {
            Stream::Stdout => OutputStream::Stdout,
            Stream::Stderr => OutputStream::Stderr,
        },
        // Without a copy where the piece is all of its buffer.
        bytes: Vec::from(chunk.bytes),
    };
    batch.map(|batch| batch.into_iter().map(chunk).collect())
}
