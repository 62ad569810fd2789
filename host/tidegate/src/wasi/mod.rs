//! What a guest may do by itself: standard streams, arguments, clocks and random numbers, and within the `--wasi-*` flags files,
//! variables, sockets and `wasi:http`.
//!
//! None of it reaches what transports take credentials from, the endpoints that they use, or what tidegate keeps for itself, whatever
//! the flags say.

mod bounded;
mod files;
mod http;
mod link;
mod lookup;
mod net;
mod pinned;
mod protected;

use std::ffi::OsString;

use tidegate_authority::Authority;
use tidegate_grants::{Kind, Limits, WasiGrants};
use tidegate_registry::Registry;
use tidegate_transport::{Event, Options};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder};

use crate::engine::Inner;
pub(crate) use bounded::Own;
pub(crate) use http::Web;
pub(crate) use link::add_to_linker;
pub(crate) use net::Reach;
pub(crate) use pinned::fields_within;
use protected::Protected;

/// What is around a guest.
pub(crate) struct Around<'a> {
    pub(crate) engine: &'a Inner,
    pub(crate) options: &'a Options,
    pub(crate) registry: &'a Registry,
    pub(crate) limits: &'a Limits,
    /// The environment, where it is not this process' own.
    pub(crate) variables: Option<&'a [(OsString, OsString)]>,
}

/// What a guest may do by itself.
pub(crate) struct Itself {
    pub(crate) wasi: WasiCtxBuilder,
    pub(crate) reach: Reach,
    pub(crate) own: Own,
}

/// A guest's own reach, and the authority of the host beside such a guest. A flag that cannot be honoured is a warning, and the run
/// goes on without it.
pub(crate) fn context(around: &Around<'_>, authority: Authority) -> (Itself, Authority) {
    let mut wasi = WasiCtx::builder();
    let own = Own::of(around.limits);
    let grants = authority.grants().wasi();
    if is_empty(grants) {
        return (Itself { wasi, reach: Reach::nothing(), own }, authority);
    }
    let warn = |text: &str| around.options.observer.event(&Event::Warning { text });
    let protected = Protected::find(around, &authority);
    let open = files::open(&mut wasi, grants, &protected, &warn);
    wasi.envs(&authority.guest_variables());
    let reach = match grants.is_empty(Kind::Net) {
        true => Reach::nothing(),
        false => Reach::new(authority.guest_net(protected.endpoints)),
    };
    reach.check(&mut wasi);
    (Itself { wasi, reach, own }, authority.with_guests_folders(open))
}

fn is_empty(grants: &WasiGrants) -> bool {
    [Kind::Read, Kind::Write, Kind::Env, Kind::Net].into_iter().all(|kind| grants.is_empty(kind))
}
