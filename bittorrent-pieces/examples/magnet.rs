//! Reads a magnet link and shows the first request to its UDP tracker as one line.

use core::time::Duration;

use bittorrent_pieces::PeerId;
use bittorrent_pieces::magnet::Magnet;
use bittorrent_pieces::tracker::udp::Request;
use bittorrent_pieces::tracker::{Announce, UdpConfig, UdpSlot, UdpTracker};

fn main() -> Result<(), Box<dyn core::error::Error>> {
    let link = b"magnet:?xt=urn:btih:e4c9cc93f9679a5a513ea8d646821bb5eba48527&dn=an%20image\
        &tr=udp://tracker.example:6969/announce";
    let magnet = Magnet::parse(link)?;
    let torrent = magnet.v1().ok_or("no v1 hash")?;
    for url in magnet.trackers() {
        println!("{torrent} at {}", String::from_utf8(url.bytes().collect())?);
    }
    let config = UdpConfig::new(7).with_path("/announce"); // the seed is random in a program
    let mut tracker = UdpTracker::new(config, [UdpSlot::EMPTY; 1])?;
    let peer_id = PeerId(*b"-BP0001-example00001");
    tracker.announce(Duration::ZERO, Announce::started(torrent, peer_id, 6881, 1))?;
    let mut buf = [0; 128];
    while let Some(sent) = tracker.poll_transmit(&mut buf)? {
        println!("{} bytes: {}", sent.len, Request::decode(&buf[..sent.len])?);
    }
    println!("next after {:?}", tracker.poll_timeout());
    Ok(())
}
