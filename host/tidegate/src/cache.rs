//! Compiled components on disk.
//!
//! Machine code is as trusted as this program, so an entry must be what this user's tidegate wrote: the folder and the file belong to
//! the user and nobody else can write them (checked on the open handles), the header names this engine, and the digest is that of the very
//! bytes that are loaded. Whatever is wrong with an entry, it is compiled again and replaced.

use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use tidegate_authority::{CacheFolder, HostAuthority};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::fingerprint::fingerprint;
use crate::progress::Progress;

const MAGIC: &[u8; 8] = b"tidegate";

/// The digest of an entry, and how long it is.
const DIGEST: usize = 32;

/// A folder of compiled components.
pub(crate) struct Store {
    folder: PathBuf,
}

/// What an entry is found by: the component and the engine.
pub(crate) struct Key(String);

impl Key {
    pub(crate) fn of(component: &[u8]) -> Self {
        let digest =
            digest(&SHA256, &[digest(&SHA256, component).as_ref(), fingerprint().as_bytes()].concat());
        let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        Self(format!("{hex}.tidegate"))
    }
}

impl Store {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The entry of that key, if it is there and can be trusted. Anything else is told and is no entry.
    pub(crate) fn load(&self, host: &HostAuthority, key: &Key, tell: &dyn Fn(Progress)) -> Option<Artifact> {
        let entry = self.open(host, tell)?.read(&key.0);
        match entry.map(|bytes| bytes.map(Artifact::decode)) {
            Ok(None) => None,
            Ok(Some(Some(artifact))) => Some(artifact),
            Ok(Some(None)) => {
                warn(tell, "an entry of the cache is damaged and is replaced");
                None
            }
            Err(error) => {
                warn(tell, &format!("an entry of the cache is not used: {error}"));
                None
            }
        }
    }

    /// Writes an entry, or tells why it cannot.
    pub(crate) fn save(&self, host: &HostAuthority, key: &Key, artifact: &Artifact, tell: &dyn Fn(Progress)) {
        let Some(folder) = self.open(host, tell) else { return };
        // What was there and could not be trusted must not be in the way: it may be a link, or someone else's.
        let written = folder.remove(&key.0).and_then(|()| folder.write(&key.0, &artifact.encoded()));
        if let Err(error) = written {
            warn(tell, &format!("the compiled component is not kept: {error}"));
        }
    }

    fn open(&self, host: &HostAuthority, tell: &dyn Fn(Progress)) -> Option<CacheFolder> {
        host.cache(&self.folder).inspect_err(|error| warn(tell, &format!("there is no cache: {error}"))).ok()
    }
}

fn warn(tell: &dyn Fn(Progress), text: &str) {
    tell(Progress::Warning { text: text.to_owned() });
}

/// Machine code that this tidegate's compiler made: it came out of a child of this process, or out of an entry that was checked.
pub(crate) struct Artifact {
    code: Vec<u8>,
    /// Where the code begins in `code`.
    start: usize,
}

impl Artifact {
    /// What a compiler that this process started has written.
    pub(crate) fn compiled(code: Vec<u8>) -> Self {
        Self { code, start: 0 }
    }

    /// Loads the code.
    ///
    /// Errors: it was made for another engine.
    #[allow(
        unsafe_code,
        reason = "loading machine code is what makes a start take a millisecond instead of seconds"
    )]
    pub(crate) fn component(&self, engine: &Engine) -> wasmtime::Result<Component> {
        // SAFETY: `deserialize` runs whatever code it is given, so the code must be what wasmtime's compiler made of a component.
        // There are two ways to an `Artifact`. `compiled` takes what our own compiler wrote to a pipe that nobody else holds.
        // `decode` takes an entry of the cache: the folder and the file were checked, on their open handles, to belong to this user
        // and to be writable by nobody else; the header names this very engine; and the digest was taken over exactly these
        // bytes, in this memory, which nothing can change since. Who can write such an entry can already run code as this user.
        unsafe { Component::deserialize(engine, &self.code[self.start..]) }
    }

    /// The entry for it: magic, fingerprint, digest, code.
    fn encoded(&self) -> Vec<u8> {
        let code = &self.code[self.start..];
        [&header()[..], digest(&SHA256, code).as_ref(), code].concat()
    }

    /// What an entry holds, if it is whole and for this engine.
    fn decode(entry: Vec<u8>) -> Option<Self> {
        let rest = entry.strip_prefix(&header()[..])?;
        let (expected, code) = rest.split_at_checked(DIGEST)?;
        let start = entry.len() - code.len();
        (digest(&SHA256, code).as_ref() == expected).then_some(Self { code: entry, start })
    }
}

/// Magic, the length of the fingerprint and the fingerprint.
fn header() -> Vec<u8> {
    let fingerprint = fingerprint();
    let length = u32::try_from(fingerprint.len()).unwrap_or(u32::MAX).to_le_bytes();
    [&MAGIC[..], &length, fingerprint.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_entry_of_this_engine_is_taken() {
        let good = Artifact::compiled(b"machine code".to_vec()).encoded();
        let change = |index: usize| {
            let mut bytes = good.clone();
            bytes[index] ^= 1;
            bytes
        };
        let cases = [
            ("as it was written", good.clone(), true),
            ("other magic", change(0), false),
            ("other length", change(MAGIC.len()), false),
            ("other engine", change(MAGIC.len() + 6), false),
            ("other digest", change(header().len()), false),
            ("other code", change(good.len() - 1), false),
            ("cut short", good[..good.len() - 1].to_vec(), false),
            ("cut in the digest", good[..header().len() + 3].to_vec(), false),
            ("longer", [&good[..], b"x"].concat(), false),
            ("empty", Vec::new(), false),
        ];
        for (what, entry, taken) in cases {
            assert_eq!(Artifact::decode(entry).is_some(), taken, "{what}");
        }
    }

    #[test]
    fn keys_differ_by_content() {
        assert_ne!(Key::of(b"a").0, Key::of(b"b").0);
        assert_eq!(Key::of(b"a").0.len(), 64 + ".tidegate".len());
    }
}
