//! Watches until it has seen so many events. Arguments: PATH COUNT, the path with the query of a watch.

use bench_guest::{EventType, Tally, get, give_up, identity, number, run};

fn main() {
    run(|client, arguments| {
        let wanted = number(arguments, 1) as u64;
        let events = client.open_events(get(&arguments[0]))?;
        let mut tally = Tally::default();
        while tally.count < wanted {
            let Some(batch) = events.next()? else { give_up("the watch ended early") };
            for event in batch.iter().take((wanted - tally.count) as usize) {
                let found = identity(&event.object).unwrap_or_else(|| give_up("an event has no object"));
                tally.add(&found);
                tally.weight += word(event.event_type).len() as u64;
            }
        }
        Ok(tally)
    });
}

fn word(event_type: EventType) -> &'static str {
    match event_type {
        EventType::Added => "ADDED",
        EventType::Modified => "MODIFIED",
        EventType::Deleted => "DELETED",
        EventType::Bookmark => "BOOKMARK",
        EventType::Error => "ERROR",
    }
}
