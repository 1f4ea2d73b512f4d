//! The keys of an info dictionary and of a file that matter, each dictionary read in one pass.

use super::error::MetainfoError;
use crate::bencode::Value;

/// What an info dictionary has of version 1 and 2.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct InfoFields<'a> {
    pub(super) files: Option<Value<'a>>,
    pub(super) length: Option<Value<'a>>,
    pub(super) meta_version: Option<Value<'a>>,
    pub(super) piece_length: Option<Value<'a>>,
    pub(super) pieces: Option<Value<'a>>,
    name: Option<Value<'a>>,
    name_utf8: Option<Value<'a>>,
    tree: Option<Value<'a>>,
}

impl<'a> InfoFields<'a> {
    pub(super) fn of(info: Value<'a>) -> Self {
        let mut fields = Self::default();
        for (key, value) in info.entries() {
            let field = match key {
                b"file tree" => &mut fields.tree,
                b"files" => &mut fields.files,
                b"length" => &mut fields.length,
                b"meta version" => &mut fields.meta_version,
                b"name" => &mut fields.name,
                b"name.utf-8" => &mut fields.name_utf8,
                b"piece length" => &mut fields.piece_length,
                b"pieces" => &mut fields.pieces,
                _ => continue,
            };
            *field = Some(value);
        }
        fields
    }

    /// Returns `name.utf-8`, which some programs write beside a name in another encoding, or `name`.
    pub(super) fn name(&self) -> Result<&'a [u8], MetainfoError> {
        let utf8 = self.name_utf8.and_then(|name| name.as_bytes());
        utf8.or_else(|| self.name?.as_bytes()).ok_or(MetainfoError::Key("name"))
    }

    pub(super) fn tree(&self) -> Result<Value<'a>, MetainfoError> {
        self.tree.filter(Value::is_dict).ok_or(MetainfoError::Key("file tree"))
    }
}

/// What a dictionary of a file of version 1 has.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct FileFields<'a> {
    pub(super) attributes: &'a [u8],
    pub(super) length: Option<Value<'a>>,
    path: Option<Value<'a>>,
    path_utf8: Option<Value<'a>>,
}

impl<'a> FileFields<'a> {
    pub(super) fn of(file: Value<'a>) -> Self {
        let mut fields = Self::default();
        for (key, value) in file.entries() {
            match key {
                b"attr" => fields.attributes = value.as_bytes().unwrap_or_default(),
                b"length" => fields.length = Some(value),
                b"path" => fields.path = Some(value),
                b"path.utf-8" => fields.path_utf8 = Some(value),
                _ => {}
            }
        }
        fields
    }

    /// Returns `path.utf-8`, which some programs write beside a `path` in another encoding, or `path`.
    pub(super) fn path(&self) -> Option<Value<'a>> {
        let list = |path: &Value<'a>| path.items().next().is_some();
        self.path_utf8.filter(list).or(self.path.filter(list))
    }
}

/// Returns the length of a file in bytes, which is required.
pub(super) fn length_of(length: Option<Value<'_>>) -> Result<u64, MetainfoError> {
    let len = length.and_then(|length| length.as_int()).ok_or(MetainfoError::Key("length"))?;
    u64::try_from(len).map_err(|_| MetainfoError::Length(len))
}
