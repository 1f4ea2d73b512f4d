//! The files of a v2 torrent (BEP 52, "file tree").

use super::error::MetainfoError;
use crate::bencode::{Entries, Value};
use crate::merkle::MerkleHash;

/// The maximum depth of a path.
pub(super) const DEPTH: usize = 16;

/// A file of a tree.
#[derive(Debug, Clone, Copy)]
pub(super) struct TreeFile<'a> {
    pub(super) names: [&'a [u8]; DEPTH],
    pub(super) depth: usize, // names in use
    pub(super) properties: Value<'a>,
}

impl TreeFile<'_> {
    pub(super) fn is_symlink(&self) -> bool {
        let attributes = self.properties.find(b"attr").and_then(|attr| attr.as_bytes());
        attributes.is_some_and(|attributes| attributes.contains(&b'l'))
    }

    pub(super) fn len(&self) -> u64 {
        if self.is_symlink() {
            return 0;
        }
        let len = self.properties.find(b"length").and_then(|len| len.as_int());
        len.and_then(|len| u64::try_from(len).ok()).unwrap_or(0)
    }

    pub(super) fn root(&self) -> Option<MerkleHash> {
        self.properties.find(b"pieces root")?.as_bytes()?.try_into().ok()
    }
}

/// Walks over the files of a tree in order, without recursion.
#[derive(Debug, Clone)]
pub(super) struct Walk<'a> {
    open: [Option<Entries<'a>>; DEPTH],
    names: [&'a [u8]; DEPTH],
    last: [Option<&'a [u8]>; DEPTH], // of the names of each open folder
    depth: usize,
}

impl<'a> Walk<'a> {
    pub(super) fn new(tree: Value<'a>) -> Self {
        let mut open = [const { None }; DEPTH];
        if let Some(first) = open.first_mut() {
            *first = Some(tree.entries());
        }
        Self { open, names: [&[]; DEPTH], last: [None; DEPTH], depth: 1 }
    }

    /// Returns the next file, or an error.
    fn step(&mut self) -> Option<Result<TreeFile<'a>, MetainfoError>> {
        loop {
            let at = self.depth.checked_sub(1)?;
            let entries = self.open.get_mut(at)?.as_mut()?;
            let Some((name, value)) = entries.next() else {
                self.depth = at;
                continue;
            };
            if name.is_empty() {
                // A file: it has no siblings, and the tree itself is not a file.
                let alone = entries.next().is_none();
                if at == 0 || !alone || !value.is_dict() {
                    self.depth = 0;
                    return Some(Err(MetainfoError::Tree));
                }
                return Some(Ok(TreeFile { names: self.names, depth: at, properties: value }));
            }
            let place = self.names.get_mut(at);
            let room = self.open.get_mut(self.depth);
            let last = self.last.get_mut(at);
            let (Some(place), Some(room), Some(last)) = (place, room, last) else {
                self.depth = 0;
                return Some(Err(MetainfoError::Tree));
            };
            if !value.is_dict() || last.is_some_and(|last| name <= last) {
                self.depth = 0;
                return Some(Err(MetainfoError::Tree));
            }
            *place = name;
            *last = Some(name);
            *room = Some(value.entries());
            if let Some(below) = self.last.get_mut(self.depth) {
                *below = None;
            }
            self.depth = self.depth.saturating_add(1);
        }
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = TreeFile<'a>;

    fn next(&mut self) -> Option<TreeFile<'a>> {
        self.step()?.ok()
    }
}

fn check_len(file: &TreeFile<'_>) -> Result<u64, MetainfoError> {
    let len = super::int_of(file.properties, b"length", "length")?;
    u64::try_from(len).map_err(|_| MetainfoError::Length(len))
}

/// Checks a tree; returns the length of the content, where each file begins with a piece.
pub(super) fn check_tree(tree: Value<'_>, piece_len: u32) -> Result<u64, MetainfoError> {
    let mut walk = Walk::new(tree);
    let mut total = 0_u64;
    let mut files = 0_u64;
    while let Some(file) = walk.step() {
        let file = file?;
        let len = if file.is_symlink() { 0 } else { check_len(&file)? };
        let root = file.properties.find(b"pieces root");
        let right = match file.root() {
            Some(root) => len > 0 && root != [0; 32],
            None => len == 0 && root.is_none(),
        };
        if !right {
            return Err(MetainfoError::Root);
        }
        let start = start_of(total, piece_len).ok_or(MetainfoError::TooLong)?;
        total = if len > 0 { start.checked_add(len).ok_or(MetainfoError::TooLong)? } else { total };
        files = files.saturating_add(1);
    }
    if files == 0 { Err(MetainfoError::Tree) } else { Ok(total) }
}

/// Returns where the next file begins: with the next piece.
pub(super) fn start_of(end: u64, piece_len: u32) -> Option<u64> {
    end.checked_next_multiple_of(u64::from(piece_len))
}

/// Returns the single file of a tree that has but one, on the top level, of a given name.
pub(super) fn single<'a>(tree: Value<'a>, name: &[u8]) -> Option<TreeFile<'a>> {
    let mut walk = Walk::new(tree);
    let file = walk.next()?;
    let alone = walk.next().is_none() && file.depth == 1 && file.names.first() == Some(&name);
    alone.then_some(file)
}
