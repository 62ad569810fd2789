//! Whoever follows ends with what the server has, whatever happened and however slow it was.

use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::prelude::*;
use tidegate_kube::scan::Filter;
use tidegate_transport::Code;

use super::*;
use crate::log::Limits;
use crate::state::Prepared;
use crate::view::View;
use crate::{Event, Update};

/// What happens, by numbers that proptest shrinks.
#[derive(Clone, Debug)]
enum Step {
    /// The server changes an object, deletes it, or makes it anew, and the watch tells.
    Change { name: u8, how: How },
    /// The same while nobody watches, then a list. It begins twice where it breaks off in between.
    Gap { changes: Vec<(u8, How)>, broken_after: Option<usize>, backwards: bool },
    /// The watch breaks and goes on.
    Trouble,
    /// A follower takes up to so many.
    Take { who: usize, events: usize },
}

#[derive(Clone, Copy, Debug)]
enum How {
    Set,
    Delete,
    Remake,
}

fn how() -> impl Strategy<Value = How> {
    prop_oneof![3 => Just(How::Set), 1 => Just(How::Delete), 1 => Just(How::Remake)]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let changes = proptest::collection::vec((0u8..12, how()), 0..8);
    let gap = (changes, proptest::option::of(0usize..6), any::<bool>());
    proptest::collection::vec(
        prop_oneof![
            8 => (0u8..12, how()).prop_map(|(name, how)| Step::Change { name, how }),
            2 => gap.prop_map(|(changes, broken_after, backwards)| Step::Gap { changes, broken_after, backwards }),
            1 => Just(Step::Trouble),
            6 => (0usize..3, 1usize..6).prop_map(|(who, events)| Step::Take { who, events }),
        ],
        0..120,
    )
}

/// A server whose objects say how often they were made and changed.
#[derive(Default)]
struct Server {
    objects: BTreeMap<String, (u64, u64)>,
    clock: u64,
}

impl Server {
    fn object(&self, name: &str) -> Bytes {
        let (uid, version) = self.objects[name];
        text(name, uid, version).into()
    }

    /// The events of a change.
    fn change(&mut self, name: u8, how: How) -> Vec<Event> {
        let name = format!("o{name:02}");
        self.clock += 1;
        let mut events = Vec::new();
        if matches!(how, How::Delete | How::Remake)
            && let Some((uid, _)) = self.objects.remove(&name)
        {
            events.push(Event::Deleted(text(&name, uid, self.clock).into()));
        }
        if matches!(how, How::Set | How::Remake) {
            let known = self.objects.contains_key(&name);
            let uid = self.objects.get(&name).map_or(self.clock, |(uid, _)| *uid);
            self.objects.insert(name.clone(), (uid, self.clock));
            let object = self.object(&name);
            events.push(if known { Event::Modified(object) } else { Event::Added(object) });
        }
        events
    }

    fn list(&self, backwards: bool) -> Vec<Event> {
        let mut items: Vec<Event> = self.objects.keys().map(|name| Event::Item(self.object(name))).collect();
        if backwards {
            items.reverse();
        }
        items
    }
}

fn text(name: &str, uid: u64, version: u64) -> String {
    let even = is_even(version);
    format!(
        r#"{{"metadata":{{"name":"{name}","namespace":"n","uid":"{uid}","resourceVersion":"{version}","labels":{{"even":"{even}"}}}}}}"#
    )
}

/// What a filter lets pass that changes its mind all the time.
fn is_even(version: u64) -> bool {
    version.is_multiple_of(2)
}

fn even() -> View {
    View { filter: Filter::builder().labels("even=true").build().ok(), ..View::default() }
}

/// A follower and what it made of what it was told.
struct Folder {
    follower: Follower,
    objects: BTreeMap<String, String>,
    /// What one made of it who wants a part of the objects.
    even: BTreeMap<String, String>,
    view: View,
    synced: bool,
    /// Never fell behind: then it misses no state of any object.
    keeps_up: bool,
}

impl Folder {
    fn take(&mut self, state: &State, events: usize) -> bool {
        let mut room = Room::of(events, usize::MAX);
        let more = self.follower.step(state, &mut room);
        assert!(room.told.len() <= events);
        let any = !room.told.is_empty();
        for told in room.told {
            self.show(told.clone());
            self.fold(told);
        }
        any || more == More::Now
    }

    fn show(&mut self, told: Told) {
        let string = |object: Vec<u8>| String::from_utf8(object).unwrap();
        match self.view.show(told).unwrap() {
            Some(Update::Added { object } | Update::Modified { object, .. }) => {
                self.even.insert(name(&object), string(object));
            }
            Some(Update::Deleted { object }) => {
                self.even.remove(&name(&object));
            }
            Some(Update::Reset) => self.even.clear(),
            _ => {}
        }
    }

    fn fold(&mut self, told: Told) {
        match told {
            Told::Change(What::Came(object)) => {
                let before = self.insert(&object);
                assert!(!self.keeps_up || before.is_none(), "{object:?} came twice");
            }
            Told::Change(What::Became { previous, object }) => {
                let before = self.insert(&object);
                assert!(!self.keeps_up || before == Some(string(&previous)), "a state before was lost");
            }
            Told::Changed(object) => {
                assert!(self.insert(&object).is_some(), "what was not there has changed");
            }
            Told::Change(What::Went { previous, .. }) => {
                let before = self.objects.remove(&name(&previous));
                assert!(!self.keeps_up || before == Some(string(&previous)), "a state before was lost");
            }
            Told::Gone(key) => {
                self.objects.remove(key.split_once('/').unwrap().1);
            }
            Told::Perhaps(object) => {
                self.insert(&object);
            }
            Told::Left(object) => {
                self.objects.remove(&name(&object));
            }
            Told::Synced => self.synced = true,
            Told::Desynced => self.synced = false,
            Told::Reset => {
                (self.synced, self.objects) = (false, BTreeMap::new());
            }
            Told::Trouble(_) => {}
        }
    }

    fn insert(&mut self, object: &Object) -> Option<String> {
        self.objects.insert(name(object), string(object))
    }
}

fn string(object: &Object) -> String {
    String::from_utf8(object.to_vec()).unwrap()
}

fn name(object: &[u8]) -> String {
    tidegate_kube::scan::ObjectMeta::of(object).unwrap().name.into_owned()
}

fn trouble() -> Event {
    let why = Error::new(Code::Unreachable, "away");
    Event::Desynced { why, retry_in: Some(std::time::Duration::ZERO) }
}

fn listed(clock: u64) -> Event {
    Event::Listed { version: clock.to_string() }
}

/// Plays it, and compares each follower with the server at the end. `keeps_up`: nobody is slower than the log.
fn play(before: u8, steps: Vec<Step>, limits: Limits, keeps_up: bool) {
    let mut state = State::new(limits);
    let mut server = Server::default();
    let fresh = |head| Folder {
        follower: Follower::new(head),
        objects: BTreeMap::new(),
        even: BTreeMap::new(),
        view: even(),
        synced: false,
        keeps_up,
    };
    let mut followers = vec![fresh(0), fresh(0), fresh(0)];
    let feed = |state: &mut State, events: Vec<Event>| {
        for event in events {
            state.apply(Prepared::of(event));
        }
    };
    for name in 0..before {
        server.change(name, How::Set);
    }
    feed(&mut state, vec![Event::Listing]);
    feed(&mut state, server.list(false));
    feed(&mut state, vec![listed(server.clock)]);
    for step in steps {
        match step {
            Step::Change { name, how } => feed(&mut state, server.change(name, how)),
            Step::Gap { changes, broken_after, backwards } => {
                for (name, how) in changes {
                    server.change(name, how);
                }
                if let Some(broken_after) = broken_after {
                    feed(&mut state, vec![Event::Listing]);
                    feed(&mut state, server.list(backwards).into_iter().take(broken_after).collect());
                    feed(&mut state, vec![trouble()]);
                }
                feed(&mut state, vec![Event::Listing]);
                feed(&mut state, server.list(backwards));
                feed(&mut state, vec![listed(server.clock)]);
            }
            Step::Trouble => {
                let version = server.clock.to_string();
                feed(&mut state, vec![trouble(), Event::Bookmark { version }]);
            }
            Step::Take { who, events } => {
                followers[who].take(&state, events);
            }
        }
    }
    // One more comes when all has happened.
    followers.push(fresh(state.log().head()));
    let wanted: BTreeMap<String, String> = server
        .objects
        .iter()
        .map(|(name, (uid, version))| (name.clone(), text(name, *uid, *version)))
        .collect();
    let stored: Vec<String> = state.store().after(None).map(|entry| string(&entry.object)).collect();
    assert_eq!(stored, wanted.values().cloned().collect::<Vec<_>>());
    assert_eq!(state.bytes() - state.log().bytes(), stored.iter().map(String::len).sum::<usize>());
    for follower in &mut followers {
        let mut turns = 0;
        while follower.take(&state, 3) {
            turns += 1;
            assert!(turns < 1000, "it never ends");
        }
        assert_eq!(follower.objects, wanted);
        let even = server.objects.iter().filter(|(_, (_, version))| is_even(*version));
        assert!(even.map(|(name, _)| name).eq(follower.even.keys()), "{:?}", follower.even);
        assert!(follower.even.iter().all(|(name, object)| wanted[name] == *object));
        assert!(follower.synced);
    }
}

proptest! {
    #[test]
    fn the_slow_end_with_what_the_server_has(before in 0u8..12, steps in steps(), records in 1usize..12, graves in 1usize..8) {
        play(before, steps, Limits { records, graves, ..Limits::default() }, false);
    }

    #[test]
    fn those_who_keep_up_miss_no_state(before in 0u8..12, steps in steps()) {
        play(before, steps, Limits::default(), true);
    }
}

#[test]
fn what_a_log_holds_is_bounded_by_bytes_too() {
    let limits = Limits { bytes: 1000, ..Limits::default() };
    let mut state = State::new(limits);
    let mut server = Server::default();
    state.apply(Prepared::of(Event::Listing));
    state.apply(Prepared::of(listed(0)));
    for _ in 0..200 {
        for event in server.change(0, How::Set) {
            state.apply(Prepared::of(event));
        }
    }
    let remembered = state.log().after(state.log().head() - 8).count();
    assert_eq!(remembered, 8);
    assert!(!state.log().reaches(state.log().head() - 20));
}
