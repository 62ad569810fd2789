//! The log of one container.

use std::collections::VecDeque;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};
use tidegate_kube::date;
use tidegate_kube::frames::LineSplitter;
use tidegate_kube::request::{Method, Request};
use tidegate_transport::{Body, Code, Error, Transport};
use tokio::time::sleep;

use super::pod::{Next, Phase, Pod, Sight};
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
        let (seen, known, coming, out, pause) = Default::default();
        Self { transport, place, options, named, seen, known, coming, step: Step::Begin, out, pause }
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
        let Some(before) = self.sight().await? else { return self.gone() };
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
        match self.open(request, Then::Look).await {
            // The kubelet's word for a container that is about to start.
            Err(error) if self.known.is_none() && has_code(&error, 400) => {
                let Some(now) = self.sight().await? else { return self.gone() };
                if now.phase != Phase::Waiting && is_same_run(&now, &before) {
                    return Err(error);
                }
                self.step = Step::Begin.after(LOOK);
                return Ok(());
            }
            Err(error) => return self.again_unless_lasting(error, Step::Begin),
            Ok(()) => {}
        }
        match self.sight().await? {
            Some(after) if is_same_run(&before, &after) => self.known = Some(after),
            // Of which run the log is cannot be known.
            _ => self.step = Step::Begin,
        }
        Ok(())
    }

    /// The log again, from where it was handed over; from where it was asked for, if nothing was.
    fn again(&mut self) -> Request {
        let mut request = self.place.log();
        add(&mut request, "timestamps", "true".to_owned());
        match self.seen.since() {
            Some(since) => add(&mut request, "sinceTime", since),
            None => self.options.begin(&mut request),
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

    /// Looks what became of the container whose log has ended.
    async fn look(&mut self, why: Option<Error>) -> Result<(), Error> {
        let Some(known) = self.known.clone() else {
            self.step = Step::Begin;
            return Ok(());
        };
        let now = match self.sight().await {
            Ok(now) => now,
            Err(error) => return self.again_unless_lasting(error, Step::Ended(why)),
        };
        match Next::after(&known, now.as_ref()) {
            Next::Gone => return self.gone(),
            Next::Replaced => return self.replaced(),
            Next::Resume => {
                // A silence is no loss, nor is it in a hurry.
                if let Some(error) = why.filter(|error| error.code() != Code::Timeout) {
                    self.out.push_back(PartEvent::Interrupted(error.to_string()));
                }
                self.step = Step::Begin.after(self.pause.next());
            }
            Next::RestThenWait => self.step = Step::Rest(Run::Current, After::Wait),
            Next::RestThenEnd => self.step = Step::Rest(Run::Current, After::End),
            Next::Restarted { missed } => self.restarted(now, missed),
        }
        Ok(())
    }

    /// Looks whether a container that had stopped was started again.
    async fn wait(&mut self) -> Result<(), Error> {
        self.step = Step::Wait.after(LOOK);
        let now = match self.sight().await {
            Ok(now) => now,
            Err(error) => return self.again_unless_lasting(error, Step::Wait),
        };
        let Some(known) = self.known.clone() else { return Ok(()) };
        match Next::after(&known, now.as_ref()) {
            Next::Gone => return self.gone(),
            Next::Replaced => return self.replaced(),
            Next::Resume => self.step = Step::Begin,
            Next::RestThenWait => {}
            Next::RestThenEnd => self.step = Step::Rest(Run::Current, After::End),
            Next::Restarted { missed } => self.restarted(now, missed),
        }
        Ok(())
    }

    fn restarted(&mut self, now: Option<Sight>, missed: u32) {
        if missed > 0 {
            let text = format!(
                "the container was started {} times since: of {missed} runs, nothing is left",
                missed + 1
            );
            self.out.push_back(PartEvent::Gap(text));
        }
        self.coming = now;
        self.step = Step::Rest(Run::Previous, After::NewRun);
    }

    /// Reads what is left of a run that is over.
    async fn rest(&mut self, run: Run, after: After) -> Result<(), Error> {
        let mut request = self.again();
        if run == Run::Previous {
            add(&mut request, "previous", "true".to_owned());
        }
        match self.open(request, Then::Rest(run, after)).await {
            Err(error) if has_code(&error, 400) || has_code(&error, 404) => {
                if run == Run::Previous {
                    let text = format!("what the run before the restart wrote last cannot be had: {error}");
                    self.out.push_back(PartEvent::Gap(text));
                }
                self.rested(after);
                Ok(())
            }
            Err(error) => self.again_unless_lasting(error, Step::Rest(run, after)),
            Ok(()) if run == Run::Previous => self.is_still_coming().await,
            Ok(()) => Ok(()),
        }
    }

    /// Whether what was opened as the previous run is still that of the run at hand; if not, what became of the container is looked at anew.
    async fn is_still_coming(&mut self) -> Result<(), Error> {
        match self.sight().await {
            Ok(now)
                if now
                    .as_ref()
                    .zip(self.coming.as_ref())
                    .is_some_and(|(now, coming)| is_same_run(now, coming)) =>
            {
                Ok(())
            }
            Ok(_) => {
                self.step = Step::Ended(None);
                Ok(())
            }
            Err(error) => self.again_unless_lasting(error, Step::Ended(None)),
        }
    }

    fn rested(&mut self, after: After) {
        match after {
            After::NewRun => {
                self.known = self.coming.take();
                self.out.push_back(PartEvent::Restarted);
                self.step = Step::Begin;
            }
            After::Wait => self.step = Step::Wait,
            After::End => self.out.push_back(PartEvent::Ended),
        }
    }

    fn gone(&mut self) -> Result<(), Error> {
        self.step = Step::Over;
        self.out.push_back(PartEvent::Ended);
        Ok(())
    }

    fn replaced(&mut self) -> Result<(), Error> {
        if self.named == Named::Selector {
            return self.gone();
        }
        // From its beginning, and perhaps on a node with another clock.
        let options = LogOptions { since: None, tail: None, ..(*self.options).clone() };
        (self.options, self.seen, self.known) = (Arc::new(options), Seen::default(), None);
        self.out.push_back(PartEvent::Restarted);
        self.step = Step::Begin;
        Ok(())
    }

    /// How the container stands; none where there is no such pod.
    async fn sight(&mut self) -> Result<Option<Sight>, Error> {
        let request = Request::new(Method::Get, self.place.pod_path());
        let body = match self.transport.clone().send(request, None).await {
            Ok(response) => response.body.whole(MAX_BODY).await?,
            Err(error) if has_code(&error, 404) => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(Some(decode::<Pod>(&body)?.sight(&self.place.container)))
    }

    /// Tries a step again, after a pause, where its failure may pass. Before anything was read, no failure does.
    fn again_unless_lasting(&mut self, error: Error, step: Step) -> Result<(), Error> {
        if self.known.is_none() || !may_pass(&error) {
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

/// What a body of a pod, or of several, says. Errors: [`Code::Protocol`].
pub(super) fn decode<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        Error::new(Code::Protocol, format!("the answer is no pod (line {line}, column {column})"))
    })
}

pub(super) fn has_code(error: &Error, code: u16) -> bool {
    error.status().is_some_and(|status| status.code == code)
}

/// Whether the same may work later.
pub(super) fn may_pass(error: &Error) -> bool {
    match error.code() {
        Code::Unreachable | Code::Timeout | Code::Protocol | Code::Tls | Code::Unauthorized => true,
        Code::Status => {
            error.status().is_some_and(|status| status.code >= 500 || matches!(status.code, 408 | 429))
        }
        _ => false,
    }
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

/// Longer and longer ones: at once, then 0.8 s to 30 s, each shortened by up to half so that many do not come back together.
#[derive(Debug, Default)]
pub(super) struct Pause {
    tries: u32,
}

impl Pause {
    pub(super) fn next(&mut self) -> Duration {
        let tries = self.tries;
        self.tries = tries.saturating_add(1);
        if tries == 0 {
            return Duration::ZERO;
        }
        let longest = Duration::from_millis(800 << (tries - 1).min(10)).min(Duration::from_secs(30));
        // The standard library's own randomness, which seeds its tables.
        let random = u32::try_from(RandomState::new().build_hasher().finish() >> 32).unwrap_or(0);
        longest.mul_f64(1.0 - 0.5 * f64::from(random) / f64::from(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_half_a_minute() {
        let mut pause = Pause::default();
        assert_eq!(pause.next(), Duration::ZERO);
        for longest in [0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0] {
            let next = pause.next().as_secs_f64();
            assert!((longest / 2.0..=longest).contains(&next), "{next} of {longest}");
        }
        pause.tries = u32::MAX;
        assert!(pause.next() <= Duration::from_secs(30));
    }

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
