//! How a run ended.

use std::fmt;

use tidegate_grants::Limit;
use wasmtime::{Trap as Code, WasmBacktrace};

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How it ended.
    pub ending: Ending,
}

impl Outcome {
    /// The exit code that a program which runs nothing else should end with.
    pub fn exit_code(&self) -> u8 {
        self.ending.exit_code()
    }
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// The guest's own exit code: what it gave to `wasi:cli/exit`, else 0 or 1 for what its `run` returned.
    Exited(u8),
    /// The guest failed, and the last error that it got from the host was a refusal: it did not handle that.
    Refused {
        /// The flags to add; empty where a deny flag is in the way.
        missing: Vec<String>,
    },
    /// The guest reached one of its [`Limits`](crate::grants::Limits): its time was up, or it failed for want of what it was refused.
    Limited(Limited),
    /// The guest did what WebAssembly does not allow, or panicked.
    Trapped(Trap),
    /// What [`RunBuilder::until`](crate::RunBuilder::until) waited for came first.
    Interrupted,
    /// The guest wrote to this process' standard output or error, and whoever read that had left.
    OutputClosed,
}

impl Ending {
    /// The guest's own code, 124 for a limit, 126 for a refusal, 134 for a trap, 130 for an interruption, and 141 where nobody reads any more: what a
    /// shell shows of a program that SIGPIPE ended.
    pub fn exit_code(&self) -> u8 {
        match self {
            Ending::Exited(code) => *code,
            Ending::Limited(_) => 124,
            Ending::Refused { .. } => 126,
            Ending::Trapped(_) => 134,
            Ending::Interrupted => 130,
            Ending::OutputClosed => 141,
        }
    }
}

/// A guest that reached a limit: which, and where it was. Displays as one line for the limit and one for each frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limited {
    /// Which, and its value. [`Limit::cure`] says what to do about it.
    pub limit: Limit,
    /// Where the guest computed when its time was up, or trapped after it was refused something; empty where it waited, or ended with an exit
    /// code. As in [`Trap::frames`].
    pub frames: Vec<Frame>,
}

impl Limited {
    /// Ended by itself or while it waited.
    pub(crate) fn of(limit: Limit) -> Self {
        Self { limit, frames: Vec::new() }
    }

    /// Ended by a trap.
    pub(crate) fn at(limit: Limit, error: &wasmtime::Error) -> Self {
        Self { limit, frames: Frame::all(error) }
    }
}

impl fmt::Display for Limited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.limit)?;
        self.frames.iter().try_for_each(|frame| write!(f, "\n    at {frame}"))
    }
}

impl std::error::Error for Limited {}

/// A guest that trapped: why and where. Displays as one line for the reason and one for each frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trap {
    /// Why, for people.
    pub message: String,
    /// Where, innermost call first; at most 64. Functions are named where the guest has a name section, source lines where it
    /// was built with debug information.
    pub frames: Vec<Frame>,
}

impl Trap {
    /// `beyond_slot`: how large a pool lets one memory be, where the guest had wanted a larger one.
    pub(crate) fn of(error: &wasmtime::Error, beyond_slot: Option<u64>) -> Self {
        let mut message = match error.downcast_ref::<Code>() {
            Some(Code::UnreachableCodeReached) => {
                "the guest panicked or reached code that it calls unreachable".to_owned()
            }
            Some(Code::StackOverflow) => {
                "the guest's call stack is exhausted: it recurses too deeply".to_owned()
            }
            Some(code) => format!("the guest trapped: {code}"),
            None => format!("the guest was stopped: {}", error.root_cause()),
        };
        if let Some(bytes) = beyond_slot {
            let value = Limit::Memory(bytes).value();
            message.push_str(&format!(
                "; it wanted more memory than the {value} that the engine's pool has for one (Pooling::memory)"
            ));
        }
        Self { message, frames: Frame::all(error) }
    }
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.frames.iter().try_for_each(|frame| write!(f, "\n    at {frame}"))
    }
}

impl std::error::Error for Trap {}

/// One call of a guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The function's name as its language writes it, or `function 12 of <module>`.
    pub function: String,
    /// `src/main.rs:12:5`, where the guest was built with debug information.
    pub source: Option<String>,
}

impl Frame {
    /// The calls that led to an error.
    fn all(error: &wasmtime::Error) -> Vec<Frame> {
        let backtrace = error.downcast_ref::<WasmBacktrace>();
        backtrace.into_iter().flat_map(WasmBacktrace::frames).flat_map(Frame::of).collect()
    }

    /// The calls of one machine frame: several where some were inlined.
    fn of(info: &wasmtime::FrameInfo) -> Vec<Frame> {
        let named = |name: Option<String>| {
            name.unwrap_or_else(|| {
                let module = info.module().name().unwrap_or("the component");
                format!("function {} of {module}", info.func_index())
            })
        };
        if info.symbols().is_empty() {
            let function = named(info.func_name().map(demangled));
            return vec![Frame { function, source: None }];
        }
        let frame = |symbol: &wasmtime::FrameSymbol| Frame {
            function: named(symbol.name().or(info.func_name()).map(demangled)),
            source: symbol.file().map(|file| located(file, symbol.line(), symbol.column())),
        };
        info.symbols().iter().map(frame).collect()
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.function)?;
        match &self.source {
            Some(source) => write!(f, " ({source})"),
            None => Ok(()),
        }
    }
}

/// The name as its language writes it. A guest chose it, so no control characters reach a terminal.
fn demangled(name: &str) -> String {
    let name = format!("{:#}", rustc_demangle::demangle(name));
    name.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

fn located(file: &str, line: Option<u32>, column: Option<u32>) -> String {
    let mut text: String = file.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
    for number in [line, column].into_iter().map_while(|number| number.filter(|&number| number > 0)) {
        text.push_str(&format!(":{number}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_places() {
        let names = [
            ("_ZN9list_pods4main17h0123456789abcdefE", "list_pods::main"),
            ("_RNvCskwGfYPst2Cb_9list_pods4main", "list_pods::main"),
            ("main", "main"),
            ("bad\x1b[31m", "bad?[31m"),
        ];
        for (name, expected) in names {
            assert_eq!(demangled(name), expected);
        }
        let places = [
            ((Some(3), Some(5)), "src/main.rs:3:5"),
            ((Some(3), Some(0)), "src/main.rs:3"),
            ((None, Some(5)), "src/main.rs"),
        ];
        for ((line, column), expected) in places {
            assert_eq!(located("src/main.rs", line, column), expected);
        }
    }

    #[test]
    fn exit_codes() {
        let trap = Trap { message: "x".to_owned(), frames: Vec::new() };
        let cases = [
            (Ending::Exited(7), 7),
            (Ending::Limited(Limited::of(Limit::Streams(1))), 124),
            (Ending::Refused { missing: Vec::new() }, 126),
            (Ending::Trapped(trap), 134),
            (Ending::Interrupted, 130),
            (Ending::OutputClosed, 141),
        ];
        for (ending, code) in cases {
            assert_eq!(ending.exit_code(), code);
        }
    }
}
