//! Bodies of writes.

use serde_json::{Map, Value};

use super::Request;
use super::route::Target;
use super::status::{Answer, Failure};
use crate::kinds::{Origin, Resource, Violation};

const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";
const BUILT_IN_TYPES: [&str; 3] = ["application/json", "application/yaml", PROTOBUF];
const CUSTOM_TYPES: [&str; 2] = ["application/json", "application/yaml"];

/// The media type of the body without its parameters; none counts as JSON.
pub(super) fn media_type(request: &Request) -> &str {
    let media = request.content_type.split(';').next().unwrap_or_default().trim();
    if media.is_empty() { "application/json" } else { media }
}

/// The object in the body, checked to be of the kind that the path names.
///
/// # Errors
/// 400 for what is no such object, 415 for a type that is not served.
pub(super) fn object(target: &Target, request: &Request) -> Answer<Map<String, Value>> {
    if target.resource.origin == Origin::Custom && media_type(request) == PROTOBUF {
        return Err(Failure::unsupported_media_type(&CUSTOM_TYPES));
    }
    checked(target, document(request, &target.resource.kind)?)
}

/// The document in the body, whatever it is; `kind` is what it should be.
///
/// # Errors
/// As [`object`].
pub(super) fn document(request: &Request, kind: &str) -> Answer<Value> {
    match media_type(request) {
        "application/json" => json(&request.body, kind),
        "application/yaml" => yaml(&request.body, kind),
        PROTOBUF => crate::protobuf::to_json(&request.body).map_err(|why| {
            Failure::bad_request(format!(
                "the object provided is unrecognized (must be of type {kind}): {why}"
            ))
        }),
        _ => Err(Failure::unsupported_media_type(&BUILT_IN_TYPES)),
    }
}

/// The object if its kind, version, name and namespace are those of the path.
pub(super) fn checked(target: &Target, object: Value) -> Answer<Map<String, Value>> {
    let Value::Object(mut object) = object else {
        let kind = &target.resource.kind;
        return Err(Failure::bad_request(format!(
            "the object provided is unrecognized (must be of type {kind})"
        )));
    };
    let expected = target.api_version();
    let kind = object.remove("kind");
    if let Some(version) = object.remove("apiVersion").as_ref().and_then(Value::as_str)
        && version != expected
    {
        return Err(other_version(target, kind.as_ref(), version));
    }
    if let Some(kind) = kind.as_ref().and_then(Value::as_str)
        && kind != target.resource.kind
    {
        return Err(other_kind(target, kind, &object));
    }
    let metadata = object.entry("metadata").or_insert_with(|| Value::Object(Map::new()));
    if metadata.is_null() {
        *metadata = Value::Object(Map::new());
    }
    if !metadata.is_object() {
        let kind = &target.resource.kind;
        let version = &target.version.name;
        return Err(Failure::bad_request(format!(
            "{kind} in version \"{version}\" cannot be handled as a {kind}: metadata is not an object"
        )));
    }
    check_metadata(target, &object)?;
    for part in ["spec", "status"] {
        let value = object.get(part).unwrap_or(&Value::Null);
        if target.resource.origin == Origin::BuiltIn && !value.is_null() && !value.is_object() {
            let (kind, version) = (&target.resource.kind, &target.version.name);
            return Err(Failure::bad_request(format!(
                "{kind} in version \"{version}\" cannot be handled as a {kind}: json: cannot unmarshal into Go struct field {kind}.{part}"
            )));
        }
    }
    Ok(object)
}

fn other_version(target: &Target, kind: Option<&Value>, version: &str) -> Box<Failure> {
    let (expected, name) = (&target.resource.kind, version.rsplit('/').next().unwrap_or_default());
    let kind = kind.and_then(Value::as_str).unwrap_or_default();
    if target.resource.origin == Origin::BuiltIn {
        return Failure::bad_request(format!(
            "{kind} in version \"{name}\" cannot be handled as a {expected}: no kind \"{kind}\" is registered for version \"{version}\" in scheme \"pkg/runtime/scheme.go:111\""
        ));
    }
    let expected = target.api_version();
    Failure::bad_request(format!(
        "the API version in the data ({version}) does not match the expected API version ({expected})"
    ))
}

fn other_kind(target: &Target, kind: &str, object: &Map<String, Value>) -> Box<Failure> {
    let (resource, version) = (&target.resource, &target.version.name);
    let expected = &resource.kind;
    if resource.origin == Origin::Custom {
        let name = object.get("metadata").and_then(|metadata| metadata["name"].as_str()).unwrap_or_default();
        let violation = Violation::invalid("kind", &Value::from(kind), &format!("must be {expected}"));
        let sent = Resource { kind: kind.to_owned(), ..(**resource).clone() };
        return Failure::invalid(&sent, name, &[violation]);
    }
    let internal =
        if resource.group.is_empty() { "core" } else { resource.group.split('.').next().unwrap_or_default() };
    Failure::bad_request(format!(
        "{kind} in version \"{version}\" cannot be handled as a {expected}: converting ({version}.{kind}) to ({internal}.{expected}): unknown conversion"
    ))
}

fn check_metadata(target: &Target, object: &Map<String, Value>) -> Answer<()> {
    let metadata = &object["metadata"];
    let kind = &target.resource.kind;
    let strings = ["name", "namespace", "generateName", "resourceVersion", "uid"];
    let wrong =
        strings.iter().find(|member| !metadata[**member].is_null() && !metadata[**member].is_string());
    let maps = ["labels", "annotations"];
    let wrong = wrong.or(maps.iter().find(|member| {
        !metadata[**member].is_null()
            && !metadata[**member].as_object().is_some_and(|map| map.values().all(Value::is_string))
    }));
    if let Some(member) = wrong {
        let version = &target.version.name;
        return Err(Failure::bad_request(format!(
            "{kind} in version \"{version}\" cannot be handled as a {kind}: json: cannot unmarshal into Go struct field ObjectMeta.metadata.{member} of type string"
        )));
    }
    let namespace = metadata["namespace"].as_str().filter(|namespace| !namespace.is_empty());
    if let (Some(sent), Some(expected)) = (namespace, target.namespace.as_deref())
        && sent != expected
    {
        return Err(Failure::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    if let (Some(sent), Some(expected)) = (metadata["name"].as_str(), target.name.as_deref())
        && sent != expected
    {
        return Err(Failure::bad_request(format!(
            "the name of the object ({sent}) does not match the name on the URL ({expected})"
        )));
    }
    Ok(())
}

/// JSON, or the refusal that the real server gives for what is none.
pub(super) fn json(body: &[u8], kind: &str) -> Answer<Value> {
    serde_json::from_slice(body).map_err(|why| {
        let start = String::from_utf8_lossy(&body[..body.len().min(30)]).into_owned();
        let shown = match body.len() {
            0 => "<empty>".to_owned(),
            1..=30 => start,
            _ => format!("{start} ..."),
        };
        let why = syntax_error(body, &why);
        Failure::bad_request(format!(
            "the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; json parse error: {why} ({shown})"
        ))
    })
}

/// What is wrong with a document, as Go's JSON decoder says it.
pub(super) fn syntax_error(body: &[u8], why: &serde_json::Error) -> String {
    if why.is_eof() {
        return "unexpected end of JSON input".into();
    }
    let line = body.split(|byte| *byte == b'\n').nth(why.line().saturating_sub(1)).unwrap_or_default();
    let found = line.get(why.column().saturating_sub(1)).copied().unwrap_or(b' ');
    format!("invalid character '{}' looking for beginning of value", char::from(found))
}

/// YAML, of which JSON is a part.
pub(super) fn yaml(body: &[u8], kind: &str) -> Answer<Value> {
    if let Ok(value) = serde_json::from_slice(body) {
        return Ok(value);
    }
    let text = std::str::from_utf8(body).map_err(|_| Failure::bad_request("the body is not UTF-8"))?;
    serde_yaml::from_str(text).map_err(|_| {
        Failure::bad_request(format!(
            "the object provided is unrecognized (must be of type {kind}): yaml parse error"
        ))
    })
}
