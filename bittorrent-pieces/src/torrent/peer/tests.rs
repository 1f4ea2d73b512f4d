use super::super::queue::RequestSlot;
use super::*;

const PIECE: PieceIndex = PieceIndex(3);

fn state() -> PeerState {
    PeerState::connecting(ConnId(7), true, Duration::ZERO)
}

fn block(number: u32) -> Block {
    Block { piece: PIECE, begin: number * 16_384, len: 16_384 }
}

/// Fills the requests of a peer, all sent at the time 0.
fn requests_of(slots: &mut [RequestSlot], count: u32) -> Queue<'_> {
    let (mut requests, _) = Queue::both(slots);
    for number in 0..count {
        assert!(requests.push(RequestSlot::new(block(number), Duration::ZERO, Step::Sent)));
    }
    requests
}

/// Returns the window after an answer that took `rtt` milliseconds, of a peer whose fastest took 100, with `others`
/// requests left in flight.
fn window_after(window: u16, rtt: u64, others: u32) -> u16 {
    let mut slots = [RequestSlot::EMPTY; 32];
    let mut requests = requests_of(&mut slots, others + 1);
    let mut state = state();
    state.window = window;
    state.fastest_rtt = 100;
    let now = Duration::from_millis(rtt);
    assert!(state.answered(&mut requests, block(0), now).is_some());
    assert_eq!(requests.len(), usize::try_from(others).unwrap());
    state.window
}

/// The window grows by one with each answer within half a second of the fastest, and shrinks with each that takes a second
/// more; between the two it stays.
#[test]
fn the_window_grows_with_prompt_answers_and_shrinks_with_late_ones() {
    for (rtt, window) in [(50, 5), (100, 5), (599, 5), (600, 4), (1_100, 4), (1_101, 3)] {
        assert_eq!(window_after(4, rtt, 3), window, "{rtt} ms");
    }
    assert_eq!(window_after(4, 100, 2), 4, "it was not used up");
    assert_eq!(window_after(1, 100, 0), 2);
    assert_eq!(window_after(1, 9_000, 0), 1, "one is the least");
    assert_eq!(window_after(4, 70_000, 3), 3, "longer than 16 bits of milliseconds");
}

#[test]
fn the_window_stays_within_the_queue_of_the_peer() {
    let mut slots = [RequestSlot::EMPTY; 32];
    let mut requests = requests_of(&mut slots, 10);
    let mut state = state();
    state.reqq = 6;
    for number in 0..5 {
        state.answered(&mut requests, block(number), Duration::from_millis(1));
    }
    assert_eq!(state.window, 6);
}

/// The round-trip time is smoothed: an answer counts a quarter.
#[test]
fn an_answer_gives_its_age_and_a_quarter_of_it_to_the_round_trip_time() {
    let mut slots = [RequestSlot::EMPTY; 16];
    let mut requests = requests_of(&mut slots, 3);
    let mut state = state();
    for (number, millis, smoothed) in [(0, 400, 100), (1, 800, 275), (2, 200, 257)] {
        let now = Duration::from_millis(millis);
        let age = state.answered(&mut requests, block(number), now);
        assert_eq!(age, Some(u32::try_from(millis).unwrap()));
        assert_eq!(state.peer_rtt, smoothed);
    }
    assert_eq!(state.fastest_rtt, 200);
}

/// Only an answer to a request that was sent and not cancelled says how fast a peer is.
#[test]
fn no_other_answer_is_measured() {
    for step in [Step::Due, Step::Cancel, Step::Cancelled] {
        let mut slots = [RequestSlot::EMPTY; 4];
        let (mut requests, _) = Queue::both(&mut slots);
        requests.push(RequestSlot::new(block(1), Duration::ZERO, step));
        let mut state = state();
        let now = Duration::from_secs(9);
        assert_eq!(state.answered(&mut requests, block(2), now), None);
        assert_eq!(requests.len(), 1, "another block");
        assert_eq!(state.answered(&mut requests, block(1), now), None, "{step:?}");
        assert_eq!(requests.len(), 0);
        assert_eq!(state.fastest_rtt, u16::MAX);
        assert_eq!((state.peer_rtt, state.window), (0, FIRST_WINDOW));
    }
}

/// By what it sent in the better of two rounds of ten seconds, up to 4 MiB in a row.
#[test]
fn a_run_is_what_a_peer_sends_in_a_time() {
    const MIB: u32 = 1 << 20;
    let run = |received: [u32; 2], piece_len, seconds| {
        let mut state = state();
        state.received_bytes = received;
        state.run(piece_len, Duration::from_secs(seconds))
    };
    assert_eq!(run([3 * MIB, MIB], MIB, 10), 3);
    assert_eq!(run([MIB, 3 * MIB], MIB, 10), 3);
    assert_eq!(run([3 * MIB - 1, 0], MIB, 10), 2);
    assert_eq!(run([MIB, 0], MIB, 20), 2);
    assert_eq!(run([MIB, 0], MIB, 5), 0);
    assert_eq!(run([9 * MIB, 0], MIB, 10), 4, "4 MiB");
    assert_eq!(run([90 * MIB, 0], 16 * MIB, 10), 1, "one piece is longer");
    assert_eq!(run([MIB, MIB], MIB, 0), 0);
    assert_eq!(run([MIB, MIB], 0, 10), 0);
}

/// Since when a peer leaves us waiting: since it first had something for us.
#[test]
fn we_wait_for_a_peer_since_it_has_a_piece_for_us() {
    let mut state = state();
    state.flags.set_exhausted(true);
    state.add_wanted(2, Duration::from_secs(5));
    assert_eq!((state.wanted, state.block_at), (2, Stamp(5_000)));
    assert!(!state.flags.exhausted(), "the picker is asked again");
    state.add_wanted(1, Duration::from_secs(9));
    assert_eq!((state.wanted, state.block_at), (3, Stamp(5_000)));
    for left in [2, 1, 0, 0] {
        state.remove_wanted();
        assert_eq!(state.wanted, left);
    }
    state.add_wanted(1, Duration::from_secs(12));
    assert_eq!(state.block_at, Stamp(12_000));
}

#[test]
fn two_allowed_fast_pieces_are_remembered() {
    let mut state = state();
    assert_eq!(state.allowed().len(), 0);
    for piece in [4, 4, 9, 9, 2] {
        state.allow(PieceIndex(piece));
    }
    assert_eq!(state.allowed()[..], [PieceIndex(4), PieceIndex(9)]);
}

#[test]
fn a_peer_is_needless_if_neither_side_has_what_the_other_wants() {
    for (wanted, interested, needless) in
        [(0, false, true), (1, false, false), (0, true, false), (1, true, false)]
    {
        let mut state = state();
        state.wanted = wanted;
        state.choke_candidate.interested = interested;
        assert_eq!(state.is_needless(), needless, "{wanted} {interested}");
    }
}

/// One number is the piece of super-seeding, or where the announcement of all pieces goes on.
#[test]
fn an_announcement_is_an_offer_or_a_place_among_all_pieces() {
    let mut state = state();
    assert_eq!((state.superseed_offer(), state.resend_haves_from()), (None, None));
    state.announce = Maybe::some(6);
    assert_eq!((state.superseed_offer(), state.resend_haves_from()), (None, Some(6)));
    state.flags.set_super_seeding(true);
    assert_eq!((state.superseed_offer(), state.resend_haves_from()), (Some(PieceIndex(6)), None));
}

/// The address of a peer that others were informed of outlives it.
#[test]
fn a_free_slot_keeps_an_address_that_others_may_know() {
    for known in [true, false] {
        let mut state = state();
        let addr = "192.0.2.1:6881".parse().unwrap();
        state.joined_at = Stamp(4);
        state.addr = Address::new(addr, true);
        state.flags.set_bitfield_sent(known);
        state.phase = Phase::Open;
        state.free(Duration::from_millis(9));
        assert_eq!(state.addr.socket(), known.then_some(addr));
        assert_eq!((state.joined_at, state.exchanged_at), (Stamp(4), Stamp(9)));
        assert_eq!(state.phase, Phase::Unused);
        assert!(!state.is_used() && !state.is_live() && !state.is_open());
        assert!(!state.is(ConnId(7)), "it is not the slot of the connection any more");
        assert_eq!(state.candidate(), None);
    }
}

#[test]
fn what_is_displayed_of_a_peer_is_its_state() {
    let mut state = state();
    state.peer_id = PeerId([9; 20]);
    assert_eq!(state.peer(0).peer_id, None, "before its handshake");
    state.phase = Phase::Open;
    state.held = 5;
    state.wanted = 4;
    state.window = 77;
    state.bytes_received.add(6);
    state.bytes_sent.add(7);
    state.bytes_wasted = 8;
    let peer = state.peer(3);
    assert_eq!((peer.conn, peer.peer_id), (ConnId(7), Some(PeerId([9; 20]))));
    assert_eq!((peer.pieces, peer.wanted), (5, 4));
    assert_eq!((peer.requested, peer.window), (3, 77));
    let traffic = Traffic { bytes_received: 6, bytes_sent: 7, bytes_wasted: 8 };
    assert_eq!(peer.traffic, traffic);
}
