//! Lists in constant memory: asked for by pages, as one answer or as the beginning of a watch, cut into items as bytes arrive, and
//! narrowed to what was asked for.

mod decode;
mod stream;

use std::sync::Arc;
use std::time::Duration;

use tidegate_kube::request::{DEFAULT_IDLE_DEADLINE, Method, Request};
use tidegate_kube::scan::{Filter, Mask};

pub use stream::{Batch, ItemStream};

use crate::{EventDecoder, Feature, Transport};

/// How many items a page has unless the caller says otherwise: what kubectl asks for.
const PAGE: u32 = 500;

/// How a list is to be had. The default is everything, by pages of 500.
#[derive(Clone, Debug, Default)]
pub struct ListOptions {
    /// How it comes.
    pub source: ListSource,
    /// How many items a page has; 500 unless set, 0 is the server's choice. Of [`ListSource::Pages`] alone.
    pub limit: Option<u32>,
    /// What the server selects by labels.
    pub label_selector: Option<String>,
    /// What the server selects by the few fields that it knows.
    pub field_selector: Option<String>,
    /// The state to list, and how it is meant (`Exact`, `NotOlderThan`); the newest unless set.
    pub resource_version: Option<(String, Option<String>)>,
    /// Which fields are handed out.
    pub mask: Option<Mask>,
    /// Which items are handed out, of those that the server selects.
    pub filter: Option<Arc<Filter>>,
    /// Whether the server is asked for nothing but metadata, where it can be asked for that.
    pub metadata_only: bool,
    /// What to do where the server has forgotten the state that the first page showed.
    pub expired: Expired,
    /// As [`Request::deadline`], of each request.
    pub deadline: Option<Duration>,
    /// As [`Request::idle_deadline`], of each body; 60 s unless set.
    pub idle_deadline: Option<Duration>,
}

/// How a list comes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum ListSource {
    /// Page after page, all from one state of the cluster.
    #[default]
    Pages,
    /// As one answer.
    Whole,
    /// As the beginning of a watch (`sendInitialEvents`, KEP-3157); by pages where the server does not offer that.
    WatchList,
}

/// What to do where the server has forgotten the state that the first page showed (410).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Expired {
    /// It is an error.
    #[default]
    Fails,
    /// The rest is listed from the state of now: what changed in between may be missing or there twice.
    GoesOn,
}

impl ListOptions {
    /// The request for a watch of the same objects from the version that was set, with bookmarks. Mask and filter are for whoever reads it.
    pub fn watch_request(&self, path: &str, transport: &dyn Transport) -> Request {
        let mut request = self.plain_request(path, "PartialObjectMetadata", transport);
        let mut add = |name: &str, value: &str| request.query.push((name.to_owned(), value.to_owned()));
        add("watch", "true");
        add("allowWatchBookmarks", "true");
        if let Some((version, _)) = &self.resource_version {
            add("resourceVersion", version);
        }
        request
    }

    /// What reads the events of that watch.
    pub fn event_decoder(&self) -> EventDecoder {
        EventDecoder::narrowed(self.effective_mask(), self.filter.clone())
    }

    /// The mask, or the one that does here what a transport cannot ask a server for: metadata alone.
    fn effective_mask(&self) -> Option<Mask> {
        if !self.metadata_only {
            return self.mask.clone();
        }
        Some(self.mask.clone().unwrap_or_default().within_metadata())
    }

    /// The request for what `source` begins with, or for the page that a token names.
    fn request(
        &self,
        path: &str,
        source: ListSource,
        token: Option<&str>,
        transport: &dyn Transport,
    ) -> Request {
        let form = match source {
            ListSource::WatchList => "PartialObjectMetadata",
            ListSource::Pages | ListSource::Whole => "PartialObjectMetadataList",
        };
        let mut request = self.plain_request(path, form, transport);
        // A watch that only lists is no stream that may be silent for long.
        request.idle_deadline.get_or_insert(DEFAULT_IDLE_DEADLINE);
        let mut add = |name: &str, value: &str| request.query.push((name.to_owned(), value.to_owned()));
        match (source, self.limit.unwrap_or(PAGE)) {
            (ListSource::Pages, limit) if limit > 0 => add("limit", &limit.to_string()),
            _ => {}
        }
        if source == ListSource::WatchList {
            add("watch", "true");
            add("sendInitialEvents", "true");
            add("allowWatchBookmarks", "true");
            add("resourceVersionMatch", "NotOlderThan");
        }
        match (token, &self.resource_version) {
            // The token has the version.
            (Some(token), _) => add("continue", token),
            (None, Some((version, rule))) => {
                add("resourceVersion", version);
                if let (Some(rule), false) = (rule, source == ListSource::WatchList) {
                    add("resourceVersionMatch", rule);
                }
            }
            (None, None) => {}
        }
        request
    }

    /// What lists and watches have in common.
    fn plain_request(&self, path: &str, form: &str, transport: &dyn Transport) -> Request {
        let mut request = Request::new(Method::Get, path);
        let selectors = [("labelSelector", &self.label_selector), ("fieldSelector", &self.field_selector)];
        for (name, selector) in selectors {
            if let Some(selector) = selector {
                request.query.push((name.to_owned(), selector.clone()));
            }
        }
        if self.metadata_only && transport.support().has(Feature::Accept) {
            let json = "application/json";
            request.accept = Some(format!("{json};as={form};g=meta.k8s.io;v=v1,{json}"));
        }
        if let Some(deadline) = self.deadline {
            request.deadline = deadline;
        }
        request.idle_deadline = self.idle_deadline;
        request
    }
}
