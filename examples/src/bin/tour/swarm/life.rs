//! The life of a swarm: what comes in, what goes out, what is checked, who is dropped.

use std::io;

use bittorrent_pieces::wire::{Handshake, Message};
use bittorrent_pieces::{CloseReason, ConnId, Event, Outcome, PieceHasher, PieceIndex, Side};

use super::{Completion, Delivery, Inbox, Swarm};
use crate::ctx::{Ctx, Protocol};
use crate::net::{Conn, NodeId};

/// A connection that holds back more than this gets no further block for now.
const ENOUGH: usize = 256 << 10;

impl Swarm {
    pub(super) fn opened(
        &mut self,
        ctx: &mut Ctx,
        conn: Conn,
        at: NodeId,
        peer: NodeId,
        dialled: bool,
    ) -> io::Result<()> {
        self.conns.entry(conn).or_insert(Inbox { at, peer, bytes: Vec::new() });
        let side = if dialled { Side::Dialled } else { Side::Accepted };
        let now = ctx.now();
        self.peers[at.index()]
            .torrent
            .handle_connected(now, ConnId(conn.0), side)
            .map_err(io::Error::other)?;
        self.flush(ctx, at)
    }

    fn hang_up(&mut self, ctx: &mut Ctx, conn: Conn) {
        if let Some(inbox) = self.conns.remove(&conn) {
            ctx.net.close(conn);
            self.peers[inbox.at.index()].torrent.handle_closed(ctx.now(), ConnId(conn.0));
        }
    }

    pub(super) fn bytes(&mut self, ctx: &mut Ctx, conn: Conn, bytes: &[u8]) -> io::Result<()> {
        let Some(inbox) = self.conns.get_mut(&conn) else { return Ok(()) };
        inbox.bytes.extend_from_slice(bytes);
        let at = inbox.at;
        self.read(ctx, conn)?;
        self.flush(ctx, at)
    }

    /// Handles all whole messages that a connection has brought.
    fn read(&mut self, ctx: &mut Ctx, conn: Conn) -> io::Result<()> {
        let Some(inbox) = self.conns.get_mut(&conn) else { return Ok(()) };
        let at = inbox.at;
        let peer = inbox.peer;
        let now = ctx.now();
        let bytes = core::mem::take(&mut inbox.bytes);
        let mut used = 0;
        let member = &mut self.peers[at.index()];
        loop {
            let handled = member.torrent.handle_bytes(now, ConnId(conn.0), &bytes[used..]);
            let handled = handled.map_err(io::Error::other)?;
            if handled.consumed == 0 {
                break;
            }
            used += handled.consumed;
            if let Some(Outcome::Block { block, data }) = handled.outcome {
                let offset = self.geometry.offset(block.piece) + u64::from(block.begin);
                member.storage.write(offset, data)?;
                *member.given.entry((block.piece.0, peer)).or_default() += u64::from(block.len);
            }
        }
        if let Some(inbox) = self.conns.get_mut(&conn) {
            inbox.bytes = bytes[used..].to_vec();
        }
        Ok(())
    }

    /// Lets a node do what it has to do: check pieces, hang up, send.
    pub(super) fn flush(&mut self, ctx: &mut Ctx, at: NodeId) -> io::Result<()> {
        if !self.peers[at.index()].alive {
            return Ok(());
        }
        loop {
            while let Some(event) = self.peers[at.index()].torrent.poll_event() {
                self.event(ctx, at, event)?;
            }
            let mine: Vec<Conn> = self
                .conns
                .iter()
                .filter(|(_, inbox)| inbox.at == at)
                .map(|(conn, _)| *conn)
                .collect();
            let mut busy = false;
            for conn in mine {
                busy |= self.transmit(ctx, at, conn)?;
                // Requests that did not fit before may fit now.
                if self.conns.get(&conn).is_some_and(|inbox| !inbox.bytes.is_empty()) {
                    self.read(ctx, conn)?;
                }
            }
            if !busy {
                return Ok(());
            }
        }
    }

    /// Sends what is due on a connection; returns whether there was something.
    fn transmit(&mut self, ctx: &mut Ctx, at: NodeId, conn: Conn) -> io::Result<bool> {
        let mut busy = false;
        while ctx.net.held_back(conn) < ENOUGH {
            let member = &mut self.peers[at.index()];
            let Some(sent) = member
                .torrent
                .poll_transmit_to(ConnId(conn.0), &mut self.buffer)
                .map_err(io::Error::other)?
            else {
                break;
            };
            busy = true;
            let (head, rest) = self.buffer.split_at_mut(sent.len);
            let Some(block) = sent.block else {
                say(ctx, conn, head)?;
                continue;
            };
            let data = &mut rest[..block.len as usize];
            member
                .storage
                .read(self.geometry.offset(block.piece) + u64::from(block.begin), data)?;
            if at == self.cast.saboteur() {
                data[0] ^= 0xFF; // this is what it came for
            }
            ctx.send(conn, Protocol::BitTorrent, format_args!("PIECE {block}"), &[head, data])?;
        }
        Ok(busy)
    }

    fn event(&mut self, ctx: &mut Ctx, at: NodeId, event: Event) -> io::Result<()> {
        match event {
            Event::Verify { piece } => self.verify(ctx, at, piece)?,
            Event::PieceCompleted { piece } => self.complete(ctx, at, piece)?,
            Event::PieceFailed { piece } => {
                self.failed_pieces += 1;
                self.peers[at.index()].given.retain(|(index, _), _| *index != piece.0);
                ctx.note(at, format_args!("piece {piece} is corrupt"))?;
            }
            Event::Closed { conn, reason: CloseReason::Corrupt } => {
                let conn = Conn(conn.0);
                if let Some(peer) = ctx.peer_of(conn) {
                    ctx.note(at, format_args!("banned {peer}"))?;
                    self.banned.push((at, peer));
                    // What it gave to pieces under way is worth nothing.
                    self.peers[at.index()].given.retain(|(_, giver), _| *giver != peer);
                }
                self.hang_up(ctx, conn);
                if !self.started {
                    self.start_all(ctx);
                }
            }
            Event::Closed { conn, reason } => {
                ctx.note(at, format_args!("{conn}: {reason}"))?;
                self.hang_up(ctx, Conn(conn.0));
            }
            Event::Completed => ctx.note(at, "complete")?,
            _ => {}
        }
        Ok(())
    }

    fn verify(&mut self, ctx: &mut Ctx, at: NodeId, piece: PieceIndex) -> io::Result<()> {
        let member = &mut self.peers[at.index()];
        let len = self.geometry.piece_len(piece) as usize;
        let data = &mut self.buffer[..len];
        member.storage.read(self.geometry.offset(piece), data)?;
        let digest = PieceHasher::digest(data);
        let _ = member.torrent.handle_hashed(ctx.now(), piece, digest).map_err(io::Error::other)?;
        Ok(())
    }

    fn complete(&mut self, ctx: &mut Ctx, at: NodeId, piece: PieceIndex) -> io::Result<()> {
        self.total_have += 1;
        let member = &mut self.peers[at.index()];
        let of_piece = (piece.0, NodeId(0))..=(piece.0, NodeId(u16::MAX));
        let parts: Vec<_> =
            member.given.range(of_piece).map(|((_, giver), bytes)| (*giver, *bytes)).collect();
        member.given.retain(|(index, _), _| *index != piece.0);
        let giver = parts.iter().max_by_key(|(_, bytes)| *bytes).map_or(at, |(giver, _)| *giver);
        self.completions.push(Completion { at: ctx.now(), node: at, piece: piece.0, giver });
        self.deliveries.extend(parts.iter().map(|(giver, bytes)| Delivery {
            giver: *giver,
            taker: at,
            bytes: *bytes,
        }));
        ctx.note(at, format_args!("piece {piece} complete, mostly from {giver}"))?;
        if !self.killed && self.share() >= 0.5 {
            self.kill(ctx)?;
        }
        Ok(())
    }

    fn kill(&mut self, ctx: &mut Ctx) -> io::Result<()> {
        self.killed = true;
        let victim = self.cast.victim();
        ctx.note(victim, "killed")?;
        ctx.net.kill(victim);
        self.peers[victim.index()].alive = false;
        self.conns.retain(|_, inbox| inbox.at != victim);
        Ok(())
    }
}

/// Sends a handshake or a message.
fn say(ctx: &mut Ctx, conn: Conn, bytes: &[u8]) -> io::Result<()> {
    if let Ok((handshake, _)) = Handshake::decode(bytes) {
        return ctx.send(conn, Protocol::BitTorrent, handshake, &[bytes]);
    }
    match Message::decode(bytes, u32::MAX) {
        Ok((message, _)) => ctx.send(conn, Protocol::BitTorrent, message, &[bytes]),
        Err(error) => ctx.send(conn, Protocol::BitTorrent, error, &[bytes]),
    }
}
