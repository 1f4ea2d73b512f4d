//! The files of a torrent, and where bytes of the content lie in them.

use super::tree::{self, DEPTH, Walk};
use super::{MetainfoError, int_of};
use crate::bencode::{Items, Value};

/// The longest path element in bytes; what most file systems take.
const LONGEST: usize = 255;

/// A file of a torrent.
#[derive(Debug, Clone)]
pub struct File<'a> {
    offset: u64,
    len: u64,
    path: Elements<'a>,
    attributes: &'a [u8],
}

/// The elements of a path, the name of the torrent first. None can lead out of its folder.
#[derive(Debug, Clone)]
pub struct Elements<'a> {
    name: Option<&'a [u8]>,
    rest: Rest<'a>,
}

#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant, reason = "there is no heap to put the names on")]
enum Rest<'a> {
    List(Items<'a>),
    Names([&'a [u8]; DEPTH], usize, usize), // all, how many, the next
}

/// A run of bytes inside a file.
#[derive(Debug, Clone)]
pub struct Span<'a> {
    /// The file.
    pub file: File<'a>,
    /// Where the run begins, in bytes from the start of the file.
    pub offset: u64,
    /// How many bytes it has.
    pub len: u64,
}

impl<'a> File<'a> {
    /// Returns where the file begins in the content, in bytes.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// Returns the length in bytes.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Returns whether the file has no bytes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the path. Elements are bytes, in UTF-8 if the author kept to BEP 3. Two files may
    /// have the same path; the caller must not let one overwrite the other.
    #[must_use]
    pub fn path(&self) -> Elements<'a> {
        self.path.clone()
    }

    /// Returns whether the file only fills up a piece, and need not be stored (BEP 47).
    #[must_use]
    pub fn is_padding(&self) -> bool {
        self.attributes.contains(&b'p')
    }

    /// Returns whether the file is to be executable (BEP 47).
    #[must_use]
    pub fn is_executable(&self) -> bool {
        self.attributes.contains(&b'x')
    }

    /// Returns what `len` bytes at `offset` of the content have in common with this file.
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
            Rest::List(list) => list.find_map(|element| element.as_bytes()),
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
    single: Option<Value<'a>>, // the info dictionary of a single file
    list: Items<'a>,
    tree: Option<(Walk<'a>, bool, u32)>, // of a v2 torrent; whether it is a single file; piece length
    offset: u64,
}

impl<'a> Files<'a> {
    /// Walks over the tree of a torrent that is v2 alone.
    pub(super) fn of_tree(name: &'a [u8], tree: Value<'a>, piece_len: u32) -> Self {
        let single = tree::single(tree, name).is_some();
        let walk = Some((Walk::new(tree), single, piece_len));
        // Neither a string nor a dictionary has items.
        Self { name, single: None, list: Value::items(&tree), tree: walk, offset: 0 }
    }

    pub(super) fn new(name: &'a [u8], info: Value<'a>) -> Self {
        let list = info.find(b"files");
        let single = if list.is_some() { None } else { Some(info) };
        // A dictionary has no items: the list of a single file is empty.
        Self { name, single, list: list.unwrap_or(info).items(), tree: None, offset: 0 }
    }
}

impl<'a> Iterator for Files<'a> {
    type Item = File<'a>;

    fn next(&mut self) -> Option<File<'a>> {
        if let Some((walk, single, piece_len)) = &mut self.tree {
            let file = walk.next()?;
            let len = file.len();
            let start =
                if len > 0 { tree::start_of(self.offset, *piece_len)? } else { self.offset };
            self.offset = start.saturating_add(len);
            let depth = if *single { 0 } else { file.depth };
            let path = Elements { name: Some(self.name), rest: Rest::Names(file.names, depth, 0) };
            let attributes = file.properties.find(b"attr").and_then(|attr| attr.as_bytes());
            let attributes = attributes.unwrap_or_default();
            return Some(File { offset: start, len, path, attributes });
        }
        let single = self.single.take();
        let file = single.or_else(|| self.list.next())?;
        let len = file.find(b"length").and_then(|len| len.as_int()).unwrap_or(0);
        let len = u64::try_from(len).unwrap_or(0);
        let offset = self.offset;
        self.offset = offset.saturating_add(len);
        // A dictionary has no items: the path of a single file is its name.
        let rest = if single.is_some() { file } else { file.find(b"path").unwrap_or(file) };
        let path = Elements { name: Some(self.name), rest: Rest::List(rest.items()) };
        let attributes = file.find(b"attr").and_then(|attr| attr.as_bytes()).unwrap_or_default();
        Some(File { offset, len, path, attributes })
    }
}

/// Checks `length` or `files` of an info dictionary; returns the length of the content.
pub(super) fn check_content(info: Value<'_>) -> Result<u64, MetainfoError> {
    match (info.find(b"length"), info.find(b"files")) {
        (Some(_), None) => check_len(info),
        (None, Some(files)) if files.items().next().is_some() => {
            files.items().try_fold(0_u64, |total, file| {
                let path = file.find(b"path").filter(|path| path.items().next().is_some());
                for element in path.ok_or(MetainfoError::Key("path"))?.items() {
                    check_element(element.as_bytes().ok_or(MetainfoError::Key("path"))?)?;
                }
                total.checked_add(check_len(file)?).ok_or(MetainfoError::TooLong)
            })
        }
        _ => Err(MetainfoError::Content),
    }
}

fn check_len(file: Value<'_>) -> Result<u64, MetainfoError> {
    let len = int_of(file, b"length", "length")?;
    u64::try_from(len).map_err(|_| MetainfoError::Length(len))
}

/// Refuses path elements that could lead out of a folder on any common system.
pub(super) fn check_element(element: &[u8]) -> Result<(), MetainfoError> {
    let special = |byte: &u8| matches!(byte, b'/' | b'\\' | 0);
    let refused = matches!(element, [] | b"." | b".." | [b'a'..=b'z' | b'A'..=b'Z', b':', ..])
        || element.len() > LONGEST
        || element.iter().any(special);
    if refused { Err(MetainfoError::Path) } else { Ok(()) }
}
