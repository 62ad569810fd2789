//! `tidegate:host/logs`: the logs of one or many pods.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tidegate_api::logs::{self, Containers, LogOptions as Options, Part, PartEvent, Pods, Since};
use tidegate_transport::Error;
use tokio::sync::Mutex;
use wasmtime::Result;
use wasmtime::component::Resource;

use crate::charge::Charge;
use crate::poll::{Pollable, Source, soon};
use crate::wit::tidegate::host::logs::{Host, HostLogOptions, HostLogStream, LogPart};
use crate::{Client, View};

/// What a guest said about logs. What is wrong with it is told when they are opened.
pub struct LogOptions {
    charge: Charge,
    options: Options,
}

/// A guest's handle to logs. Dropped, it ends the requests, whoever still waits for them.
pub struct LogStream(Arc<Shared>);

/// What a stream and its pollables share. The lock is free whenever the guest runs.
struct Shared(Mutex<Option<logs::LogStream>>);

impl Drop for LogStream {
    fn drop(&mut self) {
        if let Ok(mut stream) = self.0.0.try_lock() {
            *stream = None;
        }
    }
}

impl Shared {
    async fn next(&self) -> Result<Option<Vec<LogPart>>, Error> {
        let Some(stream) = &mut *self.0.lock().await else { return Ok(None) };
        let batch = stream.batch().await?;
        Ok((!batch.is_empty()).then(|| batch.into_iter().map(part).collect()))
    }
}

impl Source for Shared {
    fn ready(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            if let Some(stream) = &mut *self.0.lock().await {
                stream.ready().await;
            }
        })
    }
}

fn part(part: Part) -> LogPart {
    let (event, text, lines) = match part.event {
        PartEvent::Lines(lines) => ("lines", String::new(), lines.into_iter().map(Vec::from).collect()),
        PartEvent::Restarted => ("restarted", String::new(), Vec::new()),
        PartEvent::Gap(text) => ("gap", text, Vec::new()),
        PartEvent::Interrupted(text) => ("interrupted", text, Vec::new()),
        PartEvent::Queued(text) => ("queued", text, Vec::new()),
        PartEvent::Ended => ("ended", String::new(), Vec::new()),
        PartEvent::Failed(error) => ("failed", error.to_string(), Vec::new()),
    };
    let logs::Place { namespace, pod, container } = part.place.as_ref().clone();
    LogPart { namespace, pod, container, event: event.to_owned(), text, lines }
}

impl LogOptions {
    fn take(self) -> Result<Options, Error> {
        self.charge.settle()?;
        Ok(self.options)
    }
}

impl View<'_> {
    async fn open_logs(
        &mut self,
        client: Resource<Client>,
        namespace: Option<String>,
        pods: Pods,
        options: Resource<LogOptions>,
    ) -> Result<Result<Resource<LogStream>, Resource<Error>>> {
        let transport = self.get(&client)?.transport.clone();
        let opened = match self.delete(options)?.take() {
            Ok(options) => {
                let opening = async move {
                    logs::LogStream::open(transport, namespace.as_deref(), pods, options).await
                };
                self.aside(opening).await
            }
            Err(error) => Err(error),
        };
        self.settle(opened.map(|stream| LogStream(Arc::new(Shared(Mutex::new(Some(stream)))))))
    }
}

impl Host for View<'_> {
    async fn open_pod(
        &mut self,
        client: Resource<Client>,
        namespace: Option<String>,
        pod: String,
        options: Resource<LogOptions>,
    ) -> Result<Result<Resource<LogStream>, Resource<Error>>> {
        self.open_logs(client, namespace, Pods::Named(pod), options).await
    }

    async fn open_selected(
        &mut self,
        client: Resource<Client>,
        namespace: Option<String>,
        labels: String,
        fields: String,
        options: Resource<LogOptions>,
    ) -> Result<Result<Resource<LogStream>, Resource<Error>>> {
        self.open_logs(client, namespace, Pods::Selected { labels, fields }, options).await
    }
}

impl HostLogOptions for View<'_> {
    fn new(&mut self) -> Result<Resource<LogOptions>> {
        let charge = Charge::new(self.context.held.clone());
        self.push(LogOptions { charge, options: Options::default() })
    }

    fn set_container(&mut self, options: Resource<LogOptions>, name: String) -> Result<()> {
        let options = self.get_mut(&options)?;
        if let Some(name) = options.charge.text(name) {
            options.options.containers = Containers::Named(name);
        }
        Ok(())
    }

    fn set_all_containers(&mut self, options: Resource<LogOptions>) -> Result<()> {
        self.get_mut(&options)?.options.containers = Containers::All;
        Ok(())
    }

    fn set_previous(&mut self, options: Resource<LogOptions>) -> Result<()> {
        self.get_mut(&options)?.options.previous = true;
        Ok(())
    }

    fn set_follow(&mut self, options: Resource<LogOptions>) -> Result<()> {
        self.get_mut(&options)?.options.follow = true;
        Ok(())
    }

    fn set_since(&mut self, options: Resource<LogOptions>, nanoseconds: u64) -> Result<()> {
        self.get_mut(&options)?.options.since = Some(Since::Ago(Duration::from_nanos(nanoseconds)));
        Ok(())
    }

    fn set_since_time(&mut self, options: Resource<LogOptions>, time: String) -> Result<()> {
        let options = self.get_mut(&options)?;
        options.options.since = options.charge.text(time).map(Since::Time);
        Ok(())
    }

    fn set_tail(&mut self, options: Resource<LogOptions>, lines: u64) -> Result<()> {
        self.get_mut(&options)?.options.tail = Some(lines);
        Ok(())
    }

    fn set_limit_bytes(&mut self, options: Resource<LogOptions>, bytes: u64) -> Result<()> {
        self.get_mut(&options)?.options.limit_bytes = Some(bytes);
        Ok(())
    }

    fn set_timestamps(&mut self, options: Resource<LogOptions>) -> Result<()> {
        self.get_mut(&options)?.options.timestamps = true;
        Ok(())
    }

    fn set_at_once(&mut self, options: Resource<LogOptions>, containers: u32) -> Result<()> {
        self.get_mut(&options)?.options.at_once = Some(usize::try_from(containers).unwrap_or(usize::MAX));
        Ok(())
    }

    fn drop(&mut self, options: Resource<LogOptions>) -> Result<()> {
        self.delete(options).map(drop)
    }
}

impl HostLogStream for View<'_> {
    async fn next(
        &mut self,
        stream: Resource<LogStream>,
    ) -> Result<Result<Option<Vec<LogPart>>, Resource<Error>>> {
        let shared = self.get(&stream)?.0.clone();
        let next = self.aside(async move { shared.next().await }).await;
        self.answer(next)
    }

    async fn try_next(
        &mut self,
        stream: Resource<LogStream>,
    ) -> Result<Option<Result<Option<Vec<LogPart>>, Resource<Error>>>> {
        let shared = self.get(&stream)?.0.clone();
        match self.aside(async move { soon(shared.next()).await }).await {
            Some(next) => self.answer(next).map(Some),
            None => Ok(None),
        }
    }

    fn subscribe(&mut self, stream: Resource<LogStream>) -> Result<Resource<Pollable>> {
        let shared = self.get(&stream)?.0.clone();
        self.push(Pollable::new(shared))
    }

    fn drop(&mut self, stream: Resource<LogStream>) -> Result<()> {
        self.delete(stream).map(drop)
    }
}
