//! From grants to approvals.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use tidegate_grants::{Denied, Endpoint, Grants, Kind, Missing, Need, Verdict};
use tokio::time::Instant;

use crate::environment::Environment;
use crate::file::{Aliases, canonicalise};
use crate::host::HostAuthority;
use crate::needs::{Approved, Needs};
use crate::net::{GuestNet, Resolver, system_resolver};

/// Turns needs into approvals. Cheap to clone; holds no open file or socket.
#[derive(Clone)]
pub struct Authority {
    inner: Arc<Inner>,
}

/// What every grant of one authority shares.
#[derive(Clone)]
pub(crate) struct Inner {
    pub(crate) grants: Grants,
    pub(crate) environment: Environment,
    pub(crate) resolver: Resolver,
    aliases: Aliases,
    guests_folders: Vec<PathBuf>,
}

impl Authority {
    /// The authority of this process, bounded by these grants. Follows the links of granted and denied paths, looks granted
    /// programs up over `PATH` and keeps a copy of the environment, each once.
    ///
    /// Whoever can call this decides what a guest may reach: it is called in the `tidegate` library and in tests alone.
    pub fn from_ambient(grants: Grants) -> Authority {
        Self::assemble(grants, Environment::of_process(), system_resolver())
    }

    /// The same authority with another environment: what [`crate::EnvGrant`] answers, where programs are looked up, and
    /// what they inherit. For an embedder whose tenants must not share the process' own.
    pub fn with_environment(&self, variables: impl IntoIterator<Item = (OsString, OsString)>) -> Authority {
        let environment = Environment::new(variables);
        Self::assemble(self.inner.grants.clone(), environment, self.inner.resolver.clone())
    }

    /// The same authority beside a guest that has these folders open, by their canonical paths: what the guest can read there by
    /// itself is no place for a credential, and none is taken from it.
    #[must_use]
    pub fn with_guests_folders(&self, folders: Vec<PathBuf>) -> Authority {
        Authority { inner: Arc::new(Inner { guests_folders: folders, ..(*self.inner).clone() }) }
    }

    /// The authority beside the same guest for the connections of the registry: see [`Grants::for_connections`]. Its environment is
    /// this process' own, whatever the guest's is: whoever started tidegate defined the connections.
    #[must_use]
    pub fn for_connections(&self, host: &HostAuthority) -> Authority {
        let inner = Inner {
            grants: self.inner.grants.for_connections(),
            environment: host.environment(),
            ..(*self.inner).clone()
        };
        Authority { inner: Arc::new(inner) }
    }

    /// Whether both allow and refuse the same, so that what was opened under the one can be used under the other.
    pub fn has_bounds_of(&self, other: &Authority) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
            || (self.inner.grants == other.inner.grants
                && self.inner.environment == other.inner.environment
                && self.inner.guests_folders == other.inner.guests_folders)
    }

    /// The grants, roots in canonical form.
    pub fn grants(&self) -> &Grants {
        &self.inner.grants
    }

    /// Approves a whole round of needs, or names everything that it lacks at once. A need that is optional and not granted
    /// is left out of the approval. Touches nothing: no look-up, no file, no process.
    pub fn approve(&self, needs: &Needs) -> Result<Approved, Denied> {
        let missing: Vec<Missing> = needs
            .required()
            .iter()
            .filter_map(|need| Missing::from_verdict(need, self.query(need)))
            .collect();
        if !missing.is_empty() {
            return Err(Denied { missing });
        }
        let optional = needs.optional_needs().iter().filter(|need| self.query(need).is_granted());
        Ok(Approved::new(self.inner.clone(), needs.required().iter().chain(optional).cloned().collect()))
    }

    /// What the grants say about one need, without touching anything.
    pub fn query(&self, need: &Need) -> Verdict {
        self.inner.judge(need)
    }

    /// The guest's own way to the network, within `--wasi-net` and never to one of the `protected` endpoints.
    pub fn guest_net(&self, protected: Vec<Endpoint>) -> GuestNet {
        GuestNet::new(self.inner.clone(), protected)
    }

    /// The variables that the guest itself may see, by `--wasi-env`, as far as they are text: WASI has no others.
    pub fn guest_variables(&self) -> Vec<(String, String)> {
        let wasi = self.inner.grants.wasi();
        let granted = |name: &String| wasi.judge(&Need::Env(name.clone())).is_granted();
        self.inner.environment.texts().filter(|(name, _)| granted(name)).collect()
    }

    /// The clock for deadlines and dates.
    pub fn clock(&self) -> Clock {
        Clock
    }

    pub(crate) fn assemble(grants: Grants, environment: Environment, resolver: Resolver) -> Authority {
        let grants = grants.canonicalised(&|path| canonicalise(path)).located(&|program| {
            environment.find_program(program).and_then(|path| canonical_or(program, path))
        });
        let aliases = Aliases::default();
        let inner = Inner { grants, environment, resolver, aliases, guests_folders: Vec::new() };
        Authority { inner: Arc::new(inner) }
    }
}

impl fmt::Debug for Authority {
    /// The grants; never the environment, which holds secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("grants", &self.inner.grants).finish_non_exhaustive()
    }
}

impl Inner {
    /// As [`Grants::judge`], with the system's own links (`/var/run` → `/run`) seen through in a need's path too.
    pub(crate) fn judge(&self, need: &Need) -> Verdict {
        let verdict = self.grants.judge(need);
        let (kind, path) = match need {
            Need::Read(path) => (Kind::Read, path),
            Need::Write(path) => (Kind::Write, path),
            _ => return verdict,
        };
        // Another name of the path counts only where there are roots that could cover it and change the verdict.
        let (allow, deny) = self.grants.path_roots(kind);
        let settled = match &verdict {
            Verdict::Denied { .. } => true,
            Verdict::Granted => deny.is_empty(),
            _ => deny.is_empty() && allow.is_empty(),
        };
        let alias = if settled { None } else { self.aliases.resolve(path) };
        let alias = alias.map(|path| if kind == Kind::Read { Need::Read(path) } else { Need::Write(path) });
        let Some(alias) = alias else { return verdict };
        match (verdict, self.grants.judge(&alias)) {
            (_, denied @ Verdict::Denied { .. }) => denied,
            (Verdict::Granted, _) | (_, Verdict::Granted) => Verdict::Granted,
            (verdict, _) => verdict,
        }
    }

    /// The roots' own form of this path, where only that is covered: what [`Inner::judge`] granted through an alias.
    pub(crate) fn alias(&self, path: &Path) -> Option<PathBuf> {
        self.aliases.resolve(path)
    }

    /// The flag by which the guest could have written what is at this path; none where it could not.
    ///
    /// `--allow-write` alone, and with it `-A`, says that everything is trusted; the guest's own `--wasi-write` never says
    /// that.
    pub(crate) fn writable_by(&self, path: &Path) -> Option<&'static str> {
        let need = Need::Write(path.to_owned());
        if self.grants.wasi().judge(&need).is_granted() {
            return Kind::Write.wasi_flag();
        }
        let by_host = !self.grants.allows_everything(Kind::Write) && self.judge(&need).is_granted();
        by_host.then(|| Kind::Write.flag())
    }

    /// Whether the guest can read this real path by itself.
    pub(crate) fn is_open_to_guest(&self, real: &Path) -> bool {
        self.guests_folders.iter().any(|folder| real.starts_with(folder))
    }

    /// Why this kind of path is not granted; none where it is.
    pub(crate) fn missing(&self, kind: Kind, path: &Path) -> Option<Missing> {
        let need = match kind {
            Kind::Write => Need::Write(path.to_owned()),
            _ => Need::Read(path.to_owned()),
        };
        Missing::from_verdict(&need, self.judge(&need))
    }
}

/// A granted path is followed to where it leads; a name stays the file that `PATH` gave, since the look-up at the time of
/// starting gives that too.
fn canonical_or(program: &std::ffi::OsStr, found: PathBuf) -> Option<PathBuf> {
    if Path::new(program).is_absolute() { canonicalise(&found) } else { Some(found) }
}

/// Time, as a value that can be handed on.
#[derive(Debug, Clone, Copy)]
pub struct Clock;

impl Clock {
    /// For deadlines: monotonic, and the one that tokio's timers count by.
    pub fn now(&self) -> Instant {
        Instant::now()
    }

    /// For dates: certificates, tokens, reports.
    pub fn date(&self) -> SystemTime {
        SystemTime::now()
    }
}
