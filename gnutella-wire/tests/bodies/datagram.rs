//! The datagrams of a servent under any bytes.

use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;

use gnutella_wire::datagram::{DatagramConfig, DatagramLimits, DatagramVec, Datagrams};
use gnutella_wire::wire::{
    Function, HEADER_LEN, Header, HitData, Limits, Message, Query, QueryHit, Record, Records,
};
use gnutella_wire::{Guid, ServentId, Text};
use sim::laws::{Input, Machine, Outcome, check, check_poll_order};

type Net = Datagrams<DatagramVec>;

/// Any number of slots keeps the laws, and no address gets more bytes than came from it without a key.
pub fn datagrams(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let limits = DatagramLimits { peers: input.below(6), searches: input.below(3) };
    let answers = input.below(2) == 0;
    let rest = input.bytes(usize::MAX);
    let new = || Node::new(limits, answers);
    check(new, Net::MAX_TRANSMIT_LEN, rest);
    check_poll_order(new, Net::MAX_TRANSMIT_LEN, rest);
}

struct Node(Net);

fn address(n: u8) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(n & 1, 0, 0, n), 6346)
}

impl Node {
    fn new(limits: DatagramLimits, answers: bool) -> Self {
        let mut config = DatagramConfig::new(ServentId([9; 16]), address(0), [7; 16]);
        config.answers_queries = answers;
        config.interval = Duration::from_millis(20);
        config.key_period = Duration::from_secs(1_000_000);
        config.results = 3;
        Self(Datagrams::new(config, DatagramVec::new(limits)).expect("valid"))
    }

    fn receive(&mut self, now: Duration, input: &mut Input<'_>) -> Outcome {
        let from = address(input.byte() % 8);
        let functions = [
            Function::PING,
            Function::PONG,
            Function::QUERY,
            Function::QUERY_HIT,
            Function::VENDOR,
            Function::PUSH,
            Function::BYE,
        ];
        let function = functions[input.below(7)];
        let guid = Guid([[1, 2, 3, 9][input.below(4)]; 16]);
        let payload = match (function, input.below(4)) {
            (Function::VENDOR, 0) => [&b"LIME"[..], &[12, 0, 2, 0, input.byte() % 4, 1]].concat(),
            (Function::VENDOR, 1) => [&b"LIME"[..], &[11, 0, 2, 0, input.byte() % 4]].concat(),
            (Function::PING, 0) => [&[0xC3, 0x82][..], b"QK", &[0x40]].concat(),
            (Function::PONG, 0) => [&[0; 14][..], &[0xC3, 0x82], b"QK", &[0x44], b"keys"].concat(),
            (Function::QUERY_HIT, 0) => [&[1; 11][..], &[0; 8], b"x\0\0", &[3; 16]].concat(),
            _ => {
                let len = input.below(64);
                input.bytes(len).to_vec()
            }
        };
        let header = Header { guid, function, ttl: 1, hops: 0, len: payload.len() as u32 };
        let bytes = [&header.to_bytes()[..], &payload].concat();
        Outcome::of(self.0.handle_datagram(now, from, &bytes).map(|message| format!("{message:?}")))
    }

    fn answer(&mut self, now: Duration, to: SocketAddrV4, guid: Guid) -> Outcome {
        let name = Text::new(b"x").expect("no NUL");
        let found = [Record { index: 1, size: 3, name, extensions: Text::EMPTY }];
        let records = Records::from_slice(&found).expect("at most 255");
        let data = HitData::EMPTY;
        let servent = ServentId([9; 16]);
        let hit = QueryHit { address: address(0), speed: 1, records, data, servent };
        Outcome::of(self.0.answer(now, to, guid, &hit, &mut [0; 256]))
    }
}

impl Machine for Node {
    fn call(&mut self, now: Duration, input: &mut Input<'_>) -> Outcome {
        let to = address(input.byte() % 8);
        let guid = Guid([1 + input.byte() % 3; 16]);
        let query = Query::new(Text::new(b"hey jude").expect("no NUL"));
        match input.below(10) {
            0 => Outcome::Done(self.0.add_host(now, to).to_string()),
            1 => Outcome::of(self.0.search(now, guid, &query)),
            2 => Outcome::of(self.0.expect_hits(now, guid)),
            3 => Outcome::of(self.0.offer(now, to, guid, input.byte())),
            4 => self.answer(now, to, guid),
            5 if input.below(4) == 0 => {
                self.0.stop_search(now, guid);
                Outcome::Done(String::new())
            }
            6 => {
                let len = input.below(80);
                let bytes = input.bytes(len);
                Outcome::of(self.0.handle_datagram(now, to, bytes).map(|one| format!("{one:?}")))
            }
            _ => self.receive(now, input),
        }
    }

    fn handle_timeout(&mut self, now: Duration) {
        self.0.handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Duration> {
        self.0.poll_timeout()
    }

    fn poll_transmit(&mut self, buf: &mut [u8]) -> Result<Option<(String, usize)>, usize> {
        let sent = self.0.poll_transmit(buf).map_err(|error| error.needed)?;
        Ok(sent.map(|sent| {
            let (message, rest) = Message::decode(&buf[..sent.len], Limits::GTKG).expect("valid");
            assert!(rest.is_empty() && sent.len >= HEADER_LEN);
            assert!(message.hops == 0 && message.ttl == 1, "{message}");
            (sent.to.to_string(), sent.len)
        }))
    }

    fn poll_event(&mut self) -> Option<String> {
        self.0.poll_event().map(|event| event.to_string())
    }

    fn state(&self) -> String {
        format!("{:?}", self.0)
    }

    fn same_state(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
