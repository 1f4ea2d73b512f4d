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
                    fields.files = Some(entries.pull_with(split_list));
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
        utf8.or_else(|| self.name?.as_bytes()).ok_or(MetainfoError::Key("name"))
    }

    pub(super) fn required_tree(&self) -> Result<Value<'a>, MetainfoError> {
        self.tree.filter(Value::is_dict).ok_or(MetainfoError::Key("file tree"))
    }
}

/// What a dictionary of a file of version 1 has.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct FileFields<'a> {
    pub(super) attributes: &'a [u8],
    pub(super) length: Option<Value<'a>>,
    path: Option<Path<'a>>,
    path_utf8: Option<Path<'a>>,
}

/// A list with at least one element.
#[derive(Debug, Clone, Copy)]
pub(super) struct Path<'a> {
    pub(super) value: Value<'a>,
    /// All elements are strings.
    pub(super) is_text: bool,
}

impl<'a> FileFields<'a> {
    /// Reads the dictionary at the front of checked bytes; returns it and the rest too. Anything else has no fields.
    pub(super) fn split_first(bytes: &'a [u8]) -> (Self, Value<'a>, &'a [u8]) {
        let mut fields = Self::default();
        let Some(mut entries) = Entries::at_front(bytes) else {
            let (value, rest) = Value::split_first(bytes);
            return (fields, value, rest);
        };
        while let Some(key) = entries.pull_key() {
            match key {
                b"length" => fields.length = Some(entries.pull_value()),
                b"path" => fields.path = entries.pull_with(Path::split_first),
                b"path.utf-8" => fields.path_utf8 = entries.pull_with(Path::split_first),
                b"attr" => {
                    fields.attributes = entries.pull_value().as_bytes().unwrap_or_default();
                }
                _ => _ = entries.pull_value(),
            }
        }
        let rest = entries.after();
        (fields, Value::before(bytes, rest), rest)
    }

    /// Returns `path.utf-8`, which some programs write beside a `path` in another encoding, or `path`.
    pub(super) fn path(&self) -> Option<Path<'a>> {
        self.path_utf8.or(self.path)
    }
}

impl<'a> Path<'a> {
    /// Reads the list at the front of checked bytes; returns the rest too.
    fn split_first(bytes: &'a [u8]) -> (Option<Self>, &'a [u8]) {
        let mut is_text = true;
        let walked = Items::walk(bytes, |element| {
            let (element, rest) = Value::split_first(element);
            is_text &= element.is_bytes();
            rest
        });
        match walked {
            Some((_, 0, rest)) => (None, rest),
            Some((value, _, rest)) => (Some(Self { value, is_text }), rest),
            None => (None, Value::split_first(bytes).1),
        }
    }
}

/// Reads the list of files at the front of checked bytes; returns the rest too.
fn split_list(bytes: &[u8]) -> (FileList<'_>, &[u8]) {
    let mut total = Ok(0);
    let walked = Items::walk(bytes, |file| {
        let (fields, _, rest) = FileFields::split_first(file);
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
    let path = fields.path();
    let named = path.is_some() || fields.attributes.contains(&b'p');
    if !named || path.is_some_and(|path| !path.is_text) {
        return Err(MetainfoError::Key("path"));
    }
    let link = is_symlink(fields.attributes);
    let len = if link { 0 } else { length_of(fields.length)? };
    before.checked_add(len).ok_or(MetainfoError::TooLong)
}

/// Returns the length of a file in bytes, which is required.
pub(super) fn length_of(length: Option<Value<'_>>) -> Result<u64, MetainfoError> {
    let len = length.and_then(|length| length.as_int()).ok_or(MetainfoError::Key("length"))?;
    u64::try_from(len).map_err(|_| MetainfoError::Length(len))
}

/// Returns whether the attributes of a file say that it is a symbolic link (BEP 47).
pub(super) fn is_symlink(attributes: &[u8]) -> bool {
    attributes.contains(&b'l')
}
