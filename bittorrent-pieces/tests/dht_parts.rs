//! Parts of the DHT that can be used alone: ids, tokens, filters, the routing table.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use bittorrent_pieces::InfoHash;
use bittorrent_pieces::dht::*;

const ZERO: Duration = Duration::ZERO;
const OWN: NodeId = NodeId([0; 20]);

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// Returns an id of zeros with some first bytes.
fn id(first: &[u8]) -> NodeId {
    let mut id = [0; 20];
    id[..first.len()].copy_from_slice(first);
    NodeId(id)
}

/// A node of a network of its own.
fn contact(first: &[u8], n: u8) -> Contact {
    Contact { id: id(first), addr: ([45, 0, n, 1], 6_881).into() }
}

#[test]
fn the_distance_is_xor_and_common_bits_are_counted_from_the_front() {
    let one = id(&[0b1010_0000, 0xFF]);
    assert_eq!(one.distance(&id(&[0b1000_0000, 0x0F])), id(&[0b0010_0000, 0xF0]).0);
    for (other, bits) in [
        (id(&[0b1010_0000, 0xFF]), 160),
        (id(&[0b0010_0000, 0xFF]), 0),
        (id(&[0b1000_0000, 0xFF]), 2),
        (id(&[0b1010_0001, 0xFF]), 7),
        (id(&[0b1010_0000, 0x7F]), 8),
        (id(&[0b1010_0000, 0xFE, 0xFF]), 15),
        (id(&[0b1010_0000, 0xFF, 0x01]), 23),
    ] {
        assert_eq!(one.common_bits(&other), bits, "{other}");
    }
    let mut last = one;
    last.0[19] = 1;
    assert_eq!(one.common_bits(&last), 159);
}

/// BEP 42, for IPv6: CRC-32C of the first 64 bits, masked with 0x0103070f1f3f7fff, and the low bits of the last byte of the id in
/// front. The checksums are computed by a bitwise program.
#[test]
fn ids_are_bound_to_ipv6_addresses() {
    for (ip, last, checksum) in [
        ("2001:db8::1", 3, [0x6B, 0x89, 0x67]),
        ("2001:db8:85a3:8d3:1319:8a2e:370:7348", 1, [0x81, 0x13, 0xDD]),
        ("2a02:ffff:ffff:ffff::9", 86, [0xB7, 0x4D, 0x74]),
        ("ffff:ffff:ffff:ffff::1", 7, [0x9B, 0x72, 0x40]),
    ] {
        let ip: IpAddr = ip.parse().unwrap();
        let mut random = [0xAA; 20];
        random[2] = 0b1111_1101;
        random[19] = last;
        let made = NodeId::for_address(ip, random);
        let [first, second, third] = checksum;
        assert_eq!(made.0[..3], [first, second, third & 0xF8 | 0b101], "{ip}");
        assert_eq!(made.0[3..], random[3..]);
        assert!(made.fits(ip));
        for bit in 0..24 {
            let mut other = made;
            other.0[bit / 8] ^= 0x80 >> (bit % 8);
            assert_eq!(other.fits(ip), bit >= 21, "bit {bit} of {ip}");
        }
    }
}

/// BEP 5: valid for five to ten minutes, for one address whatever its port, and one torrent.
#[test]
fn a_token_is_valid_for_this_period_and_the_next() {
    let tokens = Tokens::new([7; 16]);
    let torrent = InfoHash([1; 20]);
    let ips: [IpAddr; 3] = ["192.0.2.1", "192.0.2.2", "2001:db8::1"].map(|ip| ip.parse().unwrap());
    for ip in ips {
        let token = tokens.give(secs(300), ip, torrent);
        for (now, valid) in
            [(0, false), (299, false), (300, true), (599, true), (899, true), (900, false)]
        {
            assert_eq!(tokens.accepts(secs(now), ip, torrent, &token), valid, "{now}");
        }
        for other in ips.into_iter().filter(|other| *other != ip) {
            assert!(!tokens.accepts(secs(300), other, torrent, &token));
        }
        assert!(!tokens.accepts(secs(300), ip, InfoHash([2; 20]), &token));
        assert!(!tokens.accepts(secs(300), ip, torrent, &token[..7]));
        assert!(!Tokens::new([8; 16]).accepts(secs(300), ip, torrent, &token));
    }
    assert_eq!(format!("{tokens:?}"), "Tokens(..)", "the key is not printed");
}

/// BEP 33: two bits for each address, and a union for several nodes.
#[test]
fn filters_are_joined_bit_by_bit() {
    let filter = |hosts: &[u8]| {
        let mut filter = BloomFilter::EMPTY;
        for host in hosts {
            filter.insert([192, 0, 2, *host].into());
        }
        filter
    };
    assert_eq!(BloomFilter::EMPTY.zero_bits(), 2_048);
    assert_eq!(BloomFilter([0xFF; 256]).zero_bits(), 0);
    let mut joined = filter(&[1, 2]);
    joined.join(&filter(&[2, 3]));
    assert_eq!(joined, filter(&[1, 2, 3]));
    assert_eq!(joined.zero_bits(), 2_048 - 6);
    assert_eq!(format!("{joined:?}"), "BloomFilter(2042 zero bits)");
}

/// BEP 5: a bucket without a message for 15 minutes is refreshed by an id within it.
#[test]
fn an_id_of_a_stale_bucket_is_in_that_bucket() {
    let own = id(&[0b1010_1010, 0b1100_1100, 0x55]);
    // Nodes that share 0 to 11 bits with our own id, nine of each: all buckets are split off.
    let mut table = RoutingTable::new(own, vec![RouteSlot::EMPTY; 200]);
    for bits in 0..12_u8 {
        for n in 0..9 {
            let mut name = own;
            name.0[usize::from(bits / 8)] ^= 0x80 >> (bits % 8);
            name.0[18] = n + 1;
            let addr = ([45, bits, n, 1], 6_881).into();
            // The bucket of a number of bits is heard of in that minute.
            table.responded(secs(60 * u64::from(bits)), Contact { id: name, addr });
        }
    }
    let last = table.buckets() - 1;
    assert_eq!((table.len(), last), (12 * 8, 12));
    for random in [[0x00; 20], [0xFF; 20], [0xA5; 20]] {
        let stale = |minute: u64| table.stale(secs(60 * minute), random);
        let first = stale(15).unwrap();
        assert_eq!(first.common_bits(&own), 0, "nothing for 15 minutes");
        assert_eq!(first.0[1..], random[1..], "the rest is random");
        // A minute before, only the last bucket: it is that of our own id, and empty.
        let id = stale(14).unwrap();
        let mut kept = own;
        kept.0[1] = own.0[1] & 0xF0 | random[1] & 0x0F;
        kept.0[2..].copy_from_slice(&random[2..]);
        assert_eq!(id, kept, "12 bits are ours, the others are random");
    }
    // Each bucket in turn, when those before it are heard of.
    for bits in 0..12_u8 {
        let mut name = own;
        name.0[usize::from(bits / 8)] ^= 0x80 >> (bits % 8);
        name.0[18] = 1;
        for random in [[0x00; 20], [0xFF; 20]] {
            let stale = table.stale(secs(60 * 30), random).unwrap();
            assert_eq!(stale.common_bits(&own), bits);
        }
        let addr = ([45, bits, 0, 1], 6_881).into();
        table.responded(secs(60 * 30), Contact { id: name, addr });
    }
}

/// The one bucket of a small table holds all ids: any id refreshes it.
#[test]
fn a_table_of_one_bucket_is_refreshed_by_any_id() {
    let mut table = RoutingTable::new(OWN, [RouteSlot::EMPTY; 8]);
    assert_eq!(table.stale(ZERO, [0x99; 20]), Some(NodeId([0x99; 20])), "it is empty");
    table.responded(ZERO, contact(&[1], 1));
    assert_eq!(table.stale(secs(899), [0x99; 20]), None);
    assert_eq!(table.stale(secs(900), [0x99; 20]), Some(NodeId([0x99; 20])));
    assert_eq!((table.len(), table.is_empty(), table.buckets()), (1, false, 1));
}

/// BEP 5: the node of a full bucket that was silent for longest is pinged; if it fails three times, it is replaced.
#[test]
fn the_longest_silent_node_gives_way() {
    let mut table = RoutingTable::new(OWN, [RouteSlot::EMPTY; 20]);
    for n in 1..=8 {
        assert!(table.responded(secs(u64::from(n)), contact(&[0x80, n], n)));
    }
    table.queried(secs(500), contact(&[0x80, 1], 1));
    assert!(!table.responded(secs(1_000), contact(&[0x80, 9], 9)));
    assert_eq!(table.next_ping(), Some(contact(&[0x80, 2], 2)), "1 was heard of since");
    let second = id(&[0x80, 2]);
    table.pinged(second);
    assert_eq!(table.next_ping(), None);
    for failures in 1..=3 {
        assert_eq!(table.health(secs(1_000), second), Some(Health::Questionable));
        table.failed(second);
        let replaced = table.responded(secs(1_000), contact(&[0x80, 9], 9));
        assert_eq!(replaced, failures == 3);
    }
    assert_eq!((table.health(secs(1_000), second), table.len()), (None, 8));
    // Failures must be in a row.
    let third = contact(&[0x80, 3], 3);
    for _ in 0..5 {
        table.failed(third.id);
        table.failed(third.id);
        table.responded(secs(1_000), third);
    }
    assert_eq!(table.health(secs(1_000), third.id), Some(Health::Good));
}

/// A query is worth a ping if there is room for its sender, or a node that may give way.
#[test]
fn a_query_of_an_unknown_node_is_worth_a_ping_if_there_is_room() {
    let mut table = RoutingTable::new(OWN, [RouteSlot::EMPTY; 20]);
    for n in 1..=8 {
        assert!(table.queried(ZERO, contact(&[0x80, n], n)));
        table.responded(ZERO, contact(&[0x80, n], n));
    }
    // The own bucket can be split for a ninth node; afterwards the far one is full of good nodes.
    assert!(table.queried(ZERO, contact(&[0x40], 9)));
    assert!(table.responded(ZERO, contact(&[0x40], 9)));
    assert!(!table.queried(secs(899), contact(&[0x80, 10], 10)));
    assert!(table.queried(secs(900), contact(&[0x80, 10], 10)), "they are questionable");
    assert!(!table.queried(ZERO, contact(&[], 11)), "our own id");
    assert!(!table.responded(ZERO, contact(&[], 11)));
    assert!(!table.queried(secs(900), Contact { id: id(&[0x80, 10]), addr: contact(&[], 1).addr }));
    assert_eq!(table.len(), 9);
}

/// One node of a network in each bucket, four of a local address; one that fails gives way to another of its network.
#[test]
fn a_network_has_one_place_in_a_bucket() {
    let mut table = RoutingTable::new(OWN, [RouteSlot::EMPTY; 20]);
    let at = |n: u8, ip: [u8; 4]| Contact {
        id: id(&[0x80, n]),
        addr: (ip, 1_000 + u16::from(n)).into(),
    };
    assert!(table.responded(ZERO, at(1, [45, 1, 1, 1])));
    assert!(!table.responded(ZERO, at(2, [45, 1, 1, 2])));
    assert!(table.responded(ZERO, at(3, [45, 1, 2, 1])));
    for n in 4..=7 {
        assert!(table.responded(ZERO, at(n, [10, 0, 0, 1])));
    }
    assert!(!table.responded(ZERO, at(8, [10, 0, 0, 1])));
    assert!(table.responded(ZERO, at(9, [10, 0, 0, 2])), "another local address");
    for _ in 0..3 {
        table.failed(id(&[0x80, 1]));
    }
    assert!(table.responded(ZERO, at(2, [45, 1, 1, 2])));
    assert_eq!((table.health(ZERO, id(&[0x80, 1])), table.len()), (None, 7));
}

/// Where no slot is free, a bad node of any bucket makes room, and a good one does not.
#[test]
fn a_bad_node_of_another_bucket_makes_room() {
    let mut table = RoutingTable::new(OWN, [RouteSlot::EMPTY; 2]);
    assert!(
        table.responded(ZERO, contact(&[0x80], 1)) && table.responded(ZERO, contact(&[0x40], 2))
    );
    assert!(!table.responded(ZERO, contact(&[0x20], 3)));
    for _ in 0..3 {
        table.failed(id(&[0x40]));
    }
    assert!(table.nearest(id(&[0x40])).eq([contact(&[0x80], 1)]), "a bad node is not named");
    assert!(table.responded(ZERO, contact(&[0x20], 3)));
    assert!(table.contacts().eq([contact(&[0x80], 1), contact(&[0x20], 3)]));
}

/// A node that restarts answers under its id from another address: it is taken once the old address is bad.
#[test]
fn a_node_that_moved_is_taken_when_its_old_address_fails() {
    let mut table = RoutingTable::new(OWN, [RouteSlot::EMPTY; 8]);
    let moved = Contact { addr: SocketAddr::from(([45, 9, 9, 9], 1)), ..contact(&[0x80], 1) };
    assert!(table.responded(ZERO, contact(&[0x80], 1)));
    assert!(!table.responded(secs(901), moved), "questionable is not bad");
    for _ in 0..3 {
        table.failed(moved.id);
    }
    assert!(table.responded(secs(901), moved));
    assert_eq!(table.health(secs(901), moved.id), Some(Health::Good));
    assert!(table.contacts().eq([moved]));
}

/// The distance is that of all 160 bits, also where only the last ones differ.
#[test]
fn the_nearest_nodes_may_differ_in_their_last_bits() {
    let mut table = RoutingTable::new(OWN, [RouteSlot::EMPTY; 20]);
    let name = |last: u8| {
        let mut id = id(&[0x80]);
        id.0[19] = last;
        id
    };
    for n in 1..=8 {
        let addr = ([45, 0, n, 1], 1).into();
        assert!(table.responded(ZERO, Contact { id: name(n), addr }));
    }
    let nearest: Vec<u8> = table.nearest(name(0b0101)).map(|node| node.id.0[19]).collect();
    assert_eq!(nearest, [0b0101, 0b0100, 0b0111, 0b0110, 0b0001, 0b0011, 0b0010, 0b1000]);
}
