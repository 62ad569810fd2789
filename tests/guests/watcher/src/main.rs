//! Watches whatever it is told to, for ever.
//!
//! ```text
//! watcher [FLAG VALUE…] PATH
//! ```
//!
//! Flags: `--source pages|whole|watch-list`, `--limit N`, `--labels`, `--version RV[,RULE]`, `--mask PATH` (repeatable), `--filter`,
//! `--metadata-only yes`, `--deadline MS`, `--idle-deadline MS`, `--take N` (end after that many lines), `--pause-at LINE:MS` (after the first
//! line that begins so, wait that many ms), `--wait poll` (asks for what is there and polls, rather than waiting for the next).
//!
//! Prints a line for each event: `init`, `init-apply NAME LABEL`, `init-done`, `apply NAME LABEL`, `delete NAME LABEL`, where LABEL is that of the
//! name `v`; `error CODE: MESSAGE` (of a status `error status 410 Expired: …`), and `end` where the watcher ends. Exit code 3 if it could not
//! begin.

use std::collections::BTreeMap;
use std::task::Poll;
use std::time::Duration;

use serde::Deserialize;
use tidegate::watcher::{Event, Watcher};
use tidegate::{Error, ListRequest, ListSource, Result};

#[derive(Deserialize)]
struct Object {
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    name: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

#[derive(Default)]
struct Manner {
    take: usize,
    pause_at: Option<(String, Duration)>,
    polls: bool,
}

fn main() {
    if let Err(error) = run() {
        println!("{}", show_error(&error));
        tidegate::exit(3);
    }
}

fn run() -> Result<()> {
    let (request, mut manner) = arguments()?;
    let mut watcher = tidegate::auto_detect_client()?.watcher::<Object>(&request)?;
    for _ in 0..manner.take {
        let Some(event) = next(&mut watcher, &manner) else {
            println!("end");
            return Ok(());
        };
        let line = event.as_ref().map_or_else(show_error, show);
        println!("{line}");
        if let Some((_, pause)) = manner.pause_at.take_if(|(begin, _)| line.starts_with(begin.as_str())) {
            tidegate::sleep(pause);
        }
    }
    Ok(())
}

fn next(watcher: &mut Watcher<Object>, manner: &Manner) -> Option<Result<Event<Object>>> {
    if !manner.polls {
        return watcher.next();
    }
    loop {
        if let Poll::Ready(event) = watcher.try_next() {
            return event;
        }
        let (ready, soon) = (watcher.subscribe(), tidegate::after(Duration::from_millis(50)));
        tidegate::poll(&[&ready, &soon]);
    }
}

fn arguments() -> Result<(ListRequest, Manner)> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let path = arguments.last().ok_or_else(|| Error::other("no path"))?;
    let mut request = ListRequest::new(path);
    let mut manner = Manner { take: usize::MAX, ..Manner::default() };
    let mut mask = Vec::new();
    for pair in arguments.chunks_exact(2) {
        let (flag, value) = (pair[0].as_str(), pair[1].clone());
        let number = |text: &str| text.parse::<u64>().map_err(|_| Error::other(format!("{flag}: a number")));
        match flag {
            "--mask" => mask.push(value),
            "--take" => manner.take = number(&value)? as usize,
            "--wait" => manner.polls = value == "poll",
            "--pause-at" => {
                let (line, pause) = value.rsplit_once(':').unwrap_or_default();
                manner.pause_at = Some((line.to_owned(), Duration::from_millis(number(pause)?)));
            }
            _ => {
                request = match flag {
                    "--source" => request.source(match value.as_str() {
                        "whole" => ListSource::Whole,
                        "watch-list" => ListSource::WatchList,
                        _ => ListSource::Pages,
                    }),
                    "--limit" => request.limit(number(&value)? as u32),
                    "--labels" => request.labels(value),
                    "--version" => match value.split_once(',') {
                        Some((version, rule)) => request.resource_version(version, Some(rule)),
                        None => request.resource_version(value, None),
                    },
                    "--filter" => request.filter(value),
                    "--metadata-only" => request.metadata_only(),
                    "--deadline" => request.deadline(Duration::from_millis(number(&value)?)),
                    "--idle-deadline" => request.idle_deadline(Duration::from_millis(number(&value)?)),
                    _ => return Err(Error::other(format!("no flag {flag}"))),
                }
            }
        }
    }
    Ok((request.mask(mask), manner))
}

fn show(event: &Event<Object>) -> String {
    let object = |Object { metadata: Metadata { name, labels } }: &Object| {
        format!("{name} {}", labels.get("v").map_or("-", String::as_str))
    };
    match event {
        Event::Init => "init".to_owned(),
        Event::InitApply(listed) => format!("init-apply {}", object(listed)),
        Event::InitDone => "init-done".to_owned(),
        Event::Apply(applied) => format!("apply {}", object(applied)),
        Event::Delete(deleted) => format!("delete {}", object(deleted)),
    }
}

fn show_error(error: &Error) -> String {
    let message = error.message().replace('\n', " | ");
    match error.status() {
        Some(status) => format!("error {} {} {}: {message}", error.code(), status.code, status.reason),
        None => format!("error {}: {message}", error.code()),
    }
}
