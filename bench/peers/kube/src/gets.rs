//! One object, again and again.

use std::time::Instant;

use bench_scan::Tally;
use futures_util::future::try_join_all;
use http::Request;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client};

use crate::Outcome;
use crate::lean::{Object, Weigh};

pub(crate) async fn lean(client: Client, path: &str, count: usize, ways: usize) -> Outcome<Tally> {
    let get = async || Ok(client.request::<Object>(Request::get(path).body(Vec::new())?).await?);
    spread(get, count, ways).await
}

pub(crate) async fn typed(client: Client, path: &str, count: usize, ways: usize) -> Outcome<Tally> {
    let words: Vec<&str> = path.split('/').collect();
    let ["", "api", "v1", "namespaces", namespace, "pods", name] = words[..] else {
        return Err(format!("{path} is no pod's path").into());
    };
    let pods: Api<Pod> = Api::namespaced(client, namespace);
    spread(async || Ok(pods.get(name).await?), count, ways).await
}

async fn spread<K: Weigh>(get: impl AsyncFn() -> Outcome<K>, count: usize, ways: usize) -> Outcome<Tally> {
    let begin = Instant::now();
    let get = &get;
    let runs = (0..ways).map(async |way| {
        let mut tally = Tally::default();
        for _ in 0..count / ways + usize::from(way < count % ways) {
            tally.add_weight(get().await?.weight());
        }
        Outcome::Ok(tally)
    });
    let mut sum = Tally::default();
    for tally in try_join_all(runs).await? {
        sum.count += tally.count;
        sum.weight += tally.weight;
    }
    sum.elapsed = begin.elapsed();
    Ok(sum)
}
