//! What a torrent keeps of each connection.

use core::time::Duration;

use heapless::{Deque, Vec};

use super::LostReason;
use crate::{Block, Candidate, ConnId, PeerId};

/// The most requests that may be under way to a peer.
pub(crate) const PIPELINE: usize = 32;
/// The most requests of a peer that wait for an answer.
pub(crate) const UPLOADS: usize = 32;

/// How many requests go to a peer before it is known how fast it is.
const FIRST_WINDOW: u8 = 4;
/// A peer that answers faster than this, in milliseconds, may be asked for more at a time.
const PROMPT: u32 = 1_000;
/// A peer that takes longer than this is asked for less at a time, or the endgame has much to undo.
const TARDY: u32 = 3_000;

/// Room for one connection: at most 1,344 bytes on a 64-bit host.
#[derive(Debug, Clone)]
pub struct PeerSlot(pub(crate) Link);

impl PeerSlot {
    /// An unused slot.
    pub const EMPTY: Self = Self(Link::EMPTY);
}

/// A connection, as far as its peer may be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Peer {
    /// The connection.
    pub conn: ConnId,
    /// What the peer calls itself; `None` before its handshake.
    pub peer_id: Option<PeerId>,
    /// How many pieces it has.
    pub pieces: u32,
    /// How many of them we miss.
    pub wanted: u32,
    /// Whether it may ask us for blocks.
    pub unchoked: bool,
    /// Whether it wants to.
    pub interested: bool,
    /// Whether we may ask it.
    pub unchokes_us: bool,
    /// Whether it left our requests without a block for too long.
    pub snubbed: bool,
    /// How many requests are under way to it.
    pub requested: usize,
    /// What went over the connection.
    pub traffic: Traffic,
}

/// Blocks and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Blocks that the peer gave and we had asked for.
    pub blocks_taken: u64,
    /// Their bytes.
    pub bytes_taken: u64,
    /// Blocks that we gave.
    pub blocks_given: u64,
    /// Their bytes.
    pub bytes_given: u64,
    /// Bytes of blocks that arrived although nobody waited for them.
    pub bytes_wasted: u64,
}

/// The state of a connection.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub(crate) phase: Phase,
    pub(crate) flags: Flags,
    pub(crate) card: Candidate, // the decision of the choker among it
    pub(crate) peer_id: PeerId,
    pub(crate) held: u32,   // pieces it has
    pub(crate) wanted: u32, // of which we miss
    pub(crate) told: u32,   // how many of our pieces it knows of
    /// The generation of the picker that had nothing for this peer.
    pub(crate) dry: Option<u32>,
    pub(crate) window: u8, // how many requests it answers in good time
    pub(crate) asked: Vec<Ask, PIPELINE>,
    pub(crate) uploads: Deque<Block, UPLOADS>,
    pub(crate) joined_at: Duration,
    pub(crate) heard_at: Duration,
    pub(crate) sent_at: Duration,
    pub(crate) block_at: Duration, // the last block, or since when we wait for one
    pub(crate) traffic: Traffic,
    pub(crate) taken: [u64; 2], // bytes of this round and the one before
    pub(crate) given: [u64; 2],
}

/// Where a connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Unused,
    Greeting, // its handshake has not come
    Ready,
    Banned, // until the event is told
    Lost(LostReason),
}

/// What was said and is to be said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a bit of the protocol")]
pub(crate) struct Flags {
    pub(crate) dialled: bool,
    pub(crate) greeted: bool,    // our handshake is sent
    pub(crate) announced: bool,  // and our bitfield
    pub(crate) ready: bool,      // the event is due
    pub(crate) seed: bool,       // counted as having all
    pub(crate) interested: bool, // what we told it
    pub(crate) unchoked: bool,   // what we told it
    pub(crate) unchokes_us: bool,
    pub(crate) keepalive: bool, // due
    pub(crate) snubbed: bool,
}

/// A request to a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ask {
    pub(crate) block: Block,
    pub(crate) at: u32, // when, in milliseconds modulo 2^32
    pub(crate) step: Step,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Due,
    Sent,
    Cancel, // the cancel is due
}

impl Link {
    pub(crate) const EMPTY: Self = Self {
        phase: Phase::Unused,
        flags: Flags {
            dialled: false,
            greeted: false,
            announced: false,
            ready: false,
            seed: false,
            interested: false,
            unchoked: false,
            unchokes_us: false,
            keepalive: false,
            snubbed: false,
        },
        card: Candidate::new(ConnId(0)),
        peer_id: PeerId([0; 20]),
        held: 0,
        wanted: 0,
        told: 0,
        dry: None,
        window: FIRST_WINDOW,
        asked: Vec::new(),
        uploads: Deque::new(),
        joined_at: Duration::ZERO,
        heard_at: Duration::ZERO,
        sent_at: Duration::ZERO,
        block_at: Duration::ZERO,
        traffic: Traffic {
            blocks_taken: 0,
            bytes_taken: 0,
            blocks_given: 0,
            bytes_given: 0,
            bytes_wasted: 0,
        },
        taken: [0; 2],
        given: [0; 2],
    };

    pub(crate) fn is_used(&self) -> bool {
        self.phase != Phase::Unused
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.phase == Phase::Ready
    }

    /// Returns whether the caller still has this connection.
    pub(crate) fn is_live(&self) -> bool {
        matches!(self.phase, Phase::Greeting | Phase::Ready)
    }

    pub(crate) fn is(&self, conn: ConnId) -> bool {
        self.is_used() && self.card.conn == conn
    }

    /// Returns the card for the choker, if the peer takes part.
    pub(crate) fn candidate(&mut self) -> Option<&mut Candidate> {
        self.is_ready().then_some(&mut self.card)
    }

    /// Returns how many requests count against the pipeline.
    pub(crate) fn under_way(&self) -> usize {
        self.asked.iter().filter(|ask| ask.step != Step::Cancel).count()
    }

    /// Takes a request out, and learns from the time that the answer took.
    pub(crate) fn answered(&mut self, block: Block, now: Duration) {
        let Some(place) = self.asked.iter().position(|ask| ask.block == block) else { return };
        let ask = self.asked.remove(place);
        let age = millis(now).wrapping_sub(ask.at);
        if ask.step == Step::Sent && age < PROMPT {
            self.window = self.window.saturating_add(1).min(u8::try_from(PIPELINE).unwrap_or(0));
        } else if age > TARDY {
            self.window = self.window.saturating_sub(1).max(1);
        }
    }

    pub(crate) fn sent(&mut self, now: Duration) {
        self.sent_at = now;
        self.flags.keepalive = false;
    }

    pub(crate) fn peer(&self) -> Peer {
        Peer {
            conn: self.card.conn,
            peer_id: self.is_ready().then_some(self.peer_id),
            pieces: self.held,
            wanted: self.wanted,
            unchoked: self.card.unchoked,
            interested: self.card.interested,
            unchokes_us: self.flags.unchokes_us,
            snubbed: self.flags.snubbed,
            requested: self.under_way(),
            traffic: self.traffic,
        }
    }
}

/// Returns a time in milliseconds modulo 2^32: enough to tell how long ago it was.
pub(crate) fn millis(now: Duration) -> u32 {
    let [a, b, c, d, ..] = now.as_millis().to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}
