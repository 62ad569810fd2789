//! What a person reads on standard error, and its colours.

use std::error::Error;
use std::fmt::Write as _;
use std::io::{IsTerminal, Write};

/// Colours, on a terminal and unless `NO_COLOR` is set (<https://no-color.org>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Plain,
    Colour,
}

impl Style {
    pub(crate) fn of(stream: &impl IsTerminal) -> Style {
        let refused = || tidegate::environment("NO_COLOR").is_some_and(|value| !value.is_empty());
        if stream.is_terminal() && !refused() { Style::Colour } else { Style::Plain }
    }

    fn paint(self, code: &str, text: &str) -> String {
        match self {
            Style::Plain => text.to_owned(),
            Style::Colour => format!("\x1b[{code}m{text}\x1b[0m"),
        }
    }

    pub(crate) fn red(self, text: &str) -> String {
        self.paint("1;31", text)
    }

    pub(crate) fn yellow(self, text: &str) -> String {
        self.paint("1;33", text)
    }

    pub(crate) fn green(self, text: &str) -> String {
        self.paint("1;32", text)
    }

    pub(crate) fn faint(self, text: &str) -> String {
        self.paint("2", text)
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }
}

/// Writes a line to standard error; a reader who has left is no error.
pub(crate) fn line(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Writes lines to standard output; a reader who has left is no error.
pub(crate) fn print(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// `error: …`, its causes, and the cure where there is one.
pub(crate) fn error(error: &dyn Error, cure: Option<&str>) {
    line(&rendered(Style::of(&std::io::stderr()), error, cure));
}

/// `warning: …`
pub(crate) fn warning(text: &str) {
    let style = Style::of(&std::io::stderr());
    line(&format!("{} {text}", style.yellow("warning:")));
}

fn rendered(style: Style, error: &dyn Error, cure: Option<&str>) -> String {
    let mut text = format!("{} {error}", style.red("error:"));
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = write!(text, "\n  {} {cause}", style.faint("because:"));
        source = cause.source();
    }
    if let Some(cure) = cure {
        let _ = write!(text, "\n   {} {cure}", style.bold("cure:"));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io;

    use expect_test::expect;

    use super::{Style, rendered};

    #[derive(Debug)]
    struct Outer(io::Error);
    impl std::fmt::Display for Outer {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("read script x.wasm")
        }
    }
    impl std::error::Error for Outer {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn causes_and_cures_have_lines_of_their_own() {
        let error = Outer(io::Error::other("no such file"));
        expect![[r#"
            error: read script x.wasm
              because: no such file
               cure: build it first"#]]
        .assert_eq(&rendered(Style::Plain, &error, Some("build it first")));
    }
}
