//! Lists or watches whatever it is told to.
//!
//! ```text
//! lists [FLAG VALUE…] PATH
//! ```
//!
//! Flags: `--source pages|whole|watch-list`, `--limit N`, `--labels`, `--fields`, `--version RV[,RULE]`, `--mask PATH` (repeatable),
//! `--label-filter`, `--field-filter`, `--filter`, `--metadata-only yes`, `--inconsistent yes`, `--idle-deadline MS`, `--show N` (print
//! the first N items), `--pause-after N` (after the first item, wait that many ms), `--watch N` (take N events instead).
//!
//! Prints `item: TEXT` or `event TYPE: TEXT`, then `done: N items, M bytes, version V, consistent BOOL`, or `error CODE: MESSAGE` (of a status
//! `error status 410 Expired: …`) after a line `had: N items`. Exit code 3 if there was an error.

use std::time::Duration;

use tidegate::{Error, ListRequest, ListSource, Result};

#[derive(Default)]
struct Told {
    items: usize,
    bytes: usize,
}

fn main() {
    let mut told = Told::default();
    if let Err(error) = run(&mut told) {
        println!("had: {} items", told.items);
        let message = error.message().replace('\n', " | ");
        match error.status() {
            Some(status) => println!("error {} {} {}: {message}", error.code(), status.code, status.reason),
            None => println!("error {}: {message}", error.code()),
        }
        tidegate::exit(3);
    }
}

fn run(told: &mut Told) -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let path = arguments.last().ok_or_else(|| Error::other("no path"))?;
    let mut request = ListRequest::new(path);
    let (mut mask, mut show, mut pause, mut watch) = (Vec::new(), 0, 0, 0);
    for pair in arguments.chunks_exact(2) {
        let (flag, value) = (pair[0].as_str(), pair[1].clone());
        let number = || value.parse::<u64>().map_err(|_| Error::other(format!("{flag}: a number")));
        request = match flag {
            "--source" => request.source(match value.as_str() {
                "whole" => ListSource::Whole,
                "watch-list" => ListSource::WatchList,
                _ => ListSource::Pages,
            }),
            "--limit" => request.limit(number()? as u32),
            "--labels" => request.labels(value),
            "--fields" => request.fields(value),
            "--version" => {
                let (version, rule) =
                    value.split_once(',').map_or((value.as_str(), None), |(v, r)| (v, Some(r)));
                request.resource_version(version, rule)
            }
            "--label-filter" => request.label_filter(value),
            "--field-filter" => request.field_filter(value),
            "--filter" => request.filter(value),
            "--metadata-only" => request.metadata_only(),
            "--inconsistent" => request.allow_inconsistent(),
            "--idle-deadline" => request.idle_deadline(Duration::from_millis(number()?)),
            "--mask" => {
                mask.push(value);
                request
            }
            "--show" => {
                show = number()? as usize;
                request
            }
            "--pause-after" => {
                pause = number()?;
                request
            }
            "--watch" => {
                watch = number()? as usize;
                request
            }
            _ => return Err(Error::other(format!("no flag {flag}"))),
        };
    }
    let request = request.mask(mask);
    let client = tidegate::auto_detect_client()?;
    if watch > 0 {
        for event in client.open_masked_events(&request)?.take(watch) {
            let event = event?;
            let event_type = format!("{:?}", event.event_type);
            let word = event_type.trim_start_matches("EventType::");
            println!("event {word}: {}", String::from_utf8_lossy(&event.object));
        }
        return Ok(());
    }
    let mut items = client.open_items(&request)?;
    for item in items.by_ref() {
        let item = item?;
        told.items += 1;
        told.bytes += item.len();
        if told.items <= show {
            println!("item: {}", String::from_utf8_lossy(&item));
        }
        if told.items == 1 && pause > 0 {
            println!("paused");
            tidegate::sleep(Duration::from_millis(pause));
        }
    }
    let version = items.resource_version().unwrap_or_default();
    println!(
        "done: {} items, {} bytes, version {version}, consistent {}",
        told.items,
        told.bytes,
        items.is_consistent()
    );
    Ok(())
}
