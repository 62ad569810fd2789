use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use http_body::Body as _;
use tidegate_authority::{Child, Exit};
use tidegate_kube::status::{KubectlError, KubectlOutput, read_kubectl_stderr};
use tokio::io::{AsyncReadExt, AsyncWrite};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use tokio::time::{Sleep, sleep};

use crate::breath::Breath;
use crate::request_body::RequestBody;
use crate::{Code, Error};

/// How much of what kubectl complains is kept.
const STDERR_CAP: usize = 64 * 1024;

/// How much is read at once.
const PIECE: usize = 64 * 1024;

/// How long what kubectl wrote last is waited for once it has ended: a plugin that lives on may hold the pipe open.
const LAST_WORDS: Duration = Duration::from_millis(250);

/// A kubectl at work: its input is fed, its complaints are kept, and its output is the body. Dropped, it is killed.
pub(crate) struct Output {
    child: Child,
    feed: Option<Feed>,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    complaints: Vec<u8>,
    /// For what is read from each of the two.
    breaths: [Breath; 2],
    exit: Option<Exit>,
    patience: Option<Pin<Box<Sleep>>>,
    buffer: BytesMut,
    /// What came while the first byte was waited for.
    first: Option<Bytes>,
    read: u64,
}

impl Output {
    pub(super) fn new(mut child: Child, body: RequestBody) -> Output {
        let feed = child.stdin.take().map(|stdin| Feed { stdin, body, piece: Bytes::new() });
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        Output {
            child,
            feed,
            stdout,
            stderr,
            complaints: Vec::new(),
            breaths: Default::default(),
            exit: None,
            patience: None,
            buffer: BytesMut::new(),
            first: None,
            read: 0,
        }
    }

    /// Waits for the first bytes or the end. Errors: kubectl failed.
    pub(super) fn poll_start(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.first = ready!(self.poll_chunk(cx)).transpose()?;
        // Warnings were written before the body; they may have come while it was read.
        self.poll_stderr(cx);
        Poll::Ready(Ok(()))
    }

    /// The texts of the server's warnings so far, which kubectl prints before it prints a body.
    pub(super) fn warnings(&self) -> Vec<String> {
        self.said().warnings
    }

    pub(crate) fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        if let Some(feed) = &mut self.feed
            && let Poll::Ready(fed) = feed.poll(cx)
        {
            // Closed, so that kubectl sees the end.
            self.feed = None;
            if let Err(error) = fed {
                self.child.kill();
                return Poll::Ready(Some(Err(error)));
            }
        }
        self.poll_stderr(cx);
        match ready!(self.poll_stdout(cx)) {
            Ok(Some(bytes)) => return Poll::Ready(Some(Ok(bytes))),
            Ok(None) => {}
            Err(error) => return Poll::Ready(Some(Err(self.broken(error)))),
        }
        match ready!(self.poll_exit(cx)) {
            Ok(exit) if exit.is_success() => Poll::Ready(None),
            Ok(exit) => Poll::Ready(Some(Err(self.failure(exit)))),
            Err(error) => Poll::Ready(Some(Err(self.broken(error)))),
        }
    }

    fn poll_stdout(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        let Some(stdout) = &mut self.stdout else { return Poll::Ready(Ok(None)) };
        let [breath, _] = &mut self.breaths;
        ready!(breath.poll(cx));
        self.buffer.reserve(PIECE);
        let polled = pin!(stdout.read_buf(&mut self.buffer)).poll(cx);
        breath.read(amount(&polled));
        let read = ready!(polled)?;
        if read == 0 {
            self.stdout = None;
            return Poll::Ready(Ok(None));
        }
        self.read += read as u64;
        Poll::Ready(Ok(Some(self.buffer.split().freeze())))
    }

    /// Reads all that is there, whether or not it is kept, so that kubectl never waits for us.
    fn poll_stderr(&mut self, cx: &mut Context<'_>) {
        let mut piece = [0; 4096];
        let [_, breath] = &mut self.breaths;
        while let Some(stderr) = &mut self.stderr
            && breath.poll(cx).is_ready()
        {
            let polled = pin!(stderr.read(&mut piece)).poll(cx);
            breath.read(amount(&polled));
            match polled {
                Poll::Ready(Ok(read)) if read > 0 => {
                    let room = STDERR_CAP - self.complaints.len();
                    self.complaints.extend_from_slice(&piece[..read.min(room)]);
                }
                Poll::Ready(_) => self.stderr = None,
                Poll::Pending => return,
            }
        }
    }

    fn poll_exit(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Exit>> {
        let exit = match self.exit {
            Some(exit) => exit,
            None => {
                let exit = ready!(pin!(self.child.wait()).poll(cx))?;
                *self.exit.insert(exit)
            }
        };
        self.poll_stderr(cx);
        if self.stderr.is_some() && !exit.is_success() {
            let patience = self.patience.get_or_insert_with(|| Box::pin(sleep(LAST_WORDS)));
            ready!(patience.as_mut().poll(cx));
        }
        Poll::Ready(Ok(exit))
    }

    fn said(&self) -> KubectlOutput {
        read_kubectl_stderr(&String::from_utf8_lossy(&self.complaints))
    }

    /// Before the first byte kubectl's words are the answer; after it the body is cut short.
    fn failure(&self, exit: Exit) -> Error {
        let failure = complaint(self.said(), exit);
        match self.read {
            0 => failure,
            read => Error::new(Code::Protocol, format!("kubectl failed after {read} bytes of the body"))
                .because(failure),
        }
    }

    fn broken(&self, error: io::Error) -> Error {
        let text = format!("kubectl's output broke off after {} bytes", self.read);
        Error::new(Code::Protocol, text).because(error)
    }
}

/// Why kubectl failed, by what it said.
pub(super) fn complaint(said: KubectlOutput, exit: Exit) -> Error {
    match said.error {
        Some(KubectlError::Status(status)) => {
            // Where something else than the API server refuses, nobody is named.
            let named = status.message.contains("User \"");
            let error = Error::from_status(status);
            if named { error.spoken() } else { error }
        }
        Some(KubectlError::Unreachable(text)) => Error::new(Code::Unreachable, format!("kubectl: {text}")),
        Some(KubectlError::Tls(text)) => Error::new(Code::Tls, format!("kubectl: {text}")),
        Some(KubectlError::Timeout(text)) => Error::new(Code::Timeout, format!("kubectl: {text}")),
        Some(KubectlError::Credentials(text)) => Error::new(Code::Unauthorized, format!("kubectl: {text}")),
        Some(KubectlError::NotConfigured(text)) => {
            Error::new(Code::NotConfigured, format!("kubectl: {text}"))
        }
        Some(KubectlError::Other(text)) if text.contains("unknown flag") => {
            Error::new(Code::Unsupported, format!("this kubectl is too old: {text}"))
        }
        Some(KubectlError::Other(text)) => Error::new(Code::Unreachable, format!("kubectl: {text}")),
        None => Error::new(Code::Unreachable, format!("kubectl ended with {exit} and without a word")),
    }
}

fn amount(polled: &Poll<io::Result<usize>>) -> Poll<usize> {
    match polled {
        Poll::Ready(read) => Poll::Ready(*read.as_ref().unwrap_or(&0)),
        Poll::Pending => Poll::Pending,
    }
}

/// What kubectl reads from its standard input.
struct Feed {
    stdin: ChildStdin,
    body: RequestBody,
    piece: Bytes,
}

impl Feed {
    /// Ready once the body has ended, or kubectl reads no further. Errors: the body was dropped unfinished.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        loop {
            while self.piece.has_remaining() {
                match ready!(Pin::new(&mut self.stdin).poll_write(cx, &self.piece)) {
                    Ok(written) if written > 0 => self.piece.advance(written),
                    // A kubectl that reads no further has a reason, which it tells itself.
                    _ => return Poll::Ready(Ok(())),
                }
            }
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => self.piece = frame.into_data().unwrap_or_default(),
                Some(Err(error)) => return Poll::Ready(Err(error)),
                None => return Poll::Ready(Ok(())),
            }
        }
    }
}
