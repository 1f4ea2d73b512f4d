//! Peers that come and go, and pieces that are checked.

use core::cmp::Reverse;
use core::net::SocketAddr;
use core::time::Duration;

use heapless::Vec;

use super::check::PieceCheck;
use super::config::ROUND;
use super::cursor::{PeerMut, View, peer_pieces};
use super::error::NotVerifying;
use super::event::{CloseReason, Event, Side, Verdict};
use super::padding::Padding;
use super::peer::{Address, PeerSlot, PeerState, Phase};
use crate::block::{Block, PieceIndex};
use crate::compact_time::Stamp;
use crate::error::ConnectError;
use crate::id::ConnId;
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
        taken_over: bool,
    ) -> Result<(), ConnectError> {
        if self.find(conn).is_some() {
            return Err(ConnectError::InUse(conn));
        }
        let capacity = self.parts.peers.len();
        // The slot whose last peer left first: others were informed of that by now.
        let free = self.parts.peers.iter().enumerate().filter(|(_, slot)| !slot.0.is_used());
        let age = |slot: &PeerSlot| slot.0.exchanged_at.age(self.core.now.max(now));
        let free = free.min_by_key(|(_, slot)| Reverse(age(slot))).map(|(index, _)| index);
        let index = free.ok_or(ConnectError::Full { capacity })?;
        self.core.advance_clock(now);
        let completed = self.core.picker.completed();
        let super_seeding = self.starts_super_seeding();
        let now = self.core.now;
        if let Some(mut peer) = self.peer(index) {
            peer.pieces.fill(0);
            peer.requests.clear();
            peer.uploads.clear();
            *peer.state = PeerState::connecting(conn, side == Side::Dialled, now);
            peer.state.flags.set_handshake_sent(taken_over);
            peer.state.flags.set_bitfield_sent(taken_over);
            peer.state.flags.set_super_seeding(super_seeding);
            peer.state.resend_haves_from = (taken_over && !super_seeding).then_some(0).into();
            peer.state.haves_sent = completed;
        }
        if self.core.next_round.is_none() {
            self.core.next_round = now.checked_add(ROUND);
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
    pub(super) fn closed(&mut self, now: Duration, conn: ConnId) {
        self.core.advance_clock(now);
        let Some(index) = self.find_live(conn) else { return };
        let Some(mut peer) = self.peer(index) else { return };
        peer.disconnect();
        peer.state.free(peer.now);
        self.rebalance();
        self.refill(None);
    }

    /// Ends a connection; an event asks the caller to close it.
    pub(super) fn close(&mut self, index: usize, reason: CloseReason) {
        if let Some(mut peer) = self.peer(index) {
            peer.disconnect();
            peer.state.phase = Phase::Closed(reason);
        }
        self.rebalance();
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

    pub(super) fn restore_block(&mut self, block: Block) -> bool {
        let now = self.core.now;
        let content = self.parts.content;
        let padding = |piece| Padding::bytes_of(content.padding, piece);
        let selection = Selection { now, padding: &padding, ..Selection::new() };
        let restored = self.picker().restore_block(block, &selection);
        self.refill(None);
        restored
    }

    pub(super) fn set_priority(&mut self, now: Duration, piece: PieceIndex, priority: Priority) {
        self.core.advance_clock(now);
        let picker = self.picker();
        let before = picker.state.is_sought(picker.pieces, piece);
        let mut picker = self.picker();
        picker.set_priority(piece, priority);
        let after = picker.state.is_sought(picker.pieces, piece);
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
            let Some(peer) = self.peer(index).filter(|peer| peer.state.is_open()) else { continue };
            if peer_pieces(peer.state, peer.pieces, peer.content.geometry).has(piece) {
                change(peer.state);
            }
        }
    }

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
            let Some(peer) = self.peer(index).filter(|peer| peer.state.is_open()) else { continue };
            let conn = peer.state.conn();
            let parole = peer.state.flags.parole();
            peer.state.flags.set_parole(if passed {
                parole && !peer.picker.clears(piece, conn)
            } else {
                parole || peer.picker.gave(piece, conn)
            });
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
        }
        self.core.completed_due = self.core.is_complete();
        convicts
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
        for PeerSlot(state) in self.parts.peers.iter_mut() {
            let conn = state.conn();
            if state.flags.connected_due() {
                state.flags.set_connected_due(false);
                return Some(Event::Connected { conn, peer_id: state.peer_id });
            }
            if let Phase::Closed(reason) = state.phase {
                state.free(self.core.now);
                return Some(Event::Closed { conn, reason });
            }
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
        self.core.choker.rebalance(self.parts.peers, |slot| slot.0.candidate());
    }
}

impl PeerMut<'_> {
    /// Removes the peer from all counts, and its requests.
    pub(super) fn disconnect(&mut self) {
        self.count_pieces(false);
        self.picker.abandon(self.state.conn());
        self.requests.clear();
        self.uploads.clear();
    }

    /// Notes that a message was received.
    pub(super) fn message_received(&mut self) {
        self.state.heard_at = Stamp::of(self.now);
    }
}
