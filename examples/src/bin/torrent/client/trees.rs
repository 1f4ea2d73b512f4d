//! What a torrent says of pieces: their lengths and their hashes.

use bittorrent_pieces::merkle::{MerkleHash, PieceLayer};
use bittorrent_pieces::{Geometry, Metainfo, PieceHashes, V2File};

/// Returns whether the torrent is of version 2 and not of version 1 too.
pub fn is_v2_alone(metainfo: &Metainfo<'_>) -> bool {
    metainfo.info_hash_v2().is_some() && metainfo.hashes().as_bytes().is_empty()
}

/// Returns the files of version 2, and the hashes of all pieces as far as they are known.
pub fn layers(metainfo: &Metainfo<'_>) -> (Vec<(V2File, bool)>, Vec<MerkleHash>) {
    let mut all = vec![[0; 32]; metainfo.geometry().pieces() as usize];
    let each = metainfo.v2_files().map(|(file, layer)| {
        if let Some(layer) = layer {
            put(&mut all, &file, layer.hashes());
        }
        (file, layer.is_some())
    });
    (each.collect(), all)
}

/// Puts the hashes of a file to their place.
pub fn put(all: &mut [MerkleHash], file: &V2File, layer: &[MerkleHash]) {
    all[file.first.0 as usize..][..layer.len()].copy_from_slice(layer);
}

/// Returns how the content is cut and what the pieces hash to; `fetched` are the hashes of a torrent that is
/// known by peers alone.
pub fn trees(
    metainfo: &Metainfo<'static>,
    fetched: Option<Vec<MerkleHash>>,
) -> Result<(Geometry<'static>, PieceHashes<'static>), String> {
    if !is_v2_alone(metainfo) {
        return Ok((metainfo.geometry(), metainfo.hashes()));
    }
    let (files, known) = layers(metainfo);
    let files: Vec<V2File> = files.into_iter().map(|(file, _)| file).collect();
    let geometry = Geometry::of_files(files.leak(), metainfo.geometry().full_piece_len());
    let layer = PieceLayer::new(fetched.unwrap_or(known).leak()); // to the end of the program
    Ok((geometry.map_err(|error| error.to_string())?, PieceHashes::v2(layer)))
}
