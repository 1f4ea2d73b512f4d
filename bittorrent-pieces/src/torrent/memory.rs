//! What a torrent will need, before its memory is provided.

use super::padding::Padding;
use super::peer::PeerSlot;
use super::queue::RequestSlot;
use super::storage::{bits_len, requests_len};
use super::storage_vec::TorrentLimits;
use crate::geometry::{Geometry, V2File};
use crate::merkle::{MerkleHash, RUN};
use crate::metainfo::{File, Metainfo};
use crate::picker::{
    BlockSlot, PartialSlot, PieceSlot, RarestSlot, block_slots, piece_slots, rarest_slots,
};

/// Returns how many bytes a [`TorrentVec`](crate::TorrentVec) allocates for a torrent: slots, hashes, the info
/// dictionary and padding. Leaves of v2 ([`TorrentContent::leaves`](crate::TorrentContent::leaves)) come on top: 32
/// bytes for each block.
///
/// A stranger chooses the numbers of a torrent, so compare this with a limit before the memory is allocated.
///
/// ```
/// use bittorrent_pieces::torrent::torrent_memory;
/// use bittorrent_pieces::{Metainfo, TorrentLimits, bencode::Mode};
///
/// let file = b"d4:infod6:lengthi3e4:name1:x12:piece lengthi536870911e6:pieces20:01234567890123456789ee";
/// let metainfo = Metainfo::decode(file, Mode::Strict)?;
/// let needed = torrent_memory(&metainfo, TorrentLimits::new());
/// assert!(needed > 70 << 20, "{needed} bytes: 100 open pieces of 32,768 blocks");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn torrent_memory(metainfo: &Metainfo<'_>, limits: TorrentLimits) -> u64 {
    let geometry = metainfo.geometry();
    let shape = Shape::of(metainfo);
    let peers = usize::from(limits.peers);
    let open_pieces = usize::from(limits.open_pieces);
    let requests = requests_len(peers, usize::from(limits.pipeline));
    let regions = [
        (piece_slots(shape.pieces), size_of::<PieceSlot>()),
        (rarest_slots(shape.pieces), size_of::<RarestSlot>()),
        (open_pieces, size_of::<PartialSlot>()),
        (block_slots(geometry, open_pieces), size_of::<BlockSlot>()),
        (peers, size_of::<PeerSlot>()),
        (bits_len(shape.pieces, peers), 1),
        (requests, size_of::<RequestSlot>()),
        (shape.files, size_of::<V2File>()),
        (metainfo.hashes().as_bytes().len(), 1),
        (shape.layer, size_of::<MerkleHash>()),
        (shape.runs, size_of::<MerkleHash>()),
        (metainfo.info().as_raw().len(), 1),
        (shape.padding, size_of::<Padding>()),
    ];
    let bytes = regions.map(|(count, size)| wide(count).saturating_mul(wide(size)));
    bytes.into_iter().fold(0, u64::saturating_add)
}

/// The numbers of a torrent that decide its memory.
struct Shape {
    pieces: u32,
    files: usize, // of version 2 alone
    layer: usize, // hashes of all layers
    runs: usize,
    padding: usize,
}

impl Shape {
    fn of(metainfo: &Metainfo<'_>) -> Self {
        let geometry = metainfo.geometry();
        let v2_alone = metainfo.hashes().as_bytes().is_empty() && metainfo.info_hash_v2().is_some();
        if v2_alone { Self::of_v2(metainfo, geometry) } else { Self::of_v1(metainfo, geometry) }
    }

    fn of_v2(metainfo: &Metainfo<'_>, geometry: Geometry<'_>) -> Self {
        let piece_len = u64::from(geometry.full_piece_len());
        let mut shape = Self { pieces: 0, files: 0, layer: 0, runs: 0, padding: 0 };
        for (file, _) in metainfo.v2_files() {
            let pieces = file.len.checked_div(piece_len).unwrap_or(0).saturating_add(1);
            let exact = file.len.checked_rem(piece_len) == Some(0);
            let pieces = u32::try_from(pieces).unwrap_or(u32::MAX).saturating_sub(exact.into());
            let count = crate::index::slot(pieces);
            shape.pieces = shape.pieces.saturating_add(pieces);
            shape.files = shape.files.saturating_add(1);
            shape.layer = shape.layer.saturating_add(count);
            shape.runs = shape.runs.saturating_add(count.div_ceil(RUN));
        }
        shape
    }

    fn of_v1(metainfo: &Metainfo<'_>, geometry: Geometry<'_>) -> Self {
        let padded = metainfo.files().filter(File::is_padding);
        let padding = padded.map(|file| Padding::of(geometry, file.offset(), file.len()).count());
        let layer = metainfo.hashes().layer().len();
        Self {
            pieces: geometry.pieces(),
            files: 0,
            layer,
            runs: layer.div_ceil(RUN),
            padding: padding.fold(0, usize::saturating_add),
        }
    }
}

fn wide(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
