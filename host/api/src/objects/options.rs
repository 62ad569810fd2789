use std::time::Duration;

use serde_json::{Map, Value, json};
use tidegate_kube::request::Request;
use tidegate_kube::select::{FieldSelector, LabelSelector};

/// Which objects of a collection. By default all of them.
#[derive(Clone, Debug, Default)]
pub struct List {
    /// By labels.
    pub labels: LabelSelector,
    /// By fields.
    pub fields: FieldSelector,
    /// How many objects a page holds at most; 500 unless set. A single [`list`](super::Objects::list) without it gives all.
    pub limit: Option<u32>,
    /// Begins at this page: the `continue` of the one before.
    pub continue_token: Option<String>,
    /// `resourceVersion`: the state that a list or a watch begins with; the newest unless set.
    pub resource_version: Option<String>,
    /// `resourceVersionMatch`: `Exact` or `NotOlderThan`.
    pub resource_version_match: Option<String>,
}

impl List {
    /// Selected by labels and fields, in the text form of kubectl's flags; see [`LabelSelector::parse`].
    pub fn selected(labels: &str, fields: &str) -> Result<List, tidegate_kube::select::InvalidSelector> {
        let (labels, fields) = (LabelSelector::parse(labels)?, FieldSelector::parse(fields)?);
        Ok(List { labels, fields, ..List::default() })
    }

    /// Whether an object is selected, judged here.
    pub fn matches(&self, object: &Value) -> bool {
        self.labels.matches_object(object) && self.fields.matches_object(object)
    }

    pub(super) fn apply(&self, request: &mut Request) {
        let mut add = |name: &str, value: String| {
            if !value.is_empty() {
                request.query.push((name.to_owned(), value));
            }
        };
        add("labelSelector", self.labels.to_string());
        add("fieldSelector", self.fields.to_string());
        add("limit", self.limit.map(|limit| limit.to_string()).unwrap_or_default());
        match &self.continue_token {
            // A later page is of the state that the first one showed; the server refuses to be told another.
            Some(token) => add("continue", token.clone()),
            None => {
                add("resourceVersion", self.resource_version.clone().unwrap_or_default());
                add("resourceVersionMatch", self.resource_version_match.clone().unwrap_or_default());
            }
        }
    }
}

/// How something is written.
#[derive(Clone, Debug, Default)]
pub struct Write {
    /// `dryRun=All`: everything but storing it.
    pub dry_run: bool,
    /// Who writes, for `managedFields`; the user agent's first word unless set.
    pub field_manager: Option<String>,
    /// `fieldValidation`: `Strict`, `Warn` or `Ignore`; the server's own default is `Warn`.
    pub field_validation: Option<String>,
}

impl Write {
    pub(super) fn apply(&self, request: &mut Request) {
        let mut add = |name: &str, value: Option<&str>| {
            request.query.extend(value.map(|value| (name.to_owned(), value.to_owned())));
        };
        add("dryRun", self.dry_run.then_some("All"));
        add("fieldManager", self.field_manager.as_deref());
        add("fieldValidation", self.field_validation.as_deref());
    }
}

/// How something is deleted.
#[derive(Clone, Debug, Default)]
pub struct Delete {
    /// What becomes of what it owns; the kind's own default unless set.
    pub propagation: Option<Propagation>,
    /// How long it may take to stop; the object's own unless set. Zero kills.
    pub grace_period: Option<Duration>,
    /// Only if it still is what the caller saw; else 409.
    pub preconditions: Option<Preconditions>,
    /// `dryRun`: everything but deleting it.
    pub dry_run: bool,
}

/// What becomes of the objects that a deleted one owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// They are deleted after it.
    Background,
    /// They are deleted before it.
    Foreground,
    /// They stay.
    Orphan,
}

/// What an object must still be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preconditions {
    /// The very object, and no other of the same name.
    pub uid: Option<String>,
    /// Unchanged since.
    pub resource_version: Option<String>,
}

impl Delete {
    /// `DeleteOptions`.
    pub(super) fn body(&self) -> Value {
        let mut body = Map::new();
        body.insert("kind".to_owned(), json!("DeleteOptions"));
        body.insert("apiVersion".to_owned(), json!("v1"));
        if let Some(propagation) = self.propagation {
            let word = match propagation {
                Propagation::Background => "Background",
                Propagation::Foreground => "Foreground",
                Propagation::Orphan => "Orphan",
            };
            body.insert("propagationPolicy".to_owned(), json!(word));
        }
        if let Some(grace) = self.grace_period {
            body.insert("gracePeriodSeconds".to_owned(), json!(grace.as_secs()));
        }
        if let Some(Preconditions { uid, resource_version }) = &self.preconditions {
            let mut conditions = Map::new();
            conditions.extend(uid.iter().map(|uid| ("uid".to_owned(), json!(uid))));
            let version = resource_version.iter();
            conditions.extend(version.map(|version| ("resourceVersion".to_owned(), json!(version))));
            body.insert("preconditions".to_owned(), Value::Object(conditions));
        }
        if self.dry_run {
            body.insert("dryRun".to_owned(), json!(["All"]));
        }
        Value::Object(body)
    }
}

/// How long something is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// In all; 30 seconds unless set. Zero asks once.
    pub timeout: Duration,
    /// How often it is looked at where it cannot be watched; 1 second unless set.
    pub interval: Duration,
}

impl Default for Wait {
    fn default() -> Wait {
        Wait { timeout: Duration::from_secs(30), interval: Duration::from_secs(1) }
    }
}
