use std::time::Duration;

use tidegate_kube::request::Method;

/// Is told what a transport does: what `--verbose` prints.
///
/// Called on the task that does the work; must not block.
pub trait Observer: Send + Sync {
    /// Something happened. No event holds a credential.
    fn event(&self, event: &Event<'_>);
}

/// What a transport did.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The head of a response came, or none did.
    Request {
        /// The method.
        method: Method,
        /// Path and query as the guest gave them, percent-encoded, without the server URL's own prefix.
        path: &'a str,
        /// The response's code; none where the request failed before there was one.
        code: Option<u16>,
        /// From the first byte sent to the head of the response.
        elapsed: Duration,
    },
    /// A program is started.
    Command {
        /// Its command line, quoted for a shell.
        line: &'a str,
    },
    /// A program that gives credentials said something to its user, on standard error.
    Plugin {
        /// Its name, or its path.
        program: &'a str,
        /// For people, one line, without what the program gave.
        line: &'a str,
    },
    /// Something that whoever started this should know.
    Warning {
        /// For people, one line.
        text: &'a str,
    },
}

/// Hears nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    fn event(&self, _: &Event<'_>) {}
}
