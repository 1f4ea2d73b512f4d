//! `torrent show`: what a metainfo file or a magnet link says.

use std::fs;

use bittorrent_pieces::Metainfo;
use bittorrent_pieces::bencode::Mode;
use bittorrent_pieces::magnet::{Escaped, Magnet, MagnetBuilder};

use super::storage::{printable, text};

/// A folder of more files than this is not listed to the end.
const LISTED: usize = 50;

pub fn show(torrent: &str) -> Result<(), String> {
    if torrent.starts_with("magnet:") {
        return show_magnet(torrent);
    }
    let bytes = fs::read(torrent).map_err(|error| format!("{torrent}: {error}"))?;
    let metainfo = read(torrent, &bytes)?;
    let geometry = metainfo.geometry();
    println!("name       {}", printable(metainfo.name()));
    println!("info-hash  {}", metainfo.info_hash());
    if let Some(hash) = metainfo.info_hash_v2() {
        println!("version 2  {hash}");
    }
    println!(
        "content    {} bytes, {} pieces of {}",
        metainfo.files().map(|file| file.len()).sum::<u64>(),
        geometry.pieces(),
        geometry.full_piece_len()
    );
    if metainfo.is_private() {
        println!("private    peers only from the trackers");
    }
    for (nth, tier) in metainfo.tiers().enumerate() {
        for url in tier {
            println!("tracker    {} (tier {nth})", printable(url));
        }
    }
    for file in metainfo.files().take(LISTED) {
        let path: Vec<_> = file.raw_path().map(printable).collect();
        let padding = if file.is_padding() { " (padding)" } else { "" };
        println!("file       {:>12} bytes {}{padding}", file.len(), path.join("/"));
    }
    let more = metainfo.files().count().saturating_sub(LISTED);
    if more > 0 {
        println!("           and {more} more");
    }
    let v1 = metainfo.info().find(b"pieces").map(|_| metainfo.info_hash());
    let draft = MagnetBuilder { v1, v2: metainfo.info_hash_v2(), ..MagnetBuilder::default() };
    let mut link = [0; 200];
    let len = draft.encode(&mut link).map_err(|error| error.to_string())?;
    println!("magnet     {}", text(&link[..len]));
    Ok(())
}

/// Reads a metainfo file, or says what is wrong with it.
pub fn read<'b>(name: &str, bytes: &'b [u8]) -> Result<Metainfo<'b>, String> {
    Metainfo::decode(bytes, Mode::Lenient).map_err(|error| format!("{name}: {error}"))
}

fn show_magnet(link: &str) -> Result<(), String> {
    let magnet = Magnet::parse(link.as_bytes()).map_err(|error| format!("the link: {error}"))?;
    let unescaped = |value: Escaped<'_>| printable(&value.bytes().collect::<Vec<_>>());
    if let Some(name) = magnet.name() {
        println!("name       {}", unescaped(name));
    }
    if let Some(hash) = magnet.v1() {
        println!("info-hash  {hash}");
    }
    if let Some(hash) = magnet.v2() {
        println!("version 2  {hash}");
    }
    for tracker in magnet.trackers() {
        println!("tracker    {}", unescaped(tracker));
    }
    for peer in magnet.peers() {
        println!("peer       {peer}");
    }
    Ok(())
}
