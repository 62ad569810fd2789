//! Forwards connections on this machine to ports of a pod.

mod pair;

use std::error::Error;
use std::task::Poll;

use pair::Pair;
use tidegate::{Client, Listener, Pollable};

const USAGE: &str =
    "usage: port-forward [-n NAMESPACE] [--address ADDRESS] [--connections N] POD [LOCAL:]REMOTE…";

/// How many connections are forwarded at a time. More wait to be accepted.
const AT_ONCE: usize = 256;

struct Arguments {
    namespace: Option<String>,
    address: String,
    /// How many connections to forward before it ends.
    connections: usize,
    pod: String,
    /// Where to listen, and the pod's port.
    ports: Vec<(u16, u16)>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = arguments()?;
    let client = tidegate::auto_detect_client()?;
    let mut listeners = Vec::new();
    for &(local, remote) in &arguments.ports {
        let listener = tidegate::listen(&format!("{}:{local}", arguments.address))?;
        println!("Forwarding from {} -> {remote}", listener.address());
        listeners.push((listener, remote));
    }
    forward(&client, &arguments, &listeners);
    Ok(())
}

/// Forwards until enough connections have come and gone.
fn forward(client: &Client, arguments: &Arguments, listeners: &[(Listener, u16)]) {
    let (mut pairs, mut left) = (Vec::<Pair>::new(), arguments.connections);
    while left > 0 || !pairs.is_empty() {
        for (listener, remote) in listeners {
            while left > 0
                && pairs.len() < AT_ONCE
                && let Poll::Ready(accepted) = listener.try_accept()
            {
                left -= 1;
                let connected = accepted.and_then(|socket| {
                    let pod = client.forward(arguments.namespace.as_deref(), &arguments.pod, *remote)?;
                    Ok(Pair::new(socket, pod))
                });
                match connected {
                    Ok(pair) => pairs.push(pair),
                    Err(error) => eprintln!("port {remote}: {error}"),
                }
            }
        }
        pairs.retain_mut(|pair| match pair.step() {
            Ok(going) => going,
            Err(error) => {
                eprintln!("a connection was lost: {error}");
                false
            }
        });
        wait(listeners, &pairs, left);
    }
}

/// Waits until there is something to accept or to move.
fn wait(listeners: &[(Listener, u16)], pairs: &[Pair], left: usize) {
    let mut waited: Vec<Pollable> = pairs.iter().flat_map(Pair::waits).collect();
    if left > 0 && pairs.len() < AT_ONCE {
        waited.extend(listeners.iter().map(|(listener, _)| listener.subscribe()));
    }
    tidegate::poll(&waited.iter().collect::<Vec<_>>());
}

fn arguments() -> Result<Arguments, String> {
    let mut arguments = Arguments {
        namespace: None,
        address: "127.0.0.1".to_owned(),
        connections: usize::MAX,
        pod: String::new(),
        ports: Vec::new(),
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value\n{USAGE}"));
        match word.as_str() {
            "-n" => arguments.namespace = Some(value()?),
            "--address" => arguments.address = value()?,
            "--connections" => {
                arguments.connections = value()?.parse().map_err(|_| USAGE.to_owned())?;
            }
            other if other.starts_with('-') => return Err(format!("{other} is unknown\n{USAGE}")),
            pod if arguments.pod.is_empty() => arguments.pod = pod.to_owned(),
            ports => arguments.ports.push(parse(ports)?),
        }
    }
    if arguments.pod.is_empty() || arguments.ports.is_empty() {
        return Err(USAGE.to_owned());
    }
    Ok(arguments)
}

/// `8080:80`, `80` for the same port here, `:80` for one that the system chooses.
fn parse(text: &str) -> Result<(u16, u16), String> {
    let port = |text: &str| text.parse::<u16>().map_err(|_| format!("{text:?} is no port\n{USAGE}"));
    match text.split_once(':') {
        Some(("", remote)) => Ok((0, port(remote)?)),
        Some((local, remote)) => Ok((port(local)?, port(remote)?)),
        None => Ok((port(text)?, port(text)?)),
    }
}
