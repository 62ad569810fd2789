//! Get and list.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::body;
use super::query::Query;
use super::route::Target;
use super::status::{Answer, Failure};
use super::view::ListMeta;
use crate::kinds::{Origin, Violation};
use crate::select::{FieldSelector, InvalidSelector, LabelSelector, Selection};
use crate::store::{Object, Refused, Store};

/// The objects of one page.
pub(crate) struct Page {
    /// What the list says about itself.
    pub(crate) meta: ListMeta,
    /// The objects, in key order.
    pub(crate) objects: Vec<Arc<Object>>,
}

/// The named object.
///
/// # Errors
/// 404, and 504 where `resourceVersion` lies ahead.
pub(crate) fn get(store: &Store, target: &Target, query: &Query) -> Answer<Arc<Object>> {
    let key = target.key()?;
    reached(store, revision(query)?.unwrap_or(0))?;
    store
        .get(&target.resource.table, &key)
        .cloned()
        .ok_or_else(|| Failure::not_found(&target.resource, key.name()))
}

/// One page of the collection.
///
/// # Errors
/// 400 for selectors and tokens that make no sense, 410 for history that is gone, 422 for options that exclude each
/// other, 504 for a revision that lies ahead.
pub(crate) fn list(store: &Store, target: &Target, query: &Query) -> Answer<Page> {
    let options = options_violations(query);
    if !options.is_empty() {
        return Err(Failure::invalid_options("ListOptions", &options));
    }
    let selection = selection(target, query)?;
    let token = query.get("continue").map(|text| Token::read(text, query)).transpose()?;
    let asked = revision(query).map_err(|why| why.prefixed("invalid resource version: "))?;
    let exact = query.get("resourceVersionMatch") == Some("Exact")
        || (asked.is_some_and(|revision| revision > 0)
            && query.get("resourceVersionMatch").is_none()
            && query.number("limit")?.unwrap_or(0) > 0);
    reached(store, asked.unwrap_or(0))?;
    let at = match &token {
        Some(token) => u64::try_from(token.rv).ok(),
        None => asked.filter(|_| exact),
    };
    let snapshot = store.snapshot(&target.resource.table, at).map_err(|refused| match (refused, &token) {
        (Refused::Future { current }, _) => Failure::too_large_revision(at.unwrap_or(0), current),
        (Refused::Compacted { .. }, Some(token)) => {
            Failure::expired(CONTINUE_EXPIRED).with_continue(Token { rv: -1, ..token.clone() }.text())
        }
        (Refused::Compacted { .. }, None) => {
            Failure::expired("The resourceVersion for the provided list is too old.")
        }
    })?;
    // The real server answers a list at "any" revision from its cache and ignores the limit.
    let limit =
        if query.get("resourceVersion") == Some("0") { 0 } else { query.number("limit")?.unwrap_or(0) };
    let limit = usize::try_from(limit).ok().filter(|limit| *limit > 0).unwrap_or(usize::MAX);
    let start = token.as_ref().map(|token| token.start_key(target));
    let namespace = target.namespace.as_deref();
    let mut found = snapshot.after(namespace, start.as_deref()).filter(|object| selection.matches(object));
    let objects: Vec<_> = found.by_ref().take(limit).cloned().collect();
    let rest = if objects.len() == limit { found.count() } else { 0 };
    let next = objects.last().filter(|_| rest > 0).map(|last| {
        let key = last.key.as_str();
        let start = namespace.and_then(|ns| key.strip_prefix(ns)?.strip_prefix('/')).unwrap_or(key);
        let rv = i64::try_from(snapshot.revision).unwrap_or(i64::MAX);
        Token { v: "meta.k8s.io/v1".into(), rv, start: format!("{start}\0") }.text()
    });
    let remaining = (next.is_some() && selection.is_everything()).then_some(rest);
    Ok(Page { meta: ListMeta { revision: snapshot.revision, next, remaining }, objects })
}

/// What `labelSelector`, `fieldSelector` and the name in the path narrow a request to.
///
/// # Errors
/// 400.
pub(crate) fn selection(target: &Target, query: &Query) -> Answer<Selection> {
    let bad = |why: InvalidSelector| Failure::bad_request(why.to_string());
    let labels = LabelSelector::parse(query.get("labelSelector").unwrap_or_default()).map_err(bad)?;
    let fields = FieldSelector::parse(query.get("fieldSelector").unwrap_or_default()).map_err(bad)?;
    for name in fields.terms().iter().map(|term| term.field.as_str()) {
        let known = matches!(name, "metadata.name" | "metadata.namespace")
            || target.resource.indexed.iter().any(|field| *field.name == *name);
        if known {
            continue;
        }
        let plain = target.resource.indexed.is_empty() && target.resource.origin == Origin::BuiltIn;
        return Err(Failure::bad_request(if plain {
            format!(
                "\"{name}\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
            )
        } else {
            format!("field label not supported: {name}")
        }));
    }
    Ok(Selection { labels, fields })
}

/// `resourceVersion` as a number.
///
/// # Errors
/// 400 where it is none.
pub(crate) fn revision(query: &Query) -> Answer<Option<u64>> {
    let parse = |text: &str| {
        let why = || {
            format!(
                "resourceVersion: Invalid value: \"{text}\": strconv.ParseUint: parsing \"{text}\": invalid syntax"
            )
        };
        text.parse().map_err(|_| Failure::bad_request(why()))
    };
    query.get("resourceVersion").map(parse).transpose()
}

fn reached(store: &Store, asked: u64) -> Answer<()> {
    let current = store.revision();
    if asked > current { Err(Failure::too_large_revision(asked, current)) } else { Ok(()) }
}

fn options_violations(query: &Query) -> Vec<Violation> {
    let mut found = Vec::new();
    let field = "resourceVersionMatch";
    if let Some(rule) = query.get(field) {
        if query.get("resourceVersion").is_none() {
            found.push(Violation::forbidden(
                field,
                "resourceVersionMatch is forbidden unless resourceVersion is provided",
            ));
        }
        if query.get("continue").is_some() {
            found.push(Violation::forbidden(field, "resourceVersionMatch is forbidden with continue"));
        }
        if !matches!(rule, "Exact" | "NotOlderThan") {
            let allowed = [json!("Exact"), json!("NotOlderThan"), json!("")];
            found.push(Violation::unsupported(field, &json!(rule), &allowed));
        }
        if rule == "Exact" && query.get("resourceVersion") == Some("0") {
            let why = "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"";
            found.push(Violation::forbidden(field, why));
        }
    }
    if query.get("sendInitialEvents").is_some() {
        found.push(Violation::forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"));
    }
    found
}

const CONTINUE_EXPIRED: &str = "The provided continue parameter is too old to display a consistent list result. You \
can start a new list without the continue parameter, or use the continue token in this response to retrieve the \
remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were \
created, modified, or deleted between the time the first chunk was returned and now may show up in the list.";

/// A continue token, laid out as the real server's (`k8s.io/apiserver/pkg/storage/continue.go`).
#[derive(Clone, Serialize, Deserialize)]
struct Token {
    v: String,
    rv: i64,
    start: String,
}

impl Token {
    fn read(text: &str, query: &Query) -> Answer<Token> {
        let bad = |why: &str| {
            Failure::bad_request(format!("invalid continue token: continue key is not valid: {why}"))
        };
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|why| bad(&why.to_string()))?;
        let token: Token =
            serde_json::from_slice(&bytes).map_err(|why| bad(&body::syntax_error(&bytes, &why)))?;
        if token.v != "meta.k8s.io/v1" {
            return Err(bad(&format!("server does not recognize this encoded version \"{}\"", token.v)));
        }
        if query.get("resourceVersion").is_some_and(|revision| revision != "0") {
            return Err(Failure::bad_request(
                "specifying resource version is not allowed when using continue",
            ));
        }
        Ok(token)
    }

    fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    /// The key after which the next page begins.
    fn start_key(&self, target: &Target) -> String {
        let start = self.start.trim_end_matches('\0');
        target.namespace.as_deref().map_or(start.to_owned(), |namespace| format!("{namespace}/{start}"))
    }
}
