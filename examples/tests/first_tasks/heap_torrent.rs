//! Name the type of a torrent on the heap, and keep torrents of two sizes in one vector.

use core::error::Error;

use bittorrent_pieces::{
    Config, Geometry, InfoHash, PeerId, PieceHasher, PieceHashes, Torrent, TorrentContent,
    TorrentLimits, TorrentSetup, TorrentVec,
};

struct Client {
    torrents: Vec<Torrent<TorrentVec>>,
}

#[test]
fn a_client_names_the_type_of_its_torrents() -> Result<(), Box<dyn Error>> {
    let mut client = Client { torrents: Vec::new() };
    for file in [vec![1; 100_000], vec![2; 40_000]] {
        let hashes: Vec<_> = file.chunks(32_768).map(PieceHasher::digest).collect();
        let geometry = Geometry::new(file.len() as u64, 32_768)?;
        let content = TorrentContent::new(geometry, PieceHashes::new(&hashes));
        let setup = TorrentSetup::new(Config::new(InfoHash([file[0]; 20]), PeerId([7; 20])));
        let storage = TorrentVec::new(&content, TorrentLimits::new());
        client.torrents.push(Torrent::new(setup, storage)?);
    }
    assert_eq!(client.torrents[0].geometry().pieces(), 4);
    assert_eq!(client.torrents[1].geometry().pieces(), 2);
    Ok(())
}
