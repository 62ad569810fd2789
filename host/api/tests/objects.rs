//! Operations where a server is odd: expired lists, missing verbs, watches that end at once.

mod peer;

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt};
use peer::{Says, Table};
use serde_json::{Value, json};
use tidegate_api::discovery::Catalog;
use tidegate_api::objects::{Condition, Delete, List, Objects, Wait, Waited, Write, in_order, requests};
use tidegate_kube::request::{Method, Request};
use tidegate_transport::{Code, Support};

const THINGS: &str = "/apis/x.example/v1/namespaces/n/things";

fn things(table: &Arc<Table>, verbs: &[&str]) -> Objects {
    let document = json!({ "x.example/v1": [
        { "name": "things", "kind": "Thing", "namespaced": true, "verbs": verbs },
    ]});
    let catalog = Catalog::parse(document.to_string().as_bytes()).unwrap();
    Objects::new(table.dynamic(), catalog.lookup("things").unwrap())
}

fn text(value: &Value) -> Says {
    Says::Text("application/json", value.to_string())
}

fn thing(name: &str, at: &str) -> Value {
    json!({ "metadata": { "name": name, "namespace": "n", "uid": format!("u-{name}"), "resourceVersion": "7" }, "at": at })
}

fn page(names: &[&str], token: &str) -> Says {
    let items: Vec<Value> = names.iter().map(|name| thing(name, "")).collect();
    text(&json!({ "metadata": { "resourceVersion": "9", "continue": token }, "items": items }))
}

#[tokio::test]
async fn a_list_that_expires_says_how_far_it_had_come() {
    let table = Table::new([(THINGS, Says::InTurn(vec![page(&["a", "b"], "t1"), Says::Code(410)]))]);
    let objects = things(&table, &["list"]).within("n");
    let mut stream = std::pin::pin!(objects.stream(&List { limit: Some(2), ..List::default() }));
    assert_eq!(stream.next().await.unwrap().unwrap()["metadata"]["name"], "a");
    stream.next().await.unwrap().unwrap();
    let error = stream.next().await.unwrap().unwrap_err();
    assert_eq!(error.status().unwrap().code, 410);
    assert!(error.to_string().contains("expired after 2 objects and must begin anew"), "{error}");
    assert!(stream.next().await.is_none());
    assert_eq!(table.log()[1], format!("GET {THINGS}?limit=2&continue=t1"));
    // A server that goes round in circles, or lists what is no list.
    for (answers, code) in [
        (vec![page(&["a"], "t1"), page(&["a"], "t1")], Code::Protocol),
        (vec![text(&json!([1]))], Code::Protocol),
        (vec![text(&json!({ "items": 7 }))], Code::Protocol),
    ] {
        table.says(THINGS, Says::InTurn(answers));
        let listed: Result<Vec<Value>, _> = objects.stream(&List::default()).try_collect().await;
        assert_eq!(listed.unwrap_err().code(), code);
    }
    table.says(THINGS, text(&json!({ "metadata": {}, "items": null })));
    assert!(objects.list(&List::default()).await.unwrap().items().is_empty());
}

#[tokio::test]
async fn what_cannot_be_deleted_at_once_is_deleted_one_by_one() {
    let path = |name: &str| format!("{THINGS}/{name}");
    for verbs in [&["list", "delete"][..], &["list", "delete", "deletecollection"]] {
        let list = page(&["a", "b", "c"], "");
        let table = Table::new([(THINGS, Says::InTurn(vec![list, Says::Code(405)]))]);
        table.says(&path("a"), text(&thing("a", "")));
        // Gone, and another by now.
        table.says(&path("b"), Says::Code(404));
        table.says(&path("c"), Says::Code(409));
        let deleted =
            things(&table, verbs).within("n").delete_all(&Delete::default(), &List::default()).await;
        let deleted = deleted.unwrap();
        assert_eq!(deleted.len(), 1, "{verbs:?}");
        let one_by_one =
            table.log().iter().filter(|line| line.starts_with(&format!("DELETE {THINGS}/"))).count();
        assert_eq!(one_by_one, 3, "{:?}", table.log());
    }
    let table = Table::new([(THINGS, page(&["a"], ""))]);
    table.says(&path("a"), Says::Code(403));
    let refused =
        things(&table, &["delete"]).within("n").delete_all(&Delete::default(), &List::default()).await;
    assert_eq!(refused.unwrap_err().status().unwrap().code, 403);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_watched_is_looked_at_now_and_then() {
    let at = format!("{THINGS}/a");
    let wait = Wait { timeout: Duration::from_secs(10), interval: Duration::from_secs(2) };
    let done: Condition = "jsonpath={.at}=done".parse().unwrap();
    // Without the verb; and with it, where each watch ends at once (the list that the table has instead is no watch).
    for verbs in [&["get"][..], &["get", "watch"]] {
        let turns = vec![text(&thing("a", "")), text(&thing("a", "")), text(&thing("a", "done"))];
        let table = Table::new([
            (at.clone().leak() as &str, Says::InTurn(turns)),
            (THINGS, Says::Text("application/json", String::new())),
        ]);
        let begun = tokio::time::Instant::now();
        let waited = things(&table, verbs).within("n").wait("a", &done, &wait).await.unwrap();
        assert!(matches!(waited, Waited::Met(object) if object["at"] == "done"));
        assert_eq!(begun.elapsed().as_secs(), 4, "{verbs:?}");
    }
    let table = Table::new([(at.leak() as &str, text(&thing("a", "")))]);
    let objects = things(&table, &["get"]).within("n");
    let error = objects.wait("a", &done, &wait).await.unwrap_err();
    assert_eq!(error.code(), Code::Timeout);
    assert_eq!(error.to_string(), "things.x.example/a did not come to jsonpath={.at}=done within 10 s");
    let before = table.asked();
    let once = Wait { timeout: Duration::ZERO, ..wait };
    assert_eq!(objects.wait("a", &done, &once).await.unwrap_err().code(), Code::Timeout);
    assert_eq!(table.asked(), before + 1);
    // Another object of the name is the end of the one that was waited for.
    let mut other = thing("a", "");
    other["metadata"]["uid"] = json!("another");
    table.says(&format!("{THINGS}/a"), Says::InTurn(vec![text(&thing("a", "")), text(&other)]));
    assert_eq!(objects.wait("a", &Condition::Deleted, &wait).await.unwrap(), Waited::Gone);
}

#[tokio::test]
async fn nothing_is_sent_that_would_mean_something_else() {
    let table = Table::new([]);
    let objects = things(&table, &["get"]);
    let inside = objects.clone().within("n");
    assert_eq!(objects.get("a").await.unwrap_err().code(), Code::InvalidRequest);
    assert_eq!(inside.get("").await.unwrap_err().code(), Code::InvalidRequest);
    assert_eq!(inside.replace(&json!({}), &Write::default()).await.unwrap_err().code(), Code::InvalidRequest);
    assert_eq!(
        inside.clone().subresource("status").list(&List::default()).await.unwrap_err().code(),
        Code::InvalidRequest
    );
    assert_eq!(table.asked(), 0);
    inside.get("a/../../secrets?x#y").await.unwrap_err();
    assert_eq!(table.log(), [format!("GET {THINGS}/a%2F..%2F..%2Fsecrets%3Fx%23y")]);
}

#[tokio::test(start_paused = true)]
async fn a_batch_keeps_order_and_bounds() {
    let late = |seconds| {
        Says::Late(Duration::from_secs(seconds), Box::new(Says::Text("text/plain", seconds.to_string())))
    };
    let table = Table::with_support(
        Support::EVERYTHING,
        [("/3", late(3)), ("/1", late(1)), ("/2", late(2)), ("/0", Says::Code(500))],
    );
    let begun = tokio::time::Instant::now();
    let paths = ["/3", "/1", "/0", "/2"];
    let all = requests(&table.dynamic(), 2, paths.map(|path| Request::new(Method::Get, path))).await;
    let shown: Vec<String> = all
        .into_iter()
        .map(|one| one.map_or_else(|error| error.code().to_string(), |one| one.code.to_string()))
        .collect();
    assert_eq!(shown, ["200", "200", "status", "200"]);
    // Two at a time: 3 beside 1 and 0, then 2.
    assert_eq!((begun.elapsed().as_secs(), table.asked()), (5, 4));
    // None at a time would never end: it is one.
    let each: Vec<u8> = in_order(0, [1, 2, 3].map(|n| async move { n })).collect().await;
    assert_eq!(each, [1, 2, 3]);
}
