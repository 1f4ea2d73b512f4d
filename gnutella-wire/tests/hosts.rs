//! The host cache: which host is dialled next, when a host is left alone, and which gives way to a new one.

use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;

use gnutella_wire::hosts::{HostCache, HostSlot};

type Cache = HostCache<Vec<HostSlot>>;

const OWN: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 1), 6346);
const PATIENCE: Duration = Duration::from_secs(10);

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A host of the network 10.`network`.
fn host(network: u8, number: u8) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(10, network, 7, number), 6346)
}

fn cache(slots: usize, seed: u64) -> Cache {
    HostCache::new(OWN, vec![HostSlot::EMPTY; slots]).with_seed(seed)
}

fn addresses(cache: &Cache) -> Vec<SocketAddrV4> {
    cache.iter().map(|host| host.address).collect()
}

/// Dials hosts until none is ready.
fn dialled(cache: &mut Cache, now: Duration) -> Vec<SocketAddrV4> {
    core::iter::from_fn(|| cache.dial(now, |_, _| true)).collect()
}

#[test]
fn invalid_addresses_are_refused() {
    let mut cache = cache(8, 1);
    assert!(cache.is_empty());
    for (ip, port) in [
        ([10, 0, 0, 1], 6346), // its own
        ([10, 0, 0, 2], 0),
        ([0, 0, 0, 0], 6346),
        ([224, 0, 0, 1], 6346),
        ([255, 255, 255, 255], 6346),
    ] {
        let address = SocketAddrV4::new(ip.into(), port);
        assert!(!cache.insert(Duration::ZERO, address.into()), "{address}");
        assert!(!cache.request(Duration::ZERO, address), "{address}");
    }
    assert!(cache.is_empty());
    let neighbour = SocketAddrV4::new(*OWN.ip(), 6347); // another servent on this computer
    assert!(cache.insert(Duration::ZERO, neighbour.into()));
    assert_eq!((cache.len(), cache.is_empty(), cache.capacity()), (1, false, 8));
    let mut none = HostCache::new(OWN, [HostSlot::EMPTY; 0]);
    assert!(!none.insert(Duration::ZERO, neighbour.into()) && none.is_empty());
}

/// Requested hosts first, then those that failed least, of those the one announced last.
#[test]
fn hosts_are_dialled_in_order() {
    let mut cache = cache(8, 1);
    cache.insert(seconds(3), host(3, 3).into());
    cache.insert(seconds(5), host(5, 5).into());
    cache.insert(seconds(4), host(4, 4).into());
    assert_eq!(cache.dial(seconds(5), |_, _| true), Some(host(5, 5)));
    cache.mark_failed(host(5, 5));
    cache.insert(seconds(6), host(5, 5).into()); // announced last, but failed once
    assert!(cache.request(seconds(6), host(2, 2)));
    let later = seconds(5 + 120);
    let wanted = |address: SocketAddrV4, requested| {
        assert_eq!(requested, address == host(2, 2));
        true
    };
    let order: Vec<_> = core::iter::from_fn(|| cache.dial(later, wanted)).collect();
    assert_eq!(order, [host(2, 2), host(4, 4), host(3, 3), host(5, 5)]);
    cache.mark_connected(host(3, 3));
    assert_eq!(cache.dial(later, |_, _| true), None, "it was dialled in this second");
    assert_eq!(dialled(&mut cache, later + seconds(59)), []);
    assert_eq!(dialled(&mut cache, later + seconds(60)), [host(3, 3)]);
    assert!(cache.request(later, host(3, 3)));
    assert_eq!(cache.dial(later, |_, _| false), None, "none is wanted");
    assert_eq!(cache.dial(later, |_, _| true), Some(host(3, 3)), "at once, if the user asks");
}

/// A requested host comes first, even if it failed and was announced before the others.
#[test]
fn a_requested_host_is_dialled_first() {
    let mut cache = cache(8, 1);
    cache.insert(seconds(1), host(2, 2).into());
    assert_eq!(cache.dial(seconds(1), |_, _| true), Some(host(2, 2)));
    cache.mark_failed(host(2, 2));
    cache.request(seconds(1), host(2, 2));
    cache.insert(seconds(9), host(3, 3).into());
    assert_eq!(dialled(&mut cache, seconds(9)), [host(2, 2), host(3, 3)]);
}

/// A host that cannot be reached is left alone for one minute, then two, four .., and is removed with its sixth
/// failure.
#[test]
fn pauses_double_until_a_host_is_removed() {
    let mut cache = cache(4, 1);
    cache.insert(Duration::ZERO, host(2, 2).into());
    let mut now = seconds(100);
    for failures in 1..6_u32 {
        assert_eq!(cache.dial(now, |_, _| true), Some(host(2, 2)));
        assert_eq!(cache.next_change(now, PATIENCE), Some(now + PATIENCE));
        cache.expire(now + seconds(9), PATIENCE);
        assert_eq!(cache.dial(now + seconds(10_000), |_, _| true), None, "still dialling");
        cache.expire(now + PATIENCE, PATIENCE);
        let pause = seconds(60 << failures);
        let too_early = now + seconds((60 << failures) - 1);
        assert_eq!(cache.next_change(now, PATIENCE), Some(now + pause), "{failures}");
        assert_eq!(cache.dial(too_early, |_, _| true), None, "{failures}");
        now += pause;
    }
    // While no other host is known, it may be our own network that fails.
    assert_eq!(cache.dial(now, |_, _| true), Some(host(2, 2)));
    cache.mark_failed(host(2, 2));
    assert_eq!(cache.next_change(now, PATIENCE), Some(now + seconds(60 << 5)));
    now += seconds(60 << 5);
    assert_eq!(cache.dial(now, |_, _| true), Some(host(2, 2)));
    cache.insert(now, host(2, 3).into());
    cache.mark_failed(host(2, 2));
    assert_eq!(addresses(&cache), [host(2, 3)]);
}

/// The network fails for a day. Then all hosts are still known, and each is tried within 32 minutes.
#[test]
fn an_outage_does_not_empty_the_cache() {
    let mut cache = cache(64, 1);
    let all: Vec<_> = (2..42).map(|n| host(n, 1)).collect();
    for host in &all {
        cache.insert(Duration::ZERO, (*host).into());
    }
    let mut now = seconds(0);
    while now < seconds(24 * 3_600) {
        while cache.dial(now, |_, _| true).is_some() {}
        now += PATIENCE;
        cache.expire(now, PATIENCE);
    }
    assert_eq!(cache.len(), all.len());
    let mut tried = vec![];
    for _ in 0..32 {
        now += seconds(60);
        while let Some(host) = cache.dial(now, |_, _| true) {
            tried.push(host);
            cache.mark_connected(host);
        }
    }
    tried.sort_unstable();
    tried.dedup();
    assert_eq!(tried, all);
}

#[test]
fn a_success_forgets_failures() {
    let mut cache = cache(4, 1);
    cache.insert(Duration::ZERO, host(2, 2).into());
    let mut now = seconds(100);
    for _ in 0..20 {
        assert_eq!(cache.dial(now, |_, _| true), Some(host(2, 2)));
        cache.mark_failed(host(2, 2));
        now += seconds(120);
        assert_eq!(cache.dial(now, |_, _| true), Some(host(2, 2)));
        cache.mark_connected(host(2, 2));
        now += seconds(60);
    }
    assert_eq!(addresses(&cache), [host(2, 2)]);
    cache.remove(host(2, 3));
    assert_eq!(cache.len(), 1);
    cache.remove(host(2, 2));
    assert!(cache.is_empty());
}

/// A full cache replaces the host that failed most.
#[test]
fn the_host_that_failed_most_gives_way() {
    for seed in 0..8 {
        let mut cache = cache(16, seed);
        for network in 0..16 {
            cache.insert(seconds(1), host(network, 9).into());
        }
        let mut now = seconds(10);
        for failing in [&[3, 8, 12][..], &[8]] {
            let pass = |address: SocketAddrV4, _| failing.contains(&address.ip().octets()[1]);
            while let Some(address) = cache.dial(now, pass) {
                cache.mark_failed(address);
            }
            now += seconds(1_000);
        }
        for (new, gone) in [(20, &[8][..]), (21, &[3, 12]), (22, &[3, 12])] {
            let before = addresses(&cache);
            assert!(cache.insert(now, host(new, 9).into()));
            let after = addresses(&cache);
            let lost: Vec<_> = before.iter().filter(|address| !after.contains(address)).collect();
            assert_eq!((lost.len(), after.len()), (1, 16));
            assert!(gone.contains(&lost[0].ip().octets()[1]), "{lost:?} for {new}");
        }
    }
}

/// Hosts that are being dialled, or that the user requested, stay while others can give way.
#[test]
fn hosts_in_use_stay() {
    for seed in 0..32 {
        let mut cache = cache(16, seed);
        for network in 0..16 {
            cache.insert(seconds(1), host(network, 9).into());
        }
        let first = |address: SocketAddrV4, _| address.ip().octets()[1] < 7;
        assert_eq!(core::iter::from_fn(|| cache.dial(seconds(2), first)).count(), 7);
        for network in 7..15 {
            cache.request(seconds(2), host(network, 9));
        }
        cache.insert(seconds(3), host(40, 9).into());
        let left = addresses(&cache);
        assert!(!left.contains(&host(15, 9)) && left.contains(&host(40, 9)), "seed {seed}");
    }
}

/// Which of equal hosts gives way depends on the seed, so that nobody can foresee it, and on nothing else.
#[test]
fn the_choice_among_equal_hosts_follows_the_seed() {
    let lost = |seed, new: SocketAddrV4, now| {
        let mut cache = cache(16, seed);
        for network in 0..16 {
            cache.insert(seconds(1), host(network, 9).into());
        }
        cache.insert(seconds(now), new.into());
        let left = addresses(&cache);
        (0..16).find(|network| !left.contains(&host(*network, 9))).unwrap()
    };
    let count = |choices: &mut dyn Iterator<Item = u8>| {
        let mut seen: Vec<u8> = choices.collect();
        seen.sort_unstable();
        seen.dedup();
        seen.len()
    };
    assert_eq!(lost(5, host(99, 1), 2), lost(5, host(99, 1), 2));
    assert!(count(&mut (0..100).map(|seed| lost(seed, host(99, 1), 2))) > 14, "by seed");
    assert!(count(&mut (0..100).map(|number| lost(5, host(99, number), 2))) > 14, "by address");
    let port = |port| SocketAddrV4::new(*host(99, 1).ip(), port);
    assert!(count(&mut (1..100).map(|number| lost(5, port(number), 2))) > 14, "by port");
    assert!(count(&mut (2..100).map(|now| lost(5, host(99, 1), now))) > 14, "by time");
}

/// Hosts of one network (/16) that have an eighth of the slots replace each other only, and before that any host.
#[test]
fn one_network_does_not_drive_out_the_others() {
    for (slots, share) in [(8_u8, 2_usize), (16, 2), (32, 4), (64, 8)] {
        let mut cache = cache(slots.into(), 3);
        for network in 0..slots {
            cache.insert(seconds(1), host(network, 9).into());
        }
        let of_it = |cache: &Cache| {
            addresses(cache).iter().filter(|address| address.ip().octets()[1] == 200).count()
        };
        let mut before = 0;
        for number in 0..200 {
            assert!(cache.insert(seconds(2), host(200, number).into()));
            let after = of_it(&cache);
            assert!((before..=share).contains(&after), "{after} of {slots}");
            before = after;
        }
        assert_eq!(before, share, "of {slots}");
        assert_eq!(cache.len(), slots.into());
        assert!(addresses(&cache).contains(&host(200, 199)), "the newest is kept");
    }
}

/// What is known of a host changes with its pong; an address alone changes nothing.
#[test]
fn a_later_pong_is_remembered() {
    let mut cache = cache(4, 1);
    let mut pong = gnutella_wire::hosts::Host::from(host(2, 2));
    assert_eq!((pong.files, pong.kilobytes, pong.hops), (0, 0, 0));
    pong.files = 7;
    pong.hops = 1;
    cache.insert(seconds(1), pong);
    cache.insert(seconds(2), host(2, 2).into());
    assert_eq!(cache.iter().collect::<Vec<_>>(), [pong]);
    pong.files = 8;
    cache.insert(seconds(3), pong);
    assert_eq!(cache.iter().collect::<Vec<_>>(), [pong]);
}
