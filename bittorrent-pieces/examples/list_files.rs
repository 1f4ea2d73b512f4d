//! Lists the files of a torrent as they can be stored: no path leads out of the folder, none is used twice.
//!
//! `cargo run -p bittorrent-pieces --example list_files [FILE.torrent]`

use bittorrent_pieces::Metainfo;
use bittorrent_pieces::bencode::Mode;
use bittorrent_pieces::metainfo::{PathPolicy, PathSlot, SafePaths};

/// Three files: `a`, `../a` and `A`.
const TORRENT: &[u8] = b"d4:infod5:filesld6:lengthi0e4:pathl1:aeed6:lengthi0e4:pathl2:..1:aee\
    d6:lengthi0e4:pathl1:Aeee4:name6:hostile12:piece lengthi16384e6:pieces0:ee";

fn main() -> Result<(), Box<dyn core::error::Error>> {
    let bytes = match std::env::args().nth(1) {
        Some(path) => std::fs::read(path)?,
        None => TORRENT.to_vec(),
    };
    let torrent = Metainfo::decode(&bytes, Mode::Lenient)?;
    println!("{} with {} pieces", torrent.info_hash(), torrent.geometry().pieces());
    let slots = vec![PathSlot::EMPTY; torrent.path_slots()];
    let mut paths = SafePaths::new(&torrent, PathPolicy::RENAME, slots)?;
    let mut buf = [0; 4_096];
    while let Some(file) = paths.next(&mut buf)? {
        println!("{:>12} bytes  {}", file.file.len(), file.path);
    }
    Ok(())
}
