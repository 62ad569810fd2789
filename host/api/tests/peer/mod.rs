//! A transport that answers from a table, and counts.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, stream};
use tidegate_kube::request::Request;
use tidegate_kube::status::Status;
use tidegate_transport::{
    Body, BodyReader, Code, CredentialKind, CredentialReport, Error, Feature, Kind, Response, Support,
    Transport,
};

/// What is answered at a path: content type and body, or a status code.
#[derive(Clone)]
#[allow(dead_code, reason = "each test uses its part")]
pub(crate) enum Says {
    Text(&'static str, String),
    Code(u16),
    /// No answer.
    Fails(Code),
    /// A body that breaks off.
    Cut(String),
    /// Each once, the last for good.
    InTurn(Vec<Says>),
    /// An answer only after the test has gone on for this long.
    Late(Duration, Box<Says>),
}

impl Says {
    /// What is said now.
    fn take(&mut self) -> Says {
        match self {
            Says::InTurn(turns) if turns.len() > 1 => turns.remove(0),
            Says::InTurn(turns) => turns[0].clone(),
            other => other.clone(),
        }
    }
}

/// Answers requests for paths it knows, 404 to all others.
pub(crate) struct Table {
    pub(crate) answers: Mutex<BTreeMap<String, Says>>,
    pub(crate) asked: AtomicUsize,
    pub(crate) log: Mutex<Vec<String>>,
    pub(crate) support: Support,
    pub(crate) credentials: Vec<CredentialReport>,
}

#[allow(dead_code, reason = "each test uses its part")]
impl Table {
    pub(crate) fn new(answers: impl IntoIterator<Item = (&'static str, Says)>) -> Arc<Table> {
        Table::with_support(Support::EVERYTHING, answers)
    }

    pub(crate) fn with_support(
        support: Support,
        answers: impl IntoIterator<Item = (&'static str, Says)>,
    ) -> Arc<Table> {
        let answers = answers.into_iter().map(|(path, says)| (path.to_owned(), says)).collect();
        let (asked, log) = (AtomicUsize::new(0), Mutex::default());
        let credentials = vec![CredentialReport {
            kind: CredentialKind::Header,
            source: "the table".to_owned(),
            expires: None,
            refreshed: None,
            missing: Vec::new(),
        }];
        Arc::new(Table { answers: Mutex::new(answers), asked, log, support, credentials })
    }

    pub(crate) fn dynamic(self: &Arc<Table>) -> Arc<dyn Transport> {
        self.clone()
    }

    pub(crate) fn says(&self, path: &str, says: Says) {
        self.answers.lock().unwrap().insert(path.to_owned(), says);
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }
}

impl Transport for Table {
    fn kind(&self) -> Kind {
        Kind::KubectlProxy
    }

    fn default_namespace(&self) -> Option<&str> {
        None
    }

    fn support(&self) -> Support {
        self.support
    }

    fn server(&self) -> String {
        "table".to_owned()
    }

    fn credentials(&self) -> Vec<CredentialReport> {
        self.credentials.clone()
    }

    fn send(
        self: Arc<Self>,
        request: Request,
        _: Option<BodyReader>,
    ) -> BoxFuture<'static, Result<Response, Error>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        assert!(request.accept.is_none() || self.support.has(Feature::Accept));
        let query: Vec<String> =
            request.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let line = format!("{} {}?{}", request.method, request.path, query.join("&"));
        self.log.lock().unwrap().push(line.trim_end_matches('?').to_owned());
        let says =
            self.answers.lock().unwrap().get_mut(&request.path).map(Says::take).unwrap_or(Says::Code(404));
        async move { answer(says).await }.boxed()
    }
}

async fn answer(mut says: Says) -> Result<Response, Error> {
    loop {
        match says {
            Says::InTurn(_) => unreachable!("taken in turn"),
            Says::Late(wait, then) => {
                tokio::time::sleep(wait).await;
                says = *then;
            }
            Says::Code(code) => {
                let (reason, message) = (format!("Code{code}"), format!("the table says {code}"));
                return Err(Error::from_status(Status {
                    code,
                    reason,
                    message,
                    details: None,
                    continue_token: None,
                }));
            }
            Says::Fails(code) => return Err(Error::new(code, "the table fails")),
            Says::Cut(text) => {
                let chunks = [Ok(text.into()), Err(Error::new(Code::Protocol, "the body was cut short"))];
                let body = Body::from_bytes(Bytes::new()).wrap(|_| stream::iter(chunks));
                return Ok(Response { code: 200, content_type: None, warnings: Vec::new(), body });
            }
            Says::Text(content_type, text) => {
                let body = Body::from_bytes(text.into_bytes().into());
                let content_type = Some(content_type.to_owned());
                return Ok(Response { code: 200, content_type, warnings: Vec::new(), body });
            }
        }
    }
}
