use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

use h2::RecvStream;
use h2::client::ResponseFuture;
use http::HeaderValue;
use http::header::CONTENT_LENGTH;

use super::upload::Upload;
use super::{Received, Sending, Session};
use crate::http::fault::{Broken, Fault, Progress};
use crate::request_body::RequestBody;

/// How many interim responses (1xx) a server may send before its answer.
const INTERIM: usize = 64;

impl Sending {
    /// Sends the request, whose URI must be absolute, and waits for the response's head.
    pub(in crate::http) async fn exchange(
        self,
        request: http::Request<RequestBody>,
    ) -> Result<(http::response::Parts, Received), Broken> {
        let Sending { mut sender, lease } = self;
        let session = lease.session.clone();
        let (_, written) = session.0.meter.now();
        let (mut head, body) = request.into_parts();
        if let RequestBody::Whole(bytes) = &body {
            head.headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
        }
        let ends = body.is_empty();
        let wheel = &session.0.wheel;
        let bare = http::Request::from_parts(head, ());
        // Nothing of it is queued where this fails: it is as if it had not been tried.
        let (response, stream) = match wheel.turn_after(|| sender.send_request(bare, ends)) {
            Ok(sent) => sent,
            Err(error) => {
                let fault = session.fault(error);
                return Err(Broken { fault, progress: Progress::Unsent, body: Some(body) });
            }
        };
        let mut upload = (!ends).then(|| Upload::new(body, stream));
        let (mut head, seat) = (Head { response, interim: 0 }, wheel.seat());
        let answered = poll_fn(|cx| {
            if let Some(running) = &mut upload {
                if let Poll::Ready(sent) = wheel.turn_after(|| running.poll(cx)) {
                    upload = None;
                    if let Err(error) = sent {
                        return Poll::Ready(Err(Fault::Own(error)));
                    }
                }
                // A body waits for other things than the connection.
                return head.poll(cx).map_err(|unanswered| unanswered.fault(&session));
            }
            seat.poll(cx, |cx| head.poll(cx)).map_err(|unanswered| unanswered.fault(&session))
        })
        .await;
        match answered {
            Ok(response) => {
                let (head, stream) = response.into_parts();
                Ok((head, Received::new(stream, upload, seat, lease)))
            }
            Err(fault) => {
                let progress = match () {
                    () if fault.is_refusal() => Progress::Refused,
                    () if matches!(fault, Fault::Interim(_)) => Progress::Answered,
                    // The bytes are everybody's who shares the connection: more may look sent than was, and never less.
                    () if session.0.meter.now().1 == written => Progress::Unsent,
                    () => Progress::Unanswered,
                };
                Err(Broken { fault, progress, body: None })
            }
        }
    }
}

/// The head of a response on its way, and how many interim ones came before it.
struct Head {
    response: ResponseFuture,
    interim: usize,
}

/// Why there is none.
enum Unanswered {
    Broke(h2::Error),
    Flooded,
}

impl Head {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<http::Response<RecvStream>, Unanswered>> {
        while let Poll::Ready(Some(Ok(_))) = self.response.poll_informational(cx) {
            self.interim += 1;
            if self.interim > INTERIM {
                return Poll::Ready(Err(Unanswered::Flooded));
            }
        }
        Pin::new(&mut self.response).poll(cx).map_err(Unanswered::Broke)
    }
}

impl Unanswered {
    fn fault(self, session: &Session) -> Fault {
        match self {
            Unanswered::Broke(error) => session.fault(error),
            Unanswered::Flooded => Fault::Interim("64"),
        }
    }
}
