//! Trackers against published packets, timelines and forms of answers.

mod common;

use core::net::Ipv4Addr;
use core::time::Duration;

use bittorrent_pieces::tracker::udp::{
    self, ConnectionId, PacketError, Request, Response, Scrapes, TransactionId, UdpOption,
};
use bittorrent_pieces::tracker::{
    Announce, ConfigError, ConnectionIds, DatagramError, MAX_PATH_LEN, ScrapeStats, TierSlot,
    TrackerOrder, TrackerOrderError, Transmit, UdpConfig, UdpEvent, UdpOutcome, UdpSlot,
    UdpTracker,
};
use bittorrent_pieces::{CompactPeers, Family, InfoHash, PeerId};
use common::{rows, unhex};

const TABLE: &str = include_str!("data/udp_tracker.txt");
const PEER: PeerId = PeerId(*b"-RW0001-aaaaaaaaaaaa");

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn packet(name: &str) -> Vec<u8> {
    unhex(rows(TABLE, "packet").find(|row| row[1] == name).expect(name)[3])
}

fn info_hash() -> InfoHash {
    let hash = unhex("e4c9cc93f9679a5a513ea8d646821bb5eba48527");
    InfoHash(hash.try_into().unwrap())
}

fn announce() -> Announce {
    let mut announce = Announce::started(info_hash(), PEER, 51_499, 5_000_001);
    announce.key = 0xDEAD_BEEF;
    announce
}

/// BEP 15: each packet is read and written back, byte for byte.
#[test]
fn packets_of_bep_15_are_read_and_written_back() {
    let mut seen = 0;
    for row in rows(TABLE, "packet") {
        let bytes = unhex(row[3]);
        let mut out = vec![0; bytes.len()];
        let len = match row[2] {
            "client" => Request::decode(&bytes).expect(row[1]).encode(&mut out),
            "tracker" => Response::decode(&bytes, Family::V4).expect(row[1]).encode(&mut out),
            _ => Response::decode(&bytes, Family::V6).expect(row[1]).encode(&mut out),
        };
        assert_eq!((len, &out), (Ok(bytes.len()), &bytes), "{}", row[1]);
        let mut longer = bytes.clone();
        longer.extend([0; 5]); // no whole peer
        match row[2] {
            "client" => assert!(Request::decode(&longer).is_ok(), "{}", row[1]),
            _ => assert!(Response::decode(&longer, Family::V4).is_ok(), "{}", row[1]),
        }
        seen += 1;
    }
    assert_eq!(seen, 10);
}

#[test]
fn requests_have_the_fields_of_bep_15() {
    let transaction = TransactionId(0x1234_5678);
    let bytes = packet("connect_request");
    assert_eq!(Request::decode(&bytes), Ok(Request::Connect { transaction }));
    let bytes = packet("announce_request_with_bep41_option");
    let Ok(Request::Announce { connection, transaction, announce: read, ip, options }) =
        Request::decode(&bytes)
    else {
        panic!("an announce")
    };
    assert_eq!(connection, ConnectionId(0x9C0D_CC2B_8E3B_8D2E));
    assert_eq!((transaction, ip), (TransactionId(0x9ABC_DEF0), Ipv4Addr::UNSPECIFIED));
    assert_eq!(read, announce());
    assert!(options.iter().eq([UdpOption::UrlData(b"/announce")]));
    let bytes = packet("scrape_request_two");
    let Ok(Request::Scrape { hashes, .. }) = Request::decode(&bytes) else { panic!("a scrape") };
    assert!(hashes.iter().eq([info_hash(), InfoHash([0xAA; 20])]));
}

#[test]
fn responses_have_the_fields_of_bep_15() {
    let bytes = packet("announce_response_v4_two_peers");
    let response = Response::decode(&bytes, Family::V4).unwrap();
    let Response::Announce { interval, leechers, seeders, peers, .. } = response else {
        panic!("an announce")
    };
    assert_eq!((interval, leechers, seeders), (1800, 1, 2));
    let peers: Vec<_> = peers.iter().map(|peer| peer.to_string()).collect();
    assert_eq!(peers, ["192.0.2.1:6881", "198.51.100.7:51413"]);
    let bytes = packet("announce_response_v6_one_peer");
    let response = Response::decode(&bytes, Family::V6).unwrap();
    let Response::Announce { peers, .. } = response else { panic!("an announce") };
    assert_eq!(peers.nth(0), Some("[2001:db8::1]:6881".parse().unwrap()));
    let bytes = packet("scrape_response_two");
    let response = Response::decode(&bytes, Family::V4).unwrap();
    let Response::Scrape { torrents, .. } = response else { panic!("a scrape") };
    let first = ScrapeStats { seeders: 2, completed: 5, leechers: 1 };
    assert!(torrents.iter().eq([first, ScrapeStats::default()]));
    assert_eq!(Scrapes::encode(first), bytes[8..20]);
    let bytes = packet("error_response");
    let Ok(Response::Error { text, .. }) = Response::decode(&bytes, Family::V4) else {
        panic!("an error")
    };
    assert_eq!(text, b"bad connection id");
}

#[test]
fn invalid_packets_are_refused() {
    let mut seen = 0;
    for row in rows(TABLE, "invalid") {
        let bytes = unhex(row[3]);
        match row[1] {
            "connect_request_wrong_magic" => {
                let error = Request::decode(&bytes).unwrap_err();
                assert_eq!(error, PacketError::Protocol(0x0417_2710_1981));
            }
            "connect_response_wrong_tid" => {
                let mut tracker = UdpTracker::new(UdpConfig::new(1), [UdpSlot::EMPTY; 1]).unwrap();
                tracker.announce(secs(0), announce()).unwrap();
                tracker.poll_transmit(&mut [0; 98]).unwrap();
                let error = tracker.handle_datagram(secs(1), &bytes).unwrap_err();
                assert_eq!(error, DatagramError::Unexpected(TransactionId(0x1234_5679)));
            }
            _ if row[2] == "client" => {
                let error = Request::decode(&bytes);
                assert!(matches!(error, Err(PacketError::Short { .. })), "{}", row[1]);
            }
            _ => {
                let error = Response::decode(&bytes, Family::V4);
                assert!(matches!(error, Err(PacketError::Short { .. })), "{}", row[1]);
            }
        }
        seen += 1;
    }
    assert_eq!(seen, 6);
}

/// A clock, a client, and a tracker that answers one second later, or never.
struct Desk {
    tracker: UdpTracker<&'static [u8], [UdpSlot; 4]>,
    sent: [Vec<u64>; 3], // connects, announces, scrapes: in seconds
    answers: Vec<(u64, Vec<u8>)>,
    lost: Vec<(u64, UdpEvent)>,
}

impl Desk {
    fn new() -> Self {
        let tracker = UdpTracker::new(UdpConfig::new(5), [UdpSlot::EMPTY; 4]).unwrap();
        Self { tracker, sent: Default::default(), answers: vec![], lost: vec![] }
    }

    /// Lets a second pass. The client's driver sends at even seconds up to 10, so that a request
    /// leaves one second after its connection id came, as in the BEP.
    fn second(&mut self, now: u64, silent: [bool; 3]) {
        for (_, bytes) in self.answers.extract_if(.., |(at, _)| *at <= now) {
            self.tracker.handle_datagram(secs(now), &bytes).expect("it was asked for");
        }
        self.tracker.handle_timeout(secs(now));
        if now == 1 || now == 63 {
            return;
        }
        let mut buf = [0; 98];
        while let Some(Transmit { len }) = self.tracker.poll_transmit(&mut buf).unwrap() {
            let connection = ConnectionId(now);
            let peers = CompactPeers::new(Family::V4, &[]).unwrap();
            let numbers = [[0; 12]];
            let (kind, response) = match Request::decode(&buf[..len]).unwrap() {
                Request::Connect { transaction } => {
                    (0, Response::Connect { transaction, connection })
                }
                Request::Announce { transaction, .. } => {
                    let interval = 1800;
                    let leechers = 0;
                    let seeders = 0;
                    let response =
                        Response::Announce { transaction, interval, leechers, seeders, peers };
                    (1, response)
                }
                Request::Scrape { transaction, .. } => {
                    (2, Response::Scrape { transaction, torrents: Scrapes::new(&numbers) })
                }
            };
            self.sent[kind].push(now);
            if !silent[kind] {
                let mut out = vec![0; response.encoded_len()];
                response.encode(&mut out).unwrap();
                self.answers.push((now + 1, out));
            }
        }
        while let Some(event) = self.tracker.poll_event() {
            self.lost.push((now, event));
        }
    }
}

fn times(name: &str, what: &str) -> Vec<u64> {
    let row = rows(TABLE, "timeline").find(|row| row[1] == name && row[2] == what);
    row.expect(name)[3].split(',').map(|at| at.parse().unwrap()).collect()
}

/// BEP 15, "time outs", first example; and what follows it, to the end.
#[test]
fn a_connect_is_repeated_after_15_seconds_and_ever_later() {
    let mut desk = Desk::new();
    let request = desk.tracker.announce(secs(0), announce()).unwrap();
    for now in 0..=8_000 {
        desk.second(now, [true; 3]);
    }
    let expected = times("connect_never_answered", "connect_at");
    assert_eq!(desk.sent[0][..expected.len()], expected);
    assert_eq!(desk.sent[0].len(), 9, "n goes from 0 to 8");
    assert_eq!(desk.lost, [(15 * 511, UdpEvent::TimedOut { request })]);
    assert!(desk.tracker.is_empty() && desk.tracker.poll_timeout().is_none());
}

/// BEP 15, "time outs", second example: when the connection id is a minute old, a connect takes the
/// place of the announce, and n goes on.
#[test]
fn an_announce_is_repeated_and_then_a_connect() {
    let name = "announce_never_answered";
    assert_eq!(times(name, "connect_answered_at"), [1]);
    let mut desk = Desk::new();
    desk.tracker.announce(secs(0), announce()).unwrap();
    for now in 0..300 {
        desk.second(now, [now > 0, true, true]);
    }
    assert_eq!(desk.sent[0], times(name, "connect_at"));
    assert_eq!(desk.sent[1], times(name, "announce_at"));
}

/// A tracker that connects but never answers an announce is given up in the end.
#[test]
fn connects_alone_do_not_keep_a_request_alive() {
    let mut desk = Desk::new();
    let request = desk.tracker.announce(secs(0), announce()).unwrap();
    for now in 0..9_000 {
        desk.second(now, [false, true, true]);
    }
    assert_eq!(desk.sent[1].len(), 9);
    assert_eq!(desk.lost[..], [(desk.lost[0].0, UdpEvent::TimedOut { request })]);
}

/// BEP 15, "time outs", third example: one connection id serves for a minute.
#[test]
fn a_connection_id_is_used_for_a_minute() {
    let name = "reuse_within_one_minute";
    let mut desk = Desk::new();
    for now in 0..70 {
        let announces = match now {
            0 | 4 | 60 => 1,
            62 => 2,
            _ => 0,
        };
        for _ in 0..announces {
            desk.tracker.announce(secs(now), announce()).unwrap();
        }
        for _ in 0..if now == 62 { 2 } else { 0 } {
            desk.tracker.scrape(secs(now), info_hash()).unwrap();
        }
        desk.second(now, [false; 3]);
    }
    assert_eq!(desk.sent[0], times(name, "connect_at"));
    assert_eq!(desk.sent[1], times(name, "announce_at"));
    assert_eq!(desk.sent[2], times(name, "scrape_at"));
    assert!(desk.tracker.is_empty() && desk.lost.is_empty());
}

/// A tracker that sees a new address refuses the old connection id: the next request asks for one.
#[test]
fn a_refusal_ends_the_use_of_a_connection_id() {
    let mut tracker = UdpTracker::new(UdpConfig::new(5), [UdpSlot::EMPTY; 1]).unwrap();
    let request = tracker.announce(secs(0), announce()).unwrap();
    assert_eq!(tracker.announce(secs(0), announce()).unwrap_err().capacity, 1);
    let mut buf = [0; 98];
    let respond = |tracker: &mut UdpTracker<_, _>, response: Response<'_>| {
        let mut out = [0; 64];
        let len = response.encode(&mut out).unwrap();
        let handled = tracker.handle_datagram(secs(1), &out[..len]);
        handled.map(|handled| matches!(handled, UdpOutcome::Refused { text: b"gone", .. }))
    };
    let Transmit { len } = tracker.poll_transmit(&mut buf).unwrap().unwrap();
    let Ok(Request::Connect { transaction }) = Request::decode(&buf[..len]) else { panic!() };
    let connection = ConnectionId(9);
    let connected = Response::Connect { transaction, connection };
    assert_eq!(respond(&mut tracker, connected), Ok(false));
    assert_eq!(tracker.poll_transmit(&mut buf), Ok(Some(Transmit { len: 98 })));
    let refusal = Response::Error { transaction: request, text: b"gone" };
    assert_eq!(respond(&mut tracker, refusal), Ok(true));
    assert!(respond(&mut tracker, refusal).is_err(), "one answer for each request");
    tracker.announce(secs(2), announce()).unwrap();
    assert_eq!(tracker.poll_transmit(&mut buf), Ok(Some(Transmit { len: 16 })), "a connect");
}

#[test]
fn the_path_of_the_url_is_sent_in_options_of_255_bytes() {
    let path = [b'x'; 256];
    let mut tracker =
        UdpTracker::new(UdpConfig::new(1).with_path(path), [UdpSlot::EMPTY; 1]).unwrap();
    tracker.announce(secs(0), announce()).unwrap();
    let mut buf = [0; 400];
    let Transmit { len } = tracker.poll_transmit(&mut buf).unwrap().unwrap();
    let Ok(Request::Connect { transaction }) = Request::decode(&buf[..len]) else { panic!() };
    let mut out = [0; 16];
    Response::Connect { transaction, connection: ConnectionId(1) }.encode(&mut out).unwrap();
    tracker.handle_datagram(secs(0), &out).unwrap();
    assert_eq!(tracker.poll_transmit(&mut [0; 99]).unwrap_err().needed, 98 + 260);
    assert_eq!(
        tracker.poll_transmit(&mut buf),
        Ok(Some(Transmit { len: 98 + udp::url_data_len(&path) }))
    );
    let Ok(Request::Announce { options, .. }) = Request::decode(&buf[..358]) else { panic!() };
    let parts: Vec<_> = options.iter().collect();
    assert_eq!(parts, [UdpOption::UrlData(&path[..255]), UdpOption::UrlData(&path[..1])]);
}

/// libtorrent shares one id between its sockets: an id belongs to an IP address, not to a port.
#[test]
fn connection_ids_belong_to_an_address_for_two_minutes_at_least() {
    let ids = ConnectionIds::new([3; 16]);
    let here = "192.0.2.1".parse().unwrap();
    let there = "192.0.2.2".parse().unwrap();
    for given in [0, 1, 119, 120, 121, 500] {
        let id = ids.give(secs(given), here);
        assert!(ids.accepts(secs(given), here, id) && ids.accepts(secs(given + 120), here, id));
        assert!(!ids.accepts(secs(given + 240), here, id), "{given}");
        assert!(!ids.accepts(secs(given), there, id));
        assert!(!ConnectionIds::new([4; 16]).accepts(secs(given), here, id));
    }
    assert_eq!(format!("{ids:?}"), "ConnectionIds(..)");
}

/// BEP 12, the examples: tiers in order, shuffled inside, the one that answers first.
#[test]
fn trackers_are_asked_tier_by_tier() {
    let mut firsts = [0; 3];
    for seed in 0..300 {
        let order = TrackerOrder::new([3, 1], seed, [TierSlot::EMPTY; 4]).unwrap();
        assert_eq!(order.order().last(), Some((1, 0)));
        firsts[order.current().unwrap().1] += 1;
    }
    assert!(firsts.iter().all(|count| *count > 60), "{firsts:?}");
    let mut order = TrackerOrder::new([3, 1], 1, [TierSlot::EMPTY; 4]).unwrap();
    let before: Vec<_> = order.order().collect();
    assert_eq!(order.failed(), Some(before[1]));
    order.answered();
    let after: Vec<_> = order.order().collect();
    assert_eq!(after, [before[1], before[0], before[2], before[3]]);
    assert_eq!([(); 4].map(|()| order.failed()).last(), Some(&None));
    assert_eq!(order.current(), Some(after[0]));
    let full = TrackerOrder::new([3, 1], 1, [TierSlot::EMPTY; 3]).unwrap_err();
    assert_eq!(full, TrackerOrderError::Full { capacity: 3 });
    assert_eq!(TrackerOrder::new([], 1, [TierSlot::EMPTY; 0]).unwrap().current(), None);
}

#[test]
fn a_path_that_does_not_fit_in_a_datagram_is_refused() {
    let config = |len| UdpConfig::new(1).with_path(vec![b'x'; len]);
    let long = UdpTracker::new(config(MAX_PATH_LEN + 1), [UdpSlot::EMPTY; 1]).err();
    assert_eq!(long, Some(ConfigError::Path(MAX_PATH_LEN + 1)));
    let tracker = UdpTracker::new(config(MAX_PATH_LEN), [UdpSlot::EMPTY; 1]).unwrap();
    assert_eq!(tracker.into_storage(), [UdpSlot::EMPTY; 1]);
}

/// The sizes that the documentation promises.
#[test]
fn slots_are_as_large_as_documented() {
    assert!(size_of::<UdpSlot>() <= 136, "{}", size_of::<UdpSlot>());
    let client = size_of::<UdpTracker<&[u8], ()>>();
    assert!(client <= 136, "{client}");
    assert_eq!(size_of::<TierSlot>(), 4);
}

/// The deadline of a client is that of its question, 15 seconds for the first try. Without a request it has none.
#[test]
fn a_client_has_a_deadline_while_a_request_is_in_flight() {
    let mut tracker = UdpTracker::new(UdpConfig::new(5), [UdpSlot::EMPTY; 2]).unwrap();
    assert_eq!((tracker.is_empty(), tracker.poll_timeout()), (true, None));
    let first = tracker.scrape(secs(0), InfoHash([1; 20])).unwrap();
    let second = tracker.announce(secs(0), announce()).unwrap();
    assert_eq!((tracker.len(), tracker.is_empty()), (2, false));
    assert!(tracker.poll_transmit(&mut [0; 98]).unwrap().is_some());
    assert_eq!(tracker.poll_timeout(), Some(secs(15)));
    assert!(tracker.cancel(secs(1), first));
    assert!(!tracker.cancel(secs(1), first), "it is not in flight any more");
    assert_eq!((tracker.len(), tracker.poll_timeout()), (1, Some(secs(15))));
    assert!(tracker.cancel(secs(1), second));
    assert_eq!((tracker.is_empty(), tracker.poll_timeout()), (true, None));
}
