//! Does what the machine orders.

mod random;
mod work;

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tidegate_kube::frames::watch::EventType;
use tidegate_kube::scan::resource_version;
use tidegate_transport::{Transport, Wanted, WatchEvent};
use tokio::time::{Instant, sleep};

use crate::machine::{Change, Event, Input, Machine, Now, Order};
use crate::{Failure, Spec};
use random::Random;
use work::{Happened, Work};

/// How many events are handed over at a time.
const BATCH: usize = 256;

/// How many bytes are handed over at a time, unless one object alone has more.
const BATCH_BYTES: usize = 256 << 10;

/// The events of a list and a watch that go on for ever. Dropped, it ends them.
///
/// It has no task: it goes on only while somebody waits for [`next`](Watcher::next) or [`ready`](Watcher::ready), and reads no further than
/// the batch that is handed over next. So who does not read holds the server back, and finds a new list where that took too long.
pub struct Watcher {
    transport: Arc<dyn Transport>,
    spec: Spec,
    machine: Machine,
    began: Instant,
    random: Random,
    work: Work,
    /// What was told and not yet handed over.
    told: Vec<Event>,
    told_bytes: usize,
}

impl Watcher {
    /// Begins. Nothing is sent before somebody waits.
    pub fn start(transport: Arc<dyn Transport>, spec: Spec) -> Watcher {
        let machine = Machine::new(spec.from.clone());
        let mut watcher = Watcher {
            transport,
            spec,
            machine,
            began: Instant::now(),
            random: Random::default(),
            work: Work::Ended,
            told: Vec::new(),
            told_bytes: 0,
        };
        let now = watcher.now();
        let order = watcher.machine.begin(now);
        watcher.obey(order);
        watcher
    }

    /// What is there: at most 256 events and 256 KiB, or one object that is larger. Waits for something; empty only after a last
    /// [`Event::Desynced`] that says that nothing more will come. [`Event::Desynced`] always ends a batch. Cancel-safe.
    pub async fn next(&mut self) -> Vec<Event> {
        self.ready().await;
        self.told_bytes = 0;
        let rest = self.told.split_off(self.told.len().min(BATCH));
        std::mem::replace(&mut self.told, rest)
    }

    /// Waits until [`next`](Watcher::next) would not wait. Cancel-safe.
    pub async fn ready(&mut self) {
        poll_fn(|cx| self.poll_fill(cx)).await;
    }

    /// Waits until there is something to hand over. What is there already is taken, as far as it fits one batch.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.is_full() {
                return Poll::Ready(());
            }
            if self.poll_work(cx).is_pending() {
                return if self.told.is_empty() { Poll::Pending } else { Poll::Ready(()) };
            }
        }
    }

    fn is_full(&self) -> bool {
        matches!(self.work, Work::Ended)
            || matches!(self.told.last(), Some(Event::Desynced { .. }))
            || self.told.len() >= BATCH
            || self.told_bytes >= BATCH_BYTES
    }

    /// One step of the work at hand.
    fn poll_work(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match ready!(self.work.poll(cx, self.spec.idle)) {
            Happened::ListOpened(stream) => {
                self.work = Work::Listing(stream);
                self.step(Input::ListBegun);
            }
            Happened::Items(items) => {
                for item in items {
                    self.told_bytes += item.len();
                    self.step(Input::Item(item.into()));
                }
            }
            Happened::ListEnded(version) => self.step(Input::ListEnded { version: &version }),
            Happened::WatchOpened(response) => {
                self.work = Work::watching(response.body, self.spec.decoder());
                self.step(Input::WatchBegun);
            }
            Happened::Event(event) => self.event(event),
            Happened::WatchEnded => self.step(Input::WatchEnded),
            Happened::Failed(error) => self.step(Input::Failed(Failure::of(error))),
            Happened::Silent => self.step(Input::Silent),
            Happened::Answered(version) => self.step(Input::Answered { version: version.as_deref() }),
            Happened::Unanswered(error) => self.step(Input::Unanswered(Failure::of(error))),
            Happened::Waited => self.step(Input::Waited),
        }
        Poll::Ready(())
    }

    fn event(&mut self, event: WatchEvent) {
        let whole = event.whole.clone();
        // What cannot be read has no version, which the machine does not let pass.
        let version = &*resource_version(&whole).unwrap_or_default();
        let change = match event.ty {
            EventType::Error => return self.step(Input::Failed(Failure::of(event.failure()))),
            EventType::Bookmark => return self.step(Input::Bookmark { version }),
            EventType::Added => Change::Added,
            EventType::Modified => Change::Modified,
            EventType::Deleted => Change::Deleted,
        };
        let object = (event.wanted == Wanted::Yes).then(|| event.into_object());
        self.told_bytes += object.as_ref().map_or(0, Bytes::len);
        self.step(Input::Changed { change, object, version });
    }

    fn step(&mut self, input: Input<'_>) {
        let now = self.now();
        let order = self.machine.step(input, now, &mut self.told);
        self.obey(order);
    }

    fn obey(&mut self, order: Order) {
        let transport = &self.transport;
        match order {
            Order::GoOn => {}
            Order::List(form) => {
                self.work = Work::list(transport.clone(), self.spec.path.clone(), self.spec.list(form));
            }
            Order::Watch { version, timeout } => {
                let request = self.spec.watch(version, timeout, transport.as_ref());
                self.work = Work::Sending(transport.clone().send(request, None));
            }
            Order::Probe => self.work.probe(transport.clone(), &self.spec),
            Order::Wait(time) => self.work = Work::Waiting(Box::pin(sleep(time))),
            Order::End => self.work = Work::Ended,
        }
    }

    fn now(&mut self) -> Now {
        Now { at: self.began.elapsed(), random: self.random.next() }
    }
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Watcher { transport, spec, machine, .. } = self;
        f.debug_struct("Watcher")
            .field("transport", transport)
            .field("path", &spec.path)
            .field("machine", machine)
            .finish_non_exhaustive()
    }
}
