//! A program that was started.

use std::fmt;
use std::io;
use std::os::unix::process::ExitStatusExt;

use rustix::process::{Pid, Resource, Rlimit, Signal};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};

/// A running program. Dropping it kills its whole process group, and tokio reaps it.
///
/// Descendants that left the group, or that outlive a program which ended by itself, are not followed.
pub struct Child {
    inner: tokio::process::Child,
    /// Its standard input, where piped; take and drop it to end the input.
    pub stdin: Option<ChildStdin>,
    /// Its standard output, where piped.
    pub stdout: Option<ChildStdout>,
    /// Its standard error, where piped.
    pub stderr: Option<ChildStderr>,
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl Exit {
    /// Whether it ended by itself with code 0.
    pub fn is_success(self) -> bool {
        self == Exit::Code(0)
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exit::Code(code) => write!(f, "exit code {code}"),
            Exit::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}

impl Child {
    /// Its process id, until it was waited for.
    pub fn id(&self) -> Option<u32> {
        self.inner.id()
    }

    /// Waits until it ends, closing its standard input first. Cancel-safe. Take the piped outputs and read them beside
    /// this, or a full pipe keeps it waiting for ever.
    pub async fn wait(&mut self) -> io::Result<Exit> {
        self.stdin = None;
        let status = self.inner.wait().await?;
        Ok(match (status.code(), status.signal()) {
            (Some(code), _) => Exit::Code(code),
            (None, signal) => Exit::Signal(signal.unwrap_or_default()),
        })
    }

    /// Kills the process group now; [`Child::wait`] then tells the end. Does nothing once it was waited for.
    pub fn kill(&mut self) {
        // Not reaped yet, so the id is still its own and no other group's.
        if let Some(group) = self.pid() {
            // ESRCH: nothing is left to kill.
            let _ = rustix::process::kill_process_group(group, Signal::KILL);
        }
    }

    /// Caps the address space of the child at `bytes`; it sees allocations fail beyond. Applies from now on, so give a child
    /// its input after this.
    pub fn limit_memory(&self, bytes: u64) -> io::Result<()> {
        let limit = Rlimit { current: Some(bytes), maximum: Some(bytes) };
        match self.pid() {
            Some(pid) => Ok(rustix::process::prlimit(Some(pid), Resource::As, limit).map(drop)?),
            None => Ok(()),
        }
    }

    pub(crate) fn new(mut inner: tokio::process::Child) -> Self {
        let (stdin, stdout, stderr) = (inner.stdin.take(), inner.stdout.take(), inner.stderr.take());
        Self { inner, stdin, stdout, stderr }
    }

    fn pid(&self) -> Option<Pid> {
        self.inner.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
    }
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Child").field(&self.id()).finish()
    }
}
