//! Which room may know which: DESIGN.md's arrows, over `cargo metadata`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Each crate of ours and the crates of ours below it. What is not listed may not be depended on.
const ARROWS: &[(&str, &[&str])] = &[
    ("tidegate-grants", &[]),
    ("tidegate-kube", &[]),
    ("tidegate-authority", &["tidegate-grants"]),
    ("tidegate-transport", &["tidegate-authority", "tidegate-grants", "tidegate-kube"]),
    ("tidegate-api", &["tidegate-kube", "tidegate-transport"]),
    ("tidegate-reflector", &["tidegate-kube", "tidegate-transport"]),
    ("tidegate-registry", &["tidegate-authority", "tidegate-grants", "tidegate-kube", "tidegate-transport"]),
    (
        "tidegate-bindings",
        &[
            "tidegate-api",
            "tidegate-authority",
            "tidegate-grants",
            "tidegate-kube",
            "tidegate-reflector",
            "tidegate-registry",
            "tidegate-transport",
        ],
    ),
    (
        "tidegate",
        &[
            "tidegate-api",
            "tidegate-authority",
            "tidegate-bindings",
            "tidegate-grants",
            "tidegate-kube",
            "tidegate-reflector",
            "tidegate-registry",
            "tidegate-transport",
        ],
    ),
    ("tidegate-cli", &["tidegate"]),
    ("embedding", &["tidegate"]),
    // Executables of their own, which the runner starts and never links.
    ("tidegate-compiler", &[]),
    ("tidegate-playground", &["tidegate-kube"]),
];

/// Crates that may know wasmtime.
const WASMTIME: [&str; 3] = ["tidegate-bindings", "tidegate", "tidegate-compiler"];

/// Crates that only think, and foreign crates that do more than that.
const PURE: [&str; 2] = ["tidegate-grants", "tidegate-kube"];
const IMPURE: [&str; 9] =
    ["tokio", "rustix", "libc", "mio", "socket2", "hyper", "hyper-util", "rustls", "tempfile"];

/// What is no part of tidegate: tests and tools, which may know any room.
const AROUND: [&str; 3] = ["tidegate-tests", "tidegate-cluster", "xtask"];

#[derive(Default)]
struct Dependencies {
    built: BTreeSet<String>,
    tested: BTreeSet<String>,
}

/// The dependencies of each crate of the workspace as its manifest has them.
fn workspace() -> BTreeMap<String, Dependencies> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version=1"])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut crates: BTreeMap<String, Dependencies> = BTreeMap::new();
    for package in metadata["packages"].as_array().unwrap() {
        let entry = crates.entry(package["name"].as_str().unwrap().to_owned()).or_default();
        for dependency in package["dependencies"].as_array().unwrap() {
            let name = dependency["name"].as_str().unwrap().to_owned();
            match dependency["kind"].as_str() {
                Some("dev") => entry.tested.insert(name),
                _ => entry.built.insert(name),
            };
        }
    }
    crates
}

#[test]
fn arrows_point_down_only() {
    let crates = workspace();
    let known: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).chain(AROUND).collect();
    let found: BTreeSet<&str> = crates.keys().map(String::as_str).collect();
    assert_eq!(found, known, "a new crate gets its arrows here and in ARCHITECTURE.md");
    for (name, below) in ARROWS {
        let ours = |names: &BTreeSet<String>| -> Vec<String> {
            names
                .iter()
                .filter(|one| known.contains(one.as_str()) && !below.contains(&one.as_str()))
                .cloned()
                .collect()
        };
        let own = &crates[*name];
        assert_eq!(ours(&own.built), Vec::<String>::new(), "{name} may only depend on {below:?}");
        // Tests may also use what stands around: the playground is everyone's peer.
        let tested: Vec<String> = ours(&own.tested)
            .into_iter()
            .filter(|one| one != "tidegate-playground" && one != name && !AROUND.contains(&one.as_str()))
            .collect();
        assert_eq!(
            tested,
            Vec::<String>::new(),
            "{name}'s tests may only depend on {below:?} and the playground"
        );
    }
}

#[test]
fn each_rooms_rank_is_above_all_that_it_knows() {
    for (place, (name, below)) in ARROWS.iter().enumerate() {
        for other in *below {
            let rank = ARROWS.iter().position(|(name, _)| name == other).expect("listed");
            assert!(rank < place, "{name} -> {other} points up");
        }
    }
}

#[test]
fn only_bindings_and_the_library_know_wasmtime() {
    for (name, dependencies) in workspace() {
        let knows = dependencies.built.iter().any(|one| one.starts_with("wasmtime"));
        assert!(!knows || WASMTIME.contains(&name.as_str()), "{name} depends on wasmtime");
        let anyhow = dependencies.built.contains("anyhow");
        assert!(
            !anyhow
                || ["tidegate-cli", "embedding"].contains(&name.as_str())
                || AROUND.contains(&name.as_str()),
            "{name} depends on anyhow"
        );
    }
}

#[test]
fn tools_that_start_programs_never_link_the_runner() {
    let built = &workspace()["xtask"].built;
    for runner in ["tidegate", "tidegate-bindings", "tidegate-compiler"] {
        assert!(!built.contains(runner), "xtask depends on {runner}");
    }
}

#[test]
fn the_pure_crates_depend_on_nothing_that_acts() {
    let crates = workspace();
    for name in PURE {
        let acting: Vec<&str> = IMPURE.into_iter().filter(|one| crates[name].built.contains(*one)).collect();
        assert!(acting.is_empty(), "{name} depends on {acting:?}");
    }
}

/// Rooms that act have files that only think: time, chance and answers are their arguments.
#[test]
fn what_decides_reads_no_clock_and_waits_for_nothing() {
    const DECIDES: [&str; 3] = ["plan.rs", "machine.rs", "backoff.rs"];
    const ACTS: [&str; 6] = ["async ", ".await", "tokio::", "Instant::now", "SystemTime::now", "RandomState"];
    let mut found = Vec::new();
    let mut left = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("..")];
    while let Some(folder) = left.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" {
                left.push(path);
            } else if DECIDES.contains(&name.as_str()) {
                let text = fs::read_to_string(&path).unwrap();
                let acts = ACTS.iter().find(|word| text.contains(**word));
                assert_eq!(acts, None, "{}", path.display());
                found.push(name);
            }
        }
    }
    assert!(DECIDES.iter().all(|name| found.iter().any(|one| one == name)), "{found:?}");
}
