use std::future::Future;
use std::sync::Arc;

use futures_util::stream::{self, Stream, StreamExt};
use tidegate_kube::request::Request;
use tidegate_transport::{Error, Response, Transport};

/// Runs operations, at most `at_once` of them at a time (at least one), and gives their results in the order of the operations.
///
/// Nothing is started before it is asked for, and dropping the stream cancels what is under way.
pub fn in_order<F: Future>(
    at_once: usize,
    operations: impl IntoIterator<Item = F>,
) -> impl Stream<Item = F::Output> {
    stream::iter(operations).buffered(at_once.max(1))
}

/// The same for bare requests: one result each, in their order; an error of one leaves the others alone.
pub async fn requests(
    transport: &Arc<dyn Transport>,
    at_once: usize,
    requests: impl IntoIterator<Item = Request>,
) -> Vec<Result<Response, Error>> {
    in_order(at_once, requests.into_iter().map(|request| transport.clone().send(request, None)))
        .collect()
        .await
}
