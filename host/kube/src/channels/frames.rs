//! WebSocket frames as a client reads and writes them, cut into pieces of channels.

use bytes::{Buf, BufMut, Bytes, BytesMut};

const FIN: u8 = 0x80;
const RESERVED: u8 = 0x70;
const MASKED: u8 = 0x80;

const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xa;

/// The most that a control frame holds (RFC 6455, 5.5).
const CONTROL: usize = 125;

/// The close code of a regular end (RFC 6455, 7.4.1).
pub const CLOSE_NORMAL: u16 = 1000;

/// A piece of a message: as much of it as has arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The message's first byte.
    pub channel: u8,
    /// What came of the rest; may be empty.
    pub bytes: Bytes,
    /// Whether this is the last piece of its message.
    pub ends: bool,
}

/// What a server said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// A piece of a message.
    Piece(Piece),
    /// It wants to be answered with a pong of the same bytes.
    Ping(Bytes),
    /// It answers a ping of these bytes.
    Pong(Bytes),
    /// It says nothing more.
    Close {
        /// Why; none where it gave no reason.
        code: Option<u16>,
        /// For people, as it came.
        reason: String,
    },
}

/// What a server may not send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Bits that only an extension gives a meaning to, and none was agreed on.
    #[error("a WebSocket frame with reserved bits set")]
    Reserved,
    /// A kind of frame that RFC 6455 does not have.
    #[error("a WebSocket frame of the unknown kind {0:#x}")]
    Kind(u8),
    /// Servers do not mask.
    #[error("a masked WebSocket frame, which only clients send")]
    Masked,
    /// A text message: channels are bytes.
    #[error("a text message in a tunnel of bytes")]
    Text,
    /// A control frame in parts, or longer than 125 bytes.
    #[error("a WebSocket control frame that is cut up or longer than 125 bytes")]
    Control,
    /// A message within a message, or the rest of one that never began.
    #[error("a WebSocket message that begins within another, or goes on without having begun")]
    Order,
    /// A length that does not fit 63 bits, or is written longer than it need be.
    #[error("a WebSocket frame whose length is written wrongly")]
    Length,
    /// A close frame of one byte.
    #[error("a WebSocket close frame with half a code")]
    CloseCode,
}

/// Takes apart what a server sends. Holds no more than what was put in and not taken out.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: BytesMut,
    /// The frame at hand, once its head is read.
    frame: Option<Head>,
    message: Message,
    closed: bool,
}

/// Where the decoder is among messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Message {
    #[default]
    Between,
    /// Its first byte has not come.
    Begun,
    /// Its rest is of this channel.
    Of(u8),
}

#[derive(Clone, Copy, Debug)]
struct Head {
    kind: u8,
    is_final: bool,
    /// Bytes of the payload that were not handed on.
    left: u64,
}

impl Decoder {
    /// Where to put what arrives.
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Whether the server's close frame was handed on: what is put in after it counts for nothing.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether the server is in the middle of something: an end here cuts it short.
    pub fn is_within(&self) -> bool {
        !self.closed && (self.frame.is_some() || !self.buffer.is_empty() || self.message != Message::Between)
    }

    /// What comes next of what was put in; none where more is needed.
    ///
    /// Errors: the server speaks no WebSocket; nothing after it can be understood.
    pub fn decode(&mut self) -> Result<Option<Received>, Malformed> {
        while !self.closed {
            let head = match self.frame {
                Some(head) => head,
                None => match self.head()? {
                    Some(head) => *self.frame.insert(head),
                    None => return Ok(None),
                },
            };
            if head.kind & 0x8 != 0 {
                return self.control(head);
            }
            match self.data(head) {
                Data::Piece(piece) => return Ok(Some(Received::Piece(piece))),
                Data::Wanting => return Ok(None),
                Data::Empty => {}
            }
        }
        Ok(None)
    }

    /// The head of the next frame, taken out of the buffer once it is whole.
    fn head(&mut self) -> Result<Option<Head>, Malformed> {
        let [first, second, rest @ ..] = &self.buffer[..] else { return Ok(None) };
        let (first, second) = (*first, *second);
        if first & RESERVED != 0 {
            return Err(Malformed::Reserved);
        }
        let (kind, is_final) = (first & 0xf, first & FIN != 0);
        match (kind, self.message) {
            (TEXT, _) => return Err(Malformed::Text),
            (CONTINUATION, Message::Between) => return Err(Malformed::Order),
            (BINARY, Message::Begun | Message::Of(_)) => return Err(Malformed::Order),
            (CONTINUATION | BINARY, _) => {}
            (CLOSE | PING | PONG, _) if !is_final || usize::from(second & !MASKED) > CONTROL => {
                return Err(Malformed::Control);
            }
            (CLOSE | PING | PONG, _) => {}
            (kind, _) => return Err(Malformed::Kind(kind)),
        }
        if second & MASKED != 0 {
            return Err(Malformed::Masked);
        }
        let (left, size) = match (second, rest) {
            (126, [a, b, ..]) => (u64::from(u16::from_be_bytes([*a, *b])), 4),
            (127, [a, b, c, d, e, f, g, h, ..]) => (u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]), 10),
            (126 | 127, _) => return Ok(None),
            (length, _) => (u64::from(length), 2),
        };
        let fits = match size {
            4 => left >= 126,
            10 => left > u64::from(u16::MAX) && left <= i64::MAX as u64,
            _ => true,
        };
        if !fits {
            return Err(Malformed::Length);
        }
        self.buffer.advance(size);
        if kind == BINARY {
            self.message = Message::Begun;
        }
        Ok(Some(Head { kind, is_final, left }))
    }

    /// What is there of a frame that carries a message.
    fn data(&mut self, mut head: Head) -> Data {
        if self.message == Message::Begun && head.left > 0 {
            if self.buffer.is_empty() {
                return Data::Wanting;
            }
            self.message = Message::Of(self.buffer.get_u8());
            head.left -= 1;
        }
        let there = usize::try_from(head.left).map_or(self.buffer.len(), |left| left.min(self.buffer.len()));
        if there == 0 && head.left > 0 {
            self.frame = Some(head);
            return Data::Wanting;
        }
        let bytes = self.buffer.split_to(there).freeze();
        head.left -= there as u64;
        let ends = head.left == 0 && head.is_final;
        self.frame = (head.left > 0).then_some(head);
        let channel = self.message;
        if ends {
            self.message = Message::Between;
        }
        match channel {
            Message::Of(channel) if ends || !bytes.is_empty() => Data::Piece(Piece { channel, bytes, ends }),
            // A message of nothing names no channel, and says nothing.
            _ => Data::Empty,
        }
    }

    fn control(&mut self, head: Head) -> Result<Option<Received>, Malformed> {
        // At most 125 bytes.
        let length = head.left as usize;
        if self.buffer.len() < length {
            return Ok(None);
        }
        let mut payload = self.buffer.split_to(length).freeze();
        self.frame = None;
        Ok(Some(match head.kind {
            PING => Received::Ping(payload),
            PONG => Received::Pong(payload),
            _ => {
                self.closed = true;
                let code = match payload.len() {
                    0 => None,
                    1 => return Err(Malformed::CloseCode),
                    _ => Some(payload.get_u16()),
                };
                Received::Close { code, reason: String::from_utf8_lossy(&payload).into_owned() }
            }
        }))
    }
}

enum Data {
    Piece(Piece),
    /// More bytes are needed.
    Wanting,
    /// The frame is over, and nothing of it is anybody's.
    Empty,
}

/// Puts together what a client sends. Each frame needs a mask that nobody could foresee (RFC 6455, 5.3).
#[derive(Debug, Default)]
pub struct Encoder {
    buffer: BytesMut,
}

impl Encoder {
    /// What is to be sent, from which the caller takes what it has sent.
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// A whole message for one channel.
    pub fn message(&mut self, channel: u8, bytes: &[u8], mask: [u8; 4]) {
        self.frame(BINARY, &[&[channel], bytes], mask);
    }

    /// A ping of at most 125 bytes; what is longer is cut off.
    pub fn ping(&mut self, bytes: &[u8], mask: [u8; 4]) {
        self.frame(PING, &[&bytes[..bytes.len().min(CONTROL)]], mask);
    }

    /// The answer to a ping of these bytes.
    pub fn pong(&mut self, bytes: &[u8], mask: [u8; 4]) {
        self.frame(PONG, &[&bytes[..bytes.len().min(CONTROL)]], mask);
    }

    /// That nothing more is sent.
    pub fn close(&mut self, code: u16, mask: [u8; 4]) {
        self.frame(CLOSE, &[&code.to_be_bytes()], mask);
    }

    fn frame(&mut self, kind: u8, parts: &[&[u8]], mask: [u8; 4]) {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        self.buffer.reserve(length + 14);
        self.buffer.put_u8(FIN | kind);
        match length {
            0..126 => self.buffer.put_u8(MASKED | length as u8),
            126..=0xffff => {
                self.buffer.put_u8(MASKED | 126);
                self.buffer.put_u16(length as u16);
            }
            _ => {
                self.buffer.put_u8(MASKED | 127);
                self.buffer.put_u64(length as u64);
            }
        }
        self.buffer.put_slice(&mask);
        let begin = self.buffer.len();
        for part in parts {
            self.buffer.put_slice(part);
        }
        apply(mask, &mut self.buffer[begin..]);
    }
}

/// Masks in place, eight bytes at a time.
fn apply(mask: [u8; 4], bytes: &mut [u8]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = bytes.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

#[cfg(test)]
#[path = "frames_tests.rs"]
mod tests;
