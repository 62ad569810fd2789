//! What a reflector is asked for.

use std::time::Duration;

use crate::ListSource;
use crate::poll::nanoseconds;
use crate::wit::tidegate::host::reflectors as wit;

/// What a reflector keeps, and what of it this guest wants.
///
/// The host keeps one store, and has one watch to the server, for all guests that say the same of one connection; selectors, mask,
/// `metadata_only` and source are that. Filters, view, `previous` and batch are this guest's own.
///
/// ```no_run
/// use tidegate::ReflectorParams;
/// # fn main() -> tidegate::Result<()> {
/// # #[derive(serde::Deserialize)] struct Named {}
/// let client = tidegate::auto_detect_client()?;
/// let params = ReflectorParams::default().mask(["metadata.name", "status.phase"]).field_filter("status.phase!=Running");
/// for update in client.reflector::<Named>("/api/v1/pods", &params)? {
///     println!("{}", update?.change());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct ReflectorParams {
    label_selector: Option<String>,
    field_selector: Option<String>,
    mask: Vec<String>,
    metadata_only: bool,
    source: ListSource,
    idle_deadline: Option<Duration>,
    label_filter: Option<String>,
    field_filter: Option<String>,
    filter: Option<String>,
    view: Vec<String>,
    previous: bool,
    batch: Option<u32>,
}

impl ReflectorParams {
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

    /// The fields that the store keeps, as [`ListRequest::mask`](crate::ListRequest::mask) takes them; name, namespace and uid are kept
    /// always. An object of which only what is dropped has changed is not told as changed.
    #[must_use]
    pub fn mask<T: Into<String>>(mut self, paths: impl IntoIterator<Item = T>) -> Self {
        self.mask = paths.into_iter().map(Into::into).collect();
        self
    }

    /// Asks the server for nothing but metadata, where the transport can.
    #[must_use]
    pub fn metadata_only(mut self) -> Self {
        self.metadata_only = true;
        self
    }

    /// How lists come.
    #[must_use]
    pub fn source(mut self, source: ListSource) -> Self {
        self.source = source;
        self
    }

    /// How long the watch may be silent before the server is asked for a sign of life; 90 seconds unless set, at most 12 hours.
    #[must_use]
    pub fn idle_deadline(mut self, deadline: Duration) -> Self {
        self.idle_deadline = Some(deadline);
        self
    }

    /// Objects to see, by labels. All filters look at what the store keeps.
    #[must_use]
    pub fn label_filter(mut self, selector: impl Into<String>) -> Self {
        self.label_filter = Some(selector.into());
        self
    }

    /// Objects to see, by any fields, annotations among them (`metadata.annotations['a.b/c']=x`).
    #[must_use]
    pub fn field_filter(mut self, selector: impl Into<String>) -> Self {
        self.field_filter = Some(selector.into());
        self
    }

    /// Objects to see, by an expression in CEL over `object`.
    #[must_use]
    pub fn filter(mut self, expression: impl Into<String>) -> Self {
        self.filter = Some(expression.into());
        self
    }

    /// The fields to hand over, of those that the store keeps.
    #[must_use]
    pub fn view<T: Into<String>>(mut self, paths: impl IntoIterator<Item = T>) -> Self {
        self.view = paths.into_iter().map(Into::into).collect();
        self
    }

    /// Hands over the state before with each [`Update::Modified`].
    #[must_use]
    pub fn previous(mut self) -> Self {
        self.previous = true;
        self
    }

    /// How many updates the host hands over at a time: 256 unless set, which is the most. Fewer need less memory.
    #[must_use]
    pub fn batch(mut self, updates: u32) -> Self {
        self.batch = Some(updates);
        self
    }

    pub(super) fn options(&self) -> wit::ReflectorOptions {
        let options = wit::ReflectorOptions::new();
        options.set_source(self.source.as_str());
        let set = |text: &Option<String>, set: fn(&wit::ReflectorOptions, &str)| {
            if let Some(text) = text {
                set(&options, text);
            }
        };
        set(&self.label_selector, wit::ReflectorOptions::set_label_selector);
        set(&self.field_selector, wit::ReflectorOptions::set_field_selector);
        set(&self.label_filter, wit::ReflectorOptions::set_label_filter);
        set(&self.field_filter, wit::ReflectorOptions::set_field_filter);
        set(&self.filter, wit::ReflectorOptions::set_filter);
        if !self.mask.is_empty() {
            options.set_mask(&self.mask);
        }
        if !self.view.is_empty() {
            options.set_view(&self.view);
        }
        if self.metadata_only {
            options.set_metadata_only();
        }
        if self.previous {
            options.set_previous();
        }
        if let Some(deadline) = self.idle_deadline {
            options.set_idle_deadline(nanoseconds(deadline));
        }
        if let Some(batch) = self.batch {
            options.set_batch(batch);
        }
        options
    }
}
