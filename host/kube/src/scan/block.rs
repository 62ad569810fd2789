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

/// The marks of one block. `[` and `{`, and `]` and `}`, differ in one bit only, which is set before they are compared.
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
