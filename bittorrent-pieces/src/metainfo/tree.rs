//! The files of a v2 torrent (BEP 52, "file tree").

use super::error::MetainfoError;
use super::layers::LayerCheck;
use crate::bencode::{Token, Tokens, Value};
use crate::merkle::MerkleHash;

/// The maximum depth of a path.
pub(super) const DEPTH: usize = 16;

/// A file of a tree.
#[derive(Debug, Clone, Copy)]
pub(super) struct TreeFile<'a> {
    pub(super) depth: usize, // of its path in the names of the walk
    pub(super) properties: Value<'a>,
    pub(super) attributes: &'a [u8],
    length: Option<i64>,
    root: Option<Value<'a>>,
}

impl<'a> TreeFile<'a> {
    fn new(depth: usize, properties: Value<'a>) -> Self {
        let attributes = &[];
        let mut file = Self { depth, properties, attributes, length: None, root: None };
        for (key, value) in properties.entries() {
            match key {
                b"attr" => file.attributes = value.as_bytes().unwrap_or_default(),
                b"length" => file.length = value.as_int(),
                b"pieces root" => file.root = Some(value),
                _ => {}
            }
        }
        file
    }

    pub(super) fn is_symlink(&self) -> bool {
        self.attributes.contains(&b'l')
    }

    pub(super) fn len(&self) -> u64 {
        let len = self.length.filter(|_| !self.is_symlink());
        len.and_then(|len| u64::try_from(len).ok()).unwrap_or(0)
    }

    pub(super) fn root(&self) -> Option<MerkleHash> {
        self.root_bytes()?.try_into().ok()
    }

    pub(super) fn root_bytes(&self) -> Option<&'a [u8]> {
        self.root?.as_bytes()
    }

    fn check_len(&self) -> Result<u64, MetainfoError> {
        if self.is_symlink() {
            return Ok(0);
        }
        let len = self.length.ok_or(MetainfoError::Key("length"))?;
        u64::try_from(len).map_err(|_| MetainfoError::Length(len))
    }
}

/// Walks over the files of a tree in order, token by token.
#[derive(Debug, Clone)]
pub(super) struct Walk<'a> {
    rest: &'a [u8],
    /// The path of the last file, and behind it the last name in each open folder; empty before the first.
    pub(super) names: [&'a [u8]; DEPTH],
    depth: usize, // open folders, the tree itself included
}

impl<'a> Walk<'a> {
    pub(super) fn new(tree: Value<'a>) -> Self {
        let rest = tree.as_raw().strip_prefix(b"d");
        let depth = usize::from(rest.is_some());
        let rest = rest.unwrap_or_default();
        Self { rest, names: [&[]; DEPTH], depth }
    }

    /// Returns the next file, or an error.
    fn step(&mut self) -> Option<Result<TreeFile<'a>, MetainfoError>> {
        loop {
            let at = self.depth.checked_sub(1)?;
            let mut tokens = Tokens::new(self.rest);
            let token = tokens.pull().ok()?;
            self.rest = tokens.rest();
            match token {
                Token::End => self.depth = at,
                Token::Bytes([]) => return Some(self.file(at)),
                Token::Bytes(name) => {
                    if self.open(at, name).is_none() {
                        self.depth = 0;
                        return Some(Err(MetainfoError::Tree));
                    }
                }
                _ => return None,
            }
        }
    }

    /// Reads the properties of a file. It has no siblings, and the tree itself is not a file.
    fn file(&mut self, at: usize) -> Result<TreeFile<'a>, MetainfoError> {
        let (properties, rest) = Value::split_first(self.rest);
        let after = rest.strip_prefix(b"e").filter(|_| at > 0 && properties.is_dict());
        let Some(after) = after else {
            self.depth = 0;
            return Err(MetainfoError::Tree);
        };
        self.rest = after;
        self.depth = at;
        Ok(TreeFile::new(at, properties))
    }

    /// Enters a folder or what holds the properties of a file; `None` if it is malformed or out of order.
    fn open(&mut self, at: usize, name: &'a [u8]) -> Option<()> {
        self.rest = self.rest.strip_prefix(b"d")?;
        let last = self.names.get_mut(at)?;
        if name <= *last {
            return None;
        }
        *last = name;
        *self.names.get_mut(self.depth)? = &[];
        self.depth = self.depth.saturating_add(1);
        Some(())
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = TreeFile<'a>;

    fn next(&mut self) -> Option<TreeFile<'a>> {
        self.step()?.ok()
    }
}

/// Checks a tree, and passes each file of more than no bytes to `layers`; returns the length of the content, where
/// each file begins with a piece.
pub(super) fn check_tree(
    tree: Value<'_>,
    piece_len: u32,
    layers: &mut LayerCheck<'_, '_>,
) -> Result<u64, MetainfoError> {
    let mut walk = Walk::new(tree);
    let mut total = 0_u64;
    let mut files = 0_u64;
    while let Some(file) = walk.step() {
        let file = file?;
        let len = file.check_len()?;
        let root = file.root();
        let right = match root {
            Some(root) => len > 0 && root != [0; 32],
            None => len == 0 && file.root.is_none(),
        };
        if !right {
            return Err(MetainfoError::Root);
        }
        if let Some(root) = root {
            layers.file(len, &root)?;
            let start = start_of(total, piece_len).ok_or(MetainfoError::TooLong)?;
            total = start.checked_add(len).ok_or(MetainfoError::TooLong)?;
        }
        files = files.saturating_add(1);
    }
    layers.end()?;
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
    let named = file.depth == 1 && walk.names.first() == Some(&name);
    (named && walk.next().is_none()).then_some(file)
}
