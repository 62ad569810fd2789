use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use http::HeaderValue;
use http::header::CONTENT_LENGTH;

use super::upload::Upload;
use super::{Received, Sending};
use crate::http::fault::{Broken, Fault, Progress};
use crate::request_body::RequestBody;

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
        let (mut response, seat) = (pin!(response), wheel.seat());
        let answered = poll_fn(|cx| {
            if let Some(running) = &mut upload {
                if let Poll::Ready(sent) = wheel.turn_after(|| running.poll(cx)) {
                    upload = None;
                    if let Err(error) = sent {
                        return Poll::Ready(Err(Fault::Own(error)));
                    }
                }
                // A body waits for other things than the connection.
                return response.as_mut().poll(cx).map_err(|error| session.fault(error));
            }
            seat.poll(cx, |cx| response.as_mut().poll(cx)).map_err(|error| session.fault(error))
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
                    // The bytes are everybody's who shares the connection: more may look sent than was, and never less.
                    () if session.0.meter.now().1 == written => Progress::Unsent,
                    () => Progress::Unanswered,
                };
                Err(Broken { fault, progress, body: None })
            }
        }
    }
}
