//! Types that hold what the work needs and nothing else.

use bench_scan::Tally;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::WatchEvent;
use serde::Deserialize;

/// Any object.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Object {
    metadata: Metadata,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Metadata {
    name: String,
    namespace: String,
    uid: String,
    resource_version: String,
}

/// Any list.
#[derive(Deserialize)]
pub(crate) struct List {
    pub(crate) items: Vec<Object>,
    #[serde(default)]
    pub(crate) metadata: ListMetadata,
}

#[derive(Default, Deserialize)]
pub(crate) struct ListMetadata {
    #[serde(default)]
    pub(crate) r#continue: String,
}

/// What can be counted.
pub(crate) trait Weigh {
    /// Bytes of name, namespace, uid and resource version.
    fn weight(&self) -> usize;
}

impl Weigh for Object {
    fn weight(&self) -> usize {
        let Metadata { name, namespace, uid, resource_version } = &self.metadata;
        name.len() + namespace.len() + uid.len() + resource_version.len()
    }
}

impl Weigh for k8s_openapi::api::core::v1::Pod {
    fn weight(&self) -> usize {
        let ObjectMeta { name, namespace, uid, resource_version, .. } = &self.metadata;
        [name, namespace, uid, resource_version].into_iter().flatten().map(String::len).sum()
    }
}

/// Counts an event of a watch, but not a bookmark: whether there are any is the client's wish.
pub(crate) fn count_event<K: Weigh>(tally: &mut Tally, event: &WatchEvent<K>) {
    let (word, object) = match event {
        WatchEvent::Added(object) => ("ADDED", object),
        WatchEvent::Modified(object) => ("MODIFIED", object),
        WatchEvent::Deleted(object) => ("DELETED", object),
        WatchEvent::Bookmark(_) | WatchEvent::Error(_) => return,
    };
    tally.add_weight(word.len() + object.weight());
}
