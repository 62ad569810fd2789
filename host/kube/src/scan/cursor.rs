//! A walk through one whole object.

use std::borrow::Cow;

use wide::u8x16;

use super::skip::{Skip, ends_scalar};

/// What a walk through an item stumbles over: it is not the JSON that its brackets promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed {
    /// Where, in bytes from 0.
    pub(super) at: usize,
}

/// A place in the bytes of an object, whose brackets are known to be balanced.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// A member's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Name<'a> {
    /// As it stands between its quotes.
    pub(super) raw: &'a [u8],
    escapes: Escapes,
}

/// Whether a string has any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Escapes {
    None,
    Some,
}

impl Name<'_> {
    /// Whether it is that name once its escapes are read.
    #[inline]
    pub(super) fn is(self, name: &str) -> bool {
        match self.escapes {
            Escapes::None => self.raw == name.as_bytes(),
            Escapes::Some => unescape(self.raw).as_deref() == Some(name),
        }
    }
}

impl<'a> Cursor<'a> {
    #[inline]
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How much was read, in bytes.
    #[inline]
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// The next byte that is not white space, which is not taken.
    #[inline]
    pub(super) fn peek(&mut self) -> Result<u8, Malformed> {
        while let Some(byte) = self.bytes.get(self.at) {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Ok(*byte);
            }
            self.at += 1;
        }
        Err(self.malformed())
    }

    /// Takes that byte, which must come next.
    #[inline]
    pub(super) fn expect(&mut self, wanted: u8) -> Result<(), Malformed> {
        if self.peek()? != wanted {
            return Err(self.malformed());
        }
        self.at += 1;
        Ok(())
    }

    /// Takes that byte if it comes next.
    #[inline]
    pub(super) fn take(&mut self, wanted: u8) -> Result<bool, Malformed> {
        let found = self.peek()? == wanted;
        self.at += usize::from(found);
        Ok(found)
    }

    /// The name of the next member and its colon, a comma before it where this is not the first; none at the object's end, which is taken.
    #[inline]
    pub(super) fn member(&mut self, first: bool) -> Result<Option<Name<'a>>, Malformed> {
        if self.take(b'}')? {
            return Ok(None);
        }
        if !first {
            self.expect(b',')?;
        }
        if self.peek()? != b'"' {
            return Err(self.malformed());
        }
        let (raw, escapes) = self.text()?;
        self.expect(b':')?;
        Ok(Some(Name { raw, escapes }))
    }

    /// Whether the next element follows, a comma before it where this is not the first; no at the array's end, which is taken.
    #[inline]
    pub(super) fn element(&mut self, first: bool) -> Result<bool, Malformed> {
        if self.take(b']')? {
            return Ok(false);
        }
        if !first {
            self.expect(b',')?;
        }
        Ok(true)
    }

    /// The next value, as it stands.
    #[inline]
    pub(super) fn value(&mut self) -> Result<&'a [u8], Malformed> {
        let first = self.peek()?;
        let begin = self.at;
        match first {
            b'"' => drop(self.text()?),
            b'{' | b'[' => self.skip(Skip::of(first))?,
            _ => {
                let rest = &self.bytes[begin..];
                let length = rest.iter().position(|byte| ends_scalar(*byte)).unwrap_or(rest.len());
                // A bracket or a string that begins within is for whoever counts those, and not to be missed here.
                if length == 0 || rest[..length].iter().any(|byte| matches!(byte, b'"' | b'\\' | b'{' | b'['))
                {
                    return Err(self.malformed());
                }
                self.at += length;
            }
        }
        Ok(&self.bytes[begin..self.at])
    }

    /// Nothing may come but white space.
    pub(super) fn end(&mut self) -> Result<(), Malformed> {
        if self.peek().is_ok() { Err(self.malformed()) } else { Ok(()) }
    }

    /// Leaves so many containers, the innermost of which has been read up to some member.
    #[inline]
    pub(super) fn leave(&mut self, depth: u32) -> Result<(), Malformed> {
        if depth == 0 { Ok(()) } else { self.skip(Skip::out_of(depth)) }
    }

    /// The string that comes next, without its quotes.
    #[inline]
    fn text(&mut self) -> Result<(&'a [u8], Escapes), Malformed> {
        let begin = self.at + 1;
        let (mut at, mut escapes) = (begin, Escapes::None);
        loop {
            let Some(rest) = self.bytes.get(at..) else { return Err(self.malformed()) };
            // Most strings end within the first few bytes.
            let found = match rest.first_chunk::<16>() {
                Some(lanes) => {
                    let lanes = u8x16::from(*lanes);
                    let marks = lanes.simd_eq(u8x16::splat(b'"')) | lanes.simd_eq(u8x16::splat(b'\\'));
                    match marks.to_bitmask() {
                        0 => {
                            at += 16;
                            continue;
                        }
                        marks => marks.trailing_zeros() as usize,
                    }
                }
                None => memchr::memchr2(b'"', b'\\', rest).ok_or_else(|| self.malformed())?,
            };
            at += found;
            if self.bytes[at] == b'"' {
                self.at = at + 1;
                return Ok((&self.bytes[begin..at], escapes));
            }
            escapes = Escapes::Some;
            at += 2;
        }
    }

    #[inline]
    fn skip(&mut self, mut skip: Skip) -> Result<(), Malformed> {
        match skip.advance(&self.bytes[self.at..]) {
            Ok(Some(length)) => {
                self.at += length;
                Ok(())
            }
            _ => Err(self.malformed()),
        }
    }

    pub(super) fn malformed(&self) -> Malformed {
        Malformed { at: self.at }
    }
}

/// What a string says, given what stands between its quotes; none where that is not JSON.
pub(super) fn unescape(raw: &[u8]) -> Option<Cow<'_, str>> {
    if !raw.contains(&b'\\') {
        return std::str::from_utf8(raw).ok().map(Cow::Borrowed);
    }
    let quoted = [b"\"", raw, b"\""].concat();
    serde_json::from_slice(&quoted).ok().map(Cow::Owned)
}
