//! Compiled components on disk.
//!
//! Machine code is as trusted as this program, so an entry must be what this user's tidegate wrote: the folder and the file belong to
//! the user and nobody else can write them (checked on the open handles), the header names this engine, and the digest is that of the very
//! bytes that are loaded. Whatever is wrong with an entry, it is compiled again and replaced.

use std::path::{Path, PathBuf};

use tidegate_authority::{
    CacheEntry, CacheError, CacheFolder, ComponentError, ComponentFile, HostAuthority, Sealed,
};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::fingerprint::fingerprint;
use crate::progress::Progress;

const MAGIC: &[u8; 8] = b"tidegate";

/// How long a digest is. BLAKE3: at each start the component and its code are digested, half a megabyte for a small one, and
/// SHA-256 would take as long for that as the handshake with the server.
const DIGEST: usize = blake3::OUT_LEN;

/// A folder of compiled components.
pub(crate) struct Store {
    folder: PathBuf,
    /// What the entries may take together, in bytes.
    limit: u64,
}

/// What an entry is found by: the component and the engine.
#[derive(PartialEq, Eq)]
pub(crate) struct Key(String);

impl Key {
    pub(crate) fn of(component: &[u8]) -> Self {
        Self::from_hasher(blake3::Hasher::new().update(component))
    }

    /// The key of what the file holds now, and its first bytes.
    pub(crate) fn of_file(file: &mut ComponentFile) -> Result<(Self, Vec<u8>), ComponentError> {
        let mut hasher = blake3::Hasher::new();
        let mut first = Vec::new();
        file.look(&mut |piece| {
            if first.is_empty() {
                first.extend_from_slice(&piece[..piece.len().min(8)]);
            }
            hasher.update(piece);
        })?;
        Ok((Self::from_hasher(&hasher), first))
    }

    fn from_hasher(component: &blake3::Hasher) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(component.finalize().as_bytes()).update(fingerprint().as_bytes());
        Self(format!("{}.tidegate", hasher.finalize()))
    }
}

impl Store {
    pub(crate) fn new(folder: PathBuf, limit: u64) -> Self {
        Self { folder, limit }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The entry of that key, if it is there and can be trusted. Anything else is told and is no entry.
    pub(crate) fn load(&self, host: &HostAuthority, key: &Key, tell: &dyn Fn(Progress)) -> Option<Artifact> {
        match self.open(host, tell)?.entry(&key.0).and_then(|entry| entry.map(Artifact::read).transpose()) {
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

    /// Writes an entry for what the compiler made, or tells why it cannot; then makes room.
    pub(crate) fn save(&self, host: &HostAuthority, key: &Key, code: &[u8], tell: &dyn Fn(Progress)) {
        let Some(folder) = self.open(host, tell) else { return };
        // What was there and could not be trusted must not be in the way: it may be a link, or someone else's.
        let written = folder.remove(&key.0).and_then(|()| folder.write(&key.0, &encoded(code)));
        let written = written.and_then(|()| folder.keep_within(self.limit, &key.0));
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
pub(crate) struct Artifact(Code);

enum Code {
    /// What a compiler wrote to its pipe.
    Compiled(Vec<u8>),
    /// What an entry held.
    Checked(Sealed),
}

impl Artifact {
    /// What a compiler that this process started has written.
    pub(crate) fn compiled(code: Vec<u8>) -> Self {
        Self(Code::Compiled(code))
    }

    /// The code as the compiler wrote it; none of an entry.
    pub(crate) fn new_code(&self) -> Option<&[u8]> {
        match &self.0 {
            Code::Compiled(code) => Some(code),
            Code::Checked(_) => None,
        }
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
        // `read` takes an entry of the cache: the folder and the file were checked, on their open handles, to belong to this user
        // and to be writable by nobody else; the header names this very engine; and the digest was taken over exactly the bytes
        // that went into the memory that is loaded here. That memory is sealed: the kernel lets nobody write it, and it has no
        // name but the one of our own handle, which is open until this function returns; wasmtime maps it by that name and keeps
        // it. Who can write such an entry can already run code as this user.
        match &self.0 {
            Code::Compiled(code) => unsafe { Component::deserialize(engine, code) },
            Code::Checked(sealed) => match unsafe { Component::deserialize_file(engine, sealed.path()) } {
                Ok(component) => Ok(component),
                // Where a policy of the machine lets no memory file be executed, a copy in plain memory may be.
                Err(_) => unsafe { Component::deserialize(engine, sealed.bytes()?) },
            },
        }
    }

    /// What an entry holds, if it is whole and for this engine.
    fn read(mut entry: CacheEntry) -> Result<Option<Self>, CacheError> {
        let header = header();
        let head = entry.head(header.len() + DIGEST)?;
        let Some(expected) = head.strip_prefix(&header[..]) else { return Ok(None) };
        let mut hasher = blake3::Hasher::new();
        let sealed = entry.seal(&mut |piece| {
            hasher.update(piece);
        })?;
        let whole = hasher.finalize().as_slice() == expected;
        Ok(whole.then_some(Self(Code::Checked(sealed))))
    }
}

/// An entry: magic, fingerprint, digest, code.
fn encoded(code: &[u8]) -> Vec<u8> {
    [&header()[..], blake3::hash(code).as_bytes(), code].concat()
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
    fn keys_differ_by_content() {
        assert_ne!(Key::of(b"a").0, Key::of(b"b").0);
        assert_eq!(Key::of(b"a").0.len(), 64 + ".tidegate".len());
    }
}
