//! The bans of clippy.toml: each fires, the pure crates' files are in step, and nobody else lifts them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the pure crates ban beside everything else.
const CLOCKS: [&str; 8] = [
    "std::time::Instant::now",
    "std::time::Instant::elapsed",
    "std::time::SystemTime::now",
    "std::time::SystemTime::elapsed",
    "std::thread::sleep",
    "tokio::time::Instant::now",
    "tokio::time::sleep",
    "time::OffsetDateTime::now_utc",
];

/// Bans on crates that the probe does not build: too heavy for this test, or in no lock file yet.
const NOT_PROBED: [&str; 4] = ["cap_std::", "wasmtime_wasi::", "tokio_tungstenite::", "tungstenite::"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// The banned paths of a clippy.toml, which has one a line.
fn bans(config: &str) -> Vec<&str> {
    config.lines().filter_map(|line| line.trim().strip_prefix("{ path = \"")?.split('"').next()).collect()
}

/// The root's bans and the clocks, as the pure crates' file has them.
fn pure_config(root: &str) -> String {
    let clocks: String = CLOCKS
        .iter()
        .map(|path| {
            let optional = if path.starts_with("std::") { "" } else { ", allow-invalid = true" };
            format!("    {{ path = \"{path}\", reason = \"pure: time is an argument\"{optional} }},\n")
        })
        .collect();
    let (_, lists) = root.split_once("disallowed-methods = [\n").expect("the root bans methods");
    format!(
        "# Made by host/authority/tests/bans.rs from the root's clippy.toml, which this file replaces: the same bans, and the\n\
         # clocks. This crate is pure.\n\ndisallowed-methods = [\n{clocks}{lists}"
    )
}

#[test]
fn the_pure_crates_repeat_the_roots_bans_and_add_the_clocks() {
    let expected = pure_config(&fs::read_to_string(root().join("clippy.toml")).unwrap());
    for room in ["grants", "kube"] {
        let path = root().join("host").join(room).join("clippy.toml");
        if std::env::var_os("UPDATE_BANS").is_some() {
            fs::write(&path, &expected).unwrap();
        }
        let found = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            found == expected,
            "{path:?} is not in step; UPDATE_BANS=1 cargo test -p tidegate-authority --test bans"
        );
    }
}

#[test]
fn no_other_room_has_bans_of_its_own() {
    let rooms = fs::read_dir(root().join("host")).unwrap().map(|entry| entry.unwrap());
    let own: BTreeSet<String> = rooms
        .filter(|room| ["clippy.toml", ".clippy.toml"].iter().any(|name| room.path().join(name).exists()))
        .map(|room| room.file_name().into_string().unwrap())
        .collect();
    assert_eq!(own, ["authority", "grants", "kube", "playground"].map(str::to_owned).into());
}

/// A new way out goes through `HostAuthority`, or argues for itself here.
#[test]
fn bans_are_lifted_nowhere_in_what_ships() {
    let mut lifted = Vec::new();
    for room in fs::read_dir(root().join("host")).unwrap().map(|entry| entry.unwrap().path()) {
        if !room.ends_with("authority") && !room.ends_with("playground") {
            lifts(&room.join("src"), &mut lifted);
        }
    }
    assert!(lifted.is_empty(), "these lift a ban: {lifted:?}");
}

/// The sources beneath a folder that name the lints, but for those of tests.
fn lifts(folder: &Path, found: &mut Vec<PathBuf>) {
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let test = path
            .file_stem()
            .is_some_and(|stem| stem == "tests" || stem.to_string_lossy().ends_with("_tests"));
        if path.is_dir() {
            lifts(&path, found);
        } else if !test && fs::read_to_string(&path).unwrap().contains("clippy::disallowed_") {
            found.push(path);
        }
    }
}

/// Builds a crate that does every banned thing and asks clippy about it.
#[test]
fn every_ban_fires() {
    let config = pure_config(&fs::read_to_string(root().join("clippy.toml")).unwrap());
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bans");
    fs::create_dir_all(folder.join("src")).unwrap();
    fs::write(folder.join("clippy.toml"), &config).unwrap();
    fs::write(folder.join("Cargo.toml"), MANIFEST).unwrap();
    fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    fs::write(folder.join("src/lib.rs"), probe()).unwrap();
    let output = Command::new(env!("CARGO"))
        .args(["clippy", "--offline", "--quiet", "--message-format=json"])
        .current_dir(&folder)
        .env("CARGO_TARGET_DIR", folder.join("target"))
        .env("CLIPPY_CONF_DIR", &folder)
        .env_remove("RUSTFLAGS")
        .output()
        .unwrap();
    let (said, told) = (String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "the probe must build (is clippy installed?): {said}{told}");
    let messages: Vec<serde_json::Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let texts = messages.iter().filter_map(|message| message["message"]["message"].as_str());
    let fired: BTreeSet<&str> = texts
        .filter(|text| text.starts_with("use of a disallowed"))
        .filter_map(|text| text.split('`').nth(1))
        .collect();
    let silent: Vec<&str> = bans(&config)
        .into_iter()
        .filter(|ban| !NOT_PROBED.iter().any(|prefix| ban.starts_with(prefix)) && !fired.contains(ban))
        .collect();
    assert!(silent.is_empty(), "these bans did not fire: {silent:#?}");
}

const MANIFEST: &str = r#"[package]
name = "bans"
version = "0.0.0"
edition = "2024"

[workspace]

[dependencies]
hyper-util = { version = "*", features = ["client-legacy", "http1"] }
mio = { version = "*", features = ["net", "os-poll"] }
rustix = { version = "1", features = ["fs", "net"] }
rustls-native-certs = "*"
socket2 = "*"
tempfile = "*"
time = "*"
tokio = { version = "1", features = ["fs", "net", "process", "rt", "time"] }
"#;

/// One function for each banned thing, which does it.
fn probe() -> String {
    let mut lines = vec!["#![allow(unused, deprecated, clippy::all)]\nuse std::path::Path;".to_owned()];
    let mut function = |body: String| {
        let number = lines.len();
        lines.push(format!(
            "#[warn(clippy::disallowed_methods, clippy::disallowed_types)]\nfn f{number}() {{ {body} }}"
        ));
    };
    for (module, names, arguments) in CALLS {
        for name in names.split_whitespace() {
            function(format!("let _ = {module}::{name}({arguments});"));
        }
    }
    for name in PATH_METHODS.split_whitespace() {
        function(format!("let _ = Path::new(\"\").{name}();"));
    }
    for path in TYPES.split_whitespace() {
        function(format!("fn takes(_: &{path}) {{}}"));
    }
    for statement in STATEMENTS {
        function((*statement).to_owned());
    }
    lines.join("\n")
}

const CALLS: &[(&str, &str, &str)] = &[
    (
        "std::fs",
        "canonicalize create_dir create_dir_all exists metadata read read_dir read_link read_to_string remove_dir \
         remove_dir_all remove_file symlink_metadata",
        "\"\"",
    ),
    ("std::fs", "copy hard_link rename soft_link write", "\"\", \"\""),
    ("std::os::unix::fs", "symlink", "\"\", \"\""),
    ("std::os::unix::fs", "chown lchown", "\"\", None, None"),
    ("std::os::unix::fs", "chroot", "\"\""),
    (
        "tokio::fs",
        "canonicalize create_dir create_dir_all metadata read read_dir read_link read_to_string remove_dir remove_dir_all \
         remove_file symlink_metadata try_exists",
        "\"\"",
    ),
    ("tokio::fs", "copy hard_link rename symlink write", "\"\", \"\""),
    ("rustix::fs", "stat lstat unlink", "\"\""),
    ("rustix::fs", "rename symlink", "\"\", \"\""),
    ("std::net::TcpStream", "connect", "\"a:1\""),
    ("std::net::TcpListener", "bind", "\"a:1\""),
    ("std::net::UdpSocket", "bind", "\"a:1\""),
    ("std::os::unix::net::UnixStream", "connect", "\"\""),
    ("std::os::unix::net::UnixStream", "pair", ""),
    ("std::os::unix::net::UnixListener", "bind", "\"\""),
    ("tokio::net::TcpStream", "connect", "\"a:1\""),
    ("tokio::net::TcpListener", "bind", "\"a:1\""),
    ("tokio::net::UdpSocket", "bind", "\"a:1\""),
    ("tokio::net::UnixStream", "connect", "\"\""),
    ("tokio::net::UnixListener", "bind", "\"\""),
    ("tokio::net", "lookup_host", "\"a:1\""),
    ("std::process::Command", "new", "\"\""),
    ("tokio::process::Command", "new", "\"\""),
    ("std::env", "var var_os", "\"\""),
    ("std::env", "vars vars_os home_dir temp_dir current_exe current_dir", ""),
    ("std::env", "set_current_dir", "\"\""),
    ("std::path", "absolute", "\"\""),
    ("tempfile", "tempdir tempfile", ""),
    ("tempfile::NamedTempFile", "new", ""),
    ("rustls_native_certs", "load_native_certs", ""),
    ("std::time::Instant", "now", ""),
    ("std::time::SystemTime", "now", ""),
    ("tokio::time::Instant", "now", ""),
    ("std::thread", "sleep", "std::time::Duration::ZERO"),
    ("tokio::time", "sleep", "std::time::Duration::ZERO"),
    ("time::OffsetDateTime", "now_utc", ""),
];

const PATH_METHODS: &str =
    "canonicalize exists is_dir is_file is_symlink metadata read_dir read_link symlink_metadata try_exists";

const TYPES: &str = "std::fs::File std::fs::OpenOptions std::fs::DirBuilder tokio::fs::File tokio::fs::OpenOptions \
    tokio::fs::DirBuilder std::net::TcpStream std::net::UdpSocket std::os::unix::net::UnixStream \
    std::os::unix::net::UnixDatagram tokio::net::TcpStream tokio::net::TcpSocket tokio::net::UdpSocket \
    tokio::net::UnixStream tokio::net::UnixDatagram tokio::net::UnixSocket std::net::TcpListener \
    std::os::unix::net::UnixListener tokio::net::TcpListener tokio::net::UnixListener std::process::Command \
    tokio::process::Command hyper_util::client::legacy::connect::HttpConnector \
    hyper_util::client::legacy::connect::dns::GaiResolver";

/// What takes more than a name and arguments of one kind.
const STATEMENTS: &[&str] = &[
    "fn takes(_: impl std::net::ToSocketAddrs) {}",
    "fn takes(_: impl tokio::net::ToSocketAddrs) {}",
    "use std::net::ToSocketAddrs; let _ = \"a:1\".to_socket_addrs();",
    "let _ = std::net::TcpStream::connect_timeout(&([0, 0, 0, 0], 1).into(), std::time::Duration::ZERO);",
    "unsafe { std::env::set_var(\"\", \"\") }",
    "unsafe { std::env::remove_var(\"\") }",
    "let _ = std::fs::set_permissions::<&str>;",
    "fn act(permissions: std::fs::Permissions) { let _ = tokio::fs::set_permissions(\"\", permissions); }",
    "let _ = std::os::unix::fs::fchown::<std::fs::File>;",
    "let _ = rustix::fs::open::<&str>;",
    "let _ = rustix::fs::openat::<&str, std::os::fd::OwnedFd>;",
    "let _ = rustix::fs::openat2::<std::os::fd::OwnedFd, &str>;",
    "let _ = rustix::fs::statat::<&str, std::os::fd::OwnedFd>;",
    "let _ = rustix::fs::access::<&str>;",
    "let _ = rustix::fs::accessat::<&str, std::os::fd::OwnedFd>;",
    "let _ = rustix::fs::readlink::<&str, Vec<u8>>;",
    "let _ = rustix::fs::readlinkat::<&str, std::os::fd::OwnedFd, Vec<u8>>;",
    "let _ = rustix::fs::mkdir::<&str>;",
    "let _ = rustix::fs::mkdirat::<&str, std::os::fd::OwnedFd>;",
    "let _ = rustix::fs::unlinkat::<&str, std::os::fd::OwnedFd>;",
    "let _ = rustix::fs::renameat::<&str, &str, std::os::fd::OwnedFd, std::os::fd::OwnedFd>;",
    "let _ = rustix::fs::symlinkat::<&str, &str, std::os::fd::OwnedFd>;",
    "let _ = rustix::net::socket;",
    "let _ = rustix::net::socket_with;",
    "fn act(fd: std::os::fd::OwnedFd, to: std::net::SocketAddr) { let _ = rustix::net::connect(fd, &to); }",
    "let _ = socket2::Socket::new;",
    "let _ = mio::net::TcpStream::connect;",
    "let _ = std::time::Instant::elapsed;",
    "let _ = std::time::SystemTime::elapsed;",
];
