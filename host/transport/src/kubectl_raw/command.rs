//! From a request to kubectl's command line: pure.
//!
//! Nothing that a guest chose is ever an argument of its own that could be read as a flag: it stands behind `--name=`, or behind
//! a resource that was checked to begin with a letter.

use std::path::Path;

use tidegate_kube::request::{Checked, Method};
use tidegate_kube::text;

use super::{apply, patch};
use crate::options::KubectlOptions;
use crate::{Code, Error};

/// Where kubectl can keep nothing, which it takes for a cache that is empty and full.
const NO_CACHE: &str = "/dev/null";

/// What kubectl is started with.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Invocation {
    pub(super) arguments: Vec<String>,
    pub(super) input: Input,
}

/// What kubectl's standard input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    Nothing,
    Body,
}

/// Errors: [`Code::Unsupported`] where kubectl has no way to ask for it, [`Code::InvalidRequest`] for a patch without a body.
pub(super) fn invocation(
    checked: &Checked,
    options: &KubectlOptions,
    input: Input,
) -> Result<Invocation, Error> {
    if checked.accept() != "application/json" {
        return Err(unsupported("kubectl cannot ask for another media type than application/json (accept)"));
    }
    let (verb, input) = match checked.method() {
        Method::Get => (raw("get", checked, Input::Nothing), Input::Nothing),
        Method::Post => (raw("create", json_only(checked)?, Input::Body), Input::Body),
        Method::Put => (raw("replace", json_only(checked)?, Input::Body), Input::Body),
        Method::Delete => (raw("delete", json_only(checked)?, input), input),
        Method::Patch if input == Input::Nothing => {
            return Err(Error::new(Code::InvalidRequest, "a patch needs a body"));
        }
        Method::Patch if checked.content_type() == Some(apply::MEDIA_TYPE) => {
            (apply::arguments(checked)?, input)
        }
        Method::Patch => (patch::arguments(checked)?, input),
        Method::Head | Method::Options => {
            return Err(unsupported(&format!("kubectl cannot send {} requests", checked.method())));
        }
    };
    Ok(Invocation { arguments: with_globals(verb, options), input })
}

/// What every kubectl is started with, before a verb.
pub(super) fn with_globals(verb: Vec<String>, options: &KubectlOptions) -> Vec<String> {
    let mut arguments = vec![format!("--cache-dir={}", cache(options))];
    arguments.extend(options.context.as_ref().map(|context| format!("--context={context}")));
    arguments.extend(verb);
    arguments
}

/// The command line for people, quoted for a shell.
pub(super) fn line(program: &str, arguments: &[String]) -> String {
    let words: Vec<String> =
        std::iter::once(program).chain(arguments.iter().map(String::as_str)).map(quoted).collect();
    words.join(" ")
}

pub(super) fn unsupported(text: &str) -> Error {
    Error::new(Code::Unsupported, text)
}

fn raw(verb: &str, checked: &Checked, input: Input) -> Vec<String> {
    let mut arguments = vec![verb.to_owned(), format!("--raw={}", checked.path())];
    if input == Input::Body {
        arguments.extend(["-f".to_owned(), "-".to_owned()]);
    }
    arguments
}

fn json_only(checked: &Checked) -> Result<&Checked, Error> {
    match checked.content_type() {
        None | Some("application/json") => Ok(checked),
        Some(_) => Err(unsupported("kubectl sends bodies as application/json only (content-type)")),
    }
}

/// A name that is not text would be another folder's once it is one, which nobody has checked to be private.
fn cache(options: &KubectlOptions) -> &str {
    options.cache.as_deref().and_then(Path::to_str).unwrap_or(NO_CACHE)
}

/// A guest's words are among these: nothing in them moves a terminal.
fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=,@%+".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    if word.chars().all(text::is_harmless) {
        return format!("'{}'", word.replace('\'', "'\\''"));
    }
    let escaped = word.bytes().map(|byte| match byte {
        b'\'' | b'\\' => format!("\\{}", char::from(byte)),
        b' '..=b'~' => char::from(byte).to_string(),
        _ => format!("\\x{byte:02x}"),
    });
    format!("$'{}'", escaped.collect::<String>())
}

#[cfg(test)]
#[path = "command_tests.rs"]
mod tests;
