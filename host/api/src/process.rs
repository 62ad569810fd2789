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

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tidegate_kube::channels::Piece;
use tidegate_kube::channels::process::{self as channel, Ended};
use tidegate_transport::{Code, Error, Tunnel};
use tokio::sync::Mutex;
use tokio::time::timeout;

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

/// What was read of the tunnel.
#[derive(Debug, Default)]
struct Output {
    ahead: VecDeque<Chunk>,
    /// What came of the status.
    status: Vec<u8>,
    ended: Option<Result<Ended, Error>>,
    /// Whether nothing more is to be read.
    over: bool,
    /// Whether the error was told.
    told: bool,
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
    /// about the process.
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

impl Output {
    /// What came of the tunnel.
    fn take(&mut self, next: Result<Option<Piece>, Error>) {
        let piece = match next {
            Ok(Some(piece)) => piece,
            Ok(None) => {
                return self
                    .end(|| Error::new(Code::Protocol, "the tunnel ended without a word about its process"));
            }
            // How the process ended is known: how the tunnel did is not worth a word.
            Err(error) => return self.end(|| error),
        };
        let stream = match piece.channel {
            channel::STDOUT => Stream::Stdout,
            channel::STDERR => Stream::Stderr,
            channel::STATUS => return self.status(&piece),
            // Nothing that a client needs to know.
            _ => return,
        };
        if !piece.bytes.is_empty() {
            self.ahead.push_back(Chunk { stream, bytes: piece.bytes });
        }
    }

    fn status(&mut self, piece: &Piece) {
        if self.ended.is_some() {
            return;
        }
        if self.status.len() + piece.bytes.len() > channel::STATUS_CAP {
            let text = format!("the process's status is larger than {} bytes, the cap", channel::STATUS_CAP);
            (self.ended, self.over) = (Some(Err(Error::new(Code::TooLarge, text))), true);
            return;
        }
        self.status.extend_from_slice(&piece.bytes);
        if piece.ends && !self.status.is_empty() {
            let status = std::mem::take(&mut self.status);
            self.ended = Some(channel::ended(&status).map_err(|no_status| {
                Error::new(Code::Protocol, "the server says nothing understandable about the process")
                    .because(no_status)
            }));
        }
    }

    fn end(&mut self, error: impl FnOnce() -> Error) {
        self.over = true;
        self.ended.get_or_insert_with(|| Err(error()));
    }

    fn exit(&self) -> Result<i32, Error> {
        match &self.ended {
            Some(Ok(Ended::Code(code))) => Ok(*code),
            Some(Ok(Ended::Failed(status))) => Err(Error::from_status(status.clone())),
            Some(Err(error)) => Err(error.clone()),
            None => Err(Error::new(Code::Closed, "the process has not ended")),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(channel: u8, text: &str, ends: bool) -> Result<Option<Piece>, Error> {
        Ok(Some(Piece { channel, bytes: Bytes::copy_from_slice(text.as_bytes()), ends }))
    }

    #[test]
    fn what_comes_of_a_tunnel_is_output_and_one_end() {
        const SUCCESS: &str = r#"{"status":"Success"}"#;
        let cut = || Err(Error::new(Code::Protocol, "cut"));
        for (name, story, written, end) in [
            (
                "all of it",
                vec![
                    piece(1, "", true),
                    piece(1, "a", true),
                    piece(2, "b", true),
                    piece(3, SUCCESS, true),
                    Ok(None),
                ],
                "ab",
                "0",
            ),
            ("late output", vec![piece(3, SUCCESS, true), piece(1, "late", true), Ok(None)], "late", "0"),
            (
                "a status in pieces",
                vec![piece(3, &SUCCESS[..5], false), piece(3, &SUCCESS[5..], true), Ok(None)],
                "",
                "0",
            ),
            ("an empty status first", vec![piece(3, "", true), piece(3, SUCCESS, true), Ok(None)], "", "0"),
            ("two of them", vec![piece(3, SUCCESS, true), piece(3, "{}", true), Ok(None)], "", "0"),
            ("cut after it", vec![piece(3, SUCCESS, true), cut()], "", "0"),
            ("cut before it", vec![piece(1, "a", true), cut()], "a", "protocol: cut"),
            (
                "no status",
                vec![piece(1, "a", true), Ok(None)],
                "a",
                "protocol: the tunnel ended without a word about its process",
            ),
            (
                "half a status",
                vec![piece(3, "{", false), Ok(None)],
                "",
                "protocol: the tunnel ended without a word about its process",
            ),
            (
                "nonsense",
                vec![piece(3, "{}", true), Ok(None)],
                "",
                "protocol: the server says nothing understandable about the process",
            ),
            (
                "other channels",
                vec![
                    piece(0, "x", true),
                    piece(4, "x", true),
                    piece(255, "\u{1}", true),
                    piece(3, SUCCESS, true),
                    Ok(None),
                ],
                "",
                "0",
            ),
            (
                "a refusal",
                vec![
                    piece(
                        3,
                        r#"{"kind":"Status","status":"Failure","code":400,"message":"no","reason":"BadRequest"}"#,
                        true,
                    ),
                    Ok(None),
                ],
                "",
                "status: no (400 BadRequest)",
            ),
        ] {
            let mut output = Output::default();
            for next in story {
                output.take(next);
            }
            assert!(output.over, "{name}");
            let all: String =
                output.ahead.iter().map(|chunk| String::from_utf8_lossy(&chunk.bytes).into_owned()).collect();
            assert_eq!(all, written, "{name}");
            let found = match output.exit() {
                Ok(code) => code.to_string(),
                Err(error) => format!("{}: {error}", error.code()),
            };
            assert_eq!(found, end, "{name}");
        }
    }

    #[test]
    fn a_status_without_an_end_is_bounded() {
        let mut output = Output::default();
        for _ in 0..=channel::STATUS_CAP / 1000 {
            output.take(piece(channel::STATUS, &" ".repeat(1000), false));
        }
        assert_eq!(output.exit().expect_err("too large").code(), Code::TooLarge);
    }
}
