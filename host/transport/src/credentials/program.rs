//! Runs a program that prints a credential: with a deadline, with caps, and without waiting for what it leaves behind.

use std::sync::Arc;
use std::time::Duration;

use tidegate_authority::{Child, Command, Exit, RunError, RunGrant};
use tidegate_kube::Secret;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::{Instant, sleep_until};

use super::said::Said;
use crate::{Code, Error, Event, Observer, PluginOptions};

/// How much a program may print.
const CAP: usize = 1024 * 1024;

/// Once the program has ended, how long its outputs may be silent before they count as ended too: something that it left behind
/// may hold them open.
const SILENCE: Duration = Duration::from_millis(50);

/// A program, and what its user chose.
pub(crate) struct Program {
    pub(crate) run: RunGrant,
    /// `exec plugin of user "u"`.
    pub(crate) what: String,
    pub(crate) options: PluginOptions,
    pub(crate) observer: Arc<dyn Observer>,
}

/// What a program printed, and what it said to its user, which is shown once it is known what must not be.
pub(super) struct Printed {
    pub(super) text: Secret<Vec<u8>>,
    said: Said,
}

impl Printed {
    /// Shows what the program said, without these.
    pub(super) fn tell(self, secrets: &[&str], program: &Program) {
        self.said.release(secrets, program.run.name(), &*program.observer);
    }

    /// Shows what the program said. What it printed could not be read, so that any of it may be a credential: no longer word of it
    /// is shown.
    pub(super) fn tell_without_words(self, program: &Program) {
        let printed = String::from_utf8_lossy(self.text.expose());
        self.said.release(&words(&printed), program.run.name(), &*program.observer);
    }
}

impl Program {
    /// The command, with the environment that its user chose.
    pub(super) fn command(&self) -> Result<Command, RunError> {
        Ok(self.run.command()?.inherit_only(self.options.child_env.as_deref()))
    }

    /// Runs it to its end. Errors: it does not start, takes longer than the deadline, prints more than 1 MiB, or fails.
    pub(super) async fn print(&self, command: Command) -> Result<Printed, Error> {
        let name = self.run.name();
        let line = format!("{} ({})", command.program().display(), self.what);
        self.observer.event(&Event::Command { line: &line });
        let mut child = command.spawn().map_err(|error| self.not_started(error))?;
        let mut said = Said::new();
        let deadline = Instant::now() + self.options.deadline;
        let mut text = Secret::new(Vec::new());
        let result = self.watch(&mut child, deadline, &mut said, &mut text).await;
        // Also what it left behind in its group, where it did not end by itself.
        drop(child);
        let error = match result {
            Ok(Exit::Code(0)) => return Ok(Printed { text, said }),
            // client-go's words.
            Ok(Exit::Code(code)) => {
                self.broken(format!("exec: executable {name} failed with exit code {code}"))
            }
            Ok(Exit::Signal(signal)) => {
                self.broken(format!("exec: executable {name} was ended by signal {signal}"))
            }
            Err(error) => error,
        };
        let printed = String::from_utf8_lossy(text.expose());
        said.release(&words(&printed), name, &*self.observer);
        Err(error)
    }

    async fn watch(
        &self,
        child: &mut Child,
        deadline: Instant,
        said: &mut Said,
        text: &mut Secret<Vec<u8>>,
    ) -> Result<Exit, Error> {
        let (mut stdout, mut stderr) = (child.stdout.take(), child.stderr.take());
        let (mut out, mut err) = ([0; 8192], [0; 8192]);
        let mut exit = None;
        let mut end = deadline;
        let mut collected = Vec::new();
        let result = loop {
            if let Some(exit) = exit
                && stdout.is_none()
                && stderr.is_none()
            {
                break Ok(exit);
            }
            let due = said.due();
            tokio::select! {
                count = read(&mut stdout, &mut out), if stdout.is_some() => {
                    collected.extend_from_slice(&out[..count]);
                    if collected.len() > CAP {
                        break Err(self.too_much());
                    }
                }
                count = read(&mut stderr, &mut err), if stderr.is_some() => said.push(&err[..count], Instant::now()),
                ended = child.wait(), if exit.is_none() => match ended {
                    Ok(ended) => exit = Some(ended),
                    Err(error) => break Err(self.broken("exec: wait for the program".to_owned()).because(error)),
                },
                () = sleep_until(due.unwrap_or(deadline)), if due.is_some() => {
                    said.release_due(Instant::now(), self.run.name(), &*self.observer);
                    continue;
                }
                () = sleep_until(end) => match exit {
                    Some(exit) => break Ok(exit),
                    None => break Err(self.too_long()),
                },
            }
            if exit.is_some() {
                end = deadline.min(Instant::now() + SILENCE);
            }
        };
        *text = Secret::new(collected);
        result
    }

    /// What went wrong with getting a credential.
    pub(super) fn broken(&self, text: String) -> Error {
        Error::new(Code::NotConfigured, format!("getting credentials: {text} ({})", self.what)).broken()
    }

    /// It was not found or not started; `hint` is how to install it.
    pub(super) fn not_started(&self, error: RunError) -> Error {
        match error.missing() {
            Some(missing) => Error::denied(error.to_string(), missing.flag().into_iter().collect()),
            None if matches!(error, RunError::Writable { .. }) => {
                Error::denied(error.to_string(), Vec::new())
            }
            None => {
                self.broken(format!("exec: executable {} cannot be started", self.run.name())).because(error)
            }
        }
    }

    fn too_much(&self) -> Error {
        let text = format!(
            "getting credentials: {} printed more than {CAP} bytes, the cap ({})",
            self.run.name(),
            self.what
        );
        Error::new(Code::TooLarge, text).broken()
    }

    fn too_long(&self) -> Error {
        let text = format!(
            "getting credentials: {} did not end within {} s, the deadline for plugins ({})",
            self.run.name(),
            self.options.deadline.as_secs_f32(),
            self.what
        );
        Error::new(Code::Timeout, text).broken()
    }
}

/// What of an output that nobody understands may be a credential.
fn words(printed: &str) -> Vec<&str> {
    printed.split(|c: char| c.is_whitespace() || c == '"').filter(|word| word.len() >= 8).collect()
}

/// Reads what is there; at the end, or on an error, which is as good, the output is closed.
async fn read<R: AsyncRead + Unpin>(output: &mut Option<R>, buffer: &mut [u8]) -> usize {
    let Some(open) = output else { return 0 };
    match open.read(buffer).await {
        Ok(count) if count > 0 => count,
        _ => {
            *output = None;
            0
        }
    }
}
