//! The logs of all containers together.

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::stream::{BoxStream, SelectAll, StreamExt};
use tidegate_kube::request::{Method, Request};
use tidegate_transport::{Code, Error, Transport};

use super::find::Finder;
use super::follow::{Follower, Named, decode_pod};
use super::pod::Pod;
use super::{LINES, LogOptions, MAX_WAITING, Part, PartEvent, Place, Pods};
use crate::objects::MAX_BODY;
use crate::path;

/// The logs of one or many pods, as they come. Dropped, it closes what it reads from.
///
/// Logs that are not followed come one after another, in the order of the pods; others as they grow. Nothing is read ahead of the part that
/// is handed over next: who does not take it holds the servers back.
pub struct LogStream {
    transport: Arc<dyn Transport>,
    options: Arc<LogOptions>,
    running: SelectAll<BoxStream<'static, Came>>,
    /// How many containers are read.
    busy: usize,
    at_once: usize,
    waiting: VecDeque<Follower>,
    /// Whether there is but one container, so that its failure is the stream's own.
    single: bool,
    ahead: VecDeque<Part>,
    error: Option<Error>,
    ended: bool,
}

enum Came {
    Part(Arc<Place>, Result<PartEvent, Error>),
    Pod(Box<Result<Pod, Error>>),
}

impl LogStream {
    /// Begins with the logs of `pods` in one namespace, or, selected ones, in all.
    ///
    /// Errors: [`Code::InvalidRequest`] for options that make no sense, for what is no name, and for a container that the pod does not have
    /// (selected and not followed: none of the pods); 404 where there is no pod of that name; [`Code::TooLarge`] past
    /// [`MAX_PODS`](super::MAX_PODS) or [`MAX_WAITING`]; and as of any request.
    pub async fn open(
        transport: Arc<dyn Transport>,
        namespace: Option<&str>,
        pods: Pods,
        options: LogOptions,
    ) -> Result<Self, Error> {
        options.check()?;
        let mut stream = Self {
            transport,
            at_once: options.at_once(),
            options: Arc::new(options),
            running: SelectAll::new(),
            busy: 0,
            waiting: VecDeque::new(),
            single: false,
            ahead: VecDeque::new(),
            error: None,
            ended: false,
        };
        match pods {
            Pods::Named(name) => stream.open_named(namespace, name).await?,
            Pods::Selected { labels, fields } => {
                stream
                    .open_selected(Finder::new(stream.transport.clone(), namespace, labels, fields)?)
                    .await?;
            }
        }
        Ok(stream)
    }

    async fn open_named(&mut self, namespace: Option<&str>, name: String) -> Result<(), Error> {
        let namespace = namespace.or(self.transport.default_namespace()).unwrap_or("default").to_owned();
        let place = Place { namespace, pod: name, container: String::new() };
        let request = Request::new(Method::Get, path::pod(&place.namespace, &place.pod)?);
        let body = self.transport.clone().send(request, None).await?.body.whole(MAX_BODY).await?;
        let pod = decode_pod(&body)?;
        let containers = pod.containers(&self.options.containers)?;
        self.single = containers.len() == 1;
        self.add(&pod, containers, Named::Name)
    }

    async fn open_selected(&mut self, mut finder: Finder) -> Result<(), Error> {
        let mut lacking = None;
        for pod in finder.list().await? {
            match pod.containers(&self.options.containers) {
                Ok(containers) => self.add(&pod, containers, Named::Selector)?,
                // A pod that does not have the container is none of those that are meant.
                Err(error) => lacking = lacking.or(Some(error)),
            }
        }
        match lacking {
            _ if self.options.follow => {
                self.running.push(finder.later().map(|pod| Came::Pod(Box::new(pod))).boxed());
                Ok(())
            }
            Some(error) if self.busy == 0 => Err(error),
            _ => Ok(()),
        }
    }

    /// What comes next; none at the end, and for ever after it or after an error. Cancel-safe.
    ///
    /// The logs of selected pods that are followed do not end.
    pub async fn next(&mut self) -> Result<Option<Part>, Error> {
        self.ready().await;
        match self.ahead.pop_front() {
            Some(part) => Ok(Some(part)),
            None => self.error.take().map_or(Ok(None), Err),
        }
    }

    /// [`next`](Self::next), and what is there besides, up to some 256 lines; empty at the end. Cancel-safe.
    pub async fn batch(&mut self) -> Result<Vec<Part>, Error> {
        let Some(first) = self.next().await? else { return Ok(Vec::new()) };
        let mut lines = first.lines();
        let mut batch = vec![first];
        while lines < LINES && batch.len() < LINES {
            if self.ready().now_or_never().is_none() {
                break;
            }
            // An error, or the end, comes after what was there before it.
            let Some(part) = self.ahead.pop_front() else { break };
            lines += part.lines();
            batch.push(part);
        }
        Ok(batch)
    }

    /// Waits until [`next`](Self::next) would not wait. Cancel-safe.
    pub async fn ready(&mut self) {
        while self.ahead.is_empty() && self.error.is_none() && !self.ended {
            match self.running.next().await {
                None => self.ended = true,
                Some(Came::Pod(found)) => {
                    if let Err(error) = (*found).and_then(|pod| self.add_later(&pod)) {
                        self.fail(error);
                    }
                }
                Some(Came::Part(place, event)) => self.take(place, event),
            }
        }
    }

    fn take(&mut self, place: Arc<Place>, event: Result<PartEvent, Error>) {
        let event = match event {
            Ok(event) => event,
            Err(error) if self.single => return self.fail(error),
            Err(error) => PartEvent::Failed(error),
        };
        if matches!(event, PartEvent::Ended | PartEvent::Failed(_)) {
            self.busy -= 1;
            if let Some(next) = self.waiting.pop_front() {
                self.start(next);
            }
        }
        self.ahead.push_back(Part { place, event });
    }

    fn add_later(&mut self, pod: &Pod) -> Result<(), Error> {
        match pod.containers(&self.options.containers) {
            Ok(containers) => self.add(pod, containers, Named::Selector),
            // None of those that are meant either.
            Err(_) => Ok(()),
        }
    }

    /// The containers of a pod that are meant. Errors: [`Code::TooLarge`] where too many wait.
    fn add(&mut self, pod: &Pod, containers: Vec<String>, named: Named) -> Result<(), Error> {
        for container in containers {
            let (namespace, name) = (pod.metadata.namespace.clone(), pod.metadata.name.clone());
            let place = Arc::new(Place { namespace, pod: name, container });
            let follower = Follower::new(self.transport.clone(), place, self.options.clone(), named);
            if self.busy < self.at_once {
                self.start(follower);
                continue;
            }
            if self.waiting.len() == MAX_WAITING {
                let text =
                    format!("{MAX_WAITING} containers wait their turn, which is the cap: select fewer");
                return Err(Error::new(Code::TooLarge, text));
            }
            if self.options.follow {
                let text = format!("{} containers are followed at a time, which is the cap", self.at_once);
                let place = follower.place().clone();
                self.ahead.push_back(Part { place, event: PartEvent::Queued(text) });
            }
            self.waiting.push_back(follower);
        }
        Ok(())
    }

    fn start(&mut self, follower: Follower) {
        self.busy += 1;
        let place = follower.place().clone();
        self.running.push(follower.events().map(move |event| Came::Part(place.clone(), event)).boxed());
    }

    /// Ends it: nothing is read any more.
    fn fail(&mut self, error: Error) {
        self.running.clear();
        self.waiting.clear();
        self.ended = true;
        self.error = Some(error);
    }
}

impl Part {
    fn lines(&self) -> usize {
        match &self.event {
            PartEvent::Lines(lines) => lines.len(),
            _ => 0,
        }
    }
}
