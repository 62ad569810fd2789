//! Lists objects as they arrive and keeps none. Arguments: PATH.

use bench_guest::{Items, Tally, count, get, give_up, run};

fn main() {
    run(|client, arguments| {
        let bytes = client.open_bytes(get(&arguments[0]))?;
        let mut items = Items::default();
        let mut tally = Tally::default();
        while let Some(piece) = bytes.next()? {
            let read = items.push(&piece, &mut |item| count(&mut tally, item));
            read.unwrap_or_else(|error| give_up(&error.to_string()));
        }
        items.finish().unwrap_or_else(|error| give_up(&error.to_string()));
        Ok(tally)
    });
}
