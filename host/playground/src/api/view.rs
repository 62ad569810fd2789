//! Objects as they are written to a client: whole, as metadata, or as rows of a table.

use std::sync::Arc;

use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::accept::{Include, Shape};
use super::route::Target;
use crate::kinds::{Origin, Resource, Version};
use crate::store::{Change, Object};
use crate::table;

/// Writes objects of one resource in one version and one shape.
#[derive(Clone)]
pub(crate) struct View {
    resource: Arc<Resource>,
    version: Version,
    shape: Shape,
    /// `"kind":"Pod","apiVersion":"v1",`
    kind: String,
    /// The time that ages in tables are counted from, in seconds since 1970.
    now: i64,
}

/// What a list says about itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct ListMeta {
    /// The revision that the list shows.
    pub(crate) revision: u64,
    /// The token for the next page, where there is one.
    pub(crate) next: Option<String>,
    /// How many objects come after this page, where that is known.
    pub(crate) remaining: Option<usize>,
}

const PARTIAL: &str = r#""kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","#;

impl View {
    /// A view of what `target` names; `now` in seconds since 1970.
    pub(crate) fn new(target: &Target, shape: Shape, now: i64) -> View {
        let kind = format!(r#""kind":"{}","apiVersion":"{}","#, target.resource.kind, target.api_version());
        View { resource: target.resource.clone(), version: target.version.clone(), shape, kind, now }
    }

    /// Counts ages to another time from now on.
    pub(crate) fn at(&mut self, now: i64) {
        self.now = now;
    }

    /// One object as a document.
    pub(crate) fn document(&self, object: &Object) -> Vec<u8> {
        let mut out = Vec::with_capacity(object.body.len() + 128);
        match self.shape {
            Shape::Table(include) => {
                out.extend_from_slice(b"{");
                self.table_head(&mut out, &json!({"resourceVersion": object.revision.to_string()}), true);
                self.row(object, include, &mut out);
                out.extend_from_slice(b"]}");
            }
            _ => self.object(object, &mut out),
        }
        out
    }

    /// A list up to where its items begin.
    pub(crate) fn list_head(&self, meta: &ListMeta) -> Vec<u8> {
        let mut metadata = json!({"resourceVersion": meta.revision.to_string()});
        // Lists of custom kinds say so where there is no next page.
        if self.resource.origin == Origin::Custom && self.shape == Shape::Whole {
            metadata["continue"] = json!("");
        }
        if let Some(next) = &meta.next {
            metadata["continue"] = json!(next);
        }
        if let Some(remaining) = meta.remaining {
            metadata["remainingItemCount"] = json!(remaining);
        }
        let mut out = b"{".to_vec();
        match self.shape {
            Shape::Table(_) => self.table_head(&mut out, &metadata, true),
            Shape::Metadata => {
                out.extend_from_slice(
                    br#""kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/v1","metadata":"#,
                );
                out.extend_from_slice(metadata.to_string().as_bytes());
                out.extend_from_slice(br#","items":["#);
            }
            Shape::Whole => {
                let api_version = self.resource.api_version(&self.version.name);
                let kind = &self.resource.list_kind;
                let head = format!(
                    r#""kind":"{kind}","apiVersion":"{api_version}","metadata":{metadata},"items":["#
                );
                out.extend_from_slice(head.as_bytes());
            }
        }
        out
    }

    /// One item of a list; the caller puts commas between them.
    pub(crate) fn list_item(&self, object: &Object, out: &mut Vec<u8>) {
        match self.shape {
            Shape::Table(include) => self.row(object, include, out),
            // Typed lists of the real server leave out what the list itself says.
            Shape::Whole if self.resource.origin == Origin::BuiltIn => {
                out.push(b'{');
                out.extend_from_slice(&object.body);
                out.push(b'}');
            }
            _ => self.object(object, out),
        }
    }

    /// What ends a list.
    pub(crate) fn list_tail(&self) -> &'static [u8] {
        b"]}"
    }

    /// One line of a watch. In a table the first event names the columns.
    pub(crate) fn event(&self, change: Change, object: &Object, first: bool, out: &mut Vec<u8>) {
        let name = match change {
            Change::Added => "ADDED",
            Change::Modified => "MODIFIED",
            Change::Deleted => "DELETED",
        };
        out.extend_from_slice(br#"{"type":""#);
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(br#"","object":"#);
        match self.shape {
            Shape::Table(include) => {
                out.push(b'{');
                self.table_head(out, &json!({"resourceVersion": object.revision.to_string()}), first);
                self.row(object, include, out);
                out.extend_from_slice(b"]}");
            }
            _ => self.object(object, out),
        }
        out.extend_from_slice(b"}\n");
    }

    /// A bookmark line: everything up to `revision` has been sent, and with `initial_end` the state that the watch
    /// began with.
    pub(crate) fn bookmark(&self, revision: u64, initial_end: bool, out: &mut Vec<u8>) {
        let mut metadata = json!({"resourceVersion": revision.to_string()});
        if initial_end {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let object = match self.shape {
            Shape::Metadata => {
                json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata})
            }
            Shape::Whole => json!({
                "kind": self.resource.kind,
                "apiVersion": self.resource.api_version(&self.version.name),
                "metadata": metadata,
            }),
            Shape::Table(_) => json!({
                "kind": "Table", "apiVersion": "meta.k8s.io/v1",
                "metadata": {"resourceVersion": revision.to_string()},
                "columnDefinitions": null, "rows": [{"cells": self.empty_cells(), "object": {
                    "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
                }}],
            }),
        };
        out.extend_from_slice(json!({"type": "BOOKMARK", "object": object}).to_string().as_bytes());
        out.push(b'\n');
    }

    /// The line that ends a watch that failed.
    pub(crate) fn error(status: &Value) -> Vec<u8> {
        let mut line = json!({"type": "ERROR", "object": status}).to_string().into_bytes();
        line.push(b'\n');
        line
    }

    /// The cells of an object that says nothing, as a bookmark's is.
    fn empty_cells(&self) -> Vec<Value> {
        let object = json!({"metadata": {"name": ""}});
        table::cells(&self.resource, &self.version, &object, self.now).cells
    }

    fn object(&self, object: &Object, out: &mut Vec<u8>) {
        out.push(b'{');
        if self.shape == Shape::Metadata {
            out.extend_from_slice(PARTIAL.as_bytes());
            metadata_member(object, out);
        } else {
            out.extend_from_slice(self.kind.as_bytes());
            out.extend_from_slice(&object.body);
        }
        out.push(b'}');
    }

    fn table_head(&self, out: &mut Vec<u8>, metadata: &Value, columns: bool) {
        let columns = if columns { table::columns(&self.resource, &self.version) } else { Value::Null };
        let head = format!(
            r#""kind":"Table","apiVersion":"meta.k8s.io/v1","metadata":{metadata},"columnDefinitions":{columns},"rows":["#
        );
        out.extend_from_slice(head.as_bytes());
    }

    fn row(&self, object: &Object, include: Include, out: &mut Vec<u8>) {
        let value = Value::Object(object.value());
        let cells = table::cells(&self.resource, &self.version, &value, self.now);
        out.extend_from_slice(br#"{"cells":"#);
        out.extend_from_slice(Value::Array(cells.cells).to_string().as_bytes());
        if !cells.conditions.is_empty() {
            out.extend_from_slice(br#","conditions":"#);
            out.extend_from_slice(Value::Array(cells.conditions).to_string().as_bytes());
        }
        out.extend_from_slice(br#","object":"#);
        match include {
            Include::None => out.extend_from_slice(b"null"),
            Include::Metadata => {
                out.push(b'{');
                out.extend_from_slice(PARTIAL.as_bytes());
                metadata_member(object, out);
                out.push(b'}');
            }
            Include::Object => {
                out.push(b'{');
                out.extend_from_slice(self.kind.as_bytes());
                out.extend_from_slice(&object.body);
                out.push(b'}');
            }
        }
        out.push(b'}');
    }
}

/// `"metadata":{…}` alone, cut out of the body without building a tree.
fn metadata_member(object: &Object, out: &mut Vec<u8>) {
    #[derive(serde::Deserialize)]
    struct Body<'a> {
        #[serde(borrow)]
        metadata: &'a RawValue,
    }
    let text = [b"{".as_slice(), &object.body, b"}"].concat();
    out.extend_from_slice(br#""metadata":"#);
    match serde_json::from_slice::<Body<'_>>(&text) {
        Ok(body) => out.extend_from_slice(body.metadata.get().as_bytes()),
        Err(_) => out.extend_from_slice(b"{}"),
    }
}
