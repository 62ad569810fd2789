//! What one follower wants of a store that others use too.

use tidegate_kube::scan::{Filter, FilterFailed, Mask, NotAnObject};
use tidegate_transport::{Code, Error};

use crate::Update;
use crate::follow::Told;
use crate::log::What;

/// Which objects of a store are handed out, what of each, and how many at a time. The default is everything.
///
/// Filter and mask see what the store keeps. The filter is asked of an object before and after a change: one that comes to pass it is
/// [`Update::Added`], one that passes it no more is [`Update::Deleted`].
#[derive(Debug)]
pub struct View {
    /// Which objects are wanted; all unless set.
    pub filter: Option<Filter>,
    /// Which of their fields; all unless set.
    pub mask: Option<Mask>,
    /// Whether [`Update::Modified`] has the state before.
    pub previous: bool,
    /// How many changes are handed out at a time; 256 unless set, and at most. 0 is 1.
    pub batch: usize,
}

/// How many changes are handed out at a time, at most.
pub const BATCH: usize = 256;

impl Default for View {
    fn default() -> Self {
        Self { filter: None, mask: None, previous: false, batch: BATCH }
    }
}

impl View {
    /// What is handed out for what is told, if anything.
    ///
    /// Errors: the filter has no answer; an object is none.
    pub(crate) fn show(&self, told: Told) -> Result<Option<Update>, Error> {
        Ok(Some(match told {
            Told::Synced => Update::Synced,
            Told::Desynced => Update::Desynced,
            Told::Reset => Update::Reset,
            Told::Trouble(why) => Update::Error(why),
            Told::Gone(key) => Update::Deleted { object: self.grave(&key)? },
            Told::Left(object) => Update::Deleted { object: self.masked(&object)? },
            Told::Perhaps(object) => match self.passes(&object)? {
                true => Update::Added { object: self.masked(&object)? },
                false => Update::Deleted { object: self.masked(&object)? },
            },
            Told::Changed(object) => match self.passes(&object)? {
                true => Update::Modified { object: self.masked(&object)?, previous: None },
                // It may have passed before.
                false => Update::Deleted { object: self.masked(&object)? },
            },
            Told::Change(what) => return self.show_change(&what),
        }))
    }

    /// An object as it is handed out; none where the filter does not let it pass.
    pub(crate) fn read(&self, object: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        if self.passes(object)? { self.masked(object).map(Some) } else { Ok(None) }
    }

    fn show_change(&self, what: &What) -> Result<Option<Update>, Error> {
        Ok(match what {
            What::Came(object) => self.read(object)?.map(|object| Update::Added { object }),
            What::Went { previous, last } => match self.passes(previous)? {
                true => Some(Update::Deleted { object: self.masked(last.as_ref().unwrap_or(previous))? }),
                false => None,
            },
            What::Became { previous, object } => match (self.passes(previous)?, self.passes(object)?) {
                (false, false) => None,
                (false, true) => Some(Update::Added { object: self.masked(object)? }),
                (true, false) => Some(Update::Deleted { object: self.masked(previous)? }),
                (true, true) => {
                    let object = self.masked(object)?;
                    let previous = if self.previous || self.mask.is_some() {
                        Some(self.masked(previous)?)
                    } else {
                        None
                    };
                    // Nothing that is handed out has changed.
                    if previous.as_ref() == Some(&object) {
                        return Ok(None);
                    }
                    Some(Update::Modified { object, previous: previous.filter(|_| self.previous) })
                }
            },
        })
    }

    fn passes(&self, object: &[u8]) -> Result<bool, Error> {
        let Some(filter) = &self.filter else { return Ok(true) };
        filter.matches(object).map_err(|error| match error {
            FilterFailed::NotAnObject(why) => refused(why),
            FilterFailed::Expression(_) => {
                let text = "the filter has no answer for an object of the reflector";
                Error::new(Code::InvalidRequest, text).because(error)
            }
        })
    }

    fn masked(&self, object: &[u8]) -> Result<Vec<u8>, Error> {
        let Some(mask) = &self.mask else { return Ok(object.to_vec()) };
        let mut out = Vec::with_capacity(128);
        mask.apply(object, &mut out).map_err(refused)?;
        Ok(out)
    }

    /// All that is left of an object that went while nobody was told.
    fn grave(&self, key: &str) -> Result<Vec<u8>, Error> {
        let (namespace, name) = key.split_once('/').unwrap_or(("", key));
        let metadata = match namespace {
            "" => serde_json::json!({"metadata": {"name": name}}),
            _ => serde_json::json!({"metadata": {"name": name, "namespace": namespace}}),
        };
        Ok(metadata.to_string().into_bytes())
    }
}

fn refused(why: NotAnObject) -> Error {
    Error::new(Code::Protocol, "an object of the reflector is refused").because(why)
}
