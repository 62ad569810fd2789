//! Moves messages over a WebSocket.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use aws_lc_rs::rand;
use bytes::{Buf, Bytes};
use tidegate_kube::channels::{Decoder, Encoder, Received, frames};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::time::{Instant, Sleep, sleep_until};

use super::beat::{Act, Beat, Silence};
use super::shared::Shared;
use crate::{Code, Error};

/// How much is read at once, and how much is put together at once.
const PIECE: usize = 64 * 1024;

/// How long a server that takes nothing more may still say why.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Moves messages both ways until the server, or whoever holds the tunnel, has ended it. `early` is what came with the answer.
pub(crate) async fn drive<S>(io: S, early: Bytes, shared: Arc<Shared>) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let now = Instant::now();
    let mut decoder = Decoder::default();
    decoder.buffer().extend_from_slice(&early);
    let beat = Beat::new(now);
    let timer = Box::pin(sleep_until(beat.due()));
    let encoder = Encoder::default();
    let mut driver = Driver {
        io,
        shared,
        decoder,
        encoder,
        masks: Masks::default(),
        beat,
        timer,
        unflushed: false,
        broken: None,
        said_all: false,
        read: early.len() as u64,
    };
    poll_fn(|cx| driver.poll(cx)).await
}

struct Driver<S> {
    io: S,
    shared: Arc<Shared>,
    decoder: Decoder,
    encoder: Encoder,
    masks: Masks,
    beat: Beat,
    timer: Pin<Box<Sleep>>,
    unflushed: bool,
    /// Nothing can be written any more, and why. What the server said before that may still be read: its time counts from this moment,
    /// the last at which something was read or there was no room for it.
    broken: Option<(Instant, io::Error)>,
    /// Our close frame was put into the encoder.
    said_all: bool,
    read: u64,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.shared.register(cx);
        self.write(cx)?;
        let end = self.poll_read(cx);
        // Pongs, and the answer to a close frame.
        self.write(cx)?;
        if end.is_ready() {
            return end;
        }
        self.poll_beat(cx)
    }

    /// Writes what can be written. Errors: there is no randomness.
    fn write(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        while self.broken.is_none() {
            self.put_together()?;
            let waiting = self.encoder.buffer();
            let polled = match (waiting.is_empty(), self.unflushed) {
                (true, false) => return Ok(()),
                (true, true) => Pin::new(&mut self.io).poll_flush(cx).map_ok(|()| self.unflushed = false),
                (false, _) => Pin::new(&mut self.io).poll_write(cx, waiting).map(|written| {
                    let written = written?;
                    if written == 0 {
                        return Err(io::ErrorKind::WriteZero.into());
                    }
                    waiting.advance(written);
                    self.unflushed = true;
                    Ok(())
                }),
            };
            match polled {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => {
                    let now = Instant::now();
                    self.timer.as_mut().reset(now + LAST_WORDS);
                    self.broken = Some((now, error));
                }
                Poll::Pending => return Ok(()),
            }
        }
        // Nobody will ever send it.
        while self.shared.take().is_some() {}
        Ok(())
    }

    fn put_together(&mut self) -> Result<(), Error> {
        while self.encoder.buffer().len() < PIECE
            && !self.said_all
            && let Some((channel, bytes)) = self.shared.take()
        {
            self.encoder.message(channel, &bytes, self.masks.next()?);
            self.beat.sent(Instant::now());
        }
        if self.shared.is_finishing() {
            self.close()?;
        }
        Ok(())
    }

    /// Says that nothing more is sent, once.
    fn close(&mut self) -> Result<(), Error> {
        if !self.said_all {
            self.said_all = true;
            self.encoder.close(frames::CLOSE_NORMAL, self.masks.next()?);
        }
        Ok(())
    }

    /// Reads what there is room for; ready at the end.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        loop {
            if let Some(end) = self.digest()? {
                return Poll::Ready(end);
            }
            if !self.shared.has_room() {
                self.still_says();
                return Poll::Pending;
            }
            let buffer = self.decoder.buffer();
            buffer.reserve(PIECE);
            let read = match ready!(pin!(self.io.read_buf(buffer)).poll(cx)) {
                Ok(0) => return Poll::Ready(Err(self.cut(None))),
                Ok(read) => read,
                Err(error) => return Poll::Ready(Err(self.cut(Some(error)))),
            };
            self.read += read as u64;
            self.beat.heard(Instant::now());
            self.still_says();
        }
    }

    /// A slow reader takes no time from a server's last words.
    fn still_says(&mut self) {
        if let Some((since, _)) = &mut self.broken {
            *since = Instant::now();
        }
    }

    /// Hands on what was read, as long as there is room. The inner result is how the server ended the tunnel.
    fn digest(&mut self) -> Result<Option<Result<(), Error>>, Error> {
        while self.shared.has_room() {
            let next = self.decoder.decode().map_err(|malformed| {
                let text = format!("the server does not speak WebSocket after {} bytes", self.read);
                Error::new(Code::Protocol, text).because(malformed)
            })?;
            match next {
                None => break,
                Some(Received::Piece(piece)) => self.shared.put(piece),
                Some(Received::Pong(ping)) => self.beat.answered(&ping),
                // Whoever sends more pings than it reads answers for gets an answer to some (RFC 6455, 5.5.3).
                Some(Received::Ping(ping)) if self.encoder.buffer().len() < PIECE && !self.said_all => {
                    self.encoder.pong(&ping, self.masks.next()?);
                }
                Some(Received::Ping(_)) => {}
                Some(Received::Close { code, reason }) => {
                    self.close()?;
                    return Ok(Some(closed(code, &reason)));
                }
            }
        }
        Ok(None)
    }

    fn poll_beat(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        loop {
            if let Some((since, _)) = &self.broken {
                let until = *since + LAST_WORDS;
                ready!(self.timer_until(until, cx));
                return Poll::Ready(Err(self.cut(None)));
            }
            ready!(self.timer_until(self.beat.due(), cx));
            match self.beat.judge(Instant::now(), self.shared.has_room()) {
                Act::Wait => {}
                // What waits already is as good a sign to balancers, once it goes.
                Act::Ping(_) if !self.encoder.buffer().is_empty() || self.said_all => {}
                Act::Ping(bytes) => {
                    self.encoder.ping(&bytes, self.masks.next()?);
                    self.beat.pinged();
                    self.write(cx)?;
                }
                Act::GiveUp(silence) => {
                    let text = match silence {
                        Silence::Idle => {
                            "the server has not said anything for 45 s, not even in answer to a ping"
                        }
                        Silence::Busy => {
                            "the server has not said anything for 4 hours, nor read all that it was sent"
                        }
                    };
                    return Poll::Ready(Err(Error::new(Code::Timeout, text)));
                }
            }
        }
    }

    /// A timer that was set for an earlier moment rings early, is moved and polled again.
    fn timer_until(&mut self, until: Instant, cx: &mut Context<'_>) -> Poll<()> {
        if self.timer.deadline() > until {
            self.timer.as_mut().reset(until);
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            if self.timer.deadline() >= until {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(until);
        }
        Poll::Pending
    }

    /// The end of one that nobody announced.
    fn cut(&mut self, error: Option<io::Error>) -> Error {
        let text = format!("the tunnel was cut after {} bytes", self.read);
        let error = error.or_else(|| self.broken.take().map(|(_, error)| error));
        match error {
            None => Error::new(Code::Protocol, text),
            Some(error) => {
                let is_tls = error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>());
                Error::new(if is_tls { Code::Tls } else { Code::Protocol }, text).because(error)
            }
        }
    }
}

/// How a server's close frame ended the tunnel.
fn closed(code: Option<u16>, reason: &str) -> Result<(), Error> {
    match code {
        None | Some(frames::CLOSE_NORMAL) => Ok(()),
        Some(code) => {
            let text = format!("the server broke the tunnel off: {code} {reason}");
            Err(Error::new(Code::Protocol, text.trim_end().to_owned()))
        }
    }
}

/// Masks that nobody can foresee, drawn by the hundred.
#[derive(Default)]
struct Masks {
    drawn: Vec<[u8; 4]>,
}

impl Masks {
    fn next(&mut self) -> Result<[u8; 4], Error> {
        if self.drawn.is_empty() {
            let mut bytes = [0; 512];
            rand::fill(&mut bytes).map_err(|error| {
                Error::new(Code::Protocol, "the operating system gives no randomness for masks")
                    .because(error)
            })?;
            self.drawn.extend(bytes.as_chunks().0);
        }
        Ok(self.drawn.pop().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use tokio::io::join;
    use tokio::time::sleep;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_slow_reader_loses_nothing_of_what_was_said_before_a_break() {
        const PIECES: usize = 20;
        let mut said = Vec::new();
        for _ in 0..PIECES {
            said.extend([0x82, 126]);
            said.extend(50_001u16.to_be_bytes());
            said.extend([1; 50_001]);
        }
        said.extend([0x88, 2, 3, 232]);
        // Nothing can be written there.
        let io = join(Cursor::new(said), Cursor::new(Box::<[u8]>::default()));
        let shared = Arc::new(Shared::default());
        shared.try_send(0, &mut Bytes::from_static(b"x"), |_| Ok(())).expect("room");
        let driving = tokio::spawn(drive(io, Bytes::new(), shared.clone()));
        let mut read = 0;
        while read < PIECES * 50_000 {
            sleep(2 * LAST_WORDS).await;
            let Poll::Ready(Ok(Some(piece))) = shared.try_next() else { panic!("lost after {read} bytes") };
            read += piece.bytes.len();
        }
        driving.await.expect("driven").expect("an end by agreement");
        assert_eq!(read, PIECES * 50_000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_takes_nothing_more_has_its_time_for_last_words() {
        let (ours, _theirs) = tokio::io::duplex(64);
        let io = join(ours, Cursor::new(Box::<[u8]>::default()));
        let shared = Arc::new(Shared::default());
        shared.try_send(0, &mut Bytes::from_static(b"x"), |_| Ok(())).expect("room");
        let begun = Instant::now();
        let error = drive(io, Bytes::new(), shared).await.expect_err("cut");
        assert_eq!(error.code(), Code::Protocol);
        assert!(begun.elapsed() >= LAST_WORDS && begun.elapsed() < 2 * LAST_WORDS, "{:?}", begun.elapsed());
    }
}
