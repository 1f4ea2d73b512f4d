//! The keys of an info dictionary and of a file that matter, all of them read in one pass.

use super::error::MetainfoError;
use crate::bencode::{Entries, Items, Value};

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
    /// Reads the dictionary at the front of checked bytes; returns it and the rest too. Anything else has no fields.
    pub(super) fn split_first(bytes: &'a [u8]) -> (Self, Value<'a>, &'a [u8]) {
        let mut fields = Self::default();
        let Some(mut entries) = Entries::at_front(bytes) else {
            let (value, rest) = Value::split_first(bytes);
            return (fields, value, rest);
        };
        while let Some(key) = entries.pull_key() {
            let field = match key {
                b"files" => {
                    let list = entries.pull_with(split_list);
                    fields.files = Some(list).filter(|list| list.value.is_list());
                    continue;
                }
                b"file tree" => &mut fields.tree,
                b"length" => &mut fields.length,
                b"meta version" => &mut fields.meta_version,
                b"name" => &mut fields.name,
                b"name.utf-8" => &mut fields.name_utf8,
                b"piece length" => &mut fields.piece_length,
                b"pieces" => &mut fields.pieces,
                _ => {
                    entries.pull_value();
                    continue;
                }
            };
            *field = Some(entries.pull_value());
        }
        let rest = entries.after();
        (fields, Value::before(bytes, rest), rest)
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
    /// Reads the dictionary at the front of checked bytes; returns the rest. Anything else has no fields.
    pub(super) fn read(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let Some(mut entries) = Entries::at_front(bytes) else {
            return Value::split_first(bytes).1;
        };
        let mut has_utf8 = false;
        while let Some(key) = Key::pull(&mut entries) {
            match key {
                Key::Length => self.length = entries.pull_int(),
                Key::Path | Key::PathUtf8 => {
                    let (path, is_text) = entries.pull_with(Items::split_strings);
                    let is_utf8 = key == Key::PathUtf8;
                    if path.is_some() && (is_utf8 || !has_utf8) {
                        (self.path, self.is_text, has_utf8) = (path, is_text, is_utf8);
                    }
                }
                Key::Attributes => {
                    self.attributes = entries.pull_value().as_bytes().unwrap_or_default();
                }
                Key::Other => _ = entries.pull_value(),
            }
        }
        entries.after()
    }
}

/// A key of a file of version 1.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    Attributes,
    Length,
    Path,
    PathUtf8,
    Other,
}

impl Key {
    /// Reads the next key.
    fn pull(entries: &mut Entries<'_>) -> Option<Self> {
        // Every file has these two. The processor need not wait for their lengths to know where the values begin.
        if entries.skip_key(b"6:length") {
            return Some(Self::Length);
        }
        if entries.skip_key(b"4:path") {
            return Some(Self::Path);
        }
        Some(match entries.pull_key()? {
            b"attr" => Self::Attributes,
            b"path.utf-8" => Self::PathUtf8,
            _ => Self::Other,
        })
    }
}

/// Reads the list of files at the front of checked bytes; returns the rest too.
fn split_list(bytes: &[u8]) -> (FileList<'_>, &[u8]) {
    let mut total = Ok(0);
    let walked = Items::walk(bytes, |file| {
        let mut fields = FileFields::default();
        let rest = fields.read(file);
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
