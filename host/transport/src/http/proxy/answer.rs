//! What a proxy answers to `CONNECT`. Knows no sockets.

/// The longest answer's head, in bytes. Real ones have about a hundred.
const MAX_HEAD: usize = 32 * 1024;

/// The longest reason that is shown, in characters.
const MAX_REASON: usize = 100;

/// An answer, as far as it came.
#[derive(Debug, Default)]
pub(super) struct Answer(Vec<u8>);

/// A whole head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Status {
    pub(super) code: u16,
    /// What stands behind the code, for people.
    pub(super) reason: String,
}

/// Why an answer is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Malformed {
    /// It is not HTTP/1.
    NotHttp,
    /// Its head is longer than [`MAX_HEAD`].
    TooLong,
    /// More came behind a consent. A server with TLS says nothing before it is spoken to: that was somebody else.
    Talkative,
}

impl Answer {
    /// More of it; the status once the head is whole.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<Option<Status>, Malformed> {
        let begin = self.0.len().saturating_sub(3);
        self.0.extend_from_slice(bytes);
        let prefix = &b"HTTP/1."[..self.0.len().min(7)];
        if !self.0.starts_with(prefix) {
            return Err(Malformed::NotHttp);
        }
        let Some(end) = end(&self.0[begin..]).map(|end| begin + end) else {
            return if self.0.len() > MAX_HEAD { Err(Malformed::TooLong) } else { Ok(None) };
        };
        let status = status(&self.0[..end]).ok_or(Malformed::NotHttp)?;
        if status.is_consent() && self.0.len() > end {
            return Err(Malformed::Talkative);
        }
        Ok(Some(status))
    }
}

impl Status {
    pub(super) fn is_consent(&self) -> bool {
        (200..300).contains(&self.code)
    }
}

/// Behind the empty line. Some proxies end lines with a line feed alone, and Go reads those.
fn end(bytes: &[u8]) -> Option<usize> {
    let of =
        |mark: &[u8]| bytes.windows(mark.len()).position(|window| window == mark).map(|at| at + mark.len());
    match (of(b"\r\n\r\n"), of(b"\n\n")) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

fn status(head: &[u8]) -> Option<Status> {
    let line = head.split(|byte| *byte == b'\n').next()?.trim_ascii_end();
    let rest = line.strip_prefix(b"HTTP/1.")?;
    let (minor, rest) = rest.split_at_checked(1)?;
    let rest = rest.strip_prefix(b" ")?;
    let (code, reason) = rest.split_at_checked(3)?;
    let digits = minor[0].is_ascii_digit() && code.iter().all(u8::is_ascii_digit);
    if !digits || !matches!(reason.first(), None | Some(b' ')) {
        return None;
    }
    let reason = String::from_utf8_lossy(reason.trim_ascii()).chars().take(MAX_REASON).collect();
    Some(Status { code: std::str::from_utf8(code).ok()?.parse().ok()?, reason })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fed(text: &[u8], pieces: usize) -> Result<Option<Status>, Malformed> {
        let mut answer = Answer::default();
        for piece in text.chunks(pieces) {
            if let Some(status) = answer.feed(piece)? {
                return Ok(Some(status));
            }
        }
        Ok(None)
    }

    #[test]
    fn heads_in_any_pieces() {
        for (text, code, reason) in [
            ("HTTP/1.1 200 Connection established\r\n\r\n", 200, "Connection established"),
            ("HTTP/1.0 200 OK\r\nVia: x\r\nProxy-agent: tinyproxy/1.11.1\r\n\r\n", 200, "OK"),
            ("HTTP/1.1 200\r\n\r\n", 200, ""),
            ("HTTP/1.1 200 OK\n\n", 200, "OK"),
            (
                "HTTP/1.1 407 Proxy Authentication Required\r\nA: b\r\n\r\n",
                407,
                "Proxy Authentication Required",
            ),
            ("HTTP/1.1 100 Continue\r\n\r\n", 100, "Continue"),
        ] {
            for pieces in [1, 2, 3, 5, 1000] {
                let status = Status { code, reason: reason.to_owned() };
                assert_eq!(fed(text.as_bytes(), pieces), Ok(Some(status)), "{text:?} by {pieces}");
            }
        }
        let refusal = b"HTTP/1.1 403 No\r\nContent-Length: 4\r\n\r\n<no>";
        assert_eq!(fed(refusal, 1000).map(|status| status.map(|status| status.code)), Ok(Some(403)));
        assert_eq!(fed(b"HTTP/1.1 200 OK\r\nVia: x\r\n", 1000), Ok(None));
    }

    #[test]
    fn what_is_no_answer() {
        let endless = [&b"HTTP/1.1 200 OK\r\n"[..], &b"A: b\r\n".repeat(MAX_HEAD)].concat();
        for (text, why) in [
            (&b"SSH-2.0-OpenSSH_9.6\r\n"[..], Malformed::NotHttp),
            (b"\x15\x03\x03\x00\x02\x02\x28", Malformed::NotHttp),
            (b"HTTP/2 200\r\n\r\n", Malformed::NotHttp),
            (b"HTTP/1.1 20\r\n\r\n", Malformed::NotHttp),
            (b"HTTP/1.1 2000 OK\r\n\r\n", Malformed::NotHttp),
            (b"HTTP/1.1  200 OK\r\n\r\n", Malformed::NotHttp),
            (b"HTTP/1.1 +20 OK\r\n\r\n", Malformed::NotHttp),
            (b"HTTP/1.1 200 OK\r\n\r\n<html>", Malformed::Talkative),
            (&endless, Malformed::TooLong),
        ] {
            assert_eq!(fed(text, 1000), Err(why), "{}", String::from_utf8_lossy(&text[..text.len().min(40)]));
        }
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(rest in "[ -~\r\n]{0,60}", pieces in 1_usize..20) {
            let text = format!("HTTP/1.1 502 Bad{rest}\r\n\r\n");
            prop_assert_eq!(fed(text.as_bytes(), pieces), fed(text.as_bytes(), 1));
        }

        #[test]
        fn nothing_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), pieces in 1_usize..20) {
            let _ = fed(&bytes, pieces);
            let _ = fed(&[&b"HTTP/1.1 200 "[..], &bytes].concat(), pieces);
        }
    }
}
