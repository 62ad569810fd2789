//! Prints the logs of one pod or many, and goes on over restarts.

use std::io::{BufWriter, Write};
use std::task::Poll;
use std::time::Duration;

use tidegate::{LogEvent, LogPart, LogRequest};

const USAGE: &str = "usage: tail-logs POD|-l SELECTOR [-n NAMESPACE|-A] [-c CONTAINER|--all-containers] [-f] [--previous] \
                     [--since SECONDS] [--tail N] [--timestamps] [--at-once N] [--seconds N] [--lines N]";

/// What is asked for.
struct Arguments {
    request: LogRequest,
    prefix: bool,
    seconds: Option<u64>,
    lines: Option<u64>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let client = tidegate::auto_detect_client()?;
    let Arguments { request, prefix, seconds, lines } = arguments(client.default_namespace())?;
    let mut logs = client.open_logs(&request)?;
    let time = seconds.map(|seconds| tidegate::after(Duration::from_secs(seconds)));
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut left = lines.unwrap_or(u64::MAX);
    loop {
        match logs.try_next() {
            Poll::Ready(None) => break,
            Poll::Ready(Some(part)) => left = print(&mut out, &part?, prefix, left)?,
            Poll::Pending => {
                out.flush()?;
                let came = logs.subscribe();
                let waited: Vec<_> = [Some(&came), time.as_ref()].into_iter().flatten().collect();
                if tidegate::poll(&waited).contains(&1) {
                    break;
                }
            }
        }
        if left == 0 {
            break;
        }
    }
    out.flush()?;
    Ok(())
}

/// Prints a part, and says how many lines may still come.
fn print(out: &mut impl Write, part: &LogPart, prefix: bool, left: u64) -> std::io::Result<u64> {
    let LogPart { pod, container, event, .. } = part;
    let mut left = left;
    match event {
        LogEvent::Lines(lines) => {
            for line in lines {
                if left == 0 {
                    break;
                }
                if prefix {
                    write!(out, "[pod/{pod}/{container}] ")?;
                }
                out.write_all(line)?;
                out.write_all(b"\n")?;
                left -= 1;
            }
        }
        LogEvent::Restarted => eprintln!("{pod}/{container}: started again"),
        LogEvent::Gap(why) => eprintln!("{pod}/{container}: lines may be missing: {why}"),
        LogEvent::Interrupted(why) => eprintln!("{pod}/{container}: the connection was lost: {why}"),
        LogEvent::Queued(why) => eprintln!("{pod}/{container}: waits: {why}"),
        LogEvent::Failed(why) => eprintln!("{pod}/{container}: {why}"),
        _ => {}
    }
    Ok(left)
}

fn arguments(default_namespace: &str) -> Result<Arguments, String> {
    let (mut pod, mut labels, mut namespace) = (None, None, Some(default_namespace.to_owned()));
    let mut set: Vec<Box<dyn FnOnce(LogRequest) -> LogRequest>> = Vec::new();
    let (mut all, mut seconds, mut lines) = (false, None, None);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value\n{USAGE}"));
        let number = |text: String| text.parse::<u64>().map_err(|_| format!("{text} is no number"));
        match word.as_str() {
            "-l" => labels = Some(value()?),
            "-n" => namespace = Some(value()?),
            "-A" => namespace = None,
            "-c" => {
                let name = value()?;
                set.push(Box::new(move |request| request.container(name)));
            }
            "--all-containers" => {
                all = true;
                set.push(Box::new(LogRequest::all_containers));
            }
            "-f" => set.push(Box::new(LogRequest::follow)),
            "--previous" => set.push(Box::new(LogRequest::previous)),
            "--since" => {
                let ago = Duration::from_secs(number(value()?)?);
                set.push(Box::new(move |request| request.since(ago)));
            }
            "--tail" => {
                let lines = number(value()?)?;
                set.push(Box::new(move |request| request.tail(lines)));
            }
            "--at-once" => {
                let containers = u32::try_from(number(value()?)?).unwrap_or(u32::MAX);
                set.push(Box::new(move |request| request.at_once(containers)));
            }
            "--timestamps" => set.push(Box::new(LogRequest::timestamps)),
            "--seconds" => seconds = Some(number(value()?)?),
            "--lines" => lines = Some(number(value()?)?),
            other if other.starts_with('-') => return Err(format!("{other} is unknown\n{USAGE}")),
            other => pod = Some(other.to_owned()),
        }
    }
    let (request, prefix) = match (pod, labels) {
        (Some(pod), None) => (LogRequest::pod(pod), all),
        (None, Some(labels)) => (LogRequest::selected(labels), true),
        _ => return Err(USAGE.to_owned()),
    };
    let request = set.into_iter().fold(request, |request, set| set(request));
    let request = match namespace {
        Some(namespace) => request.namespace(namespace),
        None => request,
    };
    Ok(Arguments { request, prefix, seconds, lines })
}
