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
            _ if self.level == Level::Requests => report::line(&self.style.faint(&event.to_string())),
            _ => {}
        }
    }
}
