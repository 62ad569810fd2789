//! Watches until so many events have come.

use std::pin::pin;
use std::time::Instant;

use bench_scan::Tally;
use futures_util::{Stream, StreamExt};
use http::Request;
use k8s_openapi::api::core::v1::Pod;
use kube::api::WatchParams;
use kube::core::WatchEvent;
use kube::{Api, Client};

use crate::Outcome;
use crate::lean::{Object, Weigh, count_event};

pub(crate) async fn lean(client: Client, path: &str, wanted: u64) -> Outcome<Tally> {
    let begin = Instant::now();
    let events = client.request_events::<Object>(Request::get(path).body(Vec::new())?).await?;
    collect(begin, events, wanted).await
}

pub(crate) async fn typed(client: Client, path: &str, wanted: u64) -> Outcome<Tally> {
    let version =
        path.split(['?', '&']).find_map(|pair| pair.strip_prefix("resourceVersion=")).unwrap_or("0");
    let begin = Instant::now();
    let events = Api::<Pod>::all(client).watch(&WatchParams::default(), version).await?;
    collect(begin, events, wanted).await
}

async fn collect<K: Weigh>(
    begin: Instant,
    events: impl Stream<Item = Result<WatchEvent<K>, kube::Error>>,
    wanted: u64,
) -> Outcome<Tally> {
    let mut events = pin!(events);
    let mut tally = Tally::default();
    while tally.count < wanted {
        let event = events.next().await.ok_or("the watch ended early")??;
        count_event(&mut tally, &event);
    }
    tally.elapsed = begin.elapsed();
    Ok(tally)
}
