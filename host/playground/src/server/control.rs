//! `/playground/…`: what a test or a benchmark does to the server rather than through it. Needs the token.

use http::Method;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::Shared;
use crate::api::Request;
use crate::api::status::{Answer, Failure};
use crate::world::seed;

/// The most objects or events that one call makes.
const MOST: i64 = 2_000_000;

/// `compact`, `seed` and `events`; see `docs/playground.md`.
pub(super) fn answer(shared: &Shared, request: &Request) -> Answer<Value> {
    if request.method != Method::POST {
        return Err(Failure::method_not_allowed());
    }
    let number = |name: &str, absent: i64| -> Answer<usize> {
        let value = request.query.number(name)?.unwrap_or(absent).clamp(0, MOST);
        Ok(usize::try_from(value).unwrap_or(0))
    };
    let namespace = request.query.get("namespace").unwrap_or("default");
    match request.path.as_str() {
        "/playground/compact" => {
            let asked = request.query.number("revision")?.and_then(|asked| u64::try_from(asked).ok());
            Ok(shared.with(|state| {
                let revision = asked.unwrap_or(u64::MAX).min(state.store.revision());
                state.store.compact(revision);
                json!({"compacted": revision, "resourceVersion": state.store.revision().to_string()})
            }))
        }
        "/playground/seed" => {
            let (pods, size) = (number("pods", 1)?, number("size", 0)?);
            Ok(shared.with(|state| {
                seed::pods(state, namespace, pods, size, OffsetDateTime::now_utc());
                json!({"pods": pods, "resourceVersion": state.store.revision().to_string()})
            }))
        }
        "/playground/events" => {
            let count = number("count", 1)?;
            Ok(shared.with(|state| {
                let from = state.store.revision();
                let made = seed::events(state, count);
                json!({"events": made, "from": from.to_string(), "resourceVersion": state.store.revision().to_string()})
            }))
        }
        _ => Err(Failure::no_such_resource()),
    }
}
