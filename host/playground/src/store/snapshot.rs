//! A table as it was at one revision.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use super::log::Log;
use super::{Key, Object, Refused};

/// A consistent view of one table: the present with what was written since laid over it backwards.
pub(crate) struct Snapshot<'a> {
    /// The revision that is shown.
    pub(crate) revision: u64,
    objects: Option<&'a BTreeMap<Key, Arc<Object>>>,
    then: BTreeMap<Key, Option<Arc<Object>>>,
}

impl<'a> Snapshot<'a> {
    pub(super) fn empty(revision: u64) -> Snapshot<'a> {
        Snapshot { revision, objects: None, then: BTreeMap::new() }
    }

    pub(super) fn of(
        objects: &'a BTreeMap<Key, Arc<Object>>,
        log: &Log,
        revision: u64,
    ) -> Result<Snapshot<'a>, Refused> {
        // The oldest event after `revision` wins: its `previous` is what stood there then.
        let then =
            log.back_to(revision)?.map(|event| (event.object.key.clone(), event.previous.clone())).collect();
        Ok(Snapshot { revision, objects: Some(objects), then })
    }

    /// The objects of `namespace` (all where `None`) whose key comes after `start`, in key order.
    pub(crate) fn after<'s>(
        &'s self,
        namespace: Option<&str>,
        start: Option<&str>,
    ) -> impl Iterator<Item = &'s Arc<Object>> + use<'s, 'a> {
        let prefix = namespace.map(|namespace| format!("{namespace}/")).unwrap_or_default();
        let from = match start {
            Some(start) if start >= prefix.as_str() => Bound::Excluded(Key(start.into())),
            _ => Bound::Included(Key(prefix.as_str().into())),
        };
        let range = (from, Bound::Unbounded);
        let now = self.objects.into_iter().flat_map({
            let range = range.clone();
            move |objects| objects.range(range.clone())
        });
        Merge { now: now.peekable(), then: self.then.range(range).peekable() }
            .take_while(move |object| object.key.as_str().starts_with(&prefix))
    }
}

/// The present and the past in key order; where both have a key the past is what counts.
struct Merge<N: Iterator, T: Iterator> {
    now: std::iter::Peekable<N>,
    then: std::iter::Peekable<T>,
}

impl<'s, N, T> Iterator for Merge<N, T>
where
    N: Iterator<Item = (&'s Key, &'s Arc<Object>)>,
    T: Iterator<Item = (&'s Key, &'s Option<Arc<Object>>)>,
{
    type Item = &'s Arc<Object>;

    fn next(&mut self) -> Option<&'s Arc<Object>> {
        loop {
            let Some((key, _)) = self.then.peek() else {
                return self.now.next().map(|(_, object)| object);
            };
            if self.now.peek().is_some_and(|(present, _)| present < key) {
                return self.now.next().map(|(_, object)| object);
            }
            self.now.next_if(|(present, _)| present == key);
            if let Some((_, Some(object))) = self.then.next() {
                return Some(object);
            }
        }
    }
}
