//! A guest on the bare WIT: what an SDK would never do with handles, it does.
//!
//! ```text
//! handles query KIND VALUE… | body URL MIB | repeat COUNT | poll COUNT | hoard COUNT | misuse URL | drops URL | flight URL | upload URL | read URL STREAM PATH | wait URL |
//! hold URL [STREAM] | close URL | forge URL HANDLE | refused
//! ```
//!
//! `URL` is that of a `kubectl proxy`, or `raw` for the `kubectl` program. After each line that `hold` and `close` print they wait for a
//! line of standard input.

#[allow(missing_docs, unreachable_pub, clippy::all)]
mod wit {
    wit_bindgen::generate!({ world: "tidegate:host/imports", path: "../../../wit", generate_all });
}

use wit::tidegate::host::client::Client;
use wit::tidegate::host::lists::ListOptions;
use wit::tidegate::host::types::{Error, Method, Request, WatchEvent};
use wit::tidegate::host::{detect, permissions, poll, watches};

const HOUR: u64 = 3_600_000_000_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["query", kind, ref values @ ..] => {
            for value in values {
                println!("{value} {}", permissions::query(kind, Some(value)));
            }
        }
        ["poll", count] => wait_for_half_of(count.parse().unwrap()),
        ["repeat", count] => repeat(count.parse().unwrap()),
        ["body", url, mebibytes] => body(&client(url), mebibytes.parse().unwrap()),
        ["hoard", count] => hoard(count.parse().unwrap()),
        ["misuse", url] => misuse(&client(url)),
        ["drops", url] => drop_in_any_order(&client(url)),
        ["flight", url] => flight(&client(url)),
        ["upload", url] => upload(&client(url)),
        ["wait", url, ..] => wait(&client(url)),
        ["hold", url] => hold(&client(url), "bytes"),
        ["hold", url, stream] => hold(&client(url), stream),
        ["close", url] => close(url),
        ["forge", url, handle] => forge(url, handle),
        ["read", url, stream, path] => read(&client(url), stream, path),
        ["refused"] => refused(),
        _ => panic!("what? {arguments:?}"),
    }
}

fn client(url: &str) -> Client {
    let client = if url == "raw" { detect::kubectl_raw(None) } else { detect::kubectl_proxy(Some(url)) };
    client.unwrap_or_else(|error| panic!("{}", shown(&error)))
}

fn get(path: &str) -> Request {
    Request::new(Method::Get, path)
}

fn shown(error: &Error) -> String {
    format!("{}: {}", error.code(), error.message())
}

fn code<T>(result: Result<T, Error>) -> String {
    result.map_or_else(|error| error.code(), |_| "ok".to_owned())
}

fn wait_for_half_of(count: u64) {
    let pollables: Vec<_> =
        (0..count).map(|index| poll::after(if index % 2 == 0 { 0 } else { HOUR })).collect();
    let refs: Vec<_> = pollables.iter().collect();
    // All that are due must be told at once, however many there are.
    poll::after(5_000_000).block();
    println!("{} of {count}", poll::poll(&refs).len());
    println!("{:?} {:?}", poll::poll(&[]), poll::poll(&[refs[0], refs[1], refs[0]]));
}

fn hoard(count: usize) {
    let hoard: Vec<_> = (0..count).map(|_| poll::after(0)).collect();
    println!("{}", hoard.len());
}

/// The same pollable, many times.
fn repeat(count: usize) {
    let due = poll::after(0);
    due.block();
    println!("{}", poll::poll(&vec![&due; count]).len());
}

fn body(client: &Client, mebibytes: usize) {
    let request = Request::new(Method::Post, "/length");
    request.set_body(&vec![b'x'; mebibytes << 20]);
    println!("{}", code(client.send(request)));
}

/// Everything that can be used once, twice.
fn misuse(client: &Client) {
    let pending = client.start(get("/slow")).unwrap();
    println!("early {}", pending.try_take().is_none());
    let response = pending.take().unwrap();
    println!("take {}", code(pending.take()));
    println!("try-take {}", code(pending.try_take().unwrap()));
    println!("bytes {}", code(response.bytes()));
    println!("json {}", code(response.json()));
    println!("stream {}", code(response.event_stream()));
    println!("code {}", response.code());

    let request = Request::new(Method::Post, "/echo");
    let body = request.stream_body().unwrap();
    println!("second body {}", code(request.stream_body()));
    println!("write before start {}", code(body.write(b"x")));
    println!("send {}", code(client.send(request)));
    println!("write after refusal {}", code(body.write(b"x")));

    let request = Request::new(Method::Post, "/echo");
    let body = request.stream_body().unwrap();
    let pending = client.start(request).unwrap();
    println!("finish {} {}", code(body.finish()), code(body.finish()));
    println!("write after finish {}", code(body.write(b"x")));
    println!("empty {:?}", pending.take().unwrap().bytes().unwrap());

    for path in ["api", "/api/../secret", "/api/%2e%2e/secret", "/a\r\nHost: b"] {
        println!("{path:?} {} {}", code(client.start(get(path))), code(client.send(get(path))));
    }
    let get_with_body = get("/api");
    get_with_body.set_body(b"x");
    println!("body of GET {}", code(client.send(get_with_body)));
    println!("supports {} {}", client.supports("stream-body"), client.supports("telepathy"));
}

/// Pollables outlive what they wait for, and become ready when it goes.
fn drop_in_any_order(client: &Client) {
    let pending = client.start(get("/never")).unwrap();
    let waiting = pending.subscribe();
    println!("pending ready {}", waiting.ready());
    drop(pending);
    waiting.block();
    println!("pending gone {}", waiting.ready());

    let stream = client.open_lines(get("/endless")).unwrap();
    let waiting = stream.subscribe();
    waiting.block();
    println!("lines {}", stream.next().unwrap().unwrap().len());
    println!("stream ready {}", waiting.ready());
    drop(stream);
    waiting.block();
    println!("stream gone {}", waiting.ready());

    let request = Request::new(Method::Post, "/echo");
    let body = request.stream_body().unwrap();
    let waiting = body.subscribe();
    let pending = client.start(request).unwrap();
    body.write(b"half a").unwrap();
    drop(body);
    waiting.block();
    println!("half a body {}", code(pending.take().and_then(|response| response.bytes())));
    drop(pending);
    drop(waiting);
}

/// A request goes on while the guest waits for something else.
fn flight(client: &Client) {
    let flights: Vec<_> = (0..8).map(|_| client.start(get("/slow")).unwrap()).collect();
    let waiting: Vec<_> = flights.iter().map(|flight| flight.subscribe()).collect();
    let mut left: Vec<usize> = (0..flights.len()).collect();
    while !left.is_empty() {
        let refs: Vec<_> = left.iter().map(|&index| &waiting[index]).collect();
        let ready = poll::poll(&refs);
        for &at in ready.iter().rev() {
            let index = left.remove(at as usize);
            assert_eq!(flights[index].try_take().unwrap().unwrap().code(), 200);
        }
    }
    println!("landed {}", flights.len());
}

fn upload(client: &Client) {
    let request = Request::new(Method::Post, "/echo");
    request.set_content_type("application/octet-stream");
    let body = request.stream_body().unwrap();
    let pending = client.start(request).unwrap();
    let piece = vec![b'x'; 300_000];
    for _ in 0..10 {
        body.write(&piece).unwrap();
    }
    let mut rest = &piece[..];
    while !rest.is_empty() {
        body.subscribe().block();
        rest = &rest[body.try_write(rest).unwrap() as usize..];
    }
    body.finish().unwrap();
    println!("echoed {}", pending.take().unwrap().bytes().unwrap().len());
}

/// Waits for an hour while a request and a stream are open.
fn wait(client: &Client) {
    let _flight = client.start(get("/never")).unwrap();
    let _stream = client.open_lines(get("/endless")).unwrap();
    poll::after(HOUR).block();
}

/// Reads one batch of what would never end, and once told so some more.
fn hold(client: &Client, stream: &str) {
    fn some<B>(next: impl Fn() -> Result<Option<B>, Error>) {
        let read = || assert!(next().unwrap_or_else(|error| panic!("{}", shown(&error))).is_some());
        read();
        step("holding");
        (0..2000).for_each(|_| read());
        step("read on");
    }
    let (flood, failed) = (get("/flood?watch=true"), |error: Error| panic!("{}", shown(&error)));
    match stream {
        "bytes" => client.open_bytes(flood).map_or_else(failed, |stream| some(|| stream.next())),
        "lines" => client.open_lines(flood).map_or_else(failed, |stream| some(|| stream.next())),
        "json" => client.open_json(flood).map_or_else(failed, |stream| some(|| stream.next())),
        "events" => client.open_events(flood).map_or_else(failed, |stream| some(|| stream.next())),
        other => panic!("what is {other}?"),
    }
}

/// Says what is open now, and waits until somebody has looked.
fn step(what: &str) {
    println!("{what}");
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

/// Opens one thing after the other, and drops it.
fn close(url: &str) {
    let idle = client(url);
    step("a client");
    drop(idle);
    step("nothing");

    let client_of = client(url);
    let stream = client_of.open_lines(get("/endless")).unwrap();
    drop(client_of);
    assert_eq!(stream.next().unwrap().unwrap().len(), 1);
    step("a stream whose client is gone");
    drop(stream);
    step("nothing");

    let client_of = client(url);
    let pending = client_of.start(get("/never")).unwrap();
    drop(client_of);
    assert!(pending.try_take().is_none());
    step("a request whose client is gone");
    drop(pending);
    step("nothing");

    let client_of = client(url);
    let response = client_of.send(get("/endless")).unwrap();
    drop(client_of);
    step("a response that nobody reads");
    drop(response);
    step("nothing");

    let client_of = client(url);
    let watcher = watches::open(&client_of, "/never", ListOptions::new()).unwrap();
    drop(client_of);
    let waiting = watcher.subscribe();
    // It goes on only while somebody waits.
    poll::poll(&[&waiting, &poll::after(2_000_000_000)]);
    step("a watcher whose client is gone");
    drop(watcher);
    assert!(waiting.ready());
    step("nothing");

    let (one, other) = (client(url), client(url));
    let stream = one.open_lines(get("/endless")).unwrap();
    let waiting = stream.subscribe();
    drop(other);
    drop(one);
    drop(stream);
    waiting.block();
    step("nothing");
    let last = client(url);
    let _stream = last.open_lines(get("/endless")).unwrap();
    step("what the end of the run closes");
}

/// Uses as a client what nobody gave to it as one.
fn forge(url: &str, handle: &str) {
    let (own, waiting) = (client(url), poll::after(0));
    let number = match handle {
        "own" => own.handle(),
        "pollable" => waiting.handle(),
        "dropped" => client(url).handle(),
        number => number.parse().unwrap(),
    };
    // SAFETY: there is none, and the host must not need any. Nothing of ours is dropped twice: whatever comes of it ends this guest.
    let forged = std::mem::ManuallyDrop::new(unsafe { Client::from_handle(number) });
    println!("forged {}", forged.kind());
}

/// Reads a stream to its end, and once more.
fn read(client: &Client, stream: &str, path: &str) {
    fn all<B>(mut next: impl FnMut() -> Result<Option<B>, Error>, show: impl Fn(B) -> Vec<String>) {
        loop {
            match next() {
                Ok(Some(batch)) => println!("{}", show(batch).join(" | ")),
                Ok(None) => break println!("end"),
                Err(error) => println!("{}", shown(&error)),
            }
        }
    }
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let event = |event: WatchEvent| format!("{:?} {}", event.event_type, text(event.object));
    let failed = |error: &Error| println!("{}", shown(error));
    match stream {
        "bytes" => client
            .open_bytes(get(path))
            .map_or_else(|e| failed(&e), |s| all(|| s.next(), |b| vec![b.len().to_string()])),
        "lines" => client
            .open_lines(get(path))
            .map_or_else(|e| failed(&e), |s| all(|| s.next(), |b| b.into_iter().map(text).collect())),
        "json" => client.open_json(get(path)).map_or_else(|e| failed(&e), |s| all(|| s.next(), |b| b)),
        "events" => client
            .open_events(get(path))
            .map_or_else(|e| failed(&e), |s| all(|| s.next(), |b| b.into_iter().map(event).collect())),
        other => panic!("what is {other}?"),
    }
}

/// Ends with an error that it does not handle.
fn refused() {
    if let Err(error) = detect::kubectl_proxy(None) {
        println!("{} {:?}", error.code(), error.missing());
        std::process::exit(1);
    }
}
