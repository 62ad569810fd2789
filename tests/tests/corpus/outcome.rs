//! What came of a case, as a line of text.

use std::fmt;

use tidegate_tests::{Door, Record, Recorder, Via};

use crate::template::Place;

/// How the server was asked for pods, or why it was not.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    /// All that the recorder saw of the request.
    Asked(String),
    /// The class by what was seen, and the client's own words.
    Failed(Class, String),
}

/// How far a client came. Told by what the recorder saw, but for a plugin's failure and a server that is none of ours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Class {
    /// Nothing was connected to.
    Refused,
    /// A plugin or provider gave nothing.
    Plugin,
    /// Nobody listens there.
    Unreachable,
    /// It came no further than to a proxy.
    Proxy,
    /// It connected and asked nothing.
    Handshake,
    /// It was told 401.
    Unauthorized,
    /// Something else.
    Other,
}

/// What a client said of its failure; empty where it was content.
pub(crate) enum Said<'a> {
    /// All of its standard error.
    Kubectl(&'a str),
    /// `CODE: MESSAGE`.
    Tidegate(&'a str),
}

impl Said<'_> {
    /// One line of it.
    fn line(&self) -> String {
        let text = match self {
            Said::Tidegate(text) => return (*text).to_owned(),
            Said::Kubectl(text) => text,
        };
        // Before its error kubectl tells the same several times in the form of a log: `E1121 13:25:57.829796 …] "…" err="…"`.
        let is_log = |line: &&str| {
            line.starts_with(['\t', ' '])
                || line.starts_with('E') && line.as_bytes().get(1).is_some_and(u8::is_ascii_digit)
        };
        let error = text.lines().find(|line| !line.trim().is_empty() && !is_log(line));
        let logged =
            || Some(text.lines().next()?.split_once("err=\"")?.1.trim_end_matches('"').replace("\\\"", "\""));
        let line = error.map(str::to_owned).or_else(logged).unwrap_or_default();
        let line = line.strip_prefix("error: ").unwrap_or(&line);
        // Whom Go asked for a name is this machine's affair.
        match (line.find(" on "), line.find(":53: ")) {
            (Some(start), Some(end)) if start < end => [&line[..start], &line[end + 3..]].concat(),
            _ => line.to_owned(),
        }
    }

    fn is_content(&self) -> bool {
        matches!(self, Said::Kubectl("") | Said::Tidegate(""))
    }
}

impl Outcome {
    pub(crate) fn of(recorder: &Recorder, place: &Place, said: Said<'_>) -> Outcome {
        let records = recorder.records();
        let pods = records.iter().rfind(|record| record.asked.target.split('?').next().is_some_and(is_pods));
        let answered = said.is_content() || matches!(said, Said::Kubectl(_));
        if let (Some(pods), true) = (pods, answered) {
            return Outcome::Asked(place.name(&shown(pods, &records)));
        }
        Outcome::Failed(class(recorder, &records, &said), place.name(&said.line()))
    }

    /// Whether two clients did the same: the same request, or no request for the same kind of reason.
    pub(crate) fn agrees(&self, other: &Outcome) -> bool {
        match (self, other) {
            (Outcome::Asked(one), Outcome::Asked(other)) => one == other,
            (Outcome::Failed(one, _), Outcome::Failed(other, _)) => one == other,
            _ => false,
        }
    }

    /// What must not be told: whatever the corpus calls so, and what was sent.
    pub(crate) fn secrets(&self, recorder: &Recorder) -> Vec<String> {
        let mut secrets = vec!["hush".to_owned(), "aHVzaC".to_owned()];
        for record in recorder.records() {
            let sent = record.asked.header("authorization").and_then(|value| value.split_once(' '));
            secrets.extend(sent.map(|(_, secret)| secret.to_owned()));
        }
        secrets
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Asked(text) => f.write_str(text),
            Outcome::Failed(class, text) => {
                let class = format!("{class:?}").to_lowercase();
                write!(f, "error ({class}) {text}")
            }
        }
    }
}

fn is_pods(path: &str) -> bool {
    path.ends_with("/pods")
}

/// One request, all that a server sees of who sent it; what every client says is left out.
fn shown(record: &Record, all: &[Record]) -> String {
    let path = record.asked.target.split('?').next().unwrap_or_default();
    let mut parts = vec![format!("GET {path}")];
    let identity = identity(record);
    parts.extend(identity.iter().cloned());
    // Whoever is asked first is told no more and no less.
    if all.iter().any(|other| self::identity(other) != identity) {
        parts.push("(its requests differ)".to_owned());
    }
    parts.join("; ")
}

fn identity(record: &Record) -> Vec<String> {
    let header = |name| record.asked.header(name).map(str::to_owned);
    let mut parts = Vec::new();
    match record.door {
        Door::Tls => {}
        door => parts.push(format!("at {door:?}")),
    }
    parts.push(header("authorization").unwrap_or_else(|| "no credential".to_owned()));
    parts.extend(record.certificate.as_ref().map(|name| format!("certificate of {name}")));
    parts.extend(record.sni.as_ref().map(|name| format!("for the name {name}")));
    if let Some(Via { proxy, manner, target, credentials }) = &record.via {
        let with = credentials.as_ref().map_or(String::new(), |given| format!(" with {given}"));
        parts.push(format!("through {proxy} {manner} {target}{with}"));
    }
    if header("accept-encoding").as_deref() != Some("gzip") {
        parts.push("nothing packed".to_owned());
    }
    if record.sni.is_some() || !matches!(record.door, Door::Plain) {
        let offered = record.protocols.join(", ");
        parts.extend((offered != "h2, http/1.1").then(|| format!("offering {offered:?}")));
    }
    let mut impersonated: Vec<String> = record
        .asked
        .head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .filter(|(name, _)| name.to_ascii_lowercase().starts_with("impersonate-"))
        .map(|(name, value)| format!("{}:{value}", name.to_ascii_lowercase()))
        .collect();
    impersonated.sort();
    parts.extend(impersonated);
    parts
}

fn class(recorder: &Recorder, records: &[Record], said: &Said<'_>) -> Class {
    let (Said::Kubectl(text) | Said::Tidegate(text)) = said;
    let names_one_of = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let plugin = names_one_of(&[
        "getting credentials",
        "plugin",
        "provider",
        "oidc",
        "ID Token",
        "id-token",
        "Must provide",
    ]);
    let unreachable = match said {
        // Where it finds nothing in the file, kubectl tries that address.
        Said::Kubectl(_) => names_one_of(&["refused", "no such host"]) && !text.contains("localhost:8080"),
        Said::Tidegate(_) => text.starts_with("unreachable"),
    };
    let is_401 = |record: &Record| record.asked.header("authorization") == Some("Bearer hush-refused");
    match (records.last(), recorder.connections()) {
        (Some(last), _) if is_401(last) => Class::Unauthorized,
        (Some(_), _) => Class::Other,
        _ if plugin => Class::Plugin,
        (None, 0) if unreachable => Class::Unreachable,
        (None, 0) => Class::Refused,
        (None, _) if recorder.proxied() => Class::Proxy,
        (None, _) => Class::Handshake,
    }
}
