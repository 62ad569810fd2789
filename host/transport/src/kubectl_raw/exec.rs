//! A process in a pod through `kubectl exec`, in the channels of a tunnel.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use serde_json::json;
use tidegate_authority::{Child, Exit};
use tidegate_kube::channels::Piece;
use tidegate_kube::channels::process as channel;
use tidegate_kube::path::ApiPath;
use tidegate_kube::status::read_kubectl_stderr;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use tokio::time::{Instant, Sleep, sleep_until};

use super::command::unsupported;
use super::output::complaint;
use super::said::{Said, code_in};
use crate::tunnel::Shared;
use crate::{Code, Error};

/// How much is read at once.
const PIECE: usize = 64 * 1024;

/// How long words are held back that may be kubectl's own and not the process's.
const PATIENCE: Duration = Duration::from_millis(250);

/// How long what kubectl wrote last is waited for once it has ended: a plugin that lives on may hold the pipes open.
const LAST_WORDS: Duration = Duration::from_millis(250);

/// What a path asks `kubectl exec` for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Exec {
    pub(super) arguments: Vec<String>,
    pub(super) streams: Streams,
}

/// Which of a process's streams are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Streams {
    pub(super) stdin: bool,
    pub(super) stdout: bool,
    pub(super) stderr: bool,
}

impl Exec {
    /// `wait` is for how long kubectl may wait until the pod runs.
    ///
    /// Errors: [`Code::Unsupported`] for anything but `pods/exec`, and for a terminal, which kubectl makes only where it has one itself.
    pub(super) fn of(path: &ApiPath, wait: Duration) -> Result<Exec, Error> {
        let segments = path.segments();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let ["api", "v1", "namespaces", namespace, "pods", pod, "exec"] = segments[..] else {
            return Err(unsupported("kubectl opens no tunnels but to pods/exec (attach, port-forward)"));
        };
        let mut arguments = vec![
            "exec".to_owned(),
            "--quiet".to_owned(),
            format!("--namespace={namespace}"),
            format!("--pod-running-timeout={}s", wait.as_secs().max(1)),
        ];
        let (mut streams, mut command) = (Streams::default(), Vec::new());
        for (name, value) in path.query_pairs() {
            match (name.as_str(), value.as_str()) {
                ("container", container) => arguments.push(format!("--container={container}")),
                ("command", _) => command.push(value),
                ("stdin", word) => streams.stdin = is_true(word)?,
                ("stdout", word) => streams.stdout = is_true(word)?,
                ("stderr", word) => streams.stderr = is_true(word)?,
                ("tty", word) if !is_true(word)? => {}
                ("tty", _) => {
                    return Err(unsupported(
                        "kubectl makes a terminal only where it runs in one itself (terminal)",
                    ));
                }
                _ => {
                    return Err(unsupported(&format!(
                        "kubectl exec cannot pass the query parameter {name} on"
                    )));
                }
            }
        }
        if command.is_empty() {
            return Err(Error::new(Code::InvalidRequest, "an exec needs a command"));
        }
        if streams.stdin {
            arguments.push("--stdin".to_owned());
        }
        // Behind a type and a dash, so that no name is read as a flag or as another resource.
        arguments.extend([format!("pods/{pod}"), "--".to_owned()]);
        arguments.extend(command);
        Ok(Exec { arguments, streams })
    }
}

fn is_true(word: &str) -> Result<bool, Error> {
    match word {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(Error::new(Code::InvalidRequest, "stdin, stdout, stderr and tty are `true` or `false`")),
    }
}

/// Moves what the process says and is told until kubectl has ended. Dropped, it ends kubectl.
pub(super) async fn drive(mut child: Child, streams: Streams, shared: Arc<Shared>) -> Result<(), Error> {
    let stdin = child.stdin.take();
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let mut pump = Pump {
        child,
        streams,
        shared,
        stdin,
        message: Bytes::new(),
        stdout,
        stderr,
        buffer: BytesMut::new(),
        said: Said::default(),
        timer: None,
        exit: None,
        last_words: None,
    };
    poll_fn(|cx| pump.poll(cx)).await
}

struct Pump {
    child: Child,
    streams: Streams,
    shared: Arc<Shared>,
    stdin: Option<ChildStdin>,
    /// What is being written.
    message: Bytes,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    buffer: BytesMut,
    said: Said,
    /// When what is held back is let go.
    timer: Option<Pin<Box<Sleep>>>,
    exit: Option<Exit>,
    /// Until when the pipes of a kubectl that has ended are read.
    last_words: Option<Pin<Box<Sleep>>>,
}

/// What of a pipe was not read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Left {
    /// Nothing that is there by now.
    Nothing,
    /// Perhaps something: there is no room for more.
    Perhaps,
}

impl Pump {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.shared.register(cx);
        self.poll_stdin(cx);
        let broken = |error| Error::new(Code::Protocol, "kubectl's output broke off").because(error);
        self.poll_exit(cx).map_err(broken)?;
        let left = [self.poll_stdout(cx).map_err(broken)?, self.poll_stderr(cx).map_err(broken)?];
        let Some(exit) = self.exit else { return Poll::Pending };
        if self.stdout.is_some() || self.stderr.is_some() {
            if left.contains(&Left::Perhaps) {
                return Poll::Pending;
            }
            let last_words =
                self.last_words.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + LAST_WORDS)));
            ready!(last_words.as_mut().poll(cx));
        }
        Poll::Ready(self.ended(exit))
    }

    /// Asked from the start, as the pipes alone do not tell: others may hold them open.
    fn poll_exit(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.exit.is_none()
            && let Poll::Ready(exit) = pin!(self.child.wait()).poll(cx)
        {
            self.exit = Some(exit?);
        }
        Ok(())
    }

    fn poll_stdin(&mut self, cx: &mut Context<'_>) {
        loop {
            while self.message.has_remaining() {
                let Some(stdin) = &mut self.stdin else { break };
                match Pin::new(stdin).poll_write(cx, &self.message) {
                    Poll::Ready(Ok(written)) if written > 0 => self.message.advance(written),
                    // A kubectl that reads no further tells why by itself.
                    Poll::Ready(_) => self.stdin = None,
                    Poll::Pending => return,
                }
            }
            match self.shared.take() {
                Some((channel::STDIN, bytes)) => self.message = bytes,
                Some((channel::CLOSE, bytes)) if *bytes == [channel::STDIN] => self.stdin = None,
                // There is no terminal to be resized.
                Some(_) => {}
                None => break,
            }
        }
        if self.shared.is_finishing() {
            self.stdin = None;
        }
    }

    fn poll_stdout(&mut self, cx: &mut Context<'_>) -> io::Result<Left> {
        while let Some(stdout) = &mut self.stdout {
            if !self.shared.has_room() {
                return Ok(Left::Perhaps);
            }
            match read(stdout, &mut self.buffer, cx) {
                Poll::Ready(Ok(bytes)) if bytes.is_empty() => self.stdout = None,
                Poll::Ready(Ok(bytes)) if self.streams.stdout => {
                    self.shared.put(whole(channel::STDOUT, bytes))
                }
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => break,
            }
        }
        Ok(Left::Nothing)
    }

    fn poll_stderr(&mut self, cx: &mut Context<'_>) -> io::Result<Left> {
        while let Some(stderr) = &mut self.stderr {
            if !self.shared.has_room() {
                // What follows what is held back may be waiting to be read, and make it kubectl's.
                self.timer = None;
                return Ok(Left::Perhaps);
            }
            match read(stderr, &mut self.buffer, cx) {
                Poll::Ready(Ok(bytes)) if bytes.is_empty() => self.stderr = None,
                Poll::Ready(Ok(bytes)) => {
                    let said = self.said.hear(&bytes);
                    // What only grows is not held back for longer.
                    if !said.is_empty() {
                        self.timer = None;
                    }
                    self.put_stderr(said);
                }
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => break,
            }
        }
        self.poll_held(cx);
        Ok(Left::Nothing)
    }

    /// Lets go what was held back for long enough while kubectl went on.
    fn poll_held(&mut self, cx: &mut Context<'_>) {
        if self.stderr.is_none() || self.exit.is_some() || !self.said.holds() {
            return;
        }
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + PATIENCE)));
        if timer.as_mut().poll(cx).is_ready() {
            self.timer = None;
            let said = self.said.let_go();
            self.put_stderr(said);
        }
    }

    fn put_stderr(&self, bytes: Bytes) {
        if self.streams.stderr && !bytes.is_empty() {
            self.shared.put(whole(channel::STDERR, bytes));
        }
    }

    /// kubectl ends as the process did, and says so; where it does not say so, it failed itself.
    fn ended(&mut self, exit: Exit) -> Result<(), Error> {
        let status = match exit {
            Exit::Code(0) => json!({ "kind": "Status", "status": "Success" }),
            // Also where it was let go, because kubectl took its time to end.
            Exit::Code(code) if code_in(self.said.last()) == Some(code) => {
                self.said.forget_code();
                json!({
                    "kind": "Status",
                    "status": "Failure",
                    "reason": "NonZeroExitCode",
                    "details": { "causes": [{ "reason": "ExitCode", "message": code.to_string() }] },
                })
            }
            exit => {
                let said = read_kubectl_stderr(&String::from_utf8_lossy(self.said.last()));
                return Err(complaint(said, exit));
            }
        };
        let said = self.said.let_go();
        self.put_stderr(said);
        self.shared.put(whole(channel::STATUS, status.to_string().into()));
        Ok(())
    }
}

fn whole(channel: u8, bytes: Bytes) -> Piece {
    Piece { channel, bytes, ends: true }
}

/// What is there; nothing at the end.
fn read(
    from: &mut (impl AsyncRead + Unpin),
    buffer: &mut BytesMut,
    cx: &mut Context<'_>,
) -> Poll<io::Result<Bytes>> {
    buffer.reserve(PIECE);
    ready!(pin!(from.read_buf(buffer)).poll(cx))?;
    Poll::Ready(Ok(buffer.split().freeze()))
}

#[cfg(test)]
mod tests {
    use tidegate_kube::path;

    use super::*;

    fn exec(query: &str) -> Result<Exec, Error> {
        let path = path::parse(&format!("/api/v1/namespaces/n/pods/p/exec?{query}")).expect("a path");
        Exec::of(&path, Duration::from_secs(60))
    }

    #[test]
    fn a_path_becomes_a_command_line() {
        const HEAD: [&str; 4] = ["exec", "--quiet", "--namespace=n", "--pod-running-timeout=60s"];
        for (query, arguments, streams) in [
            ("command=ls&stdout=true", &["pods/p", "--", "ls"][..], "o"),
            (
                "stdin=true&stdout=true&stderr=true&tty=false&container=c&command=sh&command=-c&command=echo%20a%26b",
                &["--container=c", "--stdin", "pods/p", "--", "sh", "-c", "echo a&b"],
                "ioe",
            ),
            ("command=--help&command=&stderr=1", &["pods/p", "--", "--help", ""], "e"),
            (
                "container=--kubeconfig%3D/x&command=a&stdin=0",
                &["--container=--kubeconfig=/x", "pods/p", "--", "a"],
                "",
            ),
        ] {
            let found = exec(query).expect(query);
            assert_eq!(found.arguments, [&HEAD[..], arguments].concat(), "{query}");
            let Streams { stdin, stdout, stderr } = found.streams;
            let wanted: String = [(stdin, 'i'), (stdout, 'o'), (stderr, 'e')]
                .into_iter()
                .filter_map(|(on, letter)| on.then_some(letter))
                .collect();
            assert_eq!(wanted, streams, "{query}");
        }
    }

    #[test]
    fn what_kubectl_cannot_do_is_refused() {
        for (query, code) in [
            ("command=sh&tty=true", Code::Unsupported),
            ("command=sh&stdinOnce=true", Code::Unsupported),
            ("stdout=true", Code::InvalidRequest),
            ("command=sh&stdin=perhaps", Code::InvalidRequest),
        ] {
            assert_eq!(exec(query).expect_err(query).code(), code, "{query}");
        }
        for path in [
            "/api/v1/namespaces/n/pods/p/attach?stdout=true",
            "/api/v1/namespaces/n/pods/p/portforward?ports=80",
            "/api/v1/nodes/n/proxy/exec?command=sh",
            "/api/v1/namespaces/n/pods/p?command=sh",
        ] {
            let parsed = path::parse(path).expect("a path");
            let error = Exec::of(&parsed, Duration::from_secs(1)).expect_err(path);
            assert_eq!(error.code(), Code::Unsupported, "{path}");
        }
    }
}
