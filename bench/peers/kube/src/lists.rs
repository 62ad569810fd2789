//! Lists: all at once, or by pages.

use std::time::Instant;

use bench_scan::Tally;
use http::Request;
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, Client};

use crate::Outcome;
use crate::lean::{List, Weigh};

/// As many as client-go and kubectl ask for.
const PAGE: u32 = 500;

pub(crate) async fn lean(client: Client, path: &str) -> Outcome<Tally> {
    let begin = Instant::now();
    let list: List = client.request(Request::get(path).body(Vec::new())?).await?;
    Ok(tally(begin, list.items.iter().map(Weigh::weight)))
}

pub(crate) async fn paged(client: Client, path: &str) -> Outcome<Tally> {
    let begin = Instant::now();
    let mut sum = Tally::default();
    let mut parameters = ListParams::default().limit(PAGE);
    loop {
        let request = kube::core::Request::new(path).list(&parameters)?;
        let list: List = client.request(request).await?;
        list.items.iter().for_each(|item| sum.add_weight(item.weight()));
        if list.metadata.r#continue.is_empty() {
            break;
        }
        parameters = parameters.continue_token(&list.metadata.r#continue);
    }
    sum.elapsed = begin.elapsed();
    Ok(sum)
}

pub(crate) async fn typed(client: Client) -> Outcome<Tally> {
    let begin = Instant::now();
    let pods = Api::<Pod>::all(client).list(&ListParams::default()).await?;
    Ok(tally(begin, pods.items.iter().map(Weigh::weight)))
}

pub(crate) async fn typed_paged(client: Client) -> Outcome<Tally> {
    let begin = Instant::now();
    let pods = Api::<Pod>::all(client);
    let mut sum = Tally::default();
    let mut parameters = ListParams::default().limit(PAGE);
    loop {
        let list = pods.list(&parameters).await?;
        list.items.iter().for_each(|item| sum.add_weight(item.weight()));
        let Some(token) = list.metadata.continue_.filter(|token| !token.is_empty()) else { break };
        parameters = parameters.continue_token(&token);
    }
    sum.elapsed = begin.elapsed();
    Ok(sum)
}

fn tally(begin: Instant, weights: impl Iterator<Item = usize>) -> Tally {
    let mut tally = Tally::default();
    weights.for_each(|weight| tally.add_weight(weight));
    tally.elapsed = begin.elapsed();
    tally
}
