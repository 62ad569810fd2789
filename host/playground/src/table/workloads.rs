//! Pods and what makes them.

use serde_json::{Value, json};

use super::{OfTemplate, Printer, age, count, list, number, or_none, pairs, shown, text, wide};

pub(super) const PODS: Printer = Printer {
    headings: &[
        shown("Ready"),
        shown("Status"),
        shown("Restarts"),
        shown("Age"),
        wide("IP"),
        wide("Node"),
        wide("Nominated Node"),
        wide("Readiness Gates"),
    ],
    of_template: OfTemplate::Nothing,
    row: |pod, now| {
        let status = &pod["status"];
        let statuses = list(&status["containerStatuses"]);
        let ready = statuses.iter().filter(|container| container["ready"] == true).count();
        let total = list(&pod["spec"]["containers"]).len();
        let restarts: i64 = statuses.iter().filter_map(|container| container["restartCount"].as_i64()).sum();
        vec![
            json!(format!("{ready}/{total}")),
            json!(pod_phase(pod)),
            json!(restarts.to_string()),
            age::of(pod, now),
            text(&status["podIP"]),
            text(&pod["spec"]["nodeName"]),
            text(&status["nominatedNodeName"]),
            readiness_gates(pod),
        ]
    },
};

pub(super) const DEPLOYMENTS: Printer = Printer {
    headings: &[shown("Ready"), shown("Up-to-date"), shown("Available"), shown("Age")],
    of_template: OfTemplate::ContainersAndSelector,
    row: |object, now| {
        let status = &object["status"];
        vec![
            ready_of(object),
            number(&status["updatedReplicas"]),
            number(&status["availableReplicas"]),
            age::of(object, now),
        ]
    },
};

pub(super) const REPLICA_SETS: Printer = Printer {
    headings: &[count("Desired"), count("Current"), count("Ready"), shown("Age")],
    of_template: OfTemplate::ContainersAndSelector,
    row: |object, now| {
        vec![
            number(&object["spec"]["replicas"]),
            number(&object["status"]["replicas"]),
            number(&object["status"]["readyReplicas"]),
            age::of(object, now),
        ]
    },
};

pub(super) const STATEFUL_SETS: Printer = Printer {
    headings: &[shown("Ready"), shown("Age")],
    of_template: OfTemplate::Containers,
    row: |object, now| vec![ready_of(object), age::of(object, now)],
};

pub(super) const DAEMON_SETS: Printer = Printer {
    headings: &[
        count("Desired"),
        count("Current"),
        count("Ready"),
        count("Up-to-date"),
        count("Available"),
        shown("Node Selector"),
        shown("Age"),
    ],
    of_template: OfTemplate::ContainersAndSelector,
    row: |object, now| {
        let status = &object["status"];
        let mut row: Vec<Value> = [
            "desiredNumberScheduled",
            "currentNumberScheduled",
            "numberReady",
            "updatedNumberScheduled",
            "numberAvailable",
        ]
        .map(|member| number(&status[member]))
        .into();
        row.push(json!(pairs(&object["spec"]["template"]["spec"]["nodeSelector"])));
        row.push(age::of(object, now));
        row
    },
};

pub(super) const JOBS: Printer = Printer {
    headings: &[shown("Status"), shown("Completions"), shown("Duration"), shown("Age")],
    of_template: OfTemplate::ContainersAndSelector,
    row: |job, now| {
        let status = &job["status"];
        let has = |kind: &str| {
            list(&status["conditions"]).iter().any(|c| c["type"] == kind && c["status"] == "True")
        };
        let phase = if has("Complete") {
            "Complete"
        } else if has("Failed") {
            "Failed"
        } else if has("Suspended") {
            "Suspended"
        } else {
            "Running"
        };
        let completions =
            format!("{}/{}", number(&status["succeeded"]), job["spec"]["completions"].as_i64().unwrap_or(1));
        let end = age::seconds(&status["completionTime"]).unwrap_or(now);
        let duration = age::seconds(&status["startTime"]).map(|start| super::human_duration(end - start));
        vec![json!(phase), json!(completions), json!(duration.unwrap_or_default()), age::of(job, now)]
    },
};

pub(super) const CRON_JOBS: Printer = Printer {
    headings: &[
        shown("Schedule"),
        shown("Timezone"),
        shown("Suspend"),
        count("Active"),
        shown("Last Schedule"),
        shown("Age"),
    ],
    of_template: OfTemplate::Nothing,
    row: |object, now| {
        let (spec, status) = (&object["spec"], &object["status"]);
        let last = &status["lastScheduleTime"];
        vec![
            text(&spec["schedule"]),
            text(&spec["timeZone"]),
            json!(if spec["suspend"] == true { "True" } else { "False" }),
            json!(list(&status["active"]).len()),
            if last.is_null() { json!("<none>") } else { age::since(last, now) },
            age::of(object, now),
        ]
    },
};

/// The condition by which kubectl tells pods that have ended.
pub(super) fn pod_conditions(pod: &Value) -> Vec<Value> {
    let (reason, message) = match pod["status"]["phase"].as_str() {
        Some("Succeeded") => ("Succeeded", "The pod has completed successfully."),
        Some("Failed") => ("Failed", "The pod failed."),
        _ => return Vec::new(),
    };
    vec![json!({"type": "Completed", "status": "True", "reason": reason, "message": message})]
}

/// What the STATUS column says: the phase, or what keeps a container from running, or that the pod is going.
fn pod_phase(pod: &Value) -> String {
    let status = &pod["status"];
    let mut phase = status["reason"].as_str().or(status["phase"].as_str()).unwrap_or("Unknown").to_owned();
    for container in list(&status["containerStatuses"]).iter().rev() {
        let state = &container["state"];
        if let Some(reason) = state["waiting"]["reason"].as_str().or(state["terminated"]["reason"].as_str()) {
            phase = reason.to_owned();
        }
    }
    if !pod["metadata"]["deletionTimestamp"].is_null() && !matches!(phase.as_str(), "Completed" | "Error") {
        phase = "Terminating".into();
    }
    phase
}

fn readiness_gates(pod: &Value) -> Value {
    let gates = list(&pod["spec"]["readinessGates"]);
    if gates.is_empty() {
        return json!("<none>");
    }
    let holds = |gate: &&Value| {
        let conditions = list(&pod["status"]["conditions"]);
        conditions.iter().any(|c| c["type"] == gate["conditionType"] && c["status"] == "True")
    };
    json!(format!("{}/{}", gates.iter().filter(holds).count(), gates.len()))
}

fn ready_of(object: &Value) -> Value {
    let ready = object["status"]["readyReplicas"].as_i64().unwrap_or(0);
    json!(format!("{ready}/{}", object["spec"]["replicas"].as_i64().unwrap_or(1)))
}

pub(super) fn containers(object: &Value) -> [Value; 2] {
    let containers = list(&object["spec"]["template"]["spec"]["containers"]);
    ["name", "image"].map(|member| {
        let texts: Vec<&str> = containers.iter().filter_map(|container| container[member].as_str()).collect();
        json!(texts.join(","))
    })
}

pub(super) fn selector(object: &Value) -> String {
    let selector = &object["spec"]["selector"];
    if selector["matchExpressions"].is_null() {
        return pairs(selector.get("matchLabels").unwrap_or(selector));
    }
    let rules = list(&selector["matchExpressions"]).iter().map(|rule| {
        let values: Vec<&str> = list(&rule["values"]).iter().filter_map(Value::as_str).collect();
        let key = rule["key"].as_str().unwrap_or_default();
        match rule["operator"].as_str() {
            Some("In") => format!("{key} in ({})", values.join(",")),
            Some("NotIn") => format!("{key} notin ({})", values.join(",")),
            Some("DoesNotExist") => format!("!{key}"),
            _ => key.to_owned(),
        }
    });
    let labels = pairs(&selector["matchLabels"]);
    let labels = Some(labels).filter(|labels| labels != "<none>");
    or_none(labels.into_iter().chain(rules).collect::<Vec<_>>().join(","))
}
