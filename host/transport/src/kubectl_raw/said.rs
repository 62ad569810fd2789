//! Which of the words on `kubectl exec`'s standard error are its own: pure.

use bytes::{Bytes, BytesMut};

/// What kubectl says last where the process ended with another code than 0.
const CODE: &[u8] = b"command terminated with exit code ";

/// With what kubectl begins where it failed itself.
const OWN: [&[u8]; 3] = [b"Error from server", b"error: ", b"Unable to connect to the server"];

/// How much of what was said last is kept to tell why kubectl failed.
const KEPT: usize = 64 * 1024;

/// How much is held back at most: kubectl's own last words are short, and a line without an end is the process's.
const HELD: usize = 8 * 1024;

/// The process's standard error, from which kubectl's own last words are held back.
#[derive(Debug, Default)]
pub(super) struct Said {
    held: BytesMut,
    last: Vec<u8>,
}

impl Said {
    /// What is the process's for certain, of all that came so far and was not let go.
    pub(super) fn hear(&mut self, bytes: &[u8]) -> Bytes {
        self.last.extend_from_slice(bytes);
        if self.last.len() > 2 * KEPT {
            self.last.drain(..self.last.len() - KEPT);
        }
        self.held.extend_from_slice(bytes);
        let line = own_line(&self.held);
        let own = sentence(&self.held).max(if line > HELD { 0 } else { line });
        self.held.split_to(self.held.len() - own).freeze()
    }

    /// Whether anything is held back.
    pub(super) fn holds(&self) -> bool {
        !self.held.is_empty()
    }

    /// What is held back was the process's.
    pub(super) fn let_go(&mut self) -> Bytes {
        self.held.split().freeze()
    }

    /// The words about the code were kubectl's.
    pub(super) fn forget_code(&mut self) {
        if let Some(at) = last_of(&self.held, CODE) {
            self.held.truncate(at);
        }
    }

    /// What was said last, whoever said it.
    pub(super) fn last(&self) -> &[u8] {
        &self.last[self.last.len().saturating_sub(KEPT)..]
    }
}

/// The code of which these words end with kubectl's sentence.
pub(super) fn code_in(words: &[u8]) -> Option<i32> {
    let digits = &words[last_of(words, CODE)? + CODE.len()..];
    std::str::from_utf8(digits.strip_suffix(b"\n")?).ok()?.parse().ok()
}

/// How many bytes at the end are a line that begins as kubectl's own do.
fn own_line(words: &[u8]) -> usize {
    let line = words.trim_ascii_end().iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    if OWN.iter().any(|begin| words[line..].starts_with(begin)) { words.len() - line } else { 0 }
}

/// How many bytes at the end may be the sentence about the code.
fn sentence(words: &[u8]) -> usize {
    let sentence = last_of(words, CODE).filter(|at| {
        let digits = &words[at + CODE.len()..];
        let digits = digits.strip_suffix(b"\n").unwrap_or(digits);
        digits.len() <= 11 && digits.iter().all(|byte| byte.is_ascii_digit() || *byte == b'-')
    });
    let begun = || (1..CODE.len()).rev().find(|&length| words.ends_with(&CODE[..length]));
    sentence.map(|at| words.len() - at).or_else(begun).unwrap_or_default()
}

fn last_of(words: &[u8], what: &[u8]) -> Option<usize> {
    // Only the end matters: the sentence is short.
    let from = words.len().saturating_sub(what.len() + 16);
    words[from..].windows(what.len()).rposition(|window| window == what).map(|at| from + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kubectls_own_words_are_told_from_the_processes() {
        for (name, parts, passed, code) in [
            ("plain", &["one\n", "two\n"][..], "one\ntwo\n", None),
            ("a code", &["out\n", "command terminated with exit code 7\n"], "out\n", Some(7)),
            ("without a line's end", &["out", "command terminated with exit code 137\n"], "out", Some(137)),
            ("in one piece", &["outcommand terminated with exit code 1\n"], "out", Some(1)),
            ("in halves", &["out\ncomm", "and terminated with exit", " code 12", "\n"], "out\n", Some(12)),
            (
                "more than it",
                &["command terminated with exit code 7\n", "x"],
                "command terminated with exit code 7\nx",
                None,
            ),
            (
                "another's",
                &["command terminated with exit code seven\n"],
                "command terminated with exit code seven\n",
                None,
            ),
            ("an error", &["out\n", "error: unable to upgrade connection\n"], "out\n", None),
            ("of the server", &["Error from server (NotFound): pods \"x\" not found\n"], "", None),
            (
                "of the process",
                &["error: mine\n", "error: another\n", "end\n"],
                "error: mine\nerror: another\nend\n",
                None,
            ),
            (
                "of the process, last",
                &["error: mine\n", "command terminated with exit code 2\n"],
                "error: mine\n",
                Some(2),
            ),
        ] {
            let mut said = Said::default();
            let mut heard = Vec::new();
            for part in parts {
                heard.extend_from_slice(&said.hear(part.as_bytes()));
            }
            let found = code_in(said.last());
            assert_eq!(found, code, "{name}");
            if found.is_some() {
                said.forget_code();
                heard.extend_from_slice(&said.let_go());
            }
            assert_eq!(String::from_utf8_lossy(&heard), passed, "{name}");
            assert_eq!(String::from_utf8_lossy(said.last()), parts.concat(), "{name}");
        }
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut said = Said::default();
        for _ in 0..1000 {
            assert_eq!(said.hear(&[b'x'; 1000]).len(), 1000);
        }
        assert!(said.last().len() == KEPT && said.last.len() <= 2 * KEPT + 1000);
    }

    #[test]
    fn what_is_held_back_is_bounded() {
        for (begin, flood) in
            [("error: ", "x"), ("error: x", "\n"), ("", "error: "), ("Error from server", " ")]
        {
            let mut said = Said::default();
            let mut heard = said.hear(begin.as_bytes()).len();
            let flood = flood.repeat(1000);
            for _ in 0..100 {
                heard += said.hear(flood.as_bytes()).len();
                assert!(said.held.len() <= HELD, "{begin:?} {}", said.held.len());
            }
            heard += said.hear(b"\ncommand terminated with exit code 9\n").len();
            assert_eq!(code_in(said.last()), Some(9), "{begin:?}");
            said.forget_code();
            heard += said.let_go().len();
            assert_eq!(heard, begin.len() + 100 * flood.len() + 1, "{begin:?}");
        }
    }
}
