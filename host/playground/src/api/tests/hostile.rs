use serde_json::json;

use super::*;

#[test]
fn bodies_that_make_no_sense_are_refused_and_harm_nothing() {
    let mut cluster = Cluster::new();
    cluster.create(DEFINITIONS, widgets());
    let pod = |spec: Value| json!({"metadata": {"name": "p"}, "spec": spec});
    let containers = json!([{"name": "a", "image": "b"}]);
    let paths = [
        ("/api/v1/namespaces/default/pods", pod(json!("x"))),
        ("/api/v1/namespaces/default/pods", pod(json!([]))),
        ("/api/v1/namespaces/default/pods", pod(json!({"containers": "x"}))),
        ("/api/v1/namespaces/default/pods", pod(json!({"containers": [1, null]}))),
        ("/api/v1/namespaces/default/pods", json!({"metadata": "x"})),
        ("/api/v1/namespaces/default/pods", json!({"metadata": {"name": 1}})),
        ("/api/v1/namespaces/default/pods", json!({"metadata": {"name": "p", "labels": []}, "spec": {}})),
        (
            "/api/v1/namespaces/default/pods",
            json!({"metadata": {"name": "p", "annotations": {"a": 1}}, "spec": {}}),
        ),
        ("/api/v1/namespaces/default/pods", json!([])),
        ("/api/v1/namespaces/default/pods", json!("x")),
        ("/api/v1/namespaces/default/services", json!({"metadata": {"name": "s"}, "spec": {"ports": [1]}})),
        (
            "/apis/apps/v1/namespaces/default/deployments",
            json!({"metadata": {"name": "d"}, "spec": {"template": "x"}}),
        ),
        (DEFINITIONS, json!({"metadata": {"name": "x"}, "spec": {"versions": "x", "names": []}})),
        (WIDGETS, json!({"metadata": {"name": "w"}, "spec": "x"})),
    ];
    for (path, body) in paths {
        let (code, status) = cluster.send("POST", path, "", body.clone());
        assert!(matches!(code, 400 | 422), "{path} {body}: {status}");
    }
    let odd =
        pod(json!({"containers": containers, "initContainers": ["x"], "volumes": "x", "tolerations": 7}));
    cluster.send("POST", "/api/v1/namespaces/default/pods", "", odd);
    let patches = [
        (MERGE, json!({"metadata": null})),
        (MERGE, json!({"metadata": {"finalizers": "x", "ownerReferences": 3, "managedFields": "x"}})),
        (APPLY, json!({"kind": "Namespace", "apiVersion": "v1", "metadata": []})),
        ("application/json-patch+json", json!([{"op": "remove", "path": "/metadata"}])),
        ("application/json-patch+json", json!([{"op": "replace", "path": "", "value": 1}])),
        ("application/strategic-merge-patch+json", json!({"$patch": "delete"})),
    ];
    for (kind, patch) in patches {
        let (code, status) =
            cluster.send("PATCH", "/api/v1/namespaces/default?fieldManager=x", kind, patch.clone());
        assert!(code < 500, "{patch}: {status}");
        let (code, namespace) = cluster.get("/api/v1/namespaces/default");
        assert_eq!((code, &namespace["metadata"]["name"]), (200, &json!("default")), "{patch}");
    }
}
