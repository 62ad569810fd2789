//! Documents that no server should say.

use super::*;

#[test]
fn hostile_documents_are_typed_errors() {
    let name = |length| "x".repeat(length);
    let many = |count: usize, one: &dyn Fn(usize) -> Value| -> Value { (0..count).map(one).collect() };
    let versions = |count| {
        let groups = many(
            count,
            &|n| json!({ "metadata": { "name": format!("g{n}") }, "versions": [{ "version": "v1" }] }),
        );
        json!({ "kind": "APIGroupDiscoveryList", "items": groups })
    };
    let resources = |count| {
        let all = many(count, &|n| json!({ "name": format!("r{n}"), "kind": "R" }));
        json!({ "kind": "APIResourceList", "groupVersion": "a/v1", "resources": all })
    };
    let malformed = |error: &DocumentError| matches!(error, DocumentError::Malformed { .. });
    for (document, why) in [
        ("", "empty"),
        ("{", "cut"),
        ("null", "null"),
        ("{\"kind\":7}", "a kind that is a number"),
        ("{\"kind\":\"APIGroupDiscoveryList\",\"items\":{}}", "items that are an object"),
        ("{\"kind\":\"APIGroupDiscoveryList\",\"items\":[{\"versions\":[7]}]}", "a version that is a number"),
        (
            "{\"kind\":\"APIResourceList\",\"groupVersion\":\"v1\",\"resources\":[{}]}",
            "a resource without a name",
        ),
        ("{\"v1\":\"pods\"}", "a map to a text"),
        (&format!("{{\"a\":{}", "[".repeat(100_000)), "depth"),
        (&format!("[{}", "{\"v1\":[".repeat(100_000)), "depth in a list"),
    ] {
        let error = Catalog::parse(document.as_bytes()).unwrap_err();
        assert!(malformed(&error), "{why}: {error}");
    }
    for (document, expected) in [
        (versions(5_000), "more groups and versions than 4096"),
        (resources(70_000), "more resources than 65536"),
        (json!({ "kind": "Pod" }), "an object of another kind"),
        (json!({ "kind": "APIGroupList", "groups": [] }), "names groups and not their resources"),
        (json!({ "kind": "APIResourceList", "resources": [] }), "without groupVersion"),
    ] {
        let error = Catalog::parse(document.to_string().as_bytes()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let huge = vec![b' '; usize::try_from(MAX_DOCUMENT).unwrap() + 1];
    assert_eq!(Catalog::parse(&huge), Err(DocumentError::TooLong));
    // What is only odd is left out and said: nothing of it can reach a path.
    let odd = json!({
        "v1": [
            { "name": "pods", "kind": "Pod", "shortNames": null, "verbs": null },
            { "name": "pods", "kind": "Pod2" },
            { "name": "../secrets", "kind": "Up" },
            { "name": "a?b=c", "kind": "Query" },
            { "name": name(300), "kind": "Long" },
            { "name": "nokind" },
            { "name": "pods/a b", "kind": "Sub" },
            { "name": "pods/status", "kind": "Pod" },
            { "name": "pods/status", "kind": "Pod" },
            { "name": "orphans/status", "kind": "Orphan" },
            { "name": "many", "kind": "Many", "shortNames": many(200, &|n| json!(format!("s{n}"))) },
        ],
        "../etc/v1": [{ "name": "x", "kind": "X" }],
        "Upper.example/v1": [{ "name": "x", "kind": "X" }],
        "ok.example/V1": [{ "name": "x", "kind": "X" }],
    });
    let catalog = Catalog::parse(odd.to_string().as_bytes()).unwrap();
    let names: Vec<String> =
        catalog.resources().iter().map(|one| format!("{} {}", one.qualified(), one.kind())).collect();
    assert_eq!(names, ["pods Pod"]);
    assert_eq!(catalog.resources()[0].subresources().len(), 1);
    assert!(catalog.gaps().len() >= 9, "{:?}", catalog.gaps());
}
