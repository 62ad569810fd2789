use std::io;

use tidegate_grants::Endpoint;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};

use super::answer::{Answer, Malformed, Status};
use super::socks::{Refused, Socks, Step};
use super::{Proxy, Speaks};
use crate::http::dial::not_connected;
use crate::http::head::visible;
use crate::http::secured::Offer;
use crate::http::stream::Io;
use crate::{Code, Error};

/// What is wanted of a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum Want {
    /// A way to the server on which nobody in between reads.
    Tunnel,
    /// The proxy itself, which passes requests on.
    Forwarding,
}

impl Proxy {
    /// A way to `target` before the deadline, which covers everything up to there.
    ///
    /// Errors: those of dialling; the proxy refuses, which says what to change; it does not answer, or not as a proxy.
    pub(in crate::http) async fn open(
        &self,
        target: &Endpoint,
        want: Want,
        user_agent: &str,
        deadline: Instant,
    ) -> Result<Io, Error> {
        let shown = self.shown();
        let tcp = self.net.connect(deadline).await.map_err(|error| not_connected(error, "the proxy"))?;
        let mut io: Io = match &self.speaks {
            Speaks::Http | Speaks::Socks => Box::new(tcp),
            Speaks::Https(secured) => {
                Box::new(secured.handshake(None, Offer::OneOnly, Box::new(tcp), &shown, deadline).await?)
            }
        };
        let agreed = async {
            match (&self.speaks, want) {
                (Speaks::Socks, _) => self.socks(&mut io, target).await,
                (_, Want::Tunnel) => self.connect(&mut io, target, user_agent).await,
                (_, Want::Forwarding) => Ok(()),
            }
        };
        match timeout_at(deadline, agreed).await {
            Ok(agreed) => agreed.map(|()| io),
            Err(_) => {
                let text = format!("{shown} did not connect to {target} within the deadline");
                Err(Error::new(Code::Timeout, text))
            }
        }
    }

    async fn connect(&self, io: &mut Io, target: &Endpoint, user_agent: &str) -> Result<(), Error> {
        let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n").into_bytes();
        request.extend_from_slice(format!("User-Agent: {}\r\n", visible(user_agent)).as_bytes());
        if let Some(authorization) = self.authorization() {
            request.extend_from_slice(b"Proxy-Authorization: ");
            request.extend_from_slice(authorization.as_bytes());
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"\r\n");
        let broke = |error| self.broke(target, error);
        io.write_all(&request).await.map_err(broke)?;
        io.flush().await.map_err(broke)?;
        let (mut answer, mut buffer) = (Answer::default(), [0; 2048]);
        let status = loop {
            let read = io.read(&mut buffer).await.map_err(broke)?;
            if read == 0 {
                return Err(broke(io::ErrorKind::UnexpectedEof.into()));
            }
            match answer.feed(&buffer[..read]) {
                Ok(None) => {}
                Ok(Some(status)) => break status,
                Err(malformed) => return Err(self.malformed(malformed)),
            }
        };
        if status.is_consent() { Ok(()) } else { Err(self.refused(target, &status)) }
    }

    async fn socks(&self, io: &mut Io, target: &Endpoint) -> Result<(), Error> {
        let broke = |error| self.broke(target, error);
        let mut socks = Socks::new(target, self.user.as_ref());
        let mut step = Step::Send(socks.greeting());
        let mut buffer = [0; 257];
        loop {
            match step {
                Step::Send(bytes) => {
                    io.write_all(&bytes).await.map_err(broke)?;
                    io.flush().await.map_err(broke)?;
                }
                Step::Read => {}
                Step::Connected => return Ok(()),
            }
            let bytes = &mut buffer[..socks.wants()];
            io.read_exact(bytes).await.map_err(broke)?;
            step = socks.feed(bytes).map_err(|refused| self.unfit(target, refused))?;
        }
    }

    fn broke(&self, target: &Endpoint, error: io::Error) -> Error {
        let text = format!("{} closed the connection before it had connected to {target}", self.shown());
        Error::new(Code::Unreachable, text).because(error)
    }

    fn malformed(&self, malformed: Malformed) -> Error {
        let what = match malformed {
            Malformed::NotHttp => "does not answer in HTTP/1.1; is it another kind of proxy?",
            Malformed::TooLong => "answers with a head larger than 32 KiB, the cap",
            Malformed::Talkative => "says more than an answer to CONNECT",
        };
        Error::new(Code::Unreachable, format!("{} {what}", self.shown()))
    }

    fn refused(&self, target: &Endpoint, Status { code, reason }: &Status) -> Error {
        let shown = self.shown();
        let (kind, text) = match (code, &self.user) {
            // tinyproxy says 401 where it means 407.
            (401 | 407, None) => {
                (Code::Forbidden, format!("{shown} wants a user and a password ({code}); {CURE}"))
            }
            (401 | 407, Some(_)) => (
                Code::Forbidden,
                format!("{shown} does not accept the user and password of its URL ({code})"),
            ),
            (403 | 405, _) => {
                let text = format!(
                    "{shown} does not allow connections to {target} ({code} {reason}); its administrator could"
                );
                (Code::Forbidden, text)
            }
            _ => (Code::Unreachable, format!("{shown} could not connect to {target} ({code} {reason})")),
        };
        Error::new(kind, text)
    }

    fn unfit(&self, target: &Endpoint, refused: Refused) -> Error {
        let (shown, words) = (self.shown(), refused.words());
        match refused {
            Refused::WantsUser => Error::new(Code::Forbidden, format!("{shown} {words}; {CURE}")),
            Refused::Login | Refused::NoMethod | Refused::Unsayable => {
                Error::new(Code::Forbidden, format!("{shown} {words}"))
            }
            Refused::Reply(2) => Error::new(Code::Forbidden, format!("{shown} {words} (to {target})")),
            Refused::NotSocks | Refused::LongName | Refused::Reply(_) => {
                Error::new(Code::Unreachable, format!("{shown} could not connect to {target}: it {words}"))
            }
        }
    }
}

const CURE: &str = "write them into its URL, as in http://user:password@host:port";
