//! What becomes of a container whose log has ended.

use std::sync::Arc;

use tidegate_transport::{Code, Error};

use super::{After, Follower, LOOK, Named, Run, Step, Then, is_same_run};
use crate::logs::pod::{Next, Sight};
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
        // From its beginning, and perhaps on a node with another clock.
        let options = LogOptions { since: None, tail: None, ..(*self.options).clone() };
        (self.options, self.seen, self.known) = (Arc::new(options), Seen::default(), None);
        self.out.push_back(PartEvent::Restarted);
        self.step = Step::Begin;
        Ok(())
    }
}
