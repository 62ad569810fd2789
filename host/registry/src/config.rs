//! `tidegate.yaml`: connections and permission sets. Pure: bytes in, values out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tidegate_grants::{Flag, Grants, connection_name};
use tidegate_kube::kubeconfig::Server;
use tidegate_kube::near;
use tidegate_kube::yaml::{self, Entry as Field, Node, Value};
use tidegate_transport::check_proxy_url;

use crate::definition::{Entry, Overrides};
use crate::draft::{Account, At, Draft};
use crate::error::{ConfigError, Place};

/// The file as it reads.
#[derive(Debug, Default)]
pub(crate) struct File {
    pub(crate) connections: BTreeMap<String, Draft>,
    pub(crate) permissions: BTreeMap<String, Vec<Flag>>,
}

/// Reads the file. `path` is absolute: relative paths in it are relative to its folder, and `home` is what `~` stands for.
pub(crate) fn parse(text: &[u8], path: &Path, home: Option<&Path>) -> Result<File, ConfigError> {
    let reader = Reader { path, home, folder: path.parent().unwrap_or(Path::new("/")) };
    let root = yaml::read(text).map_err(|error| reader.error(error.line(), error.problem()))?;
    let mut file = File::default();
    for field in reader.fields("the file", root, &["connections", "permissions"])? {
        match field.key.as_str() {
            "connections" => file.connections = reader.connections(field.node)?,
            _ => file.permissions = reader.permissions(field.node)?,
        }
    }
    Ok(file)
}

struct Reader<'a> {
    path: &'a Path,
    folder: &'a Path,
    home: Option<&'a Path>,
}

impl Reader<'_> {
    fn connections(&self, node: Node) -> Result<BTreeMap<String, Draft>, ConfigError> {
        let mut drafts = BTreeMap::new();
        for Field { key, line, node } in self.map("connections", node)? {
            connection_name(&key).map_err(|invalid| self.error(line, invalid.to_string()))?;
            drafts.insert(key, self.connection(node)?);
        }
        Ok(drafts)
    }

    fn connection(&self, node: Node) -> Result<Draft, ConfigError> {
        let mut draft = Draft::default();
        for Field { key, line, node } in self.fields("a connection", node, &["conn", "conn_opts", "sa"])? {
            let place = self.place(line);
            match key.as_str() {
                "conn" => draft.path = Some(At { value: self.file_path("conn", node)?, place }),
                "conn_opts" => {
                    let (entry, overrides) = self.options(node)?;
                    draft.entry = entry.map(|value| At { value, place: place.clone() });
                    draft.overrides = overrides.map(|value| At { value, place });
                }
                _ => draft.account = Some(At { value: self.account(node)?, place }),
            }
        }
        Ok(draft)
    }

    fn account(&self, node: Node) -> Result<Account, ConfigError> {
        match node.value {
            Value::Bool(true) => Ok(Account::Yes(None)),
            Value::Bool(false) => Ok(Account::No),
            Value::Text(_) => Ok(Account::Yes(Some(self.file_path("sa", node)?))),
            other => {
                let found = other.kind();
                Err(self.error(node.line, format!("sa is true, false or a folder's path, not {found}")))
            }
        }
    }

    /// What of a kubeconfig, and what goes before what it says; None where nothing is chosen.
    fn options(&self, node: Node) -> Result<(Option<Entry>, Option<Overrides>), ConfigError> {
        let line = node.line;
        let (mut context, mut cluster, mut user) = (None, None, None);
        let mut overrides = Overrides::default();
        for field in self.fields("conn_opts", node, &["context", "cluster", "user", "server", "proxy_url"])? {
            let (line, value) = (field.node.line, self.text(&field.key, field.node)?);
            match field.key.as_str() {
                "context" => context = Some(value),
                "cluster" => cluster = Some(value),
                "user" => user = Some(value),
                "server" => {
                    value.parse::<Server>().map_err(|error| self.error(line, format!("server: {error}")))?;
                    overrides.server = Some(value.into());
                }
                _ => {
                    check_proxy_url(&value)
                        .map_err(|error| self.error(line, format!("proxy_url: {}", error.report())))?;
                    overrides.proxy = Some(value.into());
                }
            }
        }
        let overrides = Some(overrides).filter(|overrides| *overrides != Overrides::default());
        Ok((self.entry(line, context, cluster, user)?, overrides))
    }

    fn entry(
        &self,
        line: usize,
        context: Option<String>,
        cluster: Option<String>,
        user: Option<String>,
    ) -> Result<Option<Entry>, ConfigError> {
        let bad = |problem: &str| Err(self.error(line, problem));
        match (context, cluster, user) {
            (None, None, None) => Ok(None),
            (Some(context), None, None) => Ok(Some(Entry::Context(context))),
            (None, Some(cluster), Some(user)) => Ok(Some(Entry::Pair { cluster, user })),
            (Some(_), _, _) => bad("conn_opts takes a context, or a user and a cluster, not both"),
            (None, Some(_), None) => bad("conn_opts has a cluster and no user; add one, or name a context"),
            (None, None, Some(_)) => bad("conn_opts has a user and no cluster; add one, or name a context"),
        }
    }

    fn permissions(&self, node: Node) -> Result<BTreeMap<String, Vec<Flag>>, ConfigError> {
        let mut sets = BTreeMap::new();
        for Field { key, line, node } in self.map("permissions", node)? {
            if key.is_empty()
                || key.starts_with('-')
                || key.chars().any(|c| c.is_whitespace() || c.is_control())
            {
                let problem =
                    "the name of a permission set is empty, begins with - or holds a space; choose another";
                return Err(self.error(line, problem));
            }
            sets.insert(key, self.flags(node)?);
        }
        Ok(sets)
    }

    fn flags(&self, node: Node) -> Result<Vec<Flag>, ConfigError> {
        let items = match node.value {
            Value::List(items) => items,
            Value::Null => Vec::new(),
            other => {
                let found = other.kind();
                let problem = format!("a permission set is a list of flags, one an item, not {found}");
                return Err(self.error(node.line, problem));
            }
        };
        let mut judge = Grants::builder();
        items
            .into_iter()
            .map(|node| {
                let line = node.line;
                let flag = Flag::parse(&self.text("a permission flag", node)?);
                let flag = flag.map_err(|invalid| self.error(line, invalid.to_string()))?;
                // Said now, with the line, and not when the set is used.
                let home = self.home.unwrap_or(Path::new("/"));
                let fits = judge.within(self.folder, Some(home), |judge| judge.add(&flag).map(drop));
                fits.map_err(|error| {
                    let problem = format!("{} has a wrong value; {}", error.flag(), error.invalid().cure());
                    self.error(line, problem)
                })?;
                Ok(flag)
            })
            .collect()
    }

    /// The fields of a map, each one of `known`.
    fn fields(&self, what: &str, node: Node, known: &[&str]) -> Result<Vec<Field>, ConfigError> {
        let fields = self.map(what, node)?;
        match fields.iter().find(|field| !known.contains(&field.key.as_str())) {
            None => Ok(fields),
            Some(Field { key, line, .. }) => {
                let shown = tidegate_kube::text::for_people(key, 40);
                let cure = match near::among(key, known.iter().copied()).first() {
                    Some(near) => format!("did you mean {near}?"),
                    None => format!("it takes {}", known.join(", ")),
                };
                Err(self.error(*line, format!("{what} has no field {shown:?}; {cure}")))
            }
        }
    }

    /// A map; nothing is an empty one.
    fn map(&self, what: &str, node: Node) -> Result<Vec<Field>, ConfigError> {
        match node.value {
            Value::Map(fields) => Ok(fields),
            Value::Null => Ok(Vec::new()),
            other => {
                let found = other.kind();
                Err(self.error(node.line, format!("{what} is a map of fields, not {found}")))
            }
        }
    }

    fn text(&self, what: &str, node: Node) -> Result<String, ConfigError> {
        match node.value {
            Value::Text(text) if text.is_empty() => Err(self.error(node.line, format!("{what} is empty"))),
            Value::Text(mut text) => Ok(std::mem::take(&mut *text)),
            other => {
                let (found, cure) = (other.kind(), "; put it in quotes");
                let cure = if matches!(other, Value::Bool(_) | Value::Number) { cure } else { "" };
                Err(self.error(node.line, format!("{what} is text, not {found}{cure}")))
            }
        }
    }

    /// A path, made absolute.
    fn file_path(&self, what: &str, node: Node) -> Result<PathBuf, ConfigError> {
        let line = node.line;
        let text = self.text(what, node)?;
        if text.contains('\0') {
            return Err(self.error(line, format!("{what} holds a zero byte")));
        }
        let Some(rest) = text.strip_prefix('~') else { return Ok(self.folder.join(text)) };
        let rest = match rest.strip_prefix('/') {
            Some(rest) => rest,
            None if rest.is_empty() => "",
            None => {
                let problem = format!(
                    "{what} begins with another user's ~; write the path out, or ./~… for a file of that name"
                );
                return Err(self.error(line, problem));
            }
        };
        match self.home {
            Some(home) => Ok(home.join(rest)),
            None => Err(self.error(line, format!("{what} begins with ~, and HOME is no absolute path"))),
        }
    }

    fn place(&self, line: usize) -> Place {
        Place::Line { path: self.path.to_owned(), line }
    }

    fn error(&self, line: usize, problem: impl Into<String>) -> ConfigError {
        ConfigError::new(self.place(line), problem)
    }
}
