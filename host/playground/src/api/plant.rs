//! Writes that no client asked for: what a cluster has from the start, and what its own parts do.

use std::sync::Arc;

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::{State, defaults, entropy, timestamp, write};
use crate::store::{Key, Object, Place, TableId};

impl State {
    /// Puts an object there as it is, with what the server sets where it is missing; in place of one that is there.
    ///
    /// `None` where the kind is not served.
    pub(crate) fn plant(
        &mut self,
        group: &str,
        plural: &str,
        value: Value,
        now: OffsetDateTime,
    ) -> Option<Arc<Object>> {
        let resource = self.kinds.of_table(&TableId::new(group, plural))?.clone();
        let mut value = value.as_object().cloned()?;
        let metadata = value.entry("metadata").or_insert_with(|| json!({}));
        for (member, set) in [("uid", json!(entropy::uuid())), ("creationTimestamp", json!(timestamp(now)))] {
            if metadata[member].is_null() {
                metadata[member] = set;
            }
        }
        if resource.traits.generation && metadata["generation"].is_null() {
            metadata["generation"] = json!(1);
        }
        let key = Key::new(metadata["namespace"].as_str(), metadata["name"].as_str()?);
        defaults::fill(&resource, &mut value);
        Some(write::put(self, &resource, key, value))
    }

    /// Changes an object in place, unless the change changes nothing. Whether it was there and changed.
    pub(crate) fn edit(&mut self, place: &Place, change: impl FnOnce(&mut Value)) -> bool {
        let (Some(resource), Some(object)) =
            (self.kinds.of_table(&place.0), self.store.get(&place.0, &place.1))
        else {
            return false;
        };
        let resource = resource.clone();
        let before = Value::Object(object.value());
        let mut after = before.clone();
        change(&mut after);
        match after {
            Value::Object(after) if Value::Object(after.clone()) != before => {
                write::put(self, &resource, place.1.clone(), after);
                true
            }
            _ => false,
        }
    }

    /// Removes an object whatever keeps it, as a kubelet ends a pod.
    pub(crate) fn uproot(&mut self, place: &Place) {
        if let Some(resource) = self.kinds.of_table(&place.0).cloned() {
            write::remove(self, &resource, &place.1, None);
        }
    }

    /// The object as a tree; empty where it is not there.
    pub(crate) fn tree(&self, place: &Place) -> Value {
        self.store.get(&place.0, &place.1).map_or(Value::Null, |object| Value::Object(object.value()))
    }
}
