//! A small world that makes first runs alive: a node, a scheduler, a kubelet that starts pods in a second or two, and
//! the controllers of Deployments and ReplicaSets. Everything a step does follows from the state and the time that
//! it is given.

mod kubelet;
pub(crate) mod seed;
mod workloads;

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use time::OffsetDateTime;
use tokio::time::{MissedTickBehavior, interval};

use crate::api::{State, suffix};
use crate::server::Shared;
use crate::store::{Key, TableId};
use kubelet::Kubelet;
use workloads::Workloads;

/// The node that pods run on.
pub(crate) const NODE: &str = "playground-node";

/// How often the world looks at what has changed.
const TICK: Duration = Duration::from_millis(100);

/// Pods that the trickle leaves before it takes the oldest away.
const TRICKLE_KEEPS: usize = 10;

/// A running world.
pub(crate) struct World {
    kubelet: Kubelet,
    workloads: Workloads,
    trickle: Option<Trickle>,
}

/// Pods that come and go by themselves.
struct Trickle {
    every: time::Duration,
    next: OffsetDateTime,
    alive: Vec<Key>,
}

impl World {
    /// A world that makes `pods_per_second` pods by itself; none where that is 0.
    pub(crate) fn new(pods_per_second: f64, now: OffsetDateTime) -> World {
        let trickle = (pods_per_second > 0.0).then(|| {
            let every = time::Duration::seconds_f64(1.0 / pods_per_second);
            Trickle { every, next: now + every, alive: Vec::new() }
        });
        World { kubelet: Kubelet::default(), workloads: Workloads::default(), trickle }
    }

    /// Does what is due.
    pub(crate) fn step(&mut self, state: &mut State, now: OffsetDateTime) {
        if let Some(trickle) = &mut self.trickle {
            trickle.step(state, now);
        }
        self.workloads.step(state, now);
        self.kubelet.step(state, now);
    }
}

impl Trickle {
    fn step(&mut self, state: &mut State, now: OffsetDateTime) {
        if now < self.next {
            return;
        }
        self.next = now + self.every;
        let name = format!("visitor-{}", suffix());
        let pod = json!({
            "metadata": {"name": name, "namespace": "default", "labels": {"app": "visitor"}},
            "spec": {"containers": [{"name": "visitor", "image": "registry.k8s.io/pause:3.10"}]},
        });
        if let Some(pod) = state.plant("", "pods", pod, now) {
            self.alive.push(pod.key.clone());
        }
        if self.alive.len() > TRICKLE_KEEPS {
            let place = (TableId::new("", "pods"), self.alive.remove(0));
            kubelet::end(state, &place, now);
        }
    }
}

/// Lets the world go on until the playground stops.
pub(crate) async fn run(shared: Arc<Shared>, mut world: World) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = shared.stopped() => return,
        }
        shared.with(|state| world.step(state, OffsetDateTime::now_utc()));
    }
}
