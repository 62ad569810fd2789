//! Grants, options and transports for a test.

use std::ffi::OsString;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tidegate_authority::Authority;
use tidegate_grants::{Grants, Kind as Grant};
use tidegate_kube::request::{Method, Request};
use tidegate_transport::{Choice, Error, Event, Observer, Options, Response, Transport, connect};

use crate::peer::Peer;

/// `("net", "localhost:1")` and the like; an empty value is the flag alone.
pub(crate) fn authority(flags: &[(&str, &str)], environment: &[(&str, &str)]) -> Authority {
    let mut builder = Grants::builder();
    for (kind, value) in flags {
        let list = Some(*value).filter(|value| !value.is_empty());
        match kind.strip_prefix("wasi-") {
            Some(kind) => builder.wasi(Grant::from_name(kind).expect("kind"), list).expect("flag"),
            None => builder.allow(Grant::from_name(kind).expect("kind"), list).expect("flag"),
        };
    }
    let variables = environment.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    Authority::from_ambient(builder.build()).with_environment(variables)
}

/// What the observer heard, a line each.
#[derive(Default)]
pub(crate) struct Heard(Mutex<Vec<String>>);

impl Heard {
    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().expect("lock").clone()
    }
}

impl Observer for Heard {
    fn event(&self, event: &Event<'_>) {
        let line = match event {
            Event::Request { method, path, code, .. } => {
                format!("{method} {path} {}", code.unwrap_or_default())
            }
            Event::Command { line } => format!("$ {line}"),
            Event::Warning { text } => format!("warning: {text}"),
            Event::Plugin { program, line } => {
                format!("{}: {line}", program.rsplit('/').next().unwrap_or_default())
            }
            other => format!("{other:?}"),
        };
        self.0.lock().expect("lock").push(line);
    }
}

pub(crate) fn options() -> Options {
    Options::new("tidegate/test (guest)")
}

/// A transport to this peer, by KubectlProxy: HTTP without anything else.
pub(crate) async fn to(peer: &Peer) -> Arc<dyn Transport> {
    to_url(&peer.url()).await
}

pub(crate) async fn to_url(url: &str) -> Arc<dyn Transport> {
    let choice = Choice::KubectlProxy { url: Some(url.to_owned()) };
    connect(&authority(&[("net", "")], &[]), &options(), choice).await.expect("connect")
}

/// A transport out of a kubeconfig that nobody has to read.
pub(crate) async fn by_document(document: &str) -> Result<Arc<dyn Transport>, Error> {
    let choice = Choice::ForKubeConfig { document: document.as_bytes().to_vec(), context: None };
    connect(&authority(&[("net", "")], &[]), &options(), choice).await
}

/// A kubeconfig of one cluster and one user, in YAML's flow form.
pub(crate) fn kubeconfig(cluster: &str, user: &str) -> String {
    format!(
        "current-context: x\ncontexts: [{{name: x, context: {{cluster: c, user: u, namespace: team}}}}]\n\
         clusters: [{{name: c, cluster: {{{cluster}}}}}]\nusers: [{{name: u, user: {{{user}}}}}]\n"
    )
}

pub(crate) fn request(method: Method, path: &str) -> Request {
    let mut request = Request::new(method, path);
    request.deadline = Duration::from_secs(10);
    request
}

pub(crate) async fn send(transport: &Arc<dyn Transport>, request: Request) -> Result<Response, Error> {
    transport.clone().send(request, None).await
}

/// A GET whose whole body is wanted.
pub(crate) async fn get(transport: &Arc<dyn Transport>, path: &str) -> Result<Bytes, Error> {
    send(transport, request(Method::Get, path)).await?.body.whole(64 << 20).await
}

pub(crate) fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().expect("folder")).expect("folder");
    std::fs::write(path, text).expect("write");
}
