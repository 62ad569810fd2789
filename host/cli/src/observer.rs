//! What `--verbose` shows, and warnings.

use tidegate::transport::{Event, Observer};

use crate::flags::OutputFlags;
use crate::report::{self, Style};

/// Writes transports' events to standard error.
pub(crate) struct ToStderr {
    level: Level,
    style: Style,
}

#[derive(Clone, Copy, PartialEq)]
enum Level {
    Errors,
    Warnings,
    Requests,
}

impl ToStderr {
    pub(crate) fn new(flags: &OutputFlags) -> ToStderr {
        let level = match flags {
            OutputFlags { quiet: true, .. } => Level::Errors,
            OutputFlags { verbose: true, .. } => Level::Requests,
            _ => Level::Warnings,
        };
        ToStderr { level, style: Style::of(&std::io::stderr()) }
    }
}

impl Observer for ToStderr {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::Warning { .. } if self.level == Level::Errors => {}
            Event::Warning { text, .. } => report::warning(text),
            // It may ask for something: even --quiet must not leave its user waiting for nothing.
            Event::Plugin { .. } => report::line(&shown(event)),
            _ if self.level == Level::Requests => report::line(&self.style.faint(&shown(event))),
            _ => {}
        }
    }
}

/// `GET /api/v1/pods?limit=500 200 12 ms`, `$ kubectl get --raw …`
fn shown(event: &Event<'_>) -> String {
    match event {
        Event::Request { method, path, code, elapsed, .. } => {
            let code = code.map_or_else(|| "failed".to_owned(), |code| code.to_string());
            format!("{} {path} {code} {} ms", method.as_str(), elapsed.as_millis())
        }
        Event::Command { line, .. } => format!("$ {line}"),
        Event::Plugin { program, line, .. } => {
            format!("{}: {line}", program.rsplit('/').next().unwrap_or(program))
        }
        Event::Warning { text, .. } => (*text).to_owned(),
        _ => String::new(),
    }
}
