//! Sixty-four bytes at a time: where quotes, backslashes and brackets are.

/// One bit for each byte of a block, the first byte being the lowest bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    pub(crate) quotes: u64,
    pub(crate) backslashes: u64,
    /// `{` and `[`
    pub(crate) opens: u64,
    /// `}` and `]`
    pub(crate) closes: u64,
}

/// The marks of one block.
///
/// `[` and `{`, and `]` and `}`, differ in one bit only, which is set before they are compared. What a guest's machine
/// lacks, its component says when it is loaded, so that this needs no check.
#[cfg_attr(target_arch = "wasm32", target_feature(enable = "simd128"))]
pub(crate) fn marks(block: &[u8; 64]) -> Marks {
    let mut marks = Marks::default();
    for (index, bytes) in block.as_chunks::<16>().0.iter().enumerate() {
        let [quotes, backslashes, opens, closes] = lanes::compare(bytes);
        let shift = index * 16;
        marks.quotes |= u64::from(quotes) << shift;
        marks.backslashes |= u64::from(backslashes) << shift;
        marks.opens |= u64::from(opens) << shift;
        marks.closes |= u64::from(closes) << shift;
    }
    marks
}

#[cfg(target_arch = "wasm32")]
mod lanes {
    use core::arch::wasm32::{i8x16_bitmask, i8x16_eq, u8x16_splat, u64x2, v128_or};

    /// Bits of the quotes, backslashes, opening and closing brackets of sixteen bytes.
    #[inline]
    #[target_feature(enable = "simd128")]
    pub(super) fn compare(bytes: &[u8; 16]) -> [u16; 4] {
        let whole = u128::from_le_bytes(*bytes);
        let lanes = u64x2(whole as u64, (whole >> 64) as u64);
        let folded = v128_or(lanes, u8x16_splat(0x20));
        [
            i8x16_bitmask(i8x16_eq(lanes, u8x16_splat(b'"'))),
            i8x16_bitmask(i8x16_eq(lanes, u8x16_splat(b'\\'))),
            i8x16_bitmask(i8x16_eq(folded, u8x16_splat(b'{'))),
            i8x16_bitmask(i8x16_eq(folded, u8x16_splat(b'}'))),
        ]
    }
}

#[cfg(target_arch = "x86_64")]
mod lanes {
    use core::arch::x86_64::{
        __m128i, _mm_cmpeq_epi8, _mm_movemask_epi8, _mm_or_si128, _mm_set_epi64x, _mm_set1_epi8,
    };

    /// Bits of the quotes, backslashes, opening and closing brackets of sixteen bytes.
    #[inline]
    #[allow(unsafe_code)]
    pub(super) fn compare(bytes: &[u8; 16]) -> [u16; 4] {
        // SAFETY: the function touches no memory but its argument, and every x86-64 has SSE2.
        unsafe { compare_sse2(bytes) }
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn compare_sse2(bytes: &[u8; 16]) -> [u16; 4] {
        let whole = u128::from_le_bytes(*bytes);
        let lanes = _mm_set_epi64x((whole >> 64) as i64, whole as i64);
        let folded = _mm_or_si128(lanes, _mm_set1_epi8(0x20));
        [bits(lanes, b'"'), bits(lanes, b'\\'), bits(folded, b'{'), bits(folded, b'}')]
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn bits(lanes: __m128i, wanted: u8) -> u16 {
        _mm_movemask_epi8(_mm_cmpeq_epi8(lanes, _mm_set1_epi8(wanted as i8))) as u16
    }
}

#[cfg(not(any(target_arch = "wasm32", target_arch = "x86_64")))]
mod lanes {
    /// Bits of the quotes, backslashes, opening and closing brackets of sixteen bytes.
    #[inline]
    pub(super) fn compare(bytes: &[u8; 16]) -> [u16; 4] {
        [bits(bytes, 0, b'"'), bits(bytes, 0, b'\\'), bits(bytes, 0x20, b'{'), bits(bytes, 0x20, b'}')]
    }

    #[inline]
    fn bits(bytes: &[u8; 16], fold: u8, wanted: u8) -> u16 {
        let mut bits = 0;
        for (index, byte) in bytes.iter().enumerate() {
            bits |= u16::from(byte | fold == wanted) << index;
        }
        bits
    }
}

/// The bits of bytes between quotes, an opening quote included and a closing one not.
pub(crate) fn between(mut quotes: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        quotes ^= quotes << shift;
    }
    quotes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_marked_as_what_it_is() {
        for byte in 0..=255 {
            for place in [0, 15, 16, 63] {
                let mut block = [b' '; 64];
                block[place] = byte;
                let bit = |yes: bool| u64::from(yes) << place;
                let wanted = Marks {
                    quotes: bit(byte == b'"'),
                    backslashes: bit(byte == b'\\'),
                    opens: bit(byte == b'{' || byte == b'['),
                    closes: bit(byte == b'}' || byte == b']'),
                };
                assert_eq!(marks(&block), wanted, "byte {byte} at {place}");
            }
        }
    }

    #[test]
    fn between_quotes() {
        assert_eq!(between(0b1000_0010), 0b0111_1110);
        assert_eq!(between(1 << 63), 1 << 63);
        assert_eq!(between(0), 0);
    }
}
