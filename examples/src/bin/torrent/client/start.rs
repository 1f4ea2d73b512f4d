//! `torrent seed` and `torrent get`: from the command line to a running session.

use core::net::SocketAddr;
use std::fs;
use std::net::ToSocketAddrs as _;

use bittorrent_pieces::bencode::Mode;
use bittorrent_pieces::magnet::{Escaped, Magnet};
use bittorrent_pieces::peer_book::PeerSource;
use bittorrent_pieces::{Host, Metainfo, PeerId};
use examples::cli::Exit;
use examples::interrupt;
use examples::random::random;

use super::args::Share;
use super::fetch::{self, Fetched, hash_of};
use super::finder::{Finder, Wanted};
use super::net::Net;
use super::report::Report;
use super::selection::Numbers;
use super::setup::Setup;
use super::show;
use super::storage::text;
use super::trees::{lacks_layers, trees};

/// Runs `torrent seed` or `torrent get`.
pub fn share(args: &Share, quiet: bool) -> Result<Exit, String> {
    interrupt::install();
    let report = Report::new(args.json, quiet);
    let net = Net::listen(args.listen, args.encryption, args.utp, args.trace)?;
    report.listening(net.address());
    let mut id = *b"-BP0100-............";
    id[8..].copy_from_slice(&random::<12>());
    let peer_id = PeerId(id);
    let done = if args.torrent.starts_with("magnet:") {
        share_link(args, &args.torrent, Vec::new(), false, peer_id, net, report)
    } else {
        share_file(args, peer_id, net, report)
    };
    match done {
        // What was given up because of a signal is not a failure.
        Err(error) if interrupt::interrupted() => {
            eprintln!("{error}");
            Ok(Exit::Stopped)
        }
        done => done,
    }
}

fn share_file(args: &Share, peer_id: PeerId, mut net: Net, report: Report) -> Result<Exit, String> {
    let bytes = fs::read(&args.torrent);
    let bytes = bytes.map_err(|error| format!("{}: {error}", args.torrent))?;
    let metainfo = show::read(&args.torrent, &bytes)?;
    let tiers = metainfo.tiers().map(|tier| tier.map(text).collect()).collect();
    if lacks_layers(&metainfo) {
        if args.seeds {
            return Err(format!("{}: no piece layers; make it again", args.torrent));
        }
        // Peers have them, as with a link.
        let private = metainfo.is_private();
        let link = show::link_of(&metainfo)?;
        return share_link(args, &link, tiers, private, peer_id, net, report);
    }
    let v2 = metainfo.info_hash_v2().map(|v2| v2.truncated());
    net.set_torrents([metainfo.info_hash()].into_iter().chain(v2));
    let info_hash = metainfo.info_hash();
    let private = metainfo.is_private();
    let finder = |net: &Net, left| {
        Finder::start(args, net, Wanted { info_hash, peer_id, tiers, left, private })
    };
    let trees = trees(&metainfo, None);
    let files = args.files.as_ref();
    let setup = Setup { args, files, metainfo: &metainfo, trees: &trees, peer_id };
    let mut session = setup.session(net, report, finder)?;
    session.start_web_seeds(&[])?;
    session.run().map_err(|error| error.to_string())
}

/// Fetches the info dictionary and the piece layers first. `more` are tiers of trackers besides those of the link.
fn share_link(
    args: &Share,
    link: &str,
    more: Vec<Vec<String>>,
    private: bool,
    peer_id: PeerId,
    mut net: Net,
    report: Report,
) -> Result<Exit, String> {
    let magnet = Magnet::parse(link.as_bytes());
    let magnet = magnet.map_err(|error| format!("the link: {error}"))?;
    let info_hash = hash_of(&magnet);
    let v2 = magnet.v2().map(|v2| v2.truncated());
    net.set_torrents([info_hash].into_iter().chain(v2));
    let unescape = |url: Escaped<'_>| text(&url.bytes().collect::<Vec<_>>());
    let tiers = magnet.trackers().map(|url| vec![unescape(url)]).chain(more).collect();
    // How much is missing is not known yet.
    let wanted = Wanted { info_hash, peer_id, tiers, left: 1, private };
    let mut finder = Finder::start(args, &net, wanted)?;
    let peers = magnet.peers().filter_map(|peer| match peer.host {
        Host::Ip(ip) => Some(SocketAddr::new(ip, peer.port)),
        Host::Name(name) => (name, peer.port).to_socket_addrs().ok()?.next(),
    });
    finder.add(net.now(), PeerSource::User, peers);
    let fetched = fetch::fetch(args, &magnet, peer_id, &mut net, &mut finder, &report);
    let Some(fetched) = fetched.map_err(|error| error.to_string())? else {
        return Ok(Exit::Stopped);
    };
    let Fetched { info, layer, kept } = fetched;
    let metainfo = Metainfo::from_info(&info, Mode::Lenient);
    let metainfo = metainfo.map_err(|error| format!("the info dictionary: {error}"))?;
    let trees = trees(&metainfo, layer);
    let linked: Option<Numbers> = magnet.select_only().map(|ranges| ranges.flatten().collect());
    let linked = linked.filter(|ranges| !ranges.is_empty());
    let files = args.files.as_ref().or(linked.as_ref());
    let setup = Setup { args, files, metainfo: &metainfo, trees: &trees, peer_id };
    let mut session = setup.session(net, report, |_, _| Ok(finder))?;
    let web_seeds: Vec<String> = magnet.web_seeds().map(unescape).collect();
    session.start_web_seeds(&web_seeds)?;
    session.take_over(kept).map_err(|error| error.to_string())?;
    session.run().map_err(|error| error.to_string())
}
