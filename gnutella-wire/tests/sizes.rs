//! The table of bytes in the README.

use gnutella_wire::handshake::Handshake;
use gnutella_wire::{Caches, HostSlot, LinkSlot, QuerySlot, RouteSlot, Servent};

/// What a leaf, a peer and an ultrapeer take on a device with 16 KB.
type Leaf =
    Servent<[LinkSlot; 3], [RouteSlot; 64], Caches<[HostSlot; 16], [QuerySlot; 2], [u8; 2_048]>>;
type Peer =
    Servent<[LinkSlot; 5], [RouteSlot; 256], Caches<[HostSlot; 16], [QuerySlot; 0], [u8; 0]>>;
type Ultrapeer = Servent<
    [LinkSlot; 32],
    [RouteSlot; 128],
    Caches<[HostSlot; 16], [QuerySlot; 2], [u8; 34 * 128]>,
>;

#[test]
fn slots_and_machines_are_as_large_as_documented() {
    let readme = include_str!("../README.md");
    for (what, len) in [
        ("[`Servent`] without slots", size_of::<Servent<[LinkSlot; 0], [RouteSlot; 0]>>()),
        ("[`LinkSlot`]", size_of::<LinkSlot>()),
        ("[`RouteSlot`]", size_of::<RouteSlot>()),
        ("[`HostSlot`]", size_of::<HostSlot>()),
        ("[`QuerySlot`]", size_of::<QuerySlot>()),
        ("[`Handshake`](handshake::Handshake)", size_of::<Handshake>()),
        ("leaf", size_of::<Leaf>()),
        ("peer", size_of::<Peer>()),
        ("ultrapeer", size_of::<Ultrapeer>()),
    ] {
        let digits = len.to_string();
        let (head, tail) = digits.split_at(digits.len().saturating_sub(3));
        let len = if head.is_empty() { digits.clone() } else { format!("{head},{tail}") };
        let row = format!("| {what} | {len} |");
        assert!(readme.contains(&row), "the README lacks the row {row}");
    }
    assert!(
        [size_of::<Leaf>(), size_of::<Peer>(), size_of::<Ultrapeer>()]
            .iter()
            .all(|len| *len <= 16_384)
    );
}
