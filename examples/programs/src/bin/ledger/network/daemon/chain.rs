//! The chain of a node: bodies are passed to it, its events are saved, and the mempool follows.

use examples::cli::{self, sentence};
use examples::rules::RuleError;
use examples::{report, warning};
use ledger_core::gossip::BlockVerdict;
use ledger_core::node::{Event, Progress, SnapshotSource};
use ledger_core::{Block, BlockId, Height, Slot};

use super::super::Network;
use super::super::db::Step;
use super::{Daemon, OWN};

/// A snapshot is saved after this many blocks.
const SNAPSHOT_INTERVAL: u64 = 16;

impl Daemon {
    /// Handles a block that this node has made.
    pub(in super::super) fn take_own_block(&mut self, bytes: &[u8]) -> cli::Result<()> {
        let (block, _) = Block::decode(bytes).map_err(sentence)?;
        let id = block.id(self.node.genesis_id());
        self.store.insert(id, (OWN, bytes.to_vec()));
        if let Err(refused) = self.node.handle_header(self.clock(), OWN, bytes) {
            warning!("a block of this node is refused: {refused}");
        }
        self.advance()
    }

    /// Lets the node follow the best branch, and fetches what it needs.
    pub(super) fn advance(&mut self) -> cli::Result<()> {
        let before = self.node.tip().id;
        loop {
            while self.node.work(1000) == Progress::Pending {}
            if let Some(event) = self.node.poll_event() {
                self.event(event)?;
            } else if !self.feed()? {
                break;
            }
        }
        if !self.steps.is_empty() {
            self.db.follow(&self.steps)?;
            self.steps.clear();
        }
        let tip = *self.node.tip();
        if tip.id != before {
            self.work = None;
        }
        // The state is that of the tip only while the node is not busy.
        let has_moved = tip.id != self.followed || !self.returned.is_empty();
        if has_moved && !self.node.is_busy() {
            self.followed = tip.id;
            while let Some(id) = self.returned.pop() {
                self.mempool_again(&id)?;
            }
            self.mempool.update(&self.node.state(), tip.height);
            self.waiting_since = self.clock();
            self.keep_snapshot()?;
        }
        let mut locator = [BlockId::default(); 31];
        let len = self.node.locator(&mut locator);
        self.gossip.handle_tip(self.clock(), &tip, &locator[..len]);
        Ok(())
    }

    fn event(&mut self, event: Event<RuleError>) -> cli::Result<()> {
        let now = self.clock();
        match event {
            Event::Keep { id, height } => {
                // From the file it is saved already.
                if let Some((_, bytes)) = self.store.remove(&id) {
                    self.db.keep(height.0, &id, &bytes)?;
                }
                self.node.handle_saved(now, &id);
            }
            Event::Connected { id, height } => {
                self.trace
                    .event(now, format_args!("event=connected height={height} block={id:.8}"));
                self.forget_transactions(&id)?;
                self.steps.push(Step::Connected(height.0, id));
                if !self.is_quiet {
                    report!("block {height} {id}");
                }
            }
            Event::Disconnected { id, height } => {
                self.trace
                    .event(now, format_args!("event=disconnected height={height} block={id:.8}"));
                self.steps.push(Step::Disconnected(height.0));
                self.returned.push(id);
            }
            Event::Invalid { id, conn, why } => {
                self.store.remove(&id);
                self.trace.event(now, format_args!("event=invalid conn={} block={id:.8}", conn.0));
                warning!("{conn} delivered an invalid block {id:.16}: {why}");
                self.gossip.handle_block_checked(now, conn, BlockVerdict::Invalid);
            }
            _ => {}
        }
        Ok(())
    }

    /// The transactions of a block are not announced any more.
    fn forget_transactions(&mut self, id: &BlockId) -> cli::Result<()> {
        let now = self.clock();
        let Some(bytes) = self.db.block(id)? else { return Ok(()) };
        let (block, _) = Block::decode(&bytes).map_err(sentence)?;
        for signed in block.body() {
            self.gossip.forget_transaction(now, &signed.id(self.node.genesis_id()));
        }
        Ok(())
    }

    /// The transactions of a block that was taken back wait again, and are announced.
    fn mempool_again(&mut self, id: &BlockId) -> cli::Result<()> {
        let Some(bytes) = self.db.block(id)? else { return Ok(()) };
        let (block, _) = Block::decode(&bytes).map_err(sentence)?;
        for signed in block.body() {
            let tip = self.node.tip().height;
            if self.mempool.insert(&signed, &self.node.state(), tip).is_ok() {
                let id = signed.id(self.node.genesis_id());
                self.gossip.announce_transaction(self.clock(), &id);
            }
        }
        Ok(())
    }

    /// Passes the body that is needed next to the node if it is here. Otherwise the peers are asked.
    fn feed(&mut self) -> cli::Result<bool> {
        let now = self.clock();
        let mut ids = [BlockId::default(); 16];
        let len = self.node.needed_ahead(&mut ids);
        if let Some(id) = self.node.needed() {
            let found = match self.store.get(&id) {
                Some(stored) => Some(stored.clone()),
                None => self.db.block(&id)?.map(|bytes| (OWN, bytes)),
            };
            if let Some((conn, bytes)) = found {
                let result = self.node.handle_block(now, conn, &bytes);
                let verdict = BlockVerdict::of(&self.node, &result);
                self.gossip.handle_block_checked(now, conn, verdict);
                if matches!(verdict, BlockVerdict::Accepted { .. }) {
                    return Ok(true);
                }
                self.store.remove(&id);
            }
        }
        let mut wanted: Vec<(Height, BlockId)> = Vec::new();
        for id in &ids[..len] {
            let is_here = self.store.contains_key(id) || self.db.block(id)?.is_some();
            if let (false, Some(tip)) = (is_here, self.node.tip_of(id)) {
                wanted.push((tip.height, *id));
            }
        }
        self.gossip.want_blocks(now, &wanted);
        self.store.retain(|id, _| ids[..len].contains(id));
        Ok(false)
    }

    /// Saves a snapshot now and then: the next start need not read all blocks.
    fn keep_snapshot(&mut self) -> cli::Result<()> {
        let tip = *self.node.final_tip();
        if tip.height.0 < self.snapshot_height + SNAPSHOT_INTERVAL {
            return Ok(());
        }
        let mut bytes = Vec::new();
        let written = self.node.snapshot(|part| {
            bytes.extend_from_slice(part);
            Ok::<_, core::convert::Infallible>(())
        });
        if written.is_ok() {
            self.db.keep_snapshot(&tip.id, &bytes)?;
            self.snapshot_height = tip.height.0;
            self.hand_out(&bytes);
        }
        Ok(())
    }

    /// Hands out a snapshot to nodes that join.
    pub(super) fn hand_out(&mut self, snapshot: &[u8]) {
        let rules = Network::rules();
        let slots = vec![Slot::EMPTY; rules.max_entries as usize];
        let source = SnapshotSource::new(self.node.genesis_id(), &rules, snapshot, slots);
        self.source = source.ok();
        let offer = self.source.as_ref().map(|source| (source.header().height, source.id()));
        self.gossip.offer_snapshot(self.clock(), offer);
    }
}
