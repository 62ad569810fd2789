//! Waiting until an object comes to something.

use std::time::Duration;

use kube_core::params::WatchParams;
use kube_core::{DynamicObject, Resource, WatchEvent};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Api;
use crate::conditions::Condition;
use crate::{Error, Result, after, poll};

/// How often an object is looked at where it cannot be watched.
const INTERVAL: Duration = Duration::from_secs(1);

impl<K> Api<K>
where
    K: Clone + DeserializeOwned + Resource,
{
    /// Waits until the object of this name meets a condition, and gives it as it is then; none where it does not exist, which is what
    /// [`conditions::is_deleted`](crate::conditions::is_deleted) waits for. kube-rs' `await_condition`, with an end.
    ///
    /// It is watched; where that is refused it is looked at once a second. Errors: `timeout`, and as [`Api::get`].
    pub fn await_condition(
        &self,
        name: &str,
        condition: impl Condition<K>,
        timeout: Duration,
    ) -> Result<Option<K>> {
        let deadline = after(timeout);
        loop {
            let object = self.get_opt(name)?;
            if condition.matches_object(object.as_ref())? {
                return Ok(object);
            }
            let version = object.as_ref().and_then(|object| object.meta().resource_version.clone());
            if deadline.ready() || !self.changed(name, version.as_deref(), &deadline) {
                let url = self.resource_url();
                return Err(Error::new("timeout", format!("{url}/{name}: not so within {timeout:?}"), None));
            }
        }
    }

    /// Waits until the object may have changed; false where the deadline passed before.
    fn changed(&self, name: &str, version: Option<&str>, deadline: &crate::Pollable) -> bool {
        let fields = format!("metadata.name={name}");
        let params = WatchParams::default().fields(&fields).disable_bookmarks();
        // Without a version a watch begins with what there is: so nothing is missed.
        let Ok(mut watch) = self.watch(&params, version.unwrap_or_default()) else {
            return pause(deadline);
        };
        let ready = watch.subscribe();
        loop {
            match watch.try_next() {
                std::task::Poll::Ready(Some(Ok(WatchEvent::Error(_)) | Err(_)) | None) => {
                    return pause(deadline);
                }
                std::task::Poll::Ready(Some(Ok(_))) => return true,
                std::task::Poll::Pending if deadline.ready() => return false,
                std::task::Poll::Pending => _ = poll(&[&ready, deadline]),
            }
        }
    }
}

impl Api<DynamicObject> {
    /// Waits for what `kubectl wait --for=` takes: `condition=Ready`, `jsonpath={.status.phase}=Running`, `delete`, `create`. See
    /// [`conditions::parse`](crate::conditions::parse).
    pub fn wait(&self, name: &str, condition: &str, timeout: Duration) -> Result<Option<DynamicObject>> {
        let condition = crate::conditions::parse(condition)?;
        let wants_none = condition.is_deleted();
        let seen = self.get_opt(name)?;
        if seen.is_none() && !wants_none && !condition.is_created() {
            // The server's own words.
            return self.get(name).map(Some);
        }
        let uid = seen.and_then(|object| object.metadata.uid).unwrap_or_default();
        self.await_condition(name, condition.of(&uid), timeout)
    }
}

fn pause(deadline: &crate::Pollable) -> bool {
    if deadline.ready() {
        return false;
    }
    poll(&[&after(INTERVAL), deadline]);
    !deadline.ready()
}

/// An object as JSON, for conditions that look at any kind.
pub(crate) fn value<K: Serialize>(object: &K) -> Result<serde_json::Value> {
    serde_json::to_value(object).map_err(|error| Error::json("object", error))
}
