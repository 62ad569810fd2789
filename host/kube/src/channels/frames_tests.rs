use proptest::prelude::*;

use super::*;

/// A frame as a server writes it.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..126 => bytes.push(length as u8),
        length @ 126..=0xffff => {
            bytes.push(126);
            bytes.extend((length as u16).to_be_bytes());
        }
        length => {
            bytes.push(127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(payload);
    bytes
}

/// All that comes of `bytes`, put in by pieces of `step`.
fn decode(bytes: &[u8], step: usize) -> (Vec<Received>, Option<Malformed>) {
    let mut decoder = Decoder::default();
    let mut all = Vec::new();
    for part in bytes.chunks(step) {
        decoder.buffer().extend_from_slice(part);
        loop {
            match decoder.decode() {
                Ok(Some(received)) => all.push(received),
                Ok(None) => break,
                Err(malformed) => return (all, Some(malformed)),
            }
        }
    }
    (all, None)
}

/// Pieces put together again: channel and bytes of each message that ended.
fn messages(all: &[Received]) -> Vec<(u8, Vec<u8>)> {
    let (mut whole, mut begun) = (Vec::new(), Vec::new());
    for received in all {
        if let Received::Piece(piece) = received {
            begun.extend_from_slice(&piece.bytes);
            if piece.ends {
                whole.push((piece.channel, std::mem::take(&mut begun)));
            }
        }
    }
    whole
}

#[test]
fn what_a_server_may_not_send_is_refused() {
    let long = |length: u64| [&[0x82, 127][..], &length.to_be_bytes()].concat();
    for (bytes, expected) in [
        (vec![0xc2, 0], Malformed::Reserved),
        (vec![0xa2, 0], Malformed::Reserved),
        (vec![0x92, 0], Malformed::Reserved),
        (vec![0x83, 0], Malformed::Kind(3)),
        (vec![0x8b, 0], Malformed::Kind(0xb)),
        (vec![0x82, 0x81, 1, 2, 3, 4, 5], Malformed::Masked),
        (vec![0x81, 1, b'a'], Malformed::Text),
        (vec![0x80, 1, 1], Malformed::Order),
        (vec![0x02, 1, 1, 0x82, 1, 1], Malformed::Order),
        (vec![0x09, 0], Malformed::Control),
        (vec![0x89, 126, 0, 126], Malformed::Control),
        (vec![0x88, 127], Malformed::Control),
        (vec![0x82, 126, 0, 125], Malformed::Length),
        (long(0xffff), Malformed::Length),
        (long(1 << 63), Malformed::Length),
        (vec![0x88, 1, 3], Malformed::CloseCode),
    ] {
        for step in [1, 64] {
            assert_eq!(decode(&bytes, step).1, Some(expected), "{bytes:x?}");
        }
    }
}

#[test]
fn a_frame_that_claims_more_than_there_is_costs_nothing() {
    let mut decoder = Decoder::default();
    decoder
        .buffer()
        .extend_from_slice(&[&[0x82, 127][..], &(i64::MAX as u64).to_be_bytes(), &[1, 7]].concat());
    let piece = Piece { channel: 1, bytes: Bytes::from_static(&[7]), ends: false };
    assert_eq!(decoder.decode(), Ok(Some(Received::Piece(piece))));
    assert_eq!(decoder.decode(), Ok(None));
    assert!(decoder.is_within() && decoder.buffer().capacity() < 1024);
}

#[test]
fn control_frames_come_in_the_middle_of_messages() {
    let bytes = [
        frame(0x02, b"\x01ab"),
        frame(0x89, b"ping"),
        frame(0x00, b""),
        frame(0x8a, b""),
        frame(0x80, b"cd"),
        frame(0x82, b""),
        frame(0x02, b""),
        frame(0x80, b"\x03x"),
        frame(0x82, b"\x02"),
        frame(0x88, b"\x03\xe8bye"),
        frame(0x81, b"whatever comes after it"),
    ]
    .concat();
    for step in 1..bytes.len() {
        let (all, malformed) = decode(&bytes, step);
        assert_eq!(malformed, None, "by {step}");
        assert_eq!(messages(&all), [(1, b"abcd".to_vec()), (3, b"x".to_vec()), (2, Vec::new())], "by {step}");
        let controls: Vec<_> = all.into_iter().filter(|one| !matches!(one, Received::Piece(_))).collect();
        let close = Received::Close { code: Some(CLOSE_NORMAL), reason: "bye".into() };
        assert_eq!(
            controls,
            [Received::Ping("ping".into()), Received::Pong(Bytes::new()), close],
            "by {step}"
        );
    }
}

#[test]
fn an_end_is_told_from_a_cut() {
    for (bytes, within, closed) in [
        (Vec::new(), false, false),
        (vec![0x82], true, false),
        (frame(0x82, b"\x01abc")[..4].to_vec(), true, false),
        (frame(0x82, b"\x01abc"), false, false),
        (frame(0x02, b"\x01abc"), true, false),
        (frame(0x88, b""), false, true),
    ] {
        let mut decoder = Decoder::default();
        decoder.buffer().extend_from_slice(&bytes);
        while decoder.decode().expect("well formed").is_some() {}
        assert_eq!((decoder.is_within(), decoder.is_closed()), (within, closed), "{bytes:x?}");
    }
}

proptest! {
    /// What an encoder writes is, unmasked, what a decoder reads, however it is cut.
    #[test]
    fn messages_survive(
        messages in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..300)), 0..8),
        mask: [u8; 4],
        step in 1usize..400,
    ) {
        let mut encoder = Encoder::default();
        for (channel, bytes) in &messages {
            encoder.message(*channel, bytes, mask);
        }
        let mut sent = encoder.buffer().split();
        let mut served = Vec::new();
        while !sent.is_empty() {
            prop_assert_eq!(sent[0], 0x82);
            let length = match sent[1] & 0x7f {
                126 => { let length = usize::from(u16::from_be_bytes([sent[2], sent[3]])); sent.advance(4); length }
                length => { sent.advance(2); usize::from(length) }
            };
            prop_assert_eq!(&sent[..4], &mask[..]);
            sent.advance(4);
            let payload: Vec<u8> = sent.split_to(length).iter().zip(mask.iter().cycle()).map(|(a, b)| a ^ b).collect();
            served.extend(frame(0x82, &payload));
        }
        let (all, malformed) = decode(&served, step);
        prop_assert_eq!(malformed, None);
        prop_assert_eq!(self::messages(&all), messages);
    }

    #[test]
    fn no_bytes_break_the_decoder(bytes in prop::collection::vec(any::<u8>(), 0..600), step in 1usize..64) {
        let (all, _) = decode(&bytes, step);
        let handed: usize = all.iter().map(|one| match one {
            Received::Piece(piece) => piece.bytes.len(),
            Received::Ping(bytes) | Received::Pong(bytes) => bytes.len(),
            Received::Close { reason, .. } => reason.len() / 3,
        }).sum();
        prop_assert!(handed <= bytes.len());
    }
}

#[test]
fn long_messages_have_long_lengths() {
    let mask = [1, 2, 3, 4];
    for (length, head) in [(124, 2), (125, 4), (0xfffe, 4), (0xffff, 10)] {
        let mut encoder = Encoder::default();
        encoder.message(7, &vec![0; length], mask);
        assert_eq!(encoder.buffer().len(), head + 4 + 1 + length, "{length}");
        assert_eq!(encoder.buffer()[head + 4], 7 ^ 1);
    }
}
