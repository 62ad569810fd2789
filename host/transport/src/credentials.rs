//! The `Authorization` header. Besides the parsed kubeconfig, a credential lives here and nowhere else.
//!
//! Plugins and providers would be further variants of [`Credentials`], with the same two questions to them.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use tidegate_authority::{ReadGrant, Stamp};
use tidegate_kube::Secret;
use tokio::time::Instant;

use crate::drive::TEXT_CAP;
use crate::{Code, Error};

/// How often a token file is looked at again, at most. The kubelet replaces tokens long before they expire.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// What goes into the `Authorization` header of each request.
#[derive(Debug)]
pub(crate) enum Credentials {
    /// Nothing.
    None,
    /// The same for ever.
    Fixed(HeaderValue),
    /// What a file holds.
    File(TokenFile),
}

impl Credentials {
    /// The header for the next request, which is sent `now`.
    pub(crate) fn header(&self, now: Instant) -> Option<HeaderValue> {
        match self {
            Credentials::None => None,
            Credentials::Fixed(header) => Some(header.clone()),
            Credentials::File(file) => Some(file.header(now)),
        }
    }

    /// Another header than the one that the server refused, if there is one by now.
    pub(crate) fn replaced(&self, refused: Option<&HeaderValue>) -> Option<HeaderValue> {
        match self {
            Credentials::None | Credentials::Fixed(_) => None,
            Credentials::File(file) => {
                file.read_again();
                Some(file.current()).filter(|header| Some(header) != refused)
            }
        }
    }
}

/// A token that is read again when its file changes: looked at every 60 seconds at most, and when a server refuses it.
///
/// It is read on the thread that sends: a few hundred bytes once a minute are not worth a thread. A file that cannot be read, that
/// the guest could have written, or that is empty while it is being replaced leaves the token as it was.
#[derive(Debug)]
pub(crate) struct TokenFile<F: Rotated = ReadGrant> {
    file: F,
    state: Mutex<State<F::Stamp>>,
}

#[derive(Debug)]
struct State<S> {
    header: HeaderValue,
    stamp: Option<S>,
    looked: Instant,
}

/// What somebody else replaces.
pub(crate) trait Rotated {
    /// Equal while nothing was replaced.
    type Stamp: Copy + PartialEq;

    /// None where there is nothing to look at.
    fn stamp(&self) -> Option<Self::Stamp>;

    /// None where it cannot be read, or is not to be trusted.
    fn read(&self) -> Option<Secret<Vec<u8>>>;
}

impl Rotated for ReadGrant {
    type Stamp = Stamp;

    fn stamp(&self) -> Option<Stamp> {
        self.stamp_now().ok()
    }

    fn read(&self) -> Option<Secret<Vec<u8>>> {
        self.read_trusted_now(TEXT_CAP).ok().map(Secret::new)
    }
}

impl<F: Rotated> TokenFile<F> {
    /// `token` is what the file held a moment ago, `now` is now.
    pub(crate) fn new(file: F, token: &[u8], origin: &str, now: Instant) -> Result<TokenFile<F>, Error> {
        let header = bearer(token, origin)?;
        // Not the stamp of what was read: the first look, a minute from now, reads once more where it changed in between.
        let state = State { header, stamp: None, looked: now };
        Ok(TokenFile { file, state: Mutex::new(state) })
    }

    fn header(&self, now: Instant) -> HeaderValue {
        let looked = self.lock().looked;
        if now.saturating_duration_since(looked) >= LOOK_AGAIN {
            self.look_again(now);
        }
        self.current()
    }

    fn current(&self) -> HeaderValue {
        self.lock().header.clone()
    }

    fn look_again(&self, now: Instant) {
        let known = {
            let mut state = self.lock();
            // Others that send meanwhile need not look too.
            state.looked = now;
            state.stamp
        };
        let stamp = self.file.stamp();
        if stamp.is_none() || stamp != known {
            self.read_again();
            self.lock().stamp = stamp;
        }
    }

    fn read_again(&self) {
        let Some(bytes) = self.file.read() else { return };
        if let Ok(header) = bearer(bytes.expose(), "") {
            self.lock().header = header;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State<F::Stamp>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `Bearer` and the token without the white space around it. Errors: there is no token, or one with bytes that no header holds;
/// `origin` says whose.
pub(crate) fn bearer(token: &[u8], origin: &str) -> Result<HeaderValue, Error> {
    let token = token.trim_ascii();
    if token.is_empty() {
        return Err(Error::new(Code::NotConfigured, format!("{origin} holds no token")).broken());
    }
    let text = Secret::new([b"Bearer ", token].concat());
    sensitive(text.expose(), origin)
}

/// `Basic` and user and password.
pub(crate) fn basic(username: &str, password: &Secret, origin: &str) -> Result<HeaderValue, Error> {
    let pair = Secret::new(format!("{username}:{}", password.expose()));
    let text = Secret::new(format!("Basic {}", STANDARD.encode(pair.expose())));
    sensitive(text.expose().as_bytes(), origin)
}

fn sensitive(text: &[u8], origin: &str) -> Result<HeaderValue, Error> {
    // The source would be no more precise, and is not to be trusted with the text.
    let Ok(mut header) = HeaderValue::from_bytes(text) else {
        let text = format!("{origin} holds a credential with line breaks or control bytes in it");
        return Err(Error::new(Code::NotConfigured, text).broken());
    };
    header.set_sensitive(true);
    Ok(header)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn tokens_are_trimmed_and_never_shown() {
        for (token, header) in [
            ("abc", Some("Bearer abc")),
            ("abc\n", Some("Bearer abc")),
            ("\r\n abc \t\n", Some("Bearer abc")),
            ("", None),
            (" \n", None),
            ("a\nb", None),
            ("a\0b", None),
        ] {
            match bearer(token.as_bytes(), "the token file") {
                Ok(made) => {
                    assert_eq!(made.to_str().ok(), header, "{token:?}");
                    assert!(!format!("{made:?}").contains("abc"));
                }
                Err(error) => {
                    assert_eq!(header, None, "{token:?}");
                    assert!(error.report().starts_with("the token file holds"), "{error:?}");
                }
            }
        }
    }

    /// What the file holds, stamped with itself, and how often it was looked at and read.
    #[derive(Default)]
    struct Fake {
        holds: Cell<Option<&'static str>>,
        looks: Cell<u32>,
        reads: Cell<u32>,
    }

    impl Rotated for &Fake {
        type Stamp = &'static str;

        fn stamp(&self) -> Option<&'static str> {
            self.looks.set(self.looks.get() + 1);
            self.holds.get()
        }

        fn read(&self) -> Option<Secret<Vec<u8>>> {
            self.reads.set(self.reads.get() + 1);
            self.holds.get().map(|text| Secret::new(text.as_bytes().to_vec()))
        }
    }

    #[test]
    fn a_file_is_looked_at_once_a_minute_and_read_when_it_changed() {
        let (fake, begin) = (Fake::default(), Instant::now());
        let file = TokenFile::new(&fake, b"one", "the token file", begin).expect("token");
        // At this second the file holds that, this is sent, and so often it has been looked at and read by then.
        for (second, holds, sent, looks, reads) in [
            (0, Some("two"), "one", 0, 0),
            (59, Some("two"), "one", 0, 0),
            (60, Some("two"), "two", 1, 1),
            (61, Some("three"), "two", 1, 1),
            (119, Some("three"), "two", 1, 1),
            (120, Some("three\n"), "three", 2, 2),
            (180, Some("three\n"), "three", 3, 2),
            (240, None, "three", 4, 3),
            (300, Some(""), "three", 5, 4),
            (359, Some("four"), "three", 5, 4),
            (360, Some("four"), "four", 6, 5),
            (9999, Some("four"), "four", 7, 5),
            // A clock that seems to go back is no reason to look.
            (500, Some("five"), "four", 7, 5),
            (10_059, Some("five"), "five", 8, 6),
        ] {
            fake.holds.set(holds);
            let header = file.header(begin + Duration::from_secs(second));
            assert_eq!(header.to_str().ok(), Some(format!("Bearer {sent}").as_str()), "second {second}");
            assert_eq!((fake.looks.get(), fake.reads.get()), (looks, reads), "second {second}");
        }
    }

    #[test]
    fn basic_is_base64() {
        let header = basic("aladdin", &Secret::new("open sesame".to_owned()), "user \"x\"").expect("basic");
        assert_eq!(header.to_str().ok(), Some("Basic YWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
        assert!(header.is_sensitive());
    }
}
