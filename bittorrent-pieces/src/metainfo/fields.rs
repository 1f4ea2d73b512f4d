//! The keys of an info dictionary and of a file that matter, all of them read in one pass.

use super::error::MetainfoError;
use crate::bencode::{Entries, Items, Value, short_strings, split_int};

/// What an info dictionary has of version 1 and 2.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct InfoFields<'a> {
    pub(super) files: Option<FileList<'a>>,
    pub(super) length: Option<Value<'a>>,
    pub(super) meta_version: Option<Value<'a>>,
    pub(super) piece_length: Option<Value<'a>>,
    pub(super) pieces: Option<Value<'a>>,
    pub(super) tree: Option<Value<'a>>,
    name: Option<Value<'a>>,
    name_utf8: Option<Value<'a>>,
}

/// The files of version 1: the list, and the length of the content or what is wrong with it.
#[derive(Debug, Clone, Copy)]
pub(super) struct FileList<'a> {
    pub(super) value: Value<'a>,
    pub(super) total: Result<u64, MetainfoError>,
}

impl<'a> InfoFields<'a> {
    /// Reads the dictionary at the front of checked bytes; returns it and the rest. Anything else has no fields.
    pub(super) fn read(&mut self, bytes: &'a [u8]) -> (Value<'a>, &'a [u8]) {
        let Some(mut entries) = Entries::at_front(bytes) else {
            return Value::split_first(bytes);
        };
        while let Some(key) = entries.pull_key() {
            let field = match key {
                b"files" => {
                    let list = entries.pull_with(split_list);
                    self.files = Some(list).filter(|list| list.value.is_list());
                    continue;
                }
                b"file tree" => &mut self.tree,
                b"length" => &mut self.length,
                b"meta version" => &mut self.meta_version,
                b"name" => &mut self.name,
                b"name.utf-8" => &mut self.name_utf8,
                b"piece length" => &mut self.piece_length,
                b"pieces" => &mut self.pieces,
                _ => {
                    entries.pull_value();
                    continue;
                }
            };
            *field = Some(entries.pull_value());
        }
        let rest = entries.after();
        (Value::before(bytes, rest), rest)
    }

    /// Returns `name.utf-8`, which some programs write beside a name in another encoding, or `name`.
    pub(super) fn name(&self) -> Result<&'a [u8], MetainfoError> {
        let utf8 = self.name_utf8.and_then(|name| name.as_bytes());
        let utf8 = utf8.filter(|name| !name.is_empty());
        utf8.or_else(|| self.name?.as_bytes()).ok_or(MetainfoError::Key("name"))
    }

    /// Returns whether there are pieces of version 1, and whether there is a tree of version 2.
    pub(super) fn versions(&self) -> Result<(bool, bool), MetainfoError> {
        let v2 = match self.meta_version.map(|version| version.as_int()) {
            None => false,
            Some(Some(2)) => true,
            Some(other) => return Err(MetainfoError::Version(other.unwrap_or(-1))),
        };
        Ok((!v2 || self.pieces.is_some(), v2))
    }

    /// Returns the piece length in bytes.
    pub(super) fn piece_len(&self) -> Result<u32, MetainfoError> {
        let len = self.piece_length.and_then(|len| len.as_int());
        let len = len.ok_or(MetainfoError::Key("piece length"))?;
        u32::try_from(len).map_err(|_| MetainfoError::Length(len))
    }

    pub(super) fn required_tree(&self) -> Result<Value<'a>, MetainfoError> {
        self.tree.filter(Value::is_dict).ok_or(MetainfoError::Key("file tree"))
    }
}

/// What a dictionary of a file of version 1 has.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct FileFields<'a> {
    pub(super) attributes: &'a [u8],
    pub(super) length: Option<i64>,
    /// A list with at least one element: `path.utf-8`, which some programs write beside a `path` in another encoding, or
    /// `path`.
    pub(super) path: Option<Value<'a>>,
    /// All elements of the path are strings.
    pub(super) is_text: bool,
}

impl<'a> FileFields<'a> {
    /// Reads the dictionary at the front of checked bytes; returns the rest too. Anything else has no fields.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "fields in memory cost as much as reading them")]
    pub(super) fn split_first(bytes: &'a [u8]) -> (Self, &'a [u8]) {
        match Self::split_plain(bytes) {
            Some(read) => read,
            None => Self::split_any(bytes),
        }
    }

    /// Reads a dictionary of a length and a path of short names alone, as nearly all are.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "as `split_first`")]
    fn split_plain(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (length, rest) = split_int(bytes.strip_prefix(b"d6:length")?)?;
        let path = rest.strip_prefix(b"4:path")?;
        let (names, end) = short_strings(path.strip_prefix(b"l")?);
        let rest = end.strip_prefix(b"e")?;
        let path = Some(Value::before(path, rest)).filter(|_| names > 0)?;
        let fields =
            Self { attributes: &[], length: Some(length), path: Some(path), is_text: true };
        Some((fields, rest.strip_prefix(b"e")?))
    }

    /// Reads any dictionary.
    #[inline(never)] // it is large, and seldom needed
    fn split_any(bytes: &'a [u8]) -> (Self, &'a [u8]) {
        let mut fields = Self::default();
        let Some(mut entries) = Entries::at_front(bytes) else {
            return (fields, Value::split_first(bytes).1);
        };
        let mut has_utf8 = false;
        while let Some(key) = entries.pull_key() {
            match key {
                b"length" => fields.length = entries.pull_value().as_int(),
                b"path" | b"path.utf-8" => {
                    let (path, is_text) = entries.pull_with(Items::split_strings);
                    let is_utf8 = key == b"path.utf-8";
                    if path.is_some() && (is_utf8 || !has_utf8) {
                        (fields.path, fields.is_text, has_utf8) = (path, is_text, is_utf8);
                    }
                }
                b"attr" => fields.attributes = entries.pull_value().as_bytes().unwrap_or_default(),
                _ => _ = entries.pull_value(),
            }
        }
        (fields, entries.after())
    }
}

/// Reads the list of files at the front of checked bytes; returns the rest too.
fn split_list(bytes: &[u8]) -> (FileList<'_>, &[u8]) {
    let mut total = Ok(0);
    let walked = Items::walk(bytes, |file| {
        let (fields, rest) = FileFields::split_first(file);
        total = total.and_then(|total| checked_len(&fields, total));
        rest
    });
    let (value, count, rest) = walked.unwrap_or_else(|| {
        let (value, rest) = Value::split_first(bytes);
        (value, 0, rest)
    });
    if count == 0 {
        total = Err(MetainfoError::Content);
    }
    (FileList { value, total }, rest)
}

/// Checks a file; returns the length of the content up to its end.
fn checked_len(fields: &FileFields<'_>, before: u64) -> Result<u64, MetainfoError> {
    let is_named = fields.path.map_or(fields.attributes.contains(&b'p'), |_| fields.is_text);
    if !is_named {
        return Err(MetainfoError::Key("path"));
    }
    let link = is_symlink(fields.attributes);
    let len = if link { 0 } else { length_of(fields.length)? };
    before.checked_add(len).ok_or(MetainfoError::TooLong)
}

/// Returns the length of a file in bytes, which is required.
pub(super) fn length_of(length: Option<i64>) -> Result<u64, MetainfoError> {
    let len = length.ok_or(MetainfoError::Key("length"))?;
    u64::try_from(len).map_err(|_| MetainfoError::Length(len))
}

/// Returns whether the attributes of a file say that it is a symbolic link (BEP 47).
pub(super) fn is_symlink(attributes: &[u8]) -> bool {
    attributes.contains(&b'l')
}
