//! What the application sets after construction: it is what others then receive.

use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;

use gnutella_wire::datagram::{DatagramConfig, DatagramLimits, DatagramVec, Datagrams};
use gnutella_wire::ggep::Scp;
use gnutella_wire::huge::Sha1;
use gnutella_wire::transfer::{Download, DownloadConfig, DownloadLimits, DownloadVec, FileInfo};
use gnutella_wire::wire::{
    Bye, ByeCode, Function, Header, Limits, Message, Other, Payload, Ping, Pong, Push, Query,
    QueryFlags,
};
use gnutella_wire::{
    CommandError, Config, ConfigError, ConnId, Guid, Role, Servent, ServentId, ServentLimits,
    ServentVec, Text,
};

const A: ConnId = ConnId(0);
const NOW: Duration = Duration::ZERO;

fn at(host: u8) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, host), 6346)
}

fn ping(number: u8) -> Vec<u8> {
    let header =
        Header { guid: Guid([number; 16]), function: Function::PING, ttl: 1, hops: 0, len: 0 };
    header.to_bytes().to_vec()
}

/// Returns what the first pong among the messages reports: the address, files and kilobytes.
fn pong(messages: &[Vec<u8>]) -> (SocketAddrV4, u32, u32) {
    let decoded = messages.iter().map(|bytes| Message::decode(bytes, Limits::GTKG).unwrap().0);
    let mut pongs = decoded.filter_map(|message| match message.payload {
        Payload::Pong(Pong { address, files, kilobytes, .. }) => Some((address, files, kilobytes)),
        _ => None,
    });
    pongs.next().expect("a pong")
}

#[test]
fn pongs_by_datagram_report_what_was_set() {
    let config = DatagramConfig::new(ServentId([2; 16]), at(2), [2; 16]);
    let limits = DatagramLimits { peers: 8, searches: 2 };
    let mut node = Datagrams::new(config, DatagramVec::new(limits)).unwrap();
    node.set_address(at(7));
    node.set_shared(12, 34_567);
    assert_eq!(node.config().address, at(7));
    let mut sent = Vec::new();
    let mut buf = [0; Datagrams::<DatagramVec>::MAX_TRANSMIT_LEN];
    for number in 1..4 {
        node.handle_datagram(NOW, at(1), &ping(number)).unwrap();
        while let Some(one) = node.poll_transmit(&mut buf).unwrap() {
            sent.push(buf[..one.len].to_vec());
        }
    }
    assert_eq!(pong(&sent), (at(7), 12, 34_567));
}

#[test]
fn pongs_of_a_servent_report_what_was_set() {
    let config = Config::leaf(ServentId([1; 16]), at(1));
    let limits = ServentLimits::of(&config);
    let mut servent = Servent::new(config, ServentVec::new(limits)).unwrap();
    servent.set_shared(12, 34_567);
    servent.set_address(NOW, at(8));
    servent.handle_connected(NOW, A, Role::Ultrapeer).unwrap();
    let mut sent = Vec::new();
    let mut buf = [0; 4_096];
    servent.handle_bytes(NOW, A, &ping(1)).unwrap();
    while let Some(one) = servent.poll_transmit(&mut buf).unwrap() {
        sent.push(buf[..one.len].to_vec());
    }
    assert_eq!(pong(&sent), (at(8), 12, 34_567));
}

/// Hits say by these flags whether the servent needs a push, and whether a slot is free.
#[test]
fn flags_of_hits_report_what_was_set() {
    let config = Config::leaf(ServentId([1; 16]), at(1));
    let mut servent = Servent::new(config, ServentVec::new(ServentLimits::default())).unwrap();
    for (firewalled, busy) in [(true, false), (false, true), (true, true), (false, false)] {
        servent.set_firewalled(firewalled);
        servent.set_busy(busy);
        let flags = servent.hit_flags();
        assert_eq!((flags.push, flags.busy), (Some(firewalled), Some(busy)));
    }
}

#[test]
fn a_peer_of_other_bounds_has_them() {
    let config = Config::peer_of(7, 10, ServentId([1; 16]), at(1));
    assert_eq!((config.max_peers, config.max_ttl), (7, 10));
    let mut usual = Config::peer(ServentId([1; 16]), at(1));
    usual.max_peers = 7;
    usual.max_ttl = 10;
    assert_eq!(config, usual);
}

/// The length before encoding is the length after it, also on the types that messages contain.
#[test]
fn payloads_are_as_long_as_they_say() {
    let pong = Pong { address: at(1), files: 3, kilobytes: 4, extensions: b"xyz" };
    let mut out = [0; 64];
    let len = pong.encode(&mut out).unwrap();
    assert_eq!((len, pong.encoded_len()), (17, 17));
    assert_eq!(
        out[..len],
        [&[0xCA, 0x18, 10, 0, 0, 1, 3, 0, 0, 0, 4, 0, 0, 0][..], b"xyz"].concat()
    );
    let ping = Ping { extensions: b"abc" };
    assert_eq!((ping.encode(&mut out).unwrap(), &out[..3]), (3, &b"abc"[..]));
    let text = Text::new(b"bye").unwrap();
    let bye = Bye { code: ByeCode::SHUTDOWN, text, extensions: b"" };
    assert_eq!((bye.encode(&mut out).unwrap(), &out[..5]), (bye.encoded_len(), &b"\xC8\0bye"[..]));
    let other = Other { function: Function(0x77), body: b"abcd" };
    assert_eq!((other.encode(&mut out).unwrap(), other.encoded_len()), (4, 4));
    assert_eq!(&out[..4], b"abcd");
    let query = Query::new(Text::new(b"hey jude").unwrap());
    assert_eq!((query.encode(&mut out).unwrap(), query.encoded_len()), (11, 11));
    assert_eq!(&out[2..11], b"hey jude\0");
    let push = Push { servent: ServentId([7; 16]), index: 9, address: at(1), extensions: b"z" };
    assert_eq!((push.encode(&mut out).unwrap(), push.encoded_len()), (27, 27));
    for payload in
        [Payload::Pong(pong), Payload::Ping(ping), Payload::Bye(bye), Payload::Push(push)]
    {
        let len = payload.encode(&mut out).unwrap();
        assert_eq!(len, payload.encoded_len(), "{payload:?}");
    }
    let header = Header { guid: Guid([1; 16]), function: Function::PONG, ttl: 1, hops: 2, len: 14 };
    assert_eq!((header.encoded_len(), header.to_bytes().len()), (23, 23));
}

/// Flags are a set: joining two keeps what both have.
#[test]
fn flags_join_as_sets() {
    let all = [QueryFlags::LEAF_GUIDED, QueryFlags::FIREWALLED, QueryFlags::XML];
    for (a, b) in all.into_iter().flat_map(|a| all.map(|b| (a, b))) {
        let both = a.with(b);
        assert!(both.contains(a) && both.contains(b));
        assert_eq!((both.with(a), both.with(b)), (both, both));
        assert_eq!(a.contains(b), a == b);
        let others = all.into_iter().filter(|other| *other != a && *other != b);
        others.for_each(|other| assert!(!both.contains(other)));
    }
    let all = [Scp::ULTRAPEERS, Scp::TLS, Scp::IPV6, Scp::NO_IPV4];
    for (a, b) in all.into_iter().flat_map(|a| all.map(|b| (a, b))) {
        let both = a.with(b);
        assert!(both.contains(a) && both.contains(b));
        assert_eq!((both.with(a), both.with(b)), (both, both));
        assert_eq!(a.contains(b), a == b);
    }
}

/// A servent that lowers the TTL of others to more than it accepts contradicts itself.
#[test]
fn bounds_of_the_ttl_that_contradict_each_other_are_refused() {
    for (max_ttl, hard_ttl, error) in [
        (0, 10, Some(ConfigError::ZeroTtl)),
        (5, 4, Some(ConfigError::HardTtlTooLow { hard_ttl: 4, max_ttl: 5 })),
        (5, 0, Some(ConfigError::HardTtlTooLow { hard_ttl: 0, max_ttl: 5 })),
        (5, 5, None),
        (5, 6, None),
    ] {
        let mut config = Config::leaf(ServentId([1; 16]), at(1));
        config.max_ttl = max_ttl;
        config.hard_ttl = hard_ttl;
        let servent = Servent::new(config, ServentVec::new(ServentLimits::default()));
        assert_eq!(servent.err(), error, "{max_ttl} and {hard_ttl}");
    }
}

/// The connections of a flood are those of the last one: an older target is void.
#[test]
fn the_target_of_an_older_flood_is_void() {
    let config = Config::ultrapeer(ServentId([1; 16]), at(1));
    let limits = ServentLimits::of(&config);
    let mut servent = Servent::new(config, ServentVec::new(limits)).unwrap();
    for conn in 0..2 {
        servent.handle_connected(NOW, ConnId(conn), Role::Peer).unwrap();
    }
    let mut buf = [0; 128];
    let first = servent.ping(NOW, Guid([1; 16]), &mut buf).unwrap();
    assert!(servent.targets(first.to).eq([ConnId(0), ConnId(1)]));
    let second = servent.ping(NOW, Guid([2; 16]), &mut buf).unwrap();
    assert!(servent.targets(second.to).eq([ConnId(0), ConnId(1)]));
    assert_eq!(servent.targets(first.to).count(), 0);
}

/// Times of 0 would never let anything happen, or everything at once.
#[test]
fn times_of_zero_are_refused_by_name() {
    type Change = fn(&mut DownloadConfig);
    let changes: [(&str, Change); 8] = [
        ("dial_timeout", |config| config.dial_timeout = NOW),
        ("push_timeout", |config| config.push_timeout = NOW),
        ("head_timeout", |config| config.head_timeout = NOW),
        ("stall_timeout", |config| config.stall_timeout = NOW),
        ("keep_alive", |config| config.keep_alive = NOW),
        ("retry", |config| config.retry = NOW),
        ("busy_retry", |config| config.busy_retry = NOW),
        ("max_retry", |config| config.max_retry = NOW),
    ];
    let new = |config| {
        let info = FileInfo { size: 1, sha1: None, root: None, name: b"a" };
        Download::new(config, info, DownloadVec::new(DownloadLimits::default())).err()
    };
    for (field, change) in changes {
        let mut config = DownloadConfig::CUSTOMARY;
        change(&mut config);
        assert_eq!(new(config), Some(ConfigError::ZeroDuration { field }));
    }
    let mut config = DownloadConfig::CUSTOMARY;
    config.max_connections = 0;
    assert_eq!(new(config), Some(ConfigError::Zero { field: "max_connections" }));
    assert_eq!(new(DownloadConfig::CUSTOMARY), None);

    let new = |change: fn(&mut DatagramConfig)| {
        let mut config = DatagramConfig::new(ServentId([2; 16]), at(2), [2; 16]);
        change(&mut config);
        Datagrams::new(config, DatagramVec::new(DatagramLimits { peers: 8, searches: 2 })).err()
    };
    let zero = |field| Some(ConfigError::ZeroDuration { field });
    assert_eq!(new(|_| {}), None);
    assert_eq!(new(|config| config.interval = NOW), zero("interval"));
    assert_eq!(new(|config| config.timeout = NOW), zero("timeout"));
    let field = "key_period in seconds";
    assert_eq!(new(|config| config.key_period = NOW), zero(field));
    assert_eq!(new(|config| config.key_period = Duration::from_millis(999)), zero(field));
    assert_eq!(new(|config| config.key_period = Duration::from_secs(1)), None);
    let attempts = Some(ConfigError::Zero { field: "max_attempts" });
    assert_eq!(new(|config| config.max_attempts = 0), attempts);
}

/// An own message is as long as the limits of others allow, and a query goes on after its wait.
#[test]
fn own_queries_have_a_limit_and_go_on() {
    let config = Config::ultrapeer(ServentId([1; 16]), at(1));
    let limit = config.limits.of(Function::QUERY);
    let connected = || {
        let storage = ServentVec::new(ServentLimits::of(&config));
        let mut servent = Servent::new(config.clone(), storage).unwrap();
        for conn in 0..4 {
            servent.handle_connected(NOW, ConnId(conn), Role::Ultrapeer).unwrap();
        }
        servent
    };
    let mut servent = connected();
    let text = "x".repeat(usize::from(limit) + 1);
    let mut buf = vec![0; usize::from(limit) + 100];
    let query = |len: usize| Query::new(Text::new(&text.as_bytes()[..len]).unwrap());
    let overhead = query(0).encoded_len();
    for over in [1, 4] {
        let len = usize::from(limit) + over;
        let longer = query(len - overhead);
        let refused = servent.search(NOW, Guid([1; 16]), &longer, &mut buf);
        assert_eq!(refused, Err(CommandError::TooLarge { len, limit }));
    }
    let longest = query(usize::from(limit) - overhead);
    servent.search(NOW, Guid([1; 16]), &longest, &mut buf).unwrap();

    let mut servent = connected();
    while servent.poll_transmit(&mut buf).unwrap().is_some() {}
    let silent = servent.poll_timeout();
    servent.search(NOW, Guid([2; 16]), &query(5), &mut buf).unwrap();
    while servent.poll_transmit(&mut buf).unwrap().is_some() {}
    assert!(servent.poll_timeout() < silent, "before a silent neighbour is pinged");
}

/// A file without a hash is asked for by its name, which has at most 255 bytes; otherwise the name is not sent.
#[test]
fn a_requested_name_has_at_most_255_bytes() {
    let storage = || DownloadVec::new(DownloadLimits::default());
    let limit = Download::<DownloadVec>::MAX_NAME_LEN;
    let too_long = ConfigError::TooLong { field: "name", limit };
    for (len, sha1, refused) in
        [(255, None, None), (256, None, Some(too_long)), (256, Some(Sha1([1; 20])), None)]
    {
        let name = vec![b'x'; len];
        let info = FileInfo { size: 1, sha1, root: None, name: &name };
        let made = Download::new(DownloadConfig::CUSTOMARY, info, storage());
        assert_eq!(made.err(), refused, "{len} bytes, hash: {}", sha1.is_some());
    }
}
