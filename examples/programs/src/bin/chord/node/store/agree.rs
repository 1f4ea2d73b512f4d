//! Stores that differ come to have the same entries, at a bounded cost.

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use chord_core::{Config, Id160, KeyRange, Peer, Wire as _};
use sim::Rng;

use super::codec::Letter;
use super::member::{Answer, Member, MemberEvent};
use super::table::Limits;
use super::transfer::{Change, Entry, LONGEST_DATAGRAM, Transfer};

const MILLI: Duration = Duration::from_millis(1);
/// All keys.
const ALL: KeyRange<Id160> = KeyRange { after: Id160::ZERO, through: Id160::ZERO };

/// A ring of three members that know each other from the start; each keeps all keys.
struct Ring {
    members: Vec<Member<u32>>,
    now: Duration,
    /// Those on their way: when they arrive, from where, where to.
    net: VecDeque<(Duration, u32, u32, Vec<u8>)>,
    delay: Duration,
    /// How many of 1000 datagrams get lost.
    loss: u16,
    rng: Rng,
    /// How many datagrams were sent.
    sent: usize,
    answers: Vec<Answer>,
}

impl Ring {
    /// `limits` are those of the three stores, in bytes.
    fn new(limits: [usize; 3]) -> Self {
        let peer = |n: u32| Peer { id: Id160::from([n as u8 * 80; 20]), address: n };
        let peers = [peer(1), peer(2), peer(3)];
        let member = |me: Peer<Id160, u32>| {
            let mut config = Config::default();
            config.seed = me.address.into();
            let total = limits[me.address as usize - 1];
            let mut member = Member::new(config, 2, me, Limits { total, per_origin: total });
            member.create_base(Duration::ZERO, &peers).unwrap();
            member
        };
        let members = peers.iter().copied().map(member).collect();
        let rng = Rng::new(9);
        let now = Duration::ZERO;
        let delay = Duration::ZERO;
        let net = VecDeque::new();
        Self { members, now, net, delay, loss: 0, rng, sent: 0, answers: vec![] }
    }

    fn run_for(&mut self, span: Duration) {
        let end = self.now + span;
        let mut buf = [0; LONGEST_DATAGRAM];
        while self.now < end {
            self.now += MILLI * 10;
            for member in &mut self.members {
                member.handle_timeout(self.now);
            }
            loop {
                for member in &mut self.members {
                    let from = member.node().me().address;
                    while let Some((to, len)) = member.poll_transmit(&mut buf).unwrap() {
                        self.sent += 1;
                        if !self.rng.chance(self.loss) {
                            let at = self.now + self.delay;
                            self.net.push_back((at, from, to, buf[..len].to_vec()));
                        }
                    }
                    while let Some(event) = member.poll_event() {
                        if let MemberEvent::Answered { answer, .. } = event {
                            self.answers.push(answer);
                        }
                    }
                }
                if self.net.front().is_none_or(|(at, ..)| *at > self.now) {
                    break;
                }
                let Some((_, from, to, bytes)) = self.net.pop_front() else { break };
                self.members[to as usize - 1].handle_datagram(self.now, from, &bytes).unwrap();
            }
        }
    }

    fn keep(&mut self, member: usize, key: Id160, entry: &Entry) {
        self.members[member].store.keep(key, entry.clone(), 0, 9, self.now).unwrap();
    }
}

fn entry(version: u64, text: &str) -> Entry {
    Entry { version, deleted: false, value: text.into() }
}

fn key(rng: &mut Rng) -> Id160 {
    let mut key = [0; 20];
    rng.fill(&mut key);
    Id160::from(key)
}

#[test]
fn values_that_diverged_merge_by_version_then_deletion_then_bytes() {
    let mut ring = Ring::new([1 << 20; 3]);
    let mut rng = Rng::new(1);
    let deletion = Entry { version: 2, deleted: true, value: vec![] };
    let cases = [
        ([entry(1, "z"), entry(2, "a"), entry(1, "y")], entry(2, "a")),
        ([entry(2, "a"), entry(2, "b"), entry(2, "ab")], entry(2, "b")),
        ([entry(2, "a"), deletion.clone(), entry(1, "b")], deletion.clone()),
        ([deletion, entry(3, "a"), entry(2, "b")], entry(3, "a")),
    ];
    let keys: Vec<Id160> = cases.iter().map(|_| key(&mut rng)).collect();
    for (key, (entries, _)) in keys.iter().zip(&cases) {
        for (member, entry) in entries.iter().enumerate() {
            ring.keep(member, *key, entry);
        }
    }
    ring.run_for(Duration::from_secs(3));
    for (key, (_, right)) in keys.iter().zip(&cases) {
        for member in &ring.members {
            assert_eq!(member.store.find(*key), Some(right));
        }
    }
}

/// Two stores have a thousand entries each, and the third one has none. Returns how many datagrams were sent until all
/// had all.
fn merge_thousands(loss: u16, delay: Duration, span: Duration) -> usize {
    const COUNT: usize = 1000;
    let mut ring = Ring::new([8 << 20; 3]);
    ring.loss = loss;
    ring.delay = delay;
    let mut rng = Rng::new(2);
    for n in 0..2 * COUNT {
        let key = key(&mut rng);
        ring.keep(n % 2, key, &entry(1, "value"));
    }
    ring.run_for(span);
    for member in &ring.members {
        assert_eq!(member.store.len(), 2 * COUNT, "{} datagrams", ring.sent);
    }
    let sent = ring.sent;
    ring.run_for(Duration::from_secs(10));
    let calm = ring.sent - sent;
    assert!(calm < 3 * 10 * 10 || loss > 0, "{calm} datagrams in ten calm seconds");
    sent
}

#[test]
fn thousands_of_entries_reach_an_empty_store_and_one_that_has_others() {
    let sent = merge_thousands(0, Duration::ZERO, Duration::from_secs(3));
    // Each entry has to travel to two stores, and most do so once or twice.
    assert!((4000..16_000).contains(&sent), "{sent} datagrams");
}

#[test]
fn thousands_of_entries_arrive_where_a_tenth_of_all_datagrams_gets_lost() {
    let sent = merge_thousands(100, Duration::ZERO, Duration::from_secs(5));
    assert!((4000..20_000).contains(&sent), "{sent} datagrams");
}

#[test]
fn thousands_of_entries_arrive_over_a_slow_network() {
    let sent = merge_thousands(0, MILLI * 60, Duration::from_secs(5));
    assert!((4000..20_000).contains(&sent), "{sent} datagrams");
    let sent = merge_thousands(0, MILLI * 200, Duration::from_secs(6));
    assert!((4000..25_000).contains(&sent), "{sent} datagrams");
}

/// Three of a thousand entries differ: only they travel, and the digests that lead to them.
#[test]
fn a_small_difference_costs_little() {
    let mut ring = Ring::new([8 << 20; 3]);
    let mut rng = Rng::new(3);
    for n in 0..1000 {
        let key = key(&mut rng);
        for member in 0..3 {
            if n % 333 != 7 || member == 0 {
                ring.keep(member, key, &entry(1, "value"));
            }
        }
    }
    ring.run_for(Duration::from_secs(3));
    let digest = ring.members[0].store.digest(ALL);
    assert!(ring.members.iter().all(|member| member.store.digest(ALL) == digest));
    assert!(ring.sent < 1000, "{} datagrams", ring.sent);
}

#[test]
fn a_store_without_room_takes_no_copies_and_is_not_asked_again_and_again() {
    let mut ring = Ring::new([1 << 20, 1 << 20, 2000]);
    let mut rng = Rng::new(4);
    for _ in 0..500 {
        let key = key(&mut rng);
        ring.keep(0, key, &entry(1, "value"));
    }
    ring.run_for(Duration::from_secs(10));
    // The full one cannot pass on what it owns, and the first one keeps it.
    assert_eq!(ring.members[0].store.len(), 500);
    let full = ring.members[2].node().keys();
    let others = KeyRange { after: full.through, through: full.after };
    let keys: Vec<Id160> = ring.members[0].store.keys(others).collect();
    assert!(keys.len() > 300, "{}", keys.len());
    assert!(keys.iter().all(|key| ring.members[1].store.find(*key).is_some()));
    assert!(ring.members[2].store.bytes() <= 2000);
    let before = ring.sent;
    ring.run_for(Duration::from_secs(10));
    let calm = ring.sent - before;
    println!("{before} datagrams in the first ten seconds, then {calm}");
    assert!(calm < 1500, "{calm} datagrams in ten seconds");
    let own = ring.members[0].node().me().id; // the first one owns its own identifier
    let change = Change { value: Some(b"new".to_vec()), lifetime: 0 };
    ring.members[1].put(ring.now, own, change);
    ring.run_for(Duration::from_secs(2));
    assert_eq!(ring.answers, [Answer::Stored { version: 1, copies: 1 }]);
}

/// A change that arrives twice, the second time after another one, is not made again.
#[test]
fn a_change_that_arrives_late_for_the_second_time_changes_nothing() {
    let mut ring = Ring::new([1 << 20; 3]);
    ring.run_for(Duration::from_secs(3));
    let key = ring.members[0].node().me().id;
    let mut buf = [0; LONGEST_DATAGRAM];
    let mut ask = |owner: &mut Member<u32>, now, letter: &Letter| {
        owner.handle_datagram(now, 7, &letter.encode()).unwrap();
        let mut answer = None;
        while let Some((to, len)) = owner.poll_transmit(&mut buf).unwrap() {
            if to == 7 {
                answer = Letter::decode(&buf[..len]);
            }
        }
        answer
    };
    let get = Letter { transfer: Transfer::Get { token: 1, key }, yours: 0, mine: 5 };
    let yours = ask(&mut ring.members[0], ring.now, &get).unwrap().mine;
    let put = |token, text: &str| {
        let change = Change { value: Some(text.into()), lifetime: 0 };
        Letter { transfer: Transfer::Put { token, key, change }, yours, mine: 5 }
    };
    for (token, text) in [(2, "one"), (2, "one"), (3, "two"), (2, "one")] {
        ask(&mut ring.members[0], ring.now, &put(token, text));
    }
    assert_eq!(ring.members[0].store.find(key), Some(&entry(2, "two")));
    // No copy was confirmed here. Five seconds later both are answered, and the change is still known.
    let later = ring.now + Duration::from_secs(6);
    ring.members[0].handle_timeout(later);
    let done = ask(&mut ring.members[0], later, &put(2, "one")).unwrap().transfer;
    assert_eq!(done, Transfer::Done { token: 2, version: 1, copies: 0 });
    assert_eq!(ring.members[0].store.find(key), Some(&entry(2, "two")));
}

/// The address shows that it receives, and asks for all entries.
fn ask_for_all(member: &mut Member<u32>, from: u32) {
    let mut buf = [0; LONGEST_DATAGRAM];
    let mut yours = 0;
    for _ in 0..2 {
        let letter = Letter { transfer: Transfer::Differs { range: ALL }, yours, mine: 5 };
        member.handle_datagram(Duration::ZERO, from, &letter.encode()).unwrap();
        while let Some((to, len)) = member.poll_transmit(&mut buf).unwrap() {
            let letter = Letter::decode(&buf[..len]).filter(|_| to == from);
            yours = letter.map_or(yours, |letter| letter.mine);
        }
    }
}

/// Runs a member for a time, in which peers with these addresses answer. Returns how many copies each address received.
fn copies_received(
    member: &mut Member<u32>,
    span: Duration,
    answering: &[u32],
) -> BTreeMap<u32, usize> {
    let mut buf = [0; LONGEST_DATAGRAM];
    let mut copies = BTreeMap::new();
    let mut now = Duration::ZERO;
    while now < span {
        now += MILLI * 10;
        member.handle_timeout(now);
        while let Some((to, len)) = member.poll_transmit(&mut buf).unwrap() {
            let Some(Letter { transfer: Transfer::Copy { token, .. }, mine: yours, .. }) =
                Letter::decode(&buf[..len])
            else {
                continue;
            };
            *copies.entry(to).or_default() += 1;
            if token != 0 && answering.contains(&to) {
                let kept = Letter { transfer: Transfer::Kept { token }, yours, mine: 5 };
                member.handle_datagram(now, to, &kept.encode()).unwrap();
            }
        }
    }
    copies
}

fn full_of_entries(count: usize) -> Member<u32> {
    let mut ring = Ring::new([8 << 20; 3]);
    let mut rng = Rng::new(5);
    for _ in 0..count {
        let key = key(&mut rng);
        ring.keep(0, key, &entry(1, "value"));
    }
    ring.members.swap_remove(0)
}

#[test]
fn a_peer_that_asks_for_all_and_goes_away_receives_a_bounded_part() {
    let mut member = full_of_entries(5000);
    ask_for_all(&mut member, 7);
    ask_for_all(&mut member, 8);
    let copies = copies_received(&mut member, Duration::from_secs(6), &[8]);
    assert!((16..=640).contains(&copies[&7]), "{}", copies[&7]);
    assert_eq!(copies[&8], 5000);
}

#[test]
fn many_who_ask_for_all_do_not_keep_a_neighbour_from_its_share() {
    let mut member = full_of_entries(5000);
    let strangers: Vec<u32> = (100..200).collect();
    for stranger in &strangers {
        ask_for_all(&mut member, *stranger);
    }
    ask_for_all(&mut member, 2);
    let mut answering = strangers.clone();
    answering.push(2);
    let copies = copies_received(&mut member, Duration::from_secs(5), &answering);
    let served = strangers.iter().filter(|stranger| copies.contains_key(stranger)).count();
    assert_eq!(served, 31);
    let most = copies.values().max().unwrap();
    assert!(copies[&2] + 32 >= *most && copies[&2] > 300, "{copies:?}");
}
