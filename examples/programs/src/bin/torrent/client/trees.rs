//! The lengths and hashes of the pieces of a torrent.

use bittorrent_pieces::merkle::{MerkleHash, PieceLayer};
use bittorrent_pieces::{Geometry, Metainfo, PieceHashes, V2File};

/// Returns whether the torrent is of version 2 and not of version 1 too.
pub fn is_v2_alone(metainfo: &Metainfo<'_>) -> bool {
    metainfo.info_hash_v2().is_some() && metainfo.hashes().as_bytes().is_empty()
}

/// Returns whether hashes of pieces are missing, which peers may have.
pub fn lacks_layers(metainfo: &Metainfo<'_>) -> bool {
    metainfo.v2_files().any(|(_, layer)| layer.is_none())
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

/// How the content is cut and what the pieces hash to.
pub enum Trees<'a> {
    /// As the metainfo has it.
    V1(Geometry<'a>, PieceHashes<'a>),
    /// The files of version 2, their piece length, and the hashes of all pieces.
    V2(Vec<V2File>, u32, Vec<MerkleHash>),
    /// Files of both versions: those of version 2, how version 1 cuts them, and the hashes of both.
    Hybrid(Vec<V2File>, Geometry<'a>, PieceHashes<'a>, Vec<MerkleHash>),
}

/// Returns the trees of a torrent; `fetched` are the hashes that peers sent.
pub fn trees<'a>(metainfo: &Metainfo<'a>, fetched: Option<Vec<MerkleHash>>) -> Trees<'a> {
    let complete = metainfo.is_single() && !metainfo.hashes().layer().is_empty();
    if metainfo.info_hash_v2().is_none() || (complete && !is_v2_alone(metainfo)) {
        return Trees::V1(metainfo.geometry(), metainfo.hashes());
    }
    let (files, known) = layers(metainfo);
    let complete = fetched.is_some() || files.iter().all(|(_, known)| *known);
    let known = fetched.unwrap_or(known);
    let files: Vec<V2File> = files.into_iter().map(|(file, _)| file).collect();
    if !is_v2_alone(metainfo) {
        let geometry = metainfo.geometry();
        let hashes = metainfo.hashes();
        // Without the layers, which no peer sent, version 1 is enough.
        return match Geometry::of_hybrid(&files, geometry.total(), geometry.full_piece_len()) {
            Ok(_) if complete => Trees::Hybrid(files, geometry, hashes, known),
            _ => Trees::V1(geometry, hashes),
        };
    }
    Trees::V2(files, metainfo.geometry().full_piece_len(), known)
}

impl Trees<'_> {
    /// Returns the geometry and the hashes.
    pub fn borrow(&self) -> Result<(Geometry<'_>, PieceHashes<'_>), String> {
        match self {
            Self::V1(geometry, hashes) => Ok((*geometry, *hashes)),
            Self::Hybrid(files, cut, hashes, layer) => {
                let geometry = Geometry::of_hybrid(files, cut.total(), cut.full_piece_len());
                let geometry = geometry.map_err(|error| error.to_string())?;
                let both = PieceHashes::hybrid(*hashes, PieceLayer::new(layer));
                Ok((geometry, both.ok_or("the two versions differ")?))
            }
            Self::V2(files, piece_len, layer) => {
                let geometry = Geometry::of_files(files, *piece_len);
                let geometry = geometry.map_err(|error| error.to_string())?;
                Ok((geometry, PieceHashes::v2(PieceLayer::new(layer))))
            }
        }
    }
}
