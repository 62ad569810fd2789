//! What was given as a script, before anything is compiled.

use std::path::Path;
use std::sync::Arc;

use tidegate_authority::{ComponentError, ComponentFile, HostAuthority};

use crate::error::LoadError;

pub(crate) fn open(host: &HostAuthority, path: &Path) -> Result<ComponentFile, LoadError> {
    host.component(path).map_err(|error| unread(path, error))
}

pub(crate) fn read(host: &HostAuthority, path: &Path) -> Result<Vec<u8>, LoadError> {
    host.read_component(path).map_err(|error| unread(path, error))
}

pub(crate) fn unread(path: &Path, error: ComponentError) -> LoadError {
    LoadError::Read { path: path.to_owned(), source: Arc::new(error) }
}

/// Says what it is, if it is no component.
pub(crate) fn check(name: &str, bytes: &[u8]) -> Result<(), LoadError> {
    let name = name.to_owned();
    match bytes {
        [b'\0', b'a', b's', b'm', 0x0d, 0, 1, 0, ..] => Ok(()),
        [b'\0', b'a', b's', b'm', 1, 0, 0, 0, ..] => Err(LoadError::CoreModule { name }),
        [0x7f, b'E', b'L', b'F', ..] => Err(LoadError::Precompiled { name }),
        [b'\0', b'a', b's', b'm', ..] => Err(LoadError::Invalid {
            name,
            detail: "it is cut short, or of another version of WebAssembly".to_owned(),
        }),
        _ => Err(LoadError::NotWasm { name }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_component_is_told_apart() {
        let cases: [(&[u8], &str); 8] = [
            (b"\0asm\x0d\0\x01\0", "ok"),
            (b"\0asm\x01\0\0\0", "x is a core WebAssembly module, not a component"),
            (
                b"\x7fELF\x02\x01\x01\xc8",
                "x is compiled already: machine code is never taken from a file, since nothing could keep it in the sandbox",
            ),
            (b"\0asm", "x is not a valid component: it is cut short, or of another version of WebAssembly"),
            (
                b"\0asm\x0e\0\x01\0",
                "x is not a valid component: it is cut short, or of another version of WebAssembly",
            ),
            (b"(component)", "x is not WebAssembly"),
            (b"#!/bin/sh\n", "x is not WebAssembly"),
            (b"", "x is not WebAssembly"),
        ];
        for (bytes, expected) in cases {
            let shown = check("x", bytes).map_or_else(|error| error.to_string(), |()| "ok".to_owned());
            assert_eq!(shown, expected);
        }
    }
}
