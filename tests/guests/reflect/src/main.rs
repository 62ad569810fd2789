//! Follows whatever it is told to, and checks what it is told against what it was told before.
//!
//! ```text
//! reflect [FLAG VALUE…] PATH
//! ```
//!
//! Flags: `--connection NAME` (else what is detected), `--labels`, `--fields`, `--mask PATH`, `--view PATH` (both repeatable),
//! `--label-filter`, `--field-filter`, `--filter`, `--metadata-only yes`, `--source pages|whole|watch-list`, `--idle-deadline MS`,
//! `--previous yes`, `--batch N`, `--quiet yes` (no line for each update, but `count NAME ADDED/MODIFIED/DELETED` at the end), `--pause MS` (after each update, so many ms), `--updates N` (end after
//! N), `--until-synced yes`, `--until NAME` (end where an object of that name is added), `--get NAMESPACE/NAME`, `--snapshots N` (begin
//! so many at once, and read the first object of each), `--linger MS` (wait before the
//! end, with the reflector stopped and its client dropped).
//!
//! Prints `CHANGE TEXT` with ` WAS TEXT` behind it where the state before is known, `FAILED CODE: MESSAGE`, then what the store has:
//! `stored: TEXT` lines and `done: N stored, M seen, synced BOOL, told A/M/D, faults F`. Faults are updates that do not fit what was told before
//! them (a state before that is another, an object that comes twice or goes twice), and objects that were told otherwise than they are stored.
//! Exit code 3 if there was an error.

use std::collections::BTreeMap;
use std::time::Duration;

use tidegate::{Client, Error, ListSource, ReflectorParams, Result, Update, connections};

#[derive(serde::Deserialize)]
struct Object {
    metadata: Metadata,
}

#[derive(serde::Deserialize)]
struct Metadata {
    #[serde(default)]
    namespace: String,
    name: String,
}

#[derive(Default)]
struct Flags {
    params: ReflectorParams,
    mask: Vec<String>,
    view: Vec<String>,
    connection: Option<String>,
    quiet: bool,
    pause: u64,
    updates: u64,
    until_synced: bool,
    until: Option<String>,
    get: Option<String>,
    snapshots: u64,
    linger: u64,
}

/// What was told, and what does not fit.
#[derive(Default)]
struct Picture {
    objects: BTreeMap<String, Vec<u8>>,
    /// From `DESYNCED` to `SYNCED` an object may come twice, and states before are missing.
    blind: bool,
    told: BTreeMap<String, [u64; 3]>,
    faults: u64,
}

fn main() {
    if let Err(error) = run() {
        println!("error {}: {}", error.code(), error.message().replace('\n', " | "));
        tidegate::exit(3);
    }
}

fn run() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let path = arguments.last().ok_or_else(|| Error::other("no path"))?;
    let flags = flags(&arguments)?;
    let client = match &flags.connection {
        Some(name) => connections::open(name)?,
        None => Client::try_default()?,
    };
    let mut updates = client.open_updates(path, &flags.params)?;
    let store = updates.store::<Box<serde_json::value::RawValue>>();
    let mut picture = Picture::default();
    let mut count = 0;
    for update in updates.by_ref() {
        let update = update?;
        let ends = ends(&flags, &update);
        if !flags.quiet {
            show(&update);
        }
        picture.take(update)?;
        count += 1;
        if flags.pause > 0 {
            tidegate::sleep(Duration::from_millis(flags.pause));
        }
        if ends || count == flags.updates {
            break;
        }
    }
    if let Some((namespace, name)) = flags.get.as_deref().and_then(|key| key.split_once('/')) {
        let found = store.get(namespace, name)?;
        println!("got: {}", found.map_or("nothing".to_owned(), |object| object.get().to_owned()));
    }
    let mut snapshots = (0..flags.snapshots).map(|_| store.iter()).collect::<Result<Vec<_>>>()?;
    for snapshot in &mut snapshots {
        snapshot.next().transpose()?;
    }
    drop(snapshots);
    let mut stored = 0;
    for object in store.iter()? {
        let object = object?;
        println!("stored: {}", object.get());
        picture.compare(object.get().as_bytes())?;
        stored += 1;
    }
    if flags.quiet {
        for (name, [added, modified, deleted]) in &picture.told {
            println!("count {name} {added}/{modified}/{deleted}");
        }
    }
    let all = |change: usize| picture.told.values().map(|told| told[change]).sum::<u64>();
    let [added, modified, deleted] = [0, 1, 2].map(all);
    println!(
        "done: {stored} stored, {} seen, synced {}, told {added}/{modified}/{deleted}, faults {}",
        picture.objects.len(),
        store.is_synced(),
        picture.faults
    );
    updates.stop();
    drop((store, updates, client));
    if flags.linger > 0 {
        println!("stopped");
        tidegate::sleep(Duration::from_millis(flags.linger));
    }
    Ok(())
}

fn flags(arguments: &[String]) -> Result<Flags> {
    let mut flags = Flags::default();
    for pair in arguments.chunks_exact(2) {
        let (flag, value) = (pair[0].as_str(), pair[1].clone());
        let number = || value.parse::<u64>().map_err(|_| Error::other(format!("{flag}: a number")));
        let params = std::mem::take(&mut flags.params);
        flags.params = match flag {
            "--labels" => params.labels(value),
            "--fields" => params.fields(value),
            "--label-filter" => params.label_filter(value),
            "--field-filter" => params.field_filter(value),
            "--filter" => params.filter(value),
            "--metadata-only" => params.metadata_only(),
            "--previous" => params.previous(),
            "--batch" => params.batch(number()? as u32),
            "--idle-deadline" => params.idle_deadline(Duration::from_millis(number()?)),
            "--source" => params.source(match value.as_str() {
                "whole" => ListSource::Whole,
                "watch-list" => ListSource::WatchList,
                _ => ListSource::Pages,
            }),
            _ => {
                match flag {
                    "--mask" => flags.mask.push(value),
                    "--view" => flags.view.push(value),
                    "--connection" => flags.connection = Some(value),
                    "--quiet" => flags.quiet = true,
                    "--pause" => flags.pause = number()?,
                    "--updates" => flags.updates = number()?,
                    "--until-synced" => flags.until_synced = true,
                    "--until" => flags.until = Some(value),
                    "--get" => flags.get = Some(value),
                    "--snapshots" => flags.snapshots = number()?,
                    "--linger" => flags.linger = number()?,
                    _ => return Err(Error::other(format!("no flag {flag}"))),
                }
                params
            }
        };
    }
    flags.params = flags.params.mask(flags.mask.clone()).view(flags.view.clone());
    Ok(flags)
}

fn ends(flags: &Flags, update: &Update<Vec<u8>>) -> bool {
    match update {
        Update::Synced => flags.until_synced,
        Update::Added(object) => {
            flags.until.as_ref().is_some_and(|name| key(object).is_ok_and(|key| key.ends_with(name)))
        }
        _ => false,
    }
}

fn show(update: &Update<Vec<u8>>) {
    let text = |object: &[u8]| String::from_utf8_lossy(object).into_owned();
    match update {
        Update::Modified { object, previous: Some(previous) } => {
            println!("MODIFIED {} WAS {}", text(object), text(previous));
        }
        Update::Failed(error) => {
            println!("FAILED {}: {}", error.code(), error.message().replace('\n', " | "))
        }
        other => {
            println!("{} {}", other.change(), other.object().map(|object| text(object)).unwrap_or_default());
        }
    }
}

impl Picture {
    /// What is stored against what was told.
    fn compare(&mut self, stored: &[u8]) -> Result<()> {
        if self.objects.get(&key(stored)?).is_none_or(|told| told != stored) {
            self.faults += 1;
        }
        Ok(())
    }

    fn count(&mut self, object: &[u8], change: usize) -> Result<()> {
        self.told.entry(key(object)?).or_default()[change] += 1;
        Ok(())
    }

    fn take(&mut self, update: Update<Vec<u8>>) -> Result<()> {
        let fits = match update {
            Update::Added(object) => {
                self.count(&object, 0)?;
                self.objects.insert(key(&object)?, object).is_none()
            }
            Update::Modified { object, previous } => {
                self.count(&object, 1)?;
                let before = self.objects.insert(key(&object)?, object);
                before.is_some() && previous.is_none_or(|previous| before == Some(previous))
            }
            Update::Deleted(object) => {
                self.count(&object, 2)?;
                self.objects.remove(&key(&object)?).is_some()
            }
            Update::Synced => {
                self.blind = false;
                true
            }
            Update::Desynced => {
                self.blind = true;
                true
            }
            Update::Reset => {
                self.objects.clear();
                true
            }
            _ => true,
        };
        if !fits && !self.blind {
            self.faults += 1;
        }
        Ok(())
    }
}

fn key(object: &[u8]) -> Result<String> {
    let object: Object = serde_json::from_slice(object).map_err(|error| Error::other(error.to_string()))?;
    Ok(format!("{}/{}", object.metadata.namespace, object.metadata.name))
}
