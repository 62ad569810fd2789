//! What a pod says of its containers, and what follows from that for their logs.

use std::collections::BTreeMap;

use serde::Deserialize;
use tidegate_transport::{Code, Error};

use super::Containers;

/// Names the container that is meant where none is named.
const DEFAULT_CONTAINER: &str = "kubectl.kubernetes.io/default-container";

/// As much of a pod as matters here.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Pod {
    pub(super) metadata: Metadata,
    spec: Spec,
    status: Status,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Metadata {
    pub(super) name: String,
    pub(super) namespace: String,
    pub(super) uid: String,
    pub(super) resource_version: String,
    annotations: Option<BTreeMap<String, String>>,
    deletion_timestamp: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    restart_policy: String,
    init_containers: Vec<Container>,
    containers: Vec<Container>,
    ephemeral_containers: Vec<Container>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Container {
    name: String,
    restart_policy: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    phase: String,
    init_container_statuses: Vec<ContainerStatus>,
    container_statuses: Vec<ContainerStatus>,
    ephemeral_container_statuses: Vec<ContainerStatus>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ContainerStatus {
    name: String,
    restart_count: u32,
    state: State,
    last_state: State,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct State {
    running: Option<serde::de::IgnoredAny>,
    terminated: Option<Terminated>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Terminated {
    exit_code: i64,
}

/// One container, at one look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sight {
    /// Of the pod.
    pub(super) uid: String,
    /// How often it was started again.
    pub(super) restarts: u32,
    pub(super) phase: Phase,
}

/// How far a container is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It was never started: there is no log.
    Waiting,
    Running,
    /// It has ended, and may be started again.
    Stopped,
    /// It has ended for good.
    Finished,
}

/// What to do where a log that was followed has come to an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The container runs: the connection was lost.
    Resume,
    /// The container has stopped: read what is left, then wait until it is started again.
    RestThenWait,
    /// The container has ended for good: read what is left.
    RestThenEnd,
    /// It was started again: read what is left of the run before, then begin with the new one. Of so many runs between, nothing is left.
    Restarted { missed: u32 },
    /// Another pod has the name.
    Replaced,
    /// There is no such pod any more.
    Gone,
}

impl Next {
    /// The log of `known` has come to an end; `now` is how the container stands.
    pub(super) fn after(known: &Sight, now: Option<&Sight>) -> Next {
        match now {
            None => Next::Gone,
            Some(now) if now.uid != known.uid => Next::Replaced,
            Some(now) if now.restarts > known.restarts => {
                Next::Restarted { missed: now.restarts - known.restarts - 1 }
            }
            Some(now) => match now.phase {
                Phase::Running => Next::Resume,
                Phase::Waiting | Phase::Stopped => Next::RestThenWait,
                Phase::Finished => Next::RestThenEnd,
            },
        }
    }
}

impl Pod {
    /// The names of the containers that are meant. Errors: [`Code::InvalidRequest`] for one that the pod does not have, naming those
    /// that it has.
    pub(super) fn containers(&self, which: &Containers) -> Result<Vec<String>, Error> {
        let (init, main, ephemeral) =
            (&self.spec.init_containers, &self.spec.containers, &self.spec.ephemeral_containers);
        let all: Vec<&str> =
            init.iter().chain(main).chain(ephemeral).map(|container| container.name.as_str()).collect();
        let default = || {
            let named = self.metadata.annotations.as_ref()?.get(DEFAULT_CONTAINER)?;
            all.contains(&named.as_str()).then(|| named.clone())
        };
        match which {
            Containers::All => Ok(all.into_iter().map(str::to_owned).collect()),
            Containers::Named(name) if all.contains(&name.as_str()) => Ok(vec![name.clone()]),
            Containers::Named(name) => {
                let (pod, has) = (&self.metadata.name, all.join(", "));
                let text = format!("container {name} is not in pod {pod}, which has {has}");
                Err(Error::new(Code::InvalidRequest, text))
            }
            Containers::Default => {
                Ok(default().or_else(|| main.first().map(|first| first.name.clone())).into_iter().collect())
            }
        }
    }

    /// How a container stands.
    pub(super) fn sight(&self, container: &str) -> Sight {
        let status = &self.status;
        let mut statuses = status
            .container_statuses
            .iter()
            .chain(&status.init_container_statuses)
            .chain(&status.ephemeral_container_statuses);
        let found = statuses.find(|status| status.name == container);
        let over = matches!(status.phase.as_str(), "Succeeded" | "Failed");
        let phase = match found {
            _ if over => Phase::Finished,
            None => Phase::Waiting,
            Some(status) if status.state.running.is_some() => Phase::Running,
            Some(status) => match &status.state.terminated {
                Some(end) if self.is_final(container, end) => Phase::Finished,
                Some(_) => Phase::Stopped,
                None if status.restart_count > 0 || status.last_state.terminated.is_some() => Phase::Stopped,
                None => Phase::Waiting,
            },
        };
        let restarts = found.map_or(0, |status| status.restart_count);
        Sight { uid: self.metadata.uid.clone(), restarts, phase }
    }

    /// Whether a container that ended so is not started again.
    fn is_final(&self, container: &str, end: &Terminated) -> bool {
        let one_of = |containers: &[Container]| containers.iter().any(|one| one.name == container);
        if self.metadata.deletion_timestamp.is_some() || one_of(&self.spec.ephemeral_containers) {
            return true;
        }
        // An init container with a policy of its own is a sidecar.
        let init = self.spec.init_containers.iter().find(|one| one.name == container);
        if init.is_some_and(|one| one.restart_policy.is_empty() && end.exit_code == 0) {
            return true;
        }
        match self.spec.restart_policy.as_str() {
            "Never" => init.is_none_or(|one| one.restart_policy.is_empty()),
            "OnFailure" => end.exit_code == 0,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(text: &str) -> Pod {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_container_stands_as_its_pod_says() {
        use Phase::{Finished, Running, Stopped, Waiting};
        let status = |status: &str, policy: &str| {
            format!(
                r#"{{"metadata":{{"uid":"u"}},"spec":{{"restartPolicy":"{policy}","containers":[{{"name":"c"}}]}},
                "status":{{"phase":"Running","containerStatuses":[{{"name":"c",{status}}}]}}}}"#
            )
        };
        for (state, policy, restarts, phase) in [
            (r#""restartCount":0,"state":{"running":{}}"#, "Always", 0, Running),
            (r#""restartCount":0,"state":{"waiting":{"reason":"ContainerCreating"}}"#, "Always", 0, Waiting),
            (r#""restartCount":4,"state":{"waiting":{"reason":"CrashLoopBackOff"}}"#, "Always", 4, Stopped),
            (r#""state":{"waiting":{}},"lastState":{"terminated":{"exitCode":1}}"#, "Always", 0, Stopped),
            (r#""state":{"terminated":{"exitCode":0}}"#, "Always", 0, Stopped),
            (r#""state":{"terminated":{"exitCode":0}}"#, "OnFailure", 0, Finished),
            (r#""state":{"terminated":{"exitCode":3}}"#, "OnFailure", 0, Stopped),
            (r#""state":{"terminated":{"exitCode":3}}"#, "Never", 0, Finished),
            (r#""restartCount":2"#, "Always", 2, Stopped),
        ] {
            let sight = pod(&status(state, policy)).sight("c");
            assert_eq!(sight, Sight { uid: "u".into(), restarts, phase }, "{state} {policy}");
        }
        for (text, phase) in [
            (r#"{"status":{"phase":"Pending"}}"#, Waiting),
            (r#"{"status":{"phase":"Failed"}}"#, Finished),
            (
                r#"{"status":{"phase":"Succeeded","containerStatuses":[{"name":"c","state":{"running":{}}}]}}"#,
                Finished,
            ),
            (
                r#"{"spec":{"restartPolicy":"Always","initContainers":[{"name":"c"}]},
                "status":{"phase":"Pending","initContainerStatuses":[{"name":"c","state":{"terminated":{"exitCode":0}}}]}}"#,
                Finished,
            ),
            (
                r#"{"spec":{"restartPolicy":"Always","initContainers":[{"name":"c","restartPolicy":"Always"}]},
                "status":{"phase":"Running","initContainerStatuses":[{"name":"c","state":{"terminated":{"exitCode":0}}}]}}"#,
                Stopped,
            ),
            (
                r#"{"metadata":{"deletionTimestamp":"2026-01-01T00:00:00Z"},"spec":{"restartPolicy":"Always"},
                "status":{"phase":"Running","containerStatuses":[{"name":"c","state":{"terminated":{"exitCode":1}}}]}}"#,
                Finished,
            ),
        ] {
            assert_eq!(pod(text).sight("c").phase, phase, "{text}");
        }
    }

    #[test]
    fn what_follows_the_end_of_a_log() {
        let sight = |uid: &str, restarts, phase| Sight { uid: uid.into(), restarts, phase };
        let known = sight("u", 2, Phase::Running);
        for (now, next) in [
            (None, Next::Gone),
            (Some(sight("v", 0, Phase::Running)), Next::Replaced),
            (Some(sight("u", 2, Phase::Running)), Next::Resume),
            (Some(sight("u", 2, Phase::Stopped)), Next::RestThenWait),
            (Some(sight("u", 2, Phase::Finished)), Next::RestThenEnd),
            (Some(sight("u", 3, Phase::Running)), Next::Restarted { missed: 0 }),
            (Some(sight("u", 3, Phase::Stopped)), Next::Restarted { missed: 0 }),
            (Some(sight("u", 5, Phase::Finished)), Next::Restarted { missed: 2 }),
        ] {
            assert_eq!(Next::after(&known, now.as_ref()), next, "{now:?}");
        }
    }

    #[test]
    fn the_containers_that_are_meant() {
        let text = r#"{"metadata":{"name":"p","annotations":{"kubectl.kubernetes.io/default-container":"b"}},
            "spec":{"initContainers":[{"name":"i"}],"containers":[{"name":"a"},{"name":"b"}],"ephemeralContainers":[{"name":"e"}]}}"#;
        let named = |name: &str| Containers::Named(name.into());
        for (which, names) in [
            (Containers::Default, vec!["b"]),
            (Containers::All, vec!["i", "a", "b", "e"]),
            (named("i"), vec!["i"]),
        ] {
            assert_eq!(pod(text).containers(&which).unwrap(), names, "{which:?}");
        }
        let refused = pod(text).containers(&named("x")).unwrap_err();
        assert_eq!(refused.to_string(), "container x is not in pod p, which has i, a, b, e");
        let plain = pod(&text.replace("default-container", "other"));
        assert_eq!(plain.containers(&Containers::Default).unwrap(), ["a"]);
    }
}
