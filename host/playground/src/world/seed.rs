//! What is there from the start, and pods in numbers for tests and benchmarks.

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::{NODE, kubelet};
use crate::api::{State, timestamp, uuid};
use crate::store::{Indexed, Key, Object, Stencil, TableId, hole};

/// Namespaces, and the API server's own service, as every cluster has them.
pub(crate) fn cluster(state: &mut State, port: u16, now: OffsetDateTime) {
    for name in ["default", "kube-node-lease", "kube-public", "kube-system"] {
        state.plant("", "namespaces", json!({"metadata": {"name": name}}), now);
    }
    let labels = json!({"component": "apiserver", "provider": "kubernetes"});
    let service = json!({
        "metadata": {"name": "kubernetes", "namespace": "default", "labels": labels},
        "spec": {"clusterIP": "10.96.0.1", "ports": [{"name": "https", "port": 443, "targetPort": port}]},
    });
    state.plant("", "services", service, now);
    let ports = json!([{"name": "https", "port": port, "protocol": "TCP"}]);
    let endpoints = json!({
        "metadata": {"name": "kubernetes", "namespace": "default"},
        "subsets": [{"addresses": [{"ip": "127.0.0.1"}], "ports": ports}],
    });
    state.plant("", "endpoints", endpoints, now);
    let slice = json!({
        "metadata": {"name": "kubernetes", "namespace": "default", "labels": {"kubernetes.io/service-name": "kubernetes"}},
        "addressType": "IPv4", "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": true}}], "ports": ports,
    });
    state.plant("discovery.k8s.io", "endpointslices", slice, now);
}

/// The node of the small world.
pub(crate) fn node(state: &mut State, now: OffsetDateTime) {
    let time = timestamp(now);
    let capacity = json!({"cpu": "8", "memory": "16Gi", "pods": "110", "ephemeral-storage": "64Gi"});
    let condition = |kind: &str, status: &str, reason: &str| json!({"type": kind, "status": status, "reason": reason, "message": "", "lastHeartbeatTime": time, "lastTransitionTime": time});
    let node = json!({
        "metadata": {"name": NODE, "labels": {
            "kubernetes.io/hostname": NODE, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
            "node-role.kubernetes.io/worker": "",
        }},
        "spec": {"podCIDR": "10.244.0.0/16", "podCIDRs": ["10.244.0.0/16"]},
        "status": {
            "capacity": capacity, "allocatable": capacity,
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}, {"type": "Hostname", "address": NODE}],
            "conditions": [
                condition("MemoryPressure", "False", "KubeletHasSufficientMemory"),
                condition("DiskPressure", "False", "KubeletHasNoDiskPressure"),
                condition("PIDPressure", "False", "KubeletHasSufficientPID"),
                condition("Ready", "True", "KubeletReady"),
            ],
            "nodeInfo": {
                "kubeletVersion": crate::discovery::GIT_VERSION, "osImage": "tidegate playground", "architecture": "amd64",
                "operatingSystem": "linux", "kernelVersion": "none", "containerRuntimeVersion": "playground://0",
                "machineID": "", "systemUUID": "", "bootID": "", "kubeProxyVersion": "",
            },
        },
    });
    state.plant("", "nodes", node, now);
}

/// What a first run sees: a deployment whose pods come up, and two pods on their own.
pub(crate) fn welcome(state: &mut State, now: OffsetDateTime) {
    let labels = json!({"app": "web"});
    let container =
        |name: &str, image: &str| json!({"name": name, "image": image, "ports": [{"containerPort": 80}]});
    let deployment = json!({
        "metadata": {"name": "web", "namespace": "default", "labels": labels},
        "spec": {"replicas": 3, "selector": {"matchLabels": labels}, "template": {
            "metadata": {"labels": labels}, "spec": {"containers": [container("nginx", "nginx:1.29")]},
        }},
    });
    state.plant("apps", "deployments", deployment, now);
    for (name, image) in [("cache", "redis:8"), ("database", "postgres:18")] {
        let pod = json!({
            "metadata": {"name": name, "namespace": "default", "labels": {"app": name}},
            "spec": {"containers": [container(name, image)]},
        });
        state.plant("", "pods", pod, now);
    }
}

/// Running pods `pod-000000`… in `namespace`, each of about `bytes` (0: as a cluster has them, some 4 KB).
pub(crate) fn pods(state: &mut State, namespace: &str, count: usize, bytes: usize, now: OffsetDateTime) {
    let Some(resource) = state.kinds.of_table(&TableId::new("", "pods")).cloned() else { return };
    if state.store.get(&TableId::new("", "namespaces"), &Key::new(None, namespace)).is_none() {
        state.plant("", "namespaces", json!({"metadata": {"name": namespace}}), now);
    }
    let time = timestamp(now);
    let full = template(namespace, &time);
    let mut pod = if (1..full.to_string().len()).contains(&bytes) { slim(namespace, &time) } else { full };
    let missing = bytes.saturating_sub(pod.to_string().len());
    pod["metadata"]["annotations"]["example.com/config"] =
        json!("abcdefghijklmnopqrstuvwxyz0123456789 ".repeat(missing / 37 + 1)[..missing]);
    let [name, uid, app, node, address] = [1, 2, 3, 4, 5].map(hole);
    pod["metadata"]["name"] = json!(name);
    pod["metadata"]["uid"] = json!(uid);
    pod["metadata"]["labels"]["app"] = json!(app);
    pod["spec"]["nodeName"] = json!(node);
    pod["status"]["podIP"] = json!(address);
    pod["status"]["podIPs"] = json!([{ "ip": address }]);
    let value = pod.as_object().cloned().unwrap_or_default();
    let stencil = Stencil::new(Key::new(Some(namespace), "pod"), value, &resource.indexed);
    let start =
        state.store.snapshot(&resource.table, None).map_or(0, |all| all.after(Some(namespace), None).count());
    for number in start..start + count {
        let name = format!("pod-{number:06}");
        let address = format!("10.{}.{}.{}", 128 + number / 65536 % 128, number / 256 % 256, number % 256);
        let app = ["web", "api", "worker", "cache"][number % 4];
        let texts = [&name, &uuid(), app, &format!("node-{:03}", number % 200), &address];
        state.store.stamp(&resource.table, &stencil, Some(Key::new(Some(namespace), &name)), &texts);
    }
}

/// Changes pods in turn until `count` events have been made; returns how many were, which is none without pods.
pub(crate) fn events(state: &mut State, count: usize) -> usize {
    let table = TableId::new("", "pods");
    let Some(resource) = state.kinds.of_table(&table).cloned() else { return 0 };
    let stencils: Vec<Stencil> = match state.store.snapshot(&table, None) {
        Ok(all) => {
            all.after(None, None).take(1000).map(|object| turning(object, &resource.indexed)).collect()
        }
        Err(_) => return 0,
    };
    for number in 0..count {
        let Some(at) = number.checked_rem(stencils.len()) else { return 0 };
        state.store.stamp(&table, &stencils[at], None, &[&number.to_string()]);
    }
    count
}

/// A pod that says which turn it is.
fn turning(pod: &Object, indexed: &[Indexed]) -> Stencil {
    let mut value = pod.value();
    value["metadata"]["annotations"]["example.com/turn"] = json!(hole(1));
    Stencil::new(pod.key.clone(), value, indexed)
}

/// A pod that says no more than it must.
fn slim(namespace: &str, time: &str) -> Value {
    json!({
        "metadata": {"namespace": namespace, "creationTimestamp": time, "labels": {}, "annotations": {}},
        "spec": {"containers": [{"name": "main", "image": "registry.k8s.io/pause:3.10"}]},
        "status": {"phase": "Running"},
    })
}

/// A pod as a cluster with a mesh and a few controllers leaves it.
fn template(namespace: &str, time: &str) -> Value {
    let env: Vec<Value> =
        (0..8).map(|n| json!({"name": format!("SETTING_{n}"), "value": format!("value-{n}")})).collect();
    let mut pod = json!({
        "metadata": {
            "name": "pod-000000", "generateName": "pod-", "namespace": namespace, "uid": uuid(),
            "creationTimestamp": time, "generation": 1,
            "labels": {"app": "web", "pod-template-hash": "6d4cf56db6", "tier": "backend", "team": "platform"},
            "annotations": {
                "prometheus.io/scrape": "true", "prometheus.io/port": "8080",
                "kubectl.kubernetes.io/restartedAt": time, "example.com/config": "", "example.com/turn": "0",
            },
            "ownerReferences": [],
            "managedFields": [{
                "manager": "kube-controller-manager", "operation": "Update", "apiVersion": "v1", "time": time,
                "fieldsType": "FieldsV1", "fieldsV1": {"f:metadata": {"f:generateName": {}, "f:labels": {".": {}, "f:app": {},
                    "f:pod-template-hash": {}, "f:tier": {}, "f:team": {}}}, "f:spec": {"f:containers": {"k:{\"name\":\"main\"}":
                    {".": {}, "f:env": {".": {}}, "f:image": {}, "f:imagePullPolicy": {}, "f:name": {}, "f:ports": {}, "f:resources": {}}},
                    "f:dnsPolicy": {}, "f:enableServiceLinks": {}, "f:restartPolicy": {}, "f:schedulerName": {}, "f:volumes": {}}},
            }, {
                "manager": "kubelet", "operation": "Update", "apiVersion": "v1", "time": time, "subresource": "status",
                "fieldsType": "FieldsV1", "fieldsV1": {"f:status": {"f:conditions": {"k:{\"type\":\"Ready\"}": {".": {}, "f:status": {}}},
                    "f:containerStatuses": {}, "f:hostIP": {}, "f:phase": {}, "f:podIP": {}, "f:podIPs": {}, "f:startTime": {}}},
            }],
        },
        "spec": {
            "nodeName": "node-000", "serviceAccountName": "default", "serviceAccount": "default",
            "volumes": [
                {"name": "config", "configMap": {"name": "app-config", "defaultMode": 420}},
                {"name": "kube-api-access", "projected": {"defaultMode": 420, "sources": [
                    {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
                    {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                ]}},
            ],
            "containers": [{
                "name": "main", "image": "registry.example.com/team/app:1.42.0", "imagePullPolicy": "IfNotPresent",
                "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}], "env": env,
                "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
                "volumeMounts": [{"name": "config", "mountPath": "/etc/app", "readOnly": true},
                    {"name": "kube-api-access", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": true}],
                "readinessProbe": {"httpGet": {"path": "/healthz", "port": 8080, "scheme": "HTTP"}, "periodSeconds": 10,
                    "timeoutSeconds": 1, "successThreshold": 1, "failureThreshold": 3},
                "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
            }],
            "restartPolicy": "Always", "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst",
            "schedulerName": "default-scheduler", "securityContext": {}, "enableServiceLinks": true, "priority": 0,
            "tolerations": [{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}],
        },
        "status": {"qosClass": "Burstable"},
    });
    pod["status"] = kubelet::running(&pod, "10.244.0.1", time);
    pod
}
