//! Body of the peer book: any calls in any order, checked against the laws; and its saved form.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::time::Duration;

use bittorrent_pieces::peer_book::{
    AddressSlot, BanSlot, BookEvent, ConnSlot, Ending, PeerBookConfig, PeerBookSlots, PeerSource,
};
use bittorrent_pieces::{ConnId, PeerBook};
use sim::laws::{self, Input, Machine, Outcome};

type Slots = PeerBookSlots<Vec<AddressSlot>, Vec<ConnSlot>, Vec<BanSlot>>;

struct Driven(PeerBook<Slots>);

/// Reads bytes as a book and calls to it.
pub fn peer_book(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let addresses = input.below(20);
    let conns = input.below(6);
    let bans = input.below(4);
    let choice = input.byte();
    let mut config = PeerBookConfig::new(u64::from(input.byte()));
    config.wanted = 1 + u16::from(choice % 4);
    config.dialled = u16::from(choice / 4 % 4);
    config.dials = 1 + u16::from(choice / 16 % 4);
    config.per_address = u16::from(choice / 64);
    let new = || {
        let storage = PeerBookSlots {
            addresses: vec![AddressSlot::EMPTY; addresses],
            conns: vec![ConnSlot::EMPTY; conns],
            bans: vec![BanSlot::EMPTY; bans],
        };
        Driven(PeerBook::new(config, storage).expect("nothing is zero"))
    };
    laws::check(new, 1, input.bytes(usize::MAX));
    restore(bytes);
}

/// Any bytes are a saved book or not; one that is read is written again and read the same.
fn restore(bytes: &[u8]) {
    let new = || {
        let storage = PeerBookSlots {
            addresses: vec![AddressSlot::EMPTY; 40],
            conns: vec![ConnSlot::EMPTY; 1],
            bans: vec![BanSlot::EMPTY; 40],
        };
        PeerBook::new(PeerBookConfig::new(1), storage).expect("nothing is zero")
    };
    let mut book = new();
    if let Ok(taken) = book.restore(Duration::ZERO, bytes) {
        assert_eq!(book.addresses().count(), taken);
    }
    let behind_magic = [&b"BPpeers1"[..], bytes].concat();
    let mut book = new();
    if book.restore(Duration::ZERO, &behind_magic).is_ok() {
        let mut saved = vec![0; book.encoded_len()];
        assert_eq!(book.encode(&mut saved), Ok(saved.len()));
        let mut again = new();
        again.restore(Duration::ZERO, &saved).expect("it was just written");
        let listed = |book: &PeerBook<Slots>| {
            let mut known: Vec<_> =
                book.addresses().map(|known| (known.addr, known.failures)).collect();
            known.sort();
            known
        };
        assert_eq!(listed(&again), listed(&book));
    }
}

impl Driven {
    /// Chooses one of few addresses, so that they meet again.
    fn addr(input: &mut Input<'_>) -> SocketAddr {
        let host = input.byte();
        let ip = match host % 8 {
            0..=3 => IpAddr::V4(Ipv4Addr::new(192, 0, host / 64, host % 4)),
            4 => IpAddr::V4(Ipv4Addr::LOCALHOST),
            5 => IpAddr::V6(Ipv6Addr::new(0x2001, 0xDB8, 0, u16::from(host / 64), 0, 0, 0, 1)),
            6 => IpAddr::V6(Ipv4Addr::new(192, 0, 0, 1).to_ipv6_mapped()),
            _ => IpAddr::from([host; 4]),
        };
        SocketAddr::new(ip, u16::from(input.byte() % 4))
    }
}

impl Machine for Driven {
    fn call(&mut self, now: Duration, input: &mut Input<'_>) -> Outcome {
        let conn = ConnId(u32::from(input.byte() % 6));
        match input.below(14) {
            0..=2 => {
                let addr = Self::addr(input);
                let source = match input.below(6) {
                    0 => PeerSource::User,
                    1 => PeerSource::Tracker,
                    2 => PeerSource::Dht,
                    3 => PeerSource::Exchange(conn),
                    4 => PeerSource::Incoming,
                    _ => PeerSource::Saved,
                };
                let added = self.0.add(now, addr, source, input.byte().is_multiple_of(2));
                Outcome::Done(format!("{added:?}"))
            }
            3..=4 => Outcome::of(self.0.handle_accepted(now, conn, Self::addr(input))),
            5 => Outcome::of(self.0.handle_dialled(now, Self::addr(input), conn)),
            6 => {
                self.0.handle_dial_failed(now, Self::addr(input));
                Outcome::Done("dial failed".into())
            }
            7 => {
                self.0.handle_handshake(now, conn);
                Outcome::Done("handshake".into())
            }
            8 => {
                self.0.handle_block(now, conn);
                Outcome::Done("block".into())
            }
            9 => {
                self.0.handle_listens(now, conn, u16::from(input.byte() % 4));
                Outcome::Done("listens".into())
            }
            10 => {
                let endings = [
                    Ending::Lost,
                    Ending::NotNeeded,
                    Ending::Refused,
                    Ending::Corrupt,
                    Ending::Ourselves,
                ];
                self.0.handle_closed(now, conn, endings[input.below(5)]);
                Outcome::Done("closed".into())
            }
            11 => {
                self.0.set_complete(now, input.byte().is_multiple_of(2));
                Outcome::Done("complete".into())
            }
            12 => {
                self.0.set_own_address(now, Self::addr(input));
                Outcome::Done("own".into())
            }
            _ => {
                // A dial that is asked for succeeds: random addresses rarely meet it.
                self.0.handle_timeout(now);
                let Some(BookEvent::Dial { addr }) = self.0.poll_event() else {
                    return Outcome::Done("no dial".into());
                };
                Outcome::Done(format!("{:?}", self.0.handle_dialled(now, addr, conn)))
            }
        }
    }

    fn handle_timeout(&mut self, now: Duration) {
        self.0.handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Duration> {
        self.0.poll_timeout()
    }

    fn poll_transmit(&mut self, _buf: &mut [u8]) -> Result<Option<(String, usize)>, usize> {
        Ok(None)
    }

    fn poll_event(&mut self) -> Option<String> {
        self.0.poll_event().map(|event| format!("{event:?}"))
    }

    fn state(&self) -> String {
        format!("{:?}", self.0)
    }
}
