use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use crate::Run;
use crate::ask::without_progress;

/// A run that goes on while the test looks at it. Killed when dropped.
#[derive(Debug)]
pub struct Live {
    child: Child,
    stdout: Option<BufReader<ChildStdout>>,
    _run: Run,
}

impl Run {
    /// Starts it, and does not wait. Its standard input is empty.
    ///
    /// # Panics
    /// Where it does not start.
    pub fn live(self) -> Live {
        self.live_with(Stdio::null())
    }

    /// Starts it with a standard input of the test's choice, and does not wait.
    ///
    /// # Panics
    /// Where it does not start.
    #[expect(clippy::expect_used, reason = "a test that cannot start its program fails")]
    pub fn live_with(self, stdin: Stdio) -> Live {
        let mut command = heeding_signals(&self.to_command());
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("start tidegate");
        let stdout = child.stdout.take().map(BufReader::new);
        Live { child, stdout, _run: self }
    }
}

/// The command as a terminal would start it: what a background job of a shell starts has SIGINT ignored, and so would tidegate.
fn heeding_signals(tidegate: &Command) -> Command {
    let mut command = Command::new("/usr/bin/env");
    command.arg("--default-signal=INT,HUP,TERM").arg(tidegate.get_program()).args(tidegate.get_args());
    command.env_clear().envs(tidegate.get_envs().filter_map(|(name, value)| Some((name, value?))));
    if let Some(folder) = tidegate.get_current_dir() {
        command.current_dir(folder);
    }
    command
}

impl Live {
    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next line of its standard output; empty at the end.
    ///
    /// # Panics
    /// Where its standard output was closed by [`close_stdout`](Self::close_stdout).
    #[expect(clippy::expect_used, reason = "a test that cannot read its program fails")]
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.as_mut().expect("standard output").read_line(&mut line).expect("a line");
        line.trim_end().to_owned()
    }

    /// Writes to its standard input, which [`live_with`](Run::live_with) made a pipe.
    ///
    /// # Panics
    /// Where it is none, or is closed.
    #[expect(clippy::expect_used, reason = "a test that cannot write to its program fails")]
    pub fn write(&mut self, text: &str) {
        let stdin = self.child.stdin.as_mut().expect("standard input");
        stdin.write_all(text.as_bytes()).expect("write to standard input");
    }

    /// Reads no more of its standard output, as `head` does.
    pub fn close_stdout(&mut self) {
        self.stdout = None;
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// Where it has ended.
    #[expect(clippy::expect_used, reason = "a test whose program has ended too soon fails")]
    pub fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process id");
        rustix::process::kill_process(id, signal).expect("send a signal");
    }

    /// The ids of its children and of theirs.
    pub fn descendants(&self) -> Vec<u32> {
        let mut found = children(self.child.id());
        let mut next = 0;
        while next < found.len() {
            found.extend(children(found[next]));
            next += 1;
        }
        found
    }

    /// How it ended, how long that took, and what it had written to standard error; but for the compiler's progress, which is there or not
    /// as the cache of compiled code is cold or warm.
    ///
    /// # Panics
    /// Where it is still running at the deadline.
    #[expect(clippy::expect_used, reason = "a test that cannot read its program fails")]
    pub fn ended_within(mut self, deadline: Duration) -> (ExitStatus, Duration, String) {
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("its status") {
                break status;
            }
            assert!(begun.elapsed() < deadline, "still running after {deadline:?}");
            std::thread::sleep(Duration::from_millis(5));
        };
        let elapsed = begun.elapsed();
        let mut stderr = String::new();
        self.child
            .stderr
            .take()
            .expect("standard error")
            .read_to_string(&mut stderr)
            .expect("standard error");
        (status, elapsed, without_progress(&stderr).join("\n"))
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether a process is there and is not merely waited for.
pub fn is_alive(id: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['Z', 'X']))
}

/// Waits until something holds.
///
/// # Panics
/// Where it does not within 10 s.
#[track_caller]
pub fn eventually(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < end, "not so after 10 s: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn children(id: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<u32>>())
        .collect()
}
