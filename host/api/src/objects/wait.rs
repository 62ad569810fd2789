use std::time::Duration;

use serde_json::Value;
use tidegate_kube::condition::Condition;
use tidegate_kube::select::FieldSelector;
use tidegate_transport::{Code, Error};
use tokio::time::{Instant, sleep, timeout_at};

use super::{EventType, List, Objects, Wait, has_code};

/// What an object had come to when a wait ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Waited {
    /// The object, which meets the condition.
    Met(Value),
    /// It is gone: what [`Condition::Deleted`] waits for.
    Gone,
}

/// What one look at an object says.
enum Look {
    Done(Waited),
    /// Not yet; the version to watch from, empty where the object does not exist.
    NotYet {
        version: String,
    },
}

impl Objects {
    /// Waits until the object of this name comes to a condition, as `kubectl wait` does; watching it, or looking now and then where the
    /// resource cannot be watched.
    ///
    /// Errors: [`Code::Timeout`], saying what was waited for; 404 where it does not exist, or ceases to, unless that or its creation is
    /// waited for; [`Code::InvalidRequest`] for a JSONPath that does not fit the object.
    pub async fn wait(&self, name: &str, condition: &Condition, wait: &Wait) -> Result<Waited, Error> {
        let deadline = Instant::now() + wait.timeout;
        // The object whose end is waited for: another one of its name counts as its end.
        let mut uid = None;
        let mut look = self.look(name, condition, &mut uid).await?;
        loop {
            let version = match look {
                Look::Done(waited) => return Ok(waited),
                Look::NotYet { version } => version,
            };
            let changed = self.change(name, &version, wait.interval);
            if wait.timeout.is_zero() || timeout_at(deadline, changed).await.is_err() {
                let (plural, seconds) = (self.resource.qualified(), wait.timeout.as_secs_f64());
                let text = format!("{plural}/{name} did not come to {condition} within {seconds} s");
                return Err(Error::new(Code::Timeout, text));
            }
            look = self.look(name, condition, &mut uid).await?;
        }
    }

    async fn look(&self, name: &str, condition: &Condition, uid: &mut Option<String>) -> Result<Look, Error> {
        let object = match (self.get_opt(name).await?, condition) {
            (Some(object), _) => object,
            (None, Condition::Deleted) => return Ok(Look::Done(Waited::Gone)),
            (None, Condition::Created) => return Ok(Look::NotYet { version: String::new() }),
            // Once more, for the server's own words.
            (None, _) => self.get(name).await?,
        };
        let now = object["metadata"]["uid"].as_str().map(str::to_owned);
        let first = uid.get_or_insert_with(|| now.clone().unwrap_or_default());
        if *condition == Condition::Deleted && now.is_some_and(|now| now != *first) {
            return Ok(Look::Done(Waited::Gone));
        }
        let is_met = condition.is_met(&object);
        if is_met.map_err(|error| Error::new(Code::InvalidRequest, format!("{condition}: {error}")))? {
            return Ok(Look::Done(Waited::Met(object)));
        }
        let version = object["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned();
        Ok(Look::NotYet { version })
    }

    /// Returns when the object may have changed. A watch that cannot be had, or breaks, is a pause: the next look tells what is wrong.
    async fn change(&self, name: &str, version: &str, interval: Duration) {
        if !self.resource.can("watch") || self.subresource.is_some() {
            return sleep(interval).await;
        }
        let fields = FieldSelector::everything().equals("metadata.name", name);
        let known = !version.is_empty();
        let list = List { fields, resource_version: known.then(|| version.to_owned()), ..List::default() };
        let mut watch = match self.watch(&list).await {
            Ok(watch) => watch,
            // The version is too old to watch from: the object has to be looked at.
            Err(error) if has_code(&error, 410) => return,
            Err(_) => return sleep(interval).await,
        };
        loop {
            match watch.next().await {
                Some(Ok(event)) if event.event_type == EventType::Bookmark => {}
                Some(Ok(_)) => return,
                Some(Err(error)) if has_code(&error, 410) => return,
                // Ended by the server, which may do that at once each time.
                Some(Err(_)) | None => return sleep(interval).await,
            }
        }
    }
}
