//! `ledger node --snapshot`: a new node that takes the state after a block that is deep enough, instead of all blocks.
//!
//! All headers of each node that hands out a snapshot are checked, and the heaviest chain is joined. Each chunk of the state
//! is verified as it comes: a node that sends a wrong one is left out, and the next one goes on.

use core::net::SocketAddr;
use core::time::Duration;
use std::path::Path;

use examples::cli::{self, sentence};
use examples::random::random;
use examples::{progress, report, warning};
use ledger_core::gossip::{BlockVerdict, SnapshotPlace};
use ledger_core::ledger::Standard;
use ledger_core::node::{HeaderFollower, Join, JoinBase, Node, NodeLimits, NodeVec};
use ledger_core::{BlockId, SealedHeader};

use super::client::{Client, headers_of};
use super::db::Db;
use super::rule::Rule;
use super::{DEPTH, Network};
use crate::store::unix_time;

/// The longest chain that can be joined.
const MAX_HEADERS: usize = 1 << 20;

type NewNode = Node<Rule, Standard, NodeVec>;

/// The headers of a node, up to the block whose state it hands out.
struct Candidate {
    client: Client,
    base: JoinBase<Rule>,
    headers: Vec<(BlockId, Vec<u8>)>,
    weight: ledger_core::Weight, // of all its headers
}

/// Fills the file of a new node. One that has blocks is left as it is.
pub fn join(network: &Network, file: &Path, own: SocketAddr) -> cli::Result<()> {
    let new = || new_node(network);
    let genesis = *new()?.genesis_id();
    let db = Db::open(file, &genesis)?;
    if !db.is_new()? {
        return Ok(());
    }
    let mut candidates = Vec::new();
    for address in network.nodes.iter().filter(|address| **address != own) {
        let followed =
            Client::connect(network, *address, genesis).and_then(|client| follow(&new()?, client));
        match followed {
            Ok(candidate) => candidates.push(candidate),
            Err(error) => warning!("{error}"),
        }
    }
    candidates.sort_by_key(|candidate| core::cmp::Reverse(candidate.weight));
    let Some(best) = candidates.first() else {
        return Err("no node hands out a snapshot; start without --snapshot".into());
    };
    let block = best.base.tip().id;
    let headers = best.headers.clone();
    let mut join = Join::new(new()?, best.base.clone());
    candidates.retain(|candidate| candidate.base.tip().id == block);
    for candidate in &mut candidates {
        match collect(&mut candidate.client, &mut join) {
            Ok(()) => break,
            Err(error) => warning!("{error}"),
        }
    }
    let entries = join.len();
    let mut node = join.into_node().ok_or("no node has sent the whole state")?;
    let mut snapshot = Vec::new();
    let written = node.snapshot(|piece| {
        snapshot.extend_from_slice(piece);
        Ok::<_, core::convert::Infallible>(())
    });
    written.map_err(sentence)?;
    db.keep_joined(&headers, &snapshot)?;
    report!("joined at block {} {block} with {entries} entries", node.tip().height);
    Ok(())
}

fn new_node(network: &Network) -> cli::Result<NewNode> {
    let config = Network::config(u64::from_le_bytes(random()));
    let storage = NodeVec::new(NodeLimits::new(&Network::rules(), &config));
    Node::new(&network.spec(), config, network.engine()?, Standard, storage).map_err(sentence)
}

/// Follows all headers of a node.
fn follow(node: &NewNode, mut client: Client) -> cli::Result<Candidate> {
    let address = client.address;
    let offer = client.wait_for_snapshot(Duration::from_secs(2))?;
    let offer = offer.ok_or_else(|| format!("{address} hands out no snapshot"))?;
    let mut message = client.headers_after(&node.tip().id)?;
    let mut follower = HeaderFollower::new(node, offer.height);
    let mut headers = Vec::new();
    loop {
        let received = headers_of(&message)?;
        let now = Duration::from_secs(unix_time().saturating_add(5));
        let verdict = follower.handle_headers(now, &received);
        for bytes in received {
            let (sealed, _) = SealedHeader::decode(bytes).map_err(sentence)?;
            if sealed.header.height <= offer.height {
                headers.push((sealed.header.id(node.genesis_id()), bytes.to_vec()));
            }
        }
        if headers.len() > MAX_HEADERS {
            return Err(format!("{address} sends more than {MAX_HEADERS} headers"));
        }
        match verdict {
            None => break,
            Some(BlockVerdict::Weighed { after }) => message = client.headers_after(&after)?,
            Some(_) => return Err(format!("{address} sent headers that are refused")),
        }
        progress::show(|| format!("header {} of {}", follower.tip().height, client.status.height));
    }
    let base = follower.base(DEPTH).filter(|base| base.tip().id == offer.tip);
    let base = base.ok_or_else(|| format!("the snapshot of {address} is not deep enough"))?;
    Ok(Candidate { client, base, headers, weight: follower.tip().weight })
}

/// Fetches the chunks that are missing.
fn collect(client: &mut Client, join: &mut Join<Rule, Standard, NodeVec>) -> cli::Result<()> {
    let block = join.tip().id;
    while let Some(from) = join.next_key() {
        let chunk = client.chunk(SnapshotPlace { block, from })?;
        join.handle_chunk(&chunk)
            .map_err(|error| format!("{} sent a chunk that is refused: {error}", client.address))?;
        progress::show(|| format!("{} entries", join.len()));
    }
    Ok(())
}
