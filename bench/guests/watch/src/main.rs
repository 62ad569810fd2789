//! Watches from the state that is there until it has seen so many events; the host leaves out all but what is counted. Arguments: PATH COUNT.

use bench_guest::lists::{self, ListOptions};
use bench_guest::{COUNTED, EventType, Tally, give_up, identity, number, run};

fn main() {
    run(|client, arguments| {
        let wanted = number(arguments, 1) as u64;
        let options = ListOptions::new();
        options.set_resource_version("0", None);
        options.set_mask(&COUNTED.map(str::to_owned));
        let events = lists::watch(client, &arguments[0], options)?;
        let mut tally = Tally::default();
        while tally.count < wanted {
            let Some(batch) = events.next()? else { give_up("the watch ended early") };
            let changes = batch.iter().filter_map(|event| Some((word(event.event_type)?, &event.object)));
            for (word, object) in changes.take((wanted - tally.count) as usize) {
                let found = identity(object).unwrap_or_else(|| give_up("an event has no object"));
                tally.add(&found);
                tally.weight += word.len() as u64;
            }
        }
        Ok(tally)
    });
}

/// None for what is no change: whether there are bookmarks is the client's wish.
fn word(event_type: EventType) -> Option<&'static str> {
    match event_type {
        EventType::Added => Some("ADDED"),
        EventType::Modified => Some("MODIFIED"),
        EventType::Deleted => Some("DELETED"),
        EventType::Bookmark | EventType::Error => None,
    }
}
