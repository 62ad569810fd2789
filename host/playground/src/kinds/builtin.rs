//! The built-in kinds, one line each: names from `kubectl api-resources`, rules from the strategies in
//! `k8s.io/kubernetes/pkg/registry`.

use super::{Indexed, Origin, Resource, Scope, Traits, Version};
use crate::store::TableId;

const PLAIN: Traits = Traits {
    status: false,
    generation: false,
    needs_revision: false,
    create_on_update: false,
    returns_deleted: false,
    read_only: false,
    scale: false,
};
const STATUS: Traits = Traits { status: true, ..PLAIN };
const COUNTED: Traits = Traits { generation: true, ..STATUS };
const WORKLOAD: Traits = Traits { scale: true, ..COUNTED };
const RETURNED: Traits = Traits { returns_deleted: true, ..PLAIN };
const UPSERT: Traits = Traits { create_on_update: true, ..PLAIN };

/// Plural, kind, short names, scope, categories, traits, and the fields that selectors may name.
type Row = (
    &'static str,
    &'static str,
    &'static [&'static str],
    Scope,
    &'static [&'static str],
    Traits,
    &'static [&'static str],
);

use Scope::{Cluster, Namespaced};

const ALL: &[&str] = &["all"];
const NONE: &[&str] = &[];

const CORE: &[Row] = &[
    ("configmaps", "ConfigMap", &["cm"], Namespaced, NONE, PLAIN, NONE),
    ("endpoints", "Endpoints", &["ep"], Namespaced, NONE, UPSERT, NONE),
    ("events", "Event", &["ev"], Namespaced, NONE, UPSERT, EVENT_FIELDS),
    ("limitranges", "LimitRange", &["limits"], Namespaced, NONE, UPSERT, NONE),
    ("namespaces", "Namespace", &["ns"], Cluster, NONE, STATUS, &["status.phase"]),
    (
        "nodes",
        "Node",
        &["no"],
        Cluster,
        NONE,
        Traits { returns_deleted: false, ..STATUS },
        &["spec.unschedulable"],
    ),
    (
        "persistentvolumeclaims",
        "PersistentVolumeClaim",
        &["pvc"],
        Namespaced,
        NONE,
        Traits { returns_deleted: true, ..STATUS },
        NONE,
    ),
    (
        "persistentvolumes",
        "PersistentVolume",
        &["pv"],
        Cluster,
        NONE,
        Traits { returns_deleted: true, ..STATUS },
        NONE,
    ),
    ("pods", "Pod", &["po"], Namespaced, ALL, Traits { returns_deleted: true, ..COUNTED }, POD_FIELDS),
    ("podtemplates", "PodTemplate", NONE, Namespaced, NONE, Traits { generation: true, ..RETURNED }, NONE),
    (
        "replicationcontrollers",
        "ReplicationController",
        &["rc"],
        Namespaced,
        ALL,
        WORKLOAD,
        &["status.replicas"],
    ),
    (
        "resourcequotas",
        "ResourceQuota",
        &["quota"],
        Namespaced,
        NONE,
        Traits { returns_deleted: true, ..STATUS },
        NONE,
    ),
    ("secrets", "Secret", NONE, Namespaced, NONE, PLAIN, &["type"]),
    ("serviceaccounts", "ServiceAccount", &["sa"], Namespaced, NONE, RETURNED, NONE),
    (
        "services",
        "Service",
        &["svc"],
        Namespaced,
        ALL,
        Traits { create_on_update: true, returns_deleted: true, ..STATUS },
        &["spec.clusterIP", "spec.type"],
    ),
];

const EVENT_FIELDS: &[&str] = &[
    "involvedObject.kind",
    "involvedObject.namespace",
    "involvedObject.name",
    "involvedObject.uid",
    "involvedObject.apiVersion",
    "involvedObject.resourceVersion",
    "involvedObject.fieldPath",
    "reason",
    "reportingComponent",
    "source",
    "type",
];

const POD_FIELDS: &[&str] = &[
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "spec.hostNetwork",
    "status.phase",
    "status.podIP",
    "status.nominatedNodeName",
];

const APPS: &[Row] = &[
    ("controllerrevisions", "ControllerRevision", NONE, Namespaced, NONE, PLAIN, NONE),
    ("daemonsets", "DaemonSet", &["ds"], Namespaced, ALL, COUNTED, NONE),
    ("deployments", "Deployment", &["deploy"], Namespaced, ALL, WORKLOAD, NONE),
    ("replicasets", "ReplicaSet", &["rs"], Namespaced, ALL, WORKLOAD, &["status.replicas"]),
    ("statefulsets", "StatefulSet", &["sts"], Namespaced, ALL, WORKLOAD, NONE),
];

const BATCH: &[Row] = &[
    ("cronjobs", "CronJob", &["cj"], Namespaced, ALL, COUNTED, NONE),
    ("jobs", "Job", NONE, Namespaced, ALL, COUNTED, &["status.successful"]),
];

const NETWORKING: &[Row] = &[
    ("ingressclasses", "IngressClass", NONE, Cluster, NONE, Traits { generation: true, ..PLAIN }, NONE),
    ("ingresses", "Ingress", &["ing"], Namespaced, NONE, COUNTED, NONE),
    (
        "networkpolicies",
        "NetworkPolicy",
        &["netpol"],
        Namespaced,
        NONE,
        Traits { generation: true, ..PLAIN },
        NONE,
    ),
];

const RBAC: &[Row] = &[
    ("clusterrolebindings", "ClusterRoleBinding", NONE, Cluster, NONE, UPSERT, NONE),
    ("clusterroles", "ClusterRole", NONE, Cluster, NONE, UPSERT, NONE),
    ("rolebindings", "RoleBinding", NONE, Namespaced, NONE, UPSERT, NONE),
    ("roles", "Role", NONE, Namespaced, NONE, UPSERT, NONE),
];

const COORDINATION: &[Row] =
    &[("leases", "Lease", NONE, Namespaced, NONE, Traits { needs_revision: true, ..UPSERT }, NONE)];

const DISCOVERY: &[Row] = &[(
    "endpointslices",
    "EndpointSlice",
    NONE,
    Namespaced,
    NONE,
    Traits { generation: true, ..PLAIN },
    NONE,
)];

const POLICY: &[Row] =
    &[("poddisruptionbudgets", "PodDisruptionBudget", &["pdb"], Namespaced, NONE, COUNTED, NONE)];

const AUTOSCALING: &[Row] =
    &[("horizontalpodautoscalers", "HorizontalPodAutoscaler", &["hpa"], Namespaced, ALL, STATUS, NONE)];

const STORAGE: &[Row] = &[("storageclasses", "StorageClass", &["sc"], Cluster, NONE, PLAIN, NONE)];

const SCHEDULING: &[Row] = &[(
    "priorityclasses",
    "PriorityClass",
    &["pc"],
    Cluster,
    NONE,
    Traits { generation: true, ..PLAIN },
    NONE,
)];

const EXTENSIONS: &[Row] = &[(
    "customresourcedefinitions",
    "CustomResourceDefinition",
    &["crd", "crds"],
    Cluster,
    &["api-extensions"],
    Traits { generation: true, status: true, needs_revision: true, ..PLAIN },
    NONE,
)];

const GROUPS: &[(&str, &str, &[Row])] = &[
    ("", "v1", CORE),
    ("apps", "v1", APPS),
    ("batch", "v1", BATCH),
    ("networking.k8s.io", "v1", NETWORKING),
    ("rbac.authorization.k8s.io", "v1", RBAC),
    ("coordination.k8s.io", "v1", COORDINATION),
    ("discovery.k8s.io", "v1", DISCOVERY),
    ("policy", "v1", POLICY),
    ("autoscaling", "v2", AUTOSCALING),
    ("storage.k8s.io", "v1", STORAGE),
    ("scheduling.k8s.io", "v1", SCHEDULING),
    ("apiextensions.k8s.io", "v1", EXTENSIONS),
];

pub(super) fn all() -> impl Iterator<Item = Resource> {
    GROUPS.iter().flat_map(|(group, version, rows)| rows.iter().map(move |row| resource(group, version, row)))
}

fn resource(group: &str, version: &str, row: &Row) -> Resource {
    let &(plural, kind, short_names, scope, categories, traits, fields) = row;
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    Resource {
        group: group.to_owned(),
        plural: plural.to_owned(),
        singular: kind.to_lowercase(),
        kind: kind.to_owned(),
        list_kind: format!("{kind}List"),
        short_names: texts(short_names),
        categories: texts(categories),
        scope,
        origin: Origin::BuiltIn,
        traits,
        versions: vec![Version {
            name: version.to_owned(),
            status: traits.status,
            scale: None,
            columns: Vec::new(),
            schema: None,
        }],
        indexed: fields.iter().map(|name| Indexed::new(name, absent(name))).collect(),
        table: TableId::new(group, plural),
    }
}

fn absent(field: &str) -> &'static str {
    match field {
        "spec.hostNetwork" | "spec.unschedulable" => "false",
        "status.replicas" | "status.successful" => "0",
        _ => "",
    }
}
