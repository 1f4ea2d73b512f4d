//! A device profile: an image of 16 MiB in 256 pieces, eight peers, and all that a torrent keeps in less
//! than 4 KiB.

#[path = "../examples/device_torrent.rs"]
#[allow(dead_code, unreachable_pub, reason = "a program of its own")]
mod device_torrent;

use core::time::Duration;

use bittorrent_pieces::torrent::PeerSlot;
use bittorrent_pieces::{
    Bitfield, Config, ConnId, Event, Geometry, InfoHash, PeerId, PieceHasher, PieceHashes, Side,
    Torrent, TorrentContent, TorrentSetup, Verdict, torrent_storage,
};

const PIECES: u32 = 256;
const PIECE: u32 = 64 << 10;
const PEERS: usize = 8;
const OPEN: usize = 2;
const GEOMETRY: Geometry<'static> = match Geometry::new(16 << 20, PIECE) {
    Ok(geometry) => geometry,
    Err(_) => panic!("16 MiB in pieces of 64 KiB"),
};

torrent_storage! {
    /// All that the torrent keeps, by value: nothing lies elsewhere but the hashes, which the firmware reads
    /// from its flash. One request in each direction for each peer.
    type Image = { pieces: PIECES, piece_len: PIECE, peers: PEERS, open_pieces: OPEN, pipeline: 1 };
}

type Device<'t> = Torrent<Image<'t>>;

#[test]
fn a_torrent_of_256_pieces_and_8_peers_is_under_4_kib() {
    println!(
        "{} bytes, of which {} a connection",
        size_of::<Device<'static>>(),
        size_of::<PeerSlot>()
    );
    assert!(size_of::<Device<'static>>() < 4096, "{}", size_of::<Device<'static>>());
}

/// And it works in that: it takes the image from seven seeds, and gives it to the eighth peer meanwhile.
#[test]
fn a_device_downloads_and_uploads_the_image() {
    let digest = PieceHasher::digest(&vec![0xA5; PIECE as usize]);
    let hashes = vec![digest; PIECES as usize];
    let mut peers: Vec<_> = (0..=8).map(|n| device(&hashes, n, (1..8).contains(&n))).collect();
    for (n, conn) in (1_usize..).zip((1..=8).map(ConnId)) {
        peers[0].handle_connected(Duration::ZERO, conn, Side::Dialled).unwrap();
        peers[n].handle_connected(Duration::ZERO, conn, Side::Accepted).unwrap();
    }
    let mut now = Duration::ZERO;
    let block = [0xA5; 16 << 10];
    while !peers.iter().all(Torrent::is_complete) {
        let mut sent = false;
        for (from, conn) in
            (1..=8).flat_map(|n| [(0, n), (n, 0)]).map(|(from, to)| (from, from.max(to)))
        {
            let to = if from == 0 { conn } else { 0 };
            let mut buf = [0; 1024];
            let conn = ConnId(conn as u32);
            while let Some(send) = peers[from].poll_transmit_to(conn, &mut buf).unwrap() {
                let mut bytes = buf[..send.len].to_vec();
                bytes.extend(send.block.map_or(&[][..], |asked| &block[..asked.len as usize]));
                let handled = peers[to].handle_bytes(now, conn, &bytes).unwrap();
                assert_eq!(handled.consumed, bytes.len(), "{handled:?}");
                sent = true;
            }
            while let Some(event) = peers[to].poll_event() {
                if let Event::Verify { piece } = event {
                    assert_eq!(peers[to].handle_hashed(now, piece, digest), Ok(Verdict::Passed));
                }
            }
        }
        if !sent {
            now += Duration::from_secs(1);
            for peer in &mut peers {
                peer.handle_timeout(now);
            }
        }
        assert!(now < Duration::from_secs(600), "{} pieces", peers[0].have_count());
    }
    let gave = peers[8].peer(ConnId(8)).unwrap().traffic.bytes_received;
    assert_eq!(gave, 16 << 20);
}

fn device(hashes: &[[u8; 20]], n: u8, seeds: bool) -> Device<'_> {
    let content = TorrentContent::new(GEOMETRY, PieceHashes::new(hashes));
    let have = if seeds { [0xFF; 32] } else { [0; 32] };
    let have = Bitfield::new(PIECES, have).unwrap();
    let mut config = Config::new(InfoHash([7; 20]), PeerId([n; 20]));
    config.seed = n.into();
    let mut setup = TorrentSetup::new(config);
    setup.have = Some(have.as_view());
    Torrent::new(setup, Image::empty(content)).unwrap()
}

/// The example fetches its image of 1 MiB over a line that carries 100 bytes at a time.
#[test]
fn the_example_fetches_an_image_over_a_byte_link() {
    let took = device_torrent::fetch().unwrap();
    assert!(took >= Duration::from_secs(10) && took < Duration::from_secs(20), "{took:?}");
}
