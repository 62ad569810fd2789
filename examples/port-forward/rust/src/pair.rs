//! A connection on this machine and the one to the pod that it belongs to.

use std::task::Poll;
use std::time::{Duration, Instant};

use tidegate::{Forward, Pollable, Result, Socket};

/// How long the pod may be silent once the local side has sent all: it is not told, since the protocol has no word for it.
const SILENCE: Duration = Duration::from_secs(5);

pub(crate) struct Pair {
    local: Socket,
    /// None once it has ended.
    pod: Option<Forward>,
    /// Read on one side and not yet written to the other.
    to_pod: Vec<u8>,
    to_local: Vec<u8>,
    /// Set once nothing more goes to the pod: until when it may be silent.
    until: Option<Instant>,
}

impl Pair {
    pub(crate) fn new(local: Socket, pod: Forward) -> Self {
        Self { local, pod: Some(pod), to_pod: Vec::new(), to_local: Vec::new(), until: None }
    }

    /// Moves what can be moved without waiting; whether there is more to come.
    pub(crate) fn step(&mut self) -> Result<bool> {
        self.there()?;
        self.back()?;
        if self.pod.is_none() && self.to_local.is_empty() {
            self.local.finish()?;
            return Ok(false);
        }
        if self.until.is_some_and(|until| Instant::now() >= until) {
            if let Some(pod) = self.pod.take() {
                pod.finish();
            }
            return Ok(false);
        }
        Ok(true)
    }

    /// From here to the pod.
    fn there(&mut self) -> Result<()> {
        while let Some(pod) = &self.pod {
            if !self.to_pod.is_empty() {
                match pod.try_write(&self.to_pod) {
                    Ok(taken) => drop(self.to_pod.drain(..taken)),
                    // Why, is told by what is read, after what the pod sent before.
                    Err(_) => self.sent_all(),
                }
                if !self.to_pod.is_empty() {
                    break;
                }
            }
            if self.until.is_some() {
                break;
            }
            match self.local.try_next() {
                Poll::Pending => break,
                Poll::Ready(Some(bytes)) => self.to_pod = bytes?,
                Poll::Ready(None) => self.sent_all(),
            }
        }
        Ok(())
    }

    fn sent_all(&mut self) {
        self.to_pod.clear();
        self.until = Some(Instant::now() + SILENCE);
    }

    /// From the pod to here.
    fn back(&mut self) -> Result<()> {
        loop {
            if !self.to_local.is_empty() {
                let taken = self.local.try_write(&self.to_local)?;
                self.to_local.drain(..taken);
                if !self.to_local.is_empty() {
                    break;
                }
            }
            let Some(pod) = &mut self.pod else { break };
            match pod.try_next() {
                Poll::Pending => break,
                Poll::Ready(Some(bytes)) => {
                    self.to_local = bytes?;
                    self.until = self.until.map(|_| Instant::now() + SILENCE);
                }
                Poll::Ready(None) => self.pod = None,
            }
        }
        Ok(())
    }

    /// What to wait for before the next step.
    pub(crate) fn waits(&self) -> Vec<Pollable> {
        let mut waits = Vec::with_capacity(3);
        if let Some(pod) = &self.pod {
            if !self.to_pod.is_empty() {
                waits.push(pod.subscribe_write());
            } else if self.until.is_none() {
                waits.push(self.local.subscribe());
            }
            if self.to_local.is_empty() {
                waits.push(pod.subscribe());
            }
        }
        if !self.to_local.is_empty() {
            waits.push(self.local.subscribe_write());
        }
        waits
            .extend(self.until.map(|until| tidegate::after(until.saturating_duration_since(Instant::now()))));
        waits
    }
}
