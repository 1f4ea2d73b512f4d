//! The headers of a peer that are weighed before any of them is stored, as in Bitcoin Core pull request 25717.
//!
//! A header costs its maker next to nothing if it weighs next to nothing. So headers on a light branch are checked and
//! forgotten. Of each only one bit of a keyed hash is remembered. When the branch is heavy enough, its headers are
//! downloaded again, compared with the bits, and stored.

use core::time::Duration;

use super::commitments::Commitments;
use super::config::GossipConfig;
use super::headers::Headers;
use super::types::BlockVerdict;
use crate::block::SealedHeader;
use crate::branch::HeaderBranch;
use crate::engine::{Engine, Tip, Weight};
use crate::hash::BlockId;
use crate::ledger::Ledger;
use crate::node::{Node, NodeStorage};

/// Weighs the headers of one peer. One for each connection; its memory is constant, however many headers come.
///
/// A branch is heavy enough if it weighs as much as the chain of the node and as
/// [`GossipConfig::min_weight`].
///
/// | stage | headers | ends |
/// |---|---|---|
/// | none | that continue a branch that is heavy enough are stored | with a branch that is lighter at the end of a message |
/// | weighing | are checked; one bit of each is remembered | when the branch is heavy enough, or ends |
/// | downloading again | are compared with the bits and stored | with the last header that was weighed, or one that differs |
///
/// ```
/// use core::time::Duration;
/// use ledger_core::gossip::{
///     BlockVerdict, Gossip, GossipStorage, Headers, Presync,
/// };
/// use ledger_core::ledger::Ledger;
/// use ledger_core::node::{Node, NodeStorage};
/// use ledger_core::{ConnId, Engine};
///
/// /// Handles the headers of a peer.
/// fn headers<E: Engine, L: Ledger, N: NodeStorage, G: GossipStorage>(
///     presync: &mut Presync<E>, // of this connection
///     node: &mut Node<E, L, N>,
///     gossip: &mut Gossip<G>,
///     now: Duration,
///     conn: ConnId,
///     headers: &Headers<'_>,
/// ) {
///     if let Some(verdict) = presync.handle_headers(node, now, headers) {
///         gossip.handle_header_checked(now, conn, verdict);
///         return;
///     }
///     for header in headers {
///         let result = node.handle_header(now, conn, header);
///         let verdict = BlockVerdict::of(node, &result);
///         gossip.handle_header_checked(now, conn, verdict);
///         if !matches!(verdict, BlockVerdict::Accepted { .. }) {
///             break;
///         }
///     }
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presync<E> {
    min_weight: Weight,
    max_headers: u32,
    seed: u64,
    weighed: u32, // headers of branches that were not heavy enough so far
    stage: Stage<E>,
}

#[expect(clippy::large_enum_variant, reason = "there is one a peer, and no heap to put it on")]
#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage<E> {
    None,
    Weighing(Weighing<E>),
    Again(Again),
}

/// A branch of which no header is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Weighing<E> {
    start: BlockId,
    branch: HeaderBranch<E>,
    commitments: Commitments,
}

/// A branch that is downloaded for the second time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Again {
    commitments: Commitments,
}

impl<E: Engine> Presync<E> {
    /// Creates one for a new connection.
    #[must_use]
    pub const fn new(config: &GossipConfig) -> Self {
        Self {
            min_weight: config.min_weight,
            max_headers: config.max_presync_headers,
            seed: config.seed,
            weighed: 0,
            stage: Stage::None,
        }
    }

    /// Returns whether headers are weighed or downloaded again.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        !matches!(self.stage, Stage::None)
    }

    /// Weighs the headers of a message. Returns `None` if they are to be stored: pass each one to
    /// [`Node::handle_header`]. Otherwise pass the verdict to
    /// [`Gossip::handle_header_checked`](super::Gossip::handle_header_checked), and the headers to nobody.
    pub fn handle_headers<L: Ledger, S: NodeStorage>(
        &mut self,
        node: &mut Node<E, L, S>,
        now: Duration,
        headers: &Headers<'_>,
    ) -> Option<BlockVerdict> {
        if headers.is_empty() && matches!(self.stage, Stage::Weighing(_)) {
            return Some(self.give_up());
        }
        let genesis = *node.genesis_id();
        let is_unknown =
            |sealed: &SealedHeader<'_>| node.tip_of(&sealed.header.id(&genesis)).is_none();
        let first = decoded(headers).find(is_unknown)?;
        if let Stage::Again(again) = self.stage {
            if again.commitments.covers(first.header.height.0) {
                return self.compare(&again, node, headers);
            }
            self.stage = Stage::None;
        }
        let bar = self.min_weight.max(node.tip().weight);
        let parent = first.header.parent;
        let (mut weighing, is_new) = match &self.stage {
            Stage::Weighing(weighing) if weighing.branch.end.tip.id == parent => {
                (weighing.clone(), false)
            }
            _ => {
                self.stage = Stage::None;
                // Without a parent it is for the node to keep or refuse.
                let known = node.tip_of(&parent)?;
                if known.weight >= bar {
                    return None;
                }
                (Weighing::new(node.branch_after(&parent)?, self.seed), true)
            }
        };
        let height = weighing.branch.end.tip.height.0;
        for sealed in decoded(headers).filter(|sealed| sealed.header.height.0 > height) {
            match weighing.branch.add(&sealed, now.as_secs()) {
                Ok(id) => weighing.commitments.push(&id),
                Err(refused) => return Some(BlockVerdict::of_refused(&refused)),
            }
        }
        let Tip { id: after, height: end, weight, .. } = weighing.branch.end.tip;
        let count = end.0.saturating_sub(height);
        let is_heavy = weight >= bar;
        if is_heavy && is_new {
            return None;
        }
        self.weighed = self.weighed.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
        if is_heavy {
            let is_known = node.tip_of(&weighing.start).is_some();
            let after = if is_known { weighing.start } else { node.tip().id };
            self.stage = Stage::Again(Again { commitments: weighing.commitments });
            return Some(BlockVerdict::Weighed { after });
        }
        if count == 0 || !headers.has_more() || self.weighed > self.max_headers {
            return Some(self.give_up());
        }
        self.stage = Stage::Weighing(weighing);
        Some(BlockVerdict::Weighed { after })
    }

    /// Compares headers with those that were weighed.
    fn compare<L: Ledger, S: NodeStorage>(
        &mut self,
        again: &Again,
        node: &Node<E, L, S>,
        headers: &Headers<'_>,
    ) -> Option<BlockVerdict> {
        let genesis = node.genesis_id();
        let mut last = 0;
        for sealed in decoded(headers) {
            let id = sealed.header.id(genesis);
            last = sealed.header.height.0;
            if node.tip_of(&id).is_none() && !again.commitments.allows(last, &id) {
                return Some(self.give_up());
            }
        }
        if last >= again.commitments.end() {
            self.stage = Stage::None;
            self.weighed = 0;
        }
        None
    }

    fn give_up(&mut self) -> BlockVerdict {
        self.stage = Stage::None;
        BlockVerdict::Light { headers: core::mem::take(&mut self.weighed) }
    }
}

impl<E: Engine> Weighing<E> {
    fn new(branch: HeaderBranch<E>, seed: u64) -> Self {
        let tip = &branch.end.tip;
        Self { start: tip.id, commitments: Commitments::new(seed, tip.height.0), branch }
    }
}

fn decoded<'a>(headers: &Headers<'a>) -> impl Iterator<Item = SealedHeader<'a>> {
    headers.iter().filter_map(|bytes| SealedHeader::decode(bytes).ok()).map(|(sealed, _)| sealed)
}
