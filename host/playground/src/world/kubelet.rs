//! Binds pods to the node, starts them after a moment, and ends those that are to go.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use super::NODE;
use crate::api::{State, timestamp};
use crate::store::{Change, Event, Place, TableId};

/// How long a pod stays Pending.
const START: Duration = Duration::milliseconds(900);

/// How long a pod takes to end, whatever its grace.
const STOP: Duration = Duration::milliseconds(600);

/// Events looked at in one step.
const BATCH: usize = 4096;

/// What holds for a pod that runs.
const CONDITIONS: [&str; 5] =
    ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"];

/// What is to happen to a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Start,
    Remove,
}

/// The node's agent.
#[derive(Default)]
pub(super) struct Kubelet {
    seen: u64,
    due: BTreeMap<(OffsetDateTime, Place), Step>,
    addresses: u32,
}

impl Kubelet {
    pub(super) fn step(&mut self, state: &mut State, now: OffsetDateTime) {
        let pods = TableId::new("", "pods");
        match state.store.events_after(&pods, self.seen, BATCH) {
            Ok(events) => {
                for event in &events {
                    self.seen = event.revision;
                    self.note(state, &pods, event, now);
                }
            }
            // Compacted away: whoever was missed is as it is.
            Err(_) => self.seen = state.store.revision(),
        }
        while let Some((due, step)) = self.due.pop_first() {
            if due.0 > now {
                self.due.insert(due, step);
                break;
            }
            match step {
                Step::Start => self.start(state, &due.1, now),
                Step::Remove => remove(state, &due.1),
            }
        }
    }

    fn note(&mut self, state: &mut State, pods: &TableId, event: &Event, now: OffsetDateTime) {
        if event.change == Change::Deleted {
            return;
        }
        let object = &event.object;
        let place = (pods.clone(), object.key.clone());
        match (object.field("spec.nodeName"), object.field("status.phase")) {
            _ if object.is_going() => drop(self.due.insert((now + STOP, place), Step::Remove)),
            (Some(""), _) => bind(state, &place, now),
            (Some(NODE), Some("Pending")) => drop(self.due.insert((now + START, place), Step::Start)),
            _ => {}
        }
    }

    fn start(&mut self, state: &mut State, place: &Place, now: OffsetDateTime) {
        self.addresses += 1;
        let address = format!("10.244.{}.{}", self.addresses / 250 % 256, self.addresses % 250 + 4);
        let now = timestamp(now);
        state.edit(place, |pod| {
            if pod["status"]["phase"] == "Pending" {
                pod["status"] = running(pod, &address, &now);
            }
        });
    }
}

/// Marks a pod as deleted, for the kubelet to end.
pub(super) fn end(state: &mut State, place: &Place, now: OffsetDateTime) {
    state.edit(place, |pod| {
        pod["metadata"]["deletionTimestamp"] = json!(timestamp(now + Duration::seconds(30)));
        pod["metadata"]["deletionGracePeriodSeconds"] = json!(30);
    });
}

/// The status of a pod that runs on the node.
pub(super) fn running(pod: &Value, address: &str, now: &str) -> Value {
    let condition = |kind: &str| json!({"type": kind, "status": "True", "lastProbeTime": null, "lastTransitionTime": now});
    let containers = pod["spec"]["containers"].as_array().map(Vec::as_slice).unwrap_or_default();
    let status = |container: &Value| {
        json!({
            "name": container["name"], "image": container["image"], "imageID": "", "ready": true, "started": true,
            "restartCount": 0, "lastState": {}, "state": {"running": {"startedAt": now}},
            "containerID": format!("playground://{}", pod["metadata"]["uid"].as_str().unwrap_or_default()),
        })
    };
    json!({
        "phase": "Running", "qosClass": pod["status"]["qosClass"], "startTime": now,
        "observedGeneration": pod["metadata"]["generation"],
        "hostIP": "127.0.0.1", "hostIPs": [{"ip": "127.0.0.1"}], "podIP": address, "podIPs": [{"ip": address}],
        "conditions": CONDITIONS.map(condition),
        "containerStatuses": containers.iter().map(status).collect::<Vec<_>>(),
    })
}

fn bind(state: &mut State, place: &Place, now: OffsetDateTime) {
    let now = timestamp(now);
    state.edit(place, |pod| {
        pod["spec"]["nodeName"] = json!(NODE);
        pod["status"]["phase"] = json!("Pending");
        pod["status"]["conditions"] =
            json!([{"type": "PodScheduled", "status": "True", "lastProbeTime": null, "lastTransitionTime": now}]);
    });
}

/// The containers have ended: the pod goes, unless finalizers keep it.
fn remove(state: &mut State, place: &Place) {
    let pod = state.tree(place);
    if pod["metadata"]["deletionTimestamp"].is_null() {
        return;
    }
    if pod["metadata"]["finalizers"].as_array().is_none_or(Vec::is_empty) {
        state.uproot(place);
    } else {
        state.edit(place, |pod| pod["metadata"]["deletionGracePeriodSeconds"] = json!(0));
    }
}
