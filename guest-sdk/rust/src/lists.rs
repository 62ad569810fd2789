//! Lists in constant memory, narrowed by the host as bytes arrive.

use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::poll::nanoseconds;
use crate::wit::tidegate::host::lists as wit;
use crate::{Client, Error, EventStream, ItemStream, Result, Stream};

/// A list to be had item by item, of just what is wanted: neither the host nor the guest ever holds it as a whole.
///
/// Masks name fields by paths, `spec.containers[*].image` or `metadata.annotations['a.b/c']`; one with a `-` before it is dropped. What is
/// wrong with any of it is told when the list is opened, as `invalid-request`, with its place and what to write instead.
///
/// ```no_run
/// use tidegate::{ListRequest, ListSource};
/// # fn main() -> tidegate::Result<()> {
/// let client = tidegate::auto_detect_client()?;
/// let request = ListRequest::new("/api/v1/pods")
///     .mask(["metadata.name", "spec.containers[*].image"])
///     .filter("object.status.phase == 'Running'")
///     .source(ListSource::Whole);
/// for item in client.open_items(&request)? {
///     println!("{}", String::from_utf8_lossy(&item?));
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct ListRequest {
    path: String,
    source: ListSource,
    limit: Option<u32>,
    label_selector: Option<String>,
    field_selector: Option<String>,
    resource_version: Option<(String, Option<String>)>,
    mask: Vec<String>,
    label_filter: Option<String>,
    field_filter: Option<String>,
    filter: Option<String>,
    metadata_only: bool,
    allow_inconsistent: bool,
    deadline: Option<Duration>,
    idle_deadline: Option<Duration>,
}

/// How a list comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ListSource {
    /// Page after page, all from one state of the cluster.
    #[default]
    Pages,
    /// As one answer, as it streams: the fastest, and the hardest for the server.
    Whole,
    /// As the beginning of a watch; by pages where the server does not offer that.
    WatchList,
}

impl ListSource {
    /// The host's word for it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            ListSource::Pages => "pages",
            ListSource::Whole => "whole",
            ListSource::WatchList => "watch-list",
        }
    }
}

impl ListRequest {
    /// Everything at the path of a collection, such as `/api/v1/pods`, by pages of 500.
    pub fn new(path: impl Into<String>) -> Self {
        Self { path: path.into(), ..Self::default() }
    }

    /// How it comes.
    #[must_use]
    pub fn source(mut self, source: ListSource) -> Self {
        self.source = source;
        self
    }

    /// How many items a page has; 0 is the server's choice.
    #[must_use]
    pub fn limit(mut self, items: u32) -> Self {
        self.limit = Some(items);
        self
    }

    /// What the server selects by labels.
    #[must_use]
    pub fn labels(mut self, selector: impl Into<String>) -> Self {
        self.label_selector = Some(selector.into());
        self
    }

    /// What the server selects by the few fields that it knows.
    #[must_use]
    pub fn fields(mut self, selector: impl Into<String>) -> Self {
        self.field_selector = Some(selector.into());
        self
    }

    /// The state to list, and how it is meant (`Exact`, `NotOlderThan`), or to watch from.
    #[must_use]
    pub fn resource_version(mut self, version: impl Into<String>, rule: Option<&str>) -> Self {
        self.resource_version = Some((version.into(), rule.map(str::to_owned)));
        self
    }

    /// The fields to hand over.
    #[must_use]
    pub fn mask<T: Into<String>>(mut self, paths: impl IntoIterator<Item = T>) -> Self {
        self.mask = paths.into_iter().map(Into::into).collect();
        self
    }

    /// Items to hand over, by labels; the host looks.
    #[must_use]
    pub fn label_filter(mut self, selector: impl Into<String>) -> Self {
        self.label_filter = Some(selector.into());
        self
    }

    /// Items to hand over, by any fields (`status.phase!=Running`); the host looks.
    #[must_use]
    pub fn field_filter(mut self, selector: impl Into<String>) -> Self {
        self.field_filter = Some(selector.into());
        self
    }

    /// Items to hand over, by an expression in CEL over `object`; the host looks.
    #[must_use]
    pub fn filter(mut self, expression: impl Into<String>) -> Self {
        self.filter = Some(expression.into());
        self
    }

    /// Asks the server for nothing but metadata, where the transport can.
    #[must_use]
    pub fn metadata_only(mut self) -> Self {
        self.metadata_only = true;
        self
    }

    /// Where the server has forgotten the state of the first page, go on with the rest of what there is now;
    /// [`ItemStream::is_consistent`] tells. Without this, that is an error ([`Error::is_gone`]), and the list must begin anew.
    #[must_use]
    pub fn allow_inconsistent(mut self) -> Self {
        self.allow_inconsistent = true;
        self
    }

    /// How long to wait for the head of each answer; 60 seconds unless set.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// How long a body may be silent; 60 seconds unless set, 65 minutes for a watch.
    #[must_use]
    pub fn idle_deadline(mut self, deadline: Duration) -> Self {
        self.idle_deadline = Some(deadline);
        self
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    #[cfg(feature = "kube")]
    pub(crate) fn at(self, path: &str) -> Self {
        Self { path: path.to_owned(), ..self }
    }

    pub(crate) fn options(&self) -> wit::ListOptions {
        let options = wit::ListOptions::new();
        options.set_source(self.source.as_str());
        let set = |text: &Option<String>, set: fn(&wit::ListOptions, &str)| {
            if let Some(text) = text {
                set(&options, text);
            }
        };
        set(&self.label_selector, wit::ListOptions::set_label_selector);
        set(&self.field_selector, wit::ListOptions::set_field_selector);
        set(&self.label_filter, wit::ListOptions::set_label_filter);
        set(&self.field_filter, wit::ListOptions::set_field_filter);
        set(&self.filter, wit::ListOptions::set_filter);
        if let Some(limit) = self.limit {
            options.set_limit(limit);
        }
        if let Some((version, rule)) = &self.resource_version {
            options.set_resource_version(version, rule.as_deref());
        }
        if !self.mask.is_empty() {
            options.set_mask(&self.mask);
        }
        if self.metadata_only {
            options.set_metadata_only();
        }
        if self.allow_inconsistent {
            options.allow_inconsistent();
        }
        if let Some(deadline) = self.deadline {
            options.set_deadline(nanoseconds(deadline));
        }
        if let Some(deadline) = self.idle_deadline {
            options.set_idle_deadline(nanoseconds(deadline));
        }
        options
    }
}

impl Client {
    /// Begins a list and waits for the head of the first answer. Errors: as [`Client::send`].
    pub fn open_items(&self, request: &ListRequest) -> Result<ItemStream> {
        Ok(Stream::new(wit::open(self.as_wit(), &request.path, request.options())?))
    }

    /// Begins a watch from the version that the request names, with its selectors, mask and filters.
    ///
    /// The filters keep nothing in mind: an object that they do not let pass any more comes as `DELETED`, whether the guest knew it or not, and
    /// one that they let pass as `MODIFIED`, even if the guest hears of it for the first time.
    pub fn open_masked_events(&self, request: &ListRequest) -> Result<EventStream> {
        Ok(Stream::new(wit::watch(self.as_wit(), &request.path, request.options())?))
    }

    /// All items of a list, decoded: what [`Client::open_items`] gives, in memory.
    pub fn read_all_items<T: DeserializeOwned>(&self, request: &ListRequest) -> Result<Vec<T>> {
        self.open_items(request)?.decode().collect()
    }
}

impl ItemStream {
    /// The items, decoded. Errors: as the stream's own, and `json`.
    pub fn decode<T: DeserializeOwned>(self) -> impl Iterator<Item = Result<T>> {
        self.map(|item| serde_json::from_slice(&item?).map_err(|error| Error::json("item of a list", error)))
    }

    /// The state of the cluster that the list shows, once the server has said it: at the latest at the end. A watch can begin there.
    pub fn resource_version(&self) -> Option<String> {
        self.source().resource_version()
    }

    /// How many items come after the page at hand, where the server says so.
    pub fn remaining(&self) -> Option<u64> {
        self.source().remaining()
    }

    /// Whether all items so far are from one state of the cluster.
    pub fn is_consistent(&self) -> bool {
        self.source().is_consistent()
    }
}
