//! The machine against a model of a server: whatever goes wrong, what was told adds up to what is there once nothing does.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use tidegate_kube::status::from_response;
use tidegate_transport::{Code, Error};

use super::*;

/// What happens on either side of the wire.
#[derive(Debug, Clone, Copy)]
enum Act {
    /// Somebody writes or deletes one of a few objects.
    Write(u8),
    Delete(u8),
    /// Somebody writes what the watched path does not show: only the version moves.
    Elsewhere,
    /// The server forgets all but the newest changes.
    Compact,
    /// The server loses its newest changes: it is restored.
    Restore,
    /// The order at hand goes on a step.
    Go,
    Bookmark,
    /// The order at hand fails.
    Cut,
    Away,
    Busy,
    Refuse,
    /// The watch ends as it should, or stops without a word.
    End,
    Stall,
    /// Time passes.
    Pass(u8),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        8 => (0..6u8).prop_map(Act::Write),
        4 => (0..6u8).prop_map(Act::Delete),
        1 => Just(Act::Elsewhere),
        2 => Just(Act::Compact),
        1 => Just(Act::Restore),
        30 => Just(Act::Go),
        2 => Just(Act::Bookmark),
        2 => Just(Act::Cut),
        1 => Just(Act::Away),
        1 => Just(Act::Busy),
        1 => Just(Act::Refuse),
        2 => Just(Act::End),
        1 => Just(Act::Stall),
        3 => any::<u8>().prop_map(Act::Pass),
    ]
}

/// A change of one object, at a version; none where it is gone.
#[derive(Debug, Clone)]
struct Write {
    version: u64,
    name: u8,
    value: Option<u64>,
}

#[derive(Debug, Default)]
struct Server {
    version: u64,
    /// Of this life; a restored server writes other values at the same versions.
    life: u64,
    writes: Vec<Write>,
    compacted: u64,
}

impl Server {
    fn write(&mut self, name: u8, alive: bool) {
        if !alive && !self.objects(self.version).contains_key(&name) {
            return;
        }
        self.version += 1;
        let value = alive.then_some(self.life << 32 | self.version);
        self.writes.push(Write { version: self.version, name, value });
    }

    /// What is there at a version.
    fn objects(&self, version: u64) -> BTreeMap<u8, u64> {
        let mut objects = BTreeMap::new();
        for write in self.writes.iter().filter(|write| write.version <= version) {
            match write.value {
                Some(value) => objects.insert(write.name, value),
                None => objects.remove(&write.name),
            };
        }
        objects
    }
}

/// What is under way, as a driver would have it.
#[derive(Debug)]
enum Way {
    Asking,
    Listing { version: u64, left: Vec<u64> },
    Opening { version: u64 },
    Watching { version: u64, stalled: bool, probing: bool },
    Waiting { until: Duration },
}

/// What those who watch know, folded from what they are told.
#[derive(Debug, Default)]
struct Known {
    objects: BTreeMap<u8, u64>,
    listing: Option<BTreeMap<u8, u64>>,
    /// Objects that a list's end showed to be gone.
    diffed: usize,
}

impl Known {
    fn tell(&mut self, event: &Event) {
        let object =
            |bytes: &Bytes| -> (u8, u64) { serde_json::from_slice(bytes).expect("an object of the model") };
        match event {
            Event::Listing => self.listing = Some(BTreeMap::new()),
            Event::Item(item) => {
                let (name, value) = object(item);
                self.listing.as_mut().expect("an item within a list").insert(name, value);
            }
            Event::Listed { .. } => {
                let listed = self.listing.take().expect("a list has begun");
                self.diffed += self.objects.keys().filter(|name| !listed.contains_key(name)).count();
                self.objects = listed;
            }
            Event::Added(added) => {
                let (name, value) = object(added);
                assert!(self.objects.insert(name, value).is_none(), "{name} was added twice");
            }
            Event::Modified(modified) => {
                let (name, value) = object(modified);
                assert!(self.objects.insert(name, value).is_some(), "{name} was never added");
            }
            Event::Deleted(deleted) => {
                let (name, _) = object(deleted);
                assert!(self.objects.remove(&name).is_some(), "{name} was deleted twice");
            }
            Event::Bookmark { .. } => {}
            Event::Desynced { retry_in, .. } => {
                assert!(retry_in.is_some(), "no fault of a server is for ever");
                // A list that broke off says nothing.
                self.listing = None;
            }
        }
    }
}

struct World {
    server: Server,
    machine: Machine,
    way: Way,
    known: Known,
    now: Duration,
    steps: u64,
    /// Whether the server was restored to before what was told, and nobody could notice yet.
    restored: bool,
}

impl World {
    fn new() -> World {
        let mut world = World {
            server: Server { version: 1, ..Server::default() },
            machine: Machine::new(None),
            way: Way::Asking,
            known: Known::default(),
            now: Duration::ZERO,
            steps: 0,
            restored: false,
        };
        let now = world.at();
        let order = world.machine.begin(now);
        world.obey(order);
        world
    }

    fn at(&mut self) -> Now {
        self.steps += 1;
        Now { at: self.now, random: self.steps.wrapping_mul(0x9e37_79b9_7f4a_7c15) }
    }

    fn input(&mut self, input: Input<'_>) {
        let (now, mut told) = (self.at(), Vec::new());
        let order = self.machine.step(input, now, &mut told);
        told.iter().for_each(|event| self.known.tell(event));
        self.obey(order);
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::GoOn => {}
            Order::List(_) => self.way = Way::Asking,
            Order::Watch { version, .. } => {
                self.way = Way::Opening { version: version.parse().expect("a version of the model") };
            }
            Order::Probe => match &mut self.way {
                Way::Watching { probing, .. } => *probing = true,
                way => panic!("a probe while {way:?}"),
            },
            Order::Wait(time) => self.way = Way::Waiting { until: self.now + time },
            Order::End => panic!("no fault of a server is for ever"),
        }
    }

    fn fail(&mut self, error: Error) {
        if !matches!(self.way, Way::Waiting { .. }) {
            self.input(Input::Failed(Failure::of(error)));
        }
    }

    fn status(code: u16) -> Error {
        Error::from_status(from_response(code, None, b""))
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Write(name) => self.server.write(name, true),
            Act::Delete(name) => self.server.write(name, false),
            Act::Elsewhere => self.server.version += 1,
            Act::Compact => self.server.compacted = self.server.version,
            Act::Restore => self.restore(),
            Act::Go => self.go(),
            Act::Bookmark => self.bookmark(),
            Act::Cut => self.fail(Error::new(Code::Protocol, "cut")),
            Act::Away => self.fail(Error::new(Code::Unreachable, "away")),
            Act::Busy => self.fail(World::status(429)),
            Act::Refuse => self.fail(World::status(500)),
            Act::End => {
                if let Way::Watching { .. } = self.way {
                    self.input(Input::WatchEnded);
                }
            }
            Act::Stall => {
                if let Way::Watching { stalled, .. } = &mut self.way {
                    *stalled = true;
                }
            }
            Act::Pass(seconds) => self.now += Duration::from_secs(seconds.into()),
        }
    }

    /// Back to an earlier state. All connections break, as they do when etcd is restored and API servers are restarted.
    fn restore(&mut self) {
        let server = &mut self.server;
        server.version = (server.version / 2).max(1);
        server.life += 1;
        let version = server.version;
        server.writes.retain(|write| write.version <= version);
        server.compacted = server.compacted.min(version);
        // Otherwise nothing was told that is not so.
        self.restored |= self.machine.version.parse().is_ok_and(|told: u64| told > version);
        self.fail(Error::new(Code::Unreachable, "restarted"));
    }

    fn bookmark(&mut self) {
        if let Way::Watching { version, stalled: false, probing } = &mut self.way
            && self.server.writes.iter().all(|write| write.version <= *version)
            && self.server.version > *version
        {
            // A sign of life: the probe is given up, as it is for an event.
            (*version, *probing) = (self.server.version, false);
            let version = version.to_string();
            self.input(Input::Bookmark { version: &version });
        }
    }

    /// The next thing that happens if nothing goes wrong.
    fn go(&mut self) {
        match &mut self.way {
            Way::Asking => {
                let left =
                    self.server.objects(self.server.version).keys().map(|name| u64::from(*name)).collect();
                self.way = Way::Listing { version: self.server.version, left };
                self.input(Input::ListBegun);
            }
            Way::Listing { version, .. }
                if *version < self.server.compacted && self.steps.is_multiple_of(3) =>
            {
                self.fail(World::status(410));
            }
            Way::Listing { version, left } => match left.pop() {
                Some(name) => {
                    let name = name as u8;
                    let value = self.server.objects(*version).get(&name).copied().unwrap_or_default();
                    self.input(Input::Item(object(name, value)));
                }
                None => {
                    let version = version.to_string();
                    self.restored = false;
                    self.input(Input::ListEnded { version: &version });
                }
            },
            Way::Opening { version } if *version < self.server.compacted => self.fail(World::status(410)),
            Way::Opening { version } => {
                self.way = Way::Watching { version: *version, stalled: false, probing: false };
                self.input(Input::WatchBegun);
            }
            Way::Watching { probing: true, .. } => {
                let version = self.server.version.to_string();
                self.input(Input::Answered { version: Some(&version) });
            }
            Way::Watching { version, stalled: false, .. } => {
                let after = *version;
                self.event_after(after);
            }
            Way::Watching { .. } => {
                self.now += Duration::from_secs(90);
                self.input(Input::Silent);
            }
            Way::Waiting { until } => {
                self.now = self.now.max(*until);
                self.input(Input::Waited);
            }
        }
    }

    /// The next event of a watch; silence where there is none.
    fn event_after(&mut self, after: u64) {
        let Some(write) = self.server.writes.iter().find(|write| write.version > after).cloned() else {
            self.now += Duration::from_secs(90);
            return self.input(Input::Silent);
        };
        if let Way::Watching { version, probing, .. } = &mut self.way {
            (*version, *probing) = (write.version, false);
        }
        let existed = self.server.objects(write.version - 1).contains_key(&write.name);
        let change = match (existed, write.value) {
            (_, None) => Change::Deleted,
            (false, _) => Change::Added,
            (true, _) => Change::Modified,
        };
        let (object, version) =
            (object(write.name, write.value.unwrap_or_default()), write.version.to_string());
        self.input(Input::Changed { change, object: Some(object), version: &version });
    }

    /// Whether all that there is was told.
    fn is_current(&self) -> bool {
        matches!(self.way, Way::Opening { .. } | Way::Watching { .. })
            && !self.restored
            && self.known.objects == self.server.objects(self.server.version)
    }
}

fn object(name: u8, value: u64) -> Bytes {
    format!("[{name},{value}]").into()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn once_nothing_goes_wrong_all_is_known(acts in prop::collection::vec(act(), 0..400)) {
        let mut world = World::new();
        for act in acts {
            // A server that was restored is written to only after whoever watches could have seen that; see the test below.
            if world.restored && matches!(act, Act::Write(_) | Act::Delete(_) | Act::Elsewhere | Act::Bookmark) {
                continue;
            }
            world.act(act);
        }
        for _ in 0..400 {
            world.go();
        }
        prop_assert!(world.is_current(), "{:?} {:?} {:?}", world.machine, world.server, world.known.objects);
        // And what happens from now on is told one by one.
        let diffed = world.known.diffed;
        for name in 0..6 {
            world.server.write(name, true);
            world.server.write(name, false);
        }
        for _ in 0..60 {
            world.go();
        }
        prop_assert!(world.is_current() && world.known.objects.is_empty());
        prop_assert_eq!(world.known.diffed, diffed);
    }
}

#[test]
fn what_was_deleted_in_a_gap_is_told_by_the_list() {
    let mut world = World::new();
    world.server.write(1, true);
    world.server.write(2, true);
    (0..8).for_each(|_| world.go());
    assert!(world.is_current(), "{:?}", world.known);
    world.act(Act::Cut);
    world.server.write(1, false);
    world.act(Act::Compact);
    world.server.write(3, true);
    (0..20).for_each(|_| world.go());
    assert!(world.is_current(), "{:?}", world.known);
    assert_eq!((world.known.diffed, world.known.objects.len()), (1, 2));
}
