//! Three Chord nodes form a ring, and one of them looks the owner of a key up.

use core::time::Duration;

use chord_core::{Config, Event, Message, Node, NodeLimits, NodeVec, Peer, Word};

#[test]
fn three_nodes_form_a_ring_and_find_the_owner_of_a_key() {
    let new = |id, address| {
        let me = Peer { id: Word::<8>::new(id), address };
        Node::new(Config::default(), me, NodeVec::new(NodeLimits::default())).unwrap()
    };
    let mut nodes = [new(20, 0u32), new(90, 1), new(200, 2)];
    nodes[0].create(Duration::ZERO).unwrap();
    let mut buf = [0; Message::<Word<8>, u32>::MAX_LEN];
    let mut owner = None;
    for second in (1..120).map(Duration::from_secs) {
        if second.as_secs() == 60 {
            nodes[0].lookup(second, Word::new(150)).unwrap();
        }
        for at in 0..3 {
            let _ = nodes[at].join(second, 0); // refused once a node has started
            nodes[at].handle_timeout(second);
            while let Some((from, send)) =
                (0..3).find_map(|from| Some((from, nodes[from].poll_transmit(&mut buf).unwrap()?)))
            {
                let datagram = &buf[..send.len];
                let _ = nodes[send.to as usize].handle_datagram(second, from as u32, datagram);
            }
        }
        while let Some(event) = nodes[0].poll_event() {
            if let Event::LookupDone { owner: found, .. } = event {
                owner = Some(found.address);
            }
        }
    }
    assert_eq!(owner, Some(2), "200 is the first identifier from 150 on");
    assert_eq!(nodes[0].successors().len(), 2);
}
