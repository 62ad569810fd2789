//! The `--wasi-*` half: what the guest may do by itself, apart from what the host may do for it (row H6).

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::address::AddressRefused;
use crate::denied::Verdict;
use crate::endpoint::{Endpoint, Host};
use crate::need::{Kind, Need};
use crate::path::Root;
use crate::rules::Layers;

/// What the guest itself may do. Nothing by default, whatever `--allow-*` says, and bounded by the `--deny-*` flags.
#[derive(Debug, Clone, PartialEq)]
pub struct WasiGrants {
    layers: Arc<Layers>,
}

/// A folder that the guest sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preopen {
    /// The path as the guest names it.
    pub path: PathBuf,
    /// Where that really is.
    pub real: PathBuf,
    /// [`Kind::Read`], or [`Kind::Write`], which WASI folders have along with reading.
    pub kind: Kind,
}

/// A folder that the guest may not see although a flag names it, because of what lies in or above it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} of {root:?} is refused: {why}", .kind.wasi_flag().unwrap_or_default())]
pub struct PreopenRefused {
    /// The flag's path.
    pub root: PathBuf,
    /// [`Kind::Read`] or [`Kind::Write`].
    pub kind: Kind,
    /// The path in the way and what it is, with the cure.
    pub why: String,
}

impl WasiGrants {
    pub(crate) fn new(layers: Layers) -> Self {
        Self { layers: Arc::new(layers) }
    }

    /// As [`Grants::judge`](crate::Grants::judge), for the guest's own reach. [`Need::Run`],
    /// [`Need::Listen`] and [`Need::Connection`] are never granted.
    pub fn judge(&self, need: &Need) -> Verdict {
        self.layers.judge(need)
    }

    /// As [`Grants::admits_address`](crate::Grants::admits_address), for the guest's own sockets and requests.
    pub fn admits_address(&self, endpoint: &Endpoint, address: SocketAddr) -> Result<(), AddressRefused> {
        self.layers.admits_address(endpoint, address)
    }

    /// Whether a name may be looked up: it is granted for one port at least. What is then dialled is judged with its port.
    pub fn admits_host(&self, host: &Host) -> bool {
        self.layers.admits_host(host)
    }

    /// Whether the flag of this kind was given without a value.
    pub fn allows_everything(&self, kind: Kind) -> bool {
        self.layers.allows_everything(kind)
    }

    /// Whether no `--wasi-<kind>` flag was given, so that nothing of this kind needs to be linked.
    pub fn is_empty(&self, kind: Kind) -> bool {
        self.layers.0.iter().any(|layer| match kind {
            Kind::Net => layer.allow.net.is_none(),
            Kind::Read => layer.allow.read.is_none(),
            Kind::Write => layer.allow.write.is_none(),
            Kind::Env => layer.allow.env.is_none(),
            Kind::Run => layer.allow.run.is_none(),
            Kind::Listen => layer.allow.listen.is_none(),
            Kind::Connection => layer.allow.connection.is_none(),
        })
    }

    /// The folders to open for the guest, and those that must not be.
    ///
    /// WASI grants a folder as a whole, so one is refused where a `--deny-read` or `--deny-write` path lies in it or above
    /// it, or where one of `protected` does: absolute canonical paths of what transports take credentials from and of
    /// tidegate's own cache, configuration and logs. The flag without a value names the root folder.
    pub fn preopens(&self, protected: &[PathBuf]) -> (Vec<Preopen>, Vec<PreopenRefused>) {
        let (mut open, mut refused) = (Vec::new(), Vec::new());
        for kind in [Kind::Read, Kind::Write] {
            let roots = match self.allows_everything(kind) {
                true => vec![Root::parse("/", None).expect("the root folder is an absolute path")],
                false => self.layers.allowed_roots(kind),
            };
            for root in roots {
                match self.in_the_way(kind, &root, protected) {
                    Some(why) => refused.push(PreopenRefused { root: root.given().into(), kind, why }),
                    None => open.push(Preopen { path: root.given().into(), real: root.real().into(), kind }),
                }
            }
        }
        (open, refused)
    }

    pub(crate) fn canonicalised(&self, canonicalise: &dyn Fn(&Path) -> Option<PathBuf>) -> Self {
        Self::new(self.layers.canonicalised(canonicalise))
    }

    pub(crate) fn narrow(&self, other: &Self) -> Self {
        Self::new(self.layers.and(&other.layers))
    }

    fn in_the_way(&self, kind: Kind, root: &Root, protected: &[PathBuf]) -> Option<String> {
        let meets = |path: &Path| {
            [root.given(), root.real()].iter().any(|own| own.starts_with(path) || path.starts_with(own))
        };
        // A writable folder can be read too.
        for denied in [Kind::Read, kind] {
            if let Verdict::Denied { by } = self.layers.judge_real(denied, root.real()) {
                return Some(format!("{by} covers it; run again without one of the two"));
            }
            let roots = self.layers.denied_roots(denied);
            if let Some(path) = roots.iter().find(|path| meets(path.given()) || meets(path.real())) {
                let (flag, path) = (denied.deny_flag(), path.given());
                return Some(format!(
                    "{flag} names {path:?} in it; grant a folder that does not contain that"
                ));
            }
        }
        let path = protected.iter().find(|path| meets(path))?;
        let cure = match [root.given(), root.real()].iter().any(|own| own.starts_with(path)) {
            true => "a folder outside of that",
            false => "a narrower folder",
        };
        Some(format!(
            "it would reach {path:?}, which holds credentials or tidegate's own files; grant {cure}"
        ))
    }
}
