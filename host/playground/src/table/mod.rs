//! Tables as `kubectl get` asks for them (`k8s.io/kubernetes/pkg/printers/internalversion`).

mod age;
mod cluster;
mod custom;
mod workloads;

use serde_json::{Value, json};

use crate::kinds::{Origin, Resource, Version};

pub(crate) use age::human_duration;

/// One row: the cells in column order, and the conditions that a printer may show the row by.
pub(crate) struct Cells {
    /// Strings and numbers.
    pub(crate) cells: Vec<Value>,
    /// `Completed` for a pod that has ended; mostly empty.
    pub(crate) conditions: Vec<Value>,
}

/// A heading, its type, and whether only `-o wide` shows it.
#[derive(Clone, Copy)]
struct Heading(&'static str, &'static str, u8);

/// Text that is always shown.
const fn shown(name: &'static str) -> Heading {
    Heading(name, "string", 0)
}

/// A number that is always shown.
const fn count(name: &'static str) -> Heading {
    Heading(name, "integer", 0)
}

/// Text that only `-o wide` shows.
const fn wide(name: &'static str) -> Heading {
    Heading(name, "string", 1)
}

/// How one built-in kind is printed; the name comes first and is not in here.
struct Printer {
    headings: &'static [Heading],
    /// Whose columns come last.
    of_template: OfTemplate,
    row: fn(&Value, i64) -> Vec<Value>,
}

/// What `-o wide` tells of the pods that an object makes.
#[derive(Clone, Copy)]
enum OfTemplate {
    Nothing,
    Containers,
    ContainersAndSelector,
}

impl OfTemplate {
    fn headings(self) -> &'static [Heading] {
        const CONTAINERS: &[Heading] = &[wide("Containers"), wide("Images")];
        const ALL: &[Heading] = &[wide("Containers"), wide("Images"), wide("Selector")];
        match self {
            OfTemplate::Nothing => &[],
            OfTemplate::Containers => CONTAINERS,
            OfTemplate::ContainersAndSelector => ALL,
        }
    }

    fn cells(self, object: &Value) -> Vec<Value> {
        match self {
            OfTemplate::Nothing => Vec::new(),
            OfTemplate::Containers => workloads::containers(object).into(),
            OfTemplate::ContainersAndSelector => {
                let [names, images] = workloads::containers(object);
                vec![names, images, json!(workloads::selector(object))]
            }
        }
    }
}

const PLAIN: Printer = Printer {
    headings: &[shown("Age")],
    of_template: OfTemplate::Nothing,
    row: |object, now| vec![age::of(object, now)],
};

/// `columnDefinitions`.
pub(crate) fn columns(resource: &Resource, version: &Version) -> Value {
    let name = json!({
        "name": "Name", "type": "string", "format": "name", "priority": 0,
        "description": "Name must be unique within a namespace. Is required when creating resources.",
    });
    let rest = match resource.origin {
        Origin::Custom => custom::columns(version),
        Origin::BuiltIn => {
            let printer = printer(resource);
            let headings = printer.headings.iter().chain(printer.of_template.headings());
            let column = |&Heading(name, kind, priority): &Heading| json!({"name": name, "type": kind, "format": "", "description": "", "priority": priority});
            headings.map(column).collect()
        }
    };
    // Events are printed by when they happened, not by their names.
    if resource.qualified() == "events" {
        return Value::Array(rest);
    }
    Value::Array(std::iter::once(name).chain(rest).collect())
}

/// The row of one object; ages are counted to `now`, seconds since 1970.
pub(crate) fn cells(resource: &Resource, version: &Version, object: &Value, now: i64) -> Cells {
    let mut cells = match resource.origin {
        Origin::Custom => custom::row(version, object, now),
        Origin::BuiltIn => {
            let printer = printer(resource);
            let mut cells = (printer.row)(object, now);
            cells.extend(printer.of_template.cells(object));
            cells
        }
    };
    if resource.qualified() != "events" {
        cells.insert(0, object["metadata"]["name"].clone());
    }
    let conditions =
        if resource.qualified() == "pods" { workloads::pod_conditions(object) } else { Vec::new() };
    Cells { cells, conditions }
}

fn printer(resource: &Resource) -> Printer {
    match resource.qualified() {
        "pods" => workloads::PODS,
        "deployments.apps" => workloads::DEPLOYMENTS,
        "replicasets.apps" | "replicationcontrollers" => workloads::REPLICA_SETS,
        "statefulsets.apps" => workloads::STATEFUL_SETS,
        "daemonsets.apps" => workloads::DAEMON_SETS,
        "jobs.batch" => workloads::JOBS,
        "cronjobs.batch" => workloads::CRON_JOBS,
        "nodes" => cluster::NODES,
        "services" => cluster::SERVICES,
        "namespaces" => cluster::NAMESPACES,
        "configmaps" => cluster::CONFIG_MAPS,
        "secrets" => cluster::SECRETS,
        "serviceaccounts" => cluster::SERVICE_ACCOUNTS,
        "events" => cluster::EVENTS,
        "endpoints" => cluster::ENDPOINTS,
        "leases.coordination.k8s.io" => cluster::LEASES,
        "customresourcedefinitions.apiextensions.k8s.io" => cluster::DEFINITIONS,
        "persistentvolumeclaims" => cluster::CLAIMS,
        _ => PLAIN,
    }
}

/// `a=1,b=2`, or `<none>`.
fn pairs(map: &Value) -> String {
    let pairs = map.as_object().into_iter().flatten();
    let texts: Vec<String> = pairs.filter_map(|(k, v)| Some(format!("{k}={}", v.as_str()?))).collect();
    or_none(texts.join(","))
}

fn or_none(text: String) -> String {
    if text.is_empty() { "<none>".into() } else { text }
}

fn text(value: &Value) -> Value {
    json!(or_none(value.as_str().unwrap_or_default().to_owned()))
}

fn number(value: &Value) -> Value {
    json!(value.as_i64().unwrap_or(0))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}
