//! `tidegate connections show`.

use std::error::Error;
use std::process::ExitCode;
use std::time::SystemTime;

use tidegate::Described;
use tidegate::registry::{Configuration, Definition};

use super::Row;
use crate::credential;
use crate::flags::FileFlag;
use crate::report::{self, Style};

pub(super) fn run(file: &FileFlag, json: bool, name: &str) -> Result<ExitCode, ExitCode> {
    let configuration = super::configuration(file)?;
    let found = configuration.connections().find(|(own, _, _)| *own == name);
    let Some((name, definition, origin)) = found else { return Err(super::unknown(&configuration, name)) };
    let row = Row { name, definition, origin };
    let described = match definition {
        Definition::KubeConfig(file) => Some(tidegate::describe(file)),
        _ => None,
    };
    let credentials = match &described {
        Some(Ok(described)) => described.credentials.as_slice(),
        _ => &[],
    };
    let fields = fields(&configuration, &row, &described);
    if json {
        let mut object = row.json();
        if let Some(object) = object.as_object_mut() {
            object.extend(fields.into_iter().map(|(key, value)| (key.into(), value.into())));
            let credentials = credentials.iter().map(credential::json).collect();
            object.insert("credentials".into(), serde_json::Value::Array(credentials));
        }
        report::print(&object.to_string());
    } else {
        let style = Style::of(&std::io::stdout());
        let now = SystemTime::now();
        let line = |key: &str, value: &str| format!("  {:<12}{value}", format!("{key}:"));
        let mut lines = vec![style.bold(name)];
        lines.extend(fields.iter().map(|(key, value)| line(key, value)));
        lines.extend(credentials.iter().map(|report| line("credential", &credential::shown(report, now))));
        report::print(&lines.join("\n"));
    }
    Ok(ExitCode::SUCCESS)
}

/// The definition, and for a kubeconfig what it says, or why it cannot be read.
fn fields(
    configuration: &Configuration,
    row: &Row<'_>,
    described: &Option<Result<Described, Box<dyn Error + Send + Sync>>>,
) -> Vec<(&'static str, String)> {
    let from = match configuration.file() {
        Some(path) if row.origin.is_of_file() => format!("{} ({})", row.origin.as_str(), path.display()),
        _ => row.origin.as_str().to_owned(),
    };
    let mut fields = vec![("from", from)];
    match described {
        None => fields.push(("kind", row.what())),
        Some(described) => {
            let own = |key: &str| !matches!(key, "cluster" | "user" | "server");
            fields.extend(row.fields().into_iter().filter(|(key, _)| own(key)));
            match described {
                Ok(described) => {
                    let Described { server, cluster, user, namespace, .. } = described.clone();
                    fields.push(("server", server));
                    fields.extend(cluster.map(|cluster| ("cluster", cluster)));
                    fields.extend(user.map(|user| ("user", user)));
                    fields.extend(namespace.map(|namespace| ("namespace", namespace)));
                }
                Err(error) => fields.push(("problem", chain(&**error))),
            }
        }
    }
    fields.push(("grant", format!("--allow-connection={}", row.name)));
    fields
}

fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
