//! Requests and bodies as they are: streams, several in flight, bodies written piece by piece, HEAD and OPTIONS, warnings.

use std::io::{BufRead, Read};
use std::task::Poll;
use std::time::Duration;

use serde_json::{Value, json};
use tidegate::kube_core::DynamicObject;
use tidegate::prelude::*;
use tidegate::{EventType, Method, Pending};

use crate::custom::Kind;
use crate::suite::{
    OURS, PATIENCE, Scratch, Stop, Suite, Verdict, fail, holds, map, ours, same, value, version,
};

pub(crate) fn bytes(suite: &Suite) -> Verdict {
    let scratch = suite.namespace("bytes")?;
    let mut big = map("one", &"x".repeat(600 << 10));
    big.labels_mut().insert("big".to_owned(), "yes".to_owned());
    scratch.maps().create(&PostParams::default(), &big)?;
    let one = || Request::get(format!("{}/one", scratch.path()));
    let whole = suite.client.send(one())?.bytes()?;
    let mut pieces = Vec::new();
    for piece in suite.client.open_bytes(one())? {
        let piece = piece?;
        holds("a piece is 1 byte to 256 KiB", (1..=256 << 10).contains(&piece.len()))?;
        pieces.extend(piece);
    }
    holds("the pieces are the whole", pieces == whole)?;
    let mut read = Vec::new();
    let mut reader = suite.client.send(one())?.byte_stream()?.reader();
    let head = reader.fill_buf().map_err(tidegate::Error::from)?.first().copied();
    same("first byte", head, Some(b'{'))?;
    reader.read_to_end(&mut read).map_err(tidegate::Error::from)?;
    holds("what was read is the whole", read == whole)?;
    let text = suite.client.send(one())?.json_text()?;
    holds("and as JSON text", text.as_bytes() == whole)
}

pub(crate) fn lines(suite: &Suite) -> Verdict {
    let (scratch, watch) = quiet_watch(suite, "lines")?;
    let mut lines = suite.client.open_lines(watch)?;
    holds("nothing yet", lines.try_next().is_pending())?;
    let ready = lines.subscribe();
    scratch.make("one")?;
    ready.block();
    let Poll::Ready(Some(line)) = lines.try_next() else { return fail("ready, but there is nothing") };
    let line = line?;
    holds("no line end", !line.ends_with(b"\n") && !line.ends_with(b"\r"))?;
    let event: Value = serde_json::from_slice(&line).map_err(tidegate::Error::from)?;
    same("type", &event["type"], "ADDED")?;
    // The body of an object ends without a line end on some transports: it is delivered all the same.
    let whole = suite.client.open_lines(Request::get(format!("{}/one", scratch.path())))?;
    let text: Vec<String> = whole.text().collect::<tidegate::Result<_>>()?;
    let one: Value = serde_json::from_str(&text.join("\n")).map_err(tidegate::Error::from)?;
    same("an object in lines", &one["metadata"]["name"], "one")
}

pub(crate) fn json_lines(suite: &Suite) -> Verdict {
    let (scratch, watch) = quiet_watch(suite, "json-lines")?;
    let documents = suite.client.open_json(watch.clone())?;
    let mut events = suite.client.open_events(watch)?;
    scratch.make("one")?;
    scratch.make("two")?;
    for (name, event) in ["one", "two"].iter().zip(documents.decode::<Value>()) {
        let event = event?;
        same(
            "document",
            json!([event["type"], event["object"]["metadata"]["name"]]),
            json!(["ADDED", name]),
        )?;
    }
    for name in ["one", "two"] {
        let Some(event) = events.next().transpose()? else { return fail("the watch ended") };
        same("type", event.event_type, EventType::Added)?;
        same("object", &event.json::<Value>()?["metadata"]["name"], name)?;
    }
    Ok(())
}

pub(crate) fn in_flight(suite: &Suite) -> Verdict {
    let scratch = suite.namespace("in-flight")?;
    for index in 0..4 {
        scratch.make(&format!("m{index}"))?;
    }
    let start = |index: usize| suite.client.start(Request::get(format!("{}/m{index}", scratch.path())));
    let mut waiting: Vec<(usize, Pending)> = Vec::new();
    for index in 0..5 {
        // The fifth is not there: its refusal comes with its own response.
        waiting.push((index, start(index)?));
    }
    let end = tidegate::after(PATIENCE);
    let mut missing = 0;
    while !waiting.is_empty() {
        holds("all answered in 30 s", !end.ready())?;
        let pollables: Vec<_> = waiting.iter().map(|(_, pending)| pending.subscribe()).collect();
        let ready = tidegate::poll(&pollables.iter().collect::<Vec<_>>());
        holds("poll returns what is ready, in order", !ready.is_empty() && ready.is_sorted())?;
        for at in ready.into_iter().rev() {
            let (index, mut pending) = waiting.remove(at);
            let Poll::Ready(taken) = pending.try_take() else { return fail("ready, but there is nothing") };
            match taken {
                Ok(response) => {
                    let object: Value = response.json()?;
                    same("name", &object["metadata"]["name"], format!("m{index}").as_str())?;
                }
                Err(error) if index == 4 && error.is_not_found() => missing += 1,
                Err(error) => return Err(error.into()),
            }
            match pending.try_take() {
                Poll::Ready(Err(error)) => same("a second time", error.code(), "closed")?,
                _ => return fail("a response was taken twice"),
            }
        }
    }
    same("missing", missing, 1)?;
    holds("poll of nothing returns", tidegate::poll(&[]).is_empty())
}

pub(crate) fn drop_cancels(suite: &Suite) -> Verdict {
    let (scratch, watch) = quiet_watch(suite, "drop-cancels")?;
    // Started and dropped at once, waited for, or read a little: none of it may hold up what follows.
    drop(suite.client.start(watch.clone())?);
    let orphan = suite.client.start(watch.clone())?.subscribe();
    orphan.block();
    let mut events = suite.client.open_events(watch.clone())?;
    let quiet = events.subscribe();
    scratch.make("one")?;
    holds("an event", events.next().is_some())?;
    drop(events);
    quiet.block();
    for _ in 0..20 {
        drop(suite.client.open_lines(watch.clone())?);
    }
    let brief = tidegate::after(Duration::from_millis(1));
    brief.block();
    holds("a moment that has passed stays so", brief.ready())?;
    same("the client works", scratch.maps().list(&ours())?.items.len(), 1)
}

pub(crate) fn stream_body(suite: &Suite) -> Verdict {
    suite.needs("stream-body")?;
    let scratch = suite.namespace("stream-body")?;
    let text = serde_json::to_vec(&map("one", &"y".repeat(500 << 10))).map_err(tidegate::Error::from)?;
    let (mut body, pending) = suite.client.start_streaming(Request::post(scratch.path()))?;
    let (first, rest) = text.split_at(1000);
    body.write(first)?;
    let mut rest = rest;
    while !rest.is_empty() {
        let taken = body.try_write(&rest[..rest.len().min(70_000)])?;
        rest = &rest[taken..];
        if taken == 0 {
            body.subscribe().block();
        }
    }
    holds("no response before the end", !pending.subscribe().ready())?;
    body.finish()?;
    let made: Value = pending.take()?.json()?;
    same("what was made", &made["metadata"]["name"], "one")?;
    same("all of it", value(&scratch.maps().get("one")?).map(str::len), Some(500 << 10))
}

pub(crate) fn stream_body_dropped(suite: &Suite) -> Verdict {
    suite.needs("stream-body")?;
    let scratch = suite.namespace("stream-body-dropped")?;
    let text = serde_json::to_vec(&map("one", "1")).map_err(tidegate::Error::from)?;
    let (mut body, pending) = suite.client.start_streaming(Request::post(scratch.path()))?;
    // A whole document, but nobody said that it is whole.
    body.write(&text)?;
    drop(body);
    match pending.take() {
        Ok(_) => return fail("a body that was not finished was accepted"),
        Err(error) => holds("the request is cancelled, not refused by the server", error.status().is_none())?,
    }
    same("nothing was made", scratch.maps().list(&ours())?.items.len(), 0)
}

pub(crate) fn head(suite: &Suite) -> Verdict {
    suite.needs("head")?;
    answered(suite, Method::Head)
}

pub(crate) fn options(suite: &Suite) -> Verdict {
    suite.needs("options")?;
    answered(suite, Method::Options)
}

/// API servers do not serve these on resources; what matters is that the method arrives and that its answer, which for HEAD has no body,
/// is understood.
fn answered(suite: &Suite, method: Method) -> Verdict {
    match suite.client.send(Request::new(method, "/api/v1/namespaces/default")) {
        Ok(response) if method == Method::Head => holds("it has no body", response.bytes()?.is_empty()),
        Ok(_) => Ok(()),
        Err(error) => {
            let Some(status) = error.status() else { return Err(Stop::from(error)) };
            same("code and reason", (status.code, status.reason.as_str()), (405, "MethodNotAllowed"))
        }
    }
}

pub(crate) fn warnings(suite: &Suite) -> Verdict {
    suite.needs("warnings")?;
    let scratch = suite.namespace("warnings")?;
    // A kind whose schema is known to be that of any server.
    let kind = Kind::create(suite, "Gadget")?;
    let path = Api::<DynamicObject>::namespaced_with(suite.client.clone(), &scratch.name, &kind.resource);
    let odd =
        DynamicObject::new("one", &kind.resource).data(json!({ "spec": { "size": 1, "unheard": "of" } }));
    let request = Request::post(path.resource_url()).query("fieldValidation", "Warn").json(&odd)?;
    let response = suite.client.send(request)?;
    // 201 and a media type, but for KubectlRaw, which sees neither.
    holds("a code of success", matches!(response.code(), 200 | 201))?;
    let media_type = response.content_type();
    holds("JSON", media_type.is_none_or(|media_type| media_type.starts_with("application/json")))?;
    same("warnings", response.warnings(), ["unknown field \"spec.unheard\""])
}

/// A namespace, and a request that watches it from now on.
fn quiet_watch(suite: &Suite, case: &str) -> Verdict<(Scratch, Request)> {
    let scratch = suite.namespace(case)?;
    let start = version(scratch.maps().list(&ours())?.metadata.resource_version)?;
    let request = Request::get(scratch.path())
        .query("watch", "true")
        .query("labelSelector", OURS)
        .query("resourceVersion", start)
        .query("timeoutSeconds", "60");
    Ok((scratch, request))
}
