//! A table of what happens and what comes of it, and who goes through it.

use std::time::Duration;

use tidegate_kube::status::from_response;
use tidegate_transport::{Code, Error};

use super::*;

/// One thing that happens.
#[derive(Debug, Clone, Copy)]
pub(super) enum In {
    Begun,
    Item,
    Ended(&'static str),
    Open,
    Added(&'static str),
    Gone(&'static str),
    /// A change that a filter leaves out.
    LeftOut(&'static str),
    Bookmark(&'static str),
    End,
    /// A status with this code.
    Status(u16),
    /// A 429 that asks for so many seconds.
    Busy(u64),
    Fails(Code),
    Silent,
    Answered(Option<&'static str>),
    Unanswered,
    Waited,
}

use In::*;

pub(super) fn failure(input: In) -> Failure {
    Failure::of(match input {
        Status(code) => Error::from_status(from_response(code, None, b"")),
        Busy(seconds) => {
            let body = format!(r#"{{"kind":"Status","details":{{"retryAfterSeconds":{seconds}}}}}"#);
            Error::from_status(from_response(429, None, body.as_bytes()))
        }
        Fails(code) => Error::new(code, "x"),
        _ => Error::new(Code::Timeout, "no answer"),
    })
}

pub(super) fn input(input: In) -> Input<'static> {
    let object = Bytes::from_static(b"{}");
    match input {
        Begun => Input::ListBegun,
        Item => Input::Item(object),
        Ended(version) => Input::ListEnded { version },
        Open => Input::WatchBegun,
        Added(version) => Input::Changed { change: Change::Added, object: Some(object), version },
        Gone(version) => Input::Changed { change: Change::Deleted, object: Some(object), version },
        LeftOut(version) => Input::Changed { change: Change::Added, object: None, version },
        In::Bookmark(version) => Input::Bookmark { version },
        End => Input::WatchEnded,
        Status(_) | Busy(_) | Fails(_) => Input::Failed(failure(input)),
        Silent => Input::Silent,
        Answered(version) => Input::Answered { version },
        Unanswered => Input::Unanswered(failure(input)),
        Waited => Input::Waited,
    }
}

pub(super) fn show(order: &Order, told: &[Event]) -> String {
    let seconds = |time: &Duration| format!("{}", time.as_secs_f64());
    let mut shown: Vec<String> = told
        .iter()
        .map(|event| match event {
            Event::Listing => "listing".into(),
            Event::Item(_) => "item".into(),
            Event::Listed { version } => format!("listed {version}"),
            Event::Added(_) => "added".into(),
            Event::Modified(_) => "modified".into(),
            Event::Deleted(_) => "deleted".into(),
            Event::Bookmark { version } => format!("bookmark {version}"),
            Event::Desynced { retry_in: Some(_), .. } => "desynced".into(),
            Event::Desynced { .. } => "desynced for ever".into(),
        })
        .collect();
    match order {
        Order::GoOn => {}
        Order::List(ListForm::Usual) => shown.push("LIST".into()),
        Order::List(ListForm::Whole) => shown.push("LIST WHOLE".into()),
        Order::Watch { version, .. } => shown.push(format!("WATCH {version}")),
        Order::Probe => shown.push("PROBE".into()),
        Order::Wait(time) => shown.push(format!("WAIT {}", seconds(time))),
        Order::End => shown.push("END".into()),
    }
    shown.join(", ")
}

/// Runs a machine from its beginning; chance always says the shortest wait. `steps` are the second, what happens and what comes of it.
pub(super) fn check(what: &str, from: Option<&str>, begins: &str, steps: &[(u64, In, &str)]) {
    let now = |seconds| Now { at: Duration::from_secs(seconds), random: 0 };
    let mut machine = Machine::new(from.map(str::to_owned));
    let order = machine.begin(now(0));
    assert_eq!(show(&order, &[]), begins, "{what}");
    for (number, (at, happens, expected)) in steps.iter().enumerate() {
        let mut told = Vec::new();
        let order = machine.step(input(*happens), now(*at), &mut told);
        assert_eq!(show(&order, &told), *expected, "{what}: step {number}, {happens:?} at {at} s");
    }
}

/// The steps up to an open watch from version 7.
pub(super) const OPEN: [(u64, In, &str); 4] =
    [(0, Begun, "listing"), (0, Item, "item"), (0, Ended("7"), "listed 7, WATCH 7"), (0, Open, "")];

/// The same, and then these.
pub(super) fn opened(what: &str, steps: &[(u64, In, &str)]) {
    check(what, None, "LIST", &[&OPEN[..], steps].concat());
}
