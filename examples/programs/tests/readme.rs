//! The table of concepts in the README names items that exist.

/// Every path of the table; an item that is gone does not compile.
macro_rules! items {
    ($($path:path),* $(,)?) => {{
        $({
            #[allow(unused_imports)]
            use $path as _;
        })*
        [$(stringify!($path)),*]
    }};
}

#[test]
fn the_table_of_concepts_names_what_exists() {
    let items = items![
        pow::HeaderChain,
        pow::difficulty::Difficulty,
        pow::Retarget,
        bittorrent_pieces::tracker::UdpTracker,
        bittorrent_pieces::dht::DhtNode,
        bittorrent_pieces::merkle::MerkleHasher,
        bittorrent_pieces::picker::Playback,
        bittorrent_pieces::Choker,
        bittorrent_pieces::InfoHash,
        bittorrent_pieces::Metainfo,
        bittorrent_pieces::Picker,
        bittorrent_pieces::PieceHashes,
        bittorrent_pieces::Torrent,
        chord_core::Event,
        chord_core::FingerTable,
        chord_core::Id160,
        chord_core::Node,
        chord_core::SuccessorList,
        chord_core::geometry::Can,
        chord_core::geometry::Kademlia,
        chord_core::geometry::Pastry,
        chord_core::geometry::Tapestry,
        consensus::Authorities,
        consensus::AuthoritySeal,
        consensus::Equivocation,
        consensus::SignedStatement,
        consensus::StakeSeal,
        consensus::ValidatorSet,
        consensus::EquivocationDetector,
        consensus::bft::Bft,
        consensus::stake::StakeBook,
        gnutella_wire::Config,
        gnutella_wire::election::Election,
        gnutella_wire::hosts::HostCache,
        gnutella_wire::routes::RouteTable,
        gnutella_wire::opennap::Client,
        gnutella_wire::opennap::Index,
        pow::pool::Pool,
        pow::pool::Worker,
        gnutella_wire::Servent,
        gnutella_wire::http::Giv,
        gnutella_wire::qrp::QueryTable,
        gnutella_wire::wire::Push,
        ledger_core::Account,
        ledger_core::Block,
        ledger_core::BlockError,
        ledger_core::Chain,
        ledger_core::ReplayError,
        ledger_core::Hash,
        ledger_core::Header,
        ledger_core::Inclusion,
        ledger_core::KeyPair,
        ledger_core::MerkleTree,
        ledger_core::Rules,
        ledger_core::Engine,
        ledger_core::SignedTransaction,
        ledger_core::State,
        ledger_core::Transaction,
        pow::Miner,
        pow::Target,
        pow::WorkSeal,
    ];
    let readme = include_str!("../../../README.md");
    let table = readme
        .split("## Where the lectures")
        .nth(1)
        .and_then(|rest| rest.split("## Status").next());
    let table = table.expect("the README has the table");
    let named: Vec<&str> =
        table.split('`').skip(1).step_by(2).filter(|word| word.contains("::")).collect();
    for word in &named {
        assert!(
            items.iter().any(|item| item.replace(' ', "") == *word),
            "{word} is not checked here"
        );
    }
    for item in items {
        assert!(
            named.contains(&item.replace(' ', "").as_str()),
            "{item} is not in the table any more"
        );
    }
}
