//! `tidegate connections`.

mod show;
mod test;

use std::process::ExitCode;

use tidegate::registry::{Configuration, Definition, Entry, Origin, Overrides};
use tidegate::transport::proxy_endpoint;

use crate::flags::{ConnectionsCommand, ConnectionsFlags, FileFlag};
use crate::report::{self, Style};
use crate::{COULD_NOT_START, USAGE};

pub(crate) fn run(flags: ConnectionsFlags) -> ExitCode {
    let done = match flags.command {
        ConnectionsCommand::List { file, json } => list(&file, json),
        ConnectionsCommand::Show { file, json, name } => show::run(&file, json, &name),
        ConnectionsCommand::Test { file, json, probe_deadline, names } => {
            test::run(&file, json, probe_deadline, &names)
        }
    };
    done.unwrap_or_else(|code| code)
}

/// What was configured; a failure has been told.
fn configuration(file: &FileFlag) -> Result<Configuration, ExitCode> {
    file.configuration().map_err(|error| {
        report::error(&error, None);
        ExitCode::from(COULD_NOT_START)
    })
}

/// No connection has this name: told, with those that were perhaps meant.
fn unknown(configuration: &Configuration, name: &str) -> ExitCode {
    report::line(&format!(
        "{} {}",
        Style::of(&std::io::stderr()).red("error:"),
        no_connection(configuration, name)
    ));
    ExitCode::from(USAGE)
}

/// `there is no connection "pord"; did you mean prod?`
pub(crate) fn no_connection(configuration: &Configuration, name: &str) -> String {
    let hint = match configuration.near(name).as_slice() {
        [] => "`tidegate connections list` shows those that there are".to_owned(),
        near => format!("did you mean {}?", near.join(" or ")),
    };
    format!("there is no connection {name:?}; {hint}")
}

fn list(file: &FileFlag, json: bool) -> Result<ExitCode, ExitCode> {
    let configuration = configuration(file)?;
    let all: Vec<Row<'_>> = configuration
        .connections()
        .map(|(name, definition, origin)| Row { name, definition, origin })
        .collect();
    match (json, all.is_empty()) {
        (true, _) => {
            report::print(&serde_json::Value::Array(all.iter().map(Row::json).collect()).to_string());
        }
        (false, true) => report::line(
            "there are no connections; define some in tidegate.yaml or by K8S_CLUSTER_CONF_* (docs/connections.md)",
        ),
        (false, false) => report::print(&table(Style::of(&std::io::stdout()), &all)),
    }
    Ok(ExitCode::SUCCESS)
}

struct Row<'a> {
    name: &'a str,
    definition: &'a Definition,
    origin: Origin,
}

impl Row<'_> {
    /// What it is made from, in words.
    fn what(&self) -> String {
        let fields = self.fields();
        let words = fields.iter().map(|(key, value)| match *key {
            "kubeconfig" | "folder" => value.clone(),
            key => format!("{key} {value}"),
        });
        let words: Vec<String> = words.collect();
        match (self.definition, words.is_empty()) {
            (Definition::ServiceAccount(_), true) => "service account of the pod".to_owned(),
            (Definition::ServiceAccount(_), false) => format!("service account {}", words.join(", ")),
            _ => words.join(", "),
        }
    }

    /// What the definition says, in the order in which people read it.
    fn fields(&self) -> Vec<(&'static str, String)> {
        let mut fields = Vec::new();
        match self.definition {
            Definition::KubeConfig(file) => {
                fields.push(("kubeconfig", file.path.display().to_string()));
                match &file.entry {
                    Entry::Current => {}
                    Entry::Context(context) => fields.push(("context", context.clone())),
                    Entry::Pair { cluster, user } => {
                        fields.extend([("cluster", cluster.clone()), ("user", user.clone())]);
                    }
                }
                let Overrides { server, proxy } = &file.overrides;
                fields.extend(server.as_ref().map(|server| ("server", server.to_string())));
                // Of a URL that may hold a password, where it leads.
                let proxy = proxy.as_deref().and_then(proxy_endpoint);
                fields.extend(proxy.map(|proxy| ("proxy", proxy.to_string())));
            }
            Definition::ServiceAccount(account) => {
                fields.extend(account.folder.as_ref().map(|folder| ("folder", folder.display().to_string())));
                fields.extend(account.address.clone().map(|address| ("address", address)));
            }
            // Of code alone: no configuration has one.
            Definition::Direct(_) => {}
        }
        fields
    }

    fn json(&self) -> serde_json::Value {
        let mut object = serde_json::Map::new();
        object.insert("name".into(), self.name.into());
        object.insert("from".into(), self.origin.as_str().into());
        object.insert("kind".into(), self.definition.kind().into());
        object.extend(self.fields().into_iter().map(|(key, value)| (key.into(), value.into())));
        object.into()
    }
}

/// A headline and a line for each.
fn table(style: Style, rows: &[Row<'_>]) -> String {
    let width = |texts: &mut dyn Iterator<Item = usize>, least: usize| texts.fold(least, usize::max);
    let names = width(&mut rows.iter().map(|row| row.name.chars().count()), "NAME".len());
    let origins = width(&mut rows.iter().map(|row| row.origin.as_str().len()), "FROM".len());
    let mut lines = vec![style.bold(&format!("{:<names$}  {:<origins$}  WHAT", "NAME", "FROM"))];
    for row in rows {
        lines.push(format!("{:<names$}  {:<origins$}  {}", row.name, row.origin.as_str(), row.what()));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use tidegate::registry::{Definition, Entry, KubeConfig, Origin, ServiceAccount};

    use super::{Row, table};
    use crate::report::Style;

    #[test]
    fn a_table() {
        let pair = KubeConfig::new("/k", Entry::Pair { cluster: "eu".into(), user: "me".into() });
        let folder = ServiceAccount { folder: Some("/run/sa".into()), address: None };
        let rows = [
            ("dev", Definition::service_account(), Origin::Environment),
            ("in-another-place", Definition::ServiceAccount(folder), Origin::File),
            ("pair", Definition::KubeConfig(pair), Origin::File),
            ("prod", Definition::context("/home/me/.kube/config", "prod"), Origin::FileAndEnvironment),
        ];
        let rows: Vec<Row<'_>> =
            rows.iter().map(|(name, definition, origin)| Row { name, definition, origin: *origin }).collect();
        expect![[r#"
            NAME              FROM              WHAT
            dev               environment       service account of the pod
            in-another-place  file              service account /run/sa
            pair              file              /k, cluster eu, user me
            prod              file+environment  /home/me/.kube/config, context prod"#]]
        .assert_eq(&table(Style::Plain, &rows));
        expect![[r#"{"context":"prod","from":"file+environment","kind":"kubeconfig","kubeconfig":"/home/me/.kube/config","name":"prod"}"#]]
            .assert_eq(&rows[3].json().to_string());
    }
}
