//! What a guest may do by itself: standard streams, arguments, clocks and random numbers, and within the `--wasi-*` flags files,
//! variables, sockets and `wasi:http`.
//!
//! None of it reaches what transports take credentials from, the endpoints that they use, or what tidegate keeps for itself, whatever
//! the flags say.

mod files;
mod http;
mod lookup;
mod net;
mod protected;

use std::ffi::OsString;

use tidegate_authority::Authority;
use tidegate_grants::{Kind, Need, WasiGrants};
use tidegate_transport::{Event, Options};
use wasmtime::Result;
use wasmtime::component::Linker;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder};

use crate::engine::Inner;
use crate::guest::Guest;
pub(crate) use net::Reach;
use protected::Protected;

/// Replaces what wasmtime-wasi grants as one switch, and adds `wasi:http`.
pub(crate) fn add_to_linker(linker: &mut Linker<Guest>) -> Result<()> {
    linker.allow_shadowing(true);
    lookup::add_to_linker(linker)?;
    linker.allow_shadowing(false);
    http::add_to_linker(linker)
}

/// A guest's own reach. A flag that cannot be honoured is a warning, and the run goes on without it.
pub(crate) fn context(
    engine: &Inner,
    authority: &Authority,
    options: &Options,
    variables: Option<&[(OsString, OsString)]>,
) -> (WasiCtxBuilder, Reach) {
    let mut wasi = WasiCtx::builder();
    let grants = authority.grants().wasi();
    if is_empty(grants) {
        return (wasi, Reach::nothing());
    }
    let warn = |text: &str| options.observer.event(&Event::Warning { text });
    let protected = Protected::find(engine, authority, options, variables);
    files::open(&mut wasi, grants, &protected, &warn);
    for (name, value) in variables_of(variables) {
        if grants.judge(&Need::Env(name.clone())).is_granted() {
            wasi.env(name, value);
        }
    }
    let reach = Reach::new(grants.clone(), protected.endpoints);
    reach.clone().check(&mut wasi);
    (wasi, reach)
}

fn is_empty(grants: &WasiGrants) -> bool {
    [Kind::Read, Kind::Write, Kind::Env, Kind::Net].into_iter().all(|kind| grants.is_empty(kind))
}

/// The given variables, else those of this process, as far as they are text: WASI has no others.
#[allow(
    clippy::disallowed_methods,
    reason = "a pattern such as AWS_* can only be granted by going through what there is"
)]
fn variables_of(given: Option<&[(OsString, OsString)]>) -> Vec<(String, String)> {
    let text =
        |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    match given {
        Some(given) => given.iter().cloned().filter_map(text).collect(),
        None => std::env::vars_os().filter_map(text).collect(),
    }
}
