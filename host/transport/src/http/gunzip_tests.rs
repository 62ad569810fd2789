use std::io::Write;

use flate2::{Compression, GzBuilder};
use proptest::prelude::*;

use super::*;

fn packed(text: &[u8]) -> Vec<u8> {
    let mut writer = GzBuilder::new().write(Vec::new(), Compression::fast());
    writer.write_all(text).expect("write");
    writer.finish().expect("finish")
}

/// What comes of it, fed in pieces of this many bytes.
fn unpacked(packed: &[u8], pieces: usize) -> Result<Vec<u8>, Malformed> {
    let (mut gunzip, mut text) = (Gunzip::new(), Vec::new());
    for piece in packed.chunks(pieces) {
        gunzip.feed(Bytes::copy_from_slice(piece));
        while let Some(piece) = gunzip.next()? {
            assert!(piece.len() <= PIECE);
            text.extend_from_slice(&piece);
        }
    }
    gunzip.end().map(|()| text)
}

#[test]
fn members_and_headers() {
    let full = {
        let mut writer = GzBuilder::new()
            .filename("list.json")
            .comment("two\u{fe}")
            .extra(vec![7; 300])
            .write(Vec::new(), Compression::best());
        writer.write_all(b"full").expect("write");
        writer.finish().expect("finish")
    };
    for (what, packed, text) in [
        ("nothing at all", vec![], ""),
        ("an empty member", packed(b""), ""),
        ("one", packed(b"one"), "one"),
        ("every field", full.clone(), "full"),
        ("three", [packed(b"one"), packed(b""), full].concat(), "onefull"),
    ] {
        for pieces in [1, 2, 7, 1 << 20] {
            let came = unpacked(&packed, pieces);
            assert_eq!(came.as_deref(), Ok(text.as_bytes()), "{what}, {pieces} bytes at once");
        }
    }
}

#[test]
fn what_is_malformed_is_told() {
    let good = packed(&[b'x'; 5000]);
    let changed = |at: usize, to: u8| {
        let mut bytes = good.clone();
        bytes[at] = to;
        bytes
    };
    let long_name = [&[0x1f, 0x8b, 8, FNAME, 0, 0, 0, 0, 0, 0][..], &[b'n'; 5000]].concat();
    for (what, packed, why) in [
        ("JSON", b"{\"kind\":\"Status\"}".to_vec(), Malformed::Header),
        ("another method", changed(2, 7), Malformed::Header),
        ("reserved flags", changed(3, 0x80), Malformed::Header),
        ("a name without end", long_name, Malformed::LongHeader),
        ("a damaged block", changed(10, 0xff), Malformed::Deflate),
        ("a wrong checksum", changed(good.len() - 5, 0xff), Malformed::Checksum),
        ("a wrong length", changed(good.len() - 1, 9), Malformed::Checksum),
        ("garbage behind it", [&good[..], b"\0\0\0"].concat(), Malformed::Header),
        ("half a header", good[..5].to_vec(), Malformed::CutShort),
        ("half a body", good[..good.len() / 2].to_vec(), Malformed::CutShort),
        ("half a trailer", good[..good.len() - 3].to_vec(), Malformed::CutShort),
    ] {
        for pieces in [1, 1 << 20] {
            assert_eq!(unpacked(&packed, pieces), Err(why), "{what}, {pieces} bytes at once");
        }
    }
}

#[test]
fn a_bomb_is_unpacked_no_faster_than_it_is_taken() {
    let bomb = packed(&vec![0; 64 << 20]);
    assert!(bomb.len() < 512 * 1024, "{}", bomb.len());
    let mut gunzip = Gunzip::new();
    gunzip.feed(Bytes::from(bomb));
    for _ in 0..10 {
        let piece = gunzip.next().expect("fine").expect("a piece");
        assert!(piece.len() <= PIECE);
    }
}

proptest! {
    #[test]
    fn what_was_packed_comes_back(text in proptest::collection::vec(any::<u8>(), 0..5000), pieces in 1_usize..600) {
        prop_assert_eq!(unpacked(&packed(&text), pieces), Ok(text));
    }

    #[test]
    fn nothing_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), good in any::<bool>(), pieces in 1_usize..50) {
        let head = if good { packed(b"head") } else { Vec::new() };
        let _ = unpacked(&[head, bytes].concat(), pieces);
    }
}
