//! Watches one object that somebody else writes, while it writes others. Arguments: PATH EVENTS WRITERS.

use bench_guest::behind::{self, Seen};
use bench_guest::lists::{self, ListOptions};
use bench_guest::{Client, Error, EventType, Method, Pending, Request, give_up, number, poll, run};

/// How many answers are looked at before the watch is again.
const MOST: usize = 32;

fn main() {
    run(|client, arguments| {
        let (path, wanted, writers) = (&arguments[0], number(arguments, 1), number(arguments, 2));
        let options = ListOptions::new();
        options.set_field_selector(behind::PROBE_SELECTOR);
        options.set_mask(&["data.taken".to_owned()]);
        let events = lists::watch(client, path, options)?;
        let watching = events.subscribe();
        let begin = |writer| Writer::begin(client, path, writer);
        let mut writers = (0..writers).map(begin).collect::<Result<Vec<_>, _>>()?;
        let mut seen = Seen::default();
        while !seen.is_enough(wanted) {
            let waiting = std::iter::once(&watching).chain(writers.iter().map(|writer| &writer.ready));
            // So few at a time that no event waits for long behind answers.
            for index in poll::poll(&waiting.collect::<Vec<_>>()).into_iter().take(MOST) {
                if index > 0 {
                    writers[index as usize - 1].go_on(client, path)?;
                    continue;
                }
                let Some(batch) = events.next()? else { give_up("the watch ended early") };
                // The object's state at the beginning is no event of its being written.
                let written = batch.iter().filter(|event| event.event_type == EventType::Modified);
                written.for_each(|event| seen.add(&event.object));
            }
            // Nor any answer for ever behind those before it.
            let done = writers.len().min(MOST);
            writers.rotate_left(done);
        }
        Ok(seen.tally(wanted))
    });
}

/// Writes one object again and again.
struct Writer {
    number: usize,
    turn: usize,
    ready: poll::Pollable,
    pending: Pending,
}

impl Writer {
    fn begin(client: &Client, path: &str, number: usize) -> Result<Writer, Error> {
        let pending = client.start(put(path, number, 1))?;
        Ok(Writer { number, turn: 1, ready: pending.subscribe(), pending })
    }

    /// Reads the answer and writes anew.
    fn go_on(&mut self, client: &Client, path: &str) -> Result<(), Error> {
        self.pending.take()?.bytes()?;
        self.turn += 1;
        self.pending = client.start(put(path, self.number, self.turn))?;
        self.ready = self.pending.subscribe();
        Ok(())
    }
}

fn put(path: &str, writer: usize, turn: usize) -> Request {
    let request = Request::new(Method::Put, &format!("{path}/{}", behind::name(writer)));
    request.set_body(behind::written(writer, turn).as_bytes());
    request
}
