//! The files of a torrent, and the place of the content in them.

use super::error::MetainfoError;
use super::fields::{FileFields, InfoFields, is_symlink, length_of};
use super::tree::{self, DEPTH, Walk};
use crate::bencode::{Items, Value};

/// How the names of padding files begin where they have no attribute.
const PADDING_NAME: &[u8] = b"_____padding_file_";

/// A file of a torrent.
#[derive(Debug, Clone)]
pub struct File<'a> {
    offset: u64,
    len: u64,
    name: &'a [u8],
    path: Elements<'a>, // below the folder of the torrent
    attributes: &'a [u8],
    properties: Value<'a>,
}

/// The elements of a path as the metainfo file has them. They are not safe to store a file under; see
/// [`SafePaths`](super::SafePaths).
#[derive(Debug, Clone)]
pub struct Elements<'a> {
    name: Option<&'a [u8]>,
    rest: Rest<'a>,
}

#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "there is no heap to put the names on")]
enum Rest<'a> {
    List(Items<'a>),
    Names([&'a [u8]; DEPTH], usize, usize), // all, their number, the next
}

/// The elements of a path below the folder of the torrent, borrowed from its file.
#[derive(Clone)]
pub(super) enum InnerPath<'f, 'a> {
    List(Items<'a>),
    Names(core::slice::Iter<'f, &'a [u8]>),
}

impl InnerPath<'_, '_> {
    /// The path of a file of its own.
    pub(super) fn empty() -> Self {
        Self::Names([].iter())
    }
}

impl<'a> Iterator for InnerPath<'_, 'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        match self {
            Self::List(list) => list.next_bytes(),
            Self::Names(names) => names.next().copied(),
        }
    }
}

/// A run of bytes inside a file.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Span<'a> {
    /// The file.
    pub file: File<'a>,
    /// The start of the run, in bytes from the start of the file.
    pub offset: u64,
    /// Its length in bytes.
    pub len: u64,
}

impl<'a> File<'a> {
    /// Returns the start of the file in the content, in bytes.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// Returns the length in bytes; 0 for a symbolic link.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Returns whether the file has no bytes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the path as the metainfo file has it, the name of the torrent first; to be shown, not to be
    /// stored under: elements may be `..`, and files may share a path. See [`SafePaths`](super::SafePaths).
    #[must_use]
    pub fn raw_path(&self) -> Elements<'a> {
        Elements { name: Some(self.name), ..self.path.clone() }
    }

    /// Returns the path below the folder of the torrent; that of a single file is empty.
    pub(super) fn inner_path(&self) -> InnerPath<'_, 'a> {
        match &self.path.rest {
            Rest::List(list) => InnerPath::List(list.clone()),
            Rest::Names(names, len, _) => {
                InnerPath::Names(names.get(..*len).unwrap_or_default().iter())
            }
        }
    }

    /// Returns the target of a symbolic link as the metainfo file has it (BEP 47).
    #[must_use]
    pub fn symlink(&self) -> Option<Elements<'a>> {
        Some(Elements { name: None, rest: Rest::List(self.link_target()?) })
    }

    /// Does what [`symlink`](Self::symlink) does, in a small value.
    pub(super) fn link_target(&self) -> Option<Items<'a>> {
        let target = self.properties.find(b"symlink path").filter(|_| self.is_symlink())?;
        Some(target.items())
    }

    /// Returns whether the file is a symbolic link (BEP 47).
    #[must_use]
    pub fn is_symlink(&self) -> bool {
        is_symlink(self.attributes)
    }

    /// Returns whether the file only fills up a piece with zeros, and need not be stored: by its attribute (BEP 47), or in a
    /// list of version 1 by its name, `_____padding_file_` and more, which programs older than the attribute write.
    #[must_use]
    pub fn is_padding(&self) -> bool {
        let named = || {
            let Rest::List(path) = &self.path.rest else { return false };
            let last = InnerPath::List(path.clone()).last();
            last.is_some_and(|name| name.starts_with(PADDING_NAME))
        };
        self.attributes.contains(&b'p') || named()
    }

    /// Returns whether the file is to be executable (BEP 47).
    #[must_use]
    pub fn is_executable(&self) -> bool {
        self.attributes.contains(&b'x')
    }

    /// Returns the part of `len` bytes at `offset` of the content that lies in this file.
    pub(super) fn overlap(self, offset: u64, len: u64) -> Option<Span<'a>> {
        let start = offset.max(self.offset);
        let end = offset.saturating_add(len).min(self.offset.saturating_add(self.len));
        let len = end.checked_sub(start).filter(|len| *len > 0)?;
        Some(Span { offset: start.saturating_sub(self.offset), len, file: self })
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.name.take().or_else(|| match &mut self.rest {
            Rest::List(list) => list.next_bytes(),
            Rest::Names(names, len, next) => {
                let name = names.get(..*len)?.get(*next)?;
                *next = next.saturating_add(1);
                Some(name)
            }
        })
    }
}

/// The files of a torrent, in the order of the content.
#[derive(Debug, Clone)]
pub struct Files<'a> {
    name: &'a [u8],
    list: &'a [u8], // the files that are left; of a single file the info dictionary
    single: bool,
    tree: Option<(Walk<'a>, bool, u32)>, // of a v2 torrent; whether it is a single file; piece length
    offset: u64,
}

impl<'a> Files<'a> {
    /// Walks over the tree of a torrent that is v2 alone.
    pub(super) fn of_tree(name: &'a [u8], tree: Value<'a>, piece_len: u32) -> Self {
        let single = tree::single(tree, name).is_some();
        let walk = Some((Walk::new(tree), single, piece_len));
        Self { name, list: &[], single: false, tree: walk, offset: 0 }
    }

    pub(super) fn new(name: &'a [u8], info: Value<'a>, list: Option<Value<'a>>) -> Self {
        let files = list.map(|list| list.as_raw().strip_prefix(b"l").unwrap_or_default());
        let single = files.is_none();
        Self { name, list: files.unwrap_or(info.as_raw()), single, tree: None, offset: 0 }
    }
}

impl<'a> Files<'a> {
    fn next_of_tree(&mut self) -> Option<File<'a>> {
        let (walk, single, piece_len) = self.tree.as_mut()?;
        let file = walk.next()?;
        let len = file.len();
        let start = if len > 0 { tree::start_of(self.offset, *piece_len)? } else { self.offset };
        self.offset = start.saturating_add(len);
        let depth = if *single { 0 } else { file.depth };
        Some(File {
            offset: start,
            len,
            name: self.name,
            path: Elements { name: None, rest: Rest::Names(walk.names, depth, 0) },
            attributes: file.attributes,
            properties: file.properties,
        })
    }
}

impl<'a> Iterator for Files<'a> {
    type Item = File<'a>;

    #[inline]
    fn next(&mut self) -> Option<File<'a>> {
        if self.tree.is_some() {
            return self.next_of_tree();
        }
        if matches!(self.list, [] | [b'e', ..]) {
            return None;
        }
        let (fields, rest) = FileFields::split_first(self.list);
        let file = Value::before(self.list, rest);
        self.list = if self.single { &[] } else { rest };
        let attributes = fields.attributes;
        let len = fields.length.unwrap_or(0);
        let len = if is_symlink(attributes) { 0 } else { u64::try_from(len).unwrap_or(0) };
        let offset = self.offset;
        self.offset = offset.saturating_add(len);
        // A dictionary has no items: the path of a single file is its name.
        let path = fields.path.filter(|_| !self.single).unwrap_or(file);
        let path = Elements { name: None, rest: Rest::List(path.items()) };
        Some(File { offset, len, name: self.name, path, attributes, properties: file })
    }
}

/// Checks `files` or `length` of an info dictionary; returns the length of the content. With both, the list counts, as in
/// libtorrent and Transmission.
pub(super) fn check_content(info: &InfoFields<'_>) -> Result<u64, MetainfoError> {
    match (info.files, info.length) {
        (Some(files), _) => files.total,
        (None, Some(len)) => length_of(len.as_int()),
        (None, None) => Err(MetainfoError::Content),
    }
}
