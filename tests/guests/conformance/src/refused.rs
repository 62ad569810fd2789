//! What is refused: by the server, as a typed status; by the host, before anything is sent.

use serde_json::{Value, json};
use tidegate::prelude::*;

use crate::suite::{Suite, Verdict, fail, map, refused, same};

pub(crate) fn not_found(suite: &Suite) -> Verdict {
    let scratch = suite.namespace("not-found")?;
    if suite.client.supports("status-details") {
        let details: Option<Value> =
            refused("an object", scratch.maps().get("nobody"), 404, "NotFound")?.details_as()?;
        let details = details.unwrap_or_default();
        same("details", json!([details["name"], details["kind"]]), json!(["nobody", "configmaps"]))?;
    }
    let status = refused("an object", scratch.maps().get("nobody"), 404, "NotFound")?;
    same("its message", status.message.as_str(), "configmaps \"nobody\" not found")?;
    let unknown: tidegate::Result<Value> =
        suite.client.request(Request::get("/apis/nothing.example.com/v1/things"));
    refused("an unknown group", unknown, 404, "NotFound")?;
    Ok(())
}

pub(crate) fn already_exists(suite: &Suite) -> Verdict {
    let scratch = suite.namespace("already-exists")?;
    scratch.make("one")?;
    let twice = scratch.maps().create(&PostParams::default(), &map("one", "2"));
    refused("a second of that name", twice, 409, "AlreadyExists")?;
    Ok(())
}

pub(crate) fn conflict(suite: &Suite) -> Verdict {
    let scratch = suite.namespace("conflict")?;
    let old = scratch.make("one")?;
    let change = Patch::Merge(json!({ "data": { "value": "2" } }));
    scratch.maps().patch("one", &PatchParams::default(), &change)?;
    let late = scratch.maps().replace("one", &PostParams::default(), &old);
    refused("a replacement of an old version", late, 409, "Conflict")?;
    let late =
        json!({ "metadata": { "resourceVersion": old.metadata.resource_version }, "data": { "value": "3" } });
    let late = scratch.maps().patch("one", &PatchParams::default(), &Patch::Merge(late));
    refused("a patch of an old version", late, 409, "Conflict")?;
    Ok(())
}

pub(crate) fn invalid(suite: &Suite) -> Verdict {
    let scratch = suite.namespace("invalid")?;
    let made = scratch.maps().create(&PostParams::default(), &map("Not_A_Name", "1"));
    let status = refused("a name that is none", made, 422, "Invalid")?;
    if suite.client.supports("status-details") {
        let details: Value = status.details_as()?.unwrap_or_default();
        same("field of the cause", &details["causes"][0]["field"], "metadata.name")?;
    }
    scratch.make("one")?;
    let rename = Patch::Merge(json!({ "metadata": { "name": "two" } }));
    let renamed = scratch.maps().patch("one", &PatchParams::default(), &rename);
    match renamed {
        Err(error) if error.status().is_some_and(|status| matches!(status.code, 400 | 422)) => Ok(()),
        Err(error) => fail(format!("a change of name: `{}`: {error}", error.code())),
        Ok(_) => fail("a change of name was accepted"),
    }
}

pub(crate) fn unsupported_media_type(suite: &Suite) -> Verdict {
    suite.needs("content-type")?;
    let scratch = suite.namespace("unsupported-media-type")?;
    let request = Request::post(scratch.path()).content_type("text/plain").body("hello");
    let got = suite.client.send(request).map(drop);
    refused("text", got, 415, "UnsupportedMediaType")?;
    Ok(())
}

/// The peer cannot tell, but its log can: none of these paths is ever asked for.
pub(crate) fn before_anything_is_sent(suite: &Suite) -> Verdict {
    let get = |path: &str| Request::get(path);
    for (what, request) in [
        ("a segment ..", get("/api/v1/../v1/namespaces")),
        ("a last segment ..", get("/api/v1/namespaces/..")),
        ("an encoded ..", get("/api/v1/%2e%2e/v1/namespaces")),
        ("a half-encoded ..", get("/api/v1/.%2E/v1/namespaces")),
        ("an encoded slash after ..", get("/api/v1/..%2fv1/namespaces")),
        ("CR LF in the path", get("/api/v1/namespaces HTTP/1.1\r\nX-Injected: 1")),
        ("LF in the path", get("/api/v1/\nnamespaces")),
        ("a NUL in the path", get("/api/v1/\0")),
        ("a backslash", get("/api/v1/..\\namespaces")),
        ("no slash at the beginning", get("api/v1/namespaces")),
        ("another authority", get("//example.com/api/v1/namespaces")),
        ("a whole URL", get("https://example.com/api/v1/namespaces")),
        ("a fragment", get("/api/v1/namespaces#x")),
        ("CR LF in the query of the path", get("/api/v1/namespaces?a=b\r\nX-Injected: 1")),
        ("CR LF in Accept", get("/api/v1/namespaces").accept("application/json\r\nX-Injected: 1")),
        (
            "CR LF in Content-Type",
            Request::post("/api/v1/namespaces").content_type("application/json\r\nX-Injected: 1").body("{}"),
        ),
        ("nothing", get("")),
    ] {
        match suite.client.start(request) {
            Ok(_) => return fail(format!("{what}: started")),
            Err(error) => same(what, error.code(), "invalid-request")?,
        }
    }
    // What a query pair holds is encoded, so that it is one value, whatever is in it.
    let hostile = Request::get("/api/v1/namespaces").query("labelSelector", "x=\r\nX-Injected: 1");
    match suite.client.send(hostile) {
        Err(error) if error.code() == "invalid-request" => Ok(()),
        Err(error) => same("the server parsed it", error.status().map(|status| status.code), Some(400)),
        Ok(_) => fail("a selector with CR LF was accepted"),
    }
}
