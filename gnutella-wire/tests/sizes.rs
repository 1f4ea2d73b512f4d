//! The table of bytes in the README.

use gnutella_wire::handshake::Handshake;
use gnutella_wire::hosts::HostSlot;
use gnutella_wire::routes::RouteSlot;
use gnutella_wire::servent::QuerySlot;
use gnutella_wire::{ConnSlot, Servent, ServentSlots};

/// What a leaf, a peer and an ultrapeer take on a device with 16 KB.
type Leaf = Servent<
    ServentSlots<[ConnSlot; 3], [RouteSlot; 64], [HostSlot; 16], [QuerySlot; 2], [u8; 2_048]>,
>;
type Peer = Servent<ServentSlots<[ConnSlot; 5], [RouteSlot; 256], [HostSlot; 16]>>;
type Ultrapeer = Servent<
    ServentSlots<[ConnSlot; 32], [RouteSlot; 112], [HostSlot; 16], [QuerySlot; 2], [u8; 34 * 128]>,
>;

#[test]
fn slots_and_machines_are_as_large_as_documented() {
    let readme = include_str!("../README.md");
    let mut missing = Vec::new();
    for (what, len) in [
        ("[`Servent`] without slots", size_of::<Servent<()>>()),
        ("[`ConnSlot`]", size_of::<ConnSlot>()),
        ("[`RouteSlot`](routes::RouteSlot)", size_of::<RouteSlot>()),
        ("[`HostSlot`](hosts::HostSlot)", size_of::<HostSlot>()),
        ("[`QuerySlot`](servent::QuerySlot)", size_of::<QuerySlot>()),
        ("[`Handshake`](handshake::Handshake)", size_of::<Handshake>()),
        ("leaf", size_of::<Leaf>()),
        ("peer", size_of::<Peer>()),
        ("ultrapeer", size_of::<Ultrapeer>()),
    ] {
        let digits = len.to_string();
        let (head, tail) = digits.split_at(digits.len().saturating_sub(3));
        let len = if head.is_empty() { digits.clone() } else { format!("{head},{tail}") };
        let row = format!("| {what} | {len} |");
        if !readme.contains(&row) {
            missing.push(row);
        }
    }
    let is_wide = cfg!(target_pointer_width = "64"); // on 32 bits they are smaller
    assert!(missing.is_empty() || !is_wide, "the README lacks the rows {missing:#?}");
    assert!(
        [size_of::<Leaf>(), size_of::<Peer>(), size_of::<Ultrapeer>()]
            .iter()
            .all(|len| *len <= 16_384)
    );
}

#[test]
fn datagrams_are_not_larger_than_documented() {
    use gnutella_wire::datagram::{PeerSlot, SearchSlot};
    assert!(size_of::<PeerSlot>() <= 288, "PeerSlot has {} bytes", size_of::<PeerSlot>());
    assert!(size_of::<SearchSlot>() <= 320, "SearchSlot has {} bytes", size_of::<SearchSlot>());
}

/// Bounds instead of exact numbers: they differ between targets and compilers.
#[test]
fn transfers_are_not_larger_than_documented() {
    use gnutella_wire::transfer::{BlockSlot, Download, SourceSlot, UploadSlot, Uploads};
    for (what, len, most) in [
        ("SourceSlot", size_of::<SourceSlot>(), 400),
        ("BlockSlot", size_of::<BlockSlot>(), 48),
        ("Download", size_of::<Download<()>>(), 1_720),
        ("UploadSlot", size_of::<UploadSlot>(), 200),
        ("Uploads", size_of::<Uploads<()>>(), 240),
    ] {
        assert!(len <= most, "{what} has {len} bytes");
    }
}
