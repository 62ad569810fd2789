//! The log of one container.

mod look;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};
use tidegate_kube::date;
use tidegate_kube::frames::LineSplitter;
use tidegate_kube::request::{Method, Request};
use tidegate_transport::{Body, Code, Error, Transport};
use tokio::time::{Instant, sleep};

use super::pod::{Phase, Pod, Sight};
use super::retry::{Pause, has_code, may_pass};
use super::seen::Seen;
use super::{LINES, LogOptions, PartEvent, Place, add};
use crate::objects::MAX_BODY;

/// How often a container that does not run is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// How long a log may be silent before its connection is made again: one that died without a word is not told otherwise.
const IDLE: Duration = Duration::from_secs(600);

/// What a container's log comes from, and how far it is.
pub(super) struct Follower {
    transport: Arc<dyn Transport>,
    place: Arc<Place>,
    options: Arc<LogOptions>,
    named: Named,
    seen: Seen,
    /// The run that was read last.
    known: Option<Sight>,
    /// The run after it, while the rest of that one is read.
    coming: Option<Sight>,
    /// When what is followed was opened first.
    begun: Option<Instant>,
    step: Step,
    out: VecDeque<PartEvent>,
    pause: Pause,
}

/// How a pod was chosen, and so what becomes of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// By its name: another pod of that name is followed on.
    Name,
    /// By selectors: another pod is found again by them.
    Selector,
}

enum Step {
    /// Nothing is read. Read from the beginning, or on.
    Begin,
    Read(Box<Reading>),
    /// A log that was followed has come to an end; why, where that is no regular one.
    Ended(Option<Error>),
    /// Read what is left of a run that is over.
    Rest(Run, After),
    /// Wait until the container is started again.
    Wait,
    /// Wait so long before the next step.
    Pause(Duration, Box<Step>),
    Over,
}

struct Reading {
    body: Body,
    lines: LineSplitter,
    then: Then,
}

/// What the end of a reading means.
#[derive(Clone, Copy, Debug)]
enum Then {
    /// All was said.
    End,
    /// Look what became of the container.
    Look,
    /// The rest of a run is read.
    Rest(Run, After),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Run {
    Current,
    Previous,
}

/// What comes after the rest of a run.
#[derive(Clone, Copy, Debug)]
enum After {
    NewRun,
    Wait,
    End,
}

impl Follower {
    pub(super) fn new(
        transport: Arc<dyn Transport>,
        place: Arc<Place>,
        options: Arc<LogOptions>,
        named: Named,
    ) -> Self {
        let (seen, known, coming, begun, out, pause) = Default::default();
        Self { transport, place, options, named, seen, known, coming, begun, step: Step::Begin, out, pause }
    }

    pub(super) fn place(&self) -> &Arc<Place> {
        &self.place
    }

    /// What happens; ends with [`PartEvent::Ended`] or an error. Nothing is read ahead.
    pub(super) fn events(self) -> BoxStream<'static, Result<PartEvent, Error>> {
        let events = stream::unfold(self, |mut follower| async move {
            loop {
                if let Some(event) = follower.out.pop_front() {
                    return Some((Ok(event), follower));
                }
                if let Step::Over = follower.step {
                    return None;
                }
                if let Err(error) = follower.advance().await {
                    follower.step = Step::Over;
                    return Some((Err(error), follower));
                }
            }
        });
        events.boxed()
    }

    async fn advance(&mut self) -> Result<(), Error> {
        match std::mem::replace(&mut self.step, Step::Over) {
            Step::Begin if self.options.follow => self.begin().await,
            Step::Begin => self.once().await,
            Step::Read(reading) => self.read(reading).await,
            Step::Ended(why) => self.look(why).await,
            Step::Rest(run, after) => self.rest(run, after).await,
            Step::Wait => self.wait().await,
            Step::Pause(length, next) => {
                sleep(length).await;
                self.step = *next;
                Ok(())
            }
            Step::Over => Ok(()),
        }
    }

    /// Reads the log as it is now.
    async fn once(&mut self) -> Result<(), Error> {
        let mut request = self.place.log();
        self.options.begin(&mut request);
        if self.options.previous {
            add(&mut request, "previous", "true".to_owned());
        }
        if self.options.timestamps {
            add(&mut request, "timestamps", "true".to_owned());
        }
        if let Some(bytes) = self.options.limit_bytes {
            add(&mut request, "limitBytes", bytes.to_string());
        }
        self.open(request, Then::End).await
    }

    /// Follows the log of the run at hand. The container is looked at before and after, so that it is known whose log that is.
    async fn begin(&mut self) -> Result<(), Error> {
        self.step = Step::Begin;
        let before = match self.sight().await {
            Ok(Some(before)) => before,
            Ok(None) => return self.gone(),
            Err(error) => return self.again_unless_lasting(error, Step::Begin),
        };
        if self.known.as_ref().is_some_and(|known| !is_same_run(known, &before)) {
            self.step = Step::Ended(None);
            return Ok(());
        }
        if before.phase == Phase::Waiting {
            self.step = Step::Begin.after(LOOK);
            return Ok(());
        }
        let mut request = self.again();
        add(&mut request, "follow", "true".to_owned());
        request.idle_deadline = Some(IDLE);
        let asked = Instant::now();
        match self.open(request, Then::Look).await {
            Err(error) if self.known.is_none() && has_code(&error, 400) => {
                return self.not_yet(error, &before).await;
            }
            // It has gone, or was made again, since it was looked at.
            Err(error) if self.known.is_some() && (has_code(&error, 400) || has_code(&error, 404)) => {
                self.step = Step::Ended(Some(error));
                return Ok(());
            }
            Err(error) => return self.again_unless_lasting(error, Step::Begin),
            Ok(()) => {}
        }
        match self.sight().await {
            Ok(Some(after)) if is_same_run(&before, &after) => {
                self.known = Some(after);
                self.begun.get_or_insert(asked);
            }
            // Of which run the log is cannot be known.
            Ok(_) => self.step = Step::Begin,
            Err(error) => return self.again_unless_lasting(error, Step::Begin),
        }
        Ok(())
    }

    /// The log again, from where it was handed over; from where it was asked for, if nothing was.
    fn again(&mut self) -> Request {
        let mut request = self.place.log();
        add(&mut request, "timestamps", "true".to_owned());
        match self.seen.since() {
            Some(since) => add(&mut request, "sinceTime", since),
            None => match self.begun {
                Some(begun) => self.options.begin_again(begun.elapsed(), &mut request),
                None => self.options.begin(&mut request),
            },
        }
        self.seen.again();
        request
    }

    async fn open(&mut self, request: Request, then: Then) -> Result<(), Error> {
        let body = self.transport.clone().send(request, None).await?.body;
        self.step = Step::Read(Box::new(Reading { body, lines: LineSplitter::default(), then }));
        Ok(())
    }

    /// Reads until there is something to hand over.
    async fn read(&mut self, mut reading: Box<Reading>) -> Result<(), Error> {
        let followed = !matches!(reading.then, Then::End);
        while self.out.is_empty() {
            self.take(&mut reading, followed)?;
            if !self.out.is_empty() {
                break;
            }
            match reading.body.chunk().await {
                Some(Ok(chunk)) => reading.lines.push(chunk),
                Some(Err(error)) => return self.cut(reading.then, error),
                None => {
                    let Reading { lines, then, .. } = *reading;
                    return self.end(lines.finish(), then);
                }
            }
        }
        self.step = Step::Read(reading);
        Ok(())
    }

    /// Takes the lines that have arrived, up to a part.
    fn take(&mut self, reading: &mut Reading, followed: bool) -> Result<(), Error> {
        let mut lines = Vec::new();
        while lines.len() < LINES {
            match reading.lines.next_line() {
                Some(Ok(line)) if followed => lines.extend(self.fresh(line)),
                Some(Ok(line)) => lines.push(line),
                Some(Err(error)) => return Err(Error::new(Code::TooLarge, error.to_string())),
                None => break,
            }
        }
        if !lines.is_empty() {
            self.pause = Pause::default();
            self.out.push_back(PartEvent::Lines(lines));
        }
        Ok(())
    }

    /// A line as it is handed over, if it was not before.
    fn fresh(&mut self, line: Bytes) -> Option<Bytes> {
        let Some((time, text)) = split_time(&line) else { return Some(line) };
        if !self.seen.is_new(time, &line[text..]) {
            return None;
        }
        Some(if self.options.timestamps { line } else { line.slice(text..) })
    }

    /// The regular end of a reading. A line that has no end comes again where the log is read again, then whole.
    fn end(&mut self, last: Option<Bytes>, then: Then) -> Result<(), Error> {
        let last = match then {
            Then::Look => None,
            Then::End => last,
            Then::Rest(..) => last.and_then(|line| self.fresh(line)),
        };
        self.out.extend(last.map(|line| PartEvent::Lines(vec![line])));
        match then {
            Then::Look => self.step = Step::Ended(None),
            Then::End => self.out.push_back(PartEvent::Ended),
            Then::Rest(_, after) => self.rested(after),
        }
        Ok(())
    }

    fn cut(&mut self, then: Then, error: Error) -> Result<(), Error> {
        match then {
            Then::End => Err(error),
            Then::Look => {
                self.step = Step::Ended(Some(error));
                Ok(())
            }
            Then::Rest(run, after) => self.again_unless_lasting(error, Step::Rest(run, after)),
        }
    }

    /// How the container stands; none where there is no such pod. While its log is open, this counts as a part of that.
    async fn sight(&mut self) -> Result<Option<Sight>, Error> {
        let request = Request::new(Method::Get, self.place.pod_path());
        let beside = if let Step::Read(_) = self.step { self.transport.beside() } else { None };
        let body = match beside.unwrap_or_else(|| self.transport.clone()).send(request, None).await {
            Ok(response) => response.body.whole(MAX_BODY).await?,
            Err(error) if has_code(&error, 404) => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(Some(decode_pod(&body)?.sight(&self.place.container)))
    }

    /// Tries a step again, after a pause, where its failure may pass. Before anything was read, no failure does.
    fn again_unless_lasting(&mut self, error: Error, step: Step) -> Result<(), Error> {
        if self.begun.is_none() || !may_pass(&error) {
            return Err(error);
        }
        self.out.push_back(PartEvent::Interrupted(error.to_string()));
        self.step = step.after(self.pause.next());
        Ok(())
    }
}

impl Step {
    fn after(self, pause: Duration) -> Step {
        Step::Pause(pause, Box::new(self))
    }
}

/// What the body of a pod says. Errors: [`Code::Protocol`].
pub(super) fn decode_pod(body: &[u8]) -> Result<Pod, Error> {
    let pod: Pod = decode(body)?;
    match pod.metadata.name.is_empty() {
        false => Ok(pod),
        // An empty array decodes too.
        true => Err(Error::new(Code::Protocol, "the answer is no pod: it has no name")),
    }
}

/// What a body of a pod, or of several, says. Errors: [`Code::Protocol`].
pub(super) fn decode<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        Error::new(Code::Protocol, format!("the answer is no pod (line {line}, column {column})"))
    })
}

fn is_same_run(one: &Sight, other: &Sight) -> bool {
    one.uid == other.uid && one.restarts == other.restarts
}

/// The time at the beginning of a line, and where its text begins.
fn split_time(line: &[u8]) -> Option<(std::time::SystemTime, usize)> {
    let end = line.iter().take(64).position(|&byte| byte == b' ').unwrap_or(line.len());
    let time = date::parse(std::str::from_utf8(line.get(..end)?).ok()?)?;
    Some((time, (end + 1).min(line.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_before_a_line() {
        for (line, text) in [
            ("2026-01-31T12:00:00.000000001Z hello", Some("hello")),
            ("2026-01-31T12:00:00+01:00  two", Some(" two")),
            ("2026-01-31T12:00:00Z ", Some("")),
            ("2026-01-31T12:00:00Z", Some("")),
            ("hello 2026-01-31T12:00:00Z", None),
            ("", None),
            ("\u{fffd}", None),
        ] {
            let found = split_time(line.as_bytes()).map(|(_, begin)| &line[begin..]);
            assert_eq!(found, text, "{line:?}");
        }
    }
}
