//! A watch of one object while others are written.

use std::io::Write;
use std::time::{Duration, Instant};

use bench_scan::Tally;
use bench_scan::behind::{self, Seen};
use futures_util::future::{select, try_join_all};
use http::Method;
use http_body_util::BodyExt;
use tokio::time::MissedTickBehavior;

use crate::Outcome;
use crate::connection::{Connection, Server};

/// How often the watched object is written.
const EACH: Duration = Duration::from_millis(5);

/// Makes the objects of so many writers, says `ready`, and writes the watched object until it is stopped.
pub(crate) async fn probe(server: &Server, path: &str, writers: usize) -> Outcome<Tally> {
    let mut connection = server.connect().await?;
    for body in (0..writers).map(|writer| behind::written(writer, 0)).chain([behind::probe(behind::now())]) {
        let response = connection.send(Method::POST, path, body).await?;
        // Of an earlier run.
        if !matches!(response.status().as_u16(), 201 | 409) {
            return Err(format!("{path}: {}", response.status()).into());
        }
        response.into_body().collect().await?;
    }
    println!("ready");
    std::io::stdout().flush()?;
    let object = format!("{path}/{}", behind::PROBE);
    let (mut ticks, mut taken) = (tokio::time::interval(EACH), behind::now());
    // What a busy server holds up is not made up for.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        put(&mut connection, &object, behind::probe(taken)).await?;
        taken = behind::now();
    }
}

/// Watches until so many events have come, while so many writers write, all over one connection.
pub(crate) async fn behind(server: &Server, path: &str, wanted: usize, writers: usize) -> Outcome<Tally> {
    let connection = server.connect().await?;
    if !server.shares() {
        return Err("over HTTP/1.1 there would be nothing to be compared".into());
    }
    let begin = Instant::now();
    let share = || connection.share().ok_or("a connection that cannot be shared");
    let watching = watch(share()?, path, wanted);
    let writing =
        (0..writers).map(|writer| Ok(write(share()?, path, writer))).collect::<Outcome<Vec<_>>>()?;
    match select(Box::pin(watching), Box::pin(try_join_all(writing))).await {
        futures_util::future::Either::Left((tally, _)) => Ok(Tally { elapsed: begin.elapsed(), ..tally? }),
        futures_util::future::Either::Right((ended, _)) => {
            ended?;
            Err("the writers ended before the watch".into())
        }
    }
}

async fn watch(mut connection: Connection<'_>, path: &str, wanted: usize) -> Outcome<Tally> {
    let query = format!("watch=true&fieldSelector={}", behind::PROBE_SELECTOR.replace('=', "%3D"));
    let mut body = connection.get(&format!("{path}?{query}")).await?;
    let (mut seen, mut open_line) = (Seen::default(), Vec::new());
    while !seen.is_enough(wanted) {
        let Some(frame) = body.frame().await else { return Err("the watch ended early".into()) };
        let Ok(piece) = frame?.into_data() else { continue };
        let mut lines = piece.split(|&byte| byte == b'\n');
        open_line.extend_from_slice(lines.next().unwrap_or_default());
        for line in lines {
            add(&mut seen, &open_line);
            open_line.clear();
            open_line.extend_from_slice(line);
        }
    }
    Ok(seen.tally(wanted))
}

/// The object's state at the beginning is no event of its being written.
fn add(seen: &mut Seen, line: &[u8]) {
    if line.starts_with(br#"{"type":"MODIFIED""#) {
        seen.add(line);
    }
}

async fn write(mut connection: Connection<'_>, path: &str, writer: usize) -> Outcome<()> {
    let object = format!("{path}/{}", behind::name(writer));
    for turn in 1.. {
        put(&mut connection, &object, behind::written(writer, turn)).await?;
    }
    Ok(())
}

async fn put(connection: &mut Connection<'_>, object: &str, body: String) -> Outcome<()> {
    let response = connection.send(Method::PUT, object, body).await?;
    if !response.status().is_success() {
        return Err(format!("{object}: {}", response.status()).into());
    }
    response.into_body().collect().await?;
    Ok(())
}
