//! Which command a request becomes, and what the server makes of it.

use serde_json::{Value, json};

use crate::lines;
use crate::place::{NAMESPACE, Place};

const JSON: &str = "application/json-patch+json";
const MERGE: &str = "application/merge-patch+json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";
const APPLY: &str = "application/apply-patch+yaml";

/// Makes a request of the server through kubectl: the object that came back, and the words that kubectl was given.
fn ask(place: &Place, method: &str, media_type: &str, body: &str, path: &str) -> (Value, String) {
    let mut flags = vec!["--method", method, "--read", "json"];
    if !body.is_empty() {
        flags.extend(["--content-type", media_type, "--body", body]);
    }
    let outcome = place.ask(&flags).argument(path).run().expect_code(0);
    let item = lines(&outcome).into_iter().find_map(|line| line.strip_prefix("item 1: "));
    let text = item.unwrap_or_else(|| panic!("{method} {path}: {outcome:?}"));
    let object = serde_json::from_str(&text.replace(" | ", "\n")).unwrap_or_else(|_| panic!("{text}"));
    (object, place.last().arguments.join(" "))
}

#[test]
fn each_method_is_a_verb_with_the_path_as_it_is() {
    let place = Place::new();
    let all = format!("/api/v1/namespaces/{NAMESPACE}/configmaps");
    let one = format!("{all}/verbs");
    let map = |value: &str| json!({"metadata": {"name": "verbs"}, "data": {"value": value}}).to_string();
    for (method, body, path, words, value) in [
        ("POST", map("1"), all.clone(), format!("create --raw={all} -f -"), Some("1")),
        ("GET", String::new(), one.clone(), format!("get --raw={one}"), Some("1")),
        ("PUT", map("2"), one.clone(), format!("replace --raw={one} -f -"), Some("2")),
        ("GET", String::new(), format!("{one}?a=b%20c&d"), format!("get --raw={one}?a=b%20c&d"), Some("2")),
        (
            "DELETE",
            json!({"propagationPolicy": "Background"}).to_string(),
            one.clone(),
            format!("delete --raw={one} -f -"),
            None,
        ),
        ("POST", map("3"), all.clone(), format!("create --raw={all} -f -"), Some("3")),
        ("DELETE", String::new(), one.clone(), format!("delete --raw={one}"), None),
    ] {
        let (object, given) = ask(&place, method, "application/json", &body, &path);
        assert_eq!(given, words);
        assert_eq!(object["data"]["value"].as_str(), value, "{words}: {object}");
        // One request, the one that was asked for.
        let (requests, path) = (place.last().requests, path.split('?').next().unwrap_or_default());
        assert!(requests.len() == 1 && requests[0].contains(path), "{words}: {requests:?}");
    }
    assert!(place.noted().iter().all(|noted| noted.program == place.kubectl().to_str().unwrap()));
}

fn deployment(name: &str) -> String {
    let labels = json!({"app": name});
    json!({
        "metadata": {"name": name},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "a", "image": "a:1"}]},
            },
        },
    })
    .to_string()
}

/// Each kind of patch, of an object, of its status and of its scale.
#[test]
fn each_kind_of_patch_reaches_objects_and_their_subresources() {
    let place = Place::new();
    let all = format!("/apis/apps/v1/namespaces/{NAMESPACE}/deployments");
    ask(&place, "POST", "application/json", &deployment("patched"), &all);
    let one = format!("{all}/patched");
    let tail =
        format!("--patch-file=/dev/stdin --output=json --show-managed-fields=true --namespace={NAMESPACE}");
    let target = "deployments.v1.apps/patched";
    let applied = |part: &str, value: Value| {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "patched"}, part: value})
            .to_string()
    };
    let image = json!({"template": {"spec": {"containers": [{"name": "a", "image": "a:3"}]}}});
    for (kind, media_type, suffix, body, pointer, value) in [
        (
            "json",
            JSON,
            "",
            json!([{"op": "replace", "path": "/spec/replicas", "value": 2}]).to_string(),
            "/spec/replicas",
            json!(2),
        ),
        (
            "merge",
            MERGE,
            "",
            json!({"metadata": {"labels": {"a": "b"}}}).to_string(),
            "/metadata/labels/a",
            json!("b"),
        ),
        (
            "strategic",
            STRATEGIC,
            "",
            json!({"spec": image}).to_string(),
            "/spec/template/spec/containers/0/image",
            json!("a:3"),
        ),
        (
            "json",
            JSON,
            "status",
            json!([{"op": "add", "path": "/status/replicas", "value": 4}]).to_string(),
            "/status/replicas",
            json!(4),
        ),
        (
            "merge",
            MERGE,
            "status",
            json!({"status": {"replicas": 5}}).to_string(),
            "/status/replicas",
            json!(5),
        ),
        (
            "strategic",
            STRATEGIC,
            "status",
            json!({"status": {"readyReplicas": 3}}).to_string(),
            "/status/readyReplicas",
            json!(3),
        ),
        (
            "json",
            JSON,
            "scale",
            json!([{"op": "replace", "path": "/spec/replicas", "value": 6}]).to_string(),
            "/spec/replicas",
            json!(6),
        ),
        ("merge", MERGE, "scale", json!({"spec": {"replicas": 7}}).to_string(), "/spec/replicas", json!(7)),
    ] {
        let (path, flag) = match suffix {
            "" => (one.clone(), String::new()),
            other => (format!("{one}/{other}"), format!(" --subresource={other}")),
        };
        let (object, given) = ask(&place, "PATCH", media_type, &body, &path);
        assert_eq!(given, format!("patch --type={kind} {tail}{flag} {target}"), "{kind} {suffix}");
        assert_eq!(object.pointer(pointer), Some(&value), "{given}: {object}");
        let kind = if suffix == "scale" { "Scale" } else { "Deployment" };
        assert_eq!(object["kind"], kind, "{given}");
    }
    for (suffix, body, pointer, value) in [
        ("", applied("spec", json!({"replicas": 8})), "/spec/replicas", json!(8)),
        ("status", applied("status", json!({"replicas": 9})), "/status/replicas", json!(9)),
    ] {
        let (path, flag) = match suffix {
            "" => (one.clone(), String::new()),
            other => (format!("{one}/{other}"), format!(" --subresource={other}")),
        };
        let path = format!("{path}?fieldManager=me&force=true");
        let (object, given) = ask(&place, "PATCH", APPLY, &body, &path);
        let expected = format!(
            "apply --server-side --filename=- --output=json --show-managed-fields=true --namespace={NAMESPACE}{flag} \
             --field-manager=me --force-conflicts --validate=false"
        );
        assert_eq!(given, expected);
        assert_eq!(object.pointer(pointer), Some(&value), "{given}: {object}");
        let managers = object["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
        assert!(
            managers.iter().any(|field| field["manager"] == "me" && field["operation"] == "Apply"),
            "{object}"
        );
        // No round trip to learn how to validate.
        let requests = place.last().requests;
        assert!(requests.iter().all(|request| !request.contains("/openapi")), "{requests:?}");
    }
}

/// kubectl itself takes no `Scale` to apply, which is what the server wants.
#[test]
fn a_scale_is_patched_and_not_applied() {
    let place = Place::new();
    let all = format!("/apis/apps/v1/namespaces/{NAMESPACE}/deployments");
    ask(&place, "POST", "application/json", &deployment("scaled"), &all);
    let scale = json!({
        "apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "scaled"}, "spec": {"replicas": 2},
    });
    std::fs::write(place.path("scale"), scale.to_string()).unwrap();
    let file = place.path("scale");
    let apply = format!("-n {NAMESPACE} apply --server-side --subresource=scale -f {}", file.display());
    assert!(!place.plain(&apply).output().unwrap().status.success());
    let before = place.noted().len();
    let path = format!("{all}/scaled/scale?fieldManager=me");
    let body = scale.to_string();
    let flags = ["--method", "PATCH", "--content-type", APPLY, "--body", &body];
    let outcome = place.ask(&flags).argument(&path).run().expect_code(3);
    let last = lines(&outcome).pop().unwrap_or_default();
    assert!(last.starts_with("error unsupported: kubectl applies no scale: "), "{last}");
    assert_eq!(place.noted().len(), before, "it was not attempted");
}

#[test]
fn exec_goes_through_kubectl_exec() {
    let place = Place::new();
    let outcome = place.guest("requests").arguments(&["tunnel", NAMESPACE, "web"]).run().expect_code(0);
    assert_eq!(lines(&outcome), ["tunnel: 7 \"through \\r\\n the tunnel\" \"err\\n\""]);
    let given = place.last().arguments.join(" ");
    assert!(given.starts_with("exec ") && given.ends_with(" -- sh -c cat; echo err >&2; exit 7"), "{given}");
}

/// Said beforehand, and refused without a try.
#[test]
fn what_it_cannot_do_is_said_and_not_attempted() {
    let place = Place::new();
    let outcome = place.guest("requests").argument("unsupported").run().expect_code(0);
    let refused = |what: &str| format!("{what}: error unsupported");
    assert_eq!(
        lines(&outcome),
        [
            "supports accept: false",
            "supports content-type: false",
            "supports head: false",
            "supports options: false",
            "supports stream-body: true",
            "supports status-details: false",
            "supports warnings: true",
            "supports exec: true",
            "supports terminal: false",
            "supports attach: false",
            "supports port-forward: false",
            "supports telepathy: false",
            &refused("accept"),
            &refused("accept"),
            &refused("content-type"),
            &refused("content-type"),
            &refused("content-type"),
            &refused("head"),
            &refused("options"),
            &refused("terminal"),
            &refused("attach"),
            &refused("port-forward"),
        ]
    );
    assert!(place.noted().is_empty());
}
