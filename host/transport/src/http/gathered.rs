use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

use super::stream::Io;

/// How much is read from a socket at once, in bytes. rustls itself asks for 4 KiB at a time, which makes two reads of most objects and
/// four of each record of a list.
const GULP: usize = 64 * 1024;

/// The most that is held back, in bytes: a handshake's last word, a protocol's preface and a first request.
const HELD: usize = 16 * 1024;

/// A connection beneath TLS that moves much at a time.
///
/// It is read in gulps, and memory for one is there only until it was taken: a connection at which nothing comes holds none. And what is
/// written goes when somebody waits for the answer, until the first answer after the handshake: the end of the handshake, HTTP/2's preface
/// and the first request are one write, and the server is woken once for them.
pub(super) struct Gathered {
    io: Io,
    came: BytesMut,
    writes: Writes,
}

enum Writes {
    /// They wait here for the next read.
    Held { bytes: Vec<u8>, last: bool },
    /// They go at once.
    Sent,
}

impl Gathered {
    pub(super) fn new(io: Io) -> Gathered {
        Gathered { io, came: BytesMut::new(), writes: Writes::Held { bytes: Vec::new(), last: false } }
    }

    /// The handshake is over: what is held goes with what is written before the next read, and nothing is held from then on.
    pub(super) fn begun(&mut self) {
        if let Writes::Held { last, .. } = &mut self.writes {
            *last = true;
        }
    }

    /// Writes what is held, all of it.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Writes::Held { bytes, last } = &mut self.writes else { return Poll::Ready(Ok(())) };
        while !bytes.is_empty() {
            match ready!(Pin::new(&mut self.io).poll_write(cx, bytes))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => drop(bytes.drain(..written)),
            }
        }
        let last = *last;
        ready!(Pin::new(&mut self.io).poll_flush(cx))?;
        if last {
            self.writes = Writes::Sent;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Gathered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        ready!(this.poll_send(cx))?;
        if this.came.is_empty() {
            if buffer.remaining() >= GULP {
                return Pin::new(&mut this.io).poll_read(cx, buffer);
            }
            let mut gulp = BytesMut::with_capacity(GULP);
            ready!(pin!(this.io.read_buf(&mut gulp)).poll(cx))?;
            this.came = gulp;
        }
        let length = buffer.remaining().min(this.came.len());
        buffer.put_slice(&this.came.split_to(length));
        if this.came.is_empty() {
            this.came = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Gathered {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let length = slices.iter().map(|slice| slice.len()).sum::<usize>();
        if matches!(&this.writes, Writes::Held { bytes, .. } if bytes.len() + length > HELD) {
            ready!(this.poll_send(cx))?;
        }
        match &mut this.writes {
            Writes::Held { bytes, .. } if length <= HELD => {
                slices.iter().for_each(|slice| bytes.extend_from_slice(slice));
                Poll::Ready(Ok(length))
            }
            _ => Pin::new(&mut this.io).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.writes {
            Writes::Held { .. } => Poll::Ready(Ok(())),
            Writes::Sent => Pin::new(&mut self.io).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    fn pair() -> (Gathered, DuplexStream) {
        let (ours, theirs) = duplex(1 << 20);
        (Gathered::new(Box::new(ours)), theirs)
    }

    /// What has come at the other end, without waiting for more.
    async fn come(theirs: &mut DuplexStream) -> String {
        let mut bytes = [0; 64];
        tokio::select! {
            biased;
            read = theirs.read(&mut bytes) => String::from_utf8_lossy(&bytes[..read.unwrap()]).into_owned(),
            () = std::future::ready(()) => String::new(),
        }
    }

    #[tokio::test]
    async fn writes_go_together_when_an_answer_is_waited_for() {
        let (mut ours, mut theirs) = pair();
        let mut answer = [0; 5];
        ours.write_all(b"hello ").await.unwrap();
        ours.flush().await.unwrap();
        assert_eq!(come(&mut theirs).await, "", "nobody waits yet");
        theirs.write_all(b"hello").await.unwrap();
        ours.read_exact(&mut answer).await.unwrap();
        assert_eq!(come(&mut theirs).await, "hello ");

        ours.begun();
        for word in [&b"finished "[..], b"preface ", b"request"] {
            ours.write_all(word).await.unwrap();
            ours.flush().await.unwrap();
        }
        assert_eq!(come(&mut theirs).await, "");
        theirs.write_all(b"reply").await.unwrap();
        ours.read_exact(&mut answer).await.unwrap();
        assert_eq!(come(&mut theirs).await, "finished preface request");

        ours.write_all(b"at once").await.unwrap();
        assert_eq!(come(&mut theirs).await, "at once");
    }

    #[tokio::test]
    async fn no_more_is_held_than_a_first_request_needs() {
        for (first, second, expected) in
            [(1, HELD, 1), (1, HELD + 1, HELD + 2), (0, HELD + 1, HELD + 1), (HELD, 1, HELD), (1, 1, 0)]
        {
            let (mut ours, mut theirs) = pair();
            ours.write_all(&vec![1; first]).await.unwrap();
            ours.write_all(&vec![2; second]).await.unwrap();
            ours.begun();
            let mut all = vec![0; 1 << 20];
            let read = tokio::select! {
                biased;
                read = theirs.read(&mut all) => read.unwrap(),
                () = std::future::ready(()) => 0,
            };
            assert_eq!(read, expected, "{first} and {second}");
        }
    }

    #[tokio::test]
    async fn what_is_held_is_sent_before_the_end() {
        let (mut ours, mut theirs) = pair();
        ours.write_all(b"bye").await.unwrap();
        ours.shutdown().await.unwrap();
        let mut all = String::new();
        theirs.read_to_string(&mut all).await.unwrap();
        assert_eq!(all, "bye");
    }

    #[tokio::test]
    async fn a_gulp_is_taken_in_pieces_and_its_memory_given_back() {
        let (mut ours, mut theirs) = pair();
        theirs.write_all(&vec![7; GULP + 10]).await.unwrap();
        let mut piece = vec![0; 4096];
        ours.read_exact(&mut piece).await.unwrap();
        assert_eq!(ours.came.len(), GULP - 4096);
        let mut rest = vec![0; GULP - 4096];
        ours.read_exact(&mut rest).await.unwrap();
        assert_eq!(ours.came.capacity(), 0);
        ours.read_exact(&mut piece[..10]).await.unwrap();
        assert!(piece[..10].iter().chain(&rest).all(|byte| *byte == 7));
    }
}
