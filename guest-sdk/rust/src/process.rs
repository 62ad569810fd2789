//! Processes in pods: exec and attach, in kube-rs' words.

use std::fmt;
use std::task::Poll;
use std::time::Duration;
use std::vec;

use crate::poll::{Pollable, nanoseconds};
use crate::wit::tidegate::host::tunnels as wit;
use crate::{Client, Error, Result};

/// What of a process is wanted, as kube-rs' `AttachParams`. Default: its standard output and standard error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttachParams {
    /// The container; the pod's only one where none.
    pub container: Option<String>,
    /// Whether its standard input is written to.
    pub stdin: bool,
    /// Whether its standard output is read.
    pub stdout: bool,
    /// Whether its standard error is read. In a terminal it comes with standard output.
    pub stderr: bool,
    /// Whether it runs in a terminal.
    pub tty: bool,
    /// How long the server may take to open the tunnel; 60 seconds where none. The process may run for as long as it likes.
    /// Over `KubectlRaw`: how long kubectl waits until the pod runs.
    pub deadline: Option<Duration>,
}

impl Default for AttachParams {
    fn default() -> Self {
        Self { container: None, stdin: false, stdout: true, stderr: true, tty: false, deadline: None }
    }
}

impl AttachParams {
    /// A terminal with standard input.
    pub fn interactive_tty() -> Self {
        Self { stdin: true, stderr: false, tty: true, ..Self::default() }
    }

    /// The container.
    #[must_use]
    pub fn container(mut self, container: impl Into<String>) -> Self {
        self.container = Some(container.into());
        self
    }

    /// Whether its standard input is written to.
    #[must_use]
    pub fn stdin(mut self, enable: bool) -> Self {
        self.stdin = enable;
        self
    }

    /// Whether its standard output is read.
    #[must_use]
    pub fn stdout(mut self, enable: bool) -> Self {
        self.stdout = enable;
        self
    }

    /// Whether its standard error is read.
    #[must_use]
    pub fn stderr(mut self, enable: bool) -> Self {
        self.stderr = enable;
        self
    }

    /// Whether it runs in a terminal.
    #[must_use]
    pub fn tty(mut self, enable: bool) -> Self {
        self.tty = enable;
        self
    }

    /// How long the server may take to open the tunnel.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    fn options(&self) -> wit::ProcessOptions {
        let options = wit::ProcessOptions::new();
        if let Some(container) = &self.container {
            options.set_container(container);
        }
        if self.stdin {
            options.open_stdin();
        }
        if !self.stdout {
            options.omit_stdout();
        }
        if !self.stderr {
            options.omit_stderr();
        }
        if self.tty {
            options.set_terminal();
        }
        if let Some(deadline) = self.deadline {
            options.set_deadline(nanoseconds(deadline));
        }
        options
    }
}

impl Client {
    /// Starts a command in a pod, a program and its arguments; no shell is involved unless it is one. Without a namespace: the client's
    /// own, else `default`. Where [`Client::supports`] `exec`.
    ///
    /// ```no_run
    /// # fn main() -> tidegate::Result<()> {
    /// let client = tidegate::auto_detect_client()?;
    /// let output = client.exec(None, "web-0", ["uname", "-a"], &Default::default())?.output(b"")?;
    /// println!("{} ({})", String::from_utf8_lossy(&output.stdout), output.code);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Errors: as [`Client::send`]. A command that cannot be started is told by the process's end.
    pub fn exec<T: Into<String>>(
        &self,
        namespace: Option<&str>,
        pod: &str,
        command: impl IntoIterator<Item = T>,
        params: &AttachParams,
    ) -> Result<AttachedProcess> {
        let command: Vec<String> = command.into_iter().map(Into::into).collect();
        let process = wit::exec(self.as_wit(), namespace, pod, &command, params.options())?;
        Ok(AttachedProcess::new(process))
    }

    /// Attaches to the program that a container runs. Its output comes from now on. Where [`Client::supports`] `attach`.
    pub fn attach(
        &self,
        namespace: Option<&str>,
        pod: &str,
        params: &AttachParams,
    ) -> Result<AttachedProcess> {
        Ok(AttachedProcess::new(wit::attach(self.as_wit(), namespace, pod, params.options())?))
    }
}

/// What a process wrote, as it arrived; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chunk {
    /// To standard output; in a terminal, everything.
    Stdout(Vec<u8>),
    /// To standard error.
    Stderr(Vec<u8>),
}

/// All that a process wrote, and how it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: Vec<u8>,
    /// Its exit code.
    pub code: i32,
}

/// A process in a pod: an iterator of what it writes. Dropped, its tunnel is closed; what becomes of the process is the node's to decide.
///
/// Output that is not read holds the process back, and so does input that it does not read hold its writer back.
/// [`AttachedProcess::exchange`] does both in turns.
pub struct AttachedProcess {
    process: wit::Process,
    /// What came with the last batch and was not taken yet.
    batch: vec::IntoIter<Chunk>,
    ended: bool,
}

impl AttachedProcess {
    fn new(process: wit::Process) -> Self {
        Self { process, batch: Vec::new().into_iter(), ended: false }
    }

    /// The next output if it is there already; `Poll::Ready(None)` is the end.
    pub fn try_next(&mut self) -> Poll<Option<Result<Chunk>>> {
        loop {
            if let Some(chunk) = self.batch.next() {
                return Poll::Ready(Some(Ok(chunk)));
            }
            if self.ended {
                return Poll::Ready(None);
            }
            let Some(batch) = self.process.try_next() else { return Poll::Pending };
            if let Err(error) = self.refill(batch) {
                return Poll::Ready(Some(Err(error)));
            }
        }
    }

    /// Ready when the host would hand over output, or the end, without waiting. What came with the last batch is not counted: call
    /// [`AttachedProcess::try_next`] until it is pending, then wait.
    pub fn subscribe(&self) -> Pollable {
        self.process.subscribe().into()
    }

    /// Writes all of it to standard input; waits while the process takes nothing. Errors: `invalid-request` where [`AttachParams::stdin`]
    /// is off, `closed` after [`AttachedProcess::close_stdin`] or the end.
    pub fn write(&self, bytes: &[u8]) -> Result<()> {
        Ok(self.process.write(bytes)?)
    }

    /// Writes what can be taken now, and says how much that was.
    pub fn try_write(&self, bytes: &[u8]) -> Result<usize> {
        Ok(self.process.try_write(bytes)? as usize)
    }

    /// Ready when [`AttachedProcess::try_write`] would take something or fail.
    pub fn subscribe_write(&self) -> Pollable {
        self.process.subscribe_write().into()
    }

    /// Ends standard input, after what was written. Errors: `unsupported` before Kubernetes 1.30.
    pub fn close_stdin(&self) -> Result<()> {
        Ok(self.process.close_stdin()?)
    }

    /// Tells the terminal a size, in characters.
    pub fn resize(&self, width: u16, height: u16) -> Result<()> {
        Ok(self.process.resize(width, height)?)
    }

    /// Waits for the end, and gives the exit code, as often as asked. Output that was not read by then is thrown away.
    /// Errors: `status` where the server could not run it, and whatever befell the tunnel.
    pub fn exit(&self) -> Result<i32> {
        Ok(self.process.exit()?)
    }

    /// [`AttachedProcess::exit`] where all output was read and the end is known; none before.
    pub fn try_exit(&self) -> Option<Result<i32>> {
        if self.batch.len() > 0 {
            return None;
        }
        self.process.try_exit().map(|exit| Ok(exit?))
    }

    /// Writes all of `input` while it hands what the process writes to `take`: neither waits for the other. It ends once all is written, or the
    /// process has ended and reads no more.
    pub fn exchange(&mut self, mut input: &[u8], take: &mut dyn FnMut(Chunk) -> Result<()>) -> Result<()> {
        while !input.is_empty() {
            match self.try_write(input) {
                Ok(written) => input = &input[written..],
                // How it ended is told by `exit`.
                Err(error) if error.code() == "closed" => return Ok(()),
                Err(error) => return Err(error),
            }
            while let Poll::Ready(next) = self.try_next() {
                match next {
                    Some(chunk) => take(chunk?)?,
                    None => return Ok(()),
                }
            }
            if !input.is_empty() {
                crate::poll(&[&self.subscribe(), &self.subscribe_write()]);
            }
        }
        Ok(())
    }

    /// Writes `input` if there is any, ends standard input if it was asked for, and collects all that the process writes, in memory.
    pub fn output(mut self, input: &[u8]) -> Result<Output> {
        let mut output = Output::default();
        let mut take = |chunk: Chunk| {
            match chunk {
                Chunk::Stdout(bytes) => output.stdout.extend(bytes),
                Chunk::Stderr(bytes) => output.stderr.extend(bytes),
            }
            Ok(())
        };
        if !input.is_empty() {
            self.exchange(input, &mut take)?;
        }
        match self.close_stdin() {
            // There is none, or nobody to end it for.
            Err(error) if !matches!(error.code(), "invalid-request" | "closed") => return Err(error),
            _ => {}
        }
        for chunk in self.by_ref() {
            take(chunk?)?;
        }
        output.code = self.exit()?;
        Ok(output)
    }

    fn refill(
        &mut self,
        batch: Result<Option<Vec<wit::Chunk>>, crate::wit::tidegate::host::types::Error>,
    ) -> Result<()> {
        // After an error there is no more output.
        self.ended = !matches!(batch, Ok(Some(_)));
        let chunks = batch.map_err(Error::from)?.unwrap_or_default();
        let chunks: Vec<Chunk> = chunks
            .into_iter()
            .map(|chunk| match chunk.output_stream {
                wit::OutputStream::Stdout => Chunk::Stdout(chunk.bytes),
                wit::OutputStream::Stderr => Chunk::Stderr(chunk.bytes),
            })
            .collect();
        self.batch = chunks.into_iter();
        Ok(())
    }
}

impl Iterator for AttachedProcess {
    type Item = Result<Chunk>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(chunk) = self.batch.next() {
                return Some(Ok(chunk));
            }
            if self.ended {
                return None;
            }
            let batch = self.process.next();
            if let Err(error) = self.refill(batch) {
                return Some(Err(error));
            }
        }
    }
}

impl std::iter::FusedIterator for AttachedProcess {}

impl fmt::Debug for AttachedProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttachedProcess").field("ended", &self.ended).finish_non_exhaustive()
    }
}
