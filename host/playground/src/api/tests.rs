mod hostile;

use serde_json::json;

use super::watch::Turn;
use super::*;
use crate::world::seed;

const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";
const MERGE: &str = "application/merge-patch+json";
const APPLY: &str = "application/apply-patch+yaml";

struct Cluster(State);

impl Cluster {
    fn new() -> Cluster {
        let mut state = State::new(1 << 24, "certificate".into());
        seed::cluster(&mut state, 6443, OffsetDateTime::UNIX_EPOCH);
        state.do_chores(OffsetDateTime::UNIX_EPOCH);
        Cluster(state)
    }

    fn answer(&mut self, method: &str, url: &str, kind: &str, body: &Value) -> Answer<Reply> {
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
        let answer = handle(
            &mut self.0,
            &Request {
                method: method.parse().unwrap(),
                path: path.into(),
                query: Query::parse(query),
                accept: String::new(),
                content_type: kind.into(),
                user_agent: "test/1".into(),
                body,
                now: OffsetDateTime::UNIX_EPOCH,
            },
        );
        self.0.do_chores(OffsetDateTime::UNIX_EPOCH);
        answer
    }

    /// The code and the document of an answer.
    fn send(&mut self, method: &str, url: &str, kind: &str, body: Value) -> (u16, Value) {
        match self.answer(method, url, kind, &body) {
            Err(failure) => (failure.code, failure.status()),
            Ok(Reply::Document { code, body, .. }) => (code, serde_json::from_slice(&body).unwrap()),
            Ok(Reply::List { view, meta, objects }) => {
                let mut text = view.list_head(&meta);
                for (position, object) in objects.iter().enumerate() {
                    text.extend_from_slice(if position == 0 { b"" } else { b"," });
                    view.list_item(object, &mut text);
                }
                text.extend_from_slice(view.list_tail());
                (200, serde_json::from_slice(&text).unwrap())
            }
            Ok(_) => (0, Value::Null),
        }
    }

    fn get(&mut self, url: &str) -> (u16, Value) {
        self.send("GET", url, "", Value::Null)
    }

    fn create(&mut self, url: &str, object: Value) -> Value {
        let (code, made) = self.send("POST", url, "", object);
        assert_eq!(code, 201, "{made}");
        made
    }

    fn watch(&mut self, url: &str) -> Watch {
        match self.answer("GET", url, "", &Value::Null) {
            Ok(Reply::Watch(watch)) => *watch,
            _ => panic!("{url} is no watch"),
        }
    }

    /// The events that a watch has now.
    fn events(&self, watch: &mut Watch) -> Vec<Value> {
        let mut text = Vec::new();
        loop {
            let collected = watch.turn(&self.0.store);
            match watch.write(collected, 0) {
                Turn::More(bytes) => text.extend(bytes),
                Turn::Idle(bytes) | Turn::End(bytes) => {
                    text.extend(bytes);
                    break;
                }
            }
        }
        serde_json::Deserializer::from_slice(&text).into_iter().map(Result::unwrap).collect()
    }
}

fn config_map(name: &str, value: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": {"v": value}}, "data": {"v": value}})
}

fn widgets() -> Value {
    let schema = json!({"type": "object", "properties": {
        "spec": {"type": "object", "required": ["size"], "properties": {
            "size": {"type": "integer"}, "color": {"type": "string", "default": "blue"}}},
        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}});
    let version = |name: &str, storage: bool| {
        json!({"name": name, "served": true, "storage": storage, "schema": {"openAPIV3Schema": schema},
            "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.size"}}})
    };
    json!({"metadata": {"name": "widgets.example.com"}, "spec": {
        "group": "example.com", "scope": "Namespaced", "names": {"plural": "widgets", "kind": "Widget"},
        "versions": [version("v1", true), version("v1beta1", false)]}})
}

const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const WIDGETS: &str = "/apis/example.com/v1/namespaces/default/widgets";

fn names(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|item| item["metadata"]["name"].as_str().unwrap()).collect()
}

fn shown(events: &[Value]) -> Vec<String> {
    let name = |event: &Value| event["object"]["metadata"]["name"].as_str().unwrap_or("-").to_owned();
    events.iter().map(|event| format!("{} {}", event["type"].as_str().unwrap(), name(event))).collect()
}

#[test]
fn writes_are_refused_in_the_servers_words() {
    let mut cluster = Cluster::new();
    let revision = cluster.create(CONFIG_MAPS, config_map("a", "1"))["metadata"]["resourceVersion"].clone();
    cluster.send("PATCH", &format!("{CONFIG_MAPS}/a"), MERGE, json!({"data": {"v": "2"}}));
    let mut stale = config_map("a", "3");
    stale["metadata"]["resourceVersion"] = revision;
    let a = format!("{CONFIG_MAPS}/a");
    let cases = [
        ("POST", CONFIG_MAPS, "", config_map("a", "1"), 409, "configmaps \"a\" already exists"),
        (
            "PUT",
            &a,
            "",
            stale,
            409,
            "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please apply your changes to the latest version and try again",
        ),
        ("GET", "/api/v1/namespaces/default/pods/x", "", Value::Null, 404, "pods \"x\" not found"),
        (
            "POST",
            "/api/v1/namespaces/x/configmaps",
            "",
            config_map("b", "1"),
            404,
            "namespaces \"x\" not found",
        ),
        (
            "PUT",
            &a,
            "",
            config_map("b", "1"),
            400,
            "the name of the object (b) does not match the name on the URL (a)",
        ),
        (
            "POST",
            CONFIG_MAPS,
            "text/plain",
            config_map("b", "1"),
            415,
            "the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf",
        ),
        (
            "DELETE",
            "/api/v1/namespaces/default",
            "",
            Value::Null,
            403,
            "namespaces \"default\" is forbidden: this namespace may not be deleted",
        ),
        (
            "PUT",
            CONFIG_MAPS,
            "",
            config_map("b", "1"),
            405,
            "the server does not allow this method on the requested resource",
        ),
        ("GET", "/api/v1/foos", "", Value::Null, 404, "the server could not find the requested resource"),
        ("GET", "/api/v1/pods?fieldSelector=x%3Dy", "", Value::Null, 400, "field label not supported: x"),
        (
            "GET",
            "/api/v1/pods?resourceVersion=9999",
            "",
            Value::Null,
            504,
            "Timeout: Too large resource version: 9999, current: 18",
        ),
    ];
    for (method, url, kind, body, code, message) in cases {
        let (found, status) = cluster.send(method, url, kind, body);
        assert_eq!((found, status["message"].as_str()), (code, Some(message)), "{method} {url}");
        assert_eq!((status["kind"].as_str(), status["code"].as_u64()), (Some("Status"), Some(code.into())));
    }
}

#[test]
fn pages_of_one_list_agree_until_the_history_is_gone() {
    let mut cluster = Cluster::new();
    for name in ["a", "b", "c", "d"] {
        cluster.create(CONFIG_MAPS, config_map(name, "1"));
    }
    let (_, first) = cluster.get(&format!("{CONFIG_MAPS}?limit=2"));
    assert_eq!(names(&first), ["a", "b"]);
    assert_eq!(first["metadata"]["remainingItemCount"], 3);
    cluster.send("DELETE", &format!("{CONFIG_MAPS}/c"), "", Value::Null);
    cluster.create(CONFIG_MAPS, config_map("bb", "1"));
    let next = format!("{CONFIG_MAPS}?limit=9&continue={}", first["metadata"]["continue"].as_str().unwrap());
    let (_, second) = cluster.get(&next);
    assert_eq!(names(&second), ["c", "d", "kube-root-ca.crt"]);
    assert_eq!(second["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"]);
    let now = cluster.0.store.revision();
    cluster.0.store.compact(now);
    let (code, expired) = cluster.get(&next);
    assert_eq!((code, expired["reason"].as_str()), (410, Some("Expired")));
    let go_on = expired["metadata"]["continue"].as_str().unwrap();
    let (_, rest) = cluster.get(&format!("{CONFIG_MAPS}?continue={go_on}"));
    assert_eq!(names(&rest), ["bb", "d", "kube-root-ca.crt"]);
}

#[test]
fn a_watch_tells_what_enters_and_leaves_its_selection() {
    let mut cluster = Cluster::new();
    cluster.create(CONFIG_MAPS, config_map("a", "1"));
    let mut watch = cluster.watch(&format!("{CONFIG_MAPS}?watch=1&labelSelector=v%3D1"));
    assert_eq!(shown(&cluster.events(&mut watch)), ["ADDED a"]);
    let relabel = |v: &str| json!({"metadata": {"labels": {"v": v}}});
    cluster.create(CONFIG_MAPS, config_map("b", "2"));
    cluster.send("PATCH", &format!("{CONFIG_MAPS}/b"), MERGE, relabel("1"));
    cluster.send("PATCH", &format!("{CONFIG_MAPS}/a"), MERGE, relabel("2"));
    cluster.send("DELETE", &format!("{CONFIG_MAPS}/b"), "", Value::Null);
    let events = cluster.events(&mut watch);
    assert_eq!(shown(&events), ["ADDED b", "DELETED a", "DELETED b"]);
    // What leaves is shown as it was when it was selected, at the revision at which it left.
    assert_eq!(events[1]["object"]["metadata"]["labels"]["v"], "1");
    assert_eq!(events[2]["object"]["metadata"]["resourceVersion"], cluster.0.store.revision().to_string());
}

#[test]
fn a_watch_list_marks_the_end_of_the_state() {
    let mut cluster = Cluster::new();
    let options = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    let mut watch = cluster.watch(&format!("{CONFIG_MAPS}?{options}"));
    let events = cluster.events(&mut watch);
    assert_eq!(shown(&events), ["ADDED kube-root-ca.crt", "BOOKMARK -"]);
    assert_eq!(events[1]["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
    assert!(watch.bookmark().is_none(), "it knows all there is");
}

#[test]
fn a_watch_from_compacted_history_ends_with_410() {
    let mut cluster = Cluster::new();
    let from = cluster.0.store.revision();
    cluster.create(CONFIG_MAPS, config_map("a", "1"));
    let mut watch = cluster.watch(&format!("{CONFIG_MAPS}?watch=1&resourceVersion={from}"));
    assert_eq!(shown(&cluster.events(&mut watch)), ["ADDED a"]);
    cluster.0.store.compact(from + 1);
    let mut late = cluster.watch(&format!("{CONFIG_MAPS}?watch=1&resourceVersion={from}"));
    let events = cluster.events(&mut late);
    assert_eq!(
        (events[0]["type"].as_str(), events[0]["object"]["code"].as_u64()),
        (Some("ERROR"), Some(410))
    );
}

#[test]
fn finalizers_keep_and_owners_take() {
    let mut cluster = Cluster::new();
    let mut owner = config_map("owner", "1");
    owner["metadata"]["finalizers"] = json!(["example.com/x"]);
    let uid = cluster.create(CONFIG_MAPS, owner)["metadata"]["uid"].clone();
    let mut child = config_map("child", "1");
    child["metadata"]["ownerReferences"] =
        json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid}]);
    cluster.create(CONFIG_MAPS, child);
    let path = format!("{CONFIG_MAPS}/owner");
    let (code, going) = cluster.send("DELETE", &path, "", Value::Null);
    assert_eq!((code, going["metadata"]["deletionTimestamp"].is_string()), (200, true));
    assert_eq!(cluster.get(&format!("{CONFIG_MAPS}/child")).0, 200);
    cluster.send("PATCH", &path, MERGE, json!({"metadata": {"finalizers": null}}));
    assert_eq!(cluster.get(&path).0, 404);
    assert_eq!(cluster.get(&format!("{CONFIG_MAPS}/child")).0, 404);
}

#[test]
fn a_namespace_goes_when_it_is_empty() {
    let mut cluster = Cluster::new();
    cluster.create("/api/v1/namespaces", json!({"metadata": {"name": "team"}}));
    assert_eq!(cluster.get("/api/v1/namespaces/team/serviceaccounts/default").0, 200);
    let mut kept = config_map("kept", "1");
    kept["metadata"]["finalizers"] = json!(["example.com/x"]);
    cluster.create("/api/v1/namespaces/team/configmaps", kept);
    let (_, going) = cluster.send("DELETE", "/api/v1/namespaces/team", "", Value::Null);
    assert_eq!(going["status"]["phase"], "Terminating");
    let (code, _) = cluster.send("POST", "/api/v1/namespaces/team/configmaps", "", config_map("late", "1"));
    assert_eq!(code, 403);
    let kept = "/api/v1/namespaces/team/configmaps/kept";
    cluster.send("PATCH", kept, MERGE, json!({"metadata": {"finalizers": []}}));
    assert_eq!(cluster.get("/api/v1/namespaces/team").0, 404);
}

#[test]
fn a_definition_makes_its_kind_served() {
    let mut cluster = Cluster::new();
    assert!(matches!(cluster.answer("GET", WIDGETS, "", &Value::Null), Ok(Reply::Unknown)));
    cluster.create(DEFINITIONS, widgets());
    let made = cluster.create(
        WIDGETS,
        json!({"metadata": {"name": "w"}, "spec": {"size": 1, "extra": 1}, "status": {"x": 1}}),
    );
    assert_eq!(made["spec"], json!({"size": 1, "color": "blue"}));
    assert!(made["status"].is_null());
    let path = format!("{WIDGETS}/w");
    let (_, status) = cluster.send(
        "PATCH",
        &format!("{path}/status"),
        MERGE,
        json!({"spec": {"size": 9}, "status": {"size": 4}}),
    );
    assert_eq!((&status["spec"]["size"], &status["status"]["size"]), (&json!(1), &json!(4)));
    assert_eq!(status["metadata"]["generation"], 1);
    let (_, scale) = cluster.send("PATCH", &format!("{path}/scale"), MERGE, json!({"spec": {"replicas": 7}}));
    assert_eq!((&scale["spec"]["replicas"], &scale["status"]["replicas"]), (&json!(7), &json!(4)));
    let (_, other) = cluster.get("/apis/example.com/v1beta1/namespaces/default/widgets/w");
    assert_eq!(
        (&other["apiVersion"], &other["metadata"]["generation"]),
        (&json!("example.com/v1beta1"), &json!(2))
    );
    cluster.send("DELETE", &format!("{DEFINITIONS}/widgets.example.com"), "", Value::Null);
    assert!(matches!(cluster.answer("GET", WIDGETS, "", &Value::Null), Ok(Reply::Unknown)));
    cluster.create(DEFINITIONS, widgets());
    assert_eq!(cluster.get(&path).0, 404, "its objects went with the definition");
}

#[test]
fn apply_keeps_fields_of_others_and_drops_its_own() {
    let mut cluster = Cluster::new();
    let path = format!("{CONFIG_MAPS}/a");
    let config = |data: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data});
    let (code, _) = cluster.send(
        "PATCH",
        &format!("{path}?fieldManager=one"),
        APPLY,
        config(json!({"x": "1", "y": "1"})),
    );
    assert_eq!(code, 201);
    let (code, conflict) = cluster.send(
        "PATCH",
        &format!("{path}?fieldManager=two"),
        APPLY,
        config(json!({"x": "2", "z": "2"})),
    );
    assert_eq!(
        (code, conflict["message"].as_str()),
        (409, Some("Apply failed with 1 conflict: conflict with \"one\": .data.x"))
    );
    let forced = format!("{path}?fieldManager=two&force=true");
    assert_eq!(cluster.send("PATCH", &forced, APPLY, config(json!({"x": "2", "z": "2"}))).0, 200);
    let (_, after) = cluster.send("PATCH", &format!("{path}?fieldManager=one"), APPLY, config(json!({})));
    assert_eq!(after["data"], json!({"x": "2", "z": "2"}), "y was one's alone");
    let before = after["metadata"]["resourceVersion"].clone();
    let (_, again) = cluster.send("PATCH", &forced, APPLY, config(json!({"x": "2", "z": "2"})));
    assert_eq!(again["metadata"]["resourceVersion"], before, "the same again writes nothing");
}

#[test]
fn a_dry_run_stores_nothing() {
    let mut cluster = Cluster::new();
    let before = cluster.0.store.revision();
    let made = cluster.create(&format!("{CONFIG_MAPS}?dryRun=All"), config_map("a", "1"));
    assert!(made["metadata"]["resourceVersion"].is_null() && made["metadata"]["uid"].is_string());
    assert_eq!((cluster.0.store.revision(), cluster.get(&format!("{CONFIG_MAPS}/a")).0), (before, 404));
}

#[test]
fn an_update_keeps_the_address_of_a_service() {
    let mut cluster = Cluster::new();
    let services = "/api/v1/namespaces/default/services";
    let service = json!({"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}});
    let made = cluster.create(services, service.clone());
    let (code, after) = cluster.send("PUT", &format!("{services}/s"), "", service);
    assert_eq!((code, &after["spec"]["clusterIP"]), (200, &made["spec"]["clusterIP"]));
}
