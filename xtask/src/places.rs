//! Where things are: the clone, and the caches outside it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The root of the clone.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}

/// `$TIDEGATE_CACHE`, or `~/.cache/tidegate`.
pub(crate) fn cache() -> PathBuf {
    let home = || PathBuf::from(env::var_os("HOME").unwrap_or_else(|| "/".into())).join(".cache/tidegate");
    env::var_os("TIDEGATE_CACHE").map_or_else(home, PathBuf::from)
}

/// Where cargo builds: outside the clone unless the user chose a place.
pub(crate) fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| cache().join("target"), PathBuf::from)
}

/// Where cargo builds for the guests' machine.
pub(crate) fn guest_target() -> PathBuf {
    cache().join("target-guests")
}

/// The cargo that started us.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root()).env("CARGO_TARGET_DIR", target());
    // A cargo that runs us tells its own package to whatever we start, and build scripts would be built again for it.
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(&name);
        }
    }
    cargo
}
