//! What one set of flags says, and what several of them say together.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::address::{self, AddressRefused, Refusal};
use crate::connection::ConnectionPattern;
use crate::denied::Verdict;
use crate::endpoint::{Endpoint, Host};
use crate::listen::ListenPattern;
use crate::need::{Kind, Need};
use crate::net::NetPattern;
use crate::path::Root;
use crate::program::RunPattern;
use crate::variable::EnvPattern;
use crate::written::written;

/// What the flags of one kind and side name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scope<P> {
    /// The flag's values; no flag is no value.
    Listed(Vec<P>),
    /// The flag alone.
    Everything,
}

impl<P> Default for Scope<P> {
    fn default() -> Self {
        Scope::Listed(Vec::new())
    }
}

impl<P> Scope<P> {
    pub(crate) fn listed(&self) -> &[P] {
        match self {
            Scope::Listed(patterns) => patterns,
            Scope::Everything => &[],
        }
    }

    /// Whether no flag was given.
    pub(crate) fn is_none(&self) -> bool {
        matches!(self, Scope::Listed(patterns) if patterns.is_empty())
    }

    /// Adds values; what already is everything stays so.
    pub(crate) fn add(&mut self, patterns: Vec<P>) {
        if let Scope::Listed(own) = self {
            own.extend(patterns);
        }
    }

    fn map(&self, change: impl Fn(&P) -> P) -> Self {
        match self {
            Scope::Listed(patterns) => Scope::Listed(patterns.iter().map(change).collect()),
            Scope::Everything => Scope::Everything,
        }
    }

    /// The first value that matches; `Some(None)` where the flag alone covers everything.
    fn find(&self, matches: impl Fn(&P) -> bool) -> Option<Option<&P>> {
        match self {
            Scope::Everything => Some(None),
            Scope::Listed(patterns) => patterns.iter().find(|pattern| matches(pattern)).map(Some),
        }
    }
}

/// One side, allow or deny, of a set of flags.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Rules {
    pub(crate) net: Scope<NetPattern>,
    pub(crate) read: Scope<Root>,
    pub(crate) write: Scope<Root>,
    pub(crate) env: Scope<EnvPattern>,
    pub(crate) run: Scope<RunPattern>,
    pub(crate) listen: Scope<ListenPattern>,
    pub(crate) connection: Scope<ConnectionPattern>,
}

impl Rules {
    pub(crate) fn everything() -> Self {
        Self {
            net: Scope::Everything,
            read: Scope::Everything,
            write: Scope::Everything,
            env: Scope::Everything,
            run: Scope::Everything,
            listen: Scope::Everything,
            connection: Scope::Everything,
        }
    }

    pub(crate) fn is_everything(&self, kind: Kind) -> bool {
        match kind {
            Kind::Net => self.net == Scope::Everything,
            Kind::Read => self.read == Scope::Everything,
            Kind::Write => self.write == Scope::Everything,
            Kind::Env => self.env == Scope::Everything,
            Kind::Run => self.run == Scope::Everything,
            Kind::Listen => self.listen == Scope::Everything,
            Kind::Connection => self.connection == Scope::Everything,
        }
    }

    /// The roots of [`Kind::Read`] or [`Kind::Write`]; other kinds have none.
    pub(crate) fn roots(&self, kind: Kind) -> &Scope<Root> {
        const NONE: &Scope<Root> = &Scope::Listed(Vec::new());
        match kind {
            Kind::Read => &self.read,
            Kind::Write => &self.write,
            Kind::Net | Kind::Env | Kind::Run | Kind::Listen | Kind::Connection => NONE,
        }
    }

    fn allows(&self, need: &Need) -> bool {
        match need {
            Need::Net(endpoint) => self.net.find(|pattern| pattern.matches(endpoint)).is_some(),
            Need::Read(path) => self.read.find(|root| root.covers(path)).is_some(),
            Need::Write(path) => self.write.find(|root| root.covers(path)).is_some(),
            Need::Env(name) => self.env.find(|pattern| pattern.matches(name)).is_some(),
            Need::Run(program) => self.run.find(|pattern| pattern.allows(program)).is_some(),
            Need::Listen(address) => self.listen.find(|pattern| pattern.matches(*address)).is_some(),
            Need::Connection(name) => self.connection.find(|pattern| pattern.matches(name)).is_some(),
        }
    }

    /// The deny flag, ready for a shell, that covers this need.
    fn denies(&self, need: &Need) -> Option<String> {
        let flag = need.kind().deny_flag();
        match need {
            Need::Net(endpoint) => match endpoint.host() {
                Host::Name(name) => {
                    written(flag, self.net.find(|net| net.matches_name(name, endpoint.port())))
                }
                Host::Address(address) => self.denies_address(SocketAddr::new(*address, endpoint.port())),
            },
            Need::Read(path) => written(flag, self.read.find(|root| root.covers(path))),
            Need::Write(path) => written(flag, self.write.find(|root| root.covers(path))),
            Need::Env(name) => written(flag, self.env.find(|pattern| pattern.matches(name))),
            Need::Run(program) => written(flag, self.run.find(|pattern| pattern.denies(program))),
            Need::Listen(address) => written(flag, self.listen.find(|pattern| pattern.reaches(*address))),
            Need::Connection(name) => written(flag, self.connection.find(|pattern| pattern.matches(name))),
        }
    }

    /// As [`Rules::denies`], for an address in each form that it could be reached by.
    fn denies_address(&self, address: SocketAddr) -> Option<String> {
        let port = address.port();
        let hit =
            self.net.find(|net| address::forms(address.ip()).any(|form| net.matches_address(form, port)));
        written(Kind::Net.deny_flag(), hit)
    }

    fn allows_address(&self, address: SocketAddr) -> bool {
        self.net.find(|pattern| pattern.matches_address(address.ip(), address.port())).is_some()
    }
}

/// The flags of one source: what it allows, and what it denies whatever is allowed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Layer {
    pub(crate) allow: Rules,
    pub(crate) deny: Rules,
}

/// Layers that must all agree: the first is the command line's, each further one narrows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layers(pub(crate) Vec<Layer>);

impl Layers {
    pub(crate) fn judge(&self, need: &Need) -> Verdict {
        if let Some(by) = self.0.iter().find_map(|layer| layer.deny.denies(need)) {
            return Verdict::Denied { by };
        }
        granted_if(self.0.iter().all(|layer| layer.allow.allows(need)))
    }

    pub(crate) fn judge_all(&self, kind: Kind) -> Verdict {
        let denied = self.0.iter().find_map(|layer| match kind {
            Kind::Net => written(kind.deny_flag(), layer.deny.net.find(|_| true)),
            Kind::Read => written(kind.deny_flag(), layer.deny.read.find(|_| true)),
            Kind::Write => written(kind.deny_flag(), layer.deny.write.find(|_| true)),
            Kind::Env => written(kind.deny_flag(), layer.deny.env.find(|_| true)),
            Kind::Run => written(kind.deny_flag(), layer.deny.run.find(|_| true)),
            Kind::Listen => written(kind.deny_flag(), layer.deny.listen.find(|_| true)),
            Kind::Connection => written(kind.deny_flag(), layer.deny.connection.find(|_| true)),
        });
        match denied {
            Some(by) => Verdict::Denied { by },
            None => granted_if(self.allows_everything(kind)),
        }
    }

    pub(crate) fn allows_everything(&self, kind: Kind) -> bool {
        self.0.iter().all(|layer| layer.allow.is_everything(kind))
    }

    /// Judges the real path of a file that is open.
    pub(crate) fn judge_real(&self, kind: Kind, real: &Path) -> Verdict {
        let denied = self.0.iter().find_map(|layer| {
            written(
                kind.deny_flag(),
                layer.deny.roots(kind).find(|root| root.covers(real) || root.covers_real(real)),
            )
        });
        match denied {
            Some(by) => Verdict::Denied { by },
            None => granted_if(
                self.0
                    .iter()
                    .all(|layer| layer.allow.roots(kind).find(|root| root.covers_real(real)).is_some()),
            ),
        }
    }

    /// Judges the file that would be started for `program`; `canonical` is where `found` leads.
    pub(crate) fn judge_program(&self, program: &str, found: &Path, canonical: &Path) -> Verdict {
        let texts = [program, &found.to_string_lossy(), &canonical.to_string_lossy()].map(str::to_owned);
        let denied = texts
            .into_iter()
            .find_map(|text| self.0.iter().find_map(|layer| layer.deny.denies(&Need::Run(text.clone()))));
        if let Some(by) = denied {
            return Verdict::Denied { by };
        }
        granted_if(self.0.iter().all(|layer| {
            let allowed = layer.allow.run.find(|pattern| match pattern.path() {
                Some(path) => path == found,
                None => pattern.allows(program),
            });
            allowed.is_some()
        }))
    }

    /// The file to start for a bare name that only grants by path cover: that path.
    pub(crate) fn program_by_path(&self, program: &str) -> Option<&Path> {
        let deciding = self.0.iter().find(|layer| match &layer.allow.run {
            Scope::Everything => false,
            Scope::Listed(patterns) => !patterns.iter().any(|pattern| pattern.name() == Some(program)),
        })?;
        let mut paths = deciding.allow.run.listed().iter().filter_map(RunPattern::path);
        paths.find(|path| path.file_name() == Some(OsStr::new(program)))
    }

    pub(crate) fn admits_address(
        &self,
        endpoint: &Endpoint,
        address: SocketAddr,
    ) -> Result<(), AddressRefused> {
        // The port that counts is the one that was asked for, whatever a resolver put beside the address.
        let address = SocketAddr::new(address.ip().to_canonical(), endpoint.port());
        let refuse = |refusal| Err(AddressRefused::new(endpoint, address.ip(), refusal));
        let need = Need::Net(endpoint.clone());
        for layer in &self.0 {
            if let Some(by) = layer.deny.denies(&need).or_else(|| layer.deny.denies_address(address)) {
                return refuse(Refusal::Denied(by));
            }
        }
        for layer in &self.0 {
            let by_address = layer.allow.allows_address(address);
            let by_endpoint = match endpoint.host() {
                Host::Name(_) => layer.allow.allows(&need),
                // An address is dialled as it is: another one in its place was granted by nobody.
                Host::Address(own) => *own == address.ip() && by_address,
            };
            if !by_endpoint {
                return refuse(Refusal::NotGranted);
            }
            if !by_address && let Err(refusal) = address::covered_by_name(endpoint, address) {
                return refuse(refusal);
            }
        }
        Ok(())
    }

    /// Whether each layer grants the host for some port, and none denies it for all.
    pub(crate) fn admits_host(&self, host: &Host) -> bool {
        self.0.iter().all(|layer| {
            let allowed = layer.allow.net.find(|pattern| pattern.matches_host(host)).is_some();
            let denied = layer
                .deny
                .net
                .find(|pattern| pattern.is_every_port() && pattern.matches_host(host))
                .is_some();
            allowed && !denied
        })
    }

    pub(crate) fn canonicalised(&self, canonicalise: &dyn Fn(&Path) -> Option<PathBuf>) -> Self {
        let rules = |rules: &Rules| Rules {
            read: rules.read.map(|root| root.canonicalised(canonicalise)),
            write: rules.write.map(|root| root.canonicalised(canonicalise)),
            ..rules.clone()
        };
        Self(
            self.0
                .iter()
                .map(|layer| Layer { allow: rules(&layer.allow), deny: rules(&layer.deny) })
                .collect(),
        )
    }

    pub(crate) fn located(&self, find: &dyn Fn(&OsStr) -> Option<PathBuf>) -> Self {
        let rules =
            |rules: &Rules| Rules { run: rules.run.map(|pattern| pattern.located(find)), ..rules.clone() };
        Self(
            self.0
                .iter()
                .map(|layer| Layer { allow: rules(&layer.allow), deny: rules(&layer.deny) })
                .collect(),
        )
    }

    pub(crate) fn and(&self, other: &Self) -> Self {
        Self(self.0.iter().chain(&other.0).cloned().collect())
    }

    /// The same denials, and for what a registered connection needs everything else. What may be written stays as it is: a
    /// credential that the guest could have written is refused.
    pub(crate) fn for_connections(&self) -> Self {
        // The flag alone says that everything is trusted: as if there were none.
        let trusts = self.allows_everything(Kind::Write);
        let allow = |layer: &Layer| Rules {
            write: if trusts { Scope::default() } else { layer.allow.write.clone() },
            listen: Scope::default(),
            connection: Scope::default(),
            ..Rules::everything()
        };
        Self(self.0.iter().map(|layer| Layer { allow: allow(layer), deny: layer.deny.clone() }).collect())
    }

    /// The roots that every layer allows: of two that contain one another, the inner one.
    pub(crate) fn allowed_roots(&self, kind: Kind) -> Vec<Root> {
        let common =
            self.0.iter().fold(Scope::Everything, |common, layer| intersect(common, layer.allow.roots(kind)));
        common.listed().to_vec()
    }

    pub(crate) fn denied_roots(&self, kind: Kind) -> Vec<Root> {
        self.0.iter().flat_map(|layer| layer.deny.roots(kind).listed()).cloned().collect()
    }
}

fn intersect(left: Scope<Root>, right: &Scope<Root>) -> Scope<Root> {
    let (Scope::Listed(lefts), Scope::Listed(rights)) = (&left, right) else {
        return if left == Scope::Everything { right.clone() } else { left };
    };
    let inner = |left: &Root, right: &Root| {
        if left.covers(right.given()) || left.covers(right.real()) {
            return Some(right.clone());
        }
        (right.covers(left.given()) || right.covers(left.real())).then(|| left.clone())
    };
    let pairs = lefts.iter().flat_map(|left| rights.iter().map(move |right| (left, right)));
    Scope::Listed(pairs.filter_map(|(left, right)| inner(left, right)).collect())
}

fn granted_if(granted: bool) -> Verdict {
    if granted { Verdict::Granted } else { Verdict::Missing }
}
