//! A guest that wants too much, on the bare WIT.
//!
//! ```text
//! glutton HOW WHAT … [then WHAT …]
//! WHAT: memory MIB | loop | naps | sleep | streams URL COUNT | clients URL COUNT | reflectors URL COUNT | listeners COUNT |
//!       requests URL COUNT | flood URL COUNT | read URL PATH | read-whole URL PATH | send URL MIB | body URL MIB | files FOLDER COUNT | file-streams COUNT | tcp COUNT | udp COUNT | web AUTHORITY PATH COUNT |
//!       unsent COUNT | fields COUNT | names COUNT
//! ```
//!
//! `HOW` it takes that it is refused something: it `handles` that, `fails` or `panics`. Whatever was before a `then`, it handles. One that
//! `fails-anyway` or `panics-anyway` does so in the end, whether or not it was refused something.

mod own;

#[allow(missing_docs, unreachable_pub, clippy::all)]
mod wit {
    wit_bindgen::generate!({ world: "tidegate:host/imports", path: "../../../wit", generate_all });
}

use std::hint::black_box;

use wit::tidegate::host::client::Client;
use wit::tidegate::host::reflectors::{self, ReflectorOptions};
use wit::tidegate::host::types::{Error, Method, Request};
use wit::tidegate::host::{detect, listen, poll};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let [how, ref what @ ..] = arguments[..] else { panic!("how?") };
    let mut last = Ok(());
    for what in what.split(|word| *word == "then") {
        last = want(what).inspect_err(|refused| println!("{refused}"));
    }
    match (how, last) {
        ("fails", Err(_)) | ("fails-anyway", _) => std::process::exit(1),
        ("panics", Err(why)) => panic!("{why}"),
        ("panics-anyway", _) => panic!("anyway"),
        _ => {}
    }
}

fn want(what: &[&str]) -> Result<(), String> {
    match *what {
        ["memory", mebibytes] => memory(number(mebibytes)),
        ["loop"] => spin(),
        ["naps"] => naps(),
        ["sleep"] => {
            poll::after(3_600_000_000_000).block();
            Ok(())
        }
        ["streams", url, count] => {
            open(count, || client_of(url).and_then(|client| client.open_lines(get("/endless"))))
        }
        ["clients", url, count] => open(count, || client_of(url)),
        ["reflectors", url, count] => {
            let client = client_of(url).map_err(|error| shown(&error))?;
            open(count, || reflectors::open(&client, "/api/v1/pods", ReflectorOptions::new()))
        }
        ["listeners", count] => open(count, || listen::listen("127.0.0.1:0")),
        ["requests", url, count] => requests(url, number(count)),
        ["flood", url, count] => flood(url, number(count)),
        ["read", url, path] => read(url, path),
        ["read-whole", url, path] => {
            let response = client(url)?.send(get(path)).map_err(|error| shown(&error))?;
            println!("{}", response.bytes().map_err(|error| shown(&error))?.len());
            Ok(())
        }
        ["send", url, mebibytes] => send(url, number(mebibytes)),
        ["body", url, mebibytes] => {
            let request = Request::new(Method::Post, "/length");
            (0..number(mebibytes)).for_each(|_| request.add_query("x", &"x".repeat(1 << 20)));
            client(url)?.send(request).map(drop).map_err(|error| shown(&error))
        }
        ["files", folder, count] => own::files(folder, number(count)),
        ["file-streams", count] => own::file_streams(number(count)),
        ["unsent", count] => own::unsent(number(count)),
        ["fields", count] => own::fields(number(count)),
        ["names", count] => own::names(number(count)),
        ["tcp", count] => own::sockets(number(count), own::tcp),
        ["udp", count] => own::sockets(number(count), own::udp),
        ["web", authority, path, count] => own::web(authority, path, number(count)),
        _ => panic!("what? {what:?}"),
    }
}

fn number(text: &str) -> usize {
    text.parse().unwrap_or_else(|_| panic!("{text} is no number"))
}

fn get(path: &str) -> Request {
    Request::new(Method::Get, path)
}

fn client_of(url: &str) -> Result<Client, Error> {
    detect::kubectl_proxy(Some(url))
}

fn client(url: &str) -> Result<Client, String> {
    client_of(url).map_err(|error| shown(&error))
}

fn shown(error: &Error) -> String {
    format!("{}: {}", error.code(), error.message())
}

/// One that can do with less: it asks whether there is room.
fn memory(mebibytes: usize) -> Result<(), String> {
    let mut held: Vec<Vec<u8>> = Vec::new();
    for grown in 0..mebibytes {
        let mut more = Vec::new();
        more.try_reserve_exact(1 << 20).map_err(|_| format!("refused after {grown} MiB"))?;
        more.resize(1 << 20, 1);
        held.push(black_box(more));
    }
    println!("{} MiB", held.len());
    Ok(())
}

#[inline(never)]
fn spin() -> ! {
    println!("spinning");
    let mut turns: u64 = 0;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

/// Computes for a little while, again and again, and waits in between.
fn naps() -> ! {
    loop {
        (0..200_000u64).for_each(|turn| _ = black_box(turn));
        poll::after(2_000_000).block();
    }
}

/// Opens one after the other, and keeps them.
fn open<T>(count: &str, one: impl Fn() -> Result<T, Error>) -> Result<(), String> {
    let mut held = Vec::new();
    for opened in 0..number(count) {
        held.push(one().map_err(|error| format!("{} after {opened}", shown(&error)))?);
    }
    println!("{} open", held.len());
    // What was closed may be opened again.
    drop(held);
    one().map(drop).map_err(|error| format!("again: {}", shown(&error)))
}

/// One after the other.
fn requests(url: &str, count: usize) -> Result<(), String> {
    let client = client(url)?;
    for made in 0..count {
        let response = client.send(get("/x")).map_err(|error| format!("{} after {made}", shown(&error)))?;
        response.bytes().map_err(|error| shown(&error))?;
    }
    println!("{count} made");
    Ok(())
}

/// All at once, and none may take longer than a second.
fn flood(url: &str, count: usize) -> Result<(), String> {
    let client = client(url)?;
    let flights: Vec<_> = (0..count)
        .map(|_| {
            let request = get("/x");
            request.set_deadline(1_000_000_000);
            client.start(request)
        })
        .collect();
    let landed: Vec<Result<(), Error>> =
        flights.into_iter().map(|flight| flight.and_then(|flight| flight.take()).map(drop)).collect();
    println!("{} of {count} answered", landed.iter().filter(|landed| landed.is_ok()).count());
    landed.into_iter().collect::<Result<(), Error>>().map_err(|error| shown(&error))
}

fn read(url: &str, path: &str) -> Result<(), String> {
    let stream = client(url)?.open_bytes(get(path)).map_err(|error| shown(&error))?;
    let mut length = 0;
    loop {
        match stream.next() {
            Ok(Some(bytes)) => length += bytes.len(),
            Ok(None) => break println!("read {length}"),
            Err(error) => return Err(format!("{} after {} KiB", shown(&error), length >> 10)),
        }
    }
    Ok(())
}

fn send(url: &str, mebibytes: usize) -> Result<(), String> {
    let client = client(url)?;
    let request = Request::new(Method::Post, "/length");
    let body = request.stream_body().map_err(|error| shown(&error))?;
    let pending = client.start(request).map_err(|error| shown(&error))?;
    let piece = vec![b'x'; 1 << 20];
    for _ in 0..mebibytes {
        body.write(&piece).map_err(|error| shown(&error))?;
    }
    body.finish().map_err(|error| shown(&error))?;
    let response = pending.take().map_err(|error| shown(&error))?;
    println!("{}", String::from_utf8_lossy(&response.bytes().map_err(|error| shown(&error))?));
    Ok(())
}
