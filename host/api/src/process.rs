//! Processes in pods: exec and attach.
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use tidegate_api::process::{Chunk, ProcessOptions, Stream, exec};
//! # use tidegate_transport::{Error, Transport};
//! # async fn example(transport: Arc<dyn Transport>) -> Result<(), Error> {
//! let command = ["ls", "-l", "/"].map(str::to_owned);
//! let process = exec(transport, Some("shop"), "web-0", &command, &ProcessOptions::default()).await?;
//! while let Some(chunks) = process.next().await? {
//!     for Chunk { stream, bytes } in chunks {
//!         println!("{stream:?}: {}", String::from_utf8_lossy(&bytes));
//!     }
//! }
//! println!("exit code {}", process.exit().await?);
//! # Ok(())
//! # }
//! ```

mod open;
mod output;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tidegate_kube::channels::process as channel;
use tidegate_transport::{Code, Error, Tunnel};
use tokio::sync::Mutex;
use tokio::time::timeout;

use output::Output;

pub use open::{ProcessOptions, attach, exec};

/// How many chunks a batch holds at most.
const BATCH: usize = 256;

/// How many bytes a batch holds at most, unless a single chunk is larger.
const BATCH_BYTES: usize = 256 * 1024;

/// How long a server that has said how the process ended may take to close the tunnel.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Which of a process's outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output; in a terminal, everything.
    Stdout,
    /// Standard error.
    Stderr,
}

/// What a process wrote, as it arrived: at most 64 KiB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Where to.
    pub stream: Stream,
    /// What; never empty.
    pub bytes: Bytes,
}

/// A process in a pod. Dropped, its tunnel is closed: what becomes of the process is the node's to decide, and most let it run on.
///
/// Output that is not read holds the process back; so does input that it does not read hold writers back. A process that writes while it
/// waits for its input to be read, as `cat` does, needs both done in turns: [`try_write`](Process::try_write) and
/// [`next`](Process::next).
#[derive(Debug)]
pub struct Process {
    tunnel: Tunnel,
    output: Mutex<Output>,
    has_stdin: bool,
    has_terminal: bool,
    stdin_closed: AtomicBool,
}

impl Process {
    fn new(tunnel: Tunnel, options: &ProcessOptions) -> Process {
        Process {
            tunnel,
            output: Mutex::default(),
            has_stdin: options.stdin,
            has_terminal: options.tty,
            stdin_closed: AtomicBool::new(false),
        }
    }

    /// The next output, in the order in which it came: what is there, at most 256 chunks and 256 KiB. None once the process has ended, or the
    /// server says that it never ran; [`exit`](Process::exit) tells. Cancel-safe.
    ///
    /// Errors, once, after the output before it: those of [`Tunnel::next`], and [`Code::Protocol`] where the tunnel ended without a word
    /// about the process. Where it is known how the process ended, only [`Code::Limit`] is one: output is missing.
    pub async fn next(&self) -> Result<Option<Vec<Chunk>>, Error> {
        let mut output = self.output.lock().await;
        self.fill(&mut output).await;
        let (mut batch, mut size) = (Vec::new(), 0);
        loop {
            while let Some(chunk) = output.ahead.pop_front() {
                size += chunk.bytes.len();
                batch.push(chunk);
            }
            if batch.is_empty() || output.over || batch.len() >= BATCH || size >= BATCH_BYTES {
                break;
            }
            match self.tunnel.try_next() {
                std::task::Poll::Ready(next) => output.take(next),
                std::task::Poll::Pending => break,
            }
        }
        if !batch.is_empty() {
            return Ok(Some(batch));
        }
        match &output.ended {
            Some(Err(error)) if !output.told => {
                let error = error.clone();
                output.told = true;
                Err(error)
            }
            _ => Ok(None),
        }
    }

    /// Waits until [`next`](Process::next) would not wait. Cancel-safe.
    pub async fn readable(&self) {
        let mut output = self.output.lock().await;
        self.fill(&mut output).await;
    }

    /// Waits for the end, and gives the exit code, as often as asked. Output that was not read by then is thrown away, so that the process is not
    /// held back by it. Cancel-safe.
    ///
    /// Errors: [`Code::Status`] where the server says that it could not run, or not be told how it ended; those of
    /// [`next`](Process::next).
    pub async fn exit(&self) -> Result<i32, Error> {
        let mut output = self.output.lock().await;
        while !output.over {
            output.ahead.clear();
            self.fill(&mut output).await;
        }
        output.ahead.clear();
        output.exit()
    }

    /// [`exit`](Process::exit) where all output was read and the end is known; none before. Throws nothing away.
    pub fn try_exit(&self) -> Option<Result<i32, Error>> {
        let output = self.output.try_lock().ok()?;
        (output.over && output.ahead.is_empty()).then(|| output.exit())
    }

    /// Writes to its standard input; waits while the process takes nothing. Cancelled, it has written a part.
    ///
    /// Errors: [`Code::InvalidRequest`] where standard input was not asked for, [`Code::Closed`] after
    /// [`close_stdin`](Process::close_stdin) or the end, and why the tunnel broke.
    pub async fn write(&self, bytes: Bytes) -> Result<(), Error> {
        self.may_write()?;
        self.tunnel.send(channel::STDIN, bytes).await.map_err(of_a_process)
    }

    /// Writes what can be taken now, off the front of `bytes`. Errors: as [`write`](Process::write).
    pub fn try_write(&self, bytes: &mut Bytes) -> Result<(), Error> {
        self.may_write()?;
        self.tunnel.try_send(channel::STDIN, bytes).map_err(of_a_process)
    }

    /// Waits until [`try_write`](Process::try_write) would take something or fail. Cancel-safe.
    pub async fn writable(&self) {
        self.tunnel.writable().await;
    }

    /// Ends its standard input, once all of what was written is sent.
    ///
    /// Errors: as [`write`](Process::write), and [`Code::Unsupported`] where the server speaks a protocol that cannot say it
    /// (`v4.channel.k8s.io`, Kubernetes before 1.30): there a process that reads to the end never ends.
    pub async fn close_stdin(&self) -> Result<(), Error> {
        self.may_write()?;
        if self.tunnel.protocol() != channel::V5 {
            let text = "the server speaks v4.channel.k8s.io, which cannot end standard input; it would need Kubernetes 1.30";
            return Err(Error::new(Code::Unsupported, text));
        }
        self.tunnel
            .send(channel::CLOSE, Bytes::from_static(&[channel::STDIN]))
            .await
            .map_err(of_a_process)?;
        self.stdin_closed.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Tells its terminal a size, in characters.
    ///
    /// Errors: [`Code::InvalidRequest`] where it has none, [`Code::Closed`] after the end, and why the tunnel broke.
    pub async fn resize(&self, width: u16, height: u16) -> Result<(), Error> {
        if !self.has_terminal {
            return Err(Error::new(Code::InvalidRequest, "the process has no terminal: ask for one with it"));
        }
        let size = channel::resize(width, height).into();
        self.tunnel.send(channel::RESIZE, size).await.map_err(of_a_process)
    }

    fn may_write(&self) -> Result<(), Error> {
        if !self.has_stdin {
            let text = "the process has no standard input: ask for it with the process";
            return Err(Error::new(Code::InvalidRequest, text));
        }
        if self.stdin_closed.load(Ordering::Relaxed) {
            return Err(Error::new(Code::Closed, "standard input was closed before"));
        }
        Ok(())
    }

    /// Reads until there is output or the end. Cancel-safe: nothing is held across the wait.
    async fn fill(&self, output: &mut Output) {
        while output.ahead.is_empty() && !output.over {
            let next = match output.ended {
                None => self.tunnel.next().await,
                Some(_) => match timeout(LAST_WORDS, self.tunnel.next()).await {
                    Ok(next) => next,
                    Err(_) => Ok(None),
                },
            };
            output.take(next);
        }
    }
}

/// A tunnel that has ended, in the words of those who write to a process.
fn of_a_process(error: Error) -> Error {
    match error.code() {
        Code::Closed => Error::new(Code::Closed, "the process has ended, and reads no more"),
        _ => error,
    }
}
