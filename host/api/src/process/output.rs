//! What comes of a tunnel to a process: output, and one end.

use std::collections::VecDeque;

use tidegate_kube::channels::Piece;
use tidegate_kube::channels::process::{self as channel, Ended};
use tidegate_transport::{Code, Error};

use super::{Chunk, Stream};

/// What was read of the tunnel.
#[derive(Debug, Default)]
pub(super) struct Output {
    pub(super) ahead: VecDeque<Chunk>,
    /// What came of the status.
    status: Vec<u8>,
    pub(super) ended: Option<Result<Ended, Error>>,
    /// Whether nothing more is to be read.
    pub(super) over: bool,
    /// Whether the error was told.
    pub(super) told: bool,
}

impl Output {
    /// What came of the tunnel.
    pub(super) fn take(&mut self, next: Result<Option<Piece>, Error>) {
        let piece = match next {
            Ok(Some(piece)) => piece,
            Ok(None) => {
                return self
                    .end(|| Error::new(Code::Protocol, "the tunnel ended without a word about its process"));
            }
            // Output is missing, and a script that takes the exit code for the end of it is to know.
            Err(error) if error.code() == Code::Limit => {
                (self.ended, self.over) = (Some(Err(error)), true);
                return;
            }
            // How the process ended is known: how the tunnel did is not worth a word.
            Err(error) => return self.end(|| error),
        };
        let stream = match piece.channel {
            channel::STDOUT => Stream::Stdout,
            channel::STDERR => Stream::Stderr,
            channel::STATUS => return self.status(&piece),
            // Nothing that a client needs to know.
            _ => return,
        };
        if !piece.bytes.is_empty() {
            self.ahead.push_back(Chunk { stream, bytes: piece.bytes });
        }
    }

    fn status(&mut self, piece: &Piece) {
        if self.ended.is_some() {
            return;
        }
        if self.status.len() + piece.bytes.len() > channel::STATUS_CAP {
            let text = format!("the process's status is larger than {} bytes, the cap", channel::STATUS_CAP);
            (self.ended, self.over) = (Some(Err(Error::new(Code::TooLarge, text))), true);
            return;
        }
        self.status.extend_from_slice(&piece.bytes);
        if piece.ends && !self.status.is_empty() {
            let status = std::mem::take(&mut self.status);
            self.ended = Some(channel::ended(&status).map_err(|no_status| {
                Error::new(Code::Protocol, "the server says nothing understandable about the process")
                    .because(no_status)
            }));
        }
    }

    fn end(&mut self, error: impl FnOnce() -> Error) {
        self.over = true;
        self.ended.get_or_insert_with(|| Err(error()));
    }

    pub(super) fn exit(&self) -> Result<i32, Error> {
        match &self.ended {
            Some(Ok(Ended::Code(code))) => Ok(*code),
            Some(Ok(Ended::Failed(status))) => Err(Error::from_status(status.clone())),
            Some(Err(error)) => Err(error.clone()),
            None => Err(Error::new(Code::Closed, "the process has not ended")),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn piece(channel: u8, text: &str, ends: bool) -> Result<Option<Piece>, Error> {
        Ok(Some(Piece { channel, bytes: Bytes::copy_from_slice(text.as_bytes()), ends }))
    }

    #[test]
    fn what_comes_of_a_tunnel_is_output_and_one_end() {
        const SUCCESS: &str = r#"{"status":"Success"}"#;
        const LIMITED: &str = "limit: no more";
        let cut = || Err(Error::new(Code::Protocol, "cut"));
        let limited = || Err(Error::new(Code::Limit, "no more"));
        for (name, story, written, end) in [
            (
                "all of it",
                vec![
                    piece(1, "", true),
                    piece(1, "a", true),
                    piece(2, "b", true),
                    piece(3, SUCCESS, true),
                    Ok(None),
                ],
                "ab",
                "0",
            ),
            ("late output", vec![piece(3, SUCCESS, true), piece(1, "late", true), Ok(None)], "late", "0"),
            (
                "a status in pieces",
                vec![piece(3, &SUCCESS[..5], false), piece(3, &SUCCESS[5..], true), Ok(None)],
                "",
                "0",
            ),
            ("an empty status first", vec![piece(3, "", true), piece(3, SUCCESS, true), Ok(None)], "", "0"),
            ("two of them", vec![piece(3, SUCCESS, true), piece(3, "{}", true), Ok(None)], "", "0"),
            ("cut after it", vec![piece(3, SUCCESS, true), cut()], "", "0"),
            ("limited after it", vec![piece(3, SUCCESS, true), limited()], "", LIMITED),
            ("limited before it", vec![piece(1, "a", true), limited()], "a", LIMITED),
            ("cut before it", vec![piece(1, "a", true), cut()], "a", "protocol: cut"),
            (
                "no status",
                vec![piece(1, "a", true), Ok(None)],
                "a",
                "protocol: the tunnel ended without a word about its process",
            ),
            (
                "half a status",
                vec![piece(3, "{", false), Ok(None)],
                "",
                "protocol: the tunnel ended without a word about its process",
            ),
            (
                "nonsense",
                vec![piece(3, "{}", true), Ok(None)],
                "",
                "protocol: the server says nothing understandable about the process",
            ),
            (
                "other channels",
                vec![
                    piece(0, "x", true),
                    piece(4, "x", true),
                    piece(255, "\u{1}", true),
                    piece(3, SUCCESS, true),
                    Ok(None),
                ],
                "",
                "0",
            ),
            (
                "a refusal",
                vec![
                    piece(
                        3,
                        r#"{"kind":"Status","status":"Failure","code":400,"message":"no","reason":"BadRequest"}"#,
                        true,
                    ),
                    Ok(None),
                ],
                "",
                "status: no (400 BadRequest)",
            ),
        ] {
            let mut output = Output::default();
            for next in story {
                output.take(next);
            }
            assert!(output.over, "{name}");
            let all: String =
                output.ahead.iter().map(|chunk| String::from_utf8_lossy(&chunk.bytes).into_owned()).collect();
            assert_eq!(all, written, "{name}");
            let found = match output.exit() {
                Ok(code) => code.to_string(),
                Err(error) => format!("{}: {error}", error.code()),
            };
            assert_eq!(found, end, "{name}");
        }
    }

    #[test]
    fn a_status_without_an_end_is_bounded() {
        let mut output = Output::default();
        for _ in 0..=channel::STATUS_CAP / 1000 {
            output.take(piece(channel::STATUS, &" ".repeat(1000), false));
        }
        assert_eq!(output.exit().expect_err("too large").code(), Code::TooLarge);
    }
}
