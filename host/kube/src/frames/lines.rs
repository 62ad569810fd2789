//! Lines from chunks.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

/// The longest line that is accepted unless the caller says otherwise: 16 MiB, ten times what etcd stores as one object.
pub const DEFAULT_LINE_CAP: usize = 16 << 20;

/// A line longer than the cap. The splitter that reported it yields nothing more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the stream is longer than the line cap of {cap} bytes")]
pub struct LineTooLong {
    /// Which line, counted from 1.
    pub line: u64,
    /// The cap, in bytes, line end not counted.
    pub cap: usize,
}

/// Cuts a stream into lines, however its chunks are cut.
///
/// A line ends at LF; one CR before it is dropped. A line that lies within one chunk is handed on without a copy. At most
/// `cap` + 1 bytes of an unfinished line are kept besides the chunks that were pushed and not yet drained.
///
/// ```
/// use tidegate_kube::frames::LineSplitter;
/// let mut lines = LineSplitter::new();
/// lines.push("one\r\ntw".into());
/// assert_eq!(lines.next_line(), Some(Ok("one".into())));
/// assert_eq!(lines.next_line(), None);
/// lines.push("o\nthree".into());
/// assert_eq!(lines.next_line(), Some(Ok("two".into())));
/// assert_eq!(lines.next_line(), None);
/// assert_eq!(lines.finish(), Some("three".into()));
/// ```
#[derive(Debug)]
pub struct LineSplitter {
    cap: usize,
    /// What was pushed and not yet searched.
    chunks: VecDeque<Bytes>,
    /// The beginning of a line that spans chunks; holds no LF.
    partial: BytesMut,
    line: u64,
    failed: bool,
}

impl Default for LineSplitter {
    fn default() -> Self {
        Self::with_cap(DEFAULT_LINE_CAP)
    }
}

impl LineSplitter {
    /// A splitter with the cap [`DEFAULT_LINE_CAP`].
    pub fn new() -> Self {
        Self::default()
    }

    /// A splitter whose lines are at most `cap` bytes long, line end not counted.
    pub fn with_cap(cap: usize) -> Self {
        Self { cap, chunks: VecDeque::new(), partial: BytesMut::new(), line: 1, failed: false }
    }

    /// The number of the line that [`LineSplitter::next_line`] would return next, counted from 1.
    pub fn line_number(&self) -> u64 {
        self.line
    }

    /// Adds what arrived. Drain [`LineSplitter::next_line`] before the next push, so that no more than one chunk waits.
    pub fn push(&mut self, chunk: Bytes) {
        if !self.failed && !chunk.is_empty() {
            self.chunks.push_back(chunk);
        }
    }

    /// The next whole line, without its line end, or `None` until more is pushed. Lines before one that is too long are
    /// delivered first; after the error there is nothing more.
    pub fn next_line(&mut self) -> Option<Result<Bytes, LineTooLong>> {
        while !self.failed {
            let chunk = self.chunks.front_mut()?;
            let Some(end) = memchr::memchr(b'\n', chunk) else {
                // The cap is judged before the copy: a hostile peer cannot make the buffer grow past it.
                if self.partial.len() + chunk.len() > self.cap && !fits(&self.partial, chunk, self.cap) {
                    return Some(Err(self.fail()));
                }
                self.partial.extend_from_slice(chunk);
                self.chunks.pop_front();
                continue;
            };
            if !fits(&self.partial, &chunk[..end], self.cap) {
                return Some(Err(self.fail()));
            }
            let head = chunk.split_to(end + 1);
            if chunk.is_empty() {
                self.chunks.pop_front();
            }
            let line = if self.partial.is_empty() {
                head.slice(..end)
            } else {
                self.partial.extend_from_slice(&head[..end]);
                self.partial.split().freeze()
            };
            self.line += 1;
            return Some(Ok(without_cr(line)));
        }
        None
    }

    /// The last line where the stream ended without a line end; `None` where it ended with one, or after an error.
    /// Drain [`LineSplitter::next_line`] first.
    pub fn finish(mut self) -> Option<Bytes> {
        if self.failed || self.partial.is_empty() {
            return None;
        }
        Some(without_cr(self.partial.split().freeze()))
    }

    fn fail(&mut self) -> LineTooLong {
        self.failed = true;
        self.chunks.clear();
        self.partial = BytesMut::new();
        LineTooLong { line: self.line, cap: self.cap }
    }
}

/// Whether a line of these two parts is at most `cap` long once a last CR is dropped.
fn fits(partial: &[u8], rest: &[u8], cap: usize) -> bool {
    let length = partial.len() + rest.len();
    let ends_in_cr = rest.last().or(partial.last()) == Some(&b'\r');
    length <= cap || (ends_in_cr && length - 1 <= cap)
}

fn without_cr(line: Bytes) -> Bytes {
    match line.last() {
        Some(b'\r') => line.slice(..line.len() - 1),
        _ => line,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every line of `chunks`, then the error if there is one.
    fn split(chunks: &[&[u8]], cap: usize) -> (Vec<Vec<u8>>, Option<LineTooLong>) {
        let mut splitter = LineSplitter::with_cap(cap);
        let mut lines = Vec::new();
        for chunk in chunks {
            splitter.push(Bytes::copy_from_slice(chunk));
            while let Some(next) = splitter.next_line() {
                match next {
                    Ok(line) => lines.push(line.to_vec()),
                    Err(error) => {
                        assert_eq!(splitter.next_line(), None);
                        assert_eq!(splitter.finish(), None);
                        return (lines, Some(error));
                    }
                }
            }
            assert!(splitter.partial.len() <= cap + 1);
        }
        lines.extend(splitter.finish().map(|line| line.to_vec()));
        (lines, None)
    }

    #[test]
    fn lines_and_their_ends() {
        for (text, cap, lines, error) in [
            ("", 9, vec![], None),
            ("\n", 9, vec![""], None),
            ("a\nb", 9, vec!["a", "b"], None),
            ("a\r\nb\r", 9, vec!["a", "b"], None),
            ("a\rb\r\r\n", 9, vec!["a\rb\r"], None),
            ("abc\nabcd\n", 3, vec!["abc"], Some(2)),
            ("abc\r\nabc\r", 3, vec!["abc", "abc"], None),
            ("abc\rd", 3, vec![], Some(1)),
            ("\n\nabcd", 3, vec!["", ""], Some(3)),
        ] {
            let expected = (
                lines.iter().map(|line| line.as_bytes().to_vec()).collect::<Vec<_>>(),
                error.map(|line| LineTooLong { line, cap }),
            );
            assert_eq!(split(&[text.as_bytes()], cap), expected, "{text:?}");
            let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
            assert_eq!(split(&bytes, cap), expected, "{text:?}, byte by byte");
        }
    }

    #[test]
    fn a_line_within_a_chunk_is_not_copied() {
        let chunk = Bytes::from_static(b"one\ntwo\n");
        let mut splitter = LineSplitter::new();
        splitter.push(chunk.clone());
        let line = splitter.next_line().expect("a line").expect("a short line");
        assert_eq!(line.as_ptr(), chunk.as_ptr());
    }

    #[test]
    fn a_gigabyte_without_a_line_end_is_not_kept() {
        let chunk = Bytes::from(vec![b'x'; 1 << 20]);
        let mut splitter = LineSplitter::new();
        for _ in 0..1024 {
            splitter.push(chunk.clone());
            if let Some(next) = splitter.next_line() {
                assert_eq!(next, Err(LineTooLong { line: 1, cap: DEFAULT_LINE_CAP }));
            }
        }
        assert_eq!((splitter.partial.capacity(), splitter.chunks.len()), (0, 0));
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter(text in "[ab\r\n]{0,60}", cuts in prop::collection::vec(0usize..60, 0..6), cap in 0usize..8) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(text.len())).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let chunks: Vec<&[u8]> = cuts.windows(2).map(|w| &text.as_bytes()[w[0]..w[1]]).collect();
            prop_assert_eq!(split(&chunks, cap), split(&[text.as_bytes()], cap));
        }

        #[test]
        fn never_panics(chunks: Vec<Vec<u8>>, cap in 0usize..40) {
            let chunks: Vec<&[u8]> = chunks.iter().map(Vec::as_slice).collect();
            split(&chunks, cap);
        }
    }
}
