//! Finds where a value ends, however it is cut into chunks.

use super::block::{Marks, between, escaped, marks};
#[cfg(target_arch = "x86_64")]
use super::block::{wider, widest};

/// How deeply an item may be nested, or each value of one that a mask walks into: etcd holds nothing deeper, and Go's JSON stops at ten
/// times that.
pub const DEPTH_CAP: u32 = 1000;

/// From how many bytes on the processor is asked what it can do.
#[cfg(target_arch = "x86_64")]
const WIDE: usize = 128;

/// The value is nested deeper than [`DEPTH_CAP`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooDeep;

/// The way through one value.
///
/// An object or array ends where as many brackets were closed as were opened; which closes which is not looked at.
#[derive(Debug, Clone)]
pub(super) struct Skip {
    shape: Shape,
    depth: u32,
    in_string: bool,
    /// The next byte is escaped.
    escaping: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Container,
    Text,
    /// A number or a word: it ends before a comma, a closing bracket or white space.
    Scalar,
}

impl Skip {
    /// For the value that begins with this byte.
    #[inline]
    pub(super) fn of(first: u8) -> Skip {
        let shape = match first {
            b'{' | b'[' => Shape::Container,
            b'"' => Shape::Text,
            _ => Shape::Scalar,
        };
        Skip { shape, depth: 0, in_string: false, escaping: false }
    }

    /// For the rest of so many containers, the innermost of which has been read up to some member.
    #[inline]
    pub(super) fn out_of(depth: u32) -> Skip {
        Skip { shape: Shape::Container, depth, in_string: false, escaping: false }
    }

    /// Goes through `bytes`, which begin where the bytes before ended. How many of them belong to the value if it ends here.
    #[inline]
    pub(super) fn advance(&mut self, bytes: &[u8]) -> Result<Option<usize>, TooDeep> {
        match self.shape {
            Shape::Container => self.container(bytes),
            Shape::Text => Ok(self.text(bytes)),
            Shape::Scalar => Ok(bytes.iter().position(|byte| ends_scalar(*byte))),
        }
    }

    fn container(&mut self, bytes: &[u8]) -> Result<Option<usize>, TooDeep> {
        #[cfg(target_arch = "x86_64")]
        #[expect(unsafe_code, reason = "only so is code called that not every processor can run")]
        if bytes.len() >= WIDE {
            if widest::is_there() {
                // SAFETY: the processor has just been asked for all that the function is compiled for.
                return unsafe { self.container_widest(bytes) };
            }
            if wider::is_there() {
                // SAFETY: as above.
                return unsafe { self.container_wider(bytes) };
            }
        }
        self.container_by(bytes, marks, between)
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512bw,avx2,pclmulqdq,popcnt,bmi1")]
    fn container_widest(&mut self, bytes: &[u8]) -> Result<Option<usize>, TooDeep> {
        self.container_by(bytes, |block| widest::marks(block), |quotes| wider::between(quotes))
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,pclmulqdq,popcnt,bmi1")]
    fn container_wider(&mut self, bytes: &[u8]) -> Result<Option<usize>, TooDeep> {
        self.container_by(bytes, |block| wider::marks(block), |quotes| wider::between(quotes))
    }

    /// Inlined, so that it is compiled for what its caller may use.
    #[inline(always)]
    fn container_by(
        &mut self,
        bytes: &[u8],
        marks: impl Fn(&[u8; 64]) -> Marks,
        between: impl Fn(u64) -> u64,
    ) -> Result<Option<usize>, TooDeep> {
        let (blocks, tail) = bytes.as_chunks::<64>();
        for (index, block) in blocks.iter().enumerate() {
            if let Some(end) = self.block(marks(block), 64, &between)? {
                return Ok(Some(index * 64 + end));
            }
        }
        if tail.is_empty() {
            return Ok(None);
        }
        let mut block = [b' '; 64];
        block[..tail.len()].copy_from_slice(tail);
        Ok(self.block(marks(&block), tail.len(), between)?.map(|end| blocks.len() * 64 + end))
    }

    /// One block, or `length` bytes of it with blanks behind them.
    #[inline(always)]
    fn block(
        &mut self,
        marks: Marks,
        length: usize,
        between: impl Fn(u64) -> u64,
    ) -> Result<Option<usize>, TooDeep> {
        let mut quotes = marks.quotes;
        if marks.backslashes != 0 || self.escaping {
            let escaped = escaped(marks.backslashes, self.escaping);
            quotes &= !escaped;
            // What follows the last byte: behind a short block there is padding, whose first byte takes the mark.
            self.escaping = match length {
                64 => marks.backslashes & !escaped & 1 << 63 != 0,
                length => escaped & 1 << length != 0,
            };
        }
        let strings = between(quotes) ^ if self.in_string { u64::MAX } else { 0 };
        self.in_string = strings >> 63 == 1;
        let (opens, closes) = (marks.opens & !strings, marks.closes & !strings);
        let (more, fewer) = (opens.count_ones(), closes.count_ones());
        // Most blocks lie deep within their value.
        if fewer < self.depth {
            self.depth = self.depth + more - fewer;
            return if self.depth > DEPTH_CAP { Err(TooDeep) } else { Ok(None) };
        }
        let mut brackets = opens | closes;
        while brackets != 0 {
            let bit = brackets & brackets.wrapping_neg();
            brackets ^= bit;
            if opens & bit != 0 {
                self.depth += 1;
                continue;
            }
            self.depth -= 1;
            if self.depth == 0 {
                return Ok(Some(bit.trailing_zeros() as usize + 1));
            }
        }
        if self.depth > DEPTH_CAP { Err(TooDeep) } else { Ok(None) }
    }

    fn text(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        // Its first quote.
        if !self.in_string {
            self.in_string = true;
            at = 1;
        }
        loop {
            if std::mem::take(&mut self.escaping) {
                at += 1;
            }
            let rest = bytes.get(at..).filter(|rest| !rest.is_empty());
            let Some(rest) = rest else {
                self.escaping = at > bytes.len();
                return None;
            };
            at += memchr::memchr2(b'"', b'\\', rest)?;
            if bytes[at] == b'"' {
                return Some(at + 1);
            }
            at += 1;
            self.escaping = true;
        }
    }
}

/// Whether a number or word ends before this byte.
#[inline]
pub(super) fn ends_scalar(byte: u8) -> bool {
    matches!(byte, b',' | b']' | b'}' | b':' | b' ' | b'\t' | b'\n' | b'\r')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Where the value at the beginning of `text` ends, the text coming in pieces of `size`.
    fn end(text: &str, size: usize) -> Option<usize> {
        let mut skip = Skip::of(text.as_bytes()[0]);
        let mut before = 0;
        for piece in text.as_bytes().chunks(size) {
            if let Some(end) = skip.advance(piece).expect("not deep") {
                return Some(before + end);
            }
            before += piece.len();
        }
        None
    }

    #[test]
    fn values_end_where_they_end() {
        let long = format!(r#"{{"a":"{}","b":[{{}},[],{{"c":"]}}{{"}}]}}"#, "x".repeat(200));
        for value in [
            "{}",
            "[]",
            r#"{"a":"\\","b":"\"}","c":"\\\"{[","d":"é\u0022"}"#,
            r#""""#,
            r#""a\"b\\""#,
            r#""\\\\\\\"""#,
            "-1.5e+7",
            "null",
            long.as_str(),
        ] {
            for after in [",", "]", "}", " ", "\n"] {
                let text = format!("{value}{after}\"tail\"");
                for size in 1..text.len() {
                    assert_eq!(end(&text, size), Some(value.len()), "{text}, pieces of {size}");
                }
            }
        }
        for open in ["{", r#"{"a":"}"#, r#"[{"a":[]}"#, r#""a\""#, "17"] {
            for size in 1..=open.len() {
                assert_eq!(end(open, size), None, "{open}");
            }
        }
    }

    #[test]
    fn depth_is_capped() {
        let deep = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        let cap = DEPTH_CAP as usize;
        assert_eq!(Skip::of(b'[').advance(deep(cap).as_bytes()), Ok(Some(2 * cap)));
        assert_eq!(Skip::of(b'[').advance(deep(cap + 64).as_bytes()), Err(TooDeep));
    }

    proptest! {
        /// Whatever this processor can do, the outcome is that of one that can do little.
        #[test]
        fn every_processor_finds_the_same(text in r#"\{[^é]{0,60}(\{|\}|\[|\]|"|\\|a{0,40}){0,60}[^é]{0,60}"#, size in 1_usize..400) {
            let found = |find: fn(&mut Skip, &[u8]) -> Result<Option<usize>, TooDeep>| {
                let mut skip = Skip::of(b'{');
                let mut pieces = text.as_bytes().chunks(size);
                let end = pieces.find_map(|piece| Some(find(&mut skip, piece)).filter(|found| *found != Ok(None)));
                (end, pieces.count(), skip.depth, skip.in_string, skip.escaping)
            };
            let little = found(|skip, piece| skip.container_by(piece, marks, between));
            prop_assert_eq!(&found(Skip::container), &little);
            #[cfg(target_arch = "x86_64")]
            #[expect(unsafe_code, reason = "what `container` does where a processor can do no more")]
            if wider::is_there() {
                // SAFETY: the processor has just been asked.
                prop_assert_eq!(&found(|skip, piece| unsafe { skip.container_wider(piece) }), &little);
            }
        }
    }
}
