//! Asks whatever it is told to, through whatever it is told to: for tests with peers and documents that mean harm.
//!
//! ```text
//! ask [--via VIA] [--context NAME] [REQUEST FLAG…] PATH…
//! ```
//!
//! `VIA`: `auto` (default), `in-cluster`, `kube-config[=PATH]`, `document=TEXT`, `kubectl-proxy[=URL]`, `kubectl-raw`,
//! `connection=NAME`; `names` prints `name NAME` for each connection and asks nothing. Request flags, for all
//! paths: `--method METHOD`, `--query NAME=VALUE` (repeatable), `--accept TYPE`, `--content-type TYPE`, `--body TEXT`, `--deadline MS`,
//! `--idle-deadline MS`, `--read text|json|bytes|lines|json-lines|events`, `--write PATH=TEXT` (a file, before anything is asked), `--show BYTES`.
//!
//! `{namespace}` in a path stands for the client's default namespace. Instead of a path, `@wait` waits for a line on standard input: a test
//! changes something meanwhile.
//!
//! Prints `via KIND`, then for each path `item N: TEXT` for each item (the first 200 bytes of it, or as many as `--show` says) and `done: N items, M bytes`, or
//! `error CODE: MESSAGE`; of a status `error status 404 NotFound: MESSAGE`. Exit code 3 if there was an error.

use std::time::Duration;

use tidegate::{Client, Error, Method, Request, Result};

fn main() {
    let asked = Asked::parse(std::env::args().skip(1)).unwrap_or_else(|why| {
        eprintln!("ask: {why}");
        tidegate::exit(2);
    });
    if asked.via == "names" {
        tidegate::connections::names().iter().for_each(|name| println!("name {name}"));
        return;
    }
    let failed = match asked.connect() {
        Ok(client) => {
            println!("via {}", client.kind());
            asked.paths.iter().filter(|path| asked.ask(&client, path).inspect_err(tell).is_err()).count()
        }
        Err(error) => {
            tell(&error);
            1
        }
    };
    if failed > 0 {
        tidegate::exit(3);
    }
}

fn tell(error: &Error) {
    let message = error.message().replace('\n', " | ");
    match error.status() {
        Some(status) => println!("error {} {} {}: {message}", error.code(), status.code, status.reason),
        None => println!("error {}: {message}", error.code()),
    }
    for flag in error.missing() {
        println!("missing {flag}");
    }
}

struct Asked {
    via: String,
    context: Option<String>,
    method: Method,
    flags: Vec<(String, String)>,
    read: String,
    writes: Vec<(String, String)>,
    show: usize,
    paths: Vec<String>,
}

impl Asked {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut asked = Self {
            via: "auto".to_owned(),
            context: None,
            method: Method::Get,
            flags: Vec::new(),
            read: "text".to_owned(),
            writes: Vec::new(),
            show: 200,
            paths: Vec::new(),
        };
        while let Some(argument) = arguments.next() {
            if !argument.starts_with("--") {
                asked.paths.push(argument);
                continue;
            }
            let value = arguments.next().ok_or(format!("{argument} needs a value"))?;
            match argument.as_str() {
                "--via" => asked.via = value,
                "--context" => asked.context = Some(value),
                "--read" => asked.read = value,
                "--show" => asked.show = value.parse().map_err(|_| "--show BYTES")?,
                "--method" => asked.method = method(&value)?,
                "--write" => {
                    let (path, text) = value.split_once('=').ok_or("--write PATH=TEXT")?;
                    asked.writes.push((path.to_owned(), text.to_owned()));
                }
                _ => asked.flags.push((argument, value)),
            }
        }
        asked.request("/")?;
        Ok(asked)
    }

    fn request(&self, path: &str) -> Result<Request, String> {
        self.flags
            .iter()
            .try_fold(Request::new(self.method, path), |request, (flag, value)| with(request, flag, value))
    }

    fn connect(&self) -> Result<Client> {
        for (path, text) in &self.writes {
            std::fs::write(path, text)?;
        }
        let (via, value) = match self.via.split_once('=') {
            Some((via, value)) => (via, Some(value)),
            None => (self.via.as_str(), None),
        };
        let context = self.context.as_deref();
        match (via, value) {
            ("auto", None) => tidegate::auto_detect_client(),
            ("in-cluster", None) => Client::in_cluster(),
            ("kube-config", path) => Client::read_kube_config(path, context),
            ("document", Some(text)) => Client::for_kube_config(text, context),
            ("kubectl-proxy", url) => Client::kubectl_proxy(url),
            ("kubectl-raw", None) => Client::kubectl_raw(context),
            ("connection", Some(name)) => tidegate::connections::open(name),
            _ => Err(Error::other(format!("--via {}: no such way", self.via))),
        }
    }

    fn ask(&self, client: &Client, path: &str) -> Result<()> {
        if path == "@wait" {
            println!("waiting");
            std::io::stdin().read_line(&mut String::new())?;
            return Ok(());
        }
        let path = path.replace("{namespace}", client.default_namespace());
        let request = self.request(&path).map_err(Error::other)?;
        let mut told = Told { show: self.show, ..Told::default() };
        match self.read.as_str() {
            "text" => told.item(client.request_text(request)?.as_bytes()),
            "json" => told.item(client.send(request)?.json_text()?.as_bytes()),
            "bytes" => told.all(client.open_bytes(request)?)?,
            "lines" => told.all(client.open_lines(request)?)?,
            "json-lines" => told.all(client.open_json(request)?)?,
            "events" => told.all(client.open_events(request)?.map(|event| Ok(event?.object)))?,
            other => return Err(Error::other(format!("--read {other}: no such form"))),
        }
        println!("done: {} items, {} bytes", told.items, told.bytes);
        Ok(())
    }
}

/// What came, so far.
#[derive(Default)]
struct Told {
    show: usize,
    items: usize,
    bytes: usize,
}

impl Told {
    fn item(&mut self, item: &[u8]) {
        self.items += 1;
        self.bytes += item.len();
        let shown = String::from_utf8_lossy(&item[..item.len().min(self.show)]).replace('\n', " | ");
        println!("item {}: {shown}", self.items);
    }

    fn all<T: AsRef<[u8]>>(&mut self, items: impl Iterator<Item = Result<T>>) -> Result<()> {
        for item in items {
            self.item(item?.as_ref());
        }
        Ok(())
    }
}

fn with(request: Request, flag: &str, value: &str) -> Result<Request, String> {
    let time = || value.parse().map(Duration::from_millis).map_err(|_| format!("{flag}: milliseconds"));
    Ok(match flag {
        "--query" => {
            let (name, value) = value.split_once('=').ok_or("--query NAME=VALUE")?;
            request.query(name, value)
        }
        "--accept" => request.accept(value),
        "--content-type" => request.content_type(value),
        "--body" => request.body(value),
        "--deadline" => request.deadline(time()?),
        "--idle-deadline" => request.idle_deadline(time()?),
        _ => return Err(format!("no flag {flag}")),
    })
}

fn method(word: &str) -> Result<Method, String> {
    Ok(match word {
        "GET" => Method::Get,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "PATCH" => Method::Patch,
        "DELETE" => Method::Delete,
        "OPTIONS" => Method::Options,
        "HEAD" => Method::Head,
        _ => return Err(format!("--method {word}: no such method")),
    })
}
