//! One request from headers to answer.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, USER_AGENT, VARY, WARNING};
use http::{HeaderMap, Method, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde_json::Value;
use time::OffsetDateTime;

use super::body::Payload;
use super::{Shared, access, control, watching};
use crate::api::accept::{self, Discovery};
use crate::api::query::Query;
use crate::api::status::{Answer, Failure};
use crate::api::{self, Reply, Request};
use crate::discovery;

/// The largest body that the real server takes.
const LARGEST_BODY: usize = 3 * 1024 * 1024;

const JSON: &str = "application/json";
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// Answers a request.
pub(super) async fn answer(
    shared: Arc<Shared>,
    request: http::Request<Incoming>,
) -> Result<Response<Payload>, Infallible> {
    let mut response = match respond(&shared, request).await {
        Ok(response) => response,
        Err(failure) => {
            let code = StatusCode::from_u16(failure.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            document(code, JSON, failure.status().to_string())
        }
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    if let Ok(mut id) = HeaderValue::from_str(&api::uuid()) {
        // Another one each time: no place for it in the tables of headers that HTTP/2 keeps at both ends.
        id.set_sensitive(true);
        headers.insert(HeaderName::from_static("audit-id"), id);
    }
    Ok(response)
}

async fn respond(shared: &Arc<Shared>, request: http::Request<Incoming>) -> Answer<Response<Payload>> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let query = Query::parse(parts.uri.query().unwrap_or_default());
    let token = &shared.token;
    shared.look(|state| access::check(token, &parts.headers, &state.kinds, &parts.method, &path, &query))?;
    let accept = header(&parts.headers, ACCEPT);
    if let Some(response) = fixed(shared, &parts.method, &path, &accept) {
        return Ok(response);
    }
    let body = read_body(body).await?;
    let request = Request {
        method: parts.method,
        path,
        query,
        accept,
        content_type: header(&parts.headers, CONTENT_TYPE),
        user_agent: header(&parts.headers, USER_AGENT),
        body,
        now: OffsetDateTime::now_utc(),
    };
    if request.path.starts_with("/playground/") {
        return control::answer(shared, &request)
            .map(|value| document(StatusCode::OK, JSON, value.to_string()));
    }
    match shared.with(|state| api::handle(state, &request))? {
        Reply::Document { code, body, warnings } => {
            let code = StatusCode::from_u16(code).unwrap_or(StatusCode::OK);
            let mut response = document(code, JSON, body);
            for warning in &warnings {
                let text = format!("299 - \"{}\"", warning.replace('\\', "\\\\").replace('"', "\\\""));
                if let Ok(value) = HeaderValue::from_str(&text) {
                    response.headers_mut().append(WARNING, value);
                }
            }
            Ok(response)
        }
        Reply::List { view, meta, objects } => {
            Ok(respond_with(StatusCode::OK, JSON, Payload::list(view, &meta, objects)))
        }
        Reply::Watch(watch) => {
            let receiver = watching::start(shared.clone(), watch);
            Ok(respond_with(StatusCode::OK, JSON, Payload::Stream(receiver)))
        }
        Reply::Discovery(segments) => discover(shared, &request, &segments),
        Reply::Unknown => Ok(not_found()),
    }
}

/// What is the same whatever is stored.
fn fixed(shared: &Shared, method: &Method, path: &str, accept: &str) -> Option<Response<Payload>> {
    if method != Method::GET {
        return None;
    }
    let path = path.trim_end_matches('/');
    let json = |value: Value| document(StatusCode::OK, JSON, value.to_string());
    match path {
        "/healthz" | "/livez" | "/readyz" | "/readyz/ping" | "/livez/ping" => {
            Some(document(StatusCode::OK, "text/plain; charset=utf-8", "ok"))
        }
        "/version" => Some(json(discovery::version())),
        "" => Some(json(serde_json::json!({"paths": [
            "/api", "/api/v1", "/apis", "/healthz", "/livez", "/openapi/v3", "/readyz", "/version",
        ]}))),
        "/openapi/v3" => Some(json(shared.look(|state| discovery::openapi_index(&state.kinds)))),
        "/api" | "/apis" if accept::discovery(accept) == Discovery::Aggregated => {
            let value = shared.look(|state| discovery::aggregated(&state.kinds, &path[1..]));
            let mut response = document(StatusCode::OK, AGGREGATED, value.to_string());
            response.headers_mut().insert(VARY, HeaderValue::from_static("Accept"));
            Some(response)
        }
        _ => {
            let path = path.strip_prefix("/openapi/v3/")?;
            let value = shared.look(|state| discovery::openapi_document(&state.kinds, path));
            Some(value.map_or_else(not_found, json))
        }
    }
}

fn discover(shared: &Shared, request: &Request, segments: &[String]) -> Answer<Response<Payload>> {
    if request.method != Method::GET {
        return Err(Failure::method_not_allowed());
    }
    // Nothing here is a table or protobuf; a client that takes JSON at all gets JSON.
    accept::shape(&request.accept, None)?;
    let address = shared.address.to_string();
    let found = shared.look(|state| discovery::document(&state.kinds, segments, &address));
    Ok(found.map_or_else(not_found, |value| document(StatusCode::OK, JSON, value.to_string())))
}

async fn read_body(body: Incoming) -> Answer<Bytes> {
    match Limited::new(body, LARGEST_BODY).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(Failure::too_large(LARGEST_BODY)),
        Err(_) => Err(Failure::bad_request("the body of the request ended early")),
    }
}

fn header(headers: &HeaderMap, name: HeaderName) -> String {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.collect::<Vec<_>>().join(",")
}

fn not_found() -> Response<Payload> {
    document(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", "404 page not found\n")
}

fn document(code: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Response<Payload> {
    respond_with(code, kind, Payload::whole(body))
}

fn respond_with(code: StatusCode, kind: &'static str, payload: Payload) -> Response<Payload> {
    let mut response = Response::new(payload);
    *response.status_mut() = code;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
