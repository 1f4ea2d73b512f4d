use chord_core::Config;
use sim::Rng;

use super::*;
use crate::node::parts::place;
use crate::node::store::{Limits, Member};

const MILLI: Duration = Duration::from_millis(1);

fn address(n: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, n as u8], 4000))
}

/// Runs a client beside members for a while, all datagrams at once; those to other addresses are lost.
fn run(
    client: &mut Client,
    members: &mut [Member<SocketAddr>],
    from: Duration,
    span: Duration,
) -> Vec<ClientEvent> {
    let me = address(99);
    let mut events = vec![];
    let mut buf = [0; 4096];
    let mut now = from;
    while now < from + span {
        now += MILLI * 10;
        client.handle_timeout(now);
        for member in members.iter_mut() {
            member.handle_timeout(now);
        }
        let mut sent = vec![];
        loop {
            while let Some((to, len)) = client.poll_transmit(&mut buf).unwrap() {
                sent.push((me, to, buf[..len].to_vec()));
            }
            for member in members.iter_mut() {
                while let Some((to, len)) = member.poll_transmit(&mut buf).unwrap() {
                    sent.push((member.node().me().address, to, buf[..len].to_vec()));
                }
            }
            if sent.is_empty() {
                break;
            }
            for (by, to, bytes) in sent.drain(..) {
                if to == me {
                    let _ = client.handle_datagram(now, by, &bytes);
                } else if let Some(member) =
                    members.iter_mut().find(|member| member.node().me().address == to)
                {
                    let _ = member.handle_datagram(now, by, &bytes);
                }
            }
        }
        for member in members.iter_mut() {
            while member.poll_event().is_some() {}
        }
        events.extend(core::iter::from_fn(|| client.poll_event()));
    }
    events
}

fn ring(nodes: u16) -> Vec<Member<SocketAddr>> {
    let peers: Vec<_> = (1..=nodes)
        .map(|n| Peer { id: place(&address(n).to_string()), address: address(n) })
        .collect();
    let new = |me: &Peer<Id160, SocketAddr>| {
        let mut config = Config::default();
        config.stabilize = MILLI * 200;
        config.patience = MILLI * 100;
        let mut member = Member::new(config, 2, *me, Limits::of(1 << 20));
        member.create_base(Duration::ZERO, &peers).unwrap();
        member
    };
    peers.iter().map(new).collect()
}

fn change(value: &[u8]) -> Change {
    Change { value: Some(value.to_vec()), lifetime: 0 }
}

#[test]
fn a_client_stores_and_finds_through_any_node_also_when_the_first_is_silent() {
    let mut members = ring(5);
    let mut client = Client::new(vec![address(77), address(3)], 1);
    run(&mut client, &mut members, Duration::ZERO, MILLI * 2_000);
    let keys: Vec<Id160> = (0..10).map(|n| place(&n.to_string())).collect();
    for key in &keys {
        client.request(MILLI * 2_000, *key, Some(change(b"value")));
    }
    let stored = run(&mut client, &mut members, MILLI * 2_000, MILLI * 5_000);
    let whole = |event: &ClientEvent| {
        matches!(
            event,
            ClientEvent::Answered { answer: Answer::Stored { copies: 2, version: 1 }, .. }
        )
    };
    assert_eq!(stored.len(), 10);
    assert!(stored.iter().all(whole), "{stored:?}");
    let mut other = Client::new(vec![address(1)], 2);
    other.request(MILLI * 7_000, keys[3], None);
    let found = run(&mut other, &mut members, MILLI * 7_000, MILLI * 1_000);
    assert!(
        matches!(&found[..], [ClientEvent::Answered { answer: Answer::Found { entry, .. }, .. }] if entry.value == b"value"),
        "{found:?}"
    );
}

#[test]
fn the_owner_dies_and_the_next_node_answers() {
    let mut members = ring(6);
    let key = place("a name");
    let mut client = Client::new(vec![address(1), address(2), address(3)], 1);
    run(&mut client, &mut members, Duration::ZERO, MILLI * 2_000);
    client.request(MILLI * 2_000, key, Some(change(b"value")));
    assert_eq!(run(&mut client, &mut members, MILLI * 2_000, MILLI * 2_000).len(), 1);
    let owner = members.iter().position(|member| member.node().keys().contains(key)).unwrap();
    members.remove(owner);
    client.request(MILLI * 4_000, key, None); // it remembers the dead owner
    let found = run(&mut client, &mut members, MILLI * 4_000, MILLI * 20_000);
    assert!(
        matches!(&found[..], [ClientEvent::Answered { answer: Answer::Found { .. }, .. }]),
        "{found:?}"
    );
}

#[test]
fn a_node_that_leads_in_circles_costs_a_bounded_number_of_datagrams() {
    let mut client = Client::new(vec![address(1)], 1);
    client.request(Duration::ZERO, place("a"), None);
    let mut buf = [0; 4096];
    let mut sent = 0;
    let mut now = Duration::ZERO;
    while now < MILLI * 10_000 {
        while let Some((to, len)) = client.poll_transmit(&mut buf).unwrap() {
            sent += 1;
            let (message, _) = Message::<Id160, SocketAddr>::decode(&buf[..len]).unwrap();
            let Message::Find { token, .. } = message else { panic!("{message}") };
            let next = Peer { id: place("b"), address: address(1) };
            let len =
                Message::Closer { token, id: place("c"), peer: next }.encode(&mut buf).unwrap();
            client.handle_datagram(now, to, &buf[..len]).unwrap();
        }
        now += MILLI * 50;
        client.handle_timeout(now);
    }
    // 64 hops, then a rest of 250 ms.
    assert!((64..=64 * 41).contains(&sent), "{sent}");
    assert_eq!(client.operations.len(), 1);
}

#[test]
fn any_bytes_from_anybody_change_little_and_panic_never() {
    for seed in 0..300 {
        let mut rng = Rng::new(seed);
        let mut client = Client::new(vec![address(1), address(2)], seed);
        let mut now = Duration::ZERO;
        let mut buf = [0; 4096];
        for _ in 0..100 {
            now += MILLI * (rng.below(400) as u32);
            match rng.below(4) {
                0 if client.operations.len() < 20 => {
                    let change = Some(change(b"x")).filter(|_| rng.chance(500));
                    client.request(now, place(&rng.below(4).to_string()), change);
                }
                1 => client.ask_status(now),
                2 => client.handle_timeout(now),
                _ => {
                    let from = address(rng.below(3) as u16);
                    let mut bytes = vec![0; rng.below(60) as usize];
                    rng.fill(&mut bytes);
                    let answer = answer(&client, &mut rng, from).unwrap_or(bytes);
                    let _ = client.handle_datagram(now, from, &answer);
                }
            }
            while client.poll_transmit(&mut buf).unwrap().is_some() {}
            while client.poll_event().is_some() {}
        }
        assert!(client.owners.len() <= MOST_OWNERS);
    }
}

/// An answer to one of the questions of the client, with its cookie.
fn answer(client: &Client, rng: &mut Rng, from: SocketAddr) -> Option<Vec<u8>> {
    let at = rng.below(client.operations.len().max(1) as u64) as usize;
    let token = client.operations.get(at)?.token;
    let peer = Peer { id: place(&rng.below(9).to_string()), address: address(rng.below(3) as u16) };
    let id = place(&rng.below(9).to_string());
    let message = match rng.below(9) {
        0 => Message::Closer { token, id, peer },
        1 => Message::Owner { token, id, peer },
        2 => Message::Busy { token },
        3 => Message::Absent { token },
        kind => {
            let transfer = match kind {
                4 => Transfer::Done { token, version: 1, copies: 1 },
                5 => Transfer::Later { token },
                6 => Transfer::Cookie { token },
                7 => Transfer::Report { token, part: rng.below(3) as u8, bytes: vec![] },
                _ => Transfer::Compare { range: KeyRange { after: id, through: id }, digest: 0 },
            };
            let letter = Letter { transfer, yours: client.cookies.of(from), mine: 7 };
            return Some(letter.encode());
        }
    };
    let mut buf = [0; 4096];
    let len = message.encode(&mut buf).ok()?;
    Some(buf[..len].to_vec())
}
