//! All permission flags of one run.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::address::AddressRefused;
use crate::builder::GrantsBuilder;
use crate::connection::ConnectionPattern;
use crate::denied::Verdict;
use crate::endpoint::Endpoint;
use crate::need::{Kind, Need};
use crate::path::Root;
use crate::rules::{Layer, Layers};
use crate::wasi::WasiGrants;

/// What was allowed and denied. Cheap to clone; never widens: [`Grants::narrow`] is the only way to derive other rules.
#[derive(Debug, Clone)]
pub struct Grants {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    layers: Layers,
    read: Roots,
    write: Roots,
    wasi: WasiGrants,
}

#[derive(Debug)]
struct Roots {
    allow: Vec<Root>,
    deny: Vec<Root>,
}

impl Grants {
    /// Nothing is granted.
    pub fn none() -> Self {
        Self::builder().build()
    }

    /// Starts with nothing granted; see [`GrantsBuilder`].
    pub fn builder() -> GrantsBuilder {
        GrantsBuilder::default()
    }

    /// What the flags say about one need. Paths must be absolute and normalised ([`crate::normalise`]) and are compared as
    /// text, with both the given and the canonical form of each root; a relative one is missing. A need of a name says
    /// nothing yet about its addresses.
    pub fn judge(&self, need: &Need) -> Verdict {
        self.inner.layers.judge(need)
    }

    /// Whether everything of this kind is granted. A deny flag of this kind is in the way of that.
    pub fn judge_all(&self, kind: Kind) -> Verdict {
        self.inner.layers.judge_all(kind)
    }

    /// Judges a file by its real path, to be asked of an open handle, for [`Kind::Read`] or [`Kind::Write`]; other kinds
    /// are missing. Roots count in their canonical form, so call [`Grants::canonicalised`] before.
    pub fn judge_real(&self, kind: Kind, real: &Path) -> Verdict {
        self.inner.layers.judge_real(kind, real)
    }

    /// Judges the file that would be started for `program`: `found` is the absolute path that the look-up gave and
    /// `canonical` where that leads.
    pub fn judge_program(&self, program: &str, found: &Path, canonical: &Path) -> Verdict {
        self.inner.layers.judge_program(program, found, canonical)
    }

    /// The file to start for a bare name that is granted by path alone; none where the name itself, or everything, is
    /// granted and `PATH` decides.
    pub fn program_by_path(&self, program: &str) -> Option<&Path> {
        self.inner.layers.program_by_path(program)
    }

    /// Whether this address, to which the endpoint resolved, may be dialled (row H2).
    ///
    /// A grant of a name admits its addresses but for [`crate::AddressClass`]es (loopback is admitted for `localhost` and
    /// names beneath it) and what deny flags cover; it admits those classes too where an address or network pattern grants
    /// them. A grant of an address or network admits just that. The flag alone admits every address that is not denied.
    /// A denial also covers the IPv4 address that an IPv6 address embeds.
    pub fn admits_address(&self, endpoint: &Endpoint, address: SocketAddr) -> Result<(), AddressRefused> {
        self.inner.layers.admits_address(endpoint, address)
    }

    /// The roots of [`Kind::Read`] or [`Kind::Write`], allowed and denied; empty for other kinds, and for a flag without
    /// a value ([`Grants::allows_everything`]).
    pub fn path_roots(&self, kind: Kind) -> (&[Root], &[Root]) {
        match kind {
            Kind::Read => (&self.inner.read.allow, &self.inner.read.deny),
            Kind::Write => (&self.inner.write.allow, &self.inner.write.deny),
            Kind::Net | Kind::Env | Kind::Run | Kind::Listen | Kind::Connection => (&[], &[]),
        }
    }

    /// Whether the allow flag of this kind was given without a value. Denials still win.
    pub fn allows_everything(&self, kind: Kind) -> bool {
        self.inner.layers.allows_everything(kind)
    }

    /// The same grants with each root's canonical path filled in; `canonicalise` answers none where it cannot tell.
    pub fn canonicalised(&self, canonicalise: &dyn Fn(&Path) -> Option<PathBuf>) -> Grants {
        let wasi = self.inner.wasi.canonicalised(canonicalise);
        Self::from_layers(self.inner.layers.canonicalised(canonicalise), wasi)
    }

    /// The same grants with the file of each run pattern filled in: `find` gets a name, to look up over `PATH`, or an
    /// absolute path, to follow.
    pub fn located(&self, find: &dyn Fn(&OsStr) -> Option<PathBuf>) -> Grants {
        Self::from_layers(self.inner.layers.located(find), self.inner.wasi.clone())
    }

    /// What both grant: a child gets its parent's grants narrowed by its own. Denials of either win.
    pub fn narrow(&self, other: &Grants) -> Grants {
        let wasi = self.inner.wasi.narrow(&other.inner.wasi);
        Self::from_layers(self.inner.layers.and(&other.inner.layers), wasi)
    }

    /// The connections that are allowed by name or prefix, whether there are such or not: for warnings.
    pub fn allowed_connections(&self) -> Vec<&ConnectionPattern> {
        self.inner.layers.0.iter().flat_map(|layer| layer.allow.connection.listed()).collect()
    }

    /// What the connections of the registry may use on behalf of a guest with these grants: everything that they need, since
    /// whoever started tidegate defined them, but for what is denied, and for credentials that the guest could have written.
    pub fn for_connections(&self) -> Grants {
        Self::from_layers(self.inner.layers.for_connections(), self.inner.wasi.clone())
    }

    /// What the guest itself may do, by the `--wasi-*` flags.
    pub fn wasi(&self) -> &WasiGrants {
        &self.inner.wasi
    }

    pub(crate) fn from_layer(host: Layer, wasi: Layer) -> Self {
        Self::from_layers(Layers(vec![host]), WasiGrants::new(Layers(vec![wasi])))
    }

    fn from_layers(layers: Layers, wasi: WasiGrants) -> Self {
        let roots = |kind| Roots { allow: layers.allowed_roots(kind), deny: layers.denied_roots(kind) };
        let (read, write) = (roots(Kind::Read), roots(Kind::Write));
        Self { inner: Arc::new(Inner { layers, read, write, wasi }) }
    }
}

/// The same flags, in the same order.
impl PartialEq for Grants {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
            || (self.inner.layers == other.inner.layers && self.inner.wasi == other.inner.wasi)
    }
}

impl Default for Grants {
    fn default() -> Self {
        Self::none()
    }
}
