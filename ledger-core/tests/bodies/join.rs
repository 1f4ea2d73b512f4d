//! Joining a chain: headers beside a naive model, and chunks of a state beside the snapshot that they are made of.

use core::time::Duration;
use std::sync::OnceLock;

use ledger_core::gossip::{BlockVerdict, Headers, HeadersWriter, Message};
use ledger_core::ledger::Standard;
use ledger_core::node::{HeaderFollower, Join, SnapshotSource};
use ledger_core::{BlockId, Height, MerkleTree, SealedHeader, Slot};
use sim::laws::Input;

use super::node::{
    Open, Storage, TIME, blocks, genesis, node_with, snapshot_after, with_spec, written,
};

const FIRST: core::ops::Range<usize> = 0..5; // of the blocks: the branch of the snapshot
const SECOND: core::ops::Range<usize> = 7..11; // another one

/// Calls `act` with a message of any headers of the tree of blocks, of which one byte may be changed.
pub(super) fn with_any_headers(input: &mut Input<'_>, act: impl FnOnce(&Headers<'_>)) {
    let mut out = vec![0; 2000];
    let mut writer = HeadersWriter::new(&mut out).expect("long enough");
    for _ in 0..input.below(4) {
        writer.push(&blocks()[input.below(blocks().len())]);
    }
    let len = writer.finish(input.below(2) == 0);
    if input.below(4) == 0 {
        out[usize::from(input.u16()) % len] ^= input.byte();
    }
    if let Ok((Message::Headers(headers), _)) = Message::decode(&out[..len]) {
        act(&headers);
    }
}

/// Returns the headers of a message.
pub(super) fn decoded<'a>(headers: &Headers<'a>) -> Vec<SealedHeader<'a>> {
    let decode = |bytes| SealedHeader::decode(bytes).expect("it was checked").0;
    headers.iter().map(decode).collect()
}

/// All that is known of a branch.
struct Branch {
    ids: Vec<BlockId>,
    times: Vec<u64>,
    weights: Vec<u128>, // of all blocks up to this one
}

impl Branch {
    fn new() -> Self {
        Self { ids: vec![genesis().block_id()], times: vec![TIME], weights: vec![0] }
    }

    fn height(&self) -> u64 {
        self.ids.len() as u64 - 1
    }

    fn last(&self) -> BlockId {
        self.ids[self.ids.len() - 1]
    }

    /// Adds a header, or returns what the rules say against it, in their order.
    fn add(&mut self, sealed: &SealedHeader<'_>, now: u64) -> Result<(), BlockVerdict> {
        let header = &sealed.header;
        if header.parent != self.last() {
            return Err(BlockVerdict::Orphan);
        }
        let leaves: Vec<_> = self.ids.iter().map(|id| MerkleTree::leaf(id.as_bytes())).collect();
        let mut times = self.times[self.times.len().saturating_sub(11)..].to_vec();
        times.sort_unstable();
        let fits = header.height.0 == self.height() + 1
            && header.history == MerkleTree::root_of(&leaves)
            && header.time > times[times.len() / 2];
        let [weight] = *header.claim.as_bytes() else { return Err(BlockVerdict::Invalid) };
        if !fits || !sealed.proof.is_empty() {
            return Err(BlockVerdict::Invalid);
        }
        if header.time > now {
            return Err(BlockVerdict::NotYet);
        }
        self.ids.push(header.id(&genesis()));
        self.times.push(header.time);
        self.weights.push(self.weights[self.weights.len() - 1] + u128::from(weight));
        Ok(())
    }

    /// Adds the headers of a message that are higher than the last one.
    fn add_all(&mut self, headers: &Headers<'_>, now: u64) -> Option<BlockVerdict> {
        let before = self.height();
        for sealed in decoded(headers) {
            if sealed.header.height.0 > self.height()
                && let Err(verdict) = self.add(&sealed, now)
            {
                return Some(verdict);
            }
        }
        let goes_on = headers.has_more() && self.height() > before;
        goes_on.then_some(BlockVerdict::Weighed { after: self.last() })
    }
}

/// A follower answers as a list of all headers does, whatever comes, and gives out the block of the snapshot as soon as it
/// is deep enough.
pub fn headers(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let target = input.below(5) as u64;
    let mut follower = HeaderFollower::new(&node_with(2, 0), Height(target));
    let mut branch = Branch::new();
    for _ in 0..16 {
        if input.is_empty() {
            break;
        }
        let now = TIME + u64::from(input.byte() % 64);
        let depth = u32::from(input.byte() % 4);
        with_any_headers(&mut input, |headers| {
            let verdict = follower.handle_headers(Duration::from_secs(now), headers);
            assert_eq!(verdict, branch.add_all(headers, now));
        });
        assert_eq!(follower.tip().id, branch.last());
        assert_eq!(follower.tip().height.0, branch.height());
        assert_eq!(Some(&follower.tip().weight.0), branch.weights.last());
        let base = follower.base(depth).map(|base| *base.tip());
        let is_deep = target > 0 && branch.height() >= target + u64::from(depth);
        assert_eq!(base.is_some(), is_deep);
        if let Some(tip) = base {
            assert_eq!(tip.id, branch.ids[target as usize]);
            assert_eq!(tip.time, branch.times[target as usize]);
            assert_eq!(tip.weight.0, branch.weights[target as usize]);
        }
    }
}

type Source = SnapshotSource<Vec<Slot>>;

fn snapshot() -> &'static Vec<u8> {
    static SNAPSHOT: OnceLock<Vec<u8>> = OnceLock::new();
    SNAPSHOT.get_or_init(|| snapshot_after(&blocks()[FIRST]))
}

/// The source of the state that is joined, and one of another state.
fn sources() -> &'static [Source; 2] {
    static SOURCES: OnceLock<[Source; 2]> = OnceLock::new();
    SOURCES.get_or_init(|| {
        [snapshot().clone(), snapshot_after(&blocks()[SECOND])].map(|snapshot| {
            let slots = vec![Slot::EMPTY; 8];
            let source =
                with_spec(|spec| SnapshotSource::new(&genesis(), &spec.rules, &snapshot, slots));
            source.expect("its own snapshot")
        })
    })
}

fn new_join() -> Join<Open, Standard, Storage> {
    let node = node_with(2, 0);
    let source = &sources()[0];
    let mut follower = HeaderFollower::new(&node, source.header().height);
    let mut out = vec![0; 2000];
    let mut writer = HeadersWriter::new(&mut out).expect("long enough");
    blocks()[FIRST].iter().for_each(|block| assert!(writer.push(block)));
    let len = writer.finish(false);
    let Ok((Message::Headers(headers), _)) = Message::decode(&out[..len]) else {
        panic!("it was encoded")
    };
    follower.handle_headers(Duration::from_secs(TIME + 100), &headers);
    let base = follower.base(2).expect("it is deep enough");
    assert_eq!(base.tip().id, source.id());
    Join::new(node, base)
}

/// Whatever chunks come from whomever, a refused one leaves no trace, and an honest source completes the state.
pub fn chunks(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut sources = sources().clone();
    let mut join = new_join();
    for _ in 0..24 {
        let (false, Some(next)) = (input.is_empty(), join.next_key()) else { break };
        let chunk = any_chunk(&mut input, &mut sources, next);
        let before = join.clone();
        match join.handle_chunk(&chunk) {
            Ok(()) => assert!(join.len() > before.len()),
            Err(error) => assert!(join == before, "changed by a chunk that is refused: {error}"),
        }
    }
    let mut out = [0; 700];
    while let Some(next) = join.next_key() {
        assert!(join.clone().into_node().is_none());
        let len = sources[0].chunk(&next, &mut out).expect("room").expect("there are more");
        join.handle_chunk(&out[..len]).expect("nothing wrong was kept");
    }
    let mut node = join.into_node().expect("complete");
    assert_eq!(&written(&mut node), snapshot());
}

/// A chunk of any length of one of the sources, changed here and there, or any bytes.
fn any_chunk(
    input: &mut Input<'_>,
    sources: &mut [Source; 2],
    next: ledger_core::state::Key,
) -> Vec<u8> {
    let source = &mut sources[usize::from(input.below(4) == 0)];
    let mut from = *next.as_bytes();
    if input.below(4) == 0 {
        from[0] = input.byte();
    }
    let from = ledger_core::state::Key::from_bytes(from);
    let mut chunk = vec![0; 150 + usize::from(input.byte()) * 3];
    let len = source.chunk(&from, &mut chunk).ok().flatten().unwrap_or(0);
    chunk.truncate(len);
    for _ in 0..input.below(4) {
        let at = usize::from(input.u16()) % (chunk.len() + 1);
        match input.below(4) {
            0 => chunk.truncate(at),
            1 => chunk.splice(at..at, input.bytes(40).iter().copied()).for_each(drop),
            _ if at < chunk.len() => chunk[at] ^= input.byte(),
            _ => {}
        }
    }
    chunk
}
