//! What a torrent does when peers come and go, and pieces are checked.

use core::cmp::Reverse;
use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;

use heapless::Vec;

use super::hashes::Served;
use super::memory::{RegionsMut, bits_len};
use super::peer::{Address, Link, PeerSlot, Phase};
use super::queue::{RequestSlot, queues};
use super::time::ROUND;
use super::{Config, Event, NotVerifying, Padding, PieceCheck, Root, Side, Verdict};
use crate::error::ConnectError;
use crate::small::Stamp;
use crate::{
    Bitfield, Block, Choker, ConfigError, ConnId, Geometry, Holds, PieceHashes, PieceIndex,
    Priority, Want, picker,
};

/// The shortest span of the configuration: a deadline is later than the time that set it.
const SHORTEST: Duration = Duration::from_millis(1);
/// How many convicts a piece may have that are dealt with.
const CONVICTS: usize = 16;
/// Of how many convicts an event tells that went before.
const GONE: usize = 4;

/// All of a torrent but the memory.
#[derive(Debug, Clone)]
pub(crate) struct Core<'t> {
    pub(super) config: Config,
    pub(super) hashes: PieceHashes<'t>,
    pub(super) metadata: Option<Info<'t>>,
    pub(super) padding: &'t [Padding], // sorted by pieces
    pub(super) root: Option<Root>,     // of the one file of v2
    pub(super) served: Served<'t>,
    pub(super) picker: picker::State<'t>,
    pub(super) choker: Choker,
    pub(super) now: Duration, // the newest seen
    pub(super) cursor: u16,   // the peer slot whose turn to send it is
    pub(super) tempo: u32,    // what answers take of late, in milliseconds
    pub(super) next_round: Option<Duration>,
    pub(super) recheck: Option<Duration>, // when peers with nothing to do are asked for late blocks
    pub(super) generation: u32,           // of the picker, when all peers were last served
    complete: bool,                       // the event is due
    gone: Vec<ConnId, GONE, u8>,          // banned after they went; the events are due
}

/// The info dictionary that peers may fetch.
#[derive(Clone, Copy)]
pub(super) struct Info<'t>(pub(super) &'t [u8]);

/// Its length only: nothing here can change the caller's bytes, and they may be many.
impl fmt::Debug for Info<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Info({} bytes)", self.0.len())
    }
}

/// A torrent whose memory is borrowed: the logic, compiled once.
pub(crate) struct View<'v, 't> {
    pub(super) core: &'v mut Core<'t>,
    pub(super) regions: RegionsMut<'v>,
}

impl<'t> Core<'t> {
    pub(super) fn new(
        mut config: Config,
        geometry: Geometry<'t>,
        hashes: PieceHashes<'t>,
        have: Bitfield<&[u8]>,
        memory: RegionsMut<'_>,
    ) -> Result<Self, ConfigError> {
        let pieces = geometry.pieces();
        if hashes.len() != crate::geometry::slot(pieces) {
            return Err(ConfigError::Hashes { hashes: hashes.len(), pieces });
        }
        let peers_len = memory.peers.len();
        if peers_len > usize::from(u16::MAX) {
            return Err(ConfigError::TooManySlots(peers_len));
        }
        let needed = bits_len(pieces, peers_len);
        if memory.bits.len() < needed {
            return Err(ConfigError::Bits(needed));
        }
        let needed = peers_len.saturating_mul(2);
        if memory.requests.len() < needed {
            return Err(ConfigError::Requests(needed));
        }
        let RegionsMut { pieces: slots, rarest: _, partials, blocks, peers, bits, requests } =
            memory;
        let picker = picker::State::new(geometry, config.seed, have, slots, partials, blocks)?;
        peers.fill(PeerSlot::EMPTY);
        bits.fill(0);
        requests.fill(RequestSlot::EMPTY);
        bits.iter_mut().zip(have.as_bytes()).for_each(|(to, from)| *to = *from);
        for span in [&mut config.keep_alive, &mut config.patience, &mut config.silence] {
            *span = (*span).max(SHORTEST);
        }
        Ok(Self {
            config,
            hashes,
            metadata: None,
            padding: &[],
            root: root_of(geometry, hashes),
            served: Served::default(),
            choker: Choker::with_policy(config.choker, config.upload_slots, config.seed),
            now: Duration::ZERO,
            cursor: 0,
            tempo: 0,
            next_round: None,
            recheck: None,
            generation: picker.generation(),
            complete: false,
            gone: Vec::new(),
            picker,
        })
    }

    pub(super) fn is_complete(&self) -> bool {
        self.picker.have_count() == self.geometry().pieces()
    }

    pub(super) fn geometry(&self) -> Geometry<'t> {
        self.picker.geometry
    }

    pub(super) fn see(&mut self, now: Duration) {
        self.now = self.now.max(now);
    }
}

impl View<'_, '_> {
    pub(super) fn connected(
        &mut self,
        now: Duration,
        conn: ConnId,
        side: Side,
        taken: bool,
    ) -> Result<(), ConnectError> {
        if self.regions.peers.iter().any(|slot| slot.0.is(conn)) {
            return Err(ConnectError::InUse(conn));
        }
        let capacity = self.regions.peers.len();
        // The one whose last peer left first: others have been told so by now.
        let free = self.regions.peers.iter().enumerate().filter(|(_, slot)| !slot.0.is_used());
        let age = |slot: &PeerSlot| slot.0.exchanged_at.age(self.core.now.max(now));
        let free = free.min_by_key(|(_, slot)| Reverse(age(slot))).map(|(index, _)| index);
        let index = free.ok_or(ConnectError::Full { capacity })?;
        self.core.see(now);
        let now = self.core.now;
        let (completed, poses) = (self.core.picker.completed(), self.poses());
        let geometry = self.core.geometry();
        let (_, peers, bits, requests) = split(&mut self.core.picker, &mut self.regions);
        row(bits, geometry, index).fill(0);
        let (mut asked, mut uploads) = queues(requests, capacity, index);
        asked.clear();
        uploads.clear();
        if let Some(PeerSlot(link)) = peers.get_mut(index) {
            *link = Link::EMPTY;
            link.phase = Phase::Greeting;
            link.card.conn = conn;
            link.flags.dialled = side == Side::Dialled;
            // Whoever is taken over was greeted, and told that we have nothing.
            (link.flags.greeted, link.flags.announced) = (taken, taken);
            link.retell = (taken && !poses).then_some(0).into();
            link.flags.poses = poses;
            link.told = completed;
            let stamp = Stamp::of(now);
            (link.joined_at, link.heard_at, link.sent_at) = (stamp, stamp, stamp);
            (link.block_at, link.exchanged_at) = (stamp, stamp);
        }
        if self.core.next_round.is_none() {
            self.core.next_round = now.checked_add(ROUND);
        }
        Ok(())
    }

    pub(super) fn set_address(&mut self, conn: ConnId, addr: SocketAddr) -> bool {
        let index = self.live(conn);
        let link = index.and_then(|index| self.regions.peers.get_mut(index));
        if let Some(PeerSlot(link)) = link {
            link.addr = Address::new(addr, link.flags.dialled);
        }
        index.is_some()
    }

    pub(super) fn closed(&mut self, now: Duration, conn: ConnId) {
        self.core.see(now);
        if let Some(index) = self.live(conn) {
            self.part(index);
            let now = self.core.now;
            if let Some(PeerSlot(link)) = self.regions.peers.get_mut(index) {
                link.leave(now);
            }
            self.mend();
            self.settle(None);
        }
    }

    pub(super) fn check_piece(&mut self, piece: PieceIndex) -> Result<PieceCheck, NotVerifying> {
        let (picker, ..) = split(&mut self.core.picker, &mut self.regions);
        let checks = picker.is_checking(piece);
        if !checks {
            return Err(NotVerifying(piece));
        }
        let padding = Padding::bytes_of(self.core.padding, piece);
        let check = PieceCheck::new(self.core.geometry(), self.core.hashes, piece);
        Ok(check.with_padding(padding))
    }

    pub(super) fn keep(&mut self, block: Block) -> bool {
        let pads = self.core.padding;
        let padding = |piece| Padding::bytes_of(pads, piece);
        let want = Want { now: self.core.now, padding: &padding, ..Want::new() };
        let (mut picker, ..) = split(&mut self.core.picker, &mut self.regions);
        let kept = picker.keep(block, &want);
        self.settle(None);
        kept
    }

    pub(super) fn set_priority(&mut self, now: Duration, piece: PieceIndex, priority: Priority) {
        self.core.see(now);
        let (now, geometry) = (self.core.now, self.core.geometry());
        let (mut picker, peers, bits, _) = split(&mut self.core.picker, &mut self.regions);
        let before = picker.state.is_sought(picker.pieces, piece);
        picker.set_priority(piece, priority);
        let after = picker.state.is_sought(picker.pieces, piece);
        for (index, PeerSlot(link)) in peers.iter_mut().enumerate().filter(|_| before != after) {
            if link.is_ready() && holds(link, bits, geometry, index).has(piece) {
                if after { link.want(1, now) } else { link.lack() }
            }
        }
        self.settle(None);
    }

    pub(super) fn hashed(
        &mut self,
        now: Duration,
        piece: PieceIndex,
        passed: bool,
    ) -> Result<Verdict, NotVerifying> {
        let (mut picker, peers, bits, _) = split(&mut self.core.picker, &mut self.regions);
        if !picker.is_checking(piece) {
            return Err(NotVerifying(piece));
        }
        let geometry = picker.state.geometry;
        let mut convicts = Vec::<ConnId, CONVICTS>::new();
        let sought = picker.state.is_sought(picker.pieces, piece);
        for PeerSlot(link) in peers.iter_mut().filter(|slot| slot.0.is_ready()) {
            let conn = link.card.conn;
            let parole = link.flags.parole;
            link.flags.parole = if passed {
                parole && !picker.clears(piece, conn)
            } else {
                parole || picker.gave(piece, conn)
            };
        }
        if passed {
            picker.passed(piece, |conn| {
                if !convicts.contains(&conn) {
                    let _ = convicts.push(conn); // more than these are caught another time
                }
            });
            own(bits, geometry).set(piece);
            for (index, PeerSlot(link)) in peers.iter_mut().enumerate().filter(|_| sought) {
                if link.is_ready() && holds(link, bits, geometry, index).has(piece) {
                    link.lack();
                }
            }
            self.core.complete = self.core.is_complete();
        } else if let Some(sole) = picker.failed(piece).and_then(|failure| failure.sole) {
            let _ = convicts.push(sole);
        }
        self.core.see(now);
        for conn in convicts {
            self.ban(conn);
        }
        self.settle(None);
        Ok(if passed { Verdict::Passed } else { Verdict::Failed })
    }

    pub(super) fn event(&mut self) -> Option<Event> {
        let (mut picker, peers, _, _) = split(&mut self.core.picker, &mut self.regions);
        for PeerSlot(link) in peers.iter_mut() {
            let conn = link.card.conn;
            match link.phase {
                Phase::Arrived => {
                    link.phase = Phase::Ready;
                    return Some(Event::Ready { conn, peer_id: link.peer_id });
                }
                Phase::Banned => {
                    link.leave(self.core.now);
                    return Some(Event::Banned { conn });
                }
                Phase::Lost(reason) => {
                    link.leave(self.core.now);
                    return Some(Event::Lost { conn, reason });
                }
                Phase::Unused | Phase::Greeting | Phase::Ready => {}
            }
        }
        if let Some(piece) = picker.next_full() {
            return Some(Event::Verify { piece });
        }
        if let Some(piece) = picker.next_failed() {
            return Some(Event::PieceFailed { piece });
        }
        if let Some(piece) = picker.next_complete() {
            return Some(Event::PieceComplete { piece });
        }
        if self.core.complete {
            self.core.complete = false;
            return Some(Event::Complete);
        }
        self.core.gone.pop().map(|conn| Event::Banned { conn })
    }

    /// Returns the slot of a connection that is open.
    pub(super) fn live(&self, conn: ConnId) -> Option<usize> {
        self.regions.peers.iter().position(|slot| slot.0.is(conn) && slot.0.is_live())
    }

    /// Takes a peer out of all counts.
    pub(super) fn part(&mut self, index: usize) {
        let count = self.regions.peers.len();
        let (mut picker, peers, bits, requests) = split(&mut self.core.picker, &mut self.regions);
        let Some(PeerSlot(link)) = peers.get_mut(index) else { return };
        picker.count(&holds(link, bits, picker.state.geometry, index), false);
        picker.abandon(link.card.conn);
        let (mut asked, mut uploads) = queues(requests, count, index);
        asked.clear();
        uploads.clear();
    }

    fn ban(&mut self, conn: ConnId) {
        let live = self.live(conn);
        if let Some(index) = live {
            self.part(index);
            if let Some(PeerSlot(link)) = self.regions.peers.get_mut(index) {
                link.phase = Phase::Banned;
            }
            self.mend();
        } else if !self.regions.peers.iter().any(|slot| slot.0.is(conn)) {
            let _ = self.core.gone.push(conn); // the event is a courtesy
        }
        split(&mut self.core.picker, &mut self.regions).0.forget(conn);
    }

    pub(super) fn mend(&mut self) {
        self.core.choker.mend(self.regions.peers, |slot| slot.0.candidate());
    }
}

/// Returns the root of the one file of a v2 torrent.
fn root_of(geometry: Geometry<'_>, hashes: PieceHashes<'_>) -> Option<Root> {
    match hashes.layer().hashes() {
        _ if !geometry.files().is_empty() => None, // each has its own
        [] => None,
        _ => Some(Root(hashes.layer().root(geometry.full_piece_len()))),
    }
}

/// Borrows the picker beside the peers, their bits and their requests.
pub(super) fn split<'v, 't>(
    state: &'v mut picker::State<'t>,
    regions: &'v mut RegionsMut<'_>,
) -> (picker::View<'v, 't>, &'v mut [PeerSlot], &'v mut [u8], &'v mut [RequestSlot]) {
    let RegionsMut { pieces, rarest, partials, blocks, peers, bits, requests } = regions;
    (picker::View { state, pieces, rarest, partials, blocks }, peers, bits, requests)
}

/// Returns our own bits: the first row.
pub(super) fn own<'b>(bits: &'b mut [u8], geometry: Geometry<'_>) -> Bitfield<&'b mut [u8]> {
    let len = Bitfield::byte_len(geometry.pieces());
    Bitfield::trusted(geometry.pieces(), bits.get_mut(..len).unwrap_or_default())
}

/// Returns the bits of the peer in a slot.
pub(super) fn row<'b>(bits: &'b mut [u8], geometry: Geometry<'_>, index: usize) -> &'b mut [u8] {
    let len = Bitfield::byte_len(geometry.pieces());
    let start = len.saturating_mul(index.saturating_add(1));
    bits.get_mut(start..start.saturating_add(len)).unwrap_or_default()
}

/// Returns the pieces that the peer in a slot has.
pub(super) fn holds<'b>(
    link: &Link,
    bits: &'b [u8],
    geometry: Geometry<'_>,
    index: usize,
) -> Holds<'b> {
    if link.flags.seed {
        return Holds::All;
    }
    let len = Bitfield::byte_len(geometry.pieces());
    let start = len.saturating_mul(index.saturating_add(1));
    let row = bits.get(start..start.saturating_add(len)).unwrap_or_default();
    Holds::Some(Bitfield::trusted(geometry.pieces(), row))
}
