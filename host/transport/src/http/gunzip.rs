//! gzip (RFC 1952) as it arrives. Knows no sockets.

use std::fmt;

use bytes::{Buf, Bytes};
use flate2::{Crc, Decompress, FlushDecompress, Status};

/// How much is unpacked at once, in bytes: what a bomb unpacks to is made no faster than somebody takes it.
const PIECE: usize = 64 * 1024;

/// The longest header of a member. A name and a comment may be in it, which nobody reads.
const MAX_HEADER: usize = 4 * 1024;

const FEXTRA: u8 = 4;
const FNAME: u8 = 8;
const FCOMMENT: u8 = 16;
const FHCRC: u8 = 2;
const RESERVED: u8 = 0b1110_0000;

/// Unpacks what it is fed. Members that follow one another are one text.
pub(super) struct Gunzip {
    input: Bytes,
    state: State,
    inflate: Decompress,
    crc: Crc,
}

#[derive(Debug)]
enum State {
    /// Nothing came yet, or a member ended: here the text may end.
    Between,
    /// In a member's header, of which this much is there.
    Header(Vec<u8>),
    Body,
    /// In the eight bytes behind a member's text.
    Trailer(Vec<u8>),
}

/// Why a text cannot be unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Malformed {
    /// It does not begin as gzip does.
    Header,
    /// A header is longer than [`MAX_HEADER`].
    LongHeader,
    /// What is packed is damaged.
    Deflate,
    /// Checksum or length do not fit what was unpacked.
    Checksum,
    /// It ends in the middle.
    CutShort,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Malformed::Header => f.write_str("what calls itself gzip does not begin as gzip"),
            Malformed::LongHeader => write!(f, "a gzip header is longer than {MAX_HEADER} bytes, the cap"),
            Malformed::Deflate => f.write_str("the gzip data is damaged"),
            Malformed::Checksum => f.write_str("the gzip checksum does not fit"),
            Malformed::CutShort => f.write_str("the gzip data ends in the middle"),
        }
    }
}

impl std::error::Error for Malformed {}

impl Gunzip {
    pub(super) fn new() -> Gunzip {
        Gunzip {
            input: Bytes::new(),
            state: State::Between,
            inflate: Decompress::new(false),
            crc: Crc::new(),
        }
    }

    /// More of what is packed. To be called once [`next`](Gunzip::next) has given all of what came before.
    pub(super) fn feed(&mut self, input: Bytes) {
        debug_assert!(self.input.is_empty());
        self.input = input;
    }

    /// The next piece, at most [`PIECE`] bytes, none where more has to be fed.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>, Malformed> {
        loop {
            match &mut self.state {
                State::Between if self.input.is_empty() => return Ok(None),
                State::Between => self.state = State::Header(Vec::with_capacity(10)),
                State::Header(head) => match header(head, &mut self.input)? {
                    Complete::No => return Ok(None),
                    Complete::Yes => {
                        self.inflate.reset(false);
                        self.crc.reset();
                        self.state = State::Body;
                    }
                },
                State::Body => match self.inflate()? {
                    piece @ Some(_) => return Ok(piece),
                    None if matches!(self.state, State::Body) => return Ok(None),
                    None => {}
                },
                State::Trailer(tail) => {
                    let missing = (8 - tail.len()).min(self.input.len());
                    tail.extend_from_slice(&self.input.split_to(missing));
                    if tail.len() < 8 {
                        return Ok(None);
                    }
                    let sum = [self.crc.sum().to_le_bytes(), self.crc.amount().to_le_bytes()].concat();
                    if *tail != sum {
                        return Err(Malformed::Checksum);
                    }
                    self.state = State::Between;
                }
            }
        }
    }

    /// Whether the text may end here.
    pub(super) fn end(&self) -> Result<(), Malformed> {
        if matches!(self.state, State::Between) { Ok(()) } else { Err(Malformed::CutShort) }
    }

    /// A piece; none where the member has ended or more input is wanted.
    fn inflate(&mut self) -> Result<Option<Bytes>, Malformed> {
        let mut piece = Vec::with_capacity(PIECE.min(self.input.len().saturating_mul(8).max(1024)));
        let before = self.inflate.total_in();
        let status = self.inflate.decompress_vec(&self.input, &mut piece, FlushDecompress::None);
        let taken = (self.inflate.total_in() - before) as usize;
        self.input.advance(taken);
        if status.map_err(|_| Malformed::Deflate)? == Status::StreamEnd {
            self.state = State::Trailer(Vec::with_capacity(8));
        }
        self.crc.update(&piece);
        Ok((!piece.is_empty()).then(|| Bytes::from(piece)))
    }
}

enum Complete {
    Yes,
    No,
}

/// Moves a member's header from `input` to `head`, byte by byte: it has ten of them as a rule.
fn header(head: &mut Vec<u8>, input: &mut Bytes) -> Result<Complete, Malformed> {
    loop {
        if let Complete::Yes = check(head)? {
            return Ok(Complete::Yes);
        }
        if head.len() == MAX_HEADER {
            return Err(Malformed::LongHeader);
        }
        if input.is_empty() {
            return Ok(Complete::No);
        }
        head.push(input.get_u8());
    }
}

fn check(head: &[u8]) -> Result<Complete, Malformed> {
    const MAGIC: [u8; 3] = [0x1f, 0x8b, 8];
    if !head.iter().zip(MAGIC).all(|(is, must)| *is == must) {
        return Err(Malformed::Header);
    }
    let Some(flags) = head.get(3) else { return Ok(Complete::No) };
    if flags & RESERVED != 0 {
        return Err(Malformed::Header);
    }
    let mut at = 10;
    if flags & FEXTRA != 0 {
        let Some(length) = head.get(at..at + 2) else { return Ok(Complete::No) };
        at += 2 + usize::from(u16::from_le_bytes([length[0], length[1]]));
    }
    for _ in 0..(flags & FNAME != 0) as u8 + (flags & FCOMMENT != 0) as u8 {
        let rest = head.get(at..).unwrap_or_default();
        let Some(end) = rest.iter().position(|byte| *byte == 0) else { return Ok(Complete::No) };
        at += end + 1;
    }
    if flags & FHCRC != 0 {
        at += 2;
    }
    Ok(if head.len() >= at { Complete::Yes } else { Complete::No })
}

#[cfg(test)]
#[path = "gunzip_tests.rs"]
mod tests;
