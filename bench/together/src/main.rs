//! `500 guests, one cache`: one process that embeds tidegate, and in it one guest and then many that follow the same 10,000 pods of some 6 KB.
//!
//! ```text
//! bench-together [--guests N] [--pods N] [--on-demand] [--json FILE]
//! ```
//!
//! Guests share a connection that has a name, so the host keeps the pods once and has one watch. Each hears of all pods, then of 1,000
//! changes. What counts is the memory that the process has more with all of them than with the first, divided by their number: instances,
//! handles, what the host holds for them. `cargo xtask bench` runs it, with pooled memory for guests unless `--on-demand` says otherwise.

mod measure;
mod server;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use tidegate::grants::{Grants, Kind};
use tidegate::registry::{Definition, Registry};
use tidegate::transport::Options;
use tidegate::{Allocator, Cache, Captured, Engine, Input, Output, Pooling, Script};

use measure::{Memory, Row};
use server::Server;

type Failure = Box<dyn Error>;

/// What every guest is told of after it has heard of all pods.
const CHANGES: u64 = 1_000;

/// The bar: how much memory a guest may cost, in bytes.
const BAR: u64 = 64_000;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let row = runtime.map_err(Failure::from).and_then(|runtime| runtime.block_on(run(&words)));
    match row {
        Ok(row) if row.is_met() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(words: &[String]) -> Result<Row, Failure> {
    let value = |flag: &str| words.iter().position(|word| word == flag).and_then(|at| words.get(at + 1));
    let number = |flag: &str, absent: u64| value(flag).map_or(Ok(absent), |word| word.parse());
    let (guests, pods) = (number("--guests", 500)?, number("--pods", 10_000)?);
    let allocator = match words.iter().any(|word| word == "--on-demand") {
        true => Allocator::OnDemand,
        false => Allocator::Pooling(Pooling { guests: u32::try_from(guests)?, ..Pooling::default() }),
    };
    let server = Server::start(pods)?;
    let folder = tempfile::tempdir()?;
    let engine = Engine::builder()
        .cache(Cache::Folder(folder.path().join("compiled")))
        .allocator(allocator)
        .compiler(program("tidegate-compile")?)
        .build()?;
    let script = engine.load_file(guest("bench-follow")?).await?;
    let registry = Registry::new(Options::new("bench-together/0.1"));
    registry.register("it", Definition::kube_config(server.kubeconfig()))?;

    let place = Place { script, registry, pods };
    let mut running = vec![place.start()?];
    place.hear("synced", &running).await?;
    // Until the log of changes is full, which all guests share too.
    server.change(2 * CHANGES).await?;
    place.hear("changed", &running).await?;
    let one = settled().await?;
    for _ in 1..guests {
        running.push(place.start()?);
    }
    place.hear("synced", &running).await?;
    server.change(CHANGES).await?;
    place.hear("changed", &running).await?;
    let all = settled().await?;
    let reflected = engine.reflected();
    let row = Row { guests, pods, one, all, store: reflected.bytes as u64, watches: reflected.stores as u64 };
    row.tell(value("--json").map(PathBuf::from))?;
    Ok(row)
}

/// What all guests have in common.
struct Place {
    script: Script,
    registry: Registry,
    pods: u64,
}

impl Place {
    /// A guest that runs until the program ends; what it writes.
    fn start(&self) -> Result<Captured, Failure> {
        let (stdout, written) = Output::capture(4 << 10);
        let (stderr, complained) = Output::capture(4 << 10);
        let grants = Grants::builder().allow(Kind::Connection, Some("it"))?.build();
        let run = self.script.run().grants(grants).user_agent("bench-together/0.1");
        let run = run.connections(self.registry.clone()).stdin(Input::null()).stdout(stdout).stderr(stderr);
        let run = run.arguments(["it", "/api/v1/pods", &CHANGES.to_string()]);
        tokio::spawn(async move {
            let ended = run.start().await;
            eprintln!("a guest ended: {:?} {}", ended.map(|outcome| outcome.ending), complained.text());
        });
        Ok(written)
    }

    /// Waits until all have said this.
    async fn hear(&self, word: &str, guests: &[Captured]) -> Result<(), Failure> {
        let wanted = if word == "synced" { format!("synced {}\n", self.pods) } else { format!("{word}\n") };
        for _ in 0..6_000 {
            if guests.iter().all(|written| written.text().contains(&wanted)) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let done = guests.iter().filter(|written| written.text().contains(&wanted)).count();
        Err(format!("{done} of {} guests said {wanted:?} within five minutes", guests.len()).into())
    }
}

/// What does not change any more, for a second.
async fn settled() -> Result<Memory, Failure> {
    let mut last = Memory::now()?;
    for _ in 0..30 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let now = Memory::now()?;
        if now.resident.abs_diff(last.resident) < 64 << 10 {
            return Ok(now);
        }
        last = now;
    }
    Ok(last)
}

fn program(name: &str) -> Result<PathBuf, Failure> {
    found("TIDEGATE_PROGRAMS", name)
}

fn guest(name: &str) -> Result<PathBuf, Failure> {
    found("TIDEGATE_GUESTS", &format!("{name}.wasm"))
}

fn found(variable: &str, file: &str) -> Result<PathBuf, Failure> {
    let folder = std::env::var_os(variable).map(PathBuf::from);
    let path = folder.map(|folder| folder.join(file)).filter(|path| path.is_file());
    path.ok_or_else(|| format!("{variable} has no {file}; `cargo xtask bench` builds it").into())
}
