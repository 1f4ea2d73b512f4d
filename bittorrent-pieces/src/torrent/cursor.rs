//! A torrent whose storage is borrowed, and the cursor for one of its peers.

use core::time::Duration;

use super::config::Config;
use super::content::TorrentContent;
use super::inner::{Core, Swarm};
use super::padding::Padding;
use super::peer::PeerState;
use super::queue::{Queue, share};
use super::refills::Refills;
use super::storage::TorrentParts;
use super::trees::{Root, Trees};
use crate::bitfield::Bitfield;
use crate::block::Block;
use crate::conn_index;
use crate::geometry::Geometry;
use crate::id::ConnId;
use crate::picker::{self, PeerPieces};

/// A torrent whose storage is borrowed: the logic, compiled once.
pub(crate) struct View<'v> {
    pub(super) core: &'v mut Core,
    pub(super) parts: TorrentParts<'v>,
    pub(super) refills: Refills,
}

/// One peer with all that belongs to it, and what it shares with the others.
pub(super) struct PeerMut<'p> {
    pub(super) state: &'p mut PeerState,
    pub(super) requests: Queue<'p>,  // ours
    pub(super) uploads: Queue<'p>,   // the peer's
    pub(super) pieces: &'p mut [u8], // its bitfield
    pub(super) picker: picker::View<'p>,
    pub(super) content: &'p TorrentContent<'p>,
    pub(super) config: &'p Config,
    pub(super) root: &'p Option<Root>,
    pub(super) swarm: &'p mut Swarm,
    pub(super) ours: Bitfield<&'p [u8]>,
    pub(super) now: Duration,
}

impl View<'_> {
    /// Returns the cursor for the peer in a slot, which is scheduled anew at the end of the call.
    pub(super) fn peer(&mut self, index: usize) -> Option<PeerMut<'_>> {
        self.touch(index);
        self.quiet_peer(index)
    }

    /// Returns the cursor for a peer whose requests, messages and deadlines are not changed, or that is touched later.
    pub(super) fn quiet_peer(&mut self, index: usize) -> Option<PeerMut<'_>> {
        let share = share(self.parts.requests.len(), self.parts.peers.len(), index);
        let len = Bitfield::byte_len(self.parts.content.geometry.pieces());
        let parts = &mut self.parts;
        let (ours, bits) = parts.bits.split_at_mut_checked(len)?;
        let start = len.saturating_mul(index);
        let (requests, uploads) = Queue::both(parts.requests.get_mut(share)?);
        Some(PeerMut {
            state: &mut parts.peers.get_mut(index)?.state,
            requests,
            uploads,
            pieces: bits.get_mut(start..start.saturating_add(len))?,
            picker: picker::View {
                state: &mut self.core.picker,
                geometry: parts.content.geometry,
                pieces: parts.pieces,
                rarest: parts.rarest,
                partials: parts.partials,
                blocks: parts.blocks,
            },
            content: &parts.content,
            config: &self.core.config,
            root: &self.core.root,
            swarm: &mut self.core.swarm,
            ours: Bitfield::trusted(parts.content.geometry.pieces(), ours),
            now: self.core.now,
        })
    }

    /// Returns the [`quiet_peer`](Self::quiet_peer) in a slot if its handshake is done. Its parts are not looked up otherwise:
    /// most slots may be unused.
    pub(super) fn open_peer(&mut self, index: usize) -> Option<PeerMut<'_>> {
        let is_open = self.state(index).is_some_and(PeerState::is_open);
        if is_open { self.quiet_peer(index) } else { None }
    }

    /// Returns the picker with its regions.
    pub(super) fn picker(&mut self) -> picker::View<'_> {
        picker::View {
            state: &mut self.core.picker,
            geometry: self.parts.content.geometry,
            pieces: self.parts.pieces,
            rarest: self.parts.rarest,
            partials: self.parts.partials,
            blocks: self.parts.blocks,
        }
    }

    /// Returns the state of the peer in a slot.
    pub(super) fn state(&self, index: usize) -> Option<&PeerState> {
        self.parts.peers.get(index).map(|slot| &slot.state)
    }

    /// Returns the slot of a connection that has one.
    pub(super) fn find(&self, conn: ConnId) -> Option<usize> {
        conn_index::find(self.parts.peers, conn)
    }

    /// Returns the slot of a connection that is not closed.
    pub(super) fn find_live(&self, conn: ConnId) -> Option<usize> {
        self.find(conn).filter(|index| self.state(*index).is_some_and(PeerState::is_live))
    }

    pub(super) fn geometry(&self) -> Geometry<'_> {
        self.parts.content.geometry
    }

    /// Returns the pieces of the peer in a slot.
    pub(super) fn pieces_of(&self, index: usize) -> Option<PeerPieces<'_>> {
        let len = Bitfield::byte_len(self.geometry().pieces());
        let start = len.saturating_mul(index.saturating_add(1));
        let bits = self.parts.bits.get(start..start.saturating_add(len))?;
        Some(peer_pieces(self.state(index)?, bits, self.geometry()))
    }

    /// Returns our own bitfield.
    pub(super) fn our_pieces(&mut self) -> Bitfield<&mut [u8]> {
        let pieces = self.geometry().pieces();
        let bits = self.parts.bits.get_mut(..Bitfield::byte_len(pieces));
        Bitfield::trusted(pieces, bits.unwrap_or_default())
    }
}

impl PeerMut<'_> {
    pub(super) fn geometry(&self) -> Geometry<'_> {
        self.content.geometry
    }

    /// Adds the pieces of the peer to the counts of the picker, or removes them.
    pub(super) fn count_pieces(&mut self, joins: bool) {
        let theirs = peer_pieces(self.state, self.pieces, self.content.geometry);
        self.picker.count(&theirs, joins);
    }

    /// Returns whether the peer has everything.
    pub(super) fn is_complete(&self) -> bool {
        self.picker.state.have_count() == self.content.geometry.pieces()
    }

    /// Returns how many bytes of padding belong to a block of the peer without being sent: over version 2 there is no
    /// padding.
    pub(super) fn padding_behind(&self, block: Block) -> u32 {
        if !self.state.flags.version2() {
            return 0;
        }
        Padding::behind(self.content.padding, self.content.geometry, block)
    }

    /// Returns a block as it is requested of the peer: over version 2 without padding.
    pub(super) fn as_requested(&self, block: Block) -> Block {
        if !self.state.flags.version2() {
            return block;
        }
        let padded = Padding::in_block(self.content.padding, self.content.geometry, block);
        Block { len: block.len.saturating_sub(padded), ..block }
    }

    pub(super) fn trees(&self) -> Trees<'_> {
        Trees { content: self.content, root: self.root }
    }
}

/// Returns the pieces of a peer, from its state and its bitfield.
pub(super) fn peer_pieces<'b>(
    state: &PeerState,
    bits: &'b [u8],
    geometry: Geometry<'_>,
) -> PeerPieces<'b> {
    if state.flags.seed() {
        return PeerPieces::All;
    }
    PeerPieces::Some(Bitfield::trusted(geometry.pieces(), bits))
}
