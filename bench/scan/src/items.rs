//! Cuts a list into its items while it arrives.

use std::error::Error;
use std::fmt;

use crate::block::{between, marks};

/// Depth within `{…,"items":[`; an item opens the third bracket.
const WITHIN_ITEMS: u32 = 2;

/// Takes a list's bytes in pieces of any size and hands out each item as one slice.
///
/// Only an item that straddles two pieces is copied.
#[derive(Debug, Default)]
pub struct Items {
    depth: u32,
    in_string: bool,
    /// The last byte was a backslash that escapes the next one.
    escaping: bool,
    state: State,
    /// Bytes of earlier pieces that are still needed: the list's head, or the beginning of an item.
    kept: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Head,
    Between,
    Item,
    End,
}

/// What was read has no member `items` that is a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAList;

impl fmt::Display for NotAList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the answer is no list, or was cut short")
    }
}

impl Error for NotAList {}

impl Items {
    /// Reads the next piece and calls `found` with each item that ends in it.
    ///
    /// # Errors
    /// The piece shows that this is no list.
    pub fn push(&mut self, piece: &[u8], found: &mut dyn FnMut(&[u8])) -> Result<(), NotAList> {
        let mut walk = Walk { piece, item: 0 };
        let (blocks, tail) = piece.as_chunks::<64>();
        for (index, block) in blocks.iter().enumerate() {
            self.block(block, 64, index * 64, &mut walk, found)?;
        }
        if !tail.is_empty() {
            let mut block = [b' '; 64];
            block[..tail.len()].copy_from_slice(tail);
            self.block(&block, tail.len(), blocks.len() * 64, &mut walk, found)?;
        }
        if matches!(self.state, State::Head | State::Item) {
            self.kept.extend_from_slice(&piece[walk.item..]);
        }
        Ok(())
    }

    /// To be called when the answer has ended.
    ///
    /// # Errors
    /// The list did not end.
    pub fn finish(&self) -> Result<(), NotAList> {
        if self.state == State::End && self.depth == 0 { Ok(()) } else { Err(NotAList) }
    }

    fn block(
        &mut self,
        block: &[u8; 64],
        length: usize,
        start: usize,
        walk: &mut Walk<'_>,
        found: &mut dyn FnMut(&[u8]),
    ) -> Result<(), NotAList> {
        let marks = marks(block);
        let quotes = if marks.backslashes == 0 && !self.escaping {
            marks.quotes
        } else {
            marks.quotes & !self.escaped(marks.backslashes, length)
        };
        let strings = between(quotes) ^ if self.in_string { u64::MAX } else { 0 };
        self.in_string = strings >> 63 == 1;
        let opens = marks.opens & !strings;
        let closes = marks.closes & !strings;
        // Most blocks lie deep within an item.
        if self.state == State::Item && self.depth - closes.count_ones().min(self.depth) > WITHIN_ITEMS {
            self.depth = self.depth + opens.count_ones() - closes.count_ones();
            return Ok(());
        }
        let mut brackets = opens | closes;
        while brackets != 0 {
            let bit = brackets & brackets.wrapping_neg();
            brackets ^= bit;
            let place = start + bit.trailing_zeros() as usize;
            if opens & bit == 0 { self.close(place, walk, found)? } else { self.open(place, walk)? }
        }
        Ok(())
    }

    /// The bits of bytes that follow a backslash which is not itself escaped.
    fn escaped(&mut self, backslashes: u64, length: usize) -> u64 {
        let mut escaped = 0;
        for index in 0..length {
            if self.escaping {
                escaped |= 1 << index;
                self.escaping = false;
            } else {
                self.escaping = backslashes >> index & 1 == 1;
            }
        }
        escaped
    }

    fn open(&mut self, place: usize, walk: &mut Walk<'_>) -> Result<(), NotAList> {
        self.depth += 1;
        match self.state {
            State::Head if self.depth == WITHIN_ITEMS && walk.piece[place] == b'[' => {
                self.kept.extend_from_slice(&walk.piece[walk.item..place]);
                let head = self.kept.trim_ascii_end().strip_suffix(b":").ok_or(NotAList)?;
                if !head.trim_ascii_end().ends_with(b"\"items\"") {
                    return Err(NotAList);
                }
                self.kept.clear();
                self.state = State::Between;
            }
            State::Between if self.depth == WITHIN_ITEMS + 1 => {
                walk.item = place;
                self.state = State::Item;
            }
            _ => {}
        }
        Ok(())
    }

    fn close(
        &mut self,
        place: usize,
        walk: &mut Walk<'_>,
        found: &mut dyn FnMut(&[u8]),
    ) -> Result<(), NotAList> {
        self.depth = self.depth.checked_sub(1).ok_or(NotAList)?;
        match self.state {
            State::Item if self.depth == WITHIN_ITEMS => {
                let rest = &walk.piece[walk.item..=place];
                if self.kept.is_empty() {
                    found(rest);
                } else {
                    self.kept.extend_from_slice(rest);
                    found(&self.kept);
                    self.kept.clear();
                }
                self.state = State::Between;
            }
            State::Between => self.state = State::End,
            State::Head if self.depth == 0 => return Err(NotAList),
            _ => {}
        }
        Ok(())
    }
}

/// Where we are in the piece at hand.
struct Walk<'a> {
    piece: &'a [u8],
    /// Where the head or the open item begins in this piece; 0 where it began in an earlier one.
    item: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(list: &str, size: usize) -> Result<Vec<String>, NotAList> {
        let mut items = Items::default();
        let mut all = Vec::new();
        for piece in list.as_bytes().chunks(size) {
            items.push(piece, &mut |item| all.push(String::from_utf8_lossy(item).into_owned()))?;
        }
        items.finish().map(|()| all)
    }

    #[test]
    fn any_size_of_pieces_gives_the_same_items() {
        let long = format!(r#"{{"a":"{}","b":[{{}},[],{{"c":"]}}{{"}}]}}"#, "x".repeat(200));
        let nasty = r#"{"a":"\\","b":"\"}","c":"\\\"{[","d":"é\u0022"}"#;
        let list = format!(
            r#"{{"kind":"PodList","metadata":{{"resourceVersion":"7"}},"items":[{long},{nasty}, {{}}]}}"#
        );
        let wanted = vec![long, nasty.to_owned(), "{}".to_owned()];
        for size in 1..=list.len() {
            assert_eq!(items(&list, size), Ok(wanted.clone()), "pieces of {size}");
        }
    }

    #[test]
    fn what_is_no_list_is_said() {
        for (text, wanted) in [
            (r#"{"items":[]}"#, Ok(vec![])),
            ("{\"items\" : [ ]\n}\n", Ok(vec![])),
            (r#"{"items":[{"a":1}"#, Err(NotAList)),
            (r#"{"items":[{"a":1}]"#, Err(NotAList)),
            (r#"{"kind":"Status"}"#, Err(NotAList)),
            (r#"{"other":[{}]}"#, Err(NotAList)),
            ("}", Err(NotAList)),
            ("", Err(NotAList)),
        ] {
            assert_eq!(items(text, 5), wanted, "{text}");
        }
    }
}
