//! History that a server has forgotten: 410.
//!
//! A real server forgets when etcd is compacted, the playground when there is too much of it. Both are written to until they do.

use std::time::Duration;

use serde_json::json;
use tidegate::k8s_openapi::api::core::v1::Secret;
use tidegate::kube_core::DynamicObject;
use tidegate::prelude::*;

use crate::custom::Kind;
use crate::suite::{Suite, Verdict, fail, same};

/// What each write adds to the history, in bytes.
const LOAD: usize = 400 << 10;

pub(crate) fn watch(suite: &Suite) -> Verdict {
    let scratch = suite.namespace("expired-watch")?;
    let kind = Kind::create(suite, "Memory")?;
    let memories: Api<DynamicObject> =
        Api::namespaced_with(suite.client.clone(), &scratch.name, &kind.resource);
    let memory = DynamicObject::new("one", &kind.resource).data(json!({ "spec": { "size": 1 } }));
    let mut memory = memories.create(&PostParams::default(), &memory)?;
    until_forgotten(suite, "expired-watch", |turn| {
        memory.data["spec"]["text"] = load(turn).into();
        memory = memories.replace("one", &PostParams::default(), &memory)?;
        // This version was there before the kind was.
        for event in memories.watch(&WatchParams::default().disable_bookmarks().timeout(1), "1")? {
            if let WatchEvent::Error(status) = event? {
                return Ok(Some((status.code, status.reason)));
            }
        }
        Ok(None)
    })
}

pub(crate) fn list(suite: &Suite) -> Verdict {
    let scratch = suite.namespace("expired-list")?;
    let secret = |name: &str, text: String| Secret {
        metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
        string_data: Some([("text".to_owned(), text)].into()),
        ..Secret::default()
    };
    for name in ["one", "two"] {
        scratch.secrets().create(&PostParams::default(), &secret(name, String::new()))?;
    }
    let first = scratch.secrets().list(&ListParams::default().limit(1))?;
    let Some(token) = first.metadata.continue_ else { return fail("the first page has no token") };
    until_forgotten(suite, "expired-list", |turn| {
        scratch.secrets().replace("one", &PostParams::default(), &secret("one", load(turn)))?;
        scratch.secrets().list(&ListParams::default().limit(1).continue_token(&token))?;
        Ok(None)
    })
}

/// Tries until it is a 410: refused as one, or told by an event whose code and reason the attempt returns.
fn until_forgotten(
    suite: &Suite,
    case: &str,
    mut attempt: impl FnMut(u64) -> tidegate::Result<Option<(u16, String)>>,
) -> Verdict {
    let end = tidegate::after(suite.expire_within);
    let mut turn = 0;
    while !end.ready() {
        let told = match attempt(turn) {
            Err(error) if error.status().is_some_and(|status| status.code == 410) => {
                error.status().map(|status| (status.code, status.reason.clone()))
            }
            told => told?,
        };
        if told.is_some() {
            return same("code and reason", told, Some((410, "Expired".to_owned())));
        }
        if turn == 0 {
            println!("note {case}: waiting until the server has forgotten its history");
        }
        tidegate::sleep(Duration::from_millis(50));
        turn += 1;
    }
    fail(format!("no 410 within {} s and {turn} writes", suite.expire_within.as_secs()))
}

fn load(turn: u64) -> String {
    format!("{turn} {}", "z".repeat(LOAD))
}
