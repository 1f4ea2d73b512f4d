//! What a node does with the messages of its peers.

use examples::cli::{self, sentence};
use ledger_core::gossip::{
    BlockVerdict, HeadersWriter, Message, NotFound, Presync, TransactionVerdict,
};
use ledger_core::{ConnId, SealedHeader, SignedTransaction, Transaction};

use super::Daemon;

/// Delivered blocks that wait for the node.
const MAX_STORE: usize = 32;
/// The length in bytes of a chunk of a snapshot.
const SNAPSHOT_CHUNK: usize = 64 << 10;

impl Daemon {
    /// Answers a message, or passes it to the node or the mempool.
    pub(super) fn message(&mut self, conn: ConnId, message: Message<'_>) -> cli::Result<()> {
        let now = self.clock();
        match message {
            Message::GetHeaders(ids) => {
                let mut known = None;
                for id in ids.iter() {
                    let is_genesis = id == self.node.genesis_id().block_id();
                    known = if is_genesis { Some(0) } else { self.db.height_of(&id)? };
                    if known.is_some() {
                        break;
                    }
                }
                self.send_headers(conn, known)
            }
            Message::GetBlock(id) => {
                match self.db.block(&id)? {
                    Some(bytes) => self.send(conn, &Message::Block(&bytes)),
                    None => self.send(conn, &Message::NotFound(NotFound::Block(id))),
                }
                Ok(())
            }
            Message::GetSnapshot(place) => {
                let mut out = vec![0; SNAPSHOT_CHUNK];
                let source = self.source.as_mut().filter(|source| source.id() == place.block);
                let len = source.and_then(|source| source.chunk(&place.from, &mut out).ok()?);
                match len {
                    Some(len) => self.send(conn, &Message::Snapshot(place, &out[..len])),
                    None => self.send(conn, &Message::NotFound(NotFound::Snapshot(place.block))),
                }
                Ok(())
            }
            Message::GetTransaction(id) => {
                let mut buf = [0; Transaction::MAX_LEN];
                match self.mempool.copy(&id, &mut buf) {
                    Ok(Some(len)) => self.send(conn, &Message::Transaction(&buf[..len])),
                    _ => self.send(conn, &Message::NotFound(NotFound::Transaction(id))),
                }
                Ok(())
            }
            Message::Headers(headers) => {
                let config = self.gossip.config();
                let presync = self.presync.entry(conn).or_insert_with(|| Presync::new(config));
                if let Some(verdict) = presync.handle_headers(&mut self.node, now, &headers) {
                    self.gossip.handle_header_checked(now, conn, verdict);
                    return Ok(());
                }
                for header in headers {
                    let result = self.node.handle_header(now, conn, header);
                    let verdict = BlockVerdict::of(&self.node, &result);
                    self.gossip.handle_header_checked(now, conn, verdict);
                    if !matches!(verdict, BlockVerdict::Accepted { .. }) {
                        break;
                    }
                }
                Ok(())
            }
            Message::Block(bytes) => {
                if let Ok((sealed, _)) = SealedHeader::decode(bytes)
                    && self.store.len() < MAX_STORE
                {
                    let id = sealed.header.id(self.node.genesis_id());
                    self.store.insert(id, (conn, bytes.to_vec()));
                }
                self.advance()
            }
            Message::Transaction(bytes) => {
                self.transaction(conn, bytes);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn transaction(&mut self, conn: ConnId, bytes: &[u8]) {
        let Ok((signed, _)) = SignedTransaction::decode(bytes) else { return };
        let now = self.clock();
        let id = signed.id(self.node.genesis_id());
        let verdict = if self.node.is_busy() {
            TransactionVerdict::Gap // the state is that of a branch under trial: again later
        } else {
            let was_empty = self.mempool.is_empty();
            let tip = self.node.tip().height;
            let result = self.mempool.insert(&signed, &self.node.state(), tip);
            if was_empty {
                self.waiting_since = now;
            }
            TransactionVerdict::of(&result)
        };
        self.gossip.handle_transaction_checked(now, conn, &id, verdict);
    }

    fn send_headers(&mut self, conn: ConnId, known: Option<u64>) -> cli::Result<()> {
        let mut out = vec![0; 32 << 10];
        let mut writer = HeadersWriter::new(&mut out).map_err(sentence)?;
        let mut more = false;
        if let Some(known) = known {
            for height in known + 1.. {
                let Some(id) = self.db.at(height)? else { break };
                let Some(bytes) = self.db.header(&id)? else { break };
                if !writer.push(&bytes) {
                    more = true;
                    break;
                }
            }
        }
        let len = writer.finish(more);
        self.trace.sent(self.clock(), conn, &out[..len]);
        self.tcp.send(conn, &out[..len]);
        Ok(())
    }

    fn send(&mut self, conn: ConnId, message: &Message<'_>) {
        let mut out = vec![0; message.encoded_len()];
        if message.encode(&mut out).is_ok() {
            self.trace.sent(self.clock(), conn, &out);
            self.tcp.send(conn, &out);
        }
    }
}
