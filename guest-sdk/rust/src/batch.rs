use std::collections::VecDeque;

use crate::{Client, Error, Pending, Request, Response, Result, poll};

impl Client {
    /// Makes many requests, at most `at_once` of them at a time (at least one): one result each, in the order of the requests. An error of one
    /// leaves the others alone.
    pub fn batch<R>(&self, at_once: usize, requests: impl IntoIterator<Item = R>) -> Vec<Result<Response>>
    where
        R: TryInto<Request, Error: Into<Error>>,
    {
        let mut results: Vec<Option<Result<Response>>> = Vec::new();
        let mut flying: VecDeque<(usize, Pending)> = VecDeque::new();
        for request in requests {
            while flying.len() >= at_once.max(1) {
                land(&mut flying, &mut results);
            }
            let place = results.len();
            match self.start(request) {
                Ok(pending) => {
                    results.push(None);
                    flying.push_back((place, pending));
                }
                Err(error) => results.push(Some(Err(error))),
            }
        }
        while !flying.is_empty() {
            land(&mut flying, &mut results);
        }
        results.into_iter().flatten().collect()
    }
}

/// Waits for one of them at least, and takes all that are there.
fn land(flying: &mut VecDeque<(usize, Pending)>, results: &mut [Option<Result<Response>>]) {
    let pollables: Vec<_> = flying.iter().map(|(_, pending)| pending.subscribe()).collect();
    let ready = poll(&pollables.iter().collect::<Vec<_>>());
    drop(pollables);
    for at in ready.into_iter().rev() {
        if let Some((place, pending)) = flying.remove(at) {
            results[place] = Some(pending.take());
        }
    }
}
