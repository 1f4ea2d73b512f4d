//! The info dictionary from peers, by hand: order of requests, wrong data, slow peers.

use core::time::Duration;

use bittorrent_pieces::fetch::{FetchEvent, FetchOutcome, FetchSlot, FetchSlots};
use bittorrent_pieces::merkle::{MerkleHash, PieceLayer, layer_root};
use bittorrent_pieces::wire::extended::{Extended, Metadata};
use bittorrent_pieces::wire::hashes::{HashMessage, HashRange};
use bittorrent_pieces::wire::{Handshake, Message, Reserved};
use bittorrent_pieces::{
    Block, CloseReason, ConnId, ConnectError, FetchConfig, Geometry, InfoHash, InfoHashV2,
    MetadataFetch, PeerId, PieceHasher, PieceIndex, Received, Side,
};

use sha2::{Digest as _, Sha256};

type Fetch = MetadataFetch<FetchSlots<[FetchSlot; 2], Vec<u8>>>;

const A: ConnId = ConnId(1);
const B: ConnId = ConnId(2);
const ZERO: Duration = Duration::ZERO;

fn info() -> Vec<u8> {
    (0..40_000_u32).map(|at| at as u8).collect()
}

fn fetch(room: usize) -> Fetch {
    let config = FetchConfig::new(InfoHash(PieceHasher::digest(&info())), PeerId([1; 20]));
    let storage = FetchSlots { slots: [FetchSlot::EMPTY; 2], buffer: vec![0; room] };
    MetadataFetch::new(config, storage).unwrap()
}

fn extended(id: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![0; body.len() + 6];
    Extended { id, body }.encode(&mut out).unwrap();
    out
}

fn metadata(message: Metadata<'_>) -> Vec<u8> {
    let mut body = vec![0; 17_000];
    let len = message.encode(&mut body).unwrap();
    extended(1, &body[..len])
}

/// Connects a peer that announces the dictionary with a length of `size` bytes.
fn join(fetch: &mut Fetch, conn: ConnId, size: usize) {
    fetch.handle_connected(ZERO, conn, Side::Dialled).unwrap();
    let info_hash = InfoHash(PieceHasher::digest(&info()));
    let mut hello = [0; Handshake::LEN];
    let peer_id = PeerId([conn.0 as u8 + 1; 20]);
    Handshake { reserved: Reserved::EXTENDED, info_hash, peer_id }.encode(&mut hello).unwrap();
    let handled = fetch.handle_bytes(ZERO, conn, &hello).unwrap();
    assert_eq!(handled, Received { consumed: 68, outcome: Some(FetchOutcome::Keep) });
    let body = format!("d1:md11:ut_metadatai3ee13:metadata_sizei{size}ee");
    let message = extended(0, body.as_bytes());
    let handled = fetch.handle_bytes(ZERO, conn, &message).unwrap();
    assert_eq!(handled.outcome, Some(FetchOutcome::Keep));
}

/// Returns the requested pieces, each with its peer.
fn asked(fetch: &mut Fetch) -> Vec<(u32, u32)> {
    let mut buf = [0; 512];
    let mut pieces = Vec::new();
    while let Some(sent) = fetch.poll_transmit(&mut buf).unwrap() {
        if sent.len > 6
            && buf[4..6] == [20, 3]
            && let Ok(Metadata::Request { piece }) = Metadata::decode(&buf[6..sent.len])
        {
            pieces.push((sent.conn.0, piece));
        }
    }
    pieces
}

fn give(fetch: &mut Fetch, conn: ConnId, piece: u32, flip: u8) {
    let info = info();
    let start = piece as usize * 16_384;
    let mut data = info[start..info.len().min(start + 16_384)].to_vec();
    data[0] ^= flip;
    let message = metadata(Metadata::Data { piece, total_size: 40_000, data: &data });
    fetch.handle_bytes(ZERO, conn, &message).unwrap();
}

#[test]
fn a_peer_with_a_wrong_dictionary_is_identified_and_another_is_asked() {
    let mut fetch = fetch(40_000);
    join(&mut fetch, A, 40_000);
    join(&mut fetch, B, 40_000);
    assert_eq!(asked(&mut fetch), [(1, 0), (1, 1), (1, 2)]);
    for (piece, flip) in [(0, 0), (1, 1), (2, 0)] {
        give(&mut fetch, A, piece, flip);
    }
    assert_eq!(
        fetch.poll_event(),
        Some(FetchEvent::Closed { conn: A, reason: CloseReason::Corrupt })
    );
    assert_eq!(asked(&mut fetch), [(2, 0), (2, 1), (2, 2)]);
    for piece in 0..3 {
        assert_eq!(fetch.metadata(), None);
        give(&mut fetch, B, piece, 0);
    }
    assert_eq!(fetch.poll_event(), Some(FetchEvent::Completed));
    assert_eq!(fetch.metadata(), Some(&info()[..]));
    assert_eq!(fetch.poll_event(), None);
}

#[test]
fn a_peer_that_rejects_or_is_slow_rests_and_another_is_asked() {
    let mut fetch = fetch(40_000);
    join(&mut fetch, A, 40_000);
    join(&mut fetch, B, 40_000);
    assert_eq!(asked(&mut fetch).len(), 3);
    fetch.handle_bytes(ZERO, A, &metadata(Metadata::Reject { piece: 0 })).unwrap();
    assert_eq!(asked(&mut fetch)[0], (2, 0));
    assert_eq!(fetch.poll_timeout(), Some(Duration::from_secs(10)));
    fetch.handle_timeout(Duration::from_secs(10));
    assert_eq!(asked(&mut fetch)[0], (1, 0), "the first has rested");
    assert_eq!(fetch.progress(), (0, Some(40_000)));
}

#[test]
fn a_dictionary_longer_than_the_buffer_is_not_requested() {
    let mut fetch = fetch(39_999);
    join(&mut fetch, A, 40_000);
    join(&mut fetch, B, 0);
    assert!(asked(&mut fetch).is_empty());
}

/// BEP 52: the piece layer comes in runs of 512 hashes, each proved; a peer that sends a wrong one is identified.
#[test]
fn the_layer_of_a_v2_torrent_is_fetched_and_proved() {
    let pieces = 1_200_u32;
    let layer: Vec<MerkleHash> = (0..pieces).map(|n| [n as u8; 32]).collect();
    let root = PieceLayer::new(&layer).root(16_384);
    let geometry = Geometry::new(u64::from(pieces) * 16_384, 16_384).unwrap();
    let mut fetch = fetch(40_000);
    join(&mut fetch, A, 40_000);
    join(&mut fetch, B, 40_000);
    for piece in 0..3 {
        give(&mut fetch, A, piece, 0);
    }
    assert_eq!(fetch.poll_event(), Some(FetchEvent::Completed));
    let short = Geometry::new(1 << 25, 16_384).unwrap();
    assert_eq!(fetch.fetch_layer(ZERO, root, short).map_err(|e| e.needed), Err(65_536));
    fetch.fetch_layer(ZERO, root, geometry).unwrap();
    assert_eq!(fetch.metadata(), None);
    // The padded layer has four runs of which three have pieces; the uncles are two.
    let mut padded = layer.clone();
    padded.resize(2_048, [0; 32]);
    let roots: Vec<_> = padded.chunks(512).map(|run| layer_root(run, [0; 32])).collect();
    let mut wrong = true;
    for _ in 0..2 {
        let mut buf = [0; 512];
        let mut asked = Vec::new();
        while let Some(sent) = fetch.poll_transmit(&mut buf).unwrap() {
            if let Ok((message, _)) = Message::decode(&buf[..sent.len], 600)
                && let Ok(Some(HashMessage::Request(range))) = HashMessage::of(&message)
            {
                asked.push((sent.conn, range));
            }
        }
        let runs: Vec<_> = asked.iter().map(|(_, range)| range.index).collect();
        assert_eq!(runs, [0, 512, 1_024]);
        for (conn, range) in asked {
            assert_eq!((range.length, range.proof_layers, range.uncles()), (512, 10, 2));
            let run = range.index as usize / 512;
            let mut hashes = padded[range.index as usize..][..512].to_vec();
            hashes[9][0] ^= u8::from(wrong);
            let pair = if run < 2 { [roots[2], roots[3]] } else { [roots[0], roots[1]] };
            hashes.extend([roots[run ^ 1], layer_root(&pair, [0; 32])]);
            let message = HashMessage::Hashes(range, &hashes);
            let mut out = vec![0; message.encoded_len()];
            message.encode(&mut out).unwrap();
            fetch.handle_bytes(ZERO, conn, &out).unwrap();
            if wrong {
                assert_eq!(
                    fetch.poll_event(),
                    Some(FetchEvent::Closed { conn: A, reason: CloseReason::Corrupt })
                );
                break;
            }
        }
        wrong = false;
    }
    assert_eq!(fetch.poll_event(), Some(FetchEvent::LayerCompleted));
    assert_eq!(fetch.layer().unwrap().hashes(), layer);
    assert_eq!(fetch.poll_event(), None);
}

/// A torrent file without piece layers: its info dictionary is known, and the first request is one for hashes.
#[test]
fn layers_alone_are_fetched_for_a_torrent_file_that_lacks_them() {
    let layer: [MerkleHash; 3] = core::array::from_fn(|n| [n as u8; 32]);
    let root = PieceLayer::new(&layer).root(16_384);
    let geometry = Geometry::new(40_000, 16_384).unwrap();
    let config = FetchConfig::new(InfoHash(PieceHasher::digest(&info())), PeerId([1; 20]));
    let storage = FetchSlots { slots: [FetchSlot::EMPTY; 2], buffer: vec![0; 96] };
    let mut fetch = MetadataFetch::for_layers(config, storage).unwrap();
    fetch.fetch_layer(ZERO, root, geometry).unwrap();
    assert_eq!(fetch.poll_event(), None);
    assert_eq!(fetch.metadata(), None);
    join(&mut fetch, A, 40_000);
    let mut buf = [0; 512];
    let mut ranges = vec![];
    while let Some(sent) = fetch.poll_transmit(&mut buf).unwrap() {
        assert!(sent.len < 6 || buf[4..6] != [20, 3], "no request for metadata");
        if let Ok((message, _)) = Message::decode(&buf[..sent.len], 600)
            && let Ok(Some(HashMessage::Request(range))) = HashMessage::of(&message)
        {
            ranges.push(range);
        }
    }
    let [range] = ranges[..] else { panic!("{ranges:?}") };
    assert_eq!((range.root, range.index, range.length), (root, 0, 4));
    let mut hashes = layer.to_vec();
    hashes.push([0; 32]);
    let other = HashRange { index: 4, ..range };
    // Answers to what was not requested are ignored.
    for message in [
        HashMessage::Reject(other),
        HashMessage::Hashes(other, &hashes),
        HashMessage::Hashes(range, &hashes),
    ] {
        assert_eq!(fetch.poll_event(), None);
        let mut out = vec![0; message.encoded_len()];
        message.encode(&mut out).unwrap();
        fetch.handle_bytes(ZERO, A, &out).unwrap();
    }
    assert_eq!(fetch.poll_event(), Some(FetchEvent::LayerCompleted));
    assert_eq!(fetch.layer().unwrap().hashes(), layer);
}

/// The handshakes of a hybrid torrent of which both hashes are known.
fn greet(
    fetch: &mut Fetch,
    conn: ConnId,
    side: Side,
    info_hash: InfoHash,
    reserved: Reserved,
) -> Handshake {
    fetch.handle_connected(ZERO, conn, side).unwrap();
    let mut hello = [0; Handshake::LEN];
    let peer_id = PeerId([conn.0 as u8 + 1; 20]);
    let reserved = reserved | Reserved::EXTENDED;
    Handshake { reserved, info_hash, peer_id }.encode(&mut hello).unwrap();
    let mut buf = [0; 512];
    if side == Side::Accepted {
        fetch.handle_bytes(ZERO, conn, &hello).unwrap();
    }
    let sent = fetch.poll_transmit_to(conn, &mut buf).unwrap().unwrap();
    if side == Side::Dialled {
        fetch.handle_bytes(ZERO, conn, &hello).unwrap();
    }
    Handshake::decode(&buf[..sent.len]).unwrap().0
}

fn hybrid(v2: InfoHashV2) -> Fetch {
    let mut config = FetchConfig::new(InfoHash(PieceHasher::digest(&info())), PeerId([1; 20]));
    config.v2 = Some(v2);
    let storage = FetchSlots { slots: [FetchSlot::EMPTY; 2], buffer: vec![0; 40_000] };
    MetadataFetch::new(config, storage).unwrap()
}

fn digest_v2() -> InfoHashV2 {
    InfoHashV2(Sha256::digest(info()).into())
}

/// BEP 52: with both hashes of a hybrid torrent connections are upgraded, and only upgraded ones are asked for layers.
#[test]
fn the_connections_of_a_hybrid_torrent_are_upgraded_and_give_its_layers() {
    let v1 = InfoHash(PieceHasher::digest(&info()));
    let v2 = digest_v2().truncated();
    let mut fetch = hybrid(digest_v2());
    let ours = greet(&mut fetch, A, Side::Dialled, v1, Reserved::default());
    assert_eq!(ours.info_hash, v1);
    assert!(ours.reserved.v2());
    let body = b"d1:md11:ut_metadatai3ee13:metadata_sizei40000ee";
    fetch.handle_bytes(ZERO, A, &extended(0, body)).unwrap();
    for piece in 0..3 {
        give(&mut fetch, A, piece, 0);
    }
    assert_eq!(fetch.poll_event(), Some(FetchEvent::Completed));
    let layer: [MerkleHash; 2] = [[1; 32], [2; 32]];
    let root = PieceLayer::new(&layer).root(16_384);
    fetch.fetch_layer(ZERO, root, Geometry::new(20_000, 16_384).unwrap()).unwrap();
    let hashes_asked = |fetch: &mut Fetch, conn| {
        let mut buf = [0; 512];
        let mut ranges = 0;
        while let Some(sent) = fetch.poll_transmit_to(conn, &mut buf).unwrap() {
            let (message, _) = Message::decode(&buf[..sent.len], 600).unwrap();
            ranges += usize::from(HashMessage::of(&message).unwrap().is_some());
        }
        ranges
    };
    assert_eq!(hashes_asked(&mut fetch, A), 0);
    let ours = greet(&mut fetch, B, Side::Accepted, v1, Reserved::V2);
    assert_eq!(ours.info_hash, v2);
    assert!(!ours.reserved.v2());
    fetch.handle_bytes(ZERO, B, &extended(0, b"de")).unwrap();
    assert_eq!(hashes_asked(&mut fetch, B), 1);
    fetch.handle_closed(ZERO, A);
    // A peer that answers by version 2 is upgraded too.
    fetch.handle_closed(ZERO, B);
    greet(&mut fetch, B, Side::Dialled, v2, Reserved::default());
    fetch.handle_bytes(ZERO, B, &extended(0, b"de")).unwrap();
    assert_eq!(hashes_asked(&mut fetch, B), 1);
}

/// A link that joins the hash of one torrent with that of another is not satisfied by either.
#[test]
fn the_dictionary_of_a_hybrid_torrent_must_fit_both_hashes() {
    let v1 = InfoHash(PieceHasher::digest(&info()));
    let mut other = digest_v2();
    other.0[31] ^= 1; // the truncated hash is the same
    let mut fetch = hybrid(other);
    greet(&mut fetch, A, Side::Dialled, v1, Reserved::default());
    let body = b"d1:md11:ut_metadatai3ee13:metadata_sizei40000ee";
    fetch.handle_bytes(ZERO, A, &extended(0, body)).unwrap();
    for piece in 0..3 {
        give(&mut fetch, A, piece, 0);
    }
    let closed = FetchEvent::Closed { conn: A, reason: CloseReason::Corrupt };
    assert_eq!(fetch.poll_event(), Some(closed));
    assert_eq!(fetch.metadata(), None);
}

fn message(message: &Message<'_>) -> Vec<u8> {
    let mut out = vec![0; message.encoded_len()];
    message.encode(&mut out).unwrap();
    out
}

/// What a torrent must see later is kept; what concerns a fetch alone, or nobody, is not.
#[test]
fn messages_about_pieces_are_kept_for_the_torrent() {
    let mut fetch = fetch(40_000);
    join(&mut fetch, A, 40_000);
    let block = Block { piece: PieceIndex(0), begin: 0, len: 16_384 };
    for (sent, outcome) in [
        (Message::Unchoke, Some(FetchOutcome::Keep)),
        (Message::Have(PieceIndex(1)), Some(FetchOutcome::Keep)),
        (Message::KeepAlive, None),
        (Message::Request(block), None),
        (Message::Cancel(block), None),
    ] {
        let bytes = message(&sent);
        let received = fetch.handle_bytes(ZERO, A, &bytes).unwrap();
        assert_eq!(received, Received { consumed: bytes.len(), outcome }, "{sent}");
    }
}

/// Of the first exchange 200 peers are read, of each later one 100; what cannot be read of an extended handshake is ignored.
#[test]
fn exchanged_peers_are_passed_on_within_the_limits() {
    let exchange = |peers: u32| {
        let hosts: Vec<u8> = (1..=peers).flat_map(|n| [20, 0, 0, n as u8, 0x1A, 0xE1]).collect();
        let head = format!("d5:added{}:", hosts.len());
        extended(2, &[head.as_bytes(), &hosts, b"e"].concat())
    };
    let mut fetch = fetch(40_000);
    join(&mut fetch, A, 40_000);
    for (peers, read) in [(201, 200), (100, 100), (101, 100)] {
        let bytes = exchange(peers);
        match fetch.handle_bytes(ZERO, A, &bytes).unwrap().outcome {
            Some(FetchOutcome::Peers(pex)) => assert_eq!(pex.added().count(), read),
            other => panic!("{other:?}"),
        }
    }
    let malformed = extended(0, b"d1:md11:ut_metadata");
    let received = fetch.handle_bytes(ZERO, A, &malformed).unwrap();
    assert_eq!(received.outcome, Some(FetchOutcome::Keep));
    assert_eq!(fetch.poll_event(), None);
    assert_eq!(asked(&mut fetch), [(1, 0), (1, 1), (1, 2)], "it still serves");
}

/// A repeated piece is ignored, and so are the extended handshakes of others.
#[test]
fn the_source_stays_as_long_as_it_serves() {
    let mut fetch = fetch(40_000);
    join(&mut fetch, A, 40_000);
    join(&mut fetch, B, 40_000);
    assert_eq!(asked(&mut fetch), [(1, 0), (1, 1), (1, 2)]);
    give(&mut fetch, A, 0, 0);
    give(&mut fetch, A, 0, 0);
    fetch.handle_bytes(ZERO, A, &extended(0, b"de")).unwrap();
    fetch.handle_bytes(ZERO, B, &extended(0, b"d1:md11:ut_metadatai0eee")).unwrap();
    assert_eq!(asked(&mut fetch), []);
    assert_eq!(fetch.progress(), (16_384, Some(40_000)));
    // It switches the extension off, as the other one did.
    fetch.handle_bytes(ZERO, A, &extended(0, b"d1:md11:ut_metadatai0eee")).unwrap();
    assert_eq!(fetch.progress(), (16_384, Some(40_000)), "the next one continues");
}

fn give_at(fetch: &mut Fetch, conn: ConnId, seconds: u64, piece: u32, flip: u8) {
    fetch.handle_timeout(Duration::from_secs(seconds));
    give(fetch, conn, piece, flip);
}

#[test]
fn what_came_before_a_pause_is_not_requested_again() {
    let mut fetch = fetch(40_000);
    join(&mut fetch, A, 40_000);
    join(&mut fetch, B, 40_000);
    assert_eq!(asked(&mut fetch), [(1, 0), (1, 1), (1, 2)]);
    give(&mut fetch, A, 0, 0);
    fetch.handle_timeout(Duration::from_secs(10));
    assert_eq!(asked(&mut fetch), [(2, 1), (2, 2)]);
    give(&mut fetch, B, 1, 0);
    give(&mut fetch, B, 2, 0);
    assert_eq!(fetch.poll_event(), Some(FetchEvent::Completed));
    assert_eq!(fetch.metadata(), Some(&info()[..]));
}

/// The first piece may take 10 seconds, each further one 1.25 more, if another peer is ready.
#[test]
fn a_source_that_is_slow_on_average_is_replaced_if_another_is_ready() {
    let mut fetch = fetch(40_000);
    join(&mut fetch, A, 40_000);
    assert_eq!(asked(&mut fetch), [(1, 0), (1, 1), (1, 2)]);
    give_at(&mut fetch, A, 9, 0, 0);
    fetch.handle_timeout(Duration::from_secs(12));
    assert_eq!(fetch.poll_timeout(), Some(Duration::from_secs(19)), "no other is ready");
    join(&mut fetch, B, 40_000);
    assert_eq!(asked(&mut fetch), [(2, 1), (2, 2)]);
    give_at(&mut fetch, B, 21, 1, 0);
    fetch.handle_timeout(Duration::from_secs(22));
    assert_eq!(fetch.poll_timeout(), Some(Duration::from_millis(23_250)), "A is ready again");
    give_at(&mut fetch, B, 23, 2, 0);
    assert_eq!(fetch.poll_event(), Some(FetchEvent::Completed));
}

#[test]
fn a_wrong_dictionary_of_two_peers_is_fetched_again_from_one_alone() {
    let mut fetch = fetch(40_000);
    join(&mut fetch, A, 40_000);
    join(&mut fetch, B, 40_000);
    asked(&mut fetch);
    give(&mut fetch, A, 0, 1);
    fetch.handle_timeout(Duration::from_secs(10));
    assert_eq!(asked(&mut fetch), [(2, 1), (2, 2)]);
    give(&mut fetch, B, 1, 0);
    give(&mut fetch, B, 2, 0);
    assert_eq!(fetch.poll_event(), None, "either may have lied");
    assert_eq!(asked(&mut fetch), [(2, 0), (2, 1), (2, 2)]);
    // The honest peer pauses, and the liar may not continue what it sent.
    give(&mut fetch, B, 0, 0);
    fetch.handle_timeout(Duration::from_secs(20));
    assert_eq!(asked(&mut fetch), [(1, 0), (1, 1), (1, 2)]);
    for (piece, flip) in [(0, 1), (1, 0), (2, 0)] {
        give(&mut fetch, A, piece, flip);
    }
    let corrupt = FetchEvent::Closed { conn: A, reason: CloseReason::Corrupt };
    assert_eq!(fetch.poll_event(), Some(corrupt));
    fetch.handle_timeout(Duration::from_secs(30));
    assert_eq!(asked(&mut fetch), [(2, 0), (2, 1), (2, 2)]);
    for piece in 0..3 {
        give(&mut fetch, B, piece, 0);
    }
    assert_eq!(fetch.poll_event(), Some(FetchEvent::Completed));
}

/// A connection of 1 KB/s: each piece takes 16 seconds, more than the patience.
#[test]
fn a_slow_peer_without_another_sends_the_dictionary() {
    let mut fetch = fetch(40_000);
    join(&mut fetch, A, 40_000);
    assert_eq!(asked(&mut fetch), [(1, 0), (1, 1), (1, 2)]);
    fetch.handle_timeout(Duration::from_secs(10));
    assert_eq!(asked(&mut fetch), [(1, 0), (1, 1), (1, 2)], "the requests may be lost");
    for piece in 0..3 {
        give_at(&mut fetch, A, 16 * (u64::from(piece) + 1), piece, 0);
        assert_eq!(asked(&mut fetch), [], "its patience has doubled");
    }
    assert_eq!(fetch.poll_event(), Some(FetchEvent::Completed));
}

#[test]
fn connections_are_known_by_their_ids_and_have_deadlines() {
    let mut fetch = fetch(40_000);
    assert_eq!(fetch.poll_timeout(), None, "without connections there is nothing to wait for");
    let zero = ConnId(0);
    assert_eq!(fetch.handle_connected(ZERO, zero, Side::Dialled), Ok(()));
    let again = fetch.handle_connected(ZERO, zero, Side::Dialled);
    assert_eq!(again, Err(ConnectError::InUse(zero)));
    assert_eq!(fetch.poll_timeout(), Some(Duration::from_secs(240)), "its silence");
    fetch.handle_closed(ZERO, zero);
    assert_eq!(fetch.poll_timeout(), None);
    let config = FetchConfig::new(InfoHash([7; 20]), PeerId([1; 20]));
    let storage = FetchSlots { slots: [FetchSlot::EMPTY; 2], buffer: vec![] };
    let fetch = MetadataFetch::for_layers(config, storage).unwrap();
    assert_eq!(fetch.metadata(), None, "the dictionary is elsewhere");
}

#[test]
fn a_connection_takes_as_many_bytes_as_documented() {
    assert!(size_of::<FetchSlot>() <= 80, "{}", size_of::<FetchSlot>());
}
