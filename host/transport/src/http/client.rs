use std::sync::Arc;

use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, StatusCode};
use tidegate_grants::{Endpoint, Host};
use tidegate_kube::kubeconfig::{Impersonate, Scheme, Server};
use tidegate_kube::request::{Checked, Counts, MAX_DEADLINE, Method};
use tokio::time::{Instant, timeout_at};

use super::dial::{Dialer, Opened};
use super::fault::{Broken, Fault, Progress};
use super::head::{self, Compression, Fixed, Form};
use super::incoming::{Incoming, Wire};
use super::pool::{Company, Pool, Speaks, Way};
use super::proxy::Proxy;
use super::secured::Offer;
use super::tls::ClientIdentity;
use super::{fault, one, status};
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
    pub(super) dialer: Dialer,
    pub(super) fixed: Fixed,
    pub(super) credentials: Credentials,
    pub(super) pool: Arc<Pool>,
}

type Head = (http::response::Parts, Incoming);

impl Client {
    pub(crate) fn new(
        origin: &Origin,
        dialer: Dialer,
        credentials: Credentials,
        compression: Compression,
        user_agent: &str,
    ) -> Result<Client, Error> {
        let header = |text: &str, what: &str| {
            HeaderValue::from_str(text).map_err(|error| {
                Error::new(Code::NotConfigured, format!("{what} is no header value")).because(error)
            })
        };
        let authority = origin.authority();
        let fixed = Fixed {
            host: header(&authority, "the server's host")?,
            user_agent: header(&head::visible(user_agent), "the user agent")?,
            prefix: origin.prefix.clone(),
            impersonate: Vec::new(),
            scheme: match origin.scheme {
                Scheme::Http => http::uri::Scheme::HTTP,
                Scheme::Https => http::uri::Scheme::HTTPS,
            },
            authority: authority.parse().map_err(|error| {
                Error::new(Code::NotConfigured, "the server's host is no part of a URL").because(error)
            })?,
            proxy_authorization: dialer.forwarder().and_then(Proxy::authorization),
            compression,
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
        let mut clock = Clock { deadline: now + checked.deadline(), counts: checked.counts() };
        let again = body.again();
        let presented = clock.wait(self.credentials.present(now, clock.until())).await?;
        let (mut head, mut incoming) = self.attempts(checked, &presented, body, clock.deadline).await?;
        if head.status == StatusCode::UNAUTHORIZED
            && let Some(body) = again
            // What went wrong with a new credential is not what the server said about this request.
            && let Ok(Some(fresh)) = clock.wait(self.credentials.replaced(&presented, clock.until())).await
        {
            // Read to its end, so that its connection serves the second try.
            status::read(&head, incoming, clock.deadline).await;
            (head, incoming) = self.attempts(checked, &fresh, body, clock.deadline).await?;
        }
        let deadline = clock.deadline;
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

    /// Over a kept connection if there is one, else over a new one. A request that reached nobody is sent again, the last time over
    /// a new connection, which has no past.
    async fn attempts(
        &self,
        checked: &Checked,
        presented: &Presented,
        mut body: RequestBody,
        deadline: Instant,
    ) -> Result<Head, Error> {
        let company = if checked.is_stream() { Company::Alone } else { Company::Shared };
        for attempt in 1.. {
            let kept = match attempt {
                ATTEMPTS => None,
                _ => self.pool.take(presented.identity.as_deref().map(ClientIdentity::id), company).await,
            };
            let was_kept = kept.is_some();
            let way = match kept {
                Some(way) => way,
                None => self.new_way(presented, company, deadline).await?,
            };
            let again = body.again();
            let broken = match self.exchange(way, checked, presented, body, deadline).await? {
                Ok(head) => return Ok(head),
                Err(broken) => broken,
            };
            if broken.fault.wants_one() {
                self.pool.learn(Speaks::OneOnly);
            }
            let worth_it = was_kept || broken.progress == Progress::Refused || broken.fault.wants_one();
            body = match (broken.body, again) {
                _ if !worth_it || attempt == ATTEMPTS => return Err(self.told(broken.fault)),
                (Some(untouched), _) => untouched,
                (None, Some(body)) if may_repeat(checked.method(), broken.progress) => body,
                _ => return Err(self.told(broken.fault)),
            };
        }
        unreachable!("the last attempt returns")
    }

    /// A new connection, or a part in one that somebody else opened meanwhile: while the server may speak HTTP/2, one dials for all.
    async fn new_way(
        &self,
        presented: &Presented,
        company: Company,
        deadline: Instant,
    ) -> Result<Way, Error> {
        let identity = presented.identity.as_deref();
        let may_share = || {
            company == Company::Shared
                && self.dialer.is_secured()
                && matches!(self.pool.speaks(), Speaks::Unknown | Speaks::Two)
        };
        let mut turn = None;
        if may_share() {
            turn = timeout_at(deadline, self.pool.turn()).await.ok();
            if let Some(way) = self.pool.take_shared(identity.map(ClientIdentity::id)) {
                return Ok(way);
            }
            if !may_share() {
                turn = None;
            }
        }
        let offer = if self.pool.speaks() == Speaks::OneOnly { Offer::OneOnly } else { Offer::Both };
        let opened = self.dialer.dial(identity, offer, deadline).await?;
        let way = match opened {
            Opened::One(connection) => {
                self.pool.learn(Speaks::One);
                Way::One(connection)
            }
            Opened::Two(session) => {
                self.pool.learn(Speaks::Two);
                self.pool.adopt(session, company).ok_or_else(|| {
                    let text = format!("{} takes no requests over HTTP/2", self.dialer.server());
                    Error::new(Code::Unreachable, text)
                })?
            }
        };
        drop(turn);
        Ok(way)
    }

    /// The outer error is the deadline's, and those of a request or a response that are not the connection's fault.
    async fn exchange(
        &self,
        way: Way,
        checked: &Checked,
        presented: &Presented,
        body: RequestBody,
        deadline: Instant,
    ) -> Result<Result<Head, Broken>, Error> {
        let form = match &way {
            Way::Two(_) => Form::Pseudo,
            Way::One(_) if self.dialer.forwarder().is_some() => Form::Absolute,
            Way::One(_) => Form::Origin,
        };
        let request = self.fixed.request(checked, presented.header.clone(), form, body)?;
        let exchanged = timeout_at(deadline, self.over(way, request)).await.unwrap_or_else(|_| {
            let text = format!("{} did not answer within the request's deadline", self.dialer.server());
            Ok(Err(Error::new(Code::Timeout, text)))
        });
        let (head, wire) = match exchanged {
            Ok(answered) => answered?,
            Err(broken) => return Ok(Err(broken)),
        };
        let incoming = Incoming::new(wire, &head)?;
        Ok(Ok((head, incoming)))
    }

    /// The inner error is that of a response that is there and cannot be used.
    async fn over(
        &self,
        way: Way,
        request: http::Request<RequestBody>,
    ) -> Result<Result<(http::response::Parts, Wire), Error>, Broken> {
        let (head, wire) = match way {
            Way::Two(sending) => {
                let (head, received) = sending.exchange(request).await?;
                (head, Wire::Two(received))
            }
            Way::One(mut connection) => {
                let (head, body) = connection.exchange(request).await?.into_parts();
                if head.status.is_informational() {
                    let text =
                        format!("{} switched protocols, which was not asked for", self.dialer.server());
                    return Ok(Err(Error::new(Code::Protocol, text)));
                }
                (head, Wire::One(one::Received::new(body, connection, self.pool.clone()).await))
            }
        };
        Ok(Ok((head, wire)))
    }

    pub(super) fn told(&self, fault: Fault) -> Error {
        fault::in_exchange(fault, &self.dialer.server(), &self.dialer.name())
    }
}

/// A request's deadline, which stands still while a credential is had where it counts the server's part alone.
struct Clock {
    deadline: Instant,
    counts: Counts,
}

impl Clock {
    /// Until when a credential may take. What gives it has a deadline of its own.
    fn until(&self) -> Instant {
        match self.counts {
            Counts::Everything => self.deadline,
            Counts::TheServer => self.deadline + MAX_DEADLINE,
        }
    }

    async fn wait<T>(&mut self, credential: impl Future<Output = T>) -> T {
        if self.counts == Counts::Everything {
            return credential.await;
        }
        let begun = Instant::now();
        let had = credential.await;
        self.deadline += begun.elapsed();
        had
    }
}

/// How often a request is sent at most that reached nobody.
const ATTEMPTS: u32 = 3;

/// As Go's http.Transport: whatever was not looked at, and what changes nothing.
fn may_repeat(method: Method, progress: Progress) -> bool {
    match progress {
        Progress::Unsent | Progress::Refused => true,
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
            assert!(may_repeat(method, Progress::Refused));
            assert_eq!(may_repeat(method, Progress::Unanswered), safe, "{method}");
            assert!(!may_repeat(method, Progress::Answered));
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
