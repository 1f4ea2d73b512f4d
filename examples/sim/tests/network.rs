//! The network keeps its own promises: order, determinism, loss, partition, death.

use core::time::Duration;

use sim::{Addr, Delivery, Link, Network, Rng};

const ANN: Addr = Addr(1);
const BEN: Addr = Addr(2);
const MINUTE: Duration = Duration::from_secs(60);

fn rough() -> Link {
    Link {
        latency: Duration::from_millis(30),
        jitter: Duration::from_millis(50),
        loss: 200,
        duplicate: 100,
        reorder: 100,
        segment: 9,
    }
}

fn collect(net: &mut Network, until: Duration) -> Vec<(Duration, Delivery)> {
    core::iter::from_fn(|| net.next(until).map(|delivery| (net.now(), delivery))).collect()
}

#[test]
fn same_seed_same_deliveries() {
    let run = |seed| {
        let mut net = Network::new(seed, rough());
        let stream = net.connect(ANN, BEN);
        for i in 0..100u8 {
            net.send_datagram(ANN, BEN, &[i; 20]);
            net.send(stream, ANN, &[i; 30]);
        }
        collect(&mut net, MINUTE)
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn a_stream_keeps_order_and_loses_nothing_under_loss() {
    let mut net = Network::new(3, rough());
    let stream = net.connect(ANN, BEN);
    let sent: Vec<u8> = (0..2000u32).map(|i| i as u8).collect();
    for part in sent.chunks(77) {
        net.send(stream, ANN, part);
    }
    net.close(stream, ANN);
    let mut got = Vec::new();
    let mut closed = false;
    for (_, delivery) in collect(&mut net, MINUTE * 10) {
        match delivery {
            Delivery::Bytes { at: BEN, bytes, .. } => {
                assert!(!closed);
                assert!(bytes.len() <= 9);
                got.extend(bytes);
            }
            Delivery::Closed { at: BEN, .. } => closed = true,
            _ => {}
        }
    }
    assert_eq!(got, sent);
    assert!(closed && net.stats().retransmitted > 0);
}

#[test]
fn a_message_arrives_once_and_when_the_last_of_its_segments_would() {
    let run = |whole| {
        let mut net = Network::new(3, rough());
        net.set_uplink(ANN, 1000);
        let stream = net.connect(ANN, BEN);
        collect(&mut net, MINUTE);
        for message in [[1; 40], [2; 40]] {
            if whole {
                net.send_message(stream, ANN, message[..5].to_vec(), message.len());
            } else {
                net.send(stream, ANN, &message);
            }
        }
        let arrived =
            collect(&mut net, MINUTE * 2).into_iter().map(|(at, delivery)| match delivery {
                Delivery::Bytes { at: BEN, bytes, .. } => (at, bytes),
                other => panic!("{other:?}"),
            });
        (arrived.collect::<Vec<_>>(), net.stats())
    };
    let (segments, stats) = run(false);
    assert!(segments.len() > 2 && stats.retransmitted > 0, "{stats:?}");
    let last = |message: u8| segments.iter().rfind(|(_, bytes)| bytes.contains(&message));
    let arrives = |message| last(message).map_or(Duration::ZERO, |(at, _)| *at);
    let (messages, same) = run(true);
    assert_eq!(messages, [(arrives(1), vec![1; 5]), (arrives(2), vec![2; 5])]);
    assert_eq!(same, stats);
}

#[test]
fn datagrams_are_lost_duplicated_and_overtaken() {
    let mut net = Network::new(5, rough());
    for i in 0..1000u16 {
        net.send_datagram(ANN, BEN, &i.to_le_bytes());
    }
    let got: Vec<u16> = collect(&mut net, MINUTE)
        .into_iter()
        .map(|(_, delivery)| match delivery {
            Delivery::Datagram { bytes, .. } => u16::from_le_bytes([bytes[0], bytes[1]]),
            other => panic!("{other:?}"),
        })
        .collect();
    let stats = net.stats();
    assert_eq!(got.len() as u64, stats.datagrams - stats.lost + stats.duplicated);
    assert!((100..300).contains(&stats.lost), "{stats:?}");
    assert!(stats.duplicated > 20 && !got.is_sorted());
}

#[test]
fn a_killed_host_closes_its_streams_and_an_unplugged_one_is_silent() {
    let mut net = Network::new(1, Link::default());
    let stream = net.connect(ANN, BEN);
    collect(&mut net, MINUTE);
    net.unplug(BEN);
    net.send(stream, ANN, b"anyone?");
    assert_eq!(collect(&mut net, MINUTE * 2), []);
    net.revive(BEN);
    let stream = net.connect(ANN, BEN);
    collect(&mut net, MINUTE * 3);
    net.kill(BEN);
    let last = collect(&mut net, MINUTE * 4);
    assert!(matches!(last[..], [(_, Delivery::Closed { stream: s, at: ANN })] if s == stream));
    let refused = net.connect(ANN, BEN);
    let last = collect(&mut net, MINUTE * 5);
    assert!(matches!(last[..], [(_, Delivery::Closed { stream: s, at: ANN })] if s == refused));
}

#[test]
fn a_partition_drops_datagrams_and_stalls_streams_until_healed() {
    let mut net = Network::new(1, Link::default());
    let stream = net.connect(ANN, BEN);
    collect(&mut net, MINUTE);
    net.partition(&[&[ANN], &[BEN]]);
    net.send_datagram(ANN, BEN, b"gone");
    net.send(stream, ANN, b"kept");
    assert_eq!(collect(&mut net, MINUTE * 2), []);
    net.heal();
    let got: Vec<u8> = collect(&mut net, MINUTE * 3)
        .into_iter()
        .flat_map(|(_, delivery)| match delivery {
            Delivery::Bytes { bytes, .. } => bytes,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(got, b"kept");
}

#[test]
fn an_uplink_takes_its_time() {
    let mut net = Network::new(1, Link { segment: 1 << 20, ..Link::default() });
    net.set_uplink(ANN, 1000);
    for _ in 0..10 {
        net.send_datagram(ANN, BEN, &[0; 100]);
    }
    let last = collect(&mut net, MINUTE).last().map(|(at, _)| *at);
    assert_eq!(last, Some(Duration::from_millis(1020)));
}

#[test]
fn the_generator_is_the_published_one() {
    // splitmix64 with seed 1234567, as printed with the reference implementation's tests.
    let mut rng = Rng::new(1_234_567);
    assert_eq!(rng.next_u64(), 6_457_827_717_110_365_317);
    assert_eq!(rng.next_u64(), 3_203_168_211_198_807_973);
}
