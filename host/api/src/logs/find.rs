//! Which pods there are.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use futures_util::stream::{self, BoxStream, StreamExt};
use serde::Deserialize;
use serde_json::Value;
use tidegate_kube::request::{Method, Request};
use tidegate_transport::{Code, Error, Transport};
use tokio::time::sleep;

use super::follow::decode;
use super::pod::{Metadata, Pod};
use super::retry::{Pause, has_code, may_pass};
use super::{MAX_PODS, add};
use crate::objects::{EventType, MAX_BODY, Watch};
use crate::path;

/// How many pods a page has.
const PAGE: &str = "500";

/// How many pages are read at most, however few pods they have.
const PAGES: usize = 1000;

/// Looks for pods.
pub(super) struct Finder {
    transport: Arc<dyn Transport>,
    path: String,
    selectors: Vec<(&'static str, String)>,
    /// The pods that were given, by their uid.
    given: BTreeSet<String>,
    version: String,
    watch: Option<Watch>,
    found: VecDeque<Pod>,
    pause: Pause,
}

#[derive(Deserialize)]
struct List {
    #[serde(default)]
    metadata: ListMeta,
    #[serde(default)]
    items: Option<Vec<Pod>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ListMeta {
    resource_version: String,
    #[serde(rename = "continue")]
    continue_token: String,
}

impl Finder {
    /// In one namespace, or in all. Errors: [`Code::InvalidRequest`] for what is no name.
    pub(super) fn new(
        transport: Arc<dyn Transport>,
        namespace: Option<&str>,
        labels: String,
        fields: String,
    ) -> Result<Self, Error> {
        let path = match namespace {
            Some(namespace) => path::pods(namespace)?,
            None => "/api/v1/pods".to_owned(),
        };
        let selectors = [("labelSelector", labels), ("fieldSelector", fields)];
        let selectors = selectors.into_iter().filter(|(_, selector)| !selector.is_empty()).collect();
        let (given, version, watch, found, pause) = Default::default();
        Ok(Self { transport, path, selectors, given, version, watch, found, pause })
    }

    /// The pods that there are. Errors: [`Code::TooLarge`] for more than [`MAX_PODS`]; and as of any request.
    pub(super) async fn list(&mut self) -> Result<Vec<Pod>, Error> {
        let (mut pods, mut token) = (Vec::new(), String::new());
        for _ in 0..PAGES {
            let mut request = self.request();
            add(&mut request, "limit", PAGE.to_owned());
            if !token.is_empty() {
                add(&mut request, "continue", token.clone());
            }
            let body = self.transport.clone().send(request, None).await?.body.whole(MAX_BODY).await?;
            let list: List = decode(&body)?;
            pods.extend(list.items.unwrap_or_default());
            if pods.len() > MAX_PODS {
                return Err(too_many());
            }
            let ListMeta { resource_version, continue_token } = list.metadata;
            // A server that names the same page again would be asked for ever.
            if continue_token.is_empty() || continue_token == token {
                self.version = resource_version;
                return Ok(self.new_ones(pods));
            }
            token = continue_token;
        }
        let text = format!("the server's list of pods has no end after {PAGES} pages, which is the cap");
        Err(Error::new(Code::TooLarge, text))
    }

    /// Those of all pods that were not given.
    fn new_ones(&mut self, mut pods: Vec<Pod>) -> Vec<Pod> {
        let there: BTreeSet<&String> = pods.iter().map(|pod| &pod.metadata.uid).collect();
        self.given.retain(|uid| there.contains(uid));
        pods.retain(|pod| self.given.insert(pod.metadata.uid.clone()));
        pods
    }

    /// The pods that come after the list, one by one. Goes on whatever breaks; ends after an error that does not pass.
    pub(super) fn later(self) -> BoxStream<'static, Result<Pod, Error>> {
        let later = stream::unfold(Some(self), |finder| async move {
            let mut finder = finder?;
            loop {
                if let Some(pod) = finder.found.pop_front() {
                    return Some((Ok(pod), Some(finder)));
                }
                let looked = match finder.look().await {
                    Err(error) if passes(&error) => finder.list_again().await,
                    looked => looked,
                };
                if let Err(error) = looked {
                    return Some((Err(error), None));
                }
            }
        });
        later.boxed()
    }

    async fn list_again(&mut self) -> Result<(), Error> {
        self.watch = None;
        sleep(self.pause.next()).await;
        match self.list().await {
            Ok(pods) => self.found.extend(pods),
            // The next watch fails too, or goes on from where the last one was.
            Err(error) if passes(&error) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// One event of the watch.
    async fn look(&mut self) -> Result<(), Error> {
        let mut watch = match self.watch.take() {
            Some(watch) => watch,
            None => self.watch().await?,
        };
        let Some(event) = watch.next().await.transpose()? else {
            // Ended by the server, which may do that at once each time.
            sleep(self.pause.next()).await;
            return Ok(());
        };
        self.watch = Some(watch);
        self.pause = Pause::default();
        let pod: Pod = from_value(event.object)?;
        let Metadata { uid, resource_version, .. } = &pod.metadata;
        self.version.clone_from(resource_version);
        match event.event_type {
            EventType::Added | EventType::Modified => {
                if self.given.insert(uid.clone()) {
                    self.found.push_back(pod);
                }
                if self.given.len() > MAX_PODS {
                    return Err(too_many());
                }
            }
            EventType::Deleted => {
                self.given.remove(uid);
            }
            EventType::Bookmark | EventType::Error => {}
        }
        Ok(())
    }

    async fn watch(&mut self) -> Result<Watch, Error> {
        let mut request = self.request();
        add(&mut request, "watch", "true".to_owned());
        add(&mut request, "allowWatchBookmarks", "true".to_owned());
        add(&mut request, "resourceVersion", self.version.clone());
        Ok(Watch::of(self.transport.clone().send(request, None).await?.body))
    }

    fn request(&self) -> Request {
        let mut request = Request::new(Method::Get, self.path.clone());
        for (name, selector) in &self.selectors {
            add(&mut request, name, selector.clone());
        }
        request
    }
}

/// Whether to list anew and go on: what failed may work later, or the watch was too far behind.
fn passes(error: &Error) -> bool {
    may_pass(error) || has_code(error, 410)
}

fn too_many() -> Error {
    let text = format!(
        "more than {MAX_PODS} pods are selected, which is the cap: name a namespace, or select fewer"
    );
    Error::new(Code::TooLarge, text)
}

fn from_value(object: Value) -> Result<Pod, Error> {
    serde_json::from_value(object).map_err(|_| Error::new(Code::Protocol, "a watch event holds no pod"))
}
