//! Folders that a guest sees.

use std::path::PathBuf;

use tidegate_grants::{Kind, Preopen, WasiGrants};
use wasmtime_wasi::{FsPerms, WasiCtxBuilder};

use super::protected::Protected;

/// Opens what `--wasi-read` and `--wasi-write` name, but for what contains or lies in something protected or denied. Returns the real
/// paths of what it opened.
pub(super) fn open(
    wasi: &mut WasiCtxBuilder,
    grants: &WasiGrants,
    protected: &Protected,
    warn: &dyn Fn(&str),
) -> Vec<PathBuf> {
    if grants.is_empty(Kind::Read) && grants.is_empty(Kind::Write) {
        return Vec::new();
    }
    let (folders, refused) = grants.preopens(&protected.paths);
    for refusal in refused {
        warn(&refusal.to_string());
    }
    let mut open = Vec::new();
    for folder in folders {
        if let Err(error) = preopen(wasi, &folder) {
            let flag = folder.kind.wasi_flag().unwrap_or_default();
            warn(&format!("{flag} of {:?} is left out: {error:#}; WASI opens folders only", folder.path));
        } else {
            open.push(folder.real);
        }
    }
    open
}

fn preopen(wasi: &mut WasiCtxBuilder, folder: &Preopen) -> wasmtime::Result<()> {
    let perms = match folder.kind {
        Kind::Write => FsPerms::ReadWrite,
        _ => FsPerms::ReadOnly,
    };
    // The real path was judged, so the real path is opened.
    wasi.preopened_dir(&folder.real, folder.path.to_string_lossy(), perms).map(drop)
}
