use std::env;
use std::path::{Path, PathBuf};

/// One of our programs: `tidegate`, `tidegate-compile`, `tidegate-playground`.
///
/// # Panics
/// Where it was not built.
pub fn program(name: &str) -> PathBuf {
    let folder = env::var_os("TIDEGATE_PROGRAMS").map_or_else(|| target().join("debug"), PathBuf::from);
    built(folder.join(name))
}

/// The component of a guest of the guest workspace, by the name of its package.
///
/// # Panics
/// Where it was not built.
pub fn guest(name: &str) -> PathBuf {
    let file = format!("{name}.wasm");
    if let Some(folder) = env::var_os("TIDEGATE_GUESTS") {
        return built(Path::new(&folder).join(file));
    }
    let folders = ["wasm32-wasip2", "wasm32-wasip1"]
        .map(|target| cache().join("target-guests").join(target).join("release"));
    let found = folders.iter().map(|folder| folder.join(&file)).find(|path| path.is_file());
    built(found.unwrap_or_else(|| folders[0].join(&file)))
}

fn built(path: PathBuf) -> PathBuf {
    assert!(path.is_file(), "{} is not there; `cargo xtask build` builds it", path.display());
    path
}

fn cache() -> PathBuf {
    let home = || PathBuf::from(env::var_os("HOME").unwrap_or_default()).join(".cache/tidegate");
    env::var_os("TIDEGATE_CACHE").map_or_else(home, PathBuf::from)
}

fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| cache().join("target"), PathBuf::from)
}
