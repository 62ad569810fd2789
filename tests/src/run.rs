use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::program;

/// One run of the `tidegate` program, in an environment that holds nothing but what the test puts there.
///
/// Its home is a fresh folder, so no kubeconfig of the person who runs the tests is ever seen; the cache of compiled code is
/// shared by all runs, since compiling dominates otherwise.
#[derive(Debug)]
pub struct Run {
    flags: Vec<OsString>,
    guest: Option<OsString>,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    folder: Option<PathBuf>,
    deadline: Duration,
    home: tempfile::TempDir,
}

/// What came of a run.
#[derive(Debug)]
pub struct Outcome {
    /// How the process ended.
    pub status: ExitStatus,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
}

/// What a process used, as last seen while it ran: both only grow.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// Its largest resident set, in bytes.
    pub memory: u64,
    /// Time on a processor, its own and the kernel's for it. A busy machine does not change it.
    pub processor: Duration,
}

impl Run {
    /// `tidegate run … GUEST`. A guest with a `/` in it is a path, else the name of a guest of the guest workspace.
    pub fn guest(name: &str) -> Run {
        let path = if name.contains('/') { name.into() } else { crate::guest(name) };
        Run { guest: Some(path.into_os_string()), ..Run::command("run") }
    }

    /// `tidegate COMMAND`.
    pub fn command(command: &str) -> Run {
        #[expect(clippy::expect_used, reason = "a test that cannot have a folder cannot run")]
        let home = tempfile::tempdir().expect("a temporary folder");
        Run {
            flags: vec![command.into()],
            guest: None,
            arguments: Vec::new(),
            environment: vec![
                ("HOME".into(), home.path().into()),
                ("PATH".into(), std::env::var_os("PATH").unwrap_or_default()),
            ],
            folder: None,
            deadline: Duration::from_secs(60),
            home,
        }
    }

    /// A flag of tidegate, before the script.
    #[must_use]
    pub fn flag(mut self, flag: impl AsRef<OsStr>) -> Run {
        self.flags.push(flag.as_ref().into());
        self
    }

    /// `--name=value`, the value taken as it is.
    #[must_use]
    pub fn flag_path(self, name: &str, value: &Path) -> Run {
        let mut flag = OsString::from(name);
        flag.push("=");
        flag.push(value);
        self.flag(flag)
    }

    /// Flags, separated by spaces.
    #[must_use]
    pub fn flags(self, flags: &str) -> Run {
        flags.split_whitespace().fold(self, Run::flag)
    }

    /// An argument of the script.
    #[must_use]
    pub fn argument(mut self, argument: impl AsRef<OsStr>) -> Run {
        self.arguments.push(argument.as_ref().into());
        self
    }

    /// A variable of tidegate's environment.
    #[must_use]
    pub fn variable(mut self, name: &str, value: impl AsRef<OsStr>) -> Run {
        self.environment.push((name.into(), value.as_ref().into()));
        self
    }

    /// Its working folder. Default: the test's.
    #[must_use]
    pub fn folder(mut self, folder: &Path) -> Run {
        self.folder = Some(folder.to_path_buf());
        self
    }

    /// When the run is ended by force and the test fails. Default: 60 s.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Run {
        self.deadline = deadline;
        self
    }

    /// Its home folder.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// The process, for a test that talks to it while it runs.
    pub fn to_command(&self) -> Command {
        let mut command = Command::new(program("tidegate"));
        command
            .env_clear()
            .env("XDG_CACHE_HOME", compiled_code())
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.args(&self.flags).args(&self.guest);
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        if !self.arguments.is_empty() {
            command.arg("--").args(&self.arguments);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// Where it does not start, or is still running at the deadline.
    pub fn run(self) -> Outcome {
        self.run_as(self.to_command())
    }

    /// Runs it to its end under strace: what it opened, connected to and started, one system call a line, descriptors with their
    /// paths.
    ///
    /// # Panics
    /// As [`run`](Self::run).
    #[expect(clippy::expect_used, reason = "a test that cannot read its trace fails")]
    pub fn traced(self) -> (Outcome, String) {
        let trace = self.home.path().join("trace");
        let tidegate = self.to_command();
        let mut strace = Command::new("strace");
        strace
            .args(["-f", "-y", "-s", "300", "-e", "trace=open,openat,openat2,connect,execve", "-o"])
            .arg(&trace);
        strace.arg(tidegate.get_program()).args(tidegate.get_args()).env_clear();
        strace.envs(tidegate.get_envs().filter_map(|(name, value)| Some((name, value?))));
        strace.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let outcome = self.run_as(strace);
        let text = std::fs::read_to_string(&trace).expect("the trace; is strace installed?");
        (outcome, text)
    }

    /// Runs it to its end, and says what it used of the machine.
    ///
    /// # Panics
    /// As [`run`](Self::run).
    pub fn measured(self) -> (Outcome, Usage) {
        let mut usage = Usage::default();
        let outcome = self.watched(self.to_command(), |child| usage = Usage::of(child.id()).unwrap_or(usage));
        (outcome, usage)
    }

    fn run_as(&self, command: Command) -> Outcome {
        self.watched(command, |_| {})
    }

    #[expect(clippy::expect_used, reason = "a test that cannot start its program fails")]
    fn watched(&self, mut command: Command, look: impl FnMut(&Child)) -> Outcome {
        let mut child = command.spawn().expect("start tidegate");
        let (stdout, stderr) = (reader(child.stdout.take()), reader(child.stderr.take()));
        let status = within(&mut child, self.deadline, look);
        let text = |thread: std::thread::JoinHandle<Vec<u8>>| {
            String::from_utf8_lossy(&thread.join().unwrap_or_default()).into_owned()
        };
        let (stdout, stderr) = (text(stdout), text(stderr));
        let Some(status) = status else {
            panic!(
                "still running after {:?}: {:?}\nstdout: {stdout}\nstderr: {stderr}",
                self.deadline, self.flags
            )
        };
        Outcome { status, stdout, stderr }
    }
}

impl Outcome {
    /// The exit code, or −1 where a signal ended it.
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or(-1)
    }

    /// # Panics
    /// Where the exit code is another; shows all that was written.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Outcome {
        assert_eq!(self.code(), code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }
}

fn reader<R: Read + Send + 'static>(stream: Option<R>) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut stream) = stream {
            let _ = stream.read_to_end(&mut bytes);
        }
        bytes
    })
}

/// Waits for the child and looks at it now and then; kills it at the deadline and returns none.
fn within(child: &mut Child, deadline: Duration, mut look: impl FnMut(&Child)) -> Option<ExitStatus> {
    let end = Instant::now() + deadline;
    while Instant::now() < end {
        look(child);
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            _ => std::thread::sleep(Duration::from_millis(5)),
        }
    }
    let _ = child.kill();
    let _ = child.wait();
    None
}

impl Usage {
    fn of(id: u32) -> Option<Usage> {
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        let memory = line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10;
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // Behind the name, which may hold anything, the user's and the kernel's time are the 12th and 13th, in hundredths.
        let numbers = stat.rsplit(')').next()?.split_whitespace().skip(11).take(2);
        let ticks: u64 = numbers.filter_map(|number| number.parse::<u64>().ok()).sum();
        Some(Usage { memory, processor: Duration::from_millis(ticks * 10) })
    }
}

/// A cache of compiled code of the tests' own, the same for all runs.
fn compiled_code() -> PathBuf {
    std::env::temp_dir().join("tidegate-tests-cache")
}
