use std::sync::Arc;
use std::time::Duration;

use tidegate_kube::channels::process::PROTOCOLS;
use tidegate_kube::request::{DEFAULT_DEADLINE, Method, Request};
use tidegate_transport::{Code, Error, Feature, Transport};

use super::Process;
use crate::path;

/// What of a process is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessOptions {
    /// The container; the pod's only one where none, and where there are several the server refuses to choose.
    pub container: Option<String>,
    /// Whether its standard input is written to. Default: no, and it reads nothing.
    pub stdin: bool,
    /// Whether its standard output is read. Default: yes.
    pub stdout: bool,
    /// Whether its standard error is read. Default: yes; in a terminal it comes with standard output.
    pub stderr: bool,
    /// Whether it runs in a terminal. Default: no.
    pub tty: bool,
    /// How long the server may take to open the tunnel. Default: 60 s. The process may run for as long as it likes.
    /// Over `KubectlRaw`: how long kubectl waits until the pod runs.
    pub deadline: Duration,
}

impl Default for ProcessOptions {
    fn default() -> ProcessOptions {
        ProcessOptions {
            container: None,
            stdin: false,
            stdout: true,
            stderr: true,
            tty: false,
            deadline: DEFAULT_DEADLINE,
        }
    }
}

/// Starts a command in a pod; no shell is involved unless it is one. Without a namespace: the connection's own, else `default`.
///
/// Errors: [`Code::InvalidRequest`] for what makes no sense, [`Code::Unsupported`] where the transport cannot do it
/// ([`Feature::Exec`], [`Feature::Terminal`]), [`Code::Status`] where the server refuses, and whatever befell the connection. A command that
/// cannot be started is told by the process's end.
pub async fn exec(
    transport: Arc<dyn Transport>,
    namespace: Option<&str>,
    pod: &str,
    command: &[String],
    options: &ProcessOptions,
) -> Result<Process, Error> {
    if command.is_empty() {
        return Err(Error::new(
            Code::InvalidRequest,
            "an exec needs a command: a program, and its arguments",
        ));
    }
    let command = command.iter().map(|word| ("command".to_owned(), word.clone()));
    open(transport, Feature::Exec, (namespace, pod, "exec"), command.collect(), options).await
}

/// Attaches to the program that a container runs. Its output comes from now on; to end it is not what the end of this does.
///
/// Errors: as [`exec`] ([`Feature::Attach`]).
pub async fn attach(
    transport: Arc<dyn Transport>,
    namespace: Option<&str>,
    pod: &str,
    options: &ProcessOptions,
) -> Result<Process, Error> {
    open(transport, Feature::Attach, (namespace, pod, "attach"), Vec::new(), options).await
}

async fn open(
    transport: Arc<dyn Transport>,
    feature: Feature,
    (namespace, pod, subresource): (Option<&str>, &str, &str),
    mut query: Vec<(String, String)>,
    options: &ProcessOptions,
) -> Result<Process, Error> {
    let support = transport.support();
    let wanted = [(true, feature), (options.tty, Feature::Terminal)];
    if let Some((_, missing)) = wanted.iter().find(|(wanted, feature)| *wanted && !support.has(*feature)) {
        let text = format!("{} cannot do this ({})", transport.kind(), missing.as_str());
        return Err(Error::new(Code::Unsupported, text));
    }
    // A process in a terminal has one output.
    let stderr = options.stderr && !options.tty;
    if !(options.stdin || options.stdout || stderr) {
        let text = "a process of which neither input nor output is wanted: ask for one of them";
        return Err(Error::new(Code::InvalidRequest, text));
    }
    let namespace = namespace.or(transport.default_namespace()).unwrap_or("default");
    let path = format!("{}/{subresource}", path::pod(namespace, pod)?);
    query.extend(options.container.iter().map(|container| ("container".to_owned(), container.clone())));
    let streams =
        [("stdin", options.stdin), ("stdout", options.stdout), ("stderr", stderr), ("tty", options.tty)];
    query.extend(
        streams.into_iter().filter(|(_, on)| *on).map(|(name, _)| (name.to_owned(), "true".to_owned())),
    );
    let mut request = Request::new(Method::Get, path);
    request.query = query;
    request.deadline = options.deadline;
    let tunnel = transport.tunnel(request, PROTOCOLS).await?;
    Ok(Process::new(tunnel, options))
}
