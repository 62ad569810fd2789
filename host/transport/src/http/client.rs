use std::sync::Arc;

use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, StatusCode};
use hyper::body::Incoming as HyperBody;
use tidegate_grants::{Endpoint, Host};
use tidegate_kube::kubeconfig::{Impersonate, Scheme, Server};
use tidegate_kube::request::{Checked, Method};
use tokio::time::{Instant, timeout_at};

use super::connection::{Broken, Connection, Progress};
use super::dial::Dialer;
use super::head::{self, Fixed};
use super::incoming::Incoming;
use super::pool::Pool;
use super::tls::ClientIdentity;
use super::{fault, status};
use crate::credentials::{Credentials, Presented};
use crate::request_body::RequestBody;
use crate::{Body, Code, Error, Response};

/// Where a server is: scheme, address and the path prefix that goes before each request's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) scheme: Scheme,
    pub(crate) endpoint: Endpoint,
    /// `""` or `/kubernetes/global`.
    pub(crate) prefix: String,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}{}", self.scheme.as_str(), self.authority(), self.prefix)
    }
}

impl Origin {
    /// Errors: a host that is no name that grants could be about.
    pub(crate) fn of(server: &Server) -> Result<Origin, Error> {
        let host = Host::parse(server.host())
            .map_err(|error| Error::new(Code::NotConfigured, "the server's host").because(error))?;
        let endpoint = Endpoint::new(host, server.port());
        Ok(Origin { scheme: server.scheme(), endpoint, prefix: server.prefix().to_owned() })
    }

    /// The `Host` header: without the port where it is the scheme's own.
    fn authority(&self) -> String {
        if self.endpoint.port() == self.scheme.default_port() {
            self.endpoint.host().to_string()
        } else {
            self.endpoint.to_string()
        }
    }
}

/// An HTTP client of one server.
pub(crate) struct Client {
    dialer: Dialer,
    fixed: Fixed,
    credentials: Credentials,
    pool: Arc<Pool>,
}

type Head = (http::response::Parts, Incoming);

impl Client {
    pub(crate) fn new(
        origin: &Origin,
        dialer: Dialer,
        credentials: Credentials,
        user_agent: &str,
    ) -> Result<Client, Error> {
        let header = |text: &str, what: &str| {
            HeaderValue::from_str(text).map_err(|error| {
                Error::new(Code::NotConfigured, format!("{what} is no header value")).because(error)
            })
        };
        let fixed = Fixed {
            host: header(&origin.authority(), "the server's host")?,
            user_agent: header(&visible(user_agent), "the user agent")?,
            prefix: origin.prefix.clone(),
            impersonate: Vec::new(),
        };
        Ok(Client { dialer, fixed, credentials, pool: Arc::new(Pool::default()) })
    }

    /// The same client in somebody else's name. Errors: a name that no header holds.
    pub(crate) fn impersonating(mut self, whom: &Impersonate) -> Result<Client, Error> {
        for (name, value) in whom.headers() {
            // Neither source nor text says more than this, and a name may be a person's.
            let (Ok(name), Ok(value)) =
                (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value))
            else {
                let text =
                    "as, as-uid, as-groups or as-user-extra holds a line break or another control character";
                return Err(Error::new(Code::NotConfigured, text).broken());
            };
            self.fixed.impersonate.push((name, value));
        }
        Ok(self)
    }

    pub(super) fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Sends one request, a second time where that is harmless and the first could not know better: over a kept connection that
    /// had died, or with a token that had been replaced.
    pub(crate) async fn send(&self, checked: &Checked, body: RequestBody) -> Result<Response, Error> {
        let now = Instant::now();
        let deadline = now + checked.deadline();
        let again = body.again();
        let presented = self.credentials.present(now, deadline).await?;
        let (mut head, mut incoming) = self.attempt(checked, &presented, body, deadline).await?;
        if head.status == StatusCode::UNAUTHORIZED
            && let Some(body) = again
            // What went wrong with a new credential is not what the server said about this request.
            && let Ok(Some(fresh)) = self.credentials.replaced(&presented, deadline).await
        {
            // Read to its end, so that its connection serves the second try.
            status::read(&head, incoming, deadline).await;
            (head, incoming) = self.attempt(checked, &fresh, body, deadline).await?;
        }
        if !head.status.is_success() {
            return Err(status::read(&head, incoming, deadline).await);
        }
        Ok(Response {
            code: head.status.as_u16(),
            content_type: head
                .headers
                .get(CONTENT_TYPE)
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned),
            warnings: head::warnings(&head.headers),
            body: Body::http(incoming, deadline, checked.idle_deadline()),
        })
    }

    /// Over a kept connection if there is one, else over a new one.
    async fn attempt(
        &self,
        checked: &Checked,
        presented: &Presented,
        body: RequestBody,
        deadline: Instant,
    ) -> Result<Head, Error> {
        let again = body.again();
        let identity = presented.identity.as_deref();
        let mut request = self.fixed.request(checked, presented.header.clone(), body)?;
        if let Some(kept) = self.pool.take(identity.map(ClientIdentity::id)).await {
            match self.exchange(kept, request, deadline).await? {
                Ok(head) => return Ok(head),
                Err(mut broken) => {
                    request = match (broken.request.take(), again) {
                        (Some(untouched), _) => untouched,
                        (None, Some(body)) if may_repeat(checked.method(), broken.progress) => {
                            self.fixed.request(checked, presented.header.clone(), body)?
                        }
                        _ => return Err(self.broken(broken)),
                    }
                }
            }
        }
        let fresh = self.dialer.dial(identity, deadline).await?;
        self.exchange(fresh, request, deadline).await?.map_err(|broken| self.broken(broken))
    }

    /// The outer error is the deadline's.
    async fn exchange(
        &self,
        mut connection: Connection,
        request: http::Request<RequestBody>,
        deadline: Instant,
    ) -> Result<Result<Head, Broken>, Error> {
        let response: http::Response<HyperBody> = match timeout_at(deadline, connection.exchange(request))
            .await
        {
            Ok(Ok(response)) => response,
            Ok(Err(broken)) => return Ok(Err(broken)),
            Err(_) => {
                let text = format!("{} did not answer within the request's deadline", self.dialer.server());
                return Err(Error::new(Code::Timeout, text));
            }
        };
        let (head, body) = response.into_parts();
        if head.status.is_informational() {
            let text = format!("{} switched protocols, which was not asked for", self.dialer.server());
            return Err(Error::new(Code::Protocol, text));
        }
        Ok(Ok((head, Incoming::new(body, connection, self.pool.clone()).await)))
    }

    fn broken(&self, broken: Broken) -> Error {
        fault::in_exchange(broken.error, &self.dialer.server(), &self.dialer.name())
    }
}

/// A file's name is in it, which may be in any language, or say more than a name: what no header holds becomes `_`.
fn visible(user_agent: &str) -> String {
    user_agent.chars().map(|c| if matches!(c, ' '..='~') { c } else { '_' }).collect()
}

/// As Go's http.Transport: whatever was not sent, and what changes nothing.
fn may_repeat(method: Method, progress: Progress) -> bool {
    match progress {
        Progress::Unsent => true,
        Progress::Unanswered => matches!(method, Method::Get | Method::Head | Method::Options),
        Progress::Answered => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_harmless_is_repeated() {
        for method in Method::ALL {
            let safe = matches!(method, Method::Get | Method::Head | Method::Options);
            assert!(may_repeat(method, Progress::Unsent));
            assert_eq!(may_repeat(method, Progress::Unanswered), safe, "{method}");
            assert!(!may_repeat(method, Progress::Answered));
        }
    }

    #[test]
    fn a_user_agent_of_any_file_name_is_a_header() {
        for (given, sent) in [
            ("tidegate/0.1.0 (list-pods)", "tidegate/0.1.0 (list-pods)"),
            ("t (pr\u{fc}fung)", "t (pr_fung)"),
            ("t (x)\r\nX-Evil: 1\0\t\u{7f}", "t (x)__X-Evil: 1___"),
            ("", ""),
        ] {
            assert_eq!(visible(given), sent);
            assert!(HeaderValue::from_str(sent).is_ok());
        }
    }

    #[test]
    fn an_origin_is_written_as_a_url() {
        for (scheme, endpoint, prefix, url) in [
            (Scheme::Https, "10.0.0.1:443", "", "https://10.0.0.1"),
            (Scheme::Https, "k8s.corp:6443", "/kubernetes/global", "https://k8s.corp:6443/kubernetes/global"),
            (Scheme::Http, "[::1]:8001", "", "http://[::1]:8001"),
            (Scheme::Http, "localhost:80", "", "http://localhost"),
        ] {
            let origin = Origin {
                scheme,
                endpoint: Endpoint::parse(endpoint).expect("endpoint"),
                prefix: prefix.into(),
            };
            assert_eq!(origin.to_string(), url);
        }
    }
}
