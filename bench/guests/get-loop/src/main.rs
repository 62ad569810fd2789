//! Gets one object again and again. Arguments: PATH COUNT WAYS; with more than one way, so many requests are in flight at once.

use bench_guest::{Client, Error, Pending, Tally, count, get, number, poll, run};

fn main() {
    run(|client, arguments| {
        let (path, times, ways) = (&arguments[0], number(arguments, 1), number(arguments, 2));
        if ways <= 1 { one_by_one(client, path, times) } else { at_once(client, path, times, ways) }
    });
}

fn one_by_one(client: &Client, path: &str, times: usize) -> Result<Tally, Error> {
    let mut tally = Tally::default();
    for _ in 0..times {
        count(&mut tally, &client.send(get(path))?.bytes()?);
    }
    Ok(tally)
}

fn at_once(client: &Client, path: &str, times: usize, ways: usize) -> Result<Tally, Error> {
    let mut tally = Tally::default();
    let start = || client.start(get(path)).map(|pending| (pending.subscribe(), pending));
    let mut flying =
        (0..ways.min(times)).map(|_| start()).collect::<Result<Vec<(poll::Pollable, Pending)>, Error>>()?;
    let mut left = times - flying.len();
    while !flying.is_empty() {
        let ready = poll::poll(&flying.iter().map(|(pollable, _)| pollable).collect::<Vec<_>>());
        // From the end: what is removed does not move those before it.
        for index in ready.into_iter().rev() {
            let (_, pending) = flying.swap_remove(index as usize);
            count(&mut tally, &pending.take()?.bytes()?);
            if left > 0 {
                left -= 1;
                flying.push(start()?);
            }
        }
    }
    Ok(tally)
}
