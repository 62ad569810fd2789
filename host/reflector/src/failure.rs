use std::time::Duration;

use tidegate_transport::{Code, Error, Limit};

/// The longest wait that a server can ask for (`Retry-After`).
pub(crate) const MAX_RETRY_AFTER: Duration = Duration::from_secs(5 * 60);

/// What went wrong, and what can be done about it.
#[derive(Debug, Clone)]
pub struct Failure {
    /// What went wrong.
    pub why: Error,
    /// What helps.
    pub cure: Cure,
    /// How long the server asks to be left alone, at most five minutes.
    pub retry_after: Option<Duration>,
}

/// What helps against a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cure {
    /// A new list: the server has no history from where we are (410), or we are ahead of it.
    List,
    /// Time: nobody answers, or the server has too much to do.
    Time,
    /// Time, or a new list where the same happens again and again.
    TimeThenList,
    /// Nothing: it is this side that refuses, and will for ever.
    Nothing,
}

impl Failure {
    /// Judges an error of a list, a watch or a probe.
    pub fn of(why: Error) -> Failure {
        let retry_after = why.retry_after().map(|wait| wait.min(MAX_RETRY_AFTER));
        Failure { cure: cure(&why), retry_after, why }
    }

    /// What a peer must not do.
    pub(crate) fn protocol(text: &str) -> Failure {
        Failure::of(Error::new(Code::Protocol, text))
    }
}

fn cure(why: &Error) -> Cure {
    if let Some(status) = why.status() {
        let ahead =
            || status.details.as_deref().is_some_and(|details| details.contains("ResourceVersionTooLarge"));
        return match status.code {
            410 => Cure::List,
            _ if matches!(status.reason.as_str(), "Expired" | "Gone") => Cure::List,
            // The server's state is older than what we saw: it was restored, or has not caught up.
            504 if ahead() => Cure::List,
            429 | 503 => Cure::Time,
            _ => Cure::TimeThenList,
        };
    }
    if why.limit().is_some_and(Limit::is_for_good) {
        return Cure::Nothing;
    }
    match why.code() {
        Code::InvalidRequest
        | Code::Unsupported
        | Code::PermissionDenied
        | Code::NoClient
        | Code::UnsupportedResource
        // The connection was unregistered: its clients stay closed, whatever gets its name later.
        | Code::Closed => Cure::Nothing,
        Code::Protocol | Code::TooLarge | Code::Redirect => Cure::TimeThenList,
        _ => Cure::Time,
    }
}

#[cfg(test)]
mod tests {
    use tidegate_kube::status::from_response;

    use super::*;

    #[test]
    fn each_failure_has_its_cure() {
        let status = |code: u16, body: &str| Error::from_status(from_response(code, None, body.as_bytes()));
        let of = |code: Code| Error::new(code, "x");
        for (error, cure) in [
            (status(410, ""), Cure::List),
            (status(500, r#"{"kind":"Status","reason":"Expired"}"#), Cure::List),
            (
                status(
                    504,
                    r#"{"kind":"Status","details":{"causes":[{"reason":"ResourceVersionTooLarge"}]}}"#,
                ),
                Cure::List,
            ),
            (of(Code::Closed), Cure::Nothing),
            (status(504, ""), Cure::TimeThenList),
            (status(429, ""), Cure::Time),
            (status(503, ""), Cure::Time),
            (status(401, ""), Cure::TimeThenList),
            (status(403, ""), Cure::TimeThenList),
            (status(404, ""), Cure::TimeThenList),
            (status(500, ""), Cure::TimeThenList),
            (of(Code::Protocol), Cure::TimeThenList),
            (of(Code::TooLarge), Cure::TimeThenList),
            (of(Code::Redirect), Cure::TimeThenList),
            (of(Code::Unreachable), Cure::Time),
            (of(Code::Timeout), Cure::Time),
            (of(Code::Tls), Cure::Time),
            (of(Code::NotConfigured), Cure::Time),
            (of(Code::Halted), Cure::Time),
            (Error::limited(Limit::Streams(1)), Cure::Time),
            (Error::limited(Limit::Bytes(1)), Cure::Nothing),
            (of(Code::InvalidRequest), Cure::Nothing),
            (of(Code::Unsupported), Cure::Nothing),
            (of(Code::PermissionDenied), Cure::Nothing),
        ] {
            let failure = Failure::of(error);
            assert_eq!(failure.cure, cure, "{:?}", failure.why);
        }
    }

    #[test]
    fn a_server_is_obeyed_up_to_five_minutes() {
        for (seconds, expected) in [(0, None), (1, Some(1)), (300, Some(300)), (u64::MAX, Some(300))] {
            let body = format!(r#"{{"kind":"Status","details":{{"retryAfterSeconds":{seconds}}}}}"#);
            let failure = Failure::of(Error::from_status(from_response(429, None, body.as_bytes())));
            assert_eq!(failure.retry_after.map(|wait| wait.as_secs()), expected, "{seconds}");
        }
    }
}
