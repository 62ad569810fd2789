//! A walk through one whole object.

use std::borrow::Cow;

use super::skip::{Skip, ends_scalar};

/// What a walk through an item stumbles over: it is not the JSON that its brackets promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed {
    /// Where, in bytes from 0.
    pub(super) at: usize,
}

/// How long a string is at most that is searched byte by byte.
const SHORT: usize = 32;

/// A place in the bytes of an object, whose brackets are known to be balanced.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// A member's name as it stands between its quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Name<'a>(pub(super) &'a [u8]);

impl Name<'_> {
    /// Whether it is that name once its escapes are read.
    #[inline]
    pub(super) fn is(self, name: &str) -> bool {
        self.0 == name.as_bytes() || (self.0.contains(&b'\\') && unescape(self.0).as_deref() == Some(name))
    }
}

impl<'a> Cursor<'a> {
    #[inline]
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
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
        let name = self.text()?;
        self.expect(b':')?;
        Ok(Some(Name(name)))
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
                if length == 0 {
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
    fn text(&mut self) -> Result<&'a [u8], Malformed> {
        let begin = self.at + 1;
        let mut at = begin;
        loop {
            match self.bytes.get(at) {
                Some(b'"') => break,
                Some(b'\\') => at += 2,
                // Names and most values are short, and what searches faster begins slower.
                Some(_) if at - begin < SHORT => at += 1,
                Some(_) => {
                    let rest = &self.bytes[at..];
                    at += memchr::memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
                }
                None => return Err(self.malformed()),
            }
        }
        self.at = at + 1;
        Ok(&self.bytes[begin..at])
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
