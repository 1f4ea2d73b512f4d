//! Parts of the check of a metainfo file.

use super::error::MetainfoError;
use super::fields::InfoFields;
use super::file::Files;
use super::layers::{self, LayerCheck, LayerIndex};
use super::tree;
use super::tree::Walk;
use crate::bencode::Value;
use crate::hash::PieceHashes;
use crate::merkle::PieceLayer;

/// Checks the tree of files, that each file of more than a piece has a layer of the right length, and that there are no
/// other layers. `layerless` permits files without a layer. Returns the length of the content.
#[inline(never)] // the index is large, and not in use while layers are hashed
pub(super) fn check_files(
    layers: Value<'_>,
    tree: Value<'_>,
    piece_len: u32,
    layerless: bool,
) -> Result<u64, MetainfoError> {
    let mut index = LayerIndex::new(layers);
    index.fill();
    let mut check = LayerCheck::new(&index, piece_len, layerless)?;
    tree::check_tree(tree, piece_len, &mut check)
}

/// Adds the piece layer of a single file, if it is known.
pub(super) fn with_layer<'a>(
    hashes: PieceHashes<'a>,
    v1: bool,
    layers: Option<Value<'a>>,
    tree: Value<'a>,
    name: &[u8],
    piece_len: u32,
) -> PieceHashes<'a> {
    let Some(file) = tree::single(tree, name).filter(|file| file.len() > 0) else { return hashes };
    match (layer_of(&file, layers, piece_len), v1) {
        (Some(layer), true) => PieceHashes::hybrid(hashes, layer).unwrap_or(hashes),
        (Some(layer), false) => PieceHashes::v2(layer),
        (None, _) => hashes,
    }
}

/// Returns the piece layer of a file, which is its root if it has but one piece.
pub(super) fn layer_of<'a>(
    file: &tree::TreeFile<'a>,
    layers: Option<Value<'a>>,
    piece_len: u32,
) -> Option<PieceLayer<'a>> {
    if file.len() > u64::from(piece_len) {
        layers::find(layers?, &file.root()?)
    } else {
        root_layer(file)
    }
}

/// Returns the root of a file as the layer of its only piece.
pub(super) fn root_layer<'a>(file: &tree::TreeFile<'a>) -> Option<PieceLayer<'a>> {
    PieceLayer::from_bytes(file.root_bytes()?)
}

/// Compares the two descriptions of a hybrid torrent: the same files, each at the start of a piece.
pub(super) fn check_hybrid(
    name: &[u8],
    info: Value<'_>,
    fields: &InfoFields<'_>,
    piece_len: u32,
) -> Result<(), MetainfoError> {
    let tree = fields.required_tree()?;
    let single = tree::single(tree, name).is_some();
    let mut new = Walk::new(tree);
    let mut end = 0_u64;
    let old = Files::new(name, info, fields.files.map(|files| files.value));
    for old in old.filter(|file| !file.is_padding() && !file.is_empty()) {
        let file = new.find(|file| file.len() > 0).ok_or(MetainfoError::Hybrid)?;
        let start = tree::start_of(end, piece_len).ok_or(MetainfoError::Hybrid)?;
        end = start.saturating_add(file.len());
        let depth = if single { 0 } else { file.depth };
        let path = new.names.iter().take(depth).copied();
        if (file.len(), start) != (old.len(), old.offset()) || !path.eq(old.inner_path()) {
            return Err(MetainfoError::Hybrid);
        }
    }
    if new.any(|file| file.len() > 0) { Err(MetainfoError::Hybrid) } else { Ok(()) }
}
