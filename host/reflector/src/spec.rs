use std::sync::Arc;
use std::time::Duration;

use tidegate_kube::request::Request;
use tidegate_kube::scan::{Filter, Mask};
use tidegate_transport::{Code, Error, EventDecoder, ListOptions, ListSource, Transport};

use crate::machine::ListForm;

/// How long a path or a selector is at most, in bytes: it is kept for as long as the watch.
const TEXT: usize = 64 << 10;

/// How long a watch may be silent before the server is asked for a sign of life, unless it is said otherwise: API servers send a
/// bookmark about once a minute.
const IDLE: Duration = Duration::from_secs(90);

/// The longest silence that may be asked for: a transport waits at most a day, and must wait longer than we do.
const MAX_IDLE: Duration = Duration::from_secs(12 * 60 * 60);

/// How much longer than we a transport waits before it ends a silent watch itself.
const SLACK: Duration = Duration::from_secs(60);

/// What is watched, and how. See [`ListOptions`] for the fields of the same names.
#[derive(Clone, Debug)]
pub struct Spec {
    /// The path of a collection: `/api/v1/pods`.
    pub path: String,
    /// What the server selects by labels.
    pub label_selector: Option<String>,
    /// What the server selects by the few fields that it knows.
    pub field_selector: Option<String>,
    /// Which fields are handed out.
    pub mask: Option<Mask>,
    /// Which objects are handed out, of those that the server selects. It keeps nothing in mind: an object that it does not let pass any
    /// more is told as deleted, whether it was told before or not.
    pub filter: Option<Arc<Filter>>,
    /// Whether the server is asked for nothing but metadata.
    pub metadata_only: bool,
    /// How lists come.
    pub source: ListSource,
    /// How many items a page of a list has; 500 unless set.
    pub page: Option<u32>,
    /// The version to watch from instead of beginning with a list. Where the server has forgotten it, there is a list.
    pub from: Option<String>,
    /// How long to wait for the head of each answer; 60 s unless set.
    pub deadline: Option<Duration>,
    /// How long a watch may be silent before the server is asked for a sign of life; 90 s.
    pub idle: Duration,
}

impl Spec {
    /// Everything at the path of a collection.
    pub fn new(path: impl Into<String>) -> Spec {
        Spec {
            path: path.into(),
            label_selector: None,
            field_selector: None,
            mask: None,
            filter: None,
            metadata_only: false,
            source: ListSource::default(),
            page: None,
            from: None,
            deadline: None,
            idle: IDLE,
        }
    }

    /// What the options of a list say. Their version is the one to watch from, and their idle deadline that of the watch.
    ///
    /// Errors: [`Code::InvalidRequest`] for a version that is no place to watch from, an idle deadline of nothing or above 12 hours, a
    /// path or a selector above 64 KiB.
    pub fn of(path: impl Into<String>, options: ListOptions) -> Result<Spec, Error> {
        let invalid = |text: &str| Err(Error::new(Code::InvalidRequest, text));
        let path = path.into();
        let texts = [Some(&path), options.label_selector.as_ref(), options.field_selector.as_ref()];
        if texts.into_iter().flatten().any(|text| text.len() > TEXT) {
            return invalid("the path and the selectors of a watcher have at most 64 KiB each");
        }
        let from = match options.resource_version {
            Some((_, Some(_))) => {
                return invalid("a watcher goes on from a version: it takes no rule for it, such as `Exact`");
            }
            Some((version, None)) if version.is_empty() || version == "0" => {
                return invalid(
                    "a watcher goes on from the version of a list or an event: leave it out to begin with a list",
                );
            }
            Some((version, None)) => Some(version),
            None => None,
        };
        let idle = options.idle_deadline.unwrap_or(IDLE);
        if idle.is_zero() || idle > MAX_IDLE {
            return invalid("the idle deadline of a watcher is more than nothing and at most 12 hours");
        }
        Ok(Spec {
            path,
            label_selector: options.label_selector,
            field_selector: options.field_selector,
            mask: options.mask,
            filter: options.filter,
            metadata_only: options.metadata_only,
            source: options.source,
            page: options.limit,
            from,
            deadline: options.deadline,
            idle,
        })
    }

    /// How a list is asked for.
    pub(crate) fn list(&self, form: ListForm) -> ListOptions {
        ListOptions {
            source: match form {
                ListForm::Usual => self.source,
                ListForm::Whole => ListSource::Whole,
            },
            limit: self.page,
            ..self.common()
        }
    }

    /// How a server is asked for a sign of life: for as little as there can be of the same collection, which says the version of now.
    pub(crate) fn probe(&self, deadline: Duration) -> ListOptions {
        ListOptions {
            source: ListSource::Pages,
            limit: Some(1),
            filter: None,
            mask: None,
            metadata_only: true,
            deadline: Some(deadline),
            idle_deadline: Some(deadline),
            ..self.common()
        }
    }

    /// The request for a watch that the server ends by itself after `timeout`.
    pub(crate) fn watch(&self, version: String, timeout: Duration, transport: &dyn Transport) -> Request {
        let options = ListOptions {
            resource_version: Some((version, None)),
            idle_deadline: Some(self.idle.min(MAX_IDLE) + SLACK),
            ..self.common()
        };
        options
            .watch_request(&self.path, transport)
            .with_query("timeoutSeconds", timeout.as_secs().to_string())
    }

    /// What reads such a watch.
    pub(crate) fn decoder(&self) -> EventDecoder {
        self.common().event_decoder()
    }

    fn common(&self) -> ListOptions {
        ListOptions {
            label_selector: self.label_selector.clone(),
            field_selector: self.field_selector.clone(),
            mask: self.mask.clone(),
            filter: self.filter.clone(),
            metadata_only: self.metadata_only,
            deadline: self.deadline,
            ..ListOptions::default()
        }
    }
}
