//! How each client is told to do a work.

use std::process::Command;

use bench_scan::behind::OBJECTS;

use crate::peers::Clients;
use crate::process::Telling;
use crate::server::Server;
use crate::work::Task;

/// Who is compared with tidegate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    /// hyper and rustls, and nothing else; it scans as the guest does.
    Hyper,
    /// The same over HTTP/2, all requests over one connection.
    HyperTwo,
    /// kube-rs, decoding just what the work needs.
    Kube,
    /// The same, by pages of 500.
    KubePaged,
    /// `Api<Pod>` of kube-rs.
    KubeTyped,
    /// The same, by pages of 500.
    KubeTypedPaged,
    Kubectl,
    Deno,
}

impl Peer {
    /// Of the published set.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Peer::Hyper => "hyper",
            Peer::HyperTwo => "hyper h2",
            Peer::Kube => "kube-rs",
            Peer::KubePaged => "kube-rs paged",
            Peer::KubeTyped => "kube-rs typed",
            Peer::KubeTypedPaged => "kube-rs typed, paged",
            Peer::Kubectl => "kubectl",
            Peer::Deno => "deno",
        }
    }
}

/// A watch from the beginning: an ADDED event for each object that is there.
const WATCH: &str = "/api/v1/pods?watch=true&resourceVersion=0";
const LIST: &str = "/api/v1/pods";
/// What the other clients extract, in kubectl's words.
const COLUMNS: &str =
    "custom-columns=N:.metadata.name,S:.metadata.namespace,U:.metadata.uid,R:.metadata.resourceVersion";

/// tidegate with the guest of this task, granted just what that needs.
pub(crate) fn ours(task: Task, clients: &Clients, server: &Server) -> (Command, Telling) {
    let (guest, arguments) = match task {
        Task::Get { count: 1, .. } => ("bench-one-get", vec![server.pod.clone()]),
        Task::Get { count, ways } => {
            ("bench-get-loop", vec![server.pod.clone(), count.to_string(), ways.to_string()])
        }
        Task::List => ("bench-list", vec![LIST.to_owned()]),
        Task::Watch { count } => ("bench-watch", vec![LIST.to_owned(), count.to_string()]),
        Task::Behind { events, writers } => ("bench-behind", behind(events, writers)),
    };
    let kubeconfig = server.kubeconfig();
    let mut command = clients.command(&clients.tidegate);
    command.arg("run").arg(format!("--kubeconfig={}", kubeconfig.display()));
    command
        .arg(format!("--allow-read={}", kubeconfig.display()))
        .arg(format!("--allow-net={}", server.address));
    command.arg("--transports=KubeConfig").arg(format!("--cache={}", clients.compiled().display()));
    command.arg(clients.guests.join(guest).with_extension("wasm")).arg("--").args(arguments);
    (command, Telling::Tally)
}

/// The peer doing this task; none where it is not installed.
pub(crate) fn theirs(
    peer: Peer,
    task: Task,
    clients: &Clients,
    server: &Server,
) -> Option<(Command, Telling)> {
    match peer {
        Peer::Hyper | Peer::HyperTwo => Some((hyper(peer, task, clients, server), Telling::Tally)),
        Peer::Kube | Peer::KubePaged | Peer::KubeTyped | Peer::KubeTypedPaged => {
            Some((kube(peer, task, clients, server), Telling::Tally))
        }
        Peer::Kubectl => kubectl(task, clients, server),
        Peer::Deno => deno(task, clients, server).map(|command| (command, Telling::Tally)),
    }
}

/// Mode, path and numbers, as the peers of this workspace take them.
fn words(task: Task, server: &Server) -> (&'static str, Vec<String>) {
    match task {
        Task::Get { count, ways } => ("get", vec![server.pod.clone(), count.to_string(), ways.to_string()]),
        Task::List => ("list", vec![LIST.to_owned()]),
        Task::Watch { count } => ("watch", vec![WATCH.to_owned(), count.to_string()]),
        Task::Behind { events, writers } => ("behind", behind(events, writers)),
    }
}

fn behind(events: u64, writers: u64) -> Vec<String> {
    vec![OBJECTS.to_owned(), events.to_string(), writers.to_string()]
}

/// Writes the object that is watched behind so many writers, whose objects it makes first.
pub(crate) fn probe(writers: u64, clients: &Clients, server: &Server) -> Command {
    let mut command = clients.command(&clients.hyper);
    command.args(["probe", &server.address]).arg(server.ca()).arg(server.token());
    command.args([OBJECTS, &writers.to_string()]);
    command
}

fn hyper(peer: Peer, task: Task, clients: &Clients, server: &Server) -> Command {
    let (mode, rest) = words(task, server);
    let suffix = if peer == Peer::HyperTwo { "-h2" } else { "" };
    let mut command = clients.command(&clients.hyper);
    command
        .arg(format!("{mode}{suffix}"))
        .arg(&server.address)
        .arg(server.ca())
        .arg(server.token())
        .args(rest);
    command
}

fn kube(peer: Peer, task: Task, clients: &Clients, server: &Server) -> Command {
    let (mode, rest) = words(task, server);
    let suffix = match peer {
        Peer::KubePaged => "-paged",
        Peer::KubeTyped => "-typed",
        Peer::KubeTypedPaged => "-typed-paged",
        _ => "",
    };
    let mut command = clients.command(&clients.kube);
    command.env("KUBECONFIG", server.kubeconfig()).arg(format!("{mode}{suffix}")).args(rest);
    command
}

/// `--raw` where that does the work: then kubectl does nothing besides. None for what it cannot do.
fn kubectl(task: Task, clients: &Clients, server: &Server) -> Option<(Command, Telling)> {
    let mut command = clients.kubectl(&server.kubeconfig());
    Some(match task {
        Task::Get { .. } => {
            command.args(["get", "--raw", &server.pod]);
            (command, Telling::Object)
        }
        Task::List => {
            command.args(["get", "pods", "--all-namespaces", "--no-headers", "--output", COLUMNS]);
            (command, Telling::Rows)
        }
        Task::Watch { count } => {
            command.args(["get", "--raw", WATCH]);
            (command, Telling::Events(count))
        }
        Task::Behind { .. } => return None,
    })
}

fn deno(task: Task, clients: &Clients, server: &Server) -> Option<Command> {
    let (mode, rest) = words(task, server);
    let mut command = clients.command(clients.deno.as_ref()?);
    // No look for updates, and the grants that a careful user would give.
    command.env("DENO_NO_UPDATE_CHECK", "1").args([
        "run",
        "--quiet",
        "--no-prompt",
        "--no-config",
        "--no-npm",
    ]);
    command.arg(format!("--cert={}", server.ca().display()));
    command.arg(format!("--allow-net={}", server.address));
    command.arg(format!("--allow-read={}", server.token().display()));
    command.arg(&clients.script).args([mode, &format!("https://{}", server.address)]);
    command.arg(server.token()).args(rest);
    Some(command)
}
