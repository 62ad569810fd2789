//! Deployments make ReplicaSets, and those make pods. A new template takes over at once; there is no rolling.

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::kubelet;
use crate::api::{State, suffix, timestamp};
use crate::store::{Key, Place, TableId};

/// The controllers of Deployments and ReplicaSets.
#[derive(Default)]
pub(super) struct Workloads {
    seen: u64,
}

impl Workloads {
    pub(super) fn step(&mut self, state: &mut State, now: OffsetDateTime) {
        if state.store.revision() == self.seen {
            return;
        }
        // What is written below raises the revision: the next step looks at that, until nothing changes any more.
        self.seen = state.store.revision();
        for place in places(state, "deployments") {
            deployment(state, &place, now);
        }
        for place in places(state, "replicasets") {
            replica_set(state, &place, now);
        }
    }
}

fn places(state: &State, plural: &str) -> Vec<Place> {
    let table = TableId::new("apps", plural);
    let Ok(all) = state.store.snapshot(&table, None) else { return Vec::new() };
    all.after(None, None).map(|object| (table.clone(), object.key.clone())).collect()
}

fn deployment(state: &mut State, place: &Place, now: OffsetDateTime) {
    let deployment = state.tree(place);
    let metadata = &deployment["metadata"];
    if !metadata["deletionTimestamp"].is_null() {
        return;
    }
    let hash = template_hash(&deployment["spec"]["template"]);
    let name = format!("{}-{hash}", metadata["name"].as_str().unwrap_or_default());
    let sets: Vec<Place> = state
        .store
        .dependents_of(metadata["uid"].as_str().unwrap_or_default())
        .into_iter()
        .filter(|(table, _)| table.as_str() == "replicasets.apps")
        .collect();
    let current = (TableId::new("apps", "replicasets"), Key::new(metadata["namespace"].as_str(), &name));
    if !sets.contains(&current) {
        let revision = sets.len() + 1;
        state.plant("apps", "replicasets", set_of(&deployment, &name, &hash, revision), now);
    }
    let replicas = deployment["spec"]["replicas"].clone();
    for set in &sets {
        let wanted = if *set == current { replicas.clone() } else { json!(0) };
        scale(state, set, wanted);
    }
    let trees: Vec<Value> = sets.iter().map(|set| state.tree(set)).collect();
    let sum = |member: &str| trees.iter().filter_map(|set| set["status"][member].as_i64()).sum::<i64>();
    let (total, ready) = (sum("replicas"), sum("readyReplicas"));
    let updated = state.tree(&current)["status"]["replicas"].as_i64().unwrap_or(0);
    let status = deployment_status(&deployment, &name, [total, updated, ready], &timestamp(now));
    state.edit(place, |deployment| deployment["status"] = status);
}

/// A status with its conditions; their times move only when they do.
fn deployment_status(deployment: &Value, set: &str, [total, updated, ready]: [i64; 3], now: &str) -> Value {
    let wanted = deployment["spec"]["replicas"].as_i64().unwrap_or(1);
    let before = deployment["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let condition = |kind: &str, holds: bool, reason: &str, message: String| {
        let state = if holds { "True" } else { "False" };
        let same = before.iter().find(|c| c["type"] == kind && c["status"] == state && c["reason"] == reason);
        let since = |member: &str| same.map_or(json!(now), |c| c[member].clone());
        json!({"type": kind, "status": state, "reason": reason, "message": message,
            "lastTransitionTime": since("lastTransitionTime"), "lastUpdateTime": since("lastUpdateTime")})
    };
    let available = ready >= wanted;
    let (reason, message) = if available {
        ("MinimumReplicasAvailable", "Deployment has minimum availability.")
    } else {
        ("MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    };
    let done = updated >= wanted && available;
    let (progress, told) = if done {
        ("NewReplicaSetAvailable", format!("ReplicaSet \"{set}\" has successfully progressed."))
    } else {
        ("ReplicaSetUpdated", format!("ReplicaSet \"{set}\" is progressing."))
    };
    let mut status = json!({
        "observedGeneration": deployment["metadata"]["generation"],
        "conditions": [
            condition("Available", available, reason, message.to_owned()),
            condition("Progressing", true, progress, told),
        ],
    });
    let unavailable = (wanted - ready).max(0);
    let counts = [
        ("replicas", total),
        ("updatedReplicas", updated),
        ("readyReplicas", ready),
        ("availableReplicas", ready),
        ("unavailableReplicas", unavailable),
    ];
    for (member, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
        status[member] = json!(count);
    }
    status
}

fn set_of(deployment: &Value, name: &str, hash: &str, revision: usize) -> Value {
    let metadata = &deployment["metadata"];
    let mut template = deployment["spec"]["template"].clone();
    let mut selector = deployment["spec"]["selector"].clone();
    template["metadata"]["labels"]["pod-template-hash"] = json!(hash);
    selector["matchLabels"]["pod-template-hash"] = json!(hash);
    json!({
        "metadata": {
            "name": name, "namespace": metadata["namespace"], "labels": template["metadata"]["labels"],
            "annotations": {"deployment.kubernetes.io/revision": revision.to_string()},
            "ownerReferences": [owner("apps/v1", "Deployment", metadata)],
        },
        "spec": {"replicas": deployment["spec"]["replicas"], "selector": selector, "template": template},
        "status": {"replicas": 0},
    })
}

fn replica_set(state: &mut State, place: &Place, now: OffsetDateTime) {
    let set = state.tree(place);
    let metadata = &set["metadata"];
    if !metadata["deletionTimestamp"].is_null() {
        return;
    }
    let uid = metadata["uid"].as_str().unwrap_or_default();
    let mut pods: Vec<(Place, Value)> = state
        .store
        .dependents_of(uid)
        .into_iter()
        .filter(|(table, _)| table.as_str() == "pods")
        .map(|pod| (pod.clone(), state.tree(&pod)))
        .filter(|(_, pod)| pod["metadata"]["deletionTimestamp"].is_null())
        .collect();
    let wanted = usize::try_from(set["spec"]["replicas"].as_i64().unwrap_or(1)).unwrap_or(0);
    for _ in pods.len()..wanted {
        state.plant("", "pods", pod_of(&set), now);
    }
    while pods.len() > wanted
        && let Some((pod, tree)) = pods.pop()
    {
        // One that never reached the node has nothing to end.
        if tree["spec"]["nodeName"].is_null() { state.uproot(&pod) } else { kubelet::end(state, &pod, now) }
    }
    let is_ready = |pod: &Value| {
        let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
        conditions.into_iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
    };
    let ready = pods.iter().filter(|(_, pod)| is_ready(pod)).count();
    let mut status = json!({"replicas": wanted, "observedGeneration": metadata["generation"]});
    if wanted > 0 {
        status["fullyLabeledReplicas"] = json!(wanted);
    }
    if ready > 0 {
        status["readyReplicas"] = json!(ready);
        status["availableReplicas"] = json!(ready);
    }
    state.edit(place, |set| set["status"] = status);
}

fn pod_of(set: &Value) -> Value {
    let metadata = &set["metadata"];
    let base = format!("{}-", metadata["name"].as_str().unwrap_or_default());
    let template = &set["spec"]["template"];
    let mut pod = json!({"metadata": template["metadata"], "spec": template["spec"]});
    pod["metadata"]["name"] = json!(format!("{base}{}", suffix()));
    pod["metadata"]["generateName"] = json!(base);
    pod["metadata"]["namespace"] = metadata["namespace"].clone();
    pod["metadata"]["ownerReferences"] = json!([owner("apps/v1", "ReplicaSet", metadata)]);
    pod
}

fn scale(state: &mut State, set: &Place, wanted: Value) {
    state.edit(set, |set| {
        if set["spec"]["replicas"] != wanted {
            set["spec"]["replicas"] = wanted;
            set["metadata"]["generation"] = json!(set["metadata"]["generation"].as_i64().unwrap_or(0) + 1);
        }
    });
}

fn owner(api_version: &str, kind: &str, metadata: &Value) -> Value {
    json!({
        "apiVersion": api_version, "kind": kind, "name": metadata["name"], "uid": metadata["uid"],
        "controller": true, "blockOwnerDeletion": true,
    })
}

/// Ten characters that differ where the template does.
fn template_hash(template: &Value) -> String {
    const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
    let mut hash = template.to_string().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mut text = String::new();
    for _ in 0..10 {
        text.push(char::from(ALPHABET[(hash % 27) as usize]));
        hash /= 27;
    }
    text
}
