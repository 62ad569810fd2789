//! The first guest, kept as a binary: it touches every function of `tidegate:host@0.1.0`, without the SDK. See README.md.

mod wit {
    #![allow(missing_docs, unreachable_pub, clippy::all)]
    wit_bindgen::generate!({ world: "tidegate:host/imports", path: "../../../wit", generate_all });
    pub(crate) use self::tidegate::host::{client, detect, permissions, poll, types};
}

use wit::client::Client;
use wit::types::{Error, EventType, Method, Request, Response};
use wit::{detect, permissions, poll};

const SECOND: u64 = 1_000_000_000;

fn main() {
    let namespace = std::env::args().nth(1).unwrap_or_else(|| "default".to_owned());
    let client = detection();
    let path = format!("/api/v1/namespaces/{namespace}/configmaps");
    pods(&client, &namespace);
    writing(&client, &path);
    requests(&client, &path);
    streams(&client, &path);
    errors(&client, &path);
    waiting();
    println!("all as it was");
}

/// Ends the program with a line that says what is not as it was.
fn must(what: &str, it: bool) {
    if !it {
        println!("BROKEN: {what}");
        std::process::exit(1);
    }
    println!("{what}");
}

fn worked<T>(what: &str, got: Result<T, Error>) -> T {
    match got {
        Ok(it) => {
            println!("{what}");
            it
        }
        Err(error) => {
            println!("BROKEN: {what}: {}: {}", error.code(), error.message());
            std::process::exit(1);
        }
    }
}

fn failed<T>(what: &str, got: Result<T, Error>, code: &str) -> Error {
    match got {
        Err(error) if error.code() == code => {
            println!("{what}");
            error
        }
        Err(error) => {
            println!("BROKEN: {what}: {}: {}, want {code}", error.code(), error.message());
            std::process::exit(1);
        }
        Ok(_) => {
            println!("BROKEN: {what}: it worked, want {code}");
            std::process::exit(1);
        }
    }
}

fn get(path: &str) -> Request {
    Request::new(Method::Get, path)
}

fn detection() -> Client {
    let detected = worked("auto-detect-client", detect::auto_detect_client());
    for failure in &detected.failures {
        println!("  {} {}: {} {:?}", failure.transport, failure.reason, failure.detail, failure.missing);
    }
    let client = detected.client;
    println!("kind {}, namespace {:?}", client.kind(), client.default_namespace());
    must("no client supports what nobody has heard of", !client.supports("unheard-of"));
    println!("supports head: {}", client.supports("head"));
    // Which of these work is the host's business; that they answer is ours.
    for (what, got) in [
        ("in-cluster", detect::in_cluster()),
        ("read-kube-config", detect::read_kube_config(None, None)),
        ("for-kube-config", detect::for_kube_config("kind: Config\napiVersion: v1\n", Some("none"))),
        ("kubectl-proxy", detect::kubectl_proxy(None)),
        ("kubectl-raw", detect::kubectl_raw(None)),
    ] {
        match got {
            Ok(client) => println!("{what}: {}", client.kind()),
            Err(error) => println!("{what}: {} {:?}", error.code(), error.missing()),
        }
    }
    println!("permissions: net {}", permissions::query("net", None));
    must("an unknown kind is denied", permissions::query("unheard-of", Some("x")) == "denied");
    client
}

fn pods(client: &Client, namespace: &str) {
    let request = get(&format!("/api/v1/namespaces/{namespace}/pods"));
    request.add_query("limit", "5");
    let response = worked("list of pods", client.send(request));
    must("code 200", response.code() == 200);
    must(
        "it has a media type",
        response.content_type().is_some_and(|text| text.starts_with("application/json")),
    );
    must("no warnings", response.warnings().is_empty());
    must("a PodList", worked("json", response.json()).contains("\"PodList\""));
}

const OBJECT: &str = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"generateName":"first-","labels":{"kept":"first"}},"data":{"a":"b"}}"#;

/// Makes two objects: with a whole body, and with one written piece by piece where the transport can.
fn writing(client: &Client, path: &str) {
    let request = Request::new(Method::Post, path);
    request.set_content_type("application/json");
    request.set_accept("application/json");
    request.set_deadline(30 * SECOND);
    request.set_idle_deadline(30 * SECOND);
    request.set_body(OBJECT.as_bytes());
    let made = worked("create", client.send(request));
    must("an object", worked("bytes", made.bytes()).starts_with(b"{"));

    if !client.supports("stream-body") {
        println!("no stream-body");
        return;
    }
    let request = Request::new(Method::Post, path);
    let body = worked("stream-body", request.stream_body());
    failed("stream-body twice", request.stream_body(), "closed");
    let pending = worked("start", client.start(request));
    let (first, rest) = OBJECT.as_bytes().split_at(20);
    worked("write", body.write(first));
    let mut rest = rest;
    while !rest.is_empty() {
        body.subscribe().block();
        let taken = worked("try-write", body.try_write(rest));
        rest = &rest[taken as usize..];
    }
    worked("finish", body.finish());
    must("created", worked("take", pending.take()).code() / 100 == 2);
}

fn requests(client: &Client, path: &str) {
    let (one, two) = (worked("start", client.start(get(path))), worked("start", client.start(get(path))));
    let (first, second) = (one.subscribe(), two.subscribe());
    while !(first.ready() && second.ready()) {
        let ready = poll::poll(&[&first, &second]);
        must("poll returns what is ready", !ready.is_empty());
        if !first.ready() {
            first.block();
        }
        if !second.ready() {
            second.block();
        }
    }
    let Some(taken) = one.try_take() else { return must("try-take when ready", false) };
    worked("try-take", taken);
    let second_time = one.take();
    failed("take after it", second_time, "closed");
    drop(two);
}

fn streams(client: &Client, path: &str) {
    let bytes = worked("open-bytes", client.open_bytes(get(path)));
    bytes.subscribe().block();
    let mut length = match bytes.try_next() {
        Some(piece) => worked("try-next", piece).map_or(0, |piece| piece.len()),
        None => 0,
    };
    while let Some(piece) = worked("next", bytes.next()) {
        length += piece.len();
    }
    must("bytes came", length > 100);

    let lines = worked("open-lines", client.open_lines(watch(path)));
    lines.subscribe().block();
    must("a line that is there", matches!(lines.try_next(), Some(Ok(Some(ref some))) if !some.is_empty()));
    drop(lines);
    let lines = worked("line-stream", respond(client, path).line_stream());
    must("a line", worked("next", lines.next()).is_some_and(|some| some[0].starts_with(b"{")));

    let json = worked("open-json", client.open_json(watch(path)));
    json.subscribe().block();
    must("a document that is there", matches!(json.try_next(), Some(Ok(Some(ref some))) if !some.is_empty()));
    let json = worked("json-stream", respond(client, path).json_stream());
    must("a document", worked("next", json.next()).is_some_and(|some| some[0].starts_with('{')));

    let events = worked("open-events", client.open_events(watch(path)));
    events.subscribe().block();
    must("an event that is there", matches!(events.try_next(), Some(Ok(Some(ref some))) if !some.is_empty()));
    let events = worked("event-stream", respond(client, path).event_stream());
    let batch = worked("next", events.next()).unwrap_or_default();
    must("it is ADDED", batch.first().is_some_and(|event| event.event_type == EventType::Added));
    must("with its object", batch[0].object.starts_with(b"{"));

    let bytes = worked("byte-stream", respond(client, path).byte_stream());
    must("a piece", worked("next", bytes.next()).is_some());
}

/// What was made above is there already: the watch begins with it.
fn watch(path: &str) -> Request {
    let request = get(path);
    for (name, value) in [
        ("watch", "true"),
        ("labelSelector", "kept=first"),
        ("resourceVersion", "0"),
        ("timeoutSeconds", "20"),
    ] {
        request.add_query(name, value);
    }
    request
}

fn respond(client: &Client, path: &str) -> Response {
    worked("send", client.send(watch(path)))
}

fn errors(client: &Client, path: &str) {
    let error = failed("not found", client.send(get(&format!("{path}/nobody"))), "status");
    let Some(status) = error.status() else { return must("a status", false) };
    must("404", status.code == 404 && status.reason == "NotFound");
    must("what was not found", status.message.contains("nobody"));
    println!("details {}", status.details);
    must("a message", !error.message().is_empty());
    must("nothing is missing", error.missing().is_empty() && error.failures().is_empty());
    failed("a path that leads elsewhere", client.start(get("/api/../x")), "invalid-request");

    let deletion = Request::new(Method::Delete, path);
    deletion.add_query("labelSelector", "kept=first");
    worked("delete what was made", client.send(deletion));
    for (method, code) in [(Method::Put, "status"), (Method::Patch, "status")] {
        let request = Request::new(method, &format!("{path}/nobody"));
        let named = OBJECT.replace("\"generateName\":\"first-\"", "\"name\":\"other\"");
        request.set_content_type(if method == Method::Patch {
            "application/merge-patch+json"
        } else {
            "application/json"
        });
        request.set_body(named.as_bytes());
        failed("a name that is not the path's, or not there", client.send(request), code);
    }
    for (method, feature) in [(Method::Head, "head"), (Method::Options, "options")] {
        match client.send(Request::new(method, path)) {
            Ok(response) => println!("{feature}: {}", response.code()),
            Err(error) => {
                let code = error.code();
                must(
                    feature,
                    if client.supports(feature) { code == "status" } else { code == "unsupported" },
                );
            }
        }
    }
}

fn waiting() {
    let (soon, later) = (poll::after(1_000_000), poll::after(3600 * SECOND));
    must("time passes", poll::poll(&[&later, &soon]) == [1]);
    must("and stays so", soon.ready() && !later.ready());
    must("poll of nothing returns", poll::poll(&[]).is_empty());
}
