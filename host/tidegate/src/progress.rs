//! What an engine does that takes long enough to be told.

use std::fmt;
use std::time::Duration;

/// Told to [`EngineBuilder::progress`](crate::EngineBuilder::progress). Displays as one line for people.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// A component is not in the cache, so the compiler is started.
    Compiling {
        /// The script.
        name: String,
        /// Its size.
        bytes: u64,
    },
    /// It is done.
    Compiled {
        /// The script.
        name: String,
        /// How long it took.
        elapsed: Duration,
    },
    /// Something is slower or less than it could be, and why.
    Warning {
        /// For people.
        text: String,
    },
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Progress::Compiling { name, bytes } => write!(f, "Compiling {name} ({})…", Size(*bytes)),
            Progress::Compiled { name, elapsed } => {
                write!(f, "Compiled {name} in {:.1} s", elapsed.as_secs_f64())
            }
            Progress::Warning { text } => f.write_str(text),
        }
    }
}

/// `840 B`, `84 KB`, `12.1 MB`: decimal, as files are sold.
struct Size(u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes @ ..1_000 => write!(f, "{bytes} B"),
            bytes @ ..1_000_000 => write!(f, "{} KB", (bytes + 500) / 1_000),
            bytes => write!(f, "{:.1} MB", bytes as f64 / 1e6),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let compiling = |bytes| Progress::Compiling { name: "list-pods".to_owned(), bytes }.to_string();
        let cases = [
            (compiling(0), "Compiling list-pods (0 B)…"),
            (compiling(84_213), "Compiling list-pods (84 KB)…"),
            (compiling(12_083_112), "Compiling list-pods (12.1 MB)…"),
            (
                Progress::Compiled { name: "a".to_owned(), elapsed: Duration::from_millis(149) }.to_string(),
                "Compiled a in 0.1 s",
            ),
        ];
        for (shown, expected) in cases {
            assert_eq!(shown, expected);
        }
    }
}
