use std::sync::{Mutex, PoisonError};

use tidegate_grants::{Limit, LimitKind};

use super::Meter;

/// Why a guest was not given what it asked for last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// It is not granted.
    Refused {
        /// The flags to add; empty where a deny flag is in the way.
        missing: Vec<String>,
    },
    /// It has come to a limit.
    Limited(Limit),
}

/// The last of it, whoever told it. One value, so that what came later counts; shared, since a guest's own requests are tasks.
#[derive(Default)]
pub(super) struct Last(Mutex<Option<Told>>);

impl Last {
    fn set(&self, told: Option<Told>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = told;
    }

    /// A guest that is given later what the limit of this kind had refused goes on: that is not what it ends for.
    pub(super) fn forget(&self, kind: LimitKind) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*told, Some(Told::Limited(limit)) if limit.kind() == kind) {
            *told = None;
        }
    }

    fn get(&self) -> Option<Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Meter {
    /// Remembers that the guest was told of a limit, or of another failure that neither is one nor a refusal.
    pub fn note(&self, limit: Option<Limit>) {
        self.0.last.set(limit.map(Told::Limited));
    }

    /// Remembers that the guest was told of a refusal.
    pub fn note_refusal(&self, missing: Vec<String>) {
        self.0.last.set(Some(Told::Refused { missing }));
    }

    /// Forgets a limit of this kind, if it is what was told last: the guest was given since what that had refused. Streams that are opened
    /// and requests that are made here do so by themselves.
    pub fn given(&self, kind: LimitKind) {
        self.0.last.forget(kind);
    }

    /// What the guest was told last.
    pub fn told(&self) -> Option<Told> {
        self.0.last.get()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tidegate_grants::{Limits, Rate};

    use super::*;
    use crate::Silent;

    fn meter(limits: &Limits) -> Meter {
        Meter::new(limits, Arc::new(Silent))
    }

    #[test]
    fn the_last_counts_and_what_is_given_later_is_forgotten() {
        let meter = meter(&Limits::none());
        let missing = || vec!["--allow-net=a:1".to_owned()];
        let (streams, memory) = (Limit::Streams(1), Limit::Memory(1));
        meter.note_refusal(missing());
        meter.given(LimitKind::Streams);
        assert_eq!(meter.told(), Some(Told::Refused { missing: missing() }));
        meter.note(Some(streams));
        assert_eq!(meter.told(), Some(Told::Limited(streams)));
        meter.given(LimitKind::Memory);
        assert_eq!(meter.told(), Some(Told::Limited(streams)), "of another kind");
        meter.note(Some(memory));
        meter.given(LimitKind::Streams);
        assert_eq!(meter.told(), Some(Told::Limited(memory)));
        meter.given(LimitKind::Memory);
        assert_eq!(meter.told(), None);
        meter.note_refusal(missing());
        meter.note(None);
        assert_eq!(meter.told(), None, "another failure came after it");
    }

    #[tokio::test(start_paused = true)]
    async fn opening_and_asking_forget_by_themselves() {
        let limits = Limits::none().streams(1).requests(Rate::per_second(1));
        let (meter, second) = (meter(&limits), Duration::from_secs(1));
        let slot = meter.open().unwrap();
        meter.note(meter.open().unwrap_err().limit());
        meter.ask(second).await.unwrap();
        assert_eq!(meter.told(), Some(Told::Limited(Limit::Streams(1))));
        drop(slot);
        let _slot = meter.open().unwrap();
        assert_eq!(meter.told(), None);
        meter.note(meter.ask(Duration::ZERO).await.unwrap_err().limit());
        assert_eq!(meter.told(), limits.get(LimitKind::Requests).map(Told::Limited));
        meter.ask(second).await.unwrap();
        assert_eq!(meter.told(), None);
    }
}
