//! Turns by hand, in the order that loses a wake-up where nobody sees to it.

use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use h2::client::ResponseFuture;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex};
use tokio::sync::Notify;
use tokio::task::yield_now;

use super::*;

/// What is done in the middle of a turn: before what came is read.
type Meanwhile = Arc<Mutex<Option<Box<dyn FnOnce() + Send>>>>;

/// Our end of a connection.
struct Watched {
    io: DuplexStream,
    meanwhile: Meanwhile,
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let meanwhile = self.meanwhile.lock().expect("lock").take();
        if let Some(act) = meanwhile {
            act();
        }
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// Counts how often it was called.
#[derive(Default)]
struct Called(AtomicUsize);

impl Wake for Called {
    fn wake(self: Arc<Called>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A server that answers its only request once it may.
async fn serve(io: DuplexStream, asked: Arc<AtomicBool>, may_answer: Arc<Notify>) {
    let mut connection = h2::server::handshake(io).await.expect("a handshake");
    let (_, mut respond) = connection.accept().await.expect("a request").expect("a good one");
    asked.store(true, Ordering::SeqCst);
    let answering = async move {
        may_answer.notified().await;
        respond.send_response(http::Response::new(()), true).expect("respond");
    };
    tokio::join!(answering, async { while connection.accept().await.is_some() {} });
}

/// Who moves the connection on while another sits down.
#[derive(Clone, Copy, Debug)]
enum Turns {
    /// Somebody who sends something else.
    Sender,
    /// The connection's own task.
    Task,
    /// Somebody who sat, and was called.
    Sitter,
}

/// One thread asks for its answer and finds none, sits, and cannot turn the wheel, since another does at this very moment, and reads that
/// answer then. Nothing will ring for it again: who turned must call whoever sits.
#[tokio::test]
async fn who_sat_down_during_anothers_turn_is_called_after_it() {
    for turns in [Turns::Sender, Turns::Task, Turns::Sitter] {
        let (ours, theirs) = duplex(64 << 10);
        let (asked, may_answer) = (Arc::new(AtomicBool::new(false)), Arc::new(Notify::new()));
        let server = tokio::spawn(serve(theirs, asked.clone(), may_answer.clone()));
        let meanwhile = Meanwhile::default();
        let (stream, meter) = Stream::new(Box::new(Watched { io: ours, meanwhile: meanwhile.clone() }), None);
        let (mut sender, connection) = h2::client::handshake(stream).await.expect("a handshake");
        let wheel = Arc::new(Wheel::new(connection, meter));
        let task = Context::from_waker(Waker::noop());
        let request = http::Request::get("https://server/").body(()).expect("a request");
        let (response, _) = wheel.turn_after(|| sender.send_request(request, true)).expect("sent");
        // Until nothing more is to be said on either side.
        for _ in 0..100 {
            assert!(wheel.poll(&task).is_pending());
            yield_now().await;
        }
        assert!(asked.load(Ordering::SeqCst) && !wheel.bell.lock().rung);
        may_answer.notify_one();
        while !wheel.bell.lock().rung {
            yield_now().await;
        }

        let waiting = Arc::new(Mutex::new((wheel.seat(), response)));
        let called = Arc::new(Called::default());
        let (own, own_waker) = (waiting.clone(), Waker::from(called.clone()));
        let other = wheel.clone();
        *meanwhile.lock().expect("lock") = Some(Box::new(move || {
            // As the socket does where it rings between a sitter's sitting down and its turn.
            other.bell.call_sitting();
            assert!(ask(&own, &own_waker).is_pending(), "what came was not read yet");
        }));
        match turns {
            Turns::Sender => wheel.turn_after(|| ()),
            Turns::Task => assert!(wheel.poll(&task).is_pending()),
            Turns::Sitter => {
                let waits =
                    wheel.seat().poll(&mut Context::from_waker(Waker::noop()), |_| Poll::<()>::Pending);
                assert!(waits.is_pending());
            }
        }
        assert!(meanwhile.lock().expect("lock").is_none(), "{turns:?}: it sat down");
        assert!(called.0.load(Ordering::SeqCst) > 0, "{turns:?}: and nobody called it");
        let Poll::Ready(Ok(response)) = ask(&waiting, Waker::noop()) else { panic!("{turns:?}: no answer") };
        assert_eq!(response.status(), 200);
        server.abort();
    }
}

fn ask(
    waiting: &Mutex<(Seat, ResponseFuture)>,
    waker: &Waker,
) -> Poll<Result<http::Response<h2::RecvStream>, h2::Error>> {
    let (seat, response) = &mut *waiting.lock().expect("lock");
    seat.poll(&mut Context::from_waker(waker), |cx| Pin::new(&mut *response).poll(cx))
}
