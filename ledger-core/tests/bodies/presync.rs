//! Headers that are weighed before they are stored: any messages of one peer, then those of an honest one.

use core::time::Duration;

use ledger_core::gossip::{BlockVerdict, GossipConfig, Headers, HeadersWriter, Message, Presync};
use ledger_core::{BlockId, ConnId, SealedHeader, Weight};
use sim::laws::Input;

use super::join::{decoded, with_any_headers};
use super::node::{Open, SmallNode, TIME, blocks, genesis, node_with, serve};

const NOW: Duration = Duration::from_secs(TIME + 100);
const MOST_MESSAGES: usize = 16;

/// What a peer with some headers makes of a node.
struct Peer {
    presync: Presync<Open>,
    conn: ConnId,
}

impl Peer {
    /// Hands a message over as the documentation of `Presync` says. A verdict means that nothing is stored.
    fn headers(&mut self, node: &mut SmallNode, headers: &Headers<'_>) -> Option<BlockVerdict> {
        let ids: Vec<_> =
            decoded(headers).iter().map(|sealed| sealed.header.id(&genesis())).collect();
        let known = |node: &SmallNode| ids.iter().map(|id| node.tip_of(id)).collect::<Vec<_>>();
        let before = known(node);
        let tip = *node.tip();
        let verdict = self.presync.handle_headers(node, NOW, headers);
        assert_eq!(known(node), before, "the presync stores nothing");
        assert_eq!(*node.tip(), tip);
        if verdict.is_none() {
            for header in headers {
                if node.handle_header(NOW, self.conn, header).is_err() {
                    break;
                }
            }
        }
        verdict
    }
}

fn config(input: &mut Input<'_>) -> GossipConfig {
    let mut config = GossipConfig::new(genesis(), 600, u64::from(input.byte()));
    config.min_weight = Weight(10 * input.below(3) as u128);
    config.max_presync_headers = 4;
    config
}

/// The headers of the better branch, which weigh 25.
fn honest_branch() -> Vec<&'static [u8]> {
    [7, 8, 9, 10, 12].map(|at| &blocks()[at][..]).to_vec()
}

fn id(bytes: &[u8]) -> BlockId {
    SealedHeader::decode(bytes).expect("a header").0.header.id(&genesis())
}

/// Whatever one peer sends, an honest one with a better branch gets all its headers stored, in few messages.
pub fn presync(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut node = node_with(6, 64);
    let config = config(&mut input);
    let mut hostile = Peer { presync: Presync::new(&config), conn: ConnId(0) };
    let mut path = Vec::new();
    for _ in 0..MOST_MESSAGES {
        if input.is_empty() {
            break;
        }
        if input.below(4) == 0 {
            let block = &blocks()[input.below(blocks().len())];
            let _ = node.handle_block(NOW, ConnId(2), block);
            serve(&mut node, NOW, &mut path);
        }
        with_any_headers(&mut input, |headers| {
            if let Some(BlockVerdict::Light { headers }) = hostile.headers(&mut node, headers) {
                assert!(headers <= config.max_presync_headers + 3, "and a message more");
                assert!(!hostile.presync.is_active());
            }
        });
    }
    let mut generous = config;
    generous.max_presync_headers = 100;
    let mut honest = Peer { presync: Presync::new(&generous), conn: ConnId(1) };
    send_all(&mut honest, &mut node, &honest_branch(), 1 + input.below(3));
    assert!(!honest.presync.is_active());
    assert!(honest_branch().iter().all(|header| node.tip_of(&id(header)).is_some()));
}

/// Sends what follows the block that is asked for, `count` headers a message, until nothing is asked for.
fn send_all(peer: &mut Peer, node: &mut SmallNode, branch: &[&[u8]], count: usize) {
    let mut from = 0_usize;
    for _ in 0..3 * branch.len() {
        let end = branch.len().min(from + count);
        let mut out = vec![0; 2000];
        let mut writer = HeadersWriter::new(&mut out).expect("long enough");
        branch[from..end].iter().for_each(|header| assert!(writer.push(header)));
        let len = writer.finish(end < branch.len());
        let Ok((Message::Headers(headers), _)) = Message::decode(&out[..len]) else {
            panic!("it was encoded")
        };
        from = match peer.headers(node, &headers) {
            None if end == branch.len() => return,
            None => end,
            Some(BlockVerdict::Weighed { after }) => {
                branch.iter().position(|header| id(header) == after).map_or(0, |at| at + 1)
            }
            Some(verdict) => panic!("{verdict:?} for a branch that is heavy enough"),
        };
    }
    panic!("it is asked for more and more");
}
