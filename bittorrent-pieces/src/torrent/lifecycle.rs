//! Peers that come and go, and pieces that are checked.

use core::net::SocketAddr;
use core::time::Duration;

use heapless::Vec;

use super::check::PieceCheck;
use super::config::ROUND;
use super::cursor::{PeerMut, View, peer_pieces};
use super::error::NotVerifying;
use super::event::{CloseReason, Event, Side, Verdict};
use super::packed::Address;
use super::padding::Padding;
use super::peer::{PeerState, Phase};
use crate::block::{Block, PieceIndex};
use crate::compact_time::{Maybe, Stamp};
use crate::error::ConnectError;
use crate::id::ConnId;
use crate::invariant::invariant;
use crate::picker::{Priority, Selection};

/// The number of convicts of one piece that are banned; the others are found by later pieces.
const CONVICTS: usize = 16;

impl View<'_> {
    /// Adds a connection; `taken_over` if a metadata fetch sent the handshake, and that we have nothing.
    pub(super) fn connect(
        &mut self,
        now: Duration,
        conn: ConnId,
        side: Side,
        taken_over: Option<bool>, // whether it was upgraded to version 2
    ) -> Result<(), ConnectError> {
        if self.find(conn).is_some() {
            return Err(ConnectError::InUse(conn));
        }
        let capacity = self.parts.peers.len();
        // The slot whose last peer left first: others were informed of that by now.
        let unused = self.core.schedule.index.take(self.parts.peers, conn);
        let index = unused.ok_or(ConnectError::Full { capacity })?;
        self.core.advance_clock(now);
        let completed = self.core.picker.completed();
        let super_seeding = self.starts_super_seeding();
        let now = self.core.now;
        if let Some(mut peer) = self.peer(index) {
            peer.pieces.fill(0);
            peer.requests.clear();
            peer.uploads.clear();
            *peer.state = PeerState::connecting(conn, side == Side::Dialled, now);
            peer.state.flags.set_handshake_sent(taken_over.is_some());
            peer.state.flags.set_bitfield_sent(taken_over.is_some());
            peer.state.flags.set_version2(taken_over == Some(true));
            peer.state.flags.set_super_seeding(super_seeding);
            peer.state.announce = taken_over.filter(|_| !super_seeding).map(|_| 0).into();
            peer.state.haves_sent = completed;
        }
        if self.core.next_round.is_none() {
            self.core.next_round = now.checked_add(ROUND);
            self.core.early_turn = Maybe::some(Stamp::of(now).0);
        }
        Ok(())
    }

    pub(super) fn set_address(&mut self, conn: ConnId, addr: SocketAddr) -> bool {
        let index = self.find_live(conn);
        if let Some(peer) = index.and_then(|index| self.peer(index)) {
            peer.state.addr = Address::new(addr, peer.state.flags.dialled());
        }
        index.is_some()
    }

    /// The caller closed a connection.
    #[inline(never)] // its frame does not stand on the stack while requests are made
    pub(super) fn closed(&mut self, now: Duration, conn: ConnId) {
        self.core.advance_clock(now);
        let Some(index) = self.find_live(conn) else { return };
        let Some(mut peer) = self.peer(index) else { return };
        let frees = peer.disconnect();
        self.release(index, conn);
        if frees {
            self.rebalance();
        }
        self.refill(None);
    }

    /// Ends a connection; an event asks the caller to close it.
    pub(super) fn close(&mut self, index: usize, reason: CloseReason) {
        let Some(mut peer) = self.peer(index) else { return };
        let frees = peer.disconnect();
        peer.state.phase = Phase::Closed(reason);
        if frees {
            self.rebalance();
        }
    }

    pub(super) fn check_piece(&mut self, piece: PieceIndex) -> Result<PieceCheck, NotVerifying> {
        if !self.picker().is_checking(piece) {
            return Err(NotVerifying(piece));
        }
        let content = self.parts.content;
        let padding = Padding::bytes_of(content.padding, piece);
        let check = PieceCheck::new(content.geometry, content.hashes, piece);
        Ok(check.with_padding(padding))
    }

    #[inline(never)] // its frame does not stand on the stack while requests are made
    pub(super) fn restore_block(&mut self, block: Block) -> bool {
        let content = self.parts.content;
        let padding = |piece| Padding::bytes_of(content.padding, piece);
        let selection = Selection { padding: &padding, ..Selection::new() };
        let restored = self.picker().restore_block(block, &selection);
        self.refill(None);
        restored
    }

    #[inline(never)] // its frame does not stand on the stack while requests are made
    pub(super) fn set_priority(&mut self, now: Duration, piece: PieceIndex, priority: Priority) {
        self.core.advance_clock(now);
        let picker = self.picker();
        let before = picker.state.is_sought(picker.pieces, piece);
        let finished_before = picker.state.seeks_nothing(picker.pieces);
        let mut picker = self.picker();
        picker.set_priority(piece, priority);
        let after = picker.state.is_sought(picker.pieces, piece);
        if finished_before != picker.state.seeks_nothing(picker.pieces) {
            self.repeat_extended_handshakes();
        }
        if before != after {
            let now = self.core.now;
            self.change_wanted(piece, |state| {
                if after { state.add_wanted(1, now) } else { state.remove_wanted() }
            });
        }
        self.refill(None);
    }

    /// Changes the counts of all peers that have a piece.
    fn change_wanted(&mut self, piece: PieceIndex, change: impl Fn(&mut PeerState)) {
        for index in 0..self.parts.peers.len() {
            let Some(peer) = self.open_peer(index) else { continue };
            if peer_pieces(peer.state, peer.pieces, peer.content.geometry).has(piece) {
                change(peer.state);
                // One that has other pieces for us has nothing new to do.
                if peer.state.wanted <= 1 {
                    self.touch(index);
                }
            }
        }
    }

    #[inline(never)] // its frame does not stand on the stack while requests are made
    pub(super) fn hashed(
        &mut self,
        now: Duration,
        piece: PieceIndex,
        passed: bool,
    ) -> Result<Verdict, NotVerifying> {
        if !self.picker().is_checking(piece) {
            return Err(NotVerifying(piece));
        }
        self.core.advance_clock(now);
        self.update_paroles(piece, passed);
        let convicts = if passed { self.piece_passed(piece) } else { self.piece_failed(piece) };
        for conn in convicts {
            self.ban(conn);
        }
        self.refill(None);
        Ok(if passed { Verdict::Passed } else { Verdict::Failed })
    }

    /// Puts all sources of a failed piece on parole, and clears those that a good piece clears.
    fn update_paroles(&mut self, piece: PieceIndex, passed: bool) {
        for index in 0..self.parts.peers.len() {
            let Some(peer) = self.open_peer(index) else { continue };
            let conn = peer.state.conn();
            let before = peer.state.flags.parole();
            let after = if passed {
                before && !peer.picker.clears(piece, conn)
            } else {
                before || peer.picker.gave(piece, conn)
            };
            if before != after {
                peer.state.flags.set_parole(after);
                self.touch(index);
            }
        }
    }

    /// Completes a piece; returns the peers that had sent other bytes when it failed before.
    fn piece_passed(&mut self, piece: PieceIndex) -> Vec<ConnId, CONVICTS> {
        let mut convicts = Vec::new();
        let mut picker = self.picker();
        let sought = picker.state.is_sought(picker.pieces, piece);
        picker.passed(piece, |conn| {
            if !convicts.contains(&conn) {
                let _ = convicts.push(conn); // more than these are caught another time
            }
        });
        self.our_pieces().set(piece);
        if sought {
            self.change_wanted(piece, PeerState::remove_wanted);
            let picker = self.picker();
            if picker.state.seeks_nothing(picker.pieces) {
                self.repeat_extended_handshakes();
            }
        }
        self.core.completed_due = self.core.is_complete();
        self.wake_senders(); // the piece is announced to all
        convicts
    }

    /// Sends all peers another extended handshake, after we began or ceased to download (BEP 21).
    fn repeat_extended_handshakes(&mut self) {
        for index in 0..self.parts.peers.len() {
            if self.state(index).is_some_and(|state| state.flags.extended_handshake_sent())
                && let Some(peer) = self.peer(index)
            {
                peer.state.flags.set_extended_handshake_sent(false);
            }
        }
    }

    /// Opens a piece again; returns its only source if it had one.
    fn piece_failed(&mut self, piece: PieceIndex) -> Vec<ConnId, CONVICTS> {
        let sole = self.picker().failed(piece).and_then(|failure| failure.sole);
        sole.into_iter().collect()
    }

    pub(super) fn event(&mut self) -> Option<Event> {
        let event = self.peer_event();
        if event.is_some() {
            return event;
        }
        let mut picker = self.picker();
        if let Some(piece) = picker.next_full() {
            return Some(Event::Verify { piece });
        }
        if let Some(piece) = picker.next_failed() {
            return Some(Event::PieceFailed { piece });
        }
        if let Some(piece) = picker.next_complete() {
            return Some(Event::PieceCompleted { piece });
        }
        if self.core.completed_due {
            self.core.completed_due = false;
            return Some(Event::Completed);
        }
        self.core.banned.pop().map(|conn| Event::Banned { conn })
    }

    /// Returns an event of a connection: first that it was established, then that it is closed.
    fn peer_event(&mut self) -> Option<Event> {
        while let Some(index) = self.core.schedule.events.first() {
            let state = &mut self.parts.peers.get_mut(index)?.state;
            let conn = state.conn();
            if state.flags.connected_due() {
                state.flags.set_connected_due(false);
                return Some(Event::Connected { conn, peer_id: state.peer_id });
            }
            let phase = state.phase;
            self.core.schedule.events.pop(self.parts.peers);
            if let Phase::Closed(reason) = phase {
                self.release(index, conn);
                return Some(Event::Closed { conn, reason });
            }
            invariant!(false, "a peer in the queue has no event");
        }
        None
    }

    /// Bans a peer, and discards what it sent to pieces that are not complete.
    fn ban(&mut self, conn: ConnId) {
        if let Some(index) = self.find_live(conn) {
            self.close(index, CloseReason::Corrupt);
        } else if self.find(conn).is_none() {
            let _ = self.core.banned.push(conn); // the event is a courtesy
        }
        self.picker().forget(conn);
    }

    /// Adapts the choker's decision after a peer changed its interest, connected or left.
    pub(super) fn rebalance(&mut self) {
        let rules = self.core.choker_rules();
        self.core.choker.rebalance(rules, self.parts.peers, |slot| slot.state.candidate());
        self.touch_unchoked();
    }
}

impl PeerMut<'_> {
    /// Removes the peer from all counts, and its requests. Returns whether it leaves an upload slot.
    fn disconnect(&mut self) -> bool {
        self.count_pieces(false);
        self.picker.abandon(self.state.conn());
        self.requests.clear();
        self.uploads.clear();
        let candidate = &self.state.choke_candidate;
        candidate.interested && candidate.unchoked
    }

    /// Notes that a message was received.
    pub(super) fn message_received(&mut self) {
        self.state.heard_at = Stamp::of(self.now);
    }
}
