//! What a torrent keeps of each connection.

use core::net::SocketAddr;
use core::time::Duration;

use heapless::Vec;

use super::LostReason;
use super::queue::{Queue, Step};
use super::time::ROUND;
use crate::picker::EXTENT;
use crate::small::{Maybe, Stamp};
use crate::{Block, Candidate, CompactPeers, ConnId, Family, PeerId, PieceIndex};

/// How many requests go to a peer before it is known how fast it is.
const FIRST_WINDOW: u16 = 4;
/// A peer that answers within so many milliseconds more than it did at its fastest may be asked for
/// more at a time: what is under way then is its rate times this.
const PROMPT: u16 = 500;
/// A peer that takes so much longer is asked for less at a time, or the endgame has much to undo.
const TARDY: u16 = 1_000;
/// How many pieces are kept in mind that a peer gives even while it chokes us.
const ALLOWED: usize = 4;

/// Room for one connection: at most 208 bytes.
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
    /// How many of them we miss and do not skip: we are interested if there is one.
    pub wanted: u32,
    /// Whether it may ask us for blocks.
    pub unchoked: bool,
    /// Whether it wants to.
    pub interested: bool,
    /// Whether we may ask it.
    pub unchokes_us: bool,
    /// Whether it left our requests without a block for too long.
    pub snubbed: bool,
    /// Whether it is on parole: it had a part in a piece that failed its check, and gives whole pieces
    /// alone until it is cleared, or found out and banned.
    pub parole: bool,
    /// Whether both sides speak the fast extension (BEP 6).
    pub fast: bool,
    /// How many requests are under way to it.
    pub requested: usize,
    /// How many may be, by the time that it takes to answer.
    pub window: usize,
    /// What went over the connection.
    pub traffic: Traffic,
}

/// The blocks that went over a connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes of blocks that the peer gave and we had asked for.
    pub bytes_taken: u64,
    /// Bytes of blocks that we gave.
    pub bytes_given: u64,
    /// Bytes of blocks that arrived although nobody waited for them.
    pub bytes_wasted: u64,
}

/// The state of a connection; its requests are in their own region.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub(crate) phase: Phase,
    pub(crate) flags: Flags,
    pub(crate) card: Candidate, // the decision of the choker among it
    pub(crate) peer_id: PeerId,
    pub(crate) held: u32,     // pieces it has
    pub(crate) wanted: u32,   // of which we miss, and do not skip
    pub(crate) told: u32,     // how many of the completed pieces it was told of, wrapping
    pub(crate) offer: Maybe,  // the one piece that it was told of, or is to be told of
    pub(crate) retell: Maybe, // from which piece on it is to be told of all
    /// The generation of the picker that had nothing for this peer.
    pub(crate) dry: Maybe,
    pub(crate) window: u16,  // how many requests it answers in good time
    pub(crate) reqq: u16,    // how many it takes
    pub(crate) fastest: u16, // its quickest answer, in milliseconds
    pub(crate) pace: u16,    // what its answers take of late, in milliseconds
    pub(crate) allowed: Vec<PieceIndex, ALLOWED, u8>, // given even while it chokes us
    pub(crate) suggested: Maybe,
    pub(crate) granted: u8, // allowed-fast messages that are due
    pub(crate) addr: Address,
    pub(crate) ids: Ids,
    pub(crate) joined_at: Stamp,
    pub(crate) heard_at: Stamp,
    pub(crate) sent_at: Stamp,
    pub(crate) block_at: Stamp, // the last block, or since when we wait for one
    pub(crate) exchanged_at: Stamp, // the last exchange of peers; in an unused slot, when its peer left
    pub(crate) traffic: Traffic,
    pub(crate) taken: [u32; 2], // bytes of this round and the one before
    pub(crate) given: [u32; 2],
}

/// Where a connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Unused,
    Greeting, // its handshake has not come
    Arrived,  // it has, until the event is told
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
    pub(crate) announced: bool,  // and our pieces
    pub(crate) introduced: bool, // and our extended handshake
    pub(crate) ported: bool,     // and our DHT port
    pub(crate) fast: bool,
    pub(crate) extended: bool,
    pub(crate) dht: bool,
    pub(crate) seed: bool,       // counted as having all
    pub(crate) interested: bool, // what we told it
    pub(crate) unchoked: bool,   // what we told it
    pub(crate) unchokes_us: bool,
    pub(crate) keepalive: bool, // due
    pub(crate) exchange: bool,  // due
    pub(crate) exchanged: bool, // it sent a first exchange
    pub(crate) snubbed: bool,
    pub(crate) poses: bool,  // we super-seed to it
    pub(crate) offers: bool, // the offer is to be told
    pub(crate) parole: bool, // it gave a part of a piece that failed
    pub(crate) rests: bool,  // it rejected a request: it is not asked again before the next round
}

/// The ids by which the peer wants extensions to be called; 0 if it does not speak them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Ids {
    pub(crate) metadata: u8,
    pub(crate) exchange: u8,
}

/// Where the peer listens, in compact form.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Address {
    bytes: [u8; 18],
    family: Option<Family>,
    pub(crate) listens: bool, // the port is the one it listens on
}

impl Address {
    pub(crate) fn new(addr: SocketAddr, listens: bool) -> Self {
        let mut bytes = [0; 18];
        let _ = CompactPeers::encode(addr, &mut bytes); // the longer form fits
        Self { bytes, family: Some(Family::of(addr)), listens }
    }

    pub(crate) fn socket(&self) -> Option<SocketAddr> {
        let family = self.family?;
        CompactPeers::new(family, self.bytes.get(..family.stride())?)?.nth(0)
    }
}

impl Link {
    pub(crate) const EMPTY: Self = Self {
        phase: Phase::Unused,
        flags: Flags {
            dialled: false,
            greeted: false,
            announced: false,
            introduced: false,
            ported: false,
            fast: false,
            extended: false,
            dht: false,
            seed: false,
            interested: false,
            unchoked: false,
            unchokes_us: false,
            keepalive: false,
            exchange: false,
            exchanged: false,
            snubbed: false,
            parole: false,
            poses: false,
            offers: false,
            rests: false,
        },
        card: Candidate::new(ConnId(0)),
        peer_id: PeerId([0; 20]),
        held: 0,
        wanted: 0,
        told: 0,
        offer: Maybe::NONE,
        retell: Maybe::NONE,
        dry: Maybe::NONE,
        window: FIRST_WINDOW,
        reqq: u16::MAX,
        fastest: u16::MAX,
        pace: 0,
        allowed: Vec::new(),
        suggested: Maybe::NONE,
        granted: 0,
        addr: Address { bytes: [0; 18], family: None, listens: false },
        ids: Ids { metadata: 0, exchange: 0 },
        joined_at: Stamp(0),
        heard_at: Stamp(0),
        sent_at: Stamp(0),
        block_at: Stamp(0),
        exchanged_at: Stamp(0),
        traffic: Traffic { bytes_taken: 0, bytes_given: 0, bytes_wasted: 0 },
        taken: [0; 2],
        given: [0; 2],
    };

    /// Frees the slot. It keeps in mind where its peer was and since when, so that others can be told that
    /// the peer went, until another takes it.
    pub(super) fn leave(&mut self, now: Duration) {
        let known = self.flags.announced; // nobody is told of a peer before its handshake
        let addr = if known { self.addr } else { Self::EMPTY.addr };
        *self =
            Self { addr, joined_at: self.joined_at, exchanged_at: Stamp::of(now), ..Self::EMPTY };
    }

    pub(crate) fn is_used(&self) -> bool {
        self.phase != Phase::Unused
    }

    pub(crate) fn is_ready(&self) -> bool {
        matches!(self.phase, Phase::Arrived | Phase::Ready)
    }

    /// Returns whether the caller still has this connection.
    pub(crate) fn is_live(&self) -> bool {
        self.phase == Phase::Greeting || self.is_ready()
    }

    pub(crate) fn is(&self, conn: ConnId) -> bool {
        self.is_used() && self.card.conn == conn
    }

    /// Returns the card for the choker, if the peer takes part.
    pub(crate) fn candidate(&mut self) -> Option<&mut Candidate> {
        self.is_ready().then_some(&mut self.card)
    }

    /// Takes an answered request out, and learns from the time that it took, which it returns in
    /// milliseconds.
    pub(super) fn answered(
        &mut self,
        asked: &mut Queue<'_>,
        block: Block,
        now: Duration,
    ) -> Option<u32> {
        let place = asked.position(|ask| ask.block() == block)?;
        let ask = asked.remove(place)?;
        let age = ask.at().age(now);
        if ask.step != Step::Sent {
            return None;
        }
        let short = u16::try_from(age).unwrap_or(u16::MAX);
        self.fastest = self.fastest.min(short);
        self.pace = self.pace.saturating_sub(self.pace / 4).saturating_add(short / 4);
        let late = short.saturating_sub(self.fastest);
        let used = asked.under_way() >= usize::from(self.window).saturating_sub(1);
        if late < PROMPT && used {
            self.window = self.window.saturating_add(1).min(self.reqq);
        } else if late > TARDY {
            self.window = self.window.saturating_sub(1).max(1);
        }
        Some(age)
    }

    /// Returns how many pieces in a row the peer gives in a time, judging by the best of two rounds.
    pub(super) fn run(&self, piece_len: u32, time: Duration) -> u32 {
        let [newest, before] = self.taken;
        let bytes = u128::from(newest.max(before)).saturating_mul(time.as_millis());
        let pieces = bytes.checked_div(ROUND.as_millis());
        let pieces = pieces.and_then(|bytes| bytes.checked_div(u128::from(piece_len)));
        let most = EXTENT.checked_div(piece_len).unwrap_or(0).max(1);
        u32::try_from(pieces.unwrap_or(0)).unwrap_or(most).min(most)
    }

    pub(crate) fn sent(&mut self, now: Duration) {
        self.sent_at = Stamp::of(now);
        self.flags.keepalive = false;
    }

    pub(super) fn peer(&self, requested: usize) -> Peer {
        Peer {
            conn: self.card.conn,
            peer_id: self.is_ready().then_some(self.peer_id),
            pieces: self.held,
            wanted: self.wanted,
            unchoked: self.card.unchoked,
            interested: self.card.interested,
            unchokes_us: self.flags.unchokes_us,
            snubbed: self.flags.snubbed,
            parole: self.flags.parole,
            fast: self.flags.fast,
            requested,
            window: usize::from(self.window),
            traffic: self.traffic,
        }
    }
}
