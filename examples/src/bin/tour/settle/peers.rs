//! How the nodes of the ledger hear of each other: every message is one of the gossip machine.

use std::io;

use consensus::{SignedStatement, StakeSeal, ValidatorVec, statement_of};
use ledger_core::gossip::{
    BlockVerdict, Event, FRAME_LEN, Headers, HeadersWriter, Message, NotFound, Presync,
    TransactionVerdict,
};
use ledger_core::{Block, BlockId, ConnId, SealedHeader, SignedTransaction, Transaction};

use super::node::{LedgerNode, evidence_of};
use crate::ctx::{Ctx, Protocol};
use crate::net::Conn;

/// Room for the headers of one message in bytes.
const MAX_HEADERS_LEN: usize = 20_000;

impl LedgerNode {
    pub(super) fn opened(&mut self, ctx: &mut Ctx, conn: Conn, dialled: bool) -> io::Result<()> {
        let Conn(number) = conn;
        match self.gossip.handle_connected(ctx.now(), ConnId(number), dialled) {
            Ok(()) => {
                self.received.insert(ConnId(number), Vec::new());
            }
            Err(_) => ctx.net.close(conn), // it has all the peers it may have
        }
        self.run(ctx)
    }

    pub(super) fn closed(&mut self, ctx: &mut Ctx, Conn(number): Conn) -> io::Result<()> {
        self.received.remove(&ConnId(number));
        self.presync.remove(&ConnId(number));
        self.gossip.handle_closed(ctx.now(), ConnId(number));
        self.run(ctx)
    }

    /// Handles bytes of a connection.
    pub(super) fn read(
        &mut self,
        ctx: &mut Ctx,
        Conn(number): Conn,
        bytes: &[u8],
    ) -> io::Result<()> {
        let conn = ConnId(number);
        let Some(buffer) = self.received.get_mut(&conn) else { return Ok(()) };
        buffer.extend_from_slice(bytes);
        let received = core::mem::take(buffer);
        let mut rest = &received[..];
        while let Ok(taken) = self.gossip.handle_bytes(ctx.now(), conn, rest) {
            if let Some(message) = taken.outcome {
                self.message(ctx, conn, &message)?;
            }
            rest = &rest[taken.consumed..];
            if taken.consumed == 0 || rest.is_empty() {
                break;
            }
        }
        if let Some(buffer) = self.received.get_mut(&conn) {
            *buffer = rest.to_vec();
        }
        self.run(ctx)
    }

    /// Fires what is due.
    pub(super) fn tick(&mut self, ctx: &mut Ctx) -> io::Result<()> {
        let now = ctx.now();
        let clock = self.clock(ctx);
        let is_due = self.announce_again(now) || self.due.is_some_and(|at| at <= now);
        if !is_due && self.chain.poll_timeout().is_none_or(|at| at > clock) {
            return Ok(());
        }
        self.chain.handle_timeout(clock);
        self.gossip.handle_timeout(now);
        self.run(ctx)
    }

    /// Does all that follows from an input.
    pub(super) fn run(&mut self, ctx: &mut Ctx) -> io::Result<()> {
        self.advance(ctx)?;
        while let Some(event) = self.gossip.poll_event() {
            match event {
                Event::Closed { conn, reason } => {
                    ctx.note(self.at, format_args!("closes a connection: {reason}"))?;
                    self.received.remove(&conn);
                    self.presync.remove(&conn);
                    ctx.net.close(Conn(conn.0));
                }
                Event::Unavailable { id } if self.chain.needed() == Some(id) => {
                    self.chain.give_up();
                    self.advance(ctx)?;
                }
                _ => {}
            }
        }
        let mut buf = [0; Message::MAX_CONTROL_LEN];
        while let Some(sent) = self.gossip.poll_transmit(&mut buf).map_err(io::Error::other)? {
            send(ctx, sent.conn, &buf[..sent.len])?;
        }
        self.due = self.gossip.poll_timeout();
        Ok(())
    }

    fn message(&mut self, ctx: &mut Ctx, conn: ConnId, message: &Message<'_>) -> io::Result<()> {
        match message {
            Message::GetHeaders(ids) => self.send_headers(ctx, conn, ids.iter()),
            Message::GetBlock(id) => {
                let block = self.store.get(id).map(|bytes| Message::Block(bytes));
                answer(ctx, conn, &block.unwrap_or(Message::NotFound(NotFound::Block(*id))))
            }
            Message::GetTransaction(id) => {
                let mut buf = [0; Transaction::MAX_LEN];
                let len = self.mempool.copy(id, &mut buf).ok().flatten();
                let missing = Message::NotFound(NotFound::Transaction(*id));
                answer(ctx, conn, &len.map_or(missing, |len| Message::Transaction(&buf[..len])))
            }
            Message::Headers(headers) => self.headers(ctx, conn, headers),
            Message::Block(bytes) => {
                if let Ok((sealed, _)) = SealedHeader::decode(bytes) {
                    let id = sealed.header.id(self.chain.genesis_id());
                    self.delivered.insert(id, (conn, bytes.to_vec()));
                }
                self.advance(ctx)
            }
            Message::Transaction(bytes) => self.transaction(ctx, conn, bytes),
            _ => Ok(()),
        }
    }

    /// Sends the headers that follow the first of these blocks that is on the chain.
    fn send_headers(
        &self,
        ctx: &mut Ctx,
        conn: ConnId,
        mut ids: impl Iterator<Item = BlockId>,
    ) -> io::Result<()> {
        let genesis = self.chain.genesis_id().block_id();
        let height = |id: BlockId| match self.tips.iter().rposition(|tip| tip.id == id) {
            Some(at) => Some(at + 1),
            None => (id == genesis).then_some(0),
        };
        let known = ids.find_map(height).unwrap_or(self.blocks.len());
        let mut out = vec![0; FRAME_LEN + MAX_HEADERS_LEN];
        let mut writer = HeadersWriter::new(&mut out).map_err(io::Error::other)?;
        let mut following = self.blocks[known..].iter();
        let has_more = following.any(|block| !writer.push(block));
        let len = writer.finish(has_more);
        send(ctx, conn, &out[..len])
    }

    fn headers(&mut self, ctx: &mut Ctx, conn: ConnId, headers: &Headers<'_>) -> io::Result<()> {
        for header in headers {
            self.observe(ctx, header)?;
        }
        let now = ctx.now();
        let clock = self.clock(ctx);
        let config = self.gossip.config();
        let presync = self.presync.entry(conn).or_insert_with(|| Presync::new(config));
        if let Some(verdict) = presync.handle_headers(&mut self.chain, clock, headers) {
            self.gossip.handle_header_checked(now, conn, verdict);
            return Ok(());
        }
        for header in headers {
            let result = self.chain.handle_header(clock, conn, header);
            let verdict = BlockVerdict::of(&self.chain, &result);
            self.gossip.handle_header_checked(now, conn, verdict);
            if !matches!(verdict, BlockVerdict::Accepted { .. }) {
                break;
            }
        }
        Ok(())
    }

    /// Looks for a contradiction between a header and what its author signed before.
    pub(super) fn observe(&mut self, ctx: &mut Ctx, bytes: &[u8]) -> io::Result<()> {
        let Ok((sealed, _)) = SealedHeader::decode(bytes) else { return Ok(()) };
        let Some((round, author)) = StakeSeal::<ValidatorVec>::read_claim(&sealed.header) else {
            return Ok(());
        };
        let Ok(signature) = sealed.proof.try_into() else { return Ok(()) };
        let statement = statement_of(self.chain.genesis_id(), &sealed.header, round);
        let signed = SignedStatement { statement, author, signature };
        let validators = self.chain.engine().stake.validators();
        // What is forged, or not of a validator, is left to the chain to refuse.
        let observed = self.detector.observe(&signed, |id| validators.stake(id) > 0);
        if let Ok(Some(evidence)) = observed
            && !self.convicted.contains_key(&evidence.offender())
        {
            ctx.note(self.at, evidence)?;
            self.convicted.insert(evidence.offender(), evidence);
            self.found.push(evidence);
        }
        Ok(())
    }

    fn transaction(&mut self, ctx: &mut Ctx, conn: ConnId, bytes: &[u8]) -> io::Result<()> {
        let Ok((signed, _)) = SignedTransaction::decode(bytes) else { return Ok(()) };
        let id = signed.id(self.chain.genesis_id());
        let verdict = if self.chain.is_busy() {
            TransactionVerdict::Gap // the state is that of a branch under trial: again later
        } else {
            let tip = self.chain.tip().height;
            let result = self.mempool.insert(&signed, &self.chain.state(), tip);
            match TransactionVerdict::of(&result) {
                TransactionVerdict::Gap => {
                    self.hold(&signed);
                    TransactionVerdict::Refused // it is announced once it follows
                }
                verdict => verdict,
            }
        };
        self.gossip.handle_transaction_checked(ctx.now(), conn, &id, verdict);
        if verdict == TransactionVerdict::Accepted {
            self.submit_following(ctx.now(), signed.transaction());
        }
        if verdict == TransactionVerdict::Accepted
            && let Some(evidence) = evidence_of(&signed)
            && !self.convicted.contains_key(&evidence.offender())
        {
            ctx.note(self.at, format_args!("convinced: {evidence}"))?;
            self.convicted.insert(evidence.offender(), evidence);
        }
        Ok(())
    }
}

fn answer(ctx: &mut Ctx, conn: ConnId, message: &Message<'_>) -> io::Result<()> {
    let mut out = vec![0; message.encoded_len()];
    message.encode(&mut out).map_err(io::Error::other)?;
    send(ctx, conn, &out)
}

/// Sends a message, with what it carries in the trace.
fn send(ctx: &mut Ctx, ConnId(number): ConnId, bytes: &[u8]) -> io::Result<()> {
    let (message, _) = Message::decode(bytes).map_err(io::Error::other)?;
    let conn = Conn(number);
    if let Message::Block(body) = message
        && let Ok((block, _)) = Block::decode(body)
    {
        return ctx.send(conn, Protocol::Ledger, block, &[bytes]);
    }
    if let Message::Transaction(body) = message
        && let Ok((signed, _)) = SignedTransaction::decode(body)
    {
        return ctx.send(conn, Protocol::Ledger, signed, &[bytes]);
    }
    ctx.send(conn, Protocol::Ledger, message, &[bytes])
}
