//! What becomes of a container whose log has ended.

use std::sync::Arc;

use tidegate_transport::{Code, Error};

use super::{After, Follower, LOOK, Named, Run, Step, Then, is_same_run};
use crate::logs::pod::{Next, Phase, Sight};
use crate::logs::retry::has_code;
use crate::logs::seen::Seen;
use crate::logs::{LogOptions, PartEvent, add};

impl Follower {
    /// Looks what became of the container whose log has ended.
    pub(super) async fn look(&mut self, why: Option<Error>) -> Result<(), Error> {
        let Some(known) = self.known.clone() else {
            self.step = Step::Begin;
            return Ok(());
        };
        let now = match self.sight().await {
            Ok(now) => now,
            Err(error) => return self.again_unless_lasting(error, Step::Ended(why)),
        };
        // A silence is no loss, nor is it in a hurry.
        let mut why = why.filter(|error| error.code() != Code::Timeout);
        if self.settle_tail()
            && let Some(error) = why.take()
        {
            let text = format!("the connection was lost before the lines came that were asked for: {error}");
            self.out.push_back(PartEvent::Gap(text));
        }
        match Next::after(&known, now.as_ref()) {
            Next::Gone => return self.gone(),
            Next::Replaced => return self.replaced(),
            Next::Resume => {
                self.out.extend(why.map(|error| PartEvent::Interrupted(error.to_string())));
                self.step = Step::Begin.after(self.pause.next());
            }
            Next::RestThenWait => self.step = Step::Rest(Run::Current, After::Wait),
            Next::RestThenEnd => self.step = Step::Rest(Run::Current, After::End),
            Next::Restarted { missed } => self.restarted(now, missed),
        }
        Ok(())
    }

    /// The log could not be opened, in the kubelet's words for a container that is about to start.
    pub(super) async fn not_yet(&mut self, error: Error, before: &Sight) -> Result<(), Error> {
        let now = match self.sight().await {
            Ok(Some(now)) => now,
            Ok(None) => return self.gone(),
            Err(error) => return self.again_unless_lasting(error, Step::Begin),
        };
        if now.phase != Phase::Waiting && is_same_run(&now, before) {
            return Err(error);
        }
        self.step = Step::Begin.after(LOOK);
        Ok(())
    }

    /// From now on, what was written since the log was opened first is read, however many lines were asked for. Whether that may leave some
    /// out: none of them came, and only the first reading could say that there were none.
    fn settle_tail(&mut self) -> bool {
        let tail = self.options.tail.is_some_and(|lines| lines > 0);
        if !tail || self.options.since.is_some() || self.seen.since().is_some() {
            return false;
        }
        self.options = Arc::new(LogOptions { tail: Some(0), ..(*self.options).clone() });
        true
    }

    /// Looks whether a container that had stopped was started again.
    pub(super) async fn wait(&mut self) -> Result<(), Error> {
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
    pub(super) async fn rest(&mut self, run: Run, after: After) -> Result<(), Error> {
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

    pub(super) fn rested(&mut self, after: After) {
        match after {
            After::NewRun => {
                self.known = self.coming.take();
                self.start_anew();
                self.out.push_back(PartEvent::Restarted);
                self.step = Step::Begin;
            }
            After::Wait => self.step = Step::Wait,
            After::End => self.out.push_back(PartEvent::Ended),
        }
    }

    pub(super) fn gone(&mut self) -> Result<(), Error> {
        self.step = Step::Over;
        self.out.push_back(PartEvent::Ended);
        Ok(())
    }

    fn replaced(&mut self) -> Result<(), Error> {
        if self.named == Named::Selector {
            return self.gone();
        }
        self.start_anew();
        // Perhaps on a node with another clock.
        (self.seen, self.known) = (Seen::default(), None);
        self.out.push_back(PartEvent::Restarted);
        self.step = Step::Begin;
        Ok(())
    }

    /// What comes is of a later run than the one that was asked for: it is wanted from its beginning.
    fn start_anew(&mut self) {
        self.options = Arc::new(LogOptions { since: None, tail: None, ..(*self.options).clone() });
    }
}
