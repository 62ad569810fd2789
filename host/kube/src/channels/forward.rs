//! port-forward: one connection to a port of a pod.
//!
//! Of each port that is asked for there are two channels, 2·n for its bytes and 2·n + 1 for what went wrong; here there is one port. The server
//! begins each channel with the port's number, two bytes, low one first (`k8s.io/cri-streaming/pkg/streaming/portforward/websocket.go`). What
//! a client sends has no such beginning, and there is no way to say that one side sends no more.

use bytes::{Buf, Bytes};

use super::Piece;

/// What clients and servers call the protocol.
pub const PROTOCOLS: &[&str] = &["v4.channel.k8s.io"];

/// The port's bytes, both ways.
pub const DATA: u8 = 0;
/// What went wrong, from the server.
pub const ERROR: u8 = 1;

/// How much of what went wrong is kept; the rest is cut off.
pub const ERROR_CAP: usize = 4096;

/// What a server may not send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A channel begins with another port than the one that was asked for.
    #[error("channel {channel} is of port {found}, and port {wanted} was asked for")]
    Port {
        /// The channel.
        channel: u8,
        /// Its first two bytes.
        found: u16,
        /// The port that was asked for.
        wanted: u16,
    },
    /// A channel that nobody asked for.
    #[error("there are no bytes to come on channel {0}")]
    Channel(u8),
}

/// Takes apart what comes from one port.
#[derive(Clone, Debug)]
pub struct Port {
    port: u16,
    data: Begin,
    error: Begin,
    said: Vec<u8>,
}

/// How much of the port's number a channel has begun with.
#[derive(Clone, Copy, Debug)]
enum Begin {
    Nothing,
    Half(u8),
    Whole,
}

impl Port {
    /// Of the port that was asked for.
    pub fn new(port: u16) -> Port {
        Port { port, data: Begin::Nothing, error: Begin::Nothing, said: Vec::new() }
    }

    /// The port's bytes in a piece; empty where there are none.
    ///
    /// Errors: the server speaks something else; nothing after it can be understood.
    pub fn take(&mut self, piece: Piece) -> Result<Bytes, Malformed> {
        let Piece { channel, mut bytes, .. } = piece;
        let begin = match channel {
            DATA => &mut self.data,
            ERROR => &mut self.error,
            other => return Err(Malformed::Channel(other)),
        };
        while !bytes.is_empty() && !matches!(begin, Begin::Whole) {
            let byte = bytes.get_u8();
            *begin = match *begin {
                Begin::Nothing => Begin::Half(byte),
                Begin::Half(low) => {
                    let found = u16::from_le_bytes([low, byte]);
                    if found != self.port {
                        return Err(Malformed::Port { channel, found, wanted: self.port });
                    }
                    Begin::Whole
                }
                Begin::Whole => Begin::Whole,
            };
        }
        if channel == ERROR {
            let room = ERROR_CAP - self.said.len();
            self.said.extend_from_slice(&bytes[..bytes.len().min(room)]);
            return Ok(Bytes::new());
        }
        Ok(bytes)
    }

    /// What went wrong, as far as the server has said it; none where it has said nothing.
    pub fn said(&self) -> Option<String> {
        let text = String::from_utf8_lossy(&self.said);
        (!text.trim().is_empty()).then(|| text.trim().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(channel: u8, bytes: &[u8]) -> Piece {
        Piece { channel, bytes: Bytes::copy_from_slice(bytes), ends: true }
    }

    #[test]
    fn the_port_is_stripped_however_it_is_cut() {
        let data = b"\x90\x1fhello";
        for cut in 0..=data.len() {
            for second in cut..=data.len() {
                let mut port = Port::new(8080);
                let mut all = Vec::new();
                for part in [&data[..cut], &data[cut..second], &data[second..]] {
                    all.extend_from_slice(&port.take(piece(DATA, part)).expect("well formed"));
                    assert_eq!(port.take(piece(ERROR, b"")), Ok(Bytes::new()));
                }
                assert_eq!((all.as_slice(), port.said()), (&b"hello"[..], None), "{cut} {second}");
            }
        }
    }

    #[test]
    fn what_a_server_may_not_send_is_refused() {
        for (channel, bytes, expected) in [
            (DATA, &b"\x50\x00hello"[..], Malformed::Port { channel: 0, found: 80, wanted: 8080 }),
            (ERROR, b"\x1f\x90", Malformed::Port { channel: 1, found: 0x901f, wanted: 8080 }),
            (2, b"\x90\x1f", Malformed::Channel(2)),
            (255, b"", Malformed::Channel(255)),
        ] {
            assert_eq!(Port::new(8080).take(piece(channel, bytes)), Err(expected));
        }
    }

    #[test]
    fn what_went_wrong_is_kept_up_to_a_cap() {
        let mut port = Port::new(8080);
        assert_eq!(port.take(piece(ERROR, b"\x90\x1f")), Ok(Bytes::new()));
        assert_eq!(port.said(), None);
        assert_eq!(port.take(piece(ERROR, b" connection ")), Ok(Bytes::new()));
        assert_eq!(port.take(piece(ERROR, b"refused\n")), Ok(Bytes::new()));
        assert_eq!(port.said().as_deref(), Some("connection refused"));
        for _ in 0..10 {
            assert_eq!(port.take(piece(ERROR, &[b'x'; 1000])), Ok(Bytes::new()));
        }
        assert_eq!(port.said().map(|text| text.len()), Some(ERROR_CAP - 1));
    }
}
