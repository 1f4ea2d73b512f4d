//! Gnutella 0.6 and other hybrids.

use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;

use gnutella_wire::election::{Candidate, Election};
use gnutella_wire::qrp::{KeywordHash, KeywordRules, MatchRule, QueryTable};
use gnutella_wire::{Config, Role, ServentId};

use super::lesson::search;
use super::servents::{admitted, ttl_of_query};
use super::{Fact, equal, fact, failed, holds};

const ADDRESS: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 6346);
const ID: ServentId = ServentId([7; 16]);

pub const FACTS: &[Fact] = &[
    fact(
        "C-HYB-01",
        "a leaf has at most 3 ultrapeers: ultrapeers and leaves that it admits",
        "gnutella_wire::Servent::handle_connected",
        "BAUN Hybrid P2P: Gnutella Protocol Version 0.6",
        || {
            let leaf = || Config::leaf(ID, ADDRESS);
            equal([admitted(leaf(), Role::Ultrapeer)?, admitted(leaf(), Role::Leaf)?], [3, 0])
        },
    )
    .but("E-29"),
    fact(
        "C-HYB-02",
        "an ultrapeer has at most 16 ultrapeers and 16 leaves: those that it admits",
        "gnutella_wire::Servent::handle_connected",
        "BAUN Hybrid P2P: Gnutella Protocol Version 0.6",
        || {
            let config = || Config::ultrapeer(ID, ADDRESS);
            equal([admitted(config(), Role::Ultrapeer)?, admitted(config(), Role::Leaf)?], [16, 16])
        },
    ),
    fact(
        "C-HYB-03",
        "at most 4 hops per search: TTL of the queries of a leaf and of an ultrapeer",
        "gnutella_wire::Servent::search",
        "BAUN Hybrid P2P: Gnutella Protocol Version 0.6",
        || {
            let queries = [Config::leaf(ID, ADDRESS), Config::ultrapeer(ID, ADDRESS)];
            equal(queries.map(ttl_of_query), [Ok(4), Ok(4)])
        },
    )
    .but("E-30"),
    fact(
        "C-HYB-04",
        "a search goes only to leaves with matching names, and to all of these",
        "gnutella_wire::qrp::QueryTable",
        "BAUN Hybrid P2P: Gnutella Protocol Version 0.6",
        || {
            let mut table =
                QueryTable::new(16, vec![0; QueryTable::memory_len(16)]).map_err(failed)?;
            for word in ["hey", "jude", "mp3"] {
                table.insert(KeywordHash::of(word));
            }
            let asks = |words: &str| {
                let words = KeywordRules::Gtkg.query_words(words).map(KeywordHash::of);
                table.can_route(words, core::iter::empty(), MatchRule::AllWords)
            };
            equal([asks("hey jude"), asks("jude"), asks("debaser")], [true, true, false])
        },
    ),
    fact(
        "C-HYB-06",
        "leaves do not route: nodes reached by a search that few can answer, of 100",
        "gnutella_wire::Servent",
        "BAUN Hybrid P2P: Gnutella Protocol Version 0.6",
        || {
            // 20 ultrapeers, and the leaves among the 13 that have the song.
            let reached = search("nodes=100&degree=5", &[], 3, "debaser")?.hybrid.reached;
            holds(reached <= 20 + 13, format!("{reached}"))
        },
    ),
    fact(
        "C-HYB-07",
        "KaZaA: a supernode manages 30 to 50 nodes: leaves that are admitted",
        "gnutella_wire::Servent::handle_connected",
        "INTRO KaZaA",
        || {
            let supernodes = [30, 50].map(|children| Config::supernode(children, ID, ADDRESS));
            equal(supernodes.map(|config| admitted(config, Role::Leaf)), [Ok(30), Ok(50)])
        },
    )
    .but("E-28"),
    fact(
        "C-HYB-10",
        "not just any peer becomes a supernode: one behind a firewall never does",
        "gnutella_wire::election::Election",
        "ARCH Hybrid Architecture Example: Skype (2)",
        || {
            let day = Duration::from_secs(86_400);
            let good = Candidate {
                uptime: day,
                average_uptime: day,
                firewalled: false,
                datagrams: true,
                upload: 100_000,
                download: 100_000,
                spare_links: 100,
            };
            let walled = Candidate { firewalled: true, ..good };
            equal([&good, &walled].map(|one| Election::LIMEWIRE.is_fit(one)), [true, false])
        },
    ),
    fact(
        "C-HYB-14",
        "more efficient than Gnutella 0.4: queries for one search among 100 nodes",
        "gnutella_wire::Servent",
        "INTRO KaZaA",
        || {
            let cost = search("nodes=100&degree=5&ttl=15", &[], 17, "debaser")?;
            let pair = (cost.hybrid.queries, cost.flat.queries);
            holds(2 * pair.0 < pair.1, format!("{} against {}", pair.0, pair.1))
        },
    ),
];
