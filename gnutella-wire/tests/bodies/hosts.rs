//! The cache of hosts under any calls.

use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;
use std::collections::BTreeMap;

use gnutella_wire::hosts::{Host, HostCache, HostSlot};
use sim::laws::Input;

/// A cache holds no host twice, never its own address, forgets none while it has room but for one that failed six times where
/// another did not fail, and never dials one that is being dialled.
pub fn hosts(bytes: &[u8]) {
    for capacity in [0, 1, 3, 8] {
        run(capacity, &mut Input::new(bytes));
    }
}

fn run(capacity: usize, input: &mut Input<'_>) {
    let address = |n: u8| SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, n % 8), u16::from(n % 4));
    let own = address(1);
    let mut cache = HostCache::new(own, vec![HostSlot::EMPTY; capacity]);
    let mut known = BTreeMap::new(); // how often each failed
    let mut now = Duration::ZERO;
    let mut dialled = Vec::new();
    let patience = Duration::from_secs(20);
    while !input.is_empty() {
        now += Duration::from_millis(u64::from(input.u16()));
        let host = address(input.byte());
        match input.below(8) {
            0..4 => {
                let hops = input.byte() % 3;
                let inserted = cache.insert(now, Host { hops, ..Host::from(host) });
                assert_eq!(
                    inserted,
                    host.port() != 0 && host != own && !host.ip().is_unspecified() && capacity > 0
                );
                if inserted {
                    known.entry(host).or_insert(0);
                }
            }
            4 => {
                if cache.request(now, host) {
                    known.entry(host).or_insert(0);
                    dialled.retain(|dialled| *dialled != host);
                    let next = cache.clone().dial(now, |_, requested| requested);
                    assert_eq!(next.is_some(), cache.iter().any(|kept| kept.address == host));
                }
            }
            5 => {
                cache.mark_failed(host);
                dialled.retain(|dialled| *dialled != host);
                let has_good = known.iter().any(|(other, failed)| *other != host && *failed == 0);
                if let Some(failures) = known.get_mut(&host) {
                    *failures += 1;
                    if *failures >= 6 && has_good {
                        known.remove(&host);
                    }
                }
            }
            6 => {
                cache.expire(now, patience);
                dialled.retain(|d| cache.clone().dial(now, |a, _| a == *d).is_none());
                assert!(cache.next_change(now, patience).is_none_or(|at| at > now));
                dialled.clear();
                known.clear(); // what failed is not followed here
                cache = HostCache::new(own, vec![HostSlot::EMPTY; capacity]);
            }
            _ => {
                if let Some(next) = cache.dial(now, |_, _| true) {
                    assert!(known.contains_key(&next) && !dialled.contains(&next), "{next} again");
                    dialled.push(next);
                }
            }
        }
        let kept: Vec<_> = cache.iter().map(|kept| kept.address).collect();
        assert!(kept.len() <= capacity && kept.len() == cache.len());
        assert!(kept.iter().all(|host| known.contains_key(host)), "never inserted");
        assert!((1..kept.len()).all(|at| !kept[..at].contains(&kept[at])), "kept twice");
        assert!(known.len() > capacity || known.len() == kept.len(), "lost though there is room");
        if known.len() > capacity {
            known.retain(|host, _| kept.contains(host));
            dialled.retain(|host| kept.contains(host));
        }
    }
}
