//! Runs a command in a pod, as `kubectl exec` does, and ends with its exit code.
//!
//! ```text
//! tidegate run --allow-… exec.wasm -- [-n NAMESPACE] [-c CONTAINER] [-i] [-t | --size=WIDTHxHEIGHT] POD -- COMMAND [ARGUMENT…]
//! tidegate run --allow-… exec.wasm -- [-n NAMESPACE] [-c CONTAINER] [-i] [-t | --size=WIDTHxHEIGHT] --attach POD
//! ```

use std::io::Write;
use std::time::Duration;

use tidegate::process::Chunk;
use tidegate::{AttachParams, AttachedProcess};
use wasip2::io::streams::StreamError;

const USAGE: &str =
    "usage: exec [-n NAMESPACE] [-c CONTAINER] [-i] [-t | --size=WIDTHxHEIGHT] POD -- COMMAND [ARGUMENT...]
       exec [-n NAMESPACE] [-c CONTAINER] [-i] [-t | --size=WIDTHxHEIGHT] --attach POD";

/// How much of standard input is read at once.
const PIECE: u64 = 64 * 1024;

/// How often standard input is looked at while it has nothing: its pollable is WASI's, and cannot be waited for together with a process.
const LOOK: Duration = Duration::from_millis(20);

#[derive(Default)]
struct Arguments {
    namespace: Option<String>,
    params: AttachParams,
    size: Option<(u16, u16)>,
    attach: bool,
    pod: String,
    command: Vec<String>,
}

fn main() -> tidegate::Result<()> {
    let Some(arguments) = Arguments::parse(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        tidegate::exit(2);
    };
    let client = tidegate::auto_detect_client()?;
    let Arguments { namespace, params, size, attach, pod, command } = &arguments;
    let mut process = match attach {
        true => client.attach(namespace.as_deref(), pod, params)?,
        false => client.exec(namespace.as_deref(), pod, command.clone(), params)?,
    };
    if let Some((width, height)) = size {
        process.resize(*width, *height)?;
    }
    if params.stdin {
        feed(&mut process)?;
    }
    for chunk in process.by_ref() {
        write(chunk?)?;
    }
    // Codes that no byte holds are a failure, whatever else they are.
    tidegate::exit(u8::try_from(process.exit()?).unwrap_or(1));
}

/// Passes standard input on until its end, or the process's.
fn feed(process: &mut AttachedProcess) -> tidegate::Result<()> {
    let stdin = wasip2::cli::stdin::get_stdin();
    loop {
        let input = match stdin.read(PIECE) {
            Ok(input) => input,
            Err(StreamError::Closed | StreamError::LastOperationFailed(_)) => break,
        };
        if input.is_empty() {
            tidegate::poll(&[&process.subscribe(), &tidegate::after(LOOK)]);
        }
        process.exchange(&input, &mut write)?;
        while let std::task::Poll::Ready(next) = process.try_next() {
            match next {
                Some(chunk) => write(chunk?)?,
                None => return Ok(()),
            }
        }
    }
    match process.close_stdin() {
        // Nobody is left to end it for.
        Err(error) if error.code() == "closed" => Ok(()),
        ended => ended,
    }
}

fn write(chunk: Chunk) -> tidegate::Result<()> {
    let written = match chunk {
        Chunk::Stdout(bytes) => std::io::stdout().write_all(&bytes).and_then(|()| std::io::stdout().flush()),
        Chunk::Stderr(bytes) => std::io::stderr().write_all(&bytes),
    };
    if written.is_err() {
        // Nobody reads on, as behind `head`.
        tidegate::exit(1);
    }
    Ok(())
}

impl Arguments {
    fn parse(mut words: impl Iterator<Item = String>) -> Option<Arguments> {
        let mut arguments = Arguments::default();
        while let Some(word) = words.next() {
            match word.as_str() {
                "-n" => arguments.namespace = Some(words.next()?),
                "-c" => arguments.params.container = Some(words.next()?),
                "-i" => arguments.params.stdin = true,
                "-t" => arguments.params.tty = true,
                "--attach" => arguments.attach = true,
                "--" => arguments.command.extend(words.by_ref()),
                flag if flag.starts_with('-') => {
                    let (width, height) = flag.strip_prefix("--size=")?.split_once('x')?;
                    arguments.params.tty = true;
                    arguments.size = Some((width.parse().ok()?, height.parse().ok()?));
                }
                _ if arguments.pod.is_empty() => arguments.pod = word,
                _ => return None,
            }
        }
        let is_whole = !arguments.pod.is_empty() && arguments.attach == arguments.command.is_empty();
        is_whole.then_some(arguments)
    }
}
