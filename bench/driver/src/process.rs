//! Runs one client from start to end and measures it.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use bench_scan::{Tally, event, identity};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::Failure;
use crate::pin::{Pin, Processors};

/// The longest that one run may take.
const DEADLINE: Duration = Duration::from_secs(180);

/// How a client tells what it found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Telling {
    /// By a line that [`Tally`] writes.
    Tally,
    /// By a row of columns for each object.
    Rows,
    /// By the object as it came.
    Object,
    /// By the lines of a watch. It would go on: it is stopped after so many.
    Events(u64),
}

/// One measured run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    /// From before the process was started until it was gone.
    pub(crate) whole: Duration,
    /// The most memory that it had at once, in bytes.
    pub(crate) peak: u64,
    pub(crate) tally: Tally,
}

/// Starts the client, reads what it tells, waits for its end.
pub(crate) fn measure(
    mut command: Command,
    telling: Telling,
    pin: Pin,
    processors: &Processors,
) -> Result<Run, Failure> {
    let complaints = tempfile::NamedTempFile::new()?;
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(complaints.path())?);
    let (begin, started) = processors.as_client(pin, || (Instant::now(), command.spawn()))?;
    processors.stand_aside(pin)?;
    let mut child = started.map_err(|error| format!("start {}: {error}", shown(&command)))?;
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or("a child without a number")?;
    // Open until the child is gone: what is stopped after so many events would be stopped by SIGPIPE sooner.
    let mut stdout = child.stdout.take().ok_or("a child without an output")?;
    let handle = pidfd_open(pid, PidfdFlags::empty())?;
    let (finished, watchdog) = watchdog(handle.try_clone()?);
    let tally = read(&mut stdout, telling);
    if matches!(telling, Telling::Events(_)) {
        let _ = pidfd_send_signal(handle.as_fd(), Signal::KILL);
    }
    let (status, peak) = wait(pid)?;
    let whole = begin.elapsed();
    drop(finished);
    let late = watchdog.join().unwrap_or(false);
    // Said here at the latest: what was read from a client that failed is not worth an error of its own.
    let stopped = matches!(telling, Telling::Events(_)) && status.signal() == Some(9) && !late;
    if !status.success() && !stopped {
        let why =
            if late { format!("did not end within {DEADLINE:?}") } else { format!("ended with {status}") };
        let text = std::fs::read_to_string(complaints.path())?;
        return Err(format!("{} {why}\n{}", shown(&command), tail(&text)).into());
    }
    let tally = tally.map_err(|error| format!("{}: {error}", shown(&command)))?;
    Ok(Run { whole, peak, tally })
}

/// A program that runs beside a client; stopped when dropped.
pub(crate) struct Probe(Child);

impl Probe {
    /// Starts it, and waits until it says that it is ready.
    pub(crate) fn start(mut command: Command) -> Result<Probe, Failure> {
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let child = command.spawn().map_err(|error| format!("start {}: {error}", shown(&command)))?;
        let mut probe = Probe(child);
        let stdout = probe.0.stdout.take().ok_or("a child without an output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        match line.trim() {
            "ready" => Ok(probe),
            _ => Err(format!("{} ended before it was ready", shown(&command)).into()),
        }
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Kills the process at the deadline, unless the sender has been dropped before. It says whether it did.
fn watchdog(process: OwnedFd) -> (mpsc::Sender<()>, thread::JoinHandle<bool>) {
    let (finished, waiting) = mpsc::channel::<()>();
    let handle = thread::spawn(move || {
        let late = waiting.recv_timeout(DEADLINE) == Err(mpsc::RecvTimeoutError::Timeout);
        if late {
            let _ = pidfd_send_signal(process.as_fd(), Signal::KILL);
        }
        late
    });
    (finished, handle)
}

fn read(stdout: &mut ChildStdout, telling: Telling) -> Result<Tally, Failure> {
    let mut stdout = BufReader::with_capacity(1 << 16, stdout);
    match telling {
        Telling::Tally => {
            let mut text = String::new();
            stdout.read_to_string(&mut text)?;
            text.trim().parse().map_err(|_| format!("said {text:?} instead of what it found").into())
        }
        Telling::Object => {
            let mut object = Vec::new();
            stdout.read_to_end(&mut object)?;
            let mut tally = Tally::default();
            tally.add(&identity(&object).ok_or("printed no object")?);
            Ok(tally)
        }
        Telling::Rows => lines(&mut stdout, u64::MAX, |line, tally| {
            tally.add_weight(line.split(u8::is_ascii_whitespace).map(<[u8]>::len).sum());
            Ok(())
        }),
        Telling::Events(count) => lines(&mut stdout, count, |line, tally| {
            let event = event(line).ok_or("printed a line that is no event")?;
            tally.add(&event.identity);
            tally.weight += event.event_type.len() as u64;
            Ok(())
        }),
    }
}

/// Reads up to so many lines.
fn lines(
    stdout: &mut impl BufRead,
    most: u64,
    mut each: impl FnMut(&[u8], &mut Tally) -> Result<(), Failure>,
) -> Result<Tally, Failure> {
    let mut tally = Tally::default();
    let mut line = Vec::new();
    while tally.count < most {
        line.clear();
        if stdout.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        each(&line, &mut tally)?;
    }
    Ok(tally)
}

/// Waits for a child of ours; its end, and the most memory that it had at once, in bytes.
///
/// Neither std nor rustix tells the memory of one child: the sum over all children holds the largest only.
#[allow(unsafe_code)]
fn wait(pid: Pid) -> Result<(ExitStatus, u64), Failure> {
    let mut status = 0;
    // SAFETY: `rusage` is plain numbers, for which zeroes are valid.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    loop {
        // SAFETY: both pointers are to values that live and are not used otherwise during the call.
        let ended = unsafe { libc::wait4(pid.as_raw_nonzero().get(), &raw mut status, 0, &raw mut usage) };
        if ended >= 0 {
            let kilobytes = u64::try_from(usage.ru_maxrss).unwrap_or_default();
            return Ok((ExitStatus::from_raw(status), kilobytes * 1024));
        }
        let error = std::io::Error::last_os_error();
        if error.kind() != std::io::ErrorKind::Interrupted {
            return Err(error.into());
        }
    }
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

/// The last lines of what a client complained.
fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(script: &str, telling: Telling) -> Result<Run, String> {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let processors = Processors::find().map_err(|error| error.to_string())?;
        measure(command, telling, Pin::ServerOnly, &processors).map_err(|error| error.to_string())
    }

    #[test]
    fn what_clients_tell() {
        for (script, telling, count, weight) in [
            ("echo found 2 30 0.5", Telling::Tally, 2, 30),
            ("printf 'ab  c\\nd  e\\n'", Telling::Rows, 2, 5),
            (r#"echo '{"metadata":{"name":"abc"}}'"#, Telling::Object, 1, 3),
            (
                r#"while :; do echo '{"type":"A","object":{"metadata":{"name":"b"}}}'; done"#,
                Telling::Events(3),
                3,
                6,
            ),
        ] {
            let tally = run(script, telling).map(|run| (run.tally.count, run.tally.weight));
            assert_eq!(tally, Ok((count, weight)), "{script}");
        }
    }

    #[test]
    fn failures_are_told_with_their_words() {
        let error = run("echo found 1 1 1; echo why >&2; exit 3", Telling::Tally).err().unwrap_or_default();
        assert!(error.contains("exit status: 3") && error.ends_with("why"), "{error}");
        assert!(run("echo hello", Telling::Tally).is_err());
        assert!(run("exit 1", Telling::Events(3)).is_err());
    }

    #[test]
    fn memory_and_time_are_those_of_the_child() {
        let run = run("sleep 0.05; echo found 0 0 0", Telling::Tally);
        assert!(run.is_ok_and(|run| run.whole >= Duration::from_millis(50) && run.peak > 100_000));
    }
}
