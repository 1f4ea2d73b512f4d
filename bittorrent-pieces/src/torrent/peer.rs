//! What a torrent keeps of each connection.

use core::time::Duration;

use heapless::Vec;

use super::config::ROUND;
use super::counter::Counter;
use super::event::CloseReason;
use super::flags::Flags;
use super::packed::{Address, SentSample, Small};
use super::queue::{Queue, Step};
use crate::block::{Block, PieceIndex};
use crate::choker::Candidate;
use crate::compact_time::{Maybe, Stamp};
use crate::conn_index::{Indexed, Links};
use crate::id::{ConnId, PeerId};
use crate::picker::EXTENT;
use crate::ready::{Entry, Scheduled};
use crate::rng::mix;

/// The number of requests in flight to a peer before its rate is known.
const FIRST_WINDOW: u16 = 4;
/// A peer that answers within this many milliseconds of its fastest answer may have more requests in
/// flight: these are then its rate times this.
const PROMPT: u16 = 500;
/// A peer that takes this much longer gets fewer, or the endgame has much to undo.
const TARDY: u16 = 1_000;
/// The number of allowed-fast pieces that are remembered (BEP 6).
const ALLOWED: usize = 2;

/// The nodes that are hashed for one peer in a choking round, in units of 1,024: less than 0.1 s of work.
pub(super) const HASH_BUDGET: u8 = 127;

/// Room for one connection: at most 204 bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct PeerSlot {
    pub(super) state: PeerState,
    entry: Entry,
    links: Links,
}

impl PeerSlot {
    /// An unused slot.
    pub const EMPTY: Self =
        Self { state: PeerState::EMPTY, entry: Entry::EMPTY, links: Links::EMPTY };
}

impl Scheduled for PeerSlot {
    fn entry(&self) -> &Entry {
        &self.entry
    }

    fn entry_mut(&mut self) -> &mut Entry {
        &mut self.entry
    }
}

impl Indexed for PeerSlot {
    type Key = ConnId;

    fn hash(conn: ConnId) -> u64 {
        mix(u64::from(conn.0))
    }

    fn links(&self) -> &Links {
        &self.links
    }

    fn links_mut(&mut self) -> &mut Links {
        &mut self.links
    }

    fn is_of(&self, conn: ConnId) -> bool {
        self.state.is(conn)
    }
}

/// A connection, for display.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Peer {
    /// The connection.
    pub conn: ConnId,
    /// The id that the peer chose; `None` before its handshake.
    pub peer_id: Option<PeerId>,
    /// The number of pieces it has.
    pub pieces: u32,
    /// How many of them we miss and do not skip. We are interested if there is one.
    pub wanted: u32,
    /// Whether we unchoke it.
    pub unchoked: bool,
    /// Whether it is interested.
    pub interested: bool,
    /// Whether it unchokes us.
    pub unchokes_us: bool,
    /// Whether it left our requests without a block for longer than
    /// [`Config::patience`](crate::Config::patience).
    pub snubbed: bool,
    /// Whether it is on parole: it sent a part of a piece that failed its check, and is asked for whole
    /// pieces until it is cleared or convicted.
    pub parole: bool,
    /// Whether the fast extension was negotiated (BEP 6).
    pub fast: bool,
    /// The number of requests in flight to it.
    pub requested: usize,
    /// The most requests in flight, from its round-trip time.
    pub window: usize,
    /// The blocks that went over the connection.
    pub traffic: Traffic,
}

/// The blocks that went over a connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Traffic {
    /// Bytes of requested blocks that were received; at most 256 TiB are counted.
    pub bytes_received: u64,
    /// Bytes of blocks that were sent; at most 256 TiB are counted.
    pub bytes_sent: u64,
    /// Bytes of received blocks that were not needed any more; at most 4 GiB are counted.
    pub bytes_wasted: u64,
}

/// The state of a connection. Its requests are in a region of their own.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PeerState {
    pub(crate) phase: Phase,
    pub(crate) flags: Flags,
    pub(crate) choke_candidate: Candidate, // with the choker's decision
    pub(crate) peer_id: PeerId,
    pub(crate) held: u32,       // pieces it has
    pub(crate) wanted: u32,     // of which we miss, and do not skip
    pub(crate) haves_sent: u32, // completed pieces that were announced to it, wrapping
    /// While we super-seed to it, the one piece that is or will be announced to it; else all pieces from this one
    /// on are to be announced.
    pub(crate) announce: Maybe,
    pub(crate) window: u16,               // requests it answers in good time
    pub(crate) reqq: u16,                 // requests it queues
    pub(crate) fastest_rtt: u16,          // milliseconds
    pub(crate) peer_rtt: u16,             // smoothed, in milliseconds
    pub(crate) allowed: [Maybe; ALLOWED], // pieces that it sends even while it chokes us
    pub(crate) suggested: Maybe,
    pub(crate) small: Small,
    pub(crate) idle_rounds: u8, // since a block went either way
    pub(crate) sent_sample: SentSample,
    pub(crate) addr: Address,
    pub(crate) ids: Ids,
    pub(crate) joined_at: Stamp,
    pub(crate) heard_at: Stamp,
    pub(crate) sent_at: Stamp,
    pub(crate) block_at: Stamp, // the last block, or since when we wait for one
    pub(crate) exchanged_at: Stamp, // the last peer exchange; in an unused slot, when its peer left
    pub(super) bytes_received: Counter,
    pub(super) bytes_sent: Counter,
    pub(crate) bytes_wasted: u32,
    pub(crate) received_bytes: [u32; 2], // of this round and the one before
    pub(crate) sent_bytes: [u32; 2],
}

/// The phase of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Unused,
    Handshaking, // its handshake was not received
    Open,
    Closed(CloseReason), // until the event is polled
}

/// The ids that the peer chose for extensions, 0 if it does not support them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Ids {
    pub(crate) metadata: u8,
    pub(crate) pex: u8,
    pub(crate) holepunch: u8,
}

impl PeerState {
    pub(crate) const EMPTY: Self = Self {
        phase: Phase::Unused,
        flags: Flags::NONE,
        choke_candidate: Candidate::new(ConnId(0)),
        peer_id: PeerId([0; 20]),
        held: 0,
        wanted: 0,
        haves_sent: 0,
        announce: Maybe::NONE,
        window: FIRST_WINDOW,
        reqq: u16::MAX,
        fastest_rtt: u16::MAX,
        peer_rtt: 0,
        allowed: [Maybe::NONE; ALLOWED],
        suggested: Maybe::NONE,
        small: Small::NEW,
        addr: Address::NONE,
        ids: Ids { metadata: 0, pex: 0, holepunch: 0 },
        joined_at: Stamp(0),
        heard_at: Stamp(0),
        sent_at: Stamp(0),
        block_at: Stamp(0),
        idle_rounds: 0,
        sent_sample: SentSample::NONE,
        exchanged_at: Stamp(0),
        bytes_received: Counter::ZERO,
        bytes_sent: Counter::ZERO,
        bytes_wasted: 0,
        received_bytes: [0; 2],
        sent_bytes: [0; 2],
    };

    /// Returns the state of a connection that begins now.
    pub(super) fn connecting(conn: ConnId, dialled: bool, now: Duration) -> Self {
        let stamp = Stamp::of(now);
        let mut flags = Flags::NONE;
        flags.set_dialled(dialled);
        flags.set_hash_budget(HASH_BUDGET);
        Self {
            phase: Phase::Handshaking,
            flags,
            choke_candidate: Candidate::new(conn),
            joined_at: stamp,
            heard_at: stamp,
            sent_at: stamp,
            exchanged_at: stamp,
            ..Self::EMPTY
        }
    }

    /// Frees the slot. The address stays until another peer takes the slot, so that others can be sent
    /// the departure in a peer exchange.
    pub(super) fn free(&mut self, now: Duration) {
        let known = self.flags.bitfield_sent(); // no peer is announced before its handshake
        let addr = if known { self.addr } else { Self::EMPTY.addr };
        *self =
            Self { addr, joined_at: self.joined_at, exchanged_at: Stamp::of(now), ..Self::EMPTY };
    }

    pub(crate) const fn conn(&self) -> ConnId {
        self.choke_candidate.conn
    }

    pub(crate) fn is_used(&self) -> bool {
        self.phase != Phase::Unused
    }

    /// Returns whether both handshakes are done.
    pub(crate) fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Returns whether the torrent still wants this connection.
    pub(crate) fn is_live(&self) -> bool {
        matches!(self.phase, Phase::Handshaking | Phase::Open)
    }

    pub(crate) fn is(&self, conn: ConnId) -> bool {
        self.is_used() && self.conn() == conn
    }

    /// Returns the candidate for the choker, if the peer takes part.
    pub(crate) fn candidate(&mut self) -> Option<&mut Candidate> {
        self.is_open().then_some(&mut self.choke_candidate)
    }

    /// Removes an answered request and adapts the window to its round-trip time, which is returned in
    /// milliseconds.
    pub(super) fn answered(
        &mut self,
        requests: &mut Queue<'_>,
        block: Block,
        now: Duration,
    ) -> Option<u32> {
        let place = requests.position(|request| request.block() == block)?;
        let request = requests.remove(place)?;
        let age = request.at().age(now);
        if request.step != Step::Sent {
            return None;
        }
        let rtt = u16::try_from(age).unwrap_or(u16::MAX);
        self.fastest_rtt = self.fastest_rtt.min(rtt);
        self.peer_rtt = self.peer_rtt.saturating_sub(self.peer_rtt / 4).saturating_add(rtt / 4);
        let late = rtt.saturating_sub(self.fastest_rtt);
        let used = requests.in_flight() >= usize::from(self.window).saturating_sub(1);
        if late < PROMPT && used {
            self.window = self.window.saturating_add(1).min(self.reqq);
        } else if late > TARDY {
            self.window = self.window.saturating_sub(1).max(1);
        }
        Some(age)
    }

    /// Returns the piece that super-seeding announces to it.
    pub(super) fn superseed_offer(&self) -> Option<PieceIndex> {
        self.announce.piece().filter(|_| self.flags.super_seeding())
    }

    /// Returns the piece from which on all are to be announced.
    pub(super) fn resend_haves_from(&self) -> Option<u32> {
        self.announce.get().filter(|_| !self.flags.super_seeding())
    }

    /// Returns whether neither side has what the other wants.
    pub(super) const fn is_needless(&self) -> bool {
        self.wanted == 0 && !self.choke_candidate.interested
    }

    /// Returns how many pieces in a row the peer sends in a time, judging by the best of two rounds.
    pub(super) fn run(&self, piece_len: u32, time: Duration) -> u32 {
        let [newest, before] = self.received_bytes;
        let bytes = u128::from(newest.max(before)).saturating_mul(time.as_millis());
        let pieces = bytes.checked_div(ROUND.as_millis());
        let pieces = pieces.and_then(|bytes| bytes.checked_div(u128::from(piece_len)));
        let most = EXTENT.checked_div(piece_len).unwrap_or(0).max(1);
        u32::try_from(pieces.unwrap_or(0)).unwrap_or(most).min(most)
    }

    /// Counts pieces that we miss, do not skip, and the peer has.
    pub(super) fn add_wanted(&mut self, pieces: u32, now: Duration) {
        if self.wanted == 0 {
            self.block_at = Stamp::of(now); // from now on we wait for it
        }
        self.wanted = self.wanted.saturating_add(pieces);
        self.flags.set_exhausted(false);
    }

    /// Returns the pieces that it sends even while it chokes us.
    pub(super) fn allowed(&self) -> Vec<PieceIndex, ALLOWED> {
        self.allowed.iter().filter_map(|piece| piece.piece()).collect()
    }

    /// Remembers a piece that it sends even while it chokes us; more than two are not needed.
    pub(super) fn allow(&mut self, piece: PieceIndex) {
        if self.allowed().contains(&piece) {
            return;
        }
        if let Some(free) = self.allowed.iter_mut().find(|place| **place == Maybe::NONE) {
            *free = Maybe::some(piece.0);
        }
    }

    /// Counts one of these less.
    pub(super) fn remove_wanted(&mut self) {
        self.wanted = self.wanted.saturating_sub(1);
    }

    pub(crate) fn message_sent(&mut self, now: Duration) {
        self.sent_at = Stamp::of(now);
        self.flags.set_keepalive_due(false);
    }

    pub(super) fn peer(&self, requested: usize) -> Peer {
        Peer {
            conn: self.conn(),
            peer_id: self.is_open().then_some(self.peer_id),
            pieces: self.held,
            wanted: self.wanted,
            unchoked: self.choke_candidate.unchoked,
            interested: self.choke_candidate.interested,
            unchokes_us: self.flags.unchokes_us(),
            snubbed: self.flags.snubbed(),
            parole: self.flags.parole(),
            fast: self.flags.fast(),
            requested,
            window: usize::from(self.window),
            traffic: Traffic {
                bytes_received: self.bytes_received.get(),
                bytes_sent: self.bytes_sent.get(),
                bytes_wasted: u64::from(self.bytes_wasted),
            },
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "a test may panic")]
mod tests;
