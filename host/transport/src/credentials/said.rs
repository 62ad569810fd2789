//! What a program writes to standard error, made fit for a person: in lines, cleaned, without what is secret.

use std::collections::VecDeque;
use std::time::Duration;

use tidegate_kube::{Secret, text};
use tokio::time::Instant;

use crate::{Event, Observer};

/// How long a line is held back at most: the credential that may be in it is known once the program has ended, but a person
/// who is asked to open a page must be told before.
const HOLD: Duration = Duration::from_secs(3);

/// How many bytes are handed on of one run. What a broken plugin writes beyond it is read and dropped.
const CAP: usize = 64 * 1024;

/// How long a line is shown, in bytes.
const LINE: usize = 4096;

/// How many secrets a line is searched for, the longest first. A key has 50 lines.
const SECRETS: usize = 256;

const REDACTED: &str = "<redacted>";

/// Lines that wait until it is known what must not be in them.
pub(super) struct Said {
    lines: VecDeque<(Instant, Secret<Vec<u8>>)>,
    /// The line that has not ended yet, and when it began.
    open: Option<(Instant, Vec<u8>)>,
    bytes: usize,
    dropped: u64,
    /// Inside of a private key, as far as was shown.
    in_key: bool,
}

impl Said {
    pub(super) fn new() -> Said {
        Said { lines: VecDeque::new(), open: None, bytes: 0, dropped: 0, in_key: false }
    }

    /// Takes what was written `now`.
    pub(super) fn push(&mut self, bytes: &[u8], now: Instant) {
        for piece in bytes.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
            if self.dropped > 0 || self.bytes + piece.len() > CAP {
                self.dropped += piece.len() as u64;
                // What was cut cannot be compared with a secret any more.
                self.open = None;
                continue;
            }
            self.bytes += piece.len();
            let (_, line) = self.open.get_or_insert_with(|| (now, Vec::new()));
            line.extend_from_slice(piece);
            if piece.ends_with(b"\n") || piece.ends_with(b"\r") {
                self.close();
            }
        }
    }

    /// When the next line has waited long enough.
    pub(super) fn due(&self) -> Option<Instant> {
        let oldest = self.lines.front().map(|(since, _)| *since);
        oldest.or(self.open.as_ref().map(|(since, _)| *since)).map(|since| since + HOLD)
    }

    /// Shows what has waited long enough, without what looks like a credential.
    pub(super) fn release_due(&mut self, now: Instant, program: &str, observer: &dyn Observer) {
        let is_due = |since: Instant| since + HOLD <= now;
        if self.lines.is_empty() && self.open.as_ref().is_some_and(|(since, _)| is_due(*since)) {
            self.close();
        }
        while self.lines.front().is_some_and(|(since, _)| is_due(*since))
            && let Some((_, line)) = self.lines.pop_front()
        {
            self.show(&line, &[], program, observer);
        }
    }

    /// Shows the rest, without `secrets`.
    pub(super) fn release(mut self, secrets: &[&str], program: &str, observer: &dyn Observer) {
        self.close();
        let secrets = &longest(secrets);
        while let Some((_, line)) = self.lines.pop_front() {
            self.show(&line, secrets, program, observer);
        }
        if self.dropped > 0 {
            let line = format!("({} bytes more, beyond the cap of {CAP}, are not shown)", self.dropped);
            observer.event(&Event::Plugin { program, line: &line });
        }
    }

    fn close(&mut self) {
        if let Some((since, line)) = self.open.take() {
            self.lines.push_back((since, Secret::new(line)));
        }
    }

    fn show(&mut self, line: &Secret<Vec<u8>>, secrets: &[&str], program: &str, observer: &dyn Observer) {
        let line = Secret::new(String::from_utf8_lossy(line.expose()).into_owned());
        let line = self.without_keys(without(line.expose(), secrets));
        let line = text::for_people(line.expose(), LINE);
        if !line.is_empty() {
            observer.event(&Event::Plugin { program, line: &line });
        }
    }

    /// Private keys in PEM and what looks like a JSON Web Token are no business of a terminal, whoever's they are.
    fn without_keys(&mut self, line: Secret) -> Secret {
        let began = line.expose().contains("-----BEGIN ") && line.expose().contains("PRIVATE KEY-----");
        let ended = line.expose().contains("-----END ");
        if began || self.in_key {
            self.in_key = !ended;
            return Secret::new(REDACTED.to_owned());
        }
        let words = line.expose().split_inclusive(|c: char| c.is_whitespace() || "\"'=,;".contains(c));
        Secret::new(words.map(|word| if is_token(word) { REDACTED } else { word }).collect())
    }
}

/// `eyJ…​.….…`: a JSON object, a second one and a signature, all base64.
fn is_token(word: &str) -> bool {
    let word = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_');
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    word.len() > 30 && word.starts_with("eyJ") && word.matches('.').count() == 2 && word.chars().all(plain)
}

/// What a broken plugin printed may be a hundred thousand words.
fn longest<'a>(secrets: &[&'a str]) -> Vec<&'a str> {
    let mut longest: Vec<&str> = secrets.iter().copied().filter(|secret| !secret.is_empty()).collect();
    longest.sort_unstable_by(|one, other| other.len().cmp(&one.len()).then(one.cmp(other)));
    longest.dedup();
    longest.truncate(SECRETS);
    longest
}

fn without(line: &str, secrets: &[&str]) -> Secret {
    let mut line = Secret::new(line.to_owned());
    for secret in secrets {
        if line.expose().contains(secret) {
            line = Secret::new(line.expose().replace(secret, REDACTED));
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Heard(Mutex<Vec<String>>);

    impl Heard {
        fn take(&self) -> Vec<String> {
            std::mem::take(&mut self.0.lock().expect("lock"))
        }
    }

    impl Observer for Heard {
        fn event(&self, event: &Event<'_>) {
            if let Event::Plugin { line, .. } = event {
                self.0.lock().expect("lock").push((*line).to_owned());
            }
        }
    }

    #[test]
    fn lines_are_cleaned_and_hold_no_secret() {
        let jwt = "eyJhbGciOiJub25lIn0.eyJleHAiOjE3MDAwMDAwMDB9.c2lnbmF0dXJl";
        for (written, secrets, shown) in [
            ("one\ntwo\r\nthree", &[][..], &["one", "two", "three"][..]),
            ("token: hunter2, again hunter2!\n", &["hunter2"], &["token: <redacted>, again <redacted>!"]),
            ("a\u{1b}[31mb\u{7}\n", &[], &["a\u{fffd}[31mb\u{fffd}"]),
            ("nothing\n\n\n", &[""], &["nothing"]),
            (&format!("id \"{jwt}\", yes\n"), &[], &["id \"<redacted>, yes"]),
            (
                "-----BEGIN EC PRIVATE KEY-----\nMHcCAQ\n-----END EC PRIVATE KEY-----\nafter\n",
                &[],
                &["<redacted>", "<redacted>", "<redacted>", "after"],
            ),
            ("\u{0}\u{0}\n", &[], &["\u{fffd}\u{fffd}"]),
        ] {
            let (heard, mut said) = (Heard::default(), Said::new());
            // In pieces of any size.
            for byte in written.as_bytes() {
                said.push(&[*byte], Instant::now());
            }
            said.release(secrets, "p", &heard);
            assert_eq!(heard.take(), shown, "{written:?}");
        }
    }

    #[test]
    fn lines_wait_and_no_longer() {
        let (heard, mut said, begin) = (Heard::default(), Said::new(), Instant::now());
        said.push(b"open https://login\nand type AB-12: ", begin);
        assert_eq!(said.due(), Some(begin + HOLD));
        said.release_due(begin + HOLD / 2, "p", &heard);
        assert!(heard.take().is_empty());
        said.release_due(begin + HOLD, "p", &heard);
        assert_eq!(heard.take(), ["open https://login"]);
        said.release_due(begin + HOLD, "p", &heard);
        assert_eq!(heard.take(), ["and type AB-12:"]);
        assert_eq!(said.due(), None);
    }

    #[test]
    fn a_hundred_thousand_words_take_no_time_and_the_longest_are_cut_out() {
        let words: Vec<String> = (0..100_000).map(|number| format!("word-{number}")).collect();
        let mut secrets: Vec<&str> = words.iter().map(String::as_str).collect();
        secrets.push("the-token-itself");
        let (heard, mut said) = (Heard::default(), Said::new());
        for _ in 0..3000 {
            said.push(b"word-x the-token-itself\n", Instant::now());
        }
        said.release(&secrets, "p", &heard);
        assert!(heard.take()[..2500].iter().all(|line| line == "word-x <redacted>"));
    }

    #[test]
    fn a_flood_has_a_cap_and_no_secret_is_cut_in_two() {
        let (heard, mut said) = (Heard::default(), Said::new());
        let secret = "s".repeat(300);
        for _ in 0..1000 {
            said.push(format!("{secret}\n").as_bytes(), Instant::now());
        }
        said.push(secret.as_bytes(), Instant::now());
        said.release(&[&secret], "p", &heard);
        let lines = heard.take();
        assert_eq!(lines.len(), CAP / 301 + 1);
        assert!(lines[..lines.len() - 1].iter().all(|line| line == REDACTED));
        assert!(lines[lines.len() - 1].contains("beyond the cap of 65536"), "{lines:?}");
    }
}
