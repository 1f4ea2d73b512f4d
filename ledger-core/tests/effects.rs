//! Engines that depend on what transactions put before them: a header is judged by its branch only once that is executed.

mod common;

use common::driver::{NOW, PEER, Regions, limits, regions, with_headers};
use common::{GENESIS_TIME, key, rules, storage};
use ledger_core::gossip::{BlockVerdict, GossipConfig, Presync};
use ledger_core::ledger::{Context, Ledger};
use ledger_core::node::{Accepted, Event, HeaderFollower, Node, NodeConfig, Progress};
use ledger_core::state::{Effect, TransactionError, View};
use ledger_core::{
    Account, Action, Ancestry, Block, BlockError, Body, Chain, ChainSpec, Claim, ClaimKind, ConnId,
    Effects, Engine, Hash, Header, Height, Refused, Transaction, Weight,
};

/// Every record is a fact.
struct Court;

impl Ledger for Court {
    fn digest(&self) -> Hash {
        Hash::of(b"court")
    }

    fn apply(
        &self,
        _: &Context,
        view: &mut View<'_>,
        transaction: &Transaction<'_>,
    ) -> Result<(), TransactionError> {
        let Action::Record(_) = transaction.action else {
            return Err(TransactionError::UnknownLedger);
        };
        view.effect(Effect { kind: 1, subject: [0; 32], amount: 0 })
    }
}

/// A claim, or a proof where nothing is claimed, names the number of facts before its block.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Counting(u8);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the number of facts")]
struct Miscounted;

impl Engine for Counting {
    type Error = Miscounted;

    fn digest(&self) -> Hash {
        Hash::of(b"counting")
    }

    fn check(
        &self,
        _: &dyn Ancestry,
        header: &Header,
        proof: &[u8],
        _: u64,
    ) -> Result<Weight, Refused<Miscounted>> {
        let claimed = header.claim.as_bytes();
        let named = if claimed.is_empty() { proof } else { claimed };
        if named == [self.0] { Ok(Weight(1)) } else { Err(Refused::Invalid(Miscounted)) }
    }

    fn apply(&mut self, _: &Header, effects: &Effects) {
        self.0 += effects.as_slice().len() as u8;
    }

    fn depends_on_effects(&self) -> bool {
        true
    }
}

fn claim(facts: u8) -> Claim {
    Claim::new(ClaimKind::NONE, &[facts]).expect("one byte")
}

type TestNode = Node<Counting, Court, Regions>;

fn node() -> TestNode {
    let config = NodeConfig::new(3, 1);
    let storage = regions(limits(&config, 8));
    Node::new(&spec(), config, Counting(0), Court, storage).expect("it fits")
}

fn spec() -> ChainSpec<'static> {
    ChainSpec { name: "court", rules: rules(), time: GENESIS_TIME, allocation: &[] }
}

/// Three blocks, of which the first has a fact.
fn blocks() -> [Vec<u8>; 3] {
    let mut chain = Chain::new(&spec(), Counting(0), Court, storage(&rules())).expect("it fits");
    [1, 2, 3].map(|n| {
        let mut buf = [0; Transaction::MAX_LEN];
        let record = Transaction::new(key(0).account(), 0, Action::Record(b"guilty"));
        let record = record.sign(chain.genesis_id(), &key(0), &mut buf).expect("its own key");
        let bytes = if n == 1 { record.as_bytes() } else { &[] };
        let body = Body::from_bytes(bytes).expect("a transaction or none");
        let facts = u8::from(n > 1);
        let header = chain.propose(GENESIS_TIME + n, Account::default(), &body, claim(facts));
        let block = Block::new(header.expect("valid"), &[], body).expect("its body");
        let mut out = vec![0; block.encoded_len()];
        block.encode(&mut out).expect("encoded_len suffices");
        chain.append(GENESIS_TIME + n, &out).expect("valid");
        out
    })
}

fn execute(node: &mut TestNode, block: &[u8]) {
    node.handle_block(NOW, PEER, block).expect("valid");
    while node.work(100) == Progress::Pending {}
    while let Some(event) = node.poll_event() {
        if let Event::Keep { id, .. } = event {
            node.handle_saved(NOW, &id);
        }
    }
}

/// The peer is honest: the node cannot know the facts before it has executed the block.
#[test]
fn a_header_is_not_refused_for_good_before_its_branch_is_executed() {
    let [first, second, third] = blocks();
    let mut node = node();
    assert!(matches!(node.handle_header(NOW, PEER, &first), Ok(Accepted::Header { .. })));
    let answer = node.handle_header(NOW, PEER, &second);
    assert_eq!(answer, Err(Refused::NotYet { at: NOW.as_secs() }));
    assert_eq!(BlockVerdict::of(&node, &answer), BlockVerdict::NotYet);
    execute(&mut node, &first);
    assert!(matches!(node.handle_header(NOW, PEER, &second), Ok(Accepted::Header { .. })));
    assert!(matches!(node.handle_header(NOW, PEER, &third), Ok(Accepted::Header { .. })));
    execute(&mut node, &second);
    execute(&mut node, &third);
    assert_eq!(node.tip().height, Height(3));
    // After an executed block the engine knows all facts.
    let mut header = *Block::decode(&third).expect("a block").0.header();
    header.claim = claim(0);
    header.parent = node.tip().id;
    header.height = Height(4);
    header.time += 1;
    header.history = node
        .propose(header.time, Account::default(), &Body::default(), claim(1))
        .expect("empty")
        .history;
    let wrong = Block::new(header, &[], Body::default()).expect("empty");
    let mut bytes = [0; 256];
    let len = wrong.encode(&mut bytes).expect("it fits");
    let miscounted = Refused::Invalid(BlockError::Engine(Miscounted));
    assert_eq!(node.handle_header(NOW, PEER, &bytes[..len]), Err(miscounted));
}

#[test]
fn headers_that_are_not_stored_accuse_nobody_either() {
    let blocks = blocks();
    let mut node = node();
    let mut follower = HeaderFollower::new(&node, Height(1));
    let verdict = with_headers(&blocks, false, |headers| follower.handle_headers(NOW, headers));
    assert_eq!(verdict, Some(BlockVerdict::NotYet));
    let mut config = GossipConfig::new(*node.genesis_id(), 1 << 16, 7);
    config.min_weight = Weight(10);
    let mut presync = Presync::new(&config);
    let verdict =
        with_headers(&blocks, true, |headers| presync.handle_headers(&mut node, NOW, headers));
    assert_eq!(verdict, Some(BlockVerdict::NotYet));
}

/// The id does not cover the proof. What somebody sends with a proof that holds only as long as nothing is executed does not
/// keep the same block with the right proof out.
#[test]
fn a_proof_that_holds_no_more_condemns_no_block() {
    let [first, ..] = blocks();
    let mut chain = Chain::new(&spec(), Counting(0), Court, storage(&rules())).expect("it fits");
    chain.append(GENESIS_TIME + 1, &first).expect("valid");
    let body = Body::default();
    let header = chain.propose(GENESIS_TIME + 2, Account::default(), &body, Claim::NONE);
    let header = header.expect("empty");
    let with = |facts| {
        let proof = [facts];
        let block = Block::new(header, &proof, body).expect("empty");
        let mut out = vec![0; block.encoded_len()];
        block.encode(&mut out).expect("encoded_len suffices");
        out
    };
    let [stale, right] = [with(0), with(1)];
    let mut node = node();
    for header in [&first, &stale] {
        assert!(matches!(node.handle_header(NOW, PEER, header), Ok(Accepted::Header { .. })));
    }
    execute(&mut node, &first);
    let liar = ConnId(66);
    node.handle_block(NOW, liar, &stale).expect("it is not known yet");
    while node.work(100) == Progress::Pending {}
    let event = core::iter::from_fn(|| node.poll_event()).find(|event| {
        matches!(event, Event::Invalid { conn, why: BlockError::Engine(Miscounted), .. } if *conn == liar)
    });
    assert!(event.is_some(), "who delivered it is to blame");
    execute(&mut node, &right);
    assert_eq!(node.tip().height, Height(2));
}
