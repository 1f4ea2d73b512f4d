//! Required keys of a dictionary.

use super::error::MetainfoError;
use crate::bencode::Value;

pub(super) fn bytes_of<'a>(
    dict: Value<'a>,
    key: &[u8],
    name: &'static str,
) -> Result<&'a [u8], MetainfoError> {
    dict.find(key).and_then(|value| value.as_bytes()).ok_or(MetainfoError::Key(name))
}

pub(super) fn int_of(
    dict: Value<'_>,
    key: &[u8],
    name: &'static str,
) -> Result<i64, MetainfoError> {
    dict.find(key).and_then(|value| value.as_int()).ok_or(MetainfoError::Key(name))
}
