//! From flags to grants.

use std::path::{Path, PathBuf};

use crate::connection::ConnectionPattern;
use crate::error::{FlagError, Invalid};
use crate::flag::{Family, Flag};
use crate::grants::Grants;
use crate::limits::{LimitKind, Limits};
use crate::listen::ListenPattern;
use crate::need::Kind;
use crate::net::NetPattern;
use crate::path::Root;
use crate::program::RunPattern;
use crate::quote;
use crate::rules::{Layer, Rules, Scope};
use crate::variable::EnvPattern;

/// Takes the permission flags one by one, in any order but for [`GrantsBuilder::working_folder`], and parses each at once.
///
/// A list is what stands after the flag's `=`: values joined by commas, a comma inside a value doubled; none for the flag
/// alone, which means everything of that kind. Flags add up, and a denial wins over every allowance; of limits, the last counts.
///
/// Errors are [`FlagError`]s that name the flag, the value, what is wrong and the cure; an empty list or value is one.
#[derive(Debug, Clone, Default)]
pub struct GrantsBuilder {
    places: Places,
    allow: Rules,
    wasi: Rules,
    deny: Rules,
    limits: Limits,
}

/// What relative paths, and those that begin with `~`, begin at.
#[derive(Debug, Clone, Default)]
struct Places {
    working_folder: Option<PathBuf>,
    home: Option<PathBuf>,
}

impl GrantsBuilder {
    /// The absolute folder that relative paths of later flags start from. Without it a relative path is an error.
    pub fn working_folder(&mut self, folder: impl Into<PathBuf>) -> &mut Self {
        self.places.working_folder = Some(folder.into());
        self
    }

    /// Adds flags of a file: relative paths in them are relative to `folder`, and `~` at the start of a path is `home`. On a command
    /// line the shell has put that in, and `~` is a character like others.
    pub fn within<E>(
        &mut self,
        folder: &Path,
        home: Option<&Path>,
        add: impl FnOnce(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        let places = Places { working_folder: Some(folder.to_owned()), home: home.map(Path::to_owned) };
        let before = std::mem::replace(&mut self.places, places);
        let added = add(self);
        self.places = before;
        added
    }

    /// A flag as text has it.
    pub fn add(&mut self, flag: &Flag) -> Result<&mut Self, FlagError> {
        match flag {
            Flag::AllowAll => Ok(self.allow_all()),
            Flag::Limit { kind, value } => self.limit(*kind, value),
            Flag::Rule { family: Family::Allow, kind, list } => self.allow(*kind, list.as_deref()),
            Flag::Rule { family: Family::Deny, kind, list } => self.deny(*kind, list.as_deref()),
            Flag::Rule { family: Family::Wasi, kind, list } => self.wasi(*kind, list.as_deref()),
        }
    }

    /// `--allow-<kind>[=list]`.
    pub fn allow(&mut self, kind: Kind, list: Option<&str>) -> Result<&mut Self, FlagError> {
        add(&mut self.allow, kind, kind.flag(), list, &self.places)?;
        Ok(self)
    }

    /// `--deny-<kind>[=list]`. Bounds the `--wasi-…` flags too.
    pub fn deny(&mut self, kind: Kind, list: Option<&str>) -> Result<&mut Self, FlagError> {
        add(&mut self.deny, kind, kind.deny_flag(), list, &self.places)?;
        Ok(self)
    }

    /// `--wasi-<kind>[=list]`: what the guest may do by itself. Errors besides: [`Kind::Run`], [`Kind::Listen`] and [`Kind::Connection`],
    /// which are no flags of WASI's.
    pub fn wasi(&mut self, kind: Kind, list: Option<&str>) -> Result<&mut Self, FlagError> {
        let Some(flag) = kind.wasi_flag() else {
            let invalid = Invalid::new(
                format!("WASI has nothing of the kind {kind}"),
                format!("use {} for what the host may do", kind.flag()),
            );
            return Err(FlagError::new(format!("--wasi-{kind}"), list.unwrap_or_default(), invalid));
        };
        add(&mut self.wasi, kind, flag, list, &self.places)?;
        Ok(self)
    }

    /// `-A`: every `--allow-…` flag alone. The guest's own reach (`--wasi-…`) is no part of it, and denials still win.
    pub fn allow_all(&mut self) -> &mut Self {
        self.allow = Rules::everything();
        self
    }

    /// `--limit-<kind>=value`: what the guest may use up. Of several of one kind the last counts, and `none` takes the limit away.
    pub fn limit(&mut self, kind: LimitKind, value: &str) -> Result<&mut Self, FlagError> {
        self.limits.set(kind, kind.parse(value)?);
        Ok(self)
    }

    /// The limits of the flags so far.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// The grants of the flags so far.
    pub fn build(&self) -> Grants {
        let layer = |allow: &Rules| Layer { allow: allow.clone(), deny: self.deny.clone() };
        Grants::from_layer(layer(&self.allow), layer(&self.wasi))
    }
}

impl Places {
    fn root(&self, text: &str) -> Result<Root, Invalid> {
        let folder = self.working_folder.as_deref();
        let beneath_home = |home: &Path| {
            let rest = text.strip_prefix('~')?;
            let rest = if rest.is_empty() { "" } else { rest.strip_prefix('/')? };
            Some(home.join(rest).into_os_string().into_string())
        };
        match self.home.as_deref().and_then(beneath_home) {
            None => Root::parse(text, folder),
            Some(Ok(path)) => Root::parse(&path, folder),
            Some(Err(_)) => Err(Invalid::new("the home folder's path is not UTF-8", "write the path out")),
        }
    }
}

fn add(
    rules: &mut Rules,
    kind: Kind,
    flag: &'static str,
    list: Option<&str>,
    places: &Places,
) -> Result<(), FlagError> {
    match kind {
        Kind::Net => extend(&mut rules.net, flag, list, NetPattern::parse),
        Kind::Read => extend(&mut rules.read, flag, list, |text| places.root(text)),
        Kind::Write => extend(&mut rules.write, flag, list, |text| places.root(text)),
        Kind::Env => extend(&mut rules.env, flag, list, EnvPattern::parse),
        Kind::Run => extend(&mut rules.run, flag, list, RunPattern::parse),
        Kind::Listen => extend(&mut rules.listen, flag, list, ListenPattern::parse),
        Kind::Connection => extend(&mut rules.connection, flag, list, ConnectionPattern::parse),
    }
}

/// Adds a whole flag or, where one of its values is bad, nothing.
fn extend<P>(
    scope: &mut Scope<P>,
    flag: &'static str,
    list: Option<&str>,
    parse: impl Fn(&str) -> Result<P, Invalid>,
) -> Result<(), FlagError> {
    let Some(list) = list else {
        *scope = Scope::Everything;
        return Ok(());
    };
    let parse_one = |value: String| match value.is_empty() {
        true => Err(FlagError::new(
            flag,
            list,
            Invalid::new(
                "a value is empty",
                format!("leave it out; {flag} alone, without =, means everything"),
            ),
        )),
        false => parse(&value).map_err(|invalid| FlagError::new(flag, &value, invalid)),
    };
    let patterns =
        quote::split_list(list).into_iter().map(parse_one).collect::<Result<Vec<P>, FlagError>>()?;
    scope.add(patterns);
    Ok(())
}
