use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use tidegate_grants::{Flag, FlagError, GrantsBuilder};
use tidegate_kube::near;

use crate::definition::Definition;
use crate::draft::Draft;
use crate::error::ConfigError;
use crate::{config, env};

/// What a configuration is read from. Nothing here is opened: whoever calls has read it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sources<'a> {
    /// The configuration file, by its absolute path, and its bytes.
    pub file: Option<(&'a Path, &'a [u8])>,
    /// The variables whose names begin with [`PREFIX`](crate::PREFIX).
    pub variables: &'a [(OsString, OsString)],
    /// What `~` in the file stands for.
    pub home: Option<&'a Path>,
    /// What relative paths in variables are relative to.
    pub working_folder: Option<&'a Path>,
}

/// Connections and permission sets, as file and environment define them.
#[derive(Clone, Debug, Default)]
pub struct Configuration {
    connections: BTreeMap<String, (Definition, Origin)>,
    sets: BTreeMap<String, Vec<Flag>>,
    file: Option<PathBuf>,
    home: Option<PathBuf>,
}

/// Who defined a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The configuration file.
    File,
    /// `K8S_CLUSTER_CONF_…`.
    Environment,
    /// The file, with variables over it.
    FileAndEnvironment,
    /// A program that embeds tidegate, at run time.
    Code,
}

impl Origin {
    /// Whether the configuration file has a part in it.
    pub fn is_of_file(self) -> bool {
        matches!(self, Self::File | Self::FileAndEnvironment)
    }

    /// `file`, `environment`, `file+environment` or `code`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Environment => "environment",
            Self::FileAndEnvironment => "file+environment",
            Self::Code => "code",
        }
    }
}

/// No permission set has this name. Displays with the names that there are.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no permission set {name:?}; {hint}")]
pub struct UnknownSet {
    /// What was asked for.
    pub name: String,
    hint: String,
}

/// A permission set that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// There is none of that name.
    #[error(transparent)]
    Unknown(#[from] UnknownSet),
    /// One of its flags is wrong.
    #[error(transparent)]
    Flag(#[from] FlagError),
}

impl Configuration {
    /// Reads file and environment, and merges them: the environment is over the file, key by key.
    ///
    /// Errors: the first thing that is wrong, with its line or variable. See docs/connections.md for the rules.
    pub fn read(sources: &Sources<'_>) -> Result<Self, ConfigError> {
        let file = match sources.file {
            Some((path, text)) => config::parse(text, path, sources.home)?,
            None => config::File::default(),
        };
        let variables = env::drafts(sources.variables, sources.working_folder.unwrap_or(Path::new("/")))?;
        Ok(Self {
            connections: merged(file.connections, variables)?,
            sets: file.permissions,
            file: sources.file.map(|(path, _)| path.to_owned()),
            home: sources.home.map(Path::to_owned),
        })
    }

    /// The file that it was read from, if there was one.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// The connections by name.
    pub fn connections(&self) -> impl Iterator<Item = (&str, &Definition, Origin)> {
        self.connections.iter().map(|(name, (definition, origin))| (name.as_str(), definition, *origin))
    }

    /// The names of connections that somebody who wrote `name` may have meant.
    pub fn near(&self, name: &str) -> Vec<&str> {
        near::among(name, self.connections.keys().map(String::as_str))
    }

    /// The permission sets by name, with the flags of each.
    pub fn permission_sets(&self) -> impl Iterator<Item = (&str, &[Flag])> {
        self.sets.iter().map(|(name, flags)| (name.as_str(), flags.as_slice()))
    }

    /// Adds the flags of a set to others: `-P <name>`. Relative paths in it are relative to the file's folder.
    pub fn add_set(&self, name: &str, builder: &mut GrantsBuilder) -> Result<(), SetError> {
        let flags = self.sets.get(name).ok_or_else(|| UnknownSet::new(name, &self.sets))?;
        let folder = self.file().and_then(Path::parent).unwrap_or(Path::new("/"));
        builder.within(folder, self.home.as_deref(), |builder| {
            flags.iter().try_for_each(|flag| builder.add(flag).map(drop))
        })?;
        Ok(())
    }
}

impl UnknownSet {
    fn new(name: &str, sets: &BTreeMap<String, Vec<Flag>>) -> Self {
        let names = || sets.keys().map(String::as_str);
        let near = near::among(name, names());
        let hint = match (near.first(), sets.is_empty()) {
            (Some(near), _) => format!("did you mean {near}?"),
            (None, true) => "the configuration file has none; add it under permissions:".to_owned(),
            (None, false) => format!("there are {}", names().collect::<Vec<_>>().join(", ")),
        };
        Self { name: name.to_owned(), hint }
    }
}

fn merged(
    file: BTreeMap<String, Draft>,
    mut variables: BTreeMap<String, Draft>,
) -> Result<BTreeMap<String, (Definition, Origin)>, ConfigError> {
    let mut merged = BTreeMap::new();
    for (name, draft) in file {
        let (draft, origin) = match variables.remove(&name) {
            None => (draft, Origin::File),
            Some(over) => (draft.under(over), Origin::FileAndEnvironment),
        };
        merged.insert(name, (draft.definition()?, origin));
    }
    for (name, draft) in variables {
        merged.insert(name, (draft.definition()?, Origin::Environment));
    }
    Ok(merged)
}
