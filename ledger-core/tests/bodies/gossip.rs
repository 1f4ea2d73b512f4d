//! Gossip: any bytes for its messages, and the laws of its machine under any order of calls.

use core::time::Duration;

use ledger_core::gossip::{
    BlockIds, BlockRequest, BlockVerdict, Gossip, GossipConfig, GossipSlots, HeadersWriter, Hello,
    Message, MessageError, NotFound, PeerSlot, SnapshotPlace, Status, TransactionSlot,
    TransactionVerdict, TxIds,
};
use ledger_core::state::Key;
use ledger_core::{Block, BlockId, ConnId, GenesisId, Hash, Height, Tip, TxId, Weight};
use sim::laws::{self, Input, Machine, Outcome};

use super::node::{blocks, genesis};

type Storage = GossipSlots<[PeerSlot; 2], [BlockRequest; 2], [TransactionSlot; 4]>;

struct Driven(Gossip<Storage>);

/// A message that decodes encodes back to the same bytes.
pub fn message(bytes: &[u8]) {
    match Message::decode(bytes) {
        Ok((message, rest)) => {
            let mut out = vec![0; message.encoded_len()];
            assert_eq!(message.encode(&mut out), Ok(bytes.len() - rest.len()));
            assert_eq!(out, bytes[..out.len()]);
            assert!(!message.to_string().is_empty());
            if let Message::Headers(headers) = message {
                let len: usize = headers.iter().map(<[u8]>::len).sum();
                assert_eq!(len + 6, out.len());
            }
        }
        Err(MessageError::Incomplete { needed }) => assert!(needed > 0),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn driven() -> Driven {
    let storage = GossipSlots {
        peers: [PeerSlot::EMPTY; 2],
        blocks: [BlockRequest::EMPTY; 2],
        transactions: [TransactionSlot::EMPTY; 4],
    };
    let mut config = GossipConfig::new(genesis(), 600, 1);
    config.reserved_for_dialled = 1;
    config.max_light_headers = 3;
    config.transactions_per_second = 2;
    Driven(Gossip::new(config, storage).expect("it can work"))
}

fn block_id(input: &mut Input<'_>) -> BlockId {
    let block = &blocks()[input.below(blocks().len())];
    Block::decode(block).map(|(block, _)| block.id(&genesis())).unwrap_or_default()
}

/// Writes one of the messages that a peer may send.
fn any_message(input: &mut Input<'_>) -> Vec<u8> {
    let block = &blocks()[input.below(blocks().len())];
    let id = [[input.byte() % 4; 32]];
    let status = Status { height: Height(u64::from(input.byte() % 8)), tip: block_id(input) };
    let transaction = &block[block.len() - 197..];
    let other = input.below(8) == 0;
    let genesis = if other { GenesisId::default() } else { genesis() };
    let nonce = u64::from(input.byte() % 8);
    let key = Key::from_bytes([input.byte() % 2; 32]);
    let place = SnapshotPlace { block: status.tip, from: key };
    let message = match input.below(17) {
        0 | 1 => Message::Hello(Hello { genesis, nonce, status }),
        2 => Message::Status(status),
        3 => Message::GetHeaders(BlockIds::new(&id)),
        4 => Message::GetBlock(status.tip),
        5 => Message::Block(block),
        6 => Message::HaveTransactions(TxIds::new(&id)),
        7 => Message::GetTransaction(TxId::from_bytes(id[0])),
        8 => Message::Transaction(transaction),
        9 => Message::NotFound(NotFound::Block(status.tip)),
        10 => Message::NotFound(NotFound::Transaction(TxId::from_bytes(id[0]))),
        11 => Message::HaveSnapshot(status),
        12 => Message::GetSnapshot(place),
        13 => Message::Snapshot(place, &id[0]),
        14 => Message::NotFound(NotFound::Snapshot(status.tip)),
        15 => Message::MoreTransactions,
        _ => {
            let mut out = vec![0; 600];
            let mut writer = HeadersWriter::new(&mut out).expect("long enough");
            for _ in 0..input.below(3) {
                writer.push(&blocks()[input.below(blocks().len())]);
            }
            let len = writer.finish(input.below(2) == 0);
            out.truncate(len);
            return out;
        }
    };
    let mut out = vec![0; message.encoded_len()];
    message.encode(&mut out).expect("encoded_len suffices");
    out
}

fn verdict(input: &mut Input<'_>) -> BlockVerdict {
    match input.below(10) {
        0..=4 => BlockVerdict::Accepted {
            id: block_id(input),
            height: Height(u64::from(input.byte())),
            weight: Weight(u128::from(input.byte() % 4)),
        },
        5 => BlockVerdict::NotYet,
        6 => BlockVerdict::Orphan,
        7 => BlockVerdict::Weighed { after: block_id(input) },
        8 if input.below(2) == 0 => BlockVerdict::Light { headers: u32::from(input.byte()) },
        8 => BlockVerdict::NoRoom,
        _ => BlockVerdict::Invalid,
    }
}

impl Machine for Driven {
    fn call(&mut self, now: Duration, input: &mut Input<'_>) -> Outcome {
        let gossip = &mut self.0;
        let conn = ConnId(u32::from(input.byte() % 3));
        let done = Outcome::Done(String::new());
        match input.below(14) {
            12 => {
                let block = block_id(input);
                let from = Key::from_bytes([input.byte() % 2; 32]);
                let place = Some(SnapshotPlace { block, from }).filter(|_| input.below(4) > 0);
                gossip.want_snapshot(now, place);
            }
            13 => {
                let offer = (Height(1), block_id(input));
                gossip.offer_snapshot(now, Some(offer).filter(|_| input.below(4) > 0));
            }
            0 => return Outcome::of(gossip.handle_connected(now, conn, input.below(2) == 0)),
            1 => gossip.handle_closed(now, conn),
            2..=5 => {
                return Outcome::of(gossip.handle_bytes(now, conn, &any_message(input)));
            }
            6 => {
                return Outcome::of(gossip.handle_bytes(now, conn, input.bytes(20)));
            }
            7 => gossip.handle_header_checked(now, conn, verdict(input)),
            8 => {
                let id = TxId::from_bytes([input.byte() % 4; 32]);
                let verdict = match input.below(4) {
                    0 => TransactionVerdict::Accepted,
                    1 => TransactionVerdict::Gap,
                    2 => TransactionVerdict::Refused,
                    _ => TransactionVerdict::Invalid,
                };
                gossip.handle_transaction_checked(now, conn, &id, verdict);
            }
            9 => {
                let tip = Tip {
                    height: Height(u64::from(input.byte())),
                    id: block_id(input),
                    time: 0,
                    state: Hash::ZERO,
                    weight: Weight(1),
                };
                gossip.handle_tip(now, &tip, &[tip.id, BlockId::default()][input.below(2)..]);
            }
            10 => {
                let height = Height(u64::from(input.byte() % 8));
                let wanted: Vec<_> =
                    (0..input.below(4)).map(|_| (height, block_id(input))).collect();
                gossip.want_blocks(now, &wanted);
            }
            _ => {
                let id = TxId::from_bytes([input.byte() % 4; 32]);
                if input.below(2) == 0 {
                    gossip.announce_transaction(now, &id);
                } else {
                    gossip.forget_transaction(now, &id);
                }
            }
        }
        done
    }

    fn handle_timeout(&mut self, now: Duration) {
        self.0.handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Duration> {
        self.0.poll_timeout()
    }

    fn poll_transmit(&mut self, buf: &mut [u8]) -> Result<Option<(String, usize)>, usize> {
        match self.0.poll_transmit(buf) {
            Ok(transmit) => Ok(transmit.map(|it| (it.conn.to_string(), it.len))),
            Err(error) => Err(error.needed),
        }
    }

    fn poll_event(&mut self) -> Option<String> {
        self.0.poll_event().map(|event| format!("{event:?}"))
    }

    fn state(&self) -> String {
        format!("{:?}", self.0)
    }

    fn same_state(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

/// The laws under any order of calls.
pub fn laws(bytes: &[u8]) {
    laws::check(driven, Message::MAX_CONTROL_LEN, &bytes[..bytes.len().min(300)]);
}
