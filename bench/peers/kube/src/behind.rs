//! A watch of one object while others are written.

use std::pin::pin;
use std::time::Instant;

use bench_scan::Tally;
use bench_scan::behind::{self, Seen};
use futures_util::StreamExt;
use futures_util::future::{Either, select, try_join_all};
use http::Request;
use http::header::CONTENT_TYPE;
use kube::Client;
use kube::api::WatchParams;
use kube::core::WatchEvent;
use serde::Deserialize;

use crate::Outcome;

/// What of an object the work needs.
#[derive(Clone, Debug, Deserialize)]
struct Written {
    #[serde(default)]
    data: Data,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Data {
    taken: String,
}

/// Watches until so many events have come, while so many writers write.
pub(crate) async fn behind(client: Client, path: &str, wanted: usize, writers: usize) -> Outcome<Tally> {
    let begin = Instant::now();
    let watching = pin!(watch(&client, path, wanted));
    let writing = pin!(try_join_all((0..writers).map(|writer| write(&client, path, writer))));
    match select(watching, writing).await {
        Either::Left((tally, _)) => Ok(Tally { elapsed: begin.elapsed(), ..tally? }),
        Either::Right((ended, _)) => {
            ended?;
            Err("the writers ended before the watch".into())
        }
    }
}

async fn watch(client: &Client, path: &str, wanted: usize) -> Outcome<Tally> {
    let parameters = WatchParams::default().fields(behind::PROBE_SELECTOR);
    let request = kube::core::Request::new(path).watch(&parameters, "0")?;
    let mut events = pin!(client.request_events::<Written>(request).await?);
    let mut seen = Seen::default();
    while !seen.is_enough(wanted) {
        let event = events.next().await.ok_or("the watch ended early")??;
        if let WatchEvent::Modified(Written { data }) = event {
            seen.add_taken(&data.taken);
        }
    }
    Ok(seen.tally(wanted))
}

async fn write(client: &Client, path: &str, writer: usize) -> Outcome<()> {
    for turn in 1.. {
        let request = Request::put(format!("{path}/{}", behind::name(writer)));
        let request = request.header(CONTENT_TYPE, "application/json");
        client.request_text(request.body(behind::written(writer, turn).into_bytes())?).await?;
    }
    Ok(())
}
