use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

use tidegate_transport::{Code, Error};

use super::builder::Builder;
use super::catalog::Catalog;
use super::{aggregated, legacy};

/// The largest document that is read, in bytes.
pub const MAX_DOCUMENT: u64 = 32 << 20;

/// Why a document is no discovery document. Its text is not in the message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// Not JSON, or something in it has another type than it must have.
    #[error("not a discovery document: {why} at line {line}, column {column}")]
    Malformed {
        /// `no JSON`, `cut short` or `another type than expected`.
        why: &'static str,
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
    },
    /// JSON, but of something else.
    #[error(
        "not a discovery document: {what}; expected an APIGroupDiscoveryList, an APIResourceList, a list of them, or a map from `group/version` to resources"
    )]
    Unknown {
        /// What was found.
        what: &'static str,
    },
    /// More than a catalog holds.
    #[error("more {what} than {cap}, the cap of discovery")]
    TooMany {
        /// `groups and versions`, `resources` or `subresources`.
        what: &'static str,
        /// How many there may be.
        cap: usize,
    },
    /// Longer than [`MAX_DOCUMENT`].
    #[error("longer than {MAX_DOCUMENT} bytes, the cap of a discovery document")]
    TooLong,
}

impl From<DocumentError> for Error {
    fn from(error: DocumentError) -> Error {
        let code = match error {
            DocumentError::Malformed { .. } | DocumentError::Unknown { .. } => Code::Protocol,
            DocumentError::TooMany { .. } | DocumentError::TooLong => Code::TooLarge,
        };
        Error::new(code, error.to_string())
    }
}

impl Catalog {
    /// Reads a document that an embedder keeps: what [`Catalog::to_document`] gives, an answer of a server (`kubectl get --raw /apis` with
    /// the media type of aggregated discovery, or `/apis/apps/v1`), an array of such answers, or the form of the Elixir library `k8s`,
    /// `{"v1": [{"name": "pods", "kind": "Pod", …}], "apps/v1": […]}`.
    ///
    /// Errors: it is none of these, or larger than the caps.
    pub fn parse(document: &[u8]) -> Result<Catalog, DocumentError> {
        let mut builder = Builder::default();
        if document.trim_ascii_start().first() == Some(&b'[') {
            for one in decode::<Vec<&RawValue>>(document)? {
                add(&mut builder, one.get().as_bytes())?;
            }
        } else {
            add(&mut builder, document)?;
        }
        Ok(builder.build())
    }
}

fn add(builder: &mut Builder, document: &[u8]) -> Result<(), DocumentError> {
    #[derive(Deserialize)]
    struct Head {
        #[serde(default)]
        kind: Option<String>,
    }
    match read::<Head>(document)?.kind.as_deref() {
        Some("APIGroupDiscoveryList") => aggregated::add(builder, document),
        Some("APIResourceList") => legacy::add_list(builder, document),
        Some("APIVersions" | "APIGroupList" | "APIGroup") => {
            Err(DocumentError::Unknown { what: "a document that names groups and not their resources" })
        }
        Some(_) => Err(DocumentError::Unknown { what: "an object of another kind" }),
        None => {
            let map: BTreeMap<String, Vec<legacy::Resource>> = read(document)?;
            map.into_iter().try_for_each(|(group_version, resources)| {
                legacy::add_group_version(builder, &group_version, resources)
            })
        }
    }
}

/// Decodes one document, which is an object; the error says where, and nothing of what.
pub(super) fn read<'a, T: Deserialize<'a>>(document: &'a [u8]) -> Result<T, DocumentError> {
    // serde would take a list for an object whose members are all optional.
    match document.trim_ascii_start().first() {
        Some(b'[' | b'"' | b'n' | b't' | b'f') => {
            Err(DocumentError::Malformed { why: "another type than expected", line: 1, column: 1 })
        }
        _ => decode(document),
    }
}

fn decode<'a, T: Deserialize<'a>>(document: &'a [u8]) -> Result<T, DocumentError> {
    if document.len() as u64 > MAX_DOCUMENT {
        return Err(DocumentError::TooLong);
    }
    serde_json::from_slice(document).map_err(|error| {
        let why = match error.classify() {
            serde_json::error::Category::Eof => "cut short",
            serde_json::error::Category::Data => "another type than expected",
            serde_json::error::Category::Syntax | serde_json::error::Category::Io => "no JSON",
        };
        DocumentError::Malformed { why, line: error.line(), column: error.column() }
    })
}
