//! What a component imports and exports, and what that says about the flags it may want.

use wasmtime::Engine;
use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;

use crate::producers::Producers;

/// The interfaces of our own package, of which `0.1` fits: those that its world imports, a line each.
const WORLD: &str = include_str!("../../../wit/world.wit");

/// What tidegate offers of WASI, of which any `0.2` fits.
pub(crate) const OFFERED: [(&str, &str, &[&str]); 7] = [
    (
        "wasi:cli",
        "0.2.",
        &[
            "environment",
            "exit",
            "stdin",
            "stdout",
            "stderr",
            "terminal-input",
            "terminal-output",
            "terminal-stdin",
            "terminal-stdout",
            "terminal-stderr",
        ],
    ),
    ("wasi:clocks", "0.2.", &["monotonic-clock", "wall-clock"]),
    ("wasi:filesystem", "0.2.", &["types", "preopens"]),
    ("wasi:http", "0.2.", &["types", "outgoing-handler"]),
    ("wasi:io", "0.2.", &["error", "poll", "streams"]),
    ("wasi:random", "0.2.", &["random", "insecure", "insecure-seed"]),
    (
        "wasi:sockets",
        "0.2.",
        &[
            "instance-network",
            "ip-name-lookup",
            "network",
            "tcp",
            "tcp-create-socket",
            "udp",
            "udp-create-socket",
        ],
    ),
];

/// What a component is, without running it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspected {
    /// The stem of its file.
    pub name: String,
    /// Its size, in bytes.
    pub size: u64,
    /// What made it, as far as it tells.
    pub made_by: Producers,
    /// What it imports and exports.
    pub interfaces: Interfaces,
}

/// The interfaces of a component, by their full names, e.g. `tidegate:host/detect@0.1.0`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interfaces {
    /// What it imports.
    pub imports: Vec<String>,
    /// What it exports.
    pub exports: Vec<String>,
}

impl Interfaces {
    /// Whether it fits the world `tidegate:host/script`: it exports `wasi:cli/run` and imports nothing that is not offered.
    pub fn fits_script(&self) -> bool {
        self.strange().is_empty() && self.exports.iter().any(|name| name.starts_with("wasi:cli/run@0.2."))
    }

    /// The imports that tidegate does not offer.
    pub fn strange(&self) -> Vec<String> {
        self.imports.iter().filter(|name| !is_offered(name)).cloned().collect()
    }

    /// The flags that the imports hint at, e.g. `--allow-net`. A hint only: a guest may import what it never calls, as most
    /// languages' libraries do.
    pub fn hints(&self) -> Vec<&'static str> {
        let imports = |prefix: &str| self.imports.iter().any(|name| name.starts_with(prefix));
        let hints = [
            ("tidegate:host/detect@", &["--allow-net", "--allow-read", "--allow-env", "--allow-run"][..]),
            ("tidegate:host/connections@", &["--allow-connection"]),
            ("tidegate:host/listen@", &["--allow-listen"]),
            ("wasi:filesystem/", &["--wasi-read", "--wasi-write"]),
            ("wasi:cli/environment@", &["--wasi-env"]),
            ("wasi:sockets/", &["--wasi-net"]),
            ("wasi:http/", &["--wasi-net"]),
        ];
        let mut flags = Vec::new();
        for flag in hints.iter().filter(|(prefix, _)| imports(prefix)).flat_map(|(_, flags)| *flags) {
            if !flags.contains(flag) {
                flags.push(flag);
            }
        }
        flags
    }
}

pub(crate) fn interfaces(component: &Component, engine: &Engine) -> Interfaces {
    let ty = component.component_type();
    // A type can be neither offered nor withheld.
    let is_thing = |item: &ComponentItem| !matches!(item, ComponentItem::Type(_));
    let imports = ty.imports(engine).filter(|(_, item)| is_thing(&item.ty)).map(|(name, _)| name.to_owned());
    let exports = ty.exports(engine).filter(|(_, item)| is_thing(&item.ty)).map(|(name, _)| name.to_owned());
    Interfaces { imports: imports.collect(), exports: exports.collect() }
}

fn is_offered(import: &str) -> bool {
    let Some((package, rest)) = import.split_once('/') else { return false };
    let Some((interface, version)) = rest.split_once('@') else { return false };
    let ours =
        package == "tidegate:host" && version.starts_with("0.1.") && ours().any(|own| own == interface);
    ours || OFFERED.iter().any(|(offered, versions, interfaces)| {
        *offered == package && version.starts_with(versions) && interfaces.contains(&interface)
    })
}

pub(crate) fn ours() -> impl Iterator<Item = &'static str> {
    WORLD.lines().filter_map(|line| line.strip_prefix("  import ")?.strip_suffix(';'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(imports: &[&str], exports: &[&str]) -> Interfaces {
        let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        Interfaces { imports: owned(imports), exports: owned(exports) }
    }

    #[test]
    fn what_is_offered() {
        let cases = [
            ("tidegate:host/detect@0.1.0", true),
            ("tidegate:host/detect@0.1.7", true),
            ("tidegate:host/poll@0.1.0", true),
            ("tidegate:host/discovery@0.1.0", true),
            ("tidegate:host/listen@0.1.0", true),
            ("tidegate:host/detect@0.2.0", false),
            ("tidegate:host/registry@0.1.0", false),
            ("wasi:cli/environment@0.2.0", true),
            ("wasi:cli/environment@0.3.0", false),
            ("wasi:keyvalue/store@0.2.0", false),
            ("wasi:http/types@0.2.12", true),
            ("run", false),
            ("a/b", false),
        ];
        for (import, expected) in cases {
            assert_eq!(is_offered(import), expected, "{import}");
        }
    }

    #[test]
    fn hints_name_each_flag_once() {
        let interfaces =
            of(&["wasi:sockets/tcp@0.2.0", "wasi:http/types@0.2.0", "wasi:cli/environment@0.2.0"], &[]);
        assert_eq!(interfaces.hints(), ["--wasi-env", "--wasi-net"]);
        assert_eq!(of(&["tidegate:host/connections@0.1.0"], &[]).hints(), ["--allow-connection"]);
    }

    #[test]
    fn the_script_world() {
        let run = &["wasi:cli/run@0.2.0"];
        assert!(of(&["tidegate:host/detect@0.1.0"], run).fits_script());
        assert!(!of(&["tidegate:host/detect@0.1.0"], &[]).fits_script());
        assert!(!of(&["my:own/thing@0.1.0"], run).fits_script());
    }
}
