//! Requests with all that a guest may say of them, and all that can come of them.
//!
//! ```text
//! requests methods | bodies | results | pending | deadlines | refused | redirected | unsupported | hold | tunnel NAMESPACE POD | real NAMESPACE
//! ```
//!
//! Through whatever transport it is given. A line for each thing that it tried: what came, or `error CODE`. `hold` waits for a line of
//! standard input after each line that it prints.

use std::fmt::Display;
use std::task::Poll;
use std::time::Duration;

use tidegate::{AttachParams, Client, Error, Method, Pending, Request, Response, Result};

const METHODS: [(&str, Method); 7] = [
    ("GET", Method::Get),
    ("POST", Method::Post),
    ("PUT", Method::Put),
    ("PATCH", Method::Patch),
    ("DELETE", Method::Delete),
    ("OPTIONS", Method::Options),
    ("HEAD", Method::Head),
];

const FEATURES: [&str; 12] = [
    "accept",
    "content-type",
    "head",
    "options",
    "stream-body",
    "status-details",
    "warnings",
    "exec",
    "terminal",
    "attach",
    "port-forward",
    "telepathy",
];

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let client = tidegate::auto_detect_client()?;
    match arguments[..] {
        ["methods"] => methods(&client),
        ["bodies"] => bodies(&client)?,
        ["results"] => results(&client)?,
        ["pending"] => pending(&client)?,
        ["deadlines"] => deadlines(&client)?,
        ["refused"] => refused(&client),
        ["redirected"] => redirected(&client),
        ["unsupported"] => unsupported(&client),
        ["hold"] => hold(&client)?,
        ["tunnel", namespace, pod] => tunnel(&client, namespace, pod),
        ["real", namespace] => real(&client, namespace)?,
        _ => return Err(Error::other("what?")),
    }
    Ok(())
}

fn say(what: impl Display, came: Result<impl Display>) {
    match came {
        Ok(came) => println!("{what}: {came}"),
        Err(error) => println!("{what}: {}", told(&error)),
    }
}

fn told(error: &Error) -> String {
    match error.status() {
        Some(status) => format!("error {} {} {}", error.code(), status.code, status.reason),
        None => format!("error {}", error.code()),
    }
}

/// Code, media type, warnings and body.
fn whole(response: Response) -> Result<String> {
    let (code, media_type, warnings) = (response.code(), response.content_type(), response.warnings());
    let body = response.bytes()?;
    Ok(format!("{code} {} {warnings:?} {}", media_type.unwrap_or_default(), String::from_utf8_lossy(&body)))
}

/// Every method with all that it can have.
fn methods(client: &Client) {
    for (name, method) in METHODS {
        let request = Request::new(method, "/things?at=1&flag")
            .query("name", "a b&c=d/é")
            .query("name", "+")
            .accept("application/json;as=Table")
            .deadline(Duration::from_secs(30));
        let request = match name {
            "POST" | "PUT" | "PATCH" | "DELETE" => {
                request.content_type("application/x-things").body(format!("body of {name}"))
            }
            _ => request,
        };
        say(name, client.send(request).and_then(whole));
    }
    say("a query that ends in &", client.send(Request::get("/things?a=1&").query("b", "2")).and_then(whole));
    say("an empty query", client.send(Request::get("/things?").query("b", "2")).and_then(whole));
}

fn every_byte() -> Vec<u8> {
    (0..=255).collect()
}

/// As bytes, and as a stream.
fn bodies(client: &Client) -> Result<()> {
    let post = || Request::post("/bodies").content_type("application/octet-stream");
    say("whole", client.send(post().body(every_byte())).and_then(whole));
    say("empty", client.send(post().body("")).and_then(whole));
    say("none", client.send(post()).and_then(whole));

    let (mut body, pending) = client.start_streaming(post())?;
    body.write(&every_byte())?;
    let big = vec![b'x'; 300_000];
    let mut rest = &big[..];
    while !rest.is_empty() {
        let taken = body.try_write(rest)?;
        rest = &rest[taken..];
        if taken == 0 {
            body.subscribe().block();
        }
    }
    body.write(&every_byte())?;
    println!("before the end: {}", pending.subscribe().ready());
    body.finish()?;
    say("streamed", pending.take().and_then(whole));

    let (mut body, pending) = client.start_streaming(post())?;
    body.write(b"half of it")?;
    drop(body);
    say("not finished", pending.take().and_then(whole));
    Ok(())
}

/// The same body, taken in each way.
fn results(client: &Client) -> Result<()> {
    let get = || Request::get("/events");
    say("bytes", client.send(get())?.bytes().map(|bytes| bytes.len()));
    say("text", client.send(get())?.text().map(|text| text.len()));
    say("json", client.send(Request::get("/json"))?.json_text());
    say("no json", client.send(get())?.json_text());
    let mut all = Vec::new();
    for piece in client.open_bytes(get())? {
        all.extend(piece?);
    }
    println!("byte stream: {}", all.len());
    for line in client.open_lines(get())? {
        println!("line: {}", String::from_utf8_lossy(&line?));
    }
    for document in client.open_json(get())? {
        println!("json stream: {}", document?);
    }
    for event in client.open_events(get())? {
        let event = event?;
        println!("event: {:?} {}", event.event_type, String::from_utf8_lossy(&event.object));
    }
    say("a status", client.send(Request::get("/missing")).and_then(whole));
    Ok(())
}

/// Waited for, and polled.
fn pending(client: &Client) -> Result<()> {
    let start = || client.start(Request::get("/slow"));
    say("waited for", start()?.take().and_then(whole));
    let mut polled = start()?;
    println!("at once: {}", polled.try_take().is_pending());
    polled.subscribe().block();
    let Poll::Ready(response) = polled.try_take() else {
        return Err(Error::other("ready, and nothing there"));
    };
    say("polled", response.and_then(whole));
    match polled.try_take() {
        Poll::Ready(again) => say("again", again.and_then(whole)),
        Poll::Pending => println!("again: pending"),
    }
    // Several in flight, each with its own answer.
    let flights: Vec<Pending> =
        (0..4).map(|n| client.start(Request::get(format!("/slow?{n}")))).collect::<Result<_>>()?;
    for flight in flights.into_iter().rev() {
        say("one of four", flight.take().and_then(whole));
    }
    Ok(())
}

fn deadlines(client: &Client) -> Result<()> {
    let soon = Duration::from_millis(400);
    say("a head", client.send(Request::get("/never").deadline(soon)).and_then(whole));
    say("a body", client.send(Request::get("/half").deadline(soon)).and_then(whole));
    let silent = client.open_lines(Request::get("/half").idle_deadline(soon))?;
    say("a silence", silent.collect::<Result<Vec<_>>>().map(|lines| lines.len()));
    for deadline in [Duration::ZERO, Duration::from_secs(86_401)] {
        say(format!("{deadline:?}"), client.send(Request::get("/things").deadline(deadline)).and_then(whole));
    }
    Ok(())
}

/// In flight, and dropped.
fn hold(client: &Client) -> Result<()> {
    let step = |what: &str| -> Result<()> {
        println!("{what}");
        std::io::stdin().read_line(&mut String::new())?;
        Ok(())
    };
    let waiting = client.start(Request::get("/never"))?;
    step("a request")?;
    drop(waiting);
    step("dropped")?;
    let (mut body, waiting) = client.start_streaming(Request::post("/never"))?;
    body.write(b"begun")?;
    step("a body")?;
    drop(waiting);
    step("dropped")?;
    drop(body);
    let response = client.send(Request::get("/half"))?;
    step("a response")?;
    drop(response);
    step("dropped")?;
    let mut lines = client.open_lines(Request::get("/half"))?;
    lines.next().transpose()?;
    step("a stream")?;
    drop(lines);
    step("dropped")
}

/// What no guest may say.
fn refused(client: &Client) {
    let paths = [
        "/api/v1/../../metrics",
        "/api/v1/..",
        "/..",
        "/./api",
        "/api/%2e%2e/metrics",
        "/api/%2E%2E/metrics",
        "/api/%2e./metrics",
        "/api/.%2E",
        "/api/..%2fmetrics",
        "/api%5c..%5cmetrics",
        "/api\\..\\metrics",
        "//other.example/api",
        "https://other.example/api",
        "@other.example/",
        "",
        "/api#fragment",
        "/api v1",
        "/api\tv1",
        "/api\r\nAuthorization: Bearer x",
        "/api HTTP/1.1\r\nHost: other.example\r\n\r\nGET /",
        "/api\nX: y",
        "/api\0",
        "/api\u{1b}[2J",
        "/api\u{7f}",
        "/api\u{85}",
        "/api?x=\r\nX: y",
        "/api?x=\0",
        "/api/%0d%0aX:y",
        "/api/%00",
        "/api/%zz",
        "/api/%ff",
    ];
    for (name, method) in METHODS {
        for path in paths {
            say(format!("{name} {path:?}"), client.start(Request::new(method, path)).map(|_| "started"));
        }
    }
    for value in ["a/b\r\nX-More: yes", "a/b\nX: y", "a/b\r", "\0", "\u{7f}", "a/b\u{e9}", "\t", ""] {
        let (accept, post) = (Request::get("/x").accept(value), Request::post("/x").body("{}"));
        say(format!("accept {value:?}"), client.start(accept).map(|_| "started"));
        say(format!("content type {value:?}"), client.start(post.content_type(value)).map(|_| "started"));
    }
    say("a pair without a name", client.start(Request::get("/x").query("", "y")).map(|_| "started"));
    for method in [Method::Get, Method::Head, Method::Options] {
        say("a body", client.start(Request::new(method, "/x").body("{}")).map(|_| "started"));
    }
    let params = AttachParams::default();
    for name in ["..", ".", "a/b", "a/../b", "a\r\nX: y", "a\n", "a\0", "a\u{1b}[2J", "a\\b", ""] {
        say(format!("exec in {name:?}"), client.exec(None, name, ["ls"], &params).map(|_| "opened"));
        say(format!("exec of {name:?}"), client.exec(Some(name), "pod", ["ls"], &params).map(|_| "opened"));
        say(format!("attach to {name:?}"), client.attach(None, name, &params).map(|_| "opened"));
    }
}

fn redirected(client: &Client) {
    for (name, method) in METHODS {
        say(name, client.send(Request::new(method, "/moved")).and_then(whole));
    }
    say("exec", client.exec(None, "moved", ["ls"], &AttachParams::default()).map(|_| "opened"));
}

/// What a transport says that it can do, and what comes of what it says that it cannot.
fn unsupported(client: &Client) {
    for feature in FEATURES {
        println!("supports {feature}: {}", client.supports(feature));
    }
    let path = "/api/v1/namespaces/default";
    let (get, post) = (|| Request::get(path), || Request::post(path).body("x"));
    for (what, request) in [
        ("accept", get().accept("application/json;as=Table;g=meta.k8s.io;v=v1")),
        ("accept", get().accept("application/vnd.kubernetes.protobuf")),
        ("content-type", post().content_type("application/yaml")),
        ("content-type", Request::put(path).body("x").content_type("application/cbor")),
        ("content-type", Request::patch(path).body("x").content_type("application/apply-patch+cbor")),
        ("head", Request::new(Method::Head, path)),
        ("options", Request::new(Method::Options, path)),
    ] {
        say(what, client.send(request).and_then(whole));
    }
    let params = AttachParams::default();
    say("terminal", client.exec(None, "pod", ["ls"], &AttachParams::interactive_tty()).map(|_| "opened"));
    say("attach", client.attach(None, "pod", &params).map(|_| "opened"));
    say("port-forward", client.forward(None, "pod", 80).map(|_| "opened"));
}

fn tunnel(client: &Client, namespace: &str, pod: &str) {
    let params = AttachParams::default().stdin(true).container("web");
    let output = client
        .exec(Some(namespace), pod, ["sh", "-c", "cat; echo err >&2; exit 7"], &params)
        .and_then(|process| process.output(b"through \r\n the tunnel"));
    say(
        "tunnel",
        output.map(|output| {
            let text = |bytes: &[u8]| format!("{:?}", String::from_utf8_lossy(bytes));
            format!("{} {} {}", output.code, text(&output.stdout), text(&output.stderr))
        }),
    );
}

/// A life of an object, on a server that knows what it is.
fn real(client: &Client, namespace: &str) -> Result<()> {
    let all = format!("/api/v1/namespaces/{namespace}/configmaps");
    let one = format!("{all}/one");
    let map = |value: &str| {
        format!(r#"{{"metadata":{{"name":"one","labels":{{"a":"b"}}}},"data":{{"value":"{value}"}}}}"#)
    };
    let code = |sent: Result<Response>| sent.map(|response| response.code());
    let (mut body, pending) = client.start_streaming(Request::post(&*all))?;
    let text = map("first");
    let (begin, end) = text.as_bytes().split_at(20);
    body.write(begin)?;
    body.write(end)?;
    body.finish()?;
    let made = pending.take()?;
    println!("POST: {} {}", made.code(), made.content_type().unwrap_or_default());
    say("GET", code(client.send(Request::get(&*one))));
    let listed = Request::get(format!("{all}?limit=5")).query("labelSelector", "a in (b,c)");
    say("GET with a query", client.request_text(listed).map(|text| text.matches("\"first\"").count()));
    let table = Request::get(&*one).accept("application/json;as=Table;g=meta.k8s.io;v=v1");
    say("GET of a table", client.request_text(table).map(|text| text.contains("columnDefinitions")));
    say("PUT", code(client.send(Request::put(&*one).body(map("second")))));
    let patch = Request::patch(&*one).content_type("application/merge-patch+json");
    say("PATCH", code(client.send(patch.body(r#"{"data":{"value":"third"}}"#))));
    let odd =
        Request::patch(format!("{one}?fieldValidation=Warn")).content_type("application/merge-patch+json");
    say(
        "PATCH with a warning",
        client.send(odd.body(r#"{"odd":1}"#)).map(|response| response.warnings().join(", ")),
    );
    say("HEAD", code(client.send(Request::new(Method::Head, &*one))));
    say("OPTIONS", code(client.send(Request::new(Method::Options, &*one))));
    let watch = format!("{all}?watch=true&timeoutSeconds=1&fieldSelector=metadata.name%3Done");
    for event in client.open_events(Request::get(&*watch))? {
        println!("event: {:?}", event?.event_type);
    }
    say("lines", client.open_json(Request::get(&*watch))?.collect::<Result<Vec<_>>>().map(|all| all.len()));
    drop(client.start(Request::get(&*watch))?);
    let slow = Duration::from_millis(300);
    let endless =
        Request::get(format!("{all}?watch=true&timeoutSeconds=100&resourceVersion=1")).idle_deadline(slow);
    say("a silence", client.open_bytes(endless)?.collect::<Result<Vec<_>>>().map(|all| all.len()));
    say("DELETE", code(client.send(Request::delete(&*one).body(r#"{"gracePeriodSeconds":0}"#))));
    say("GET of what is gone", code(client.send(Request::get(&*one))));
    Ok(())
}
