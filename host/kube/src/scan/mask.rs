//! The wanted fields of an object, copied as they stand.

use super::checked::{NotAnObject, checked_object};
use super::cursor::{Cursor, Malformed};
use super::error::InvalidMask;
use super::path::{self, Step};

/// How many fields a mask may name, and how many within one object.
pub const MASK_CAP: usize = 64;

/// Which fields of an object to keep, compiled once.
///
/// A path keeps what it leads to: `metadata.name`, `spec.containers[*].image`, `metadata.annotations['a.b/c']`. One with a `-` before it
/// drops that: `-metadata.managedFields`. A mask of dropped paths alone keeps everything else; the longer path decides where one lies
/// within another. What a mask makes has the shape of the object: an object or array on the way to a field is there, if empty, where it
/// was there; a path that leads through a value of another type leads nowhere.
///
/// ```
/// use tidegate_kube::scan::Mask;
/// let mask = Mask::parse(["metadata.name", "spec.containers[*].image"])?;
/// let pod = br#"{"metadata":{"name":"web","uid":"1"},"spec":{"containers":[{"name":"c","image":"nginx"}]},"status":{}}"#;
/// let mut out = Vec::new();
/// mask.apply(pod, &mut out).expect("an object");
/// assert_eq!(out, br#"{"metadata":{"name":"web"},"spec":{"containers":[{"image":"nginx"}]}}"#);
/// # Ok::<(), tidegate_kube::scan::InvalidMask>(())
/// ```
#[derive(Debug, Clone)]
pub struct Mask {
    root: Node,
    /// Whether what no path names is kept.
    rest: Rest,
    only_metadata: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    Kept,
    Dropped,
}

/// What the paths say of one place.
#[derive(Debug, Clone, Default)]
struct Node {
    says: Option<Rest>,
    members: Vec<(String, Node)>,
    elements: Option<Box<Node>>,
}

impl Default for Mask {
    /// Keeps everything.
    fn default() -> Self {
        Mask { root: Node::default(), rest: Rest::Kept, only_metadata: true }
    }
}

impl Mask {
    /// Compiles paths. Errors: a text that is no path, the same path kept and dropped, more than [`MASK_CAP`] paths.
    pub fn parse<T: AsRef<str>>(paths: impl IntoIterator<Item = T>) -> Result<Self, InvalidMask> {
        let mut mask = Mask::default();
        for (index, text) in paths.into_iter().enumerate() {
            if index >= MASK_CAP {
                return Err(InvalidMask::TooMany { cap: MASK_CAP });
            }
            mask.add(text.as_ref())?;
        }
        Ok(mask)
    }

    /// Whether it keeps nothing but `metadata`: then a server may be asked for that alone.
    pub fn is_metadata_only(&self) -> bool {
        self.rest == Rest::Dropped && self.only_metadata
    }

    /// What it keeps of `metadata`, and nothing else.
    #[must_use]
    pub fn within_metadata(mut self) -> Mask {
        self.root.members.retain(|(name, _)| name == "metadata");
        if self.rest == Rest::Kept {
            self.root.step(&Step::Member("metadata".to_owned())).says.get_or_insert(Rest::Kept);
        }
        (self.rest, self.only_metadata) = (Rest::Dropped, true);
        self
    }

    /// Appends the masked object, checked to be one JSON object in UTF-8.
    ///
    /// Errors: `object` is none, as far as it was looked at; what was appended then means nothing.
    pub fn apply(&self, object: &[u8], out: &mut Vec<u8>) -> Result<(), NotAnObject> {
        let begin = out.len();
        self.copy(object, out).map_err(|Malformed { at }| NotAnObject { at })?;
        checked_object(&out[begin..])
    }

    /// Appends what is kept of the object with which `bytes` begin, and says where that object ends; none where it does not end in them,
    /// or is none: what was appended then means nothing. As [`Mask::apply`] to the object alone, in one walk through it instead of two.
    pub(super) fn apply_to_first(&self, bytes: &[u8], out: &mut Vec<u8>) -> Option<usize> {
        let begin = out.len();
        let mut walk = Walk { cursor: Cursor::new(bytes), out };
        let open = walk.object(&self.root, self.rest).ok()?;
        walk.cursor.leave(open).ok()?;
        let end = walk.cursor.at();
        checked_object(&out[begin..]).ok()?;
        // Brackets are counted, and not matched.
        (bytes[end - 1] == b'}').then_some(end)
    }

    /// As [`Mask::apply`] without the check, for whoever reads the outcome as JSON itself.
    pub(super) fn copy(&self, object: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
        let mut walk = Walk { cursor: Cursor::new(object), out };
        if walk.cursor.peek()? != b'{' {
            return Err(Malformed { at: 0 });
        }
        walk.object(&self.root, self.rest).map(drop)
    }

    fn add(&mut self, text: &str) -> Result<(), InvalidMask> {
        let (says, path) = match text.strip_prefix('-') {
            Some(path) => (Rest::Dropped, path),
            None => (Rest::Kept, text),
        };
        let steps = path::parse(path).map_err(|invalid| InvalidMask::Path {
            path: text.to_owned(),
            column: text.len() - path.len() + invalid.at + 1,
            problem: invalid.problem.to_string(),
        })?;
        self.add_steps(&steps, says).map_err(|()| InvalidMask::Contradiction { path: path.to_owned() })
    }

    /// Keeps nothing but what paths name.
    pub(super) fn drop_rest(&mut self) {
        self.rest = Rest::Dropped;
    }

    /// Errors: the same path was kept and dropped.
    pub(super) fn add_steps(&mut self, steps: &[Step], says: Rest) -> Result<(), ()> {
        if says == Rest::Kept {
            self.rest = Rest::Dropped;
            self.only_metadata &= steps.first() == Some(&Step::Member("metadata".to_owned()));
        }
        let node = steps.iter().fold(&mut self.root, Node::step);
        match node.says.replace(says) {
            Some(before) if before != says => Err(()),
            _ => Ok(()),
        }
    }
}

impl Node {
    /// The place that a step leads to.
    fn step(&mut self, step: &Step) -> &mut Node {
        match step {
            Step::Elements => self.elements.get_or_insert_default(),
            Step::Member(name) => {
                let place = self.members.iter().position(|(have, _)| have == name).unwrap_or_else(|| {
                    self.members.push((name.clone(), Node::default()));
                    self.members.len() - 1
                });
                &mut self.members[place].1
            }
        }
    }

    /// At most [`MASK_CAP`] of them, which fit a word's bits.
    fn all_members(&self) -> u64 {
        u64::MAX.checked_shr(64 - self.members.len() as u32).unwrap_or(0)
    }
}

struct Walk<'a, 'o> {
    cursor: Cursor<'a>,
    out: &'o mut Vec<u8>,
}

/// Whether a value was copied, if only in part.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Copied {
    Yes,
    No,
}

impl Walk<'_, '_> {
    /// Copies what is wanted of the object that comes next. How many containers it left open, having seen all that it wanted.
    fn object(&mut self, node: &Node, rest: Rest) -> Result<u32, Malformed> {
        self.cursor.expect(b'{')?;
        self.out.push(b'{');
        let (mut wanted, mut first, mut empty) = (node.all_members(), true, true);
        let open = loop {
            let Some(name) = self.cursor.member(first)? else { break 0 };
            first = false;
            let place = node.members.iter().position(|(member, _)| name.is(member));
            if place.is_none() && rest == Rest::Dropped {
                self.cursor.value()?;
                continue;
            }
            let before = self.out.len();
            if !empty {
                self.out.push(b',');
            }
            self.out.push(b'"');
            self.out.extend_from_slice(name.raw);
            self.out.extend_from_slice(b"\":");
            let (copied, open) = match place {
                Some(place) if wanted & 1 << place != 0 => {
                    wanted &= !(1 << place);
                    self.value(&node.members[place].1, rest)?
                }
                // Of equal names the first counts.
                Some(_) => self.plain(Rest::Dropped)?,
                None => self.plain(rest)?,
            };
            match copied {
                Copied::Yes => empty = false,
                Copied::No => self.out.truncate(before),
            }
            if rest == Rest::Dropped && wanted == 0 {
                break open + 1;
            }
            self.cursor.leave(open)?;
        };
        self.out.push(b'}');
        Ok(open)
    }

    fn array(&mut self, elements: &Node, rest: Rest) -> Result<(), Malformed> {
        self.cursor.expect(b'[')?;
        self.out.push(b'[');
        let (mut first, mut empty) = (true, true);
        while self.cursor.element(first)? {
            first = false;
            let before = self.out.len();
            if !empty {
                self.out.push(b',');
            }
            let (copied, open) = self.value(elements, rest)?;
            self.cursor.leave(open)?;
            match copied {
                Copied::Yes => empty = false,
                Copied::No => self.out.truncate(before),
            }
        }
        self.out.push(b']');
        Ok(())
    }

    /// Copies what `node` wants of the value that comes next, and how many containers that left open.
    fn value(&mut self, node: &Node, rest: Rest) -> Result<(Copied, u32), Malformed> {
        let rest = node.says.unwrap_or(rest);
        match (self.cursor.peek()?, &node.elements) {
            (b'{', _) if !node.members.is_empty() => Ok((Copied::Yes, self.object(node, rest)?)),
            (b'[', Some(elements)) => {
                self.array(elements, rest)?;
                Ok((Copied::Yes, 0))
            }
            _ => self.plain(rest),
        }
    }

    /// Copies or skips a whole value.
    fn plain(&mut self, rest: Rest) -> Result<(Copied, u32), Malformed> {
        let value = self.cursor.value()?;
        if rest == Rest::Dropped {
            return Ok((Copied::No, 0));
        }
        self.out.extend_from_slice(value);
        Ok((Copied::Yes, 0))
    }
}

#[cfg(test)]
mod tests;
