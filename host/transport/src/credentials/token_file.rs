use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use futures_util::future::BoxFuture;
use http::HeaderValue;
use tidegate_authority::{ReadGrant, Stamp};
use tidegate_kube::Secret;
use tokio::time::Instant;

use super::{CredentialKind, CredentialReport, Moment, Presented, Source, bearer, expiry};
use crate::Error;
use crate::drive::TEXT_CAP;

/// How often a token file is looked at again, at most. The kubelet replaces tokens long before they expire.
pub(super) const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// A token that is read again when its file changes: looked at every 60 seconds at most, and when a server refuses it.
///
/// It is read on the thread that sends: a few hundred bytes once a minute are not worth a thread. A file that cannot be read, that
/// the guest could have written, or that is empty while it is being replaced leaves the token as it was.
#[derive(Debug)]
pub(crate) struct TokenFile<F: Rotated = ReadGrant> {
    file: F,
    origin: String,
    state: Mutex<State<F::Stamp>>,
}

#[derive(Debug)]
struct State<S> {
    header: HeaderValue,
    /// How many other tokens there were before.
    generation: u64,
    read: SystemTime,
    stamp: Option<S>,
    looked: Instant,
}

/// What somebody else replaces.
pub(crate) trait Rotated: Send + Sync {
    /// Equal while nothing was replaced.
    type Stamp: Copy + PartialEq + Send;

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
    pub(crate) fn new(file: F, token: &[u8], origin: &str, now: Moment) -> Result<TokenFile<F>, Error> {
        let header = bearer(token, origin)?;
        // Not the stamp of what was read: the first look, a minute from now, reads once more where it changed in between.
        let state = State { header, generation: 0, read: now.date, stamp: None, looked: now.instant };
        Ok(TokenFile { file, origin: origin.to_owned(), state: Mutex::new(state) })
    }

    fn presented(&self) -> Presented {
        let state = self.lock();
        Presented { header: Some(state.header.clone()), identity: None, generation: state.generation }
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
        let Ok(header) = bearer(bytes.expose(), "") else { return };
        let mut state = self.lock();
        state.read = SystemTime::now();
        if state.header != header {
            state.header = header;
            state.generation += 1;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State<F::Stamp>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<F: Rotated> Source for TokenFile<F> {
    fn current(&self, now: Moment) -> Option<Presented> {
        let looked = self.lock().looked;
        if now.instant.saturating_duration_since(looked) >= LOOK_AGAIN {
            self.look_again(now.instant);
        }
        Some(self.presented())
    }

    fn refresh(&self, refused: Option<u64>) -> BoxFuture<'_, Result<Presented, Error>> {
        if refused.is_none_or(|generation| generation == self.lock().generation) {
            self.read_again();
        }
        Box::pin(std::future::ready(Ok(self.presented())))
    }

    fn reports(&self) -> Vec<CredentialReport> {
        let mut report = CredentialReport::new(CredentialKind::TokenFile, &self.origin);
        let state = self.lock();
        report.expires = expiry(&state.header);
        report.refreshed = Some(state.read);
        vec![report]
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;
    use std::sync::atomic::Ordering::Relaxed;

    use super::*;

    /// What the file holds, stamped with itself, and how often it was looked at and read.
    #[derive(Default)]
    struct Fake {
        holds: Mutex<Option<&'static str>>,
        looks: AtomicU32,
        reads: AtomicU32,
    }

    impl Rotated for &Fake {
        type Stamp = &'static str;

        fn stamp(&self) -> Option<&'static str> {
            self.looks.fetch_add(1, Relaxed);
            *self.holds.lock().expect("holds")
        }

        fn read(&self) -> Option<Secret<Vec<u8>>> {
            self.reads.fetch_add(1, Relaxed);
            self.holds.lock().expect("holds").map(|text| Secret::new(text.as_bytes().to_vec()))
        }
    }

    #[test]
    fn a_file_is_looked_at_once_a_minute_and_read_when_it_changed() {
        let (fake, begin) = (Fake::default(), Moment::now());
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
            *fake.holds.lock().expect("holds") = holds;
            let now = Moment { instant: begin.instant + Duration::from_secs(second), ..begin };
            let header = file.current(now).and_then(|presented| presented.header).expect("header");
            assert_eq!(header.to_str().ok(), Some(format!("Bearer {sent}").as_str()), "second {second}");
            assert_eq!(
                (fake.looks.load(Relaxed), fake.reads.load(Relaxed)),
                (looks, reads),
                "second {second}"
            );
        }
    }
}
