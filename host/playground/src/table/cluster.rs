//! Everything else that is built in.

use serde_json::{Value, json};

use super::{Heading, OfTemplate, Printer, age, list, number, or_none, pairs, shown, text, wide};

pub(super) const NODES: Printer = Printer {
    headings: &[
        shown("Status"),
        shown("Roles"),
        shown("Age"),
        shown("Version"),
        wide("Internal-IP"),
        wide("External-IP"),
        wide("OS-Image"),
        wide("Kernel-Version"),
        wide("Container-Runtime"),
    ],
    of_template: OfTemplate::Nothing,
    row: |node, now| {
        let status = &node["status"];
        let ready = list(&status["conditions"]).iter().find(|condition| condition["type"] == "Ready");
        let mut state = match ready.map(|ready| ready["status"] == "True") {
            Some(true) => "Ready".to_owned(),
            Some(false) => "NotReady".to_owned(),
            None => "Unknown".to_owned(),
        };
        if node["spec"]["unschedulable"] == true {
            state.push_str(",SchedulingDisabled");
        }
        let labels = node["metadata"]["labels"].as_object().into_iter().flatten();
        let roles: Vec<&str> =
            labels.filter_map(|(k, _)| k.strip_prefix("node-role.kubernetes.io/")).collect();
        let address = |kind: &str| {
            let found = list(&status["addresses"]).iter().find(|address| address["type"] == kind);
            text(found.map_or(&Value::Null, |address| &address["address"]))
        };
        let info = &status["nodeInfo"];
        vec![
            json!(state),
            json!(or_none(roles.join(","))),
            age::of(node, now),
            json!(info["kubeletVersion"].as_str().unwrap_or_default()),
            address("InternalIP"),
            address("ExternalIP"),
            json!(info["osImage"].as_str().unwrap_or("<unknown>")),
            json!(info["kernelVersion"].as_str().unwrap_or("<unknown>")),
            json!(info["containerRuntimeVersion"].as_str().unwrap_or("<unknown>")),
        ]
    },
};

pub(super) const SERVICES: Printer = Printer {
    headings: &[
        shown("Type"),
        shown("Cluster-IP"),
        shown("External-IP"),
        shown("Port(s)"),
        shown("Age"),
        wide("Selector"),
    ],
    of_template: OfTemplate::Nothing,
    row: |service, now| {
        let spec = &service["spec"];
        let external = match spec["type"].as_str() {
            Some("ExternalName") => spec["externalName"].as_str().unwrap_or_default().to_owned(),
            Some("LoadBalancer") if list(&service["status"]["loadBalancer"]["ingress"]).is_empty() => {
                "<pending>".into()
            }
            _ => or_none(texts(&spec["externalIPs"])),
        };
        let port = |port: &Value| {
            let node = port["nodePort"].as_i64().filter(|port| *port > 0).map(|port| format!(":{port}"));
            let protocol = port["protocol"].as_str().unwrap_or("TCP");
            format!("{}{}/{protocol}", number(&port["port"]), node.unwrap_or_default())
        };
        let ports: Vec<String> = list(&spec["ports"]).iter().map(port).collect();
        vec![
            text(&spec["type"]),
            text(&spec["clusterIP"]),
            json!(external),
            json!(or_none(ports.join(","))),
            age::of(service, now),
            json!(pairs(&spec["selector"])),
        ]
    },
};

pub(super) const NAMESPACES: Printer = Printer {
    headings: &[shown("Status"), shown("Age")],
    of_template: OfTemplate::Nothing,
    row: |object, now| vec![text(&object["status"]["phase"]), age::of(object, now)],
};

pub(super) const CONFIG_MAPS: Printer = Printer {
    headings: &[shown("Data"), shown("Age")],
    of_template: OfTemplate::Nothing,
    row: |object, now| {
        let count = |member: &str| object[member].as_object().map_or(0, serde_json::Map::len);
        vec![json!(count("data") + count("binaryData")), age::of(object, now)]
    },
};

pub(super) const SECRETS: Printer = Printer {
    headings: &[shown("Type"), shown("Data"), shown("Age")],
    of_template: OfTemplate::Nothing,
    row: |object, now| {
        let count = object["data"].as_object().map_or(0, serde_json::Map::len);
        vec![text(&object["type"]), json!(count), age::of(object, now)]
    },
};

pub(super) const SERVICE_ACCOUNTS: Printer = Printer {
    headings: &[shown("Secrets"), shown("Age")],
    of_template: OfTemplate::Nothing,
    row: |object, now| vec![json!(list(&object["secrets"]).len()), age::of(object, now)],
};

pub(super) const EVENTS: Printer = Printer {
    headings: &[
        shown("Last Seen"),
        shown("Type"),
        shown("Reason"),
        shown("Object"),
        wide("Subobject"),
        wide("Source"),
        shown("Message"),
        wide("First Seen"),
        wide("Count"),
        wide("Name"),
    ],
    of_template: OfTemplate::Nothing,
    row: |event, now| {
        let first = &event["firstTimestamp"];
        let first = if first.is_null() { &event["eventTime"] } else { first };
        let last = if event["lastTimestamp"].is_null() { first } else { &event["lastTimestamp"] };
        let about = &event["involvedObject"];
        let kind = about["kind"].as_str().unwrap_or_default().to_lowercase();
        let source = event["source"]["component"].as_str().or(event["reportingComponent"].as_str());
        vec![
            age::since(last, now),
            json!(event["type"].as_str().unwrap_or_default()),
            json!(event["reason"].as_str().unwrap_or_default()),
            json!(format!("{kind}/{}", about["name"].as_str().unwrap_or_default())),
            json!(about["fieldPath"].as_str().unwrap_or_default()),
            json!(source.unwrap_or_default()),
            json!(event["message"].as_str().unwrap_or_default().trim()),
            age::since(first, now),
            json!(event["count"].as_i64().unwrap_or(1).to_string()),
            event["metadata"]["name"].clone(),
        ]
    },
};

pub(super) const ENDPOINTS: Printer = Printer {
    headings: &[shown("Endpoints"), shown("Age")],
    of_template: OfTemplate::Nothing,
    row: |object, now| {
        let mut all = Vec::new();
        for subset in list(&object["subsets"]) {
            for address in list(&subset["addresses"]).iter().filter_map(|address| address["ip"].as_str()) {
                match list(&subset["ports"]) {
                    [] => all.push(address.to_owned()),
                    ports => {
                        all.extend(ports.iter().map(|port| format!("{address}:{}", number(&port["port"]))))
                    }
                }
            }
        }
        let more = all.len().saturating_sub(3);
        let shown = all[..all.len() - more].join(",");
        let shown = if more > 0 { format!("{shown} + {more} more...") } else { or_none(shown) };
        vec![json!(shown), age::of(object, now)]
    },
};

pub(super) const LEASES: Printer = Printer {
    headings: &[shown("Holder"), shown("Age")],
    of_template: OfTemplate::Nothing,
    row: |object, now| {
        vec![json!(object["spec"]["holderIdentity"].as_str().unwrap_or_default()), age::of(object, now)]
    },
};

pub(super) const DEFINITIONS: Printer = Printer {
    headings: &[Heading("Created At", "date", 0)],
    of_template: OfTemplate::Nothing,
    row: |object, _| vec![object["metadata"]["creationTimestamp"].clone()],
};

pub(super) const CLAIMS: Printer = Printer {
    headings: &[
        shown("Status"),
        shown("Volume"),
        shown("Capacity"),
        shown("Access Modes"),
        shown("StorageClass"),
        shown("Age"),
    ],
    of_template: OfTemplate::Nothing,
    row: |object, now| {
        let (spec, status) = (&object["spec"], &object["status"]);
        let plain = |value: &Value| json!(value.as_str().unwrap_or_default());
        vec![
            plain(&status["phase"]),
            plain(&spec["volumeName"]),
            plain(&status["capacity"]["storage"]),
            json!(texts(&status["accessModes"])),
            plain(&spec["storageClassName"]),
            age::of(object, now),
        ]
    },
};

fn texts(value: &Value) -> String {
    list(value).iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")
}
