//! Drives a watch: sends what it has, waits for its table, and ends it in time.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use time::OffsetDateTime;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::Shared;
use crate::api::watch::{Turn, Watch};

/// Chunks that wait for a slow client before its watch waits too.
const AHEAD: usize = 2;

/// The real server sends a bookmark about once a minute.
const BOOKMARKS: Duration = Duration::from_secs(60);

/// Starts the watch; its bytes come out of the receiver, and it ends when that is dropped.
pub(super) fn start(shared: Arc<Shared>, watch: Box<Watch>) -> mpsc::Receiver<Bytes> {
    let (sender, receiver) = mpsc::channel(AHEAD);
    tokio::spawn(drive(shared, watch, sender));
    receiver
}

async fn drive(shared: Arc<Shared>, mut watch: Box<Watch>, sender: mpsc::Sender<Bytes>) {
    let mut changes = shared.changes(watch.table());
    let end = Instant::now() + watch.lifetime;
    let mut bookmarks = interval(BOOKMARKS);
    bookmarks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    bookmarks.tick().await;
    loop {
        changes.mark_unchanged();
        let collected = shared.look(|state| watch.turn(&state.store));
        let (bytes, idle) = match watch.write(collected, OffsetDateTime::now_utc().unix_timestamp()) {
            Turn::More(bytes) => (bytes, false),
            Turn::Idle(bytes) => (bytes, true),
            Turn::End(bytes) => {
                let _ = sender.send(bytes.into()).await;
                return;
            }
        };
        if !bytes.is_empty() && sender.send(bytes.into()).await.is_err() {
            return;
        }
        if Instant::now() >= end {
            return finish(watch, sender).await;
        }
        if !idle {
            continue;
        }
        tokio::select! {
            _ = changes.changed() => {}
            _ = bookmarks.tick() => {
                if let Some(bytes) = watch.bookmark()
                    && sender.send(bytes.into()).await.is_err()
                {
                    return;
                }
            }
            () = sleep_until(end) => return finish(watch, sender).await,
            () = sender.closed() => return,
            () = shared.stopped() => return,
        }
    }
}

/// A last bookmark, so that the next watch need not replay what this one has looked at.
async fn finish(mut watch: Box<Watch>, sender: mpsc::Sender<Bytes>) {
    if let Some(bytes) = watch.bookmark() {
        let _ = sender.send(bytes.into()).await;
    }
}
