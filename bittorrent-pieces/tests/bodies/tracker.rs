//! Bodies of the trackers: answers over HTTP, packets over UDP, and the client's machine.

use core::time::Duration;

use bittorrent_pieces::tracker::http::{self, Announced, Answer, Scraped, UrlError};
use bittorrent_pieces::tracker::udp::{ConnectionId, Request, Response, Scrapes, TransactionId};
use bittorrent_pieces::tracker::{
    Announce, AnnounceEvent, TierSlot, TrackerOrder, UdpConfig, UdpSlot, UdpTracker,
};
use bittorrent_pieces::{CompactPeers, Family, InfoHash, PeerId};
use sim::laws::{self, Input, Machine, Outcome};

/// Any bytes are an answer or an error; as a tracker's URL they give a URL without odd bytes.
pub fn http(bytes: &[u8]) {
    if let Ok(Answer::Done(answer)) = Announced::decode(bytes) {
        assert!(answer.contacts().count() <= bytes.len());
        for contact in answer.contacts() {
            assert!(contact.to_string().contains(':'));
        }
    }
    if let Ok(Answer::Done(answer)) = Scraped::decode(bytes) {
        assert!(answer.torrents().count() <= bytes.len());
    }
    let announce = Announce::started(InfoHash([0xFF; 20]), PeerId([b'&'; 20]), 1, 2);
    let write = |out: &mut [u8]| http::announce_url(bytes, &announce, Some(bytes), out);
    sound_url(write);
    sound_url(|out| http::scrape_url(bytes, &[announce.info_hash; 2], out));
    let mut input = Input::new(bytes);
    let tiers: Vec<usize> = (0..input.below(5)).map(|_| input.below(4)).collect();
    let count = tiers.iter().sum::<usize>();
    let new = |slots| TrackerOrder::new(tiers.iter().copied(), 7, vec![TierSlot::EMPTY; slots]);
    assert_eq!(new(count.wrapping_sub(1) % 16).is_err(), count > 0);
    let mut order = new(count).expect("there is room");
    while !input.is_empty() {
        if input.byte().is_multiple_of(2) {
            order.failed();
        } else {
            let answered = order.current();
            let tier = order.current().map(|(tier, _)| tier);
            order.answered();
            let front = order.order().find(|(other, _)| Some(*other) == tier);
            assert_eq!(front, answered, "who answers leads its tier");
        }
        let mut all: Vec<_> = order.order().collect();
        assert!(all.is_sorted_by_key(|(tier, _)| *tier), "tiers stay in order");
        all.sort_unstable();
        let plain =
            tiers.iter().enumerate().flat_map(|(tier, len)| (0..*len).map(move |at| (tier, at)));
        assert!(all.into_iter().eq(plain), "each tracker once");
    }
}

fn sound_url(write: impl Fn(&mut [u8]) -> Result<usize, UrlError>) {
    let needed = match write(&mut []) {
        Err(UrlError::Buffer(small)) => small.needed,
        _ => return,
    };
    let mut out = vec![0; needed];
    assert_eq!(write(&mut out), Ok(needed));
    assert!(out.iter().all(u8::is_ascii_graphic));
}

/// Any bytes are a packet or not; what was read is written as the front of what was given.
pub fn udp(bytes: &[u8]) {
    if let Ok(request) = Request::decode(bytes) {
        let mut out = vec![0; request.encoded_len()];
        assert_eq!(request.encode(&mut out), Ok(out.len()));
        assert_eq!(Request::decode(&out), Ok(request));
        assert!(out.len() <= bytes.len() && !request.to_string().is_empty());
        let small = request.encode(&mut vec![0; out.len() - 1]).map_err(|error| error.needed);
        assert_eq!(small, Err(out.len()));
        if let Request::Announce { options, .. } = request {
            assert!(options.iter().count() <= bytes.len());
        }
    }
    for family in [Family::V4, Family::V6] {
        if let Ok(response) = Response::decode(bytes, family) {
            let mut out = vec![0; response.encoded_len()];
            assert_eq!(response.encode(&mut out), Ok(out.len()));
            assert_eq!(out, bytes[..out.len()]);
            assert!(!response.to_string().is_empty());
            if let Response::Announce { peers, .. } = response {
                assert_eq!(peers.iter().count(), peers.len());
                let mut entry = [0; 18];
                for (addr, bytes) in peers.iter().zip(peers.as_bytes().chunks(family.stride())) {
                    let len = CompactPeers::encode(addr, &mut entry).expect("18 bytes");
                    assert_eq!(entry[..len], *bytes);
                }
            }
        }
    }
}

struct Driven<'t> {
    tracker: UdpTracker<&'t [u8], Vec<UdpSlot>>,
    asked: Vec<Vec<u8>>, // datagrams sent, so that answers can fit
    requests: Vec<TransactionId>,
}

/// Reads bytes as calls to a client of a UDP tracker.
pub fn udp_tracker(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let seed = input.u64();
    let family = if input.byte().is_multiple_of(2) { Family::V4 } else { Family::V6 };
    let mut config = UdpConfig::new(seed).with_path(input.bytes(3));
    config.family = family;
    let slots = input.below(4);
    let new = || Driven {
        tracker: UdpTracker::new(config, vec![UdpSlot::EMPTY; slots]).expect("a short path"),
        asked: vec![],
        requests: vec![],
    };
    laws::check(new, 98 + 5, input.bytes(usize::MAX));
}

impl Driven<'_> {
    /// Spells an answer that fits something that was asked, more or less.
    fn answer(&self, input: &mut Input<'_>) -> Vec<u8> {
        let nth = usize::from(input.byte());
        let asked = nth.checked_rem(self.asked.len()).and_then(|nth| self.asked.get(nth));
        let mut transaction = TransactionId(u32::from(input.byte()));
        let mut kind = input.below(8);
        match asked.map(|bytes| Request::decode(bytes).expect("we wrote it")) {
            Some(Request::Connect { transaction: id }) => {
                transaction = id;
                kind = if kind < 6 { 0 } else { kind };
            }
            Some(Request::Announce { transaction: id, .. }) => {
                transaction = id;
                kind = if kind < 6 { 1 } else { kind };
            }
            Some(Request::Scrape { transaction: id, .. }) => {
                transaction = id;
                kind = if kind < 6 { 2 } else { kind };
            }
            None => {}
        }
        let numbers = [[1; 12]];
        let peers = CompactPeers::new(Family::V4, &[9; 36]).expect("six peers");
        let response = match kind {
            0 => Response::Connect { transaction, connection: ConnectionId(input.u64()) },
            1 => Response::Announce { transaction, interval: 9, leechers: 1, seeders: 2, peers },
            2 => Response::Scrape { transaction, torrents: Scrapes::new(&numbers) },
            _ => Response::Error { transaction, text: b"no" },
        };
        let mut out = vec![0; response.encoded_len()];
        response.encode(&mut out).expect("the length was asked for");
        out
    }
}

impl Machine for Driven<'_> {
    fn call(&mut self, now: Duration, input: &mut Input<'_>) -> Outcome {
        let asked = match input.below(8) {
            0 | 1 => {
                let mut announce =
                    Announce::started(InfoHash(input.array()), PeerId([1; 20]), 6881, input.u64());
                announce.event = AnnounceEvent::None;
                announce.num_want = Some(input.u32());
                self.tracker.announce(now, announce)
            }
            2 => self.tracker.scrape(now, InfoHash(input.array())),
            3 => {
                let nth = usize::from(input.byte()).checked_rem(self.requests.len()).unwrap_or(0);
                let request = self.requests.get(nth).copied().unwrap_or(TransactionId(0));
                return Outcome::Done(format!("{}", self.tracker.cancel(now, request)));
            }
            4 => {
                let bytes = input.bytes(40).to_vec();
                return Outcome::of(self.tracker.handle_datagram(now, &bytes));
            }
            _ => {
                let bytes = self.answer(input);
                return Outcome::of(self.tracker.handle_datagram(now, &bytes));
            }
        };
        self.requests.extend(asked);
        Outcome::of(asked)
    }

    fn handle_timeout(&mut self, now: Duration) {
        self.tracker.handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Duration> {
        self.tracker.poll_timeout()
    }

    fn poll_transmit(&mut self, buf: &mut [u8]) -> Result<Option<(String, usize)>, usize> {
        let sent = self.tracker.poll_transmit(buf).map_err(|error| error.needed)?;
        Ok(sent.map(|sent| {
            self.asked.push(buf[..sent.len].to_vec());
            (String::new(), sent.len)
        }))
    }

    fn poll_event(&mut self) -> Option<String> {
        self.tracker.poll_event().map(|event| event.to_string())
    }

    fn state(&self) -> String {
        format!("{:?}", self.tracker)
    }

    fn same_state(&self, other: &Self) -> bool {
        self.tracker == other.tracker
    }
}

/// Any bytes are the target of a request or not; an announce that was read is written and read again as
/// the same.
pub fn http_request(bytes: &[u8]) {
    use bittorrent_pieces::tracker::http::{HttpRequest, announce_url};
    match HttpRequest::decode(bytes) {
        Ok(HttpRequest::Announce { announce, .. }) => {
            let mut out = [0; 600];
            let len = announce_url(b"/announce", &announce, None, &mut out).expect("it fits");
            let again = HttpRequest::decode(&out[..len]).expect("what we write is right");
            let HttpRequest::Announce { announce: decoded, compact: true, .. } = again else {
                panic!("{again:?}")
            };
            assert_eq!(decoded, announce);
        }
        Ok(request @ HttpRequest::Scrape(targets)) => {
            assert!(targets.iter().count() * 30 <= bytes.len() && !request.to_string().is_empty());
        }
        Err(_) => {}
    }
}
