//! What to start, and with what.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

use crate::environment::{Environment, is_loader_variable};
use crate::process::child::Child;
use crate::process::error::RunError;

/// Where one of a child's standard streams goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stdio {
    /// Nothing to read, and what is written is lost.
    Null,
    /// To the caller, who must keep reading (or writing) and sets the caps.
    Piped,
    /// To this process' own.
    Inherit,
}

/// A program about to be started. Only [`RunGrant::command`](crate::RunGrant::command) and
/// [`HostAuthority::command`](crate::HostAuthority::command) make one.
///
/// The child gets the host's environment less the loader's variables (`LD_*`, `DYLD_*`), see [`Command::inherit_only`]; its
/// standard input is empty and both outputs are piped unless set otherwise. It leads a process group of its own, so that a
/// terminal's Ctrl-C reaches only tidegate, which ends the group itself.
///
/// No parent-death signal is set: Linux clears it on fork, and setting it between fork and exec takes unsafe code. A child
/// outlives a tidegate that was killed with SIGKILL until it sees its pipes closed; our own compiler sets that signal for
/// itself.
pub struct Command {
    program: PathBuf,
    arguments: Vec<OsString>,
    environment: Environment,
    only: Option<Vec<String>>,
    set: Vec<(OsString, OsString)>,
    folder: Option<PathBuf>,
    streams: [Stdio; 3],
}

impl Command {
    /// The absolute path of the program.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// The arguments so far, without the program itself.
    pub fn arguments(&self) -> &[OsString] {
        &self.arguments
    }

    /// Adds an argument.
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Adds arguments.
    pub fn args(mut self, arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Inherits just these variables of the host (`--child-env`); none means all. Loader variables are left out even where
    /// they are named.
    pub fn inherit_only(mut self, names: Option<&[String]>) -> Self {
        self.only = names.map(<[String]>::to_vec);
        self
    }

    /// Sets a variable, over an inherited one. A loader variable makes [`Command::spawn`] an error.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.set.push((name.into(), value.into()));
        self
    }

    /// The folder to start in; this process' own unless set.
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Where standard input comes from; [`Stdio::Null`] unless set.
    pub fn stdin(mut self, stdio: Stdio) -> Self {
        self.streams[0] = stdio;
        self
    }

    /// Where standard output goes; [`Stdio::Piped`] unless set.
    pub fn stdout(mut self, stdio: Stdio) -> Self {
        self.streams[1] = stdio;
        self
    }

    /// Where standard error goes; [`Stdio::Piped`] unless set.
    pub fn stderr(mut self, stdio: Stdio) -> Self {
        self.streams[2] = stdio;
        self
    }

    /// Starts it. Needs a tokio runtime with its I/O driver. Errors: [`RunError::LoaderVariable`], [`RunError::Spawn`].
    pub fn spawn(self) -> Result<Child, RunError> {
        if let Some((name, _)) = self.set.iter().find(|(name, _)| is_loader_variable(name)) {
            return Err(RunError::LoaderVariable { name: name.to_string_lossy().into_owned() });
        }
        let [stdin, stdout, stderr] = self.streams.map(std::process::Stdio::from);
        let mut command = tokio::process::Command::new(&self.program);
        command.args(&self.arguments).env_clear();
        command.envs(self.environment.for_child(self.only.as_deref()));
        command.envs(self.set.iter().map(|(name, value)| (name, value)));
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        command.stdin(stdin).stdout(stdout).stderr(stderr).process_group(0).kill_on_drop(true);
        match command.spawn() {
            Ok(child) => Ok(Child::new(child)),
            Err(source) => Err(RunError::Spawn { path: self.program, source }),
        }
    }

    pub(crate) fn new(program: &Path, environment: Environment) -> Self {
        Self {
            program: program.to_owned(),
            arguments: Vec::new(),
            environment,
            only: None,
            set: Vec::new(),
            folder: None,
            streams: [Stdio::Null, Stdio::Piped, Stdio::Piped],
        }
    }
}

impl fmt::Debug for Command {
    /// The program, its arguments and the names of variables; never a value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set: Vec<&OsStr> = self.set.iter().map(|(name, _)| name.as_os_str()).collect();
        f.debug_struct("Command")
            .field("program", &self.program)
            .field("arguments", &self.arguments)
            .field("env", &set)
            .finish_non_exhaustive()
    }
}

impl From<Stdio> for std::process::Stdio {
    fn from(stdio: Stdio) -> Self {
        match stdio {
            Stdio::Null => std::process::Stdio::null(),
            Stdio::Piped => std::process::Stdio::piped(),
            Stdio::Inherit => std::process::Stdio::inherit(),
        }
    }
}
