//! `tidegate connections show`.

use std::process::ExitCode;

use tidegate::registry::{Configuration, Definition};

use super::Row;
use crate::flags::FileFlag;
use crate::report::{self, Style};

pub(super) fn run(file: &FileFlag, json: bool, name: &str) -> Result<ExitCode, ExitCode> {
    let configuration = super::configuration(file)?;
    let found = configuration.connections().find(|(own, _, _)| *own == name);
    let Some((name, definition, origin)) = found else { return Err(super::unknown(&configuration, name)) };
    let row = Row { name, definition, origin };
    let fields = fields(&configuration, &row);
    if json {
        let mut object = row.json();
        if let Some(object) = object.as_object_mut() {
            object.extend(fields.into_iter().map(|(key, value)| (key.into(), value.into())));
        }
        report::print(&object.to_string());
    } else {
        let style = Style::of(&std::io::stdout());
        let mut lines = vec![style.bold(name)];
        lines.extend(fields.iter().map(|(key, value)| format!("  {:<12}{value}", format!("{key}:"))));
        report::print(&lines.join("\n"));
    }
    Ok(ExitCode::SUCCESS)
}

/// The definition, and for a kubeconfig what it says, or why it cannot be read.
fn fields(configuration: &Configuration, row: &Row<'_>) -> Vec<(&'static str, String)> {
    let from = match configuration.file() {
        Some(path) if row.origin.is_of_file() => format!("{} ({})", row.origin.as_str(), path.display()),
        _ => row.origin.as_str().to_owned(),
    };
    let mut fields = vec![("from", from)];
    match row.definition {
        Definition::KubeConfig(file) => {
            fields.extend(row.fields().into_iter().filter(|(key, _)| !matches!(*key, "cluster" | "user")));
            match tidegate::describe(file) {
                Ok(described) => {
                    fields.push(("server", described.server));
                    fields.extend(described.cluster.map(|cluster| ("cluster", cluster)));
                    fields.extend(described.user.map(|user| ("user", user)));
                    fields.extend(described.namespace.map(|namespace| ("namespace", namespace)));
                    fields.push(("credential", described.credential));
                }
                Err(error) => fields.push(("problem", chain(&*error))),
            }
        }
        _ => fields.push(("kind", row.what())),
    }
    fields.push(("grant", format!("--allow-connection={}", row.name)));
    fields
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
