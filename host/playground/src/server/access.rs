//! Who may ask: the holder of the token everything, anybody else what the real server shows to anybody.

use http::HeaderMap;
use http::Method;
use http::header::AUTHORIZATION;

use crate::api::query::Query;
use crate::api::route::{Route, route};
use crate::api::status::{Answer, Failure};
use crate::kinds::Kinds;

/// Paths that need no token, as `system:public-info-viewer` grants them.
const PUBLIC: [&str; 4] = ["/healthz", "/livez", "/readyz", "/version"];

/// Lets a request in.
///
/// # Errors
/// 401 for a credential that is not the token, 403 for an anonymous request to anything that is not public.
pub(super) fn check(
    token: &str,
    headers: &HeaderMap,
    kinds: &Kinds,
    method: &Method,
    path: &str,
    query: &Query,
) -> Answer<()> {
    let Some(sent) = headers.get(AUTHORIZATION) else {
        let public = PUBLIC.contains(&path.trim_end_matches('/'));
        return if public { Ok(()) } else { Err(anonymous(kinds, method, path, query)) };
    };
    let sent = sent.to_str().unwrap_or_default();
    let (scheme, credential) = sent.split_once(' ').unwrap_or((sent, ""));
    let same =
        aws_lc_rs::constant_time::verify_slices_are_equal(credential.trim().as_bytes(), token.as_bytes());
    if scheme.eq_ignore_ascii_case("bearer") && same.is_ok() { Ok(()) } else { Err(Failure::unauthorized()) }
}

fn anonymous(kinds: &Kinds, method: &Method, path: &str, query: &Query) -> Box<Failure> {
    let user = "User \"system:anonymous\"";
    let Ok(Route::Target(target)) = route(kinds, path) else {
        let verb = method.as_str().to_ascii_lowercase();
        let message = format!("forbidden: {user} cannot {verb} path \"{path}\"");
        return Failure::new(403, "Forbidden", message).with_details(serde_json::json!({}));
    };
    let verb = match (method.as_str(), &target.name) {
        ("GET", _) if query.flag("watch") => "watch",
        ("GET", Some(_)) => "get",
        ("GET", None) => "list",
        ("POST", _) => "create",
        ("PUT", _) => "update",
        ("PATCH", _) => "patch",
        ("DELETE", Some(_)) => "delete",
        ("DELETE", None) => "deletecollection",
        _ => "use",
    };
    let resource = &target.resource;
    let below = target.subresource.as_ref().map(|sub| format!("/{sub}")).unwrap_or_default();
    let place = match &target.namespace {
        Some(namespace) => format!("in the namespace \"{namespace}\""),
        None => "at the cluster scope".to_owned(),
    };
    let what = format!("resource \"{}{below}\" in API group \"{}\" {place}", resource.plural, resource.group);
    let name = target.name.as_ref().map(|name| format!(" \"{name}\"")).unwrap_or_default();
    let message = format!("{}{name} is forbidden: {user} cannot {verb} {what}", resource.qualified());
    let details =
        crate::api::status::details(&resource.group, &resource.plural, target.name.as_deref().unwrap_or(""));
    Failure::new(403, "Forbidden", message).with_details(details)
}
