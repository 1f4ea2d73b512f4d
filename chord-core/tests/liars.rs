//! Members that lie about others for a minute and vanish: the honest ones form an ideal ring again.

mod network;

use core::time::Duration;

use chord_core::{Event, Identifier, Peer};
use network::{Id, Liar, Net, SECOND, Text};

const MINUTE: Duration = Duration::from_secs(60);

/// How many seeds each situation is tried with, from 0 on.
const SEEDS: u64 = if cfg!(debug_assertions) { 20 } else { 1000 };

/// Liars have an identifier that follows from their address, so that they can name themselves.
fn liar_id(address: u32) -> Id {
    Id::new(u64::from(address) * 0x0809_0705)
}

/// Made-up entries, or the liar and the asker in turn.
fn bogus(me: u32, asker: u32, message: &Text) -> Vec<Text> {
    let Text::Query { token, .. } = message else { return vec![] };
    let id = liar_id(me);
    let entry = |n: u64| match me % 2 {
        0 => Peer { id: id.plus(Id::new(n * 7 + 1)), address: 9000 + n as u32 },
        _ if n.is_multiple_of(2) => Peer { id, address: me },
        _ => Peer { id: id.plus(Id::new(n)), address: asker },
    };
    let successors = (0..20).map(entry).collect();
    vec![Text::State { token: *token, id, predecessor: entry(1), successors }]
}

/// The asker's own address under other identifiers.
fn own_address(me: u32, asker: u32, message: &Text) -> Vec<Text> {
    let Text::Query { token, .. } = message else { return vec![] };
    let id = liar_id(me);
    let entry = |n: u64| Peer { id: id.plus(Id::new(n * 1_000_003 + 1)), address: asker };
    let successors = (0..20).map(entry).collect();
    vec![Text::State { token: *token, id, predecessor: entry(19), successors }]
}

/// Lets the last `liars` of `count` nodes lie for a minute; then they vanish. Returns what is wrong two minutes later.
fn forget_liars(seed: u64, count: u32, liars: u32, liar: Liar) -> Option<String> {
    let mut net = Net::new(seed, 4);
    let first = count - liars + 1;
    let all: Vec<_> = (1..=count)
        .map(|address| {
            let id = if address >= first { liar_id(address) } else { net.id() };
            Peer { id, address }
        })
        .collect();
    for me in &all {
        net.add(*me).create_base(Duration::ZERO, &all).unwrap();
        net.look_at(me.address);
    }
    net.liars = (first..=count).collect();
    net.liar = Some(liar);
    net.run_for(MINUTE);
    net.members.retain(|address, _| *address < first);
    net.liars.clear();
    let flaw = net.flaw_after(MINUTE * 2);
    let wrong = || Some("a lookup names a wrong node".to_owned()).filter(|_| net.lookups(3) < 3);
    flaw.or_else(wrong).map(|flaw| format!("seed {seed}: {flaw}"))
}

/// Tries all seeds; panics with what is wrong in each ring that does not heal.
fn try_all(run: impl Fn(u64) -> Option<String>) {
    let flaws: Vec<_> = (0..SEEDS).filter_map(run).collect();
    assert!(flaws.is_empty(), "{} of {SEEDS} rings: {flaws:#?}", flaws.len());
}

#[test]
fn rings_forget_made_up_lists() {
    try_all(|seed| forget_liars(seed, 20, 3, bogus));
}

#[test]
fn rings_forget_lists_with_the_address_of_their_reader() {
    try_all(|seed| forget_liars(seed, 27, 3, own_address));
}

#[test]
fn a_successor_that_is_always_busy_is_gone_around() {
    let mut net = Net::ring(5, 4, 8);
    net.run_for(SECOND * 20);
    let ring = net.ideal();
    let liar = ring[4];
    net.liars = vec![liar.address];
    net.liar = Some(|_, _, message| match message {
        Text::Query { token, .. } => vec![Text::Busy { token: *token }],
        _ => vec![],
    });
    net.run_for(MINUTE * 4);
    let before = &net.members[&ring[3].address].node;
    assert_eq!(before.successors().first(), Some(&ring[5]));
    let says = |(_, at, event): &(Duration, u32, Event<Id, u32>)| {
        *at == ring[3].address && *event == Event::PeerFailed(liar)
    };
    assert!(net.events.iter().any(says), "and says so");
}
