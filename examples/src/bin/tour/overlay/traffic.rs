//! What the bytes of a link come to: handshakes first, then descriptors.

use std::io;

use gnutella_wire::handshake::{Handshake, State};
use gnutella_wire::head::Header;
use gnutella_wire::wire::{
    HitData, HitFlags, Limits, Message, Payload, Query, Record, Records, Vendor,
};
use gnutella_wire::{ConnId, Dispatch, Event, Guid, Opening, Role, Text};

use super::{Flood, Machine, Overlay, Phase};
use crate::ctx::{Ctx, Protocol};
use crate::http::TORRENT_INDEX;
use crate::net::{Conn, NodeId};

const VENDOR: Vendor = Vendor(*b"TOUR");

impl<'s> Overlay<'s> {
    pub(super) fn bytes(&mut self, ctx: &mut Ctx, conn: Conn, bytes: &[u8]) -> io::Result<()> {
        if self.http.owns(conn) {
            return self.http.bytes(ctx, conn, bytes, self.song);
        }
        let Some(link) = self.links.get_mut(&conn) else { return Ok(()) };
        link.buffer.extend_from_slice(bytes);
        if matches!(link.phase, Phase::Unknown) {
            match Opening::of(&link.buffer) {
                Ok(Opening::Handshake) => link.phase = Phase::Shaking(Handshake::acceptor()),
                Ok(Opening::Http) => {
                    let Some(link) = self.links.remove(&conn) else { return Ok(()) };
                    self.http.serve(conn, link.at, link.buffer);
                    return self.http.bytes(ctx, conn, &[], self.song);
                }
                Ok(Opening::Giv | Opening::Queue) | Err(_) => return Ok(()), // nothing was pushed; or more has to come
            }
        }
        let mut buffer = core::mem::take(&mut link.buffer);
        let mut used = 0;
        while let Some(consumed) = self.take_one(ctx, conn, &buffer[used..])? {
            used += consumed;
        }
        buffer.drain(..used);
        if let Some(link) = self.links.get_mut(&conn) {
            link.buffer = buffer;
        }
        Ok(())
    }

    /// Handles one head or one descriptor; returns how many bytes it took.
    fn take_one(&mut self, ctx: &mut Ctx, conn: Conn, bytes: &[u8]) -> io::Result<Option<usize>> {
        let Some(link) = self.links.get_mut(&conn) else { return Ok(None) };
        match &mut link.phase {
            Phase::Shaking(_) => self.shake(ctx, conn, bytes),
            Phase::Open => self.descriptor(ctx, conn, bytes),
            Phase::Unknown | Phase::Over => Ok(None),
        }
    }

    fn shake(&mut self, ctx: &mut Ctx, conn: Conn, bytes: &[u8]) -> io::Result<Option<usize>> {
        let Some(link) = self.links.get_mut(&conn) else { return Ok(None) };
        let Phase::Shaking(handshake) = &mut link.phase else { return Ok(None) };
        let at = link.at;
        let now = ctx.now();
        let received = match handshake.handle_bytes(bytes) {
            Ok(received) => received,
            Err(error) => {
                link.phase = Phase::Over;
                ctx.note(at, format_args!("bad handshake: {error}"))?;
                ctx.net.close(conn);
                return Ok(None);
            }
        };
        let Some(step) = received.outcome else { return Ok(None) };
        let ultrapeer = step.head.is_true("X-Ultrapeer");
        let neighbour = if ultrapeer { Role::Ultrapeer } else { Role::Leaf };
        let servent = &mut self.nodes[at.index()].servent;
        if matches!(handshake.state(), State::Replying | State::Replying04 | State::Confirming) {
            let mut buf = [0; 512];
            let (line, len) = if servent.has_room(neighbour) {
                let ours = headers(self.cast.is_ultrapeer(at));
                ("GNUTELLA/0.6 200 OK", handshake.agree(&ours, &mut buf))
            } else {
                ("GNUTELLA/0.6 503 Slots full", handshake.refuse(503, "Slots full", &[], &mut buf))
            };
            let len = len.map_err(io::Error::other)?;
            ctx.send(conn, Protocol::Handshake, line, &[&buf[..len]])?;
        }
        match handshake.state() {
            State::Open => {
                link.phase = Phase::Open;
                self.last_activity = now;
                let link = ConnId(conn.0);
                servent.handle_connected(now, link, neighbour).map_err(io::Error::other)?;
            }
            State::Closed => {
                link.phase = Phase::Over;
                ctx.net.close(conn);
            }
            _ => {}
        }
        Ok(Some(received.consumed))
    }

    fn descriptor(&mut self, ctx: &mut Ctx, conn: Conn, bytes: &[u8]) -> io::Result<Option<usize>> {
        let Some(link) = self.links.get(&conn) else { return Ok(None) };
        let at = link.at;
        let peer = link.peer;
        let now = ctx.now();
        let node = &mut self.nodes[at.index()];
        let duplicates = node.servent.stats().duplicates;
        let received =
            node.servent.handle_bytes(now, ConnId(conn.0), bytes).map_err(io::Error::other)?;
        if received.consumed == 0 {
            return Ok(None);
        }
        self.last_activity = now;
        if let Ok((Message { hops, payload: Payload::Query(_), .. }, _)) =
            Message::decode(bytes, Limits::GTKG)
        {
            let duplicate = node.servent.stats().duplicates > duplicates;
            self.flood.push(Flood { at: now, from: peer, to: at, hops: hops + 1, duplicate });
        }
        if let Some(forward) = received.outcome.and_then(|handled| handled.forward) {
            let links: Vec<ConnId> = node.servent.targets(forward.to).collect();
            let whole = [&forward.header[..], forward.payload].concat();
            for link in links {
                say(ctx, Conn(link.0), &whole)?;
            }
        }
        let message = received.outcome.and_then(|handled| handled.message);
        match message.map(|message| (message.guid, message.hops, message.payload)) {
            Some((guid, _, Payload::Query(query))) => self.answer(ctx, at, guid, &query)?,
            Some((_, hops, Payload::QueryHit(hit))) => {
                let holder =
                    self.nodes.iter().position(|node| node.servent.config().servent == hit.servent);
                if let Some(holder) = holder {
                    ctx.note(at, format_args!("hit from node {holder} over {} links", hops + 1))?;
                    self.hits.push((NodeId(holder as u16), hops + 1));
                }
            }
            Some((_, _, Payload::Pong(pong))) => {
                let address = pong.address;
                self.nodes[at.index()].hosts.insert((*address.ip(), address.port()));
            }
            _ => {}
        }
        self.flush(ctx, at)?;
        Ok(Some(received.consumed))
    }

    /// Answers a query if its words are in the name of the shared file.
    fn answer(
        &mut self,
        ctx: &mut Ctx,
        at: NodeId,
        guid: Guid,
        query: &Query<'_>,
    ) -> io::Result<()> {
        let wanted = query.text.as_str().unwrap_or_default().to_lowercase();
        let name = self.song.name.to_lowercase();
        let matches =
            !wanted.trim().is_empty() && wanted.split_whitespace().all(|word| name.contains(word));
        if !self.cast.is_seed(at) || !matches {
            return Ok(());
        }
        let torrent = self.song.torrent_name();
        let text = |text: &'s str| Text::new(text.as_bytes()).unwrap_or(Text::EMPTY);
        let size = u32::try_from(self.song.size).unwrap_or(u32::MAX);
        let records = [
            Record { index: 1, size, name: text(&self.song.name), extensions: Text::EMPTY },
            Record {
                index: TORRENT_INDEX,
                size: self.song.metainfo.len() as u32,
                name: Text::new(torrent.as_bytes()).unwrap_or(Text::EMPTY),
                extensions: Text::EMPTY,
            },
        ];
        let flags = HitFlags { push: Some(false), busy: Some(false), ..HitFlags::default() }
            .to_data(VENDOR);
        let records =
            Records::from_slice(&records).ok_or_else(|| io::Error::other("two records"))?;
        let now = ctx.now();
        let mut buf = vec![0; 4096];
        let servent = &mut self.nodes[at.index()].servent;
        match servent.answer(now, guid, records, HitData::new(&flags), &mut buf) {
            Ok(dispatch) => self.dispatch(ctx, at, dispatch, &buf),
            Err(error) => ctx.note(at, format_args!("cannot answer: {error}")),
        }
    }

    pub(super) fn dispatch(
        &mut self,
        ctx: &mut Ctx,
        at: NodeId,
        Dispatch { to, len }: Dispatch,
        buf: &[u8],
    ) -> io::Result<()> {
        let links: Vec<ConnId> = self.nodes[at.index()].servent.targets(to).collect();
        links.into_iter().try_for_each(|link| say(ctx, Conn(link.0), &buf[..len]))
    }

    /// Sends what the machine has to say by itself, and looks at what happened to its links.
    pub(super) fn flush(&mut self, ctx: &mut Ctx, at: NodeId) -> io::Result<()> {
        let mut buf = [0; Machine::MAX_TRANSMIT_LEN];
        let servent = &mut self.nodes[at.index()].servent;
        while let Some(transmit) = servent.poll_transmit(&mut buf).map_err(io::Error::other)? {
            say(ctx, Conn(transmit.conn.0), &buf[..transmit.len])?;
        }
        while let Some(event) = servent.poll_event() {
            ctx.note(at, event)?;
            if let Event::Closed { conn, .. } = event {
                ctx.net.close(Conn(conn.0));
                self.links.remove(&Conn(conn.0));
            }
        }
        Ok(())
    }
}

pub(super) fn headers(ultrapeer: bool) -> [Header<'static>; 2] {
    let role = if ultrapeer { "True" } else { "False" };
    [Header::new("User-Agent", "tour/0.1"), Header::new("X-Ultrapeer", role)]
}

/// Sends a descriptor.
fn say(ctx: &mut Ctx, conn: Conn, message: &[u8]) -> io::Result<()> {
    match Message::decode(message, Limits::GTKG) {
        Ok((decoded, _)) => ctx.send(conn, Protocol::Gnutella, decoded, &[message]),
        Err(error) => ctx.send(conn, Protocol::Gnutella, error, &[message]),
    }
}
