use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tidegate_kube::request::{Counts, Method, Request};
use tidegate_kube::status::Status;

use crate::{Code, Error, Transport};

/// The largest answer to the question. Real ones have about 200 bytes.
const CAP: u64 = 1024 * 1024;

/// Asks `GET /api` whether a Kubernetes API server is there and knows us. The deadline is the server's: a plugin that has to run, also again
/// because the server refused what it gave, has its own.
///
/// Errors: the codes that [`Reason`](crate::Reason) has words for. A server that knows who we are and forbids this one path is there too: a service account may be allowed no more than its pods.
pub async fn probe(transport: Arc<dyn Transport>, deadline: Duration) -> Result<(), Error> {
    let server = transport.server();
    let mut request = Request::new(Method::Get, "/api");
    request.deadline = deadline;
    request.idle_deadline = Some(deadline);
    request.counts = Counts::TheServer;
    match transport.send(request, None).await {
        Ok(response) => {
            let body = response.body.whole(CAP).await.map_err(|error| match error.code() {
                Code::Timeout => error,
                _ => not_kubernetes(&server).because(error),
            })?;
            judge_answer(&server, &body)
        }
        Err(error) => judge_error(&server, error),
    }
}

fn judge_answer(server: &str, body: &[u8]) -> Result<(), Error> {
    #[derive(Deserialize)]
    struct Kind<'a> {
        #[serde(borrow)]
        kind: std::borrow::Cow<'a, str>,
    }
    match serde_json::from_slice::<Kind<'_>>(body) {
        Ok(Kind { kind }) if kind == "APIVersions" => Ok(()),
        _ => Err(not_kubernetes(server)),
    }
}

fn judge_error(server: &str, error: Error) -> Result<(), Error> {
    let Some(status) = error.status() else {
        return match error.code() {
            Code::Redirect | Code::Protocol | Code::TooLarge => Err(not_kubernetes(server).because(error)),
            _ => Err(error),
        };
    };
    let (code, text) = match status.code {
        401 => (Code::Unauthorized, format!("{server} does not accept the credential")),
        403 if !error.is_spoken() => (Code::Forbidden, format!("something in front of {server} refuses")),
        403 if is_anonymous(status) => {
            (Code::Unauthorized, format!("{server} wants a credential, and got none that it knows"))
        }
        403 => return Ok(()),
        _ => return Err(not_kubernetes(server).because(error)),
    };
    Err(Error::new(code, text).because(error))
}

fn not_kubernetes(server: &str) -> Error {
    let text = format!("{server} does not answer as a Kubernetes API server: GET /api gave no APIVersions");
    Error::new(Code::NotKubernetes, text)
}

/// `forbidden: User "system:anonymous" cannot get path "/api"` (apiserver/pkg/endpoints/handlers/responsewriters/errors.go).
fn is_anonymous(status: &Status) -> bool {
    status.message.contains("User \"system:anonymous\"")
}
