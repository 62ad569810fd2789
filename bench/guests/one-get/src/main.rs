//! Gets one object and ends. Arguments: PATH.

use bench_guest::{Tally, count, get, run};

fn main() {
    run(|client, arguments| {
        let body = client.send(get(&arguments[0]))?.bytes()?;
        let mut tally = Tally::default();
        count(&mut tally, &body);
        Ok(tally)
    });
}
