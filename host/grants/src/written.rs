//! Patterns as the flags that say them.

use std::ffi::OsString;

use crate::connection::ConnectionPattern;
use crate::listen::ListenPattern;
use crate::net::NetPattern;
use crate::path::Root;
use crate::program::RunPattern;
use crate::quote;
use crate::variable::EnvPattern;

/// A pattern as a flag's value.
pub(crate) trait Written {
    fn value(&self) -> OsString;
}

impl Written for Root {
    fn value(&self) -> OsString {
        self.given().into()
    }
}

/// Patterns that are shown as they were written.
macro_rules! as_shown {
    ($($pattern:ty),*) => {
        $(impl Written for $pattern {
            fn value(&self) -> OsString {
                self.to_string().into()
            }
        })*
    };
}

as_shown!(NetPattern, EnvPattern, ConnectionPattern, ListenPattern, RunPattern);

/// The flag of a hit, ready for a shell.
pub(crate) fn written<P: Written>(flag: &str, hit: Option<Option<&P>>) -> Option<String> {
    hit.map(|pattern| match pattern {
        None => flag.to_owned(),
        Some(pattern) => quote::flag(flag, &pattern.value()),
    })
}
