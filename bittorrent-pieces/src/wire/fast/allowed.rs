//! Which pieces a choked peer may ask for (BEP 6, "allowed fast set generation").

use core::net::Ipv4Addr;

use crate::block::PieceIndex;
use crate::hash::PieceHasher;
use crate::id::InfoHash;

/// How many pieces BEP 6 suggests.
pub const ALLOWED_FAST: usize = 10;

/// Writes the allowed-fast set of a peer into `out` and returns how many pieces it has: as many as
/// `out` holds, or all pieces of a smaller torrent. The peer and we compute the same.
///
/// `ip` is the address that the sender of the messages sees; its last byte does not count. The loop
/// of the BEP never ends when the torrent has fewer pieces than the set: here those are all of them,
/// in order.
///
/// ```
/// use bittorrent_pieces::wire::fast::allowed_fast;
/// use bittorrent_pieces::{InfoHash, PieceIndex};
///
/// let mut set = [PieceIndex(0); 7];
/// let ip = [80, 4, 4, 200].into();
/// assert_eq!(allowed_fast(ip, InfoHash([0xAA; 20]), 1313, &mut set), 7);
/// assert_eq!(set.map(|piece| piece.0), [1059, 431, 808, 1217, 287, 376, 1188]);
/// ```
pub fn allowed_fast(
    ip: Ipv4Addr,
    info_hash: InfoHash,
    pieces: u32,
    out: &mut [PieceIndex],
) -> usize {
    if u32::try_from(out.len()).map_or(true, |len| len >= pieces) {
        let all = (0..pieces).map(PieceIndex);
        return out.iter_mut().zip(all).map(|(slot, piece)| *slot = piece).count();
    }
    let [a, b, c, _] = ip.octets();
    let mut hasher = PieceHasher::new();
    hasher.update(&[a, b, c, 0]);
    hasher.update(&info_hash.0);
    let mut digest = hasher.finish();
    let mut len = 0_usize;
    loop {
        for word in digest.as_chunks::<4>().0 {
            let piece = u32::from_be_bytes(*word).checked_rem(pieces).map(PieceIndex);
            let (known, free) = out.split_at_mut_checked(len).unwrap_or_default();
            match (free, piece) {
                ([slot, ..], Some(piece)) if !known.contains(&piece) => {
                    *slot = piece;
                    len = len.saturating_add(1);
                }
                ([_, ..], Some(_)) => {}
                _ => return len,
            }
        }
        digest = PieceHasher::digest(&digest);
    }
}
