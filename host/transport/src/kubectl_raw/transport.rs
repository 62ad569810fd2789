use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use tidegate_authority::{Child, RunGrant, Stdio};
use tidegate_kube::channels::process as channel;
use tidegate_kube::request::{Checked, Method, Request, StreamedBody};
use tokio::time::{Instant, timeout_at};

use super::apply;
use super::command::{Input, invocation, line, with_globals};
use super::exec::{self, Exec};
use super::output::Output;
use crate::options::KubectlOptions;
use crate::request_body::RequestBody;
use crate::{
    Body, BodyReader, Code, CredentialReport, Error, Event, Kind, Observer, Response, Support, Transport,
    Tunnel,
};

/// How long a watch or a followed log may give nothing before it counts as begun: kubectl does not tell that the server accepted it.
const STREAM_BEGUN: Duration = Duration::from_secs(3);

/// The largest body of an apply patch: the API server takes 3 MiB.
const APPLY_CAP: usize = 16 * 1024 * 1024;

/// [`Kind::KubectlRaw`].
pub(super) struct KubectlRaw {
    pub(super) run: RunGrant,
    pub(super) options: KubectlOptions,
    pub(super) observer: Arc<dyn Observer>,
}

impl Transport for KubectlRaw {
    fn kind(&self) -> Kind {
        Kind::KubectlRaw
    }

    /// kubectl would have to be asked for it.
    fn default_namespace(&self) -> Option<&str> {
        None
    }

    fn support(&self) -> Support {
        Support::KUBECTL
    }

    fn server(&self) -> String {
        match &self.options.context {
            Some(context) => format!("kubectl's context {context:?}"),
            None => "kubectl's current context".to_owned(),
        }
    }

    /// kubectl has it, and tells nobody.
    fn credentials(&self) -> Vec<CredentialReport> {
        Vec::new()
    }

    fn send(
        self: Arc<Self>,
        request: Request,
        body: Option<BodyReader>,
    ) -> BoxFuture<'static, Result<Response, Error>> {
        Box::pin(async move {
            let verdict = body.as_ref().map(BodyReader::verdict);
            let result = self.exchange(request, body).await;
            if let (Err(error), Some(verdict)) = (&result, verdict) {
                verdict.failed(error);
            }
            result
        })
    }

    /// Of `pods/exec` alone. kubectl does not tell when the process has begun, so that a refusal is told by the tunnel's end.
    fn tunnel(
        self: Arc<Self>,
        request: Request,
        protocols: &'static [&'static str],
    ) -> BoxFuture<'static, Result<Tunnel, Error>> {
        Box::pin(async move {
            let checked = check(&request, &None)?;
            let exec = Exec::of(checked.path(), checked.deadline())?;
            let Some(protocol) = protocols.iter().find(|protocol| **protocol == channel::V5) else {
                let text = format!("a process through kubectl speaks {}", channel::V5);
                return Err(Error::new(Code::Unsupported, text));
            };
            let started = Instant::now();
            let arguments = with_globals(exec.arguments, &self.options);
            let input = if exec.streams.stdin { Input::Body } else { Input::Nothing };
            let child = self.spawn(&arguments, input)?;
            self.observer.event(&Event::Request {
                method: checked.method(),
                path: checked.path().as_str(),
                code: None,
                elapsed: started.elapsed(),
            });
            Ok(Tunnel::start(protocol, |shared| exec::drive(child, exec.streams, shared)))
        })
    }
}

impl KubectlRaw {
    async fn exchange(&self, mut request: Request, body: Option<BodyReader>) -> Result<Response, Error> {
        let started = Instant::now();
        let is_apply =
            request.method == Method::Patch && request.content_type.as_deref() == Some(apply::MEDIA_TYPE);
        let mut checked = check(&request, &body)?;
        let body = match body {
            Some(reader) if is_apply && request.body.is_none() => {
                request.body = Some(collect(reader, started + checked.deadline()).await?);
                checked = check(&request, &None)?;
                None
            }
            body => body,
        };
        let body = RequestBody::new(request.body, body)?;
        let result = self.run(&checked, body, started + checked.deadline()).await;
        let code = match &result {
            Ok(response) => Some(response.code),
            Err(error) => error.status().map(|status| status.code),
        };
        self.observer.event(&Event::Request {
            method: checked.method(),
            path: checked.path().as_str(),
            code,
            elapsed: started.elapsed(),
        });
        result
    }

    async fn run(&self, checked: &Checked, body: RequestBody, deadline: Instant) -> Result<Response, Error> {
        let given = if body.is_empty() { Input::Nothing } else { Input::Body };
        let invocation = invocation(checked, &self.options, given)?;
        let mut output = self.start(&invocation.arguments, invocation.input, body)?;

        let begun = if checked.is_stream() { deadline.min(Instant::now() + STREAM_BEGUN) } else { deadline };
        match timeout_at(begun, poll_fn(|cx| output.poll_start(cx))).await {
            Ok(started) => started?,
            Err(_) if checked.is_stream() => {}
            Err(_) => {
                let text =
                    "kubectl printed nothing within the request's deadline; was it waiting for a login?";
                return Err(Error::new(Code::Timeout, text));
            }
        }
        Ok(Response {
            // kubectl does not tell 200 from 201 and 202.
            code: 200,
            content_type: None,
            warnings: output.warnings(),
            body: Body::process(output, deadline, checked.idle_deadline()),
        })
    }

    fn start(&self, arguments: &[String], input: Input, body: RequestBody) -> Result<Output, Error> {
        Ok(Output::new(self.spawn(arguments, input)?, body))
    }

    fn spawn(&self, arguments: &[String], input: Input) -> Result<Child, Error> {
        let broken = |error| Error::new(Code::NotConfigured, "start kubectl").because(error);
        let command = self.run.command().map_err(broken)?;
        self.observer.event(&Event::Command { line: &line(&command.program().to_string_lossy(), arguments) });
        let stdin = match input {
            // What asks for a password on its standard input gets no answer.
            Input::Nothing => Stdio::Null,
            Input::Body => Stdio::Piped,
        };
        command
            .args(arguments)
            .inherit_only(self.options.child_env.as_deref())
            .env("KUBERC", "off")
            .stdin(stdin)
            .spawn()
            .map_err(broken)
    }
}

fn check(request: &Request, streamed: &Option<BodyReader>) -> Result<Checked, Error> {
    let streamed = if streamed.is_some() { StreamedBody::Present } else { StreamedBody::Absent };
    request.check(streamed).map_err(|invalid| Error::new(Code::InvalidRequest, invalid.to_string()))
}

/// The whole of a streamed body.
async fn collect(mut reader: BodyReader, deadline: Instant) -> Result<Bytes, Error> {
    let mut all = BytesMut::new();
    let pieces = async {
        while let Some(piece) = poll_fn(|cx| reader.poll_piece(cx)).await.transpose()? {
            if all.len() + piece.len() > APPLY_CAP {
                let text = format!("an apply patch through kubectl is at most {APPLY_CAP} bytes");
                return Err(Error::new(Code::TooLarge, text));
            }
            all.extend_from_slice(&piece);
        }
        Ok(())
    };
    timeout_at(deadline, pieces).await.unwrap_or_else(|_| {
        Err(Error::new(Code::Timeout, "the request's body did not end within its deadline"))
    })?;
    Ok(all.freeze())
}
