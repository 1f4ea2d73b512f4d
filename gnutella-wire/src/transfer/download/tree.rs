//! The Tiger tree of the file: where it is, how it is read, and what it replaces.

use super::event::{DownloadCloseReason, SourceFault};
use super::logic::{Core, Single};
use super::slots::{Phase, Status};
use super::tree_state::{BadTree, MAX_URI, NODE, Offer, Reader, Step, Tree};
use crate::error::DecodeError;
use crate::huge::TigerRoot;
use crate::thex::{BREADTH_FIRST, Node, Record};

impl Core<'_> {
    /// Remembers that a source has a tree, if one is needed.
    pub(super) fn offer_tree(&mut self, index: usize, uri: &[u8], root: TigerRoot) {
        let is_wanted = match self.state.root {
            Some(known) => known == root,
            None => self.state.sha1.is_some(), // which will prove or disprove the root
        };
        let Some(peer) = self.peer(index) else { return };
        let source = peer.id;
        let has_failed = peer.tree_failed;
        let mut offer = Offer { source, root, uri: [0; MAX_URI], uri_len: uri.len() };
        let Some(room) = offer.uri.get_mut(..uri.len()) else { return };
        room.copy_from_slice(uri);
        let is_needed = match &self.state.tree {
            Tree::None => true,
            Tree::Offered(offer) => !self.is_connected(offer.source),
            Tree::Fetching(..) | Tree::Known { .. } => false,
        };
        if is_wanted
            && is_needed
            && !has_failed
            && self.state.geometry.block_count > 1
            && self.state.single == Single::No
        {
            self.state.tree = Tree::Offered(offer);
        }
    }

    /// Returns whether the tree is to be asked for on this connection.
    pub(super) fn wants_tree_of(&mut self, index: usize) -> bool {
        let id = self.peer(index).map(|peer| peer.id);
        matches!(&self.state.tree, Tree::Offered(offer) if Some(offer.source) == id)
    }

    fn is_connected(&self, id: u32) -> bool {
        let mut peers = self.sources.iter().filter_map(|slot| slot.peer.as_ref());
        peers.any(|peer| peer.id == id && peer.conn().is_some())
    }

    pub(super) fn begin_tree(&mut self, index: usize) {
        if let Tree::Offered(offer) = self.state.tree {
            self.state.tree = Tree::Fetching(offer, Reader::new());
            self.release(index); // others may fetch those blocks meanwhile
        }
    }

    /// Prepares for a body that is nothing but nodes.
    pub(super) fn begin_raw_tree(&mut self, total: u64) -> Result<(), BadTree> {
        let size = self.state.geometry.size;
        let block_len = self.state.geometry.block_len;
        let Tree::Fetching(_, reader) = &mut self.state.tree else { return Err(BadTree) };
        reader.begin(size, block_len, total)
    }

    /// Handles bytes of the tree and returns how many were used. `is_end` means that none follow.
    pub(super) fn handle_tree(&mut self, bytes: &[u8], is_end: bool) -> Result<usize, BadTree> {
        if matches!(self.state.tree, Tree::Known { .. }) {
            return Ok(bytes.len()); // what follows the nodes
        }
        let Tree::Fetching(_, reader) = &mut self.state.tree else { return Err(BadTree) };
        let used = match reader.step {
            Step::RecordHeader => self.read_record(bytes)?,
            Step::Skip(left) => {
                let len = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                let left = left.saturating_sub(u64::try_from(len).unwrap_or(left));
                reader.step = if left == 0 { Step::RecordHeader } else { Step::Skip(left) };
                len
            }
            Step::Nodes(_) => self.read_nodes(bytes)?,
        };
        let is_known = matches!(self.state.tree, Tree::Known { .. });
        let ends_early = is_end && (used == 0 || used == bytes.len()) && !is_known;
        if ends_early { Err(BadTree) } else { Ok(used) }
    }

    fn read_record(&mut self, bytes: &[u8]) -> Result<usize, BadTree> {
        let size = self.state.geometry.size;
        let block_len = self.state.geometry.block_len;
        let Tree::Fetching(_, reader) = &mut self.state.tree else { return Err(BadTree) };
        let (record, rest) = match Record::decode(bytes) {
            Ok(decoded) => decoded,
            Err(DecodeError::Incomplete { .. }) => return Ok(0),
            Err(_) => return Err(BadTree),
        };
        if record.data_type == BREADTH_FIRST.as_bytes() && record.len % 24 == 0 {
            reader.begin(size, block_len, u64::from(record.len / 24))?;
        } else if record.padded_len() > 0 {
            reader.step = Step::Skip(record.padded_len());
        }
        Ok(bytes.len().saturating_sub(rest.len()))
    }

    /// Handles whole nodes only.
    fn read_nodes(&mut self, bytes: &[u8]) -> Result<usize, BadTree> {
        let (nodes, _) = bytes.as_chunks::<NODE>();
        let mut used = 0_usize;
        for node in nodes {
            used = used.saturating_add(NODE);
            if self.read_node(*node)? {
                break;
            }
        }
        Ok(used)
    }

    /// Returns whether the tree is complete.
    fn read_node(&mut self, node: Node) -> Result<bool, BadTree> {
        let Self { state, blocks, .. } = self;
        let Tree::Fetching(offer, reader) = &mut state.tree else { return Err(BadTree) };
        let Step::Nodes(left) = reader.step else { return Err(BadTree) };
        let left = left.saturating_sub(1);
        reader.step = Step::Nodes(left);
        if reader.upper > 0 {
            reader.upper = reader.upper.saturating_sub(1);
            return Ok(false);
        }
        reader.fold.push(node);
        if reader.fold.count().trailing_zeros() >= reader.row || left == 0 {
            let row = usize::try_from(reader.row).map_err(|_| BadTree)?;
            let node = reader.fold.last(row).ok_or(BadTree)?;
            let slot = blocks.get_mut(..state.geometry.block_count).ok_or(BadTree)?;
            slot.get_mut(reader.block).ok_or(BadTree)?.node = node;
            reader.block = reader.block.saturating_add(1);
        }
        if left > 0 {
            return Ok(false);
        }
        let is_right =
            reader.fold.root() == Some(offer.root.0) && reader.block == state.geometry.block_count;
        let source = offer.source;
        if !is_right {
            return Err(BadTree);
        }
        state.tree = Tree::Known { source };
        self.verify_written();
        Ok(true)
    }

    /// Compares what was received before with the new tree.
    fn verify_written(&mut self) {
        for block in 0..self.state.geometry.block_count {
            if let Some(slot) = self.block(block).filter(|slot| slot.status == Status::Written) {
                slot.status = Status::VerifyDue;
                self.state.verify_due = self.state.verify_due.saturating_add(1);
            }
        }
    }

    /// The source has no tree that can be used. It may still have the file.
    pub(super) fn refuse_tree(&mut self, index: usize) {
        if let Some(peer) = self.peer(index) {
            peer.tree_failed = true;
        }
        self.close(index, DownloadCloseReason::Malformed);
    }

    /// Forgets a tree that was being read on a connection that is over.
    pub(super) fn tree_interrupted(&mut self, index: usize) {
        let Some(peer) = self.peer(index) else { return };
        let id = peer.id;
        if self.state.tree.fetched_from() == Some(id) {
            self.state.tree = Tree::None;
            if let Some(peer) = self.peer(index) {
                peer.tree_failed = true;
            }
        }
    }

    /// Forgets the offer of a source that is given up.
    pub(super) fn withdraw_tree(&mut self, id: u32) {
        if matches!(&self.state.tree, Tree::Offered(offer) if offer.source == id) {
            self.state.tree = Tree::None;
        }
    }

    /// Drops a tree whose root a source announced, with that source, and takes back those that it
    /// disproved. Returns whether there was one.
    pub(super) fn distrust_tree(&mut self) -> bool {
        let Tree::Known { source } = self.state.tree else { return false };
        if self.state.root.is_some() {
            return false; // the application vouches for it
        }
        self.state.tree = Tree::None;
        self.discard_all();
        for slot in self.sources.iter_mut() {
            let Some(peer) = slot.peer.as_mut() else { continue };
            peer.tree_failed = true;
            if peer.phase == Phase::Lost(SourceFault::WrongBytes) && peer.id != source {
                peer.phase = Phase::Waiting;
                peer.event_due = false;
            }
        }
        self.state.is_dirty = true;
        if let Some(index) = self.find(source) {
            self.lose(index, SourceFault::WrongBytes);
        }
        true
    }
}
