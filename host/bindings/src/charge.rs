//! What a guest's handles hold before anything comes of them.

use tidegate_transport::Error;
use tokio::sync::OwnedSemaphorePermit;

use crate::request::Held;

/// What one handle holds of what all requests of its guest may. Given back when it is dropped.
pub(crate) struct Charge {
    held: Held,
    taken: Option<OwnedSemaphorePermit>,
    too_large: bool,
}

impl Charge {
    pub(crate) fn new(held: Held) -> Charge {
        Charge { held, taken: None, too_large: false }
    }

    /// Whether so many bytes more may be held, and so all that was asked for before.
    pub(crate) fn hold(&mut self, bytes: usize) -> bool {
        match (self.held.take(bytes), &mut self.taken) {
            (Some(more), Some(taken)) => taken.merge(more),
            (Some(more), none) => *none = Some(more),
            (None, _) => self.too_large = true,
        }
        !self.too_large
    }

    /// A text, if it may be held.
    pub(crate) fn text(&mut self, text: String) -> Option<String> {
        self.hold(text.len()).then_some(text)
    }

    /// Texts, if they may be held.
    pub(crate) fn texts(&mut self, texts: Vec<String>) -> Option<Vec<String>> {
        let bytes = texts.iter().map(|text| text.len() + size_of::<String>()).sum();
        self.hold(bytes).then_some(texts)
    }

    /// What was taken. Errors: something was not.
    pub(crate) fn settle(self) -> Result<Option<OwnedSemaphorePermit>, Error> {
        if self.too_large {
            return Err(self.held.full());
        }
        Ok(self.taken)
    }
}
