//! Sixty-four bytes at a time: where quotes, backslashes and brackets are.

use wide::u8x16;

/// One bit for each byte of a block, the first byte being the lowest bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Marks {
    pub(super) quotes: u64,
    pub(super) backslashes: u64,
    /// `{` and `[`
    pub(super) opens: u64,
    /// `}` and `]`
    pub(super) closes: u64,
}

/// The marks of one block, on any processor. `[` and `{`, and `]` and `}`, differ in one bit only, which is set before they are compared.
#[inline]
pub(super) fn marks(block: &[u8; 64]) -> Marks {
    let (quote, backslash) = (u8x16::splat(b'"'), u8x16::splat(b'\\'));
    let (fold, open, close) = (u8x16::splat(0x20), u8x16::splat(b'{'), u8x16::splat(b'}'));
    let mut marks = Marks::default();
    for (index, bytes) in block.as_chunks::<16>().0.iter().enumerate() {
        let lanes = u8x16::from(*bytes);
        let folded = lanes | fold;
        let bits = |found: u8x16| u64::from(found.to_bitmask()) << (index * 16);
        marks.quotes |= bits(lanes.simd_eq(quote));
        marks.backslashes |= bits(lanes.simd_eq(backslash));
        marks.opens |= bits(folded.simd_eq(open));
        marks.closes |= bits(folded.simd_eq(close));
    }
    marks
}

/// The bits of bytes between quotes, an opening quote included and a closing one not.
#[inline]
pub(super) fn between(mut quotes: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        quotes ^= quotes << shift;
    }
    quotes
}

/// The bits of bytes that follow a backslash which is not itself escaped. `first` says whether the first byte is one.
///
/// As simdjson does it: within a run of backslashes every second byte is escaped, and a subtraction finds where each run ends.
#[inline]
pub(super) fn escaped(backslashes: u64, first: bool) -> u64 {
    const ODD: u64 = 0xaaaa_aaaa_aaaa_aaaa;
    let first = u64::from(first);
    let starts = backslashes & !first;
    let ends = ((starts << 1) | ODD).wrapping_sub(starts) ^ ODD;
    ends ^ (backslashes | first)
}

/// The same with what most processors since 2013 have: half of the time.
#[cfg(target_arch = "x86_64")]
pub(super) mod wider {
    use std::arch::x86_64::{
        __m256i, _mm_clmulepi64_si128, _mm_cvtsi128_si64, _mm_set_epi64x, _mm256_cmpeq_epi8,
        _mm256_movemask_epi8, _mm256_or_si256, _mm256_set_epi64x, _mm256_set1_epi8,
    };

    use super::Marks;

    /// Whether this processor has it.
    #[inline]
    pub(in crate::scan) fn is_there() -> bool {
        is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("pclmulqdq")
            && is_x86_feature_detected!("popcnt")
            && is_x86_feature_detected!("bmi1")
    }

    /// As [`marks`](super::marks).
    #[inline]
    #[target_feature(enable = "avx2,pclmulqdq,popcnt,bmi1")]
    pub(in crate::scan) fn marks(block: &[u8; 64]) -> Marks {
        let [low, high] = halves(block);
        let fold = _mm256_set1_epi8(0x20);
        let (low_folded, high_folded) = (_mm256_or_si256(low, fold), _mm256_or_si256(high, fold));
        Marks {
            quotes: found(low, high, b'"'),
            backslashes: found(low, high, b'\\'),
            opens: found(low_folded, high_folded, b'{'),
            closes: found(low_folded, high_folded, b'}'),
        }
    }

    /// As [`between`](super::between): a product without carries by ones alone sums up the bits below each.
    #[inline]
    #[target_feature(enable = "avx2,pclmulqdq,popcnt,bmi1")]
    pub(in crate::scan) fn between(quotes: u64) -> u64 {
        let product = _mm_clmulepi64_si128::<0>(_mm_set_epi64x(0, quotes as i64), _mm_set_epi64x(0, -1));
        _mm_cvtsi128_si64(product) as u64
    }

    /// A load each, written so that no pointer is needed.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn halves(block: &[u8; 64]) -> [__m256i; 2] {
        let words: [i64; 8] =
            std::array::from_fn(|index| i64::from_le_bytes(block.as_chunks::<8>().0[index]));
        let [a, b, c, d, e, f, g, h] = words;
        [_mm256_set_epi64x(d, c, b, a), _mm256_set_epi64x(h, g, f, e)]
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn found(low: __m256i, high: __m256i, byte: u8) -> u64 {
        let wanted = _mm256_set1_epi8(byte as i8);
        let [low, high] =
            [low, high].map(|half| _mm256_movemask_epi8(_mm256_cmpeq_epi8(half, wanted)) as u32);
        u64::from(high) << 32 | u64::from(low)
    }
}

/// The same with what servers have had since 2019: half of the time again. Its masks come as words, with nothing to be put together.
#[cfg(target_arch = "x86_64")]
pub(super) mod widest {
    use std::arch::x86_64::{_mm512_cmpeq_epi8_mask, _mm512_or_si512, _mm512_set_epi64, _mm512_set1_epi8};

    use super::{Marks, wider};

    /// Whether this processor has it. VBMI2 is not used: processors that have it do not slow down where their whole width is.
    #[inline]
    pub(in crate::scan) fn is_there() -> bool {
        is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vbmi2")
            && wider::is_there()
    }

    /// As [`marks`](super::marks).
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx2,pclmulqdq,popcnt,bmi1")]
    pub(in crate::scan) fn marks(block: &[u8; 64]) -> Marks {
        let words: [i64; 8] =
            std::array::from_fn(|index| i64::from_le_bytes(block.as_chunks::<8>().0[index]));
        let [a, b, c, d, e, f, g, h] = words;
        let block = _mm512_set_epi64(h, g, f, e, d, c, b, a);
        let folded = _mm512_or_si512(block, _mm512_set1_epi8(0x20));
        Marks {
            quotes: _mm512_cmpeq_epi8_mask(block, _mm512_set1_epi8(b'"' as i8)),
            backslashes: _mm512_cmpeq_epi8_mask(block, _mm512_set1_epi8(b'\\' as i8)),
            opens: _mm512_cmpeq_epi8_mask(folded, _mm512_set1_epi8(b'{' as i8)),
            closes: _mm512_cmpeq_epi8_mask(folded, _mm512_set1_epi8(b'}' as i8)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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

    proptest! {
        #[test]
        fn escapes_are_found_as_one_by_one(backslashes: u64, more: u64, first: bool) {
            for backslashes in [backslashes, backslashes & more, backslashes | more] {
                let (mut expected, mut escaping) = (0_u64, first);
                for index in 0..64 {
                    if escaping {
                        expected |= 1 << index;
                        escaping = false;
                    } else {
                        escaping = backslashes >> index & 1 == 1;
                    }
                }
                prop_assert_eq!(escaped(backslashes, first), expected);
            }
        }
    }
}
