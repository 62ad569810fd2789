//! What is compared.

use std::time::Instant;

use bench_scan::{Items, Tally, event, identity};
use futures_util::future::try_join_all;
use http_body_util::BodyExt;

use crate::Outcome;
use crate::connection::{Connection, Server};

/// `count` GETs, `ways` of them in flight, each on a connection of its own where they cannot share one.
pub(crate) async fn gets(server: &Server, path: &str, count: usize, ways: usize) -> Outcome<Tally> {
    // As in the guest, whose client has connected once when its clock starts.
    let first = server.connect().await?;
    let begin = Instant::now();
    let shares = (0..ways).map(|way| count / ways + usize::from(way < count % ways));
    let (shared, mut first) = (first.share(), Some(first));
    let runs = shares.map(|share| {
        let connection = first.take().or_else(|| shared.as_ref()?.share());
        async move {
            let connection = match connection {
                Some(connection) => connection,
                None => server.connect().await?,
            };
            one_by_one(connection, path, share).await
        }
    });
    let mut sum = Tally::default();
    for tally in try_join_all(runs).await? {
        sum.count += tally.count;
        sum.weight += tally.weight;
    }
    sum.elapsed = begin.elapsed();
    Ok(sum)
}

async fn one_by_one(mut connection: Connection<'_>, path: &str, count: usize) -> Outcome<Tally> {
    let mut tally = Tally::default();
    for _ in 0..count {
        let body = connection.get(path).await?.collect().await?.to_bytes();
        tally.add(&identity(&body).ok_or("the answer is no object")?);
    }
    Ok(tally)
}

/// Reads a list as it arrives.
pub(crate) async fn list(server: &Server, path: &str) -> Outcome<Tally> {
    let mut connection = server.connect().await?;
    let begin = Instant::now();
    let mut body = connection.get(path).await?;
    let mut items = Items::default();
    let mut tally = Tally::default();
    let mut broken = false;
    while let Some(frame) = body.frame().await {
        let Ok(piece) = frame?.into_data() else { continue };
        items.push(&piece, &mut |item| match identity(item) {
            Some(found) => tally.add(&found),
            None => broken = true,
        })?;
    }
    items.finish()?;
    if broken {
        return Err("an item has no metadata".into());
    }
    tally.elapsed = begin.elapsed();
    Ok(tally)
}

/// Reads a watch until so many events have come.
pub(crate) async fn watch(server: &Server, path: &str, wanted: u64) -> Outcome<Tally> {
    let mut connection = server.connect().await?;
    let begin = Instant::now();
    let mut body = connection.get(path).await?;
    let mut tally = Tally::default();
    let mut open_line = Vec::new();
    while tally.count < wanted {
        let Some(frame) = body.frame().await else { return Err("the watch ended early".into()) };
        let Ok(piece) = frame?.into_data() else { continue };
        let mut rest = &piece[..];
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let line = if open_line.is_empty() {
                &rest[..end]
            } else {
                open_line.extend_from_slice(&rest[..end]);
                &open_line[..]
            };
            if tally.count < wanted {
                let event = event(line).ok_or("a line is no event")?;
                tally.add(&event.identity);
                tally.weight += event.event_type.len() as u64;
            }
            open_line.clear();
            rest = &rest[end + 1..];
        }
        open_line.extend_from_slice(rest);
    }
    tally.elapsed = begin.elapsed();
    Ok(tally)
}
