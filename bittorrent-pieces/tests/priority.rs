//! Peer priority against the vectors of BEP 40.

use core::net::SocketAddr;

use bittorrent_pieces::priority::{crc32c, peer_priority};

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn hashed(bytes: &[&[u8]]) -> u32 {
    crc32c(&bytes.concat())
}

/// The check value of Castagnoli's polynomial, and the pair of BEP 40 in both orders.
#[test]
fn crc32c_and_peer_priority_have_their_published_values() {
    assert_eq!(crc32c(b"123456789"), 0xE306_9283);
    let a = addr("123.213.32.10:1");
    let b = addr("98.76.54.32:2");
    assert_eq!(peer_priority(a, b), 0xEC2D_7224);
    assert_eq!(peer_priority(b, a), 0xEC2D_7224);
    assert_eq!(peer_priority(a, b), hashed(&[&[0x62, 0x4C, 0x14, 0, 0x7B, 0xD5, 0, 0]]));
}

#[test]
fn masks_change_with_the_distance() {
    for (a, b, bytes) in [
        ("1.2.255.255:1", "1.3.255.255:1", &[&[1, 2, 0x55, 0x55][..], &[1, 3, 0x55, 0x55]]),
        ("1.2.4.255:1", "1.2.3.255:1", &[&[1, 2, 3, 0x55], &[1, 2, 4, 0x55]]),
        ("1.2.3.9:1", "1.2.3.255:1", &[&[1, 2, 3, 9], &[1, 2, 3, 255]]),
        ("1.2.3.4:258", "1.2.3.4:3", &[&[0, 3], &[1, 2]]),
        ("[2001::1]:258", "[2001::1]:3", &[&[0, 3], &[1, 2]]),
    ] {
        assert_eq!(peer_priority(addr(a), addr(b)), hashed(bytes), "{a} {b}");
        assert_eq!(peer_priority(addr(b), addr(a)), hashed(bytes), "{b} {a}");
    }
    let ones = |prefix: &[u8], whole: usize| {
        let mut ip = [0x55; 16];
        ip[..whole].fill(0xFF);
        ip[..prefix.len()].copy_from_slice(prefix);
        ip
    };
    let f = "ffff:ffff:ffff:ffff:ffff";
    for (a, b, prefix, whole) in [
        (format!("[2001:1:1:{f}]:1"), format!("[2001:1:2:{f}]:1"), 6, 6),
        (format!("[2001:1:1:1ff:{}]:1", &f[5..]), format!("[2001:1:1:2ff:{}]:1", &f[5..]), 7, 7),
        (format!("[2001:1:1:1:{}]:1", &f[5..]), format!("[2001:1:1:2:{}]:1", &f[5..]), 8, 8),
    ] {
        let [x, y] = [&a, &b].map(|text| match addr(text) {
            SocketAddr::V6(addr) => ones(&addr.ip().octets()[..prefix], whole),
            SocketAddr::V4(_) => panic!("IPv6"),
        });
        assert_eq!(peer_priority(addr(&a), addr(&b)), hashed(&[&x, &y]), "{a} {b}");
    }
    assert_eq!(peer_priority(addr("1.2.3.4:1"), addr("[2001::1]:1")), 0);
}
