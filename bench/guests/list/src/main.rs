//! Lists objects as they arrive and keeps none; the host leaves out all but what is counted. Arguments: PATH.

use bench_guest::lists::{self, ListOptions};
use bench_guest::{COUNTED, Tally, count, run};

fn main() {
    run(|client, arguments| {
        let options = ListOptions::new();
        options.set_source("whole");
        options.set_mask(&COUNTED.map(str::to_owned));
        let items = lists::open(client, &arguments[0], options)?;
        let mut tally = Tally::default();
        while let Some(batch) = items.next()? {
            batch.iter().for_each(|item| count(&mut tally, item));
        }
        Ok(tally)
    });
}
