//! `pods/eviction`: a delete that a PodDisruptionBudget could refuse; the playground keeps no budgets' counts, so
//! that it never does.

use http::Method;
use serde_json::{Value, json};

use super::delete::{self, Options};
use super::query::Query;
use super::route::Target;
use super::status::{Answer, Failure};
use super::{Reply, Request, State, body, value_document};

pub(super) fn evict(state: &mut State, target: &Target, request: &Request) -> Answer<Reply> {
    if request.method != Method::POST {
        return Err(Failure::method_not_allowed());
    }
    let eviction = match request.body.is_empty() {
        true => Value::Null,
        false => body::document(request, "Eviction")?,
    };
    let query =
        if request.query.dry_run("CreateOptions")? { Query::parse("dryRun=All") } else { Query::default() };
    let options = Options::of(&eviction["deleteOptions"], &query)?;
    delete::remove(state, &target.resource, &target.key()?, &options, request.now)?;
    let status =
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201});
    Ok(value_document(201, &status))
}
