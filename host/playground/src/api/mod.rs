//! What the server answers: paths to verbs to the store. Synchronous; one call holds the state from its first look
//! to its last write, so that no other write comes between.

pub(crate) mod accept;
mod admit;
mod apply;
mod body;
mod chores;
mod create;
mod defaults;
mod delete;
mod entropy;
mod evict;
mod meta;
mod patch;
mod plant;
pub(crate) mod query;
mod read;
mod review;
pub(crate) mod route;
mod scale;
pub(crate) mod status;
mod strategic;
mod update;
mod validate;
pub(crate) mod view;
pub(crate) mod watch;
mod write;

use std::sync::Arc;

use bytes::Bytes;
use http::Method;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

pub(crate) use chores::Chore;
pub(crate) use entropy::token;
pub(crate) use entropy::{suffix, uuid};

use self::accept::Shape;
use self::query::Query;
use self::route::{Route, Target, route};
use self::status::{Answer, Failure};
use self::view::{ListMeta, View};
use self::watch::Watch;
use crate::kinds::{Kinds, Origin};
use crate::store::{Object, Store};

/// Everything that one playground knows.
pub(crate) struct State {
    /// The objects.
    pub(crate) store: Store,
    /// The kinds that are served.
    pub(crate) kinds: Kinds,
    /// What the controllers have yet to do.
    pub(crate) chores: Vec<Chore>,
    /// The certificate that namespaces get as `kube-root-ca.crt`, in PEM.
    pub(crate) root_ca: String,
}

/// A request whose sender is known.
pub(crate) struct Request {
    /// Its method.
    pub(crate) method: Method,
    /// Its path.
    pub(crate) path: String,
    /// Its query.
    pub(crate) query: Query,
    /// Its `Accept` header.
    pub(crate) accept: String,
    /// Its `Content-Type` header.
    pub(crate) content_type: String,
    /// Its `User-Agent` header, which names the field manager where the query does not.
    pub(crate) user_agent: String,
    /// Its body.
    pub(crate) body: Bytes,
    /// When it came.
    pub(crate) now: OffsetDateTime,
}

/// What goes back.
pub(crate) enum Reply {
    /// One JSON document.
    Document {
        /// The HTTP code.
        code: u16,
        /// The document.
        body: Vec<u8>,
        /// `Warning` headers.
        warnings: Vec<String>,
    },
    /// A list, written as the client takes it.
    List {
        /// How its items are written.
        view: Box<View>,
        /// What it says about itself.
        meta: ListMeta,
        /// Its items.
        objects: Vec<Arc<Object>>,
    },
    /// A watch.
    Watch(Box<Watch>),
    /// A discovery document is asked for: the segments of its path.
    Discovery(Vec<String>),
    /// No such path.
    Unknown,
}

impl Request {
    /// Who writes, for `managedFields`: the query's `fieldManager`, else the program's name.
    pub(crate) fn manager(&self) -> String {
        let program = self.user_agent.split('/').next().unwrap_or_default();
        let named = self.query.get("fieldManager").unwrap_or(program);
        if named.is_empty() { "unknown".into() } else { named.into() }
    }

    /// What the options of a write of this method are called.
    pub(crate) fn options(&self) -> &'static str {
        match self.method {
            Method::POST => "CreateOptions",
            Method::PATCH => "PatchOptions",
            _ => "UpdateOptions",
        }
    }

    /// The time as objects carry it: RFC 3339, whole seconds, UTC.
    pub(crate) fn timestamp(&self) -> String {
        timestamp(self.now)
    }

    fn seconds(&self) -> i64 {
        self.now.unix_timestamp()
    }
}

/// RFC 3339, whole seconds, UTC.
pub(crate) fn timestamp(at: OffsetDateTime) -> String {
    at.replace_nanosecond(0).ok().and_then(|at| at.format(&Rfc3339).ok()).unwrap_or_default()
}

/// Answers one request.
///
/// # Errors
/// The refusal that the client is to see.
pub(crate) fn handle(state: &mut State, request: &Request) -> Answer<Reply> {
    let target = match route(&state.kinds, &request.path) {
        // Reviews are not kept, so they are no kinds.
        Err(_) | Ok(Route::Unknown) if review::is_review(&request.path) => return review::answer(request),
        other => match other? {
            Route::Target(target) => target,
            Route::Discovery(segments) => return Ok(Reply::Discovery(segments)),
            Route::Unknown => return Ok(Reply::Unknown),
        },
    };
    match target.subresource.as_deref() {
        None => objects(state, &target, request),
        Some("status") if target.version.status => match request.method {
            Method::GET => single(state, &target, request),
            Method::PUT => update::put(state, &target, request),
            Method::PATCH => patch::patch(state, &target, request),
            _ => Err(Failure::method_not_allowed()),
        },
        Some("scale") if target.resource.traits.scale || target.version.scale.is_some() => {
            scale::handle(state, &target, request)
        }
        Some("eviction") if target.resource.qualified() == "pods" => evict::evict(state, &target, request),
        Some("finalize") if target.resource.qualified() == "namespaces" => {
            update::put(state, &target, request)
        }
        Some(name @ ("log" | "exec" | "attach" | "portforward" | "proxy")) => Err(Failure::new(
            501,
            "NotImplemented",
            format!("the playground has no kubelet: {}/{name} is not served", target.resource.plural),
        )),
        Some(_) => Err(Failure::no_such_resource()),
    }
}

fn objects(state: &mut State, target: &Target, request: &Request) -> Answer<Reply> {
    if target.resource.traits.read_only && request.method != Method::GET {
        return Err(Failure::method_not_allowed());
    }
    match (request.method.clone(), target.name.is_some()) {
        (Method::GET, _) if request.query.flag("watch") => {
            let view = View::new(target, shape(request)?, request.seconds());
            let watch = Watch::new(&state.store, target, &request.query, view, entropy::fraction())?;
            Ok(Reply::Watch(Box::new(watch)))
        }
        (Method::GET, true) => single(state, target, request),
        (Method::GET, false) => {
            let view = View::new(target, shape(request)?, request.seconds());
            let page = read::list(&state.store, target, &request.query)?;
            Ok(Reply::List { view: Box::new(view), meta: page.meta, objects: page.objects })
        }
        // The real server's handler of custom kinds does not look whether the path names an object.
        (Method::POST, true) if target.resource.origin == Origin::Custom => {
            create::create(state, target, request)
        }
        (Method::POST, false) => create::create(state, target, request),
        (Method::PUT, true) => update::put(state, target, request),
        (Method::PATCH, true) => patch::patch(state, target, request),
        (Method::DELETE, true) => delete::delete(state, target, request),
        (Method::DELETE, false) => delete::collection(state, target, request),
        _ => Err(Failure::method_not_allowed()),
    }
}

fn single(state: &State, target: &Target, request: &Request) -> Answer<Reply> {
    let object = read::get(&state.store, target, &request.query)?;
    document(200, target, request, &object)
}

/// The object in the shape that the client asked for.
fn document(code: u16, target: &Target, request: &Request, object: &Object) -> Answer<Reply> {
    let view = View::new(target, shape(request)?, request.seconds());
    Ok(Reply::Document { code, body: view.document(object), warnings: Vec::new() })
}

fn value_document(code: u16, value: &Value) -> Reply {
    Reply::Document { code, body: value.to_string().into_bytes(), warnings: Vec::new() }
}

fn shape(request: &Request) -> Answer<Shape> {
    accept::shape(&request.accept, request.query.get("includeObject"))
}

impl State {
    /// The built-in kinds and no objects; at most `history_bytes` of past bodies are kept for each table.
    pub(crate) fn new(history_bytes: usize, root_ca: String) -> State {
        State { store: Store::new(history_bytes), kinds: Kinds::built_in(), chores: Vec::new(), root_ca }
    }

    /// Does what the controllers of a real cluster would have done by now: collects garbage, empties namespaces
    /// that are going, serves and drops custom kinds.
    pub(crate) fn do_chores(&mut self, now: OffsetDateTime) {
        chores::run(self, now);
    }
}

#[cfg(test)]
mod tests;
