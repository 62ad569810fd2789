//! Which of its forms a client wants an object in.

use super::status::{Answer, Failure};

/// How much of each object a table's rows carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Include {
    /// Nothing.
    None,
    /// Its metadata; the default.
    Metadata,
    /// All of it.
    Object,
}

/// The form of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// The object itself.
    Whole,
    /// `PartialObjectMetadata`.
    Metadata,
    /// A `Table`, as `kubectl get` asks for.
    Table(Include),
}

/// What an `Accept` header asks of a discovery document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Discovery {
    /// One document for each group and version.
    Plain,
    /// All in one.
    Aggregated,
}

/// The first form in the header that can be served; protobuf and CBOR cannot, and JSON is answered where the client
/// takes it besides.
///
/// # Errors
/// 406 where nothing that it takes can be served.
pub(crate) fn shape(accept: &str, include: Option<&str>) -> Answer<Shape> {
    for clause in clauses(accept) {
        let param =
            |name: &str| clause.params.iter().find(|(found, _)| *found == name).map(|(_, value)| *value);
        let meta = param("g") == Some("meta.k8s.io") && param("v") == Some("v1");
        match (clause.media, param("as")) {
            (media, None) if is_json(media) => return Ok(Shape::Whole),
            (media, Some("Table")) if is_json(media) && meta => return Ok(Shape::Table(included(include)?)),
            (media, Some("PartialObjectMetadata" | "PartialObjectMetadataList"))
                if is_json(media) && meta =>
            {
                return Ok(Shape::Metadata);
            }
            _ => {}
        }
    }
    // Watches ask for `application/json;stream=watch`, which `is_json` covers; the rest cannot be served.
    Err(Failure::not_acceptable())
}

/// Whether the client takes the aggregated form.
pub(crate) fn discovery(accept: &str) -> Discovery {
    let aggregated = |clause: &Clause<'_>| {
        let has = |name, value| clause.params.contains(&(name, value));
        clause.media == "application/json"
            && has("g", "apidiscovery.k8s.io")
            && has("v", "v2")
            && has("as", "APIGroupDiscoveryList")
    };
    if clauses(accept).iter().any(aggregated) { Discovery::Aggregated } else { Discovery::Plain }
}

struct Clause<'a> {
    media: &'a str,
    params: Vec<(&'a str, &'a str)>,
}

fn clauses(accept: &str) -> Vec<Clause<'_>> {
    let accept = if accept.trim().is_empty() { "*/*" } else { accept };
    let clause = |text| {
        let mut parts = str::split(text, ';').map(str::trim);
        let media = parts.next().unwrap_or_default();
        Clause { media, params: parts.filter_map(|part| part.split_once('=')).collect() }
    };
    accept.split(',').map(clause).collect()
}

fn is_json(media: &str) -> bool {
    matches!(media, "application/json" | "*/*" | "application/*")
}

fn included(include: Option<&str>) -> Answer<Include> {
    match include {
        None | Some("Metadata") => Ok(Include::Metadata),
        Some("None") => Ok(Include::None),
        Some("Object") => Ok(Include::Object),
        Some(other) => Err(Failure::bad_request(format!("unrecognized includeObject value: {other}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_form_that_can_be_served_wins() {
        let table = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";
        let cases = [
            ("", Some(Shape::Whole)),
            ("*/*", Some(Shape::Whole)),
            ("application/json", Some(Shape::Whole)),
            ("application/json;stream=watch", Some(Shape::Whole)),
            ("application/vnd.kubernetes.protobuf,application/json", Some(Shape::Whole)),
            (table, Some(Shape::Table(Include::Metadata))),
            (
                "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json",
                Some(Shape::Metadata),
            ),
            ("application/vnd.kubernetes.protobuf", None),
            ("text/html", None),
            ("application/json;as=Table;v=v9;g=meta.k8s.io", None),
        ];
        for (accept, expected) in cases {
            assert_eq!(shape(accept, None).ok(), expected, "{accept}");
        }
        assert_eq!(shape(table, Some("Object")).unwrap(), Shape::Table(Include::Object));
        assert!(shape(table, Some("Half")).is_err());
    }
}
