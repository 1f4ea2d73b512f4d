//! A servent's own messages, derived from its state when polled.

use super::connection::{ConnSlot, Connection, OWN, PongsDue};
use super::event::CloseReason;
use super::query_slot::{self, Ask};
use super::state::{Active, Core};
use super::table_out::{Following, TableOut};
use super::tables;
use super::vendor::Advice;
use crate::error::BufferTooSmall;
use crate::hosts::Host;
use crate::id::Guid;
use crate::invariant::invariant;
use crate::machine::Transmit;
use crate::rng::Rng;
use crate::routes::{Key, Route};
use crate::text::Text;
use crate::wire::{
    Bye, ByeCode, Function, HEADER_LEN, Header, Message, Patch, Payload, Ping, Pong,
};
use crate::writer::Writer;

/// The most that [`Servent::poll_transmit`](super::Servent::poll_transmit) writes: a piece of a
/// table.
pub(super) const MAX_TRANSMIT_LEN: usize = HEADER_LEN + Patch::MIN_LEN + tables::CHUNK;
const _: () = assert!(MAX_TRANSMIT_LEN >= query_slot::MAX_LEN);

/// A cached pong counts as farther away than this at most, so that its TTL and hops stay small.
const MOST_HOPS: u8 = 7;

/// The next own message on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    Bye(ByeCode),
    Advice(Guid, Advice),
    Pong(PongsDue),
    CachedPong(PongsDue, Host),
    Ping { ttl: u8 },
    Table(TableOut),
}

impl Core<'_> {
    #[cfg_attr(target_os = "none", inline(never))] // smaller on a device than within its caller
    pub(super) fn poll_transmit(
        &mut self,
        buf: &mut [u8],
    ) -> Result<Option<Transmit>, BufferTooSmall> {
        let mut rng = self.state.rng;
        let fresh = fresh_guid(&mut rng);
        let (active, due) = self.first_due(fresh);
        let Some((index, due)) = due else {
            self.state.active = active;
            return self.ask_due().map(|ask| self.send_query(&ask, buf)).transpose();
        };
        let (len, next_piece) = self.write(index, due, fresh, buf)?; // failing changes nothing
        self.state.active = active;
        self.state.rng = rng;
        if next_piece.is_some() {
            self.state.table_following = next_piece;
        }
        if let Due::Ping { ttl } = due {
            let route = Route { source: OWN, ttl, hops: 0 };
            self.routes.refresh(self.state.now, Key::Ping(fresh), route);
        }
        let Some(conn) = self.conns.get_mut(index).and_then(|slot| slot.conn.as_mut()) else {
            return Ok(None);
        };
        conn.mark_sent(due, next_piece.map(|following| following.next));
        Ok(Some(Transmit { conn: conn.id, len }))
    }

    /// Returns the first of the active connections that has something to send, and which are still active.
    fn first_due(&self, fresh: Guid) -> (Active, Option<(usize, Due)>) {
        let mut active = self.state.active;
        for (at, slot) in self.conns.iter().enumerate().take(active.end).skip(active.start) {
            if let Some(due) = self.due(slot, fresh) {
                return (active, Some((at, due)));
            }
            let is_leaving = !slot.conn.is_empty() && slot.live().is_none(); // which is to be reported
            if at == active.start && !is_leaving {
                active.start = at.saturating_add(1);
            }
        }
        (active, None)
    }

    #[cfg_attr(target_os = "none", inline(never))] // once in the image of a device
    fn due(&self, slot: &ConnSlot, fresh: Guid) -> Option<Due> {
        let conn = slot.conn.as_ref()?;
        if let Some(leaving) = conn.leaving {
            let CloseReason::Dismissed(code) = leaving.reason else { return None };
            return leaving.bye_due.then_some(Due::Bye(code));
        }
        let advice = self.advice_due(slot, fresh).map(|(guid, advice)| Due::Advice(guid, advice));
        advice
            .or_else(|| self.pong_due(conn))
            .or_else(|| self.ping_due(conn))
            .or_else(|| conn.table_out.map(Due::Table))
    }

    fn pong_due(&self, conn: &Connection) -> Option<Due> {
        let due = conn.pongs_due?;
        if due.own {
            return Some(Due::Pong(due));
        }
        let host = self.fresh_hosts(conn).nth(usize::from(due.at)).filter(|_| due.others > 0);
        host.map(|host| Due::CachedPong(due, host))
    }

    fn ping_due(&self, conn: &Connection) -> Option<Due> {
        let ttl = if conn.explore_due { self.state.config.max_ttl.max(1) } else { 1 };
        (conn.explore_due || conn.ping_due).then_some(Due::Ping { ttl })
    }

    #[cfg_attr(target_os = "none", inline(never))] // smaller on a device than within its caller
    fn write(
        &self,
        index: usize,
        due: Due,
        fresh: Guid,
        buf: &mut [u8],
    ) -> Result<(usize, Option<Following>), BufferTooSmall> {
        let message = |guid, ttl, payload| Message { guid, ttl, hops: 0, payload };
        let len = match due {
            Due::Bye(code) => {
                let text = Text::new(code.reason().as_bytes()).unwrap_or_default();
                let bye = Payload::Bye(Bye { code, text, extensions: &[] });
                message(fresh, 1, bye).encode(buf)?
            }
            Due::Advice(guid, advice) => {
                around(Function::VENDOR, guid, buf, &mut |body| advice.encode(body))?
            }
            Due::Pong(due) => {
                message(due.guid, due.ttl, Payload::Pong(self.state.config.pong())).encode(buf)?
            }
            Due::CachedPong(due, host) => {
                let hops = host.hops.min(MOST_HOPS);
                let Host { address, files, kilobytes, .. } = host;
                let pong = Payload::Pong(Pong { address, files, kilobytes, extensions: &[] });
                Message { guid: due.guid, ttl: due.ttl, hops, payload: pong }.encode(buf)?
            }
            Due::Ping { ttl } => message(fresh, ttl, Payload::Ping(Ping::default())).encode(buf)?,
            Due::Table(at) => return self.write_table(index, at, fresh, buf),
        };
        Ok((len, None))
    }

    #[cfg_attr(target_os = "none", inline(never))] // smaller on a device than within its caller
    fn write_table(
        &self,
        index: usize,
        at: TableOut,
        guid: Guid,
        buf: &mut [u8],
    ) -> Result<(usize, Option<Following>), BufferTooSmall> {
        let mut next = None;
        let len = around(Function::QRP, guid, buf, &mut |body| {
            let (len, following) = self.table_message(index, at, body)?;
            next = following;
            Ok(len)
        })?;
        Ok((len, next))
    }

    #[cfg_attr(target_os = "none", inline(never))] // smaller on a device than within its caller
    fn send_query(&mut self, ask: &Ask, buf: &mut [u8]) -> Result<Transmit, BufferTooSmall> {
        let query = self.queries.get(ask.slot).and_then(|slot| slot.0.as_ref());
        let payload = query.map(query_slot::Pending::payload).unwrap_or_default();
        let len = Writer::fill(buf, |w| {
            ask.header.write(w);
            w.bytes(payload);
        })?;
        let to = self.conns.get(ask.conn).and_then(|slot| slot.conn.as_ref());
        invariant!(to.is_some(), "the connection was just found");
        let conn = to.map(|conn| conn.id).unwrap_or_default();
        self.asked(ask);
        Ok(Transmit { conn, len })
    }
}

/// Returns the GUID of the next own message.
fn fresh_guid(rng: &mut Rng) -> Guid {
    let mut random = [0; Guid::LEN];
    let words = random.as_chunks_mut().0.iter_mut();
    words.for_each(|word| *word = rng.next_u64().to_be_bytes());
    Guid::from_random(random)
}

/// Writes a body, and before it the header of a message for the neighbour only.
#[cfg_attr(target_os = "none", inline(never))] // smaller on a device than within its caller
fn around(
    function: Function,
    guid: Guid,
    buf: &mut [u8],
    body: &mut dyn FnMut(&mut [u8]) -> Result<usize, BufferTooSmall>,
) -> Result<usize, BufferTooSmall> {
    let whole = |len: usize| len.saturating_add(HEADER_LEN);
    let (head, rest) = buf.split_at_mut(buf.len().min(HEADER_LEN));
    let len = body(rest).map_err(|short| BufferTooSmall { needed: whole(short.needed) })?;
    let header = Header { guid, function, ttl: 1, hops: 0, len: u32::try_from(len).unwrap_or(0) };
    header.encode(head)?;
    Ok(whole(len))
}

impl Connection {
    /// Records that a message was written.
    fn mark_sent(&mut self, due: Due, next_piece: Option<TableOut>) {
        match due {
            Due::Bye(_) => {
                if let Some(leaving) = &mut self.leaving {
                    leaving.bye_due = false;
                }
            }
            Due::Advice(_, Advice::HopsFlow(hops)) => self.hops_flow_sent = hops,
            Due::Advice(..) if self.stop_due.is_some() => self.stop_due = None,
            Due::Advice(..) => self.status_due = None,
            Due::Pong(due) => self.pongs_due = Some(PongsDue { own: false, ..due }),
            Due::CachedPong(due, _) => {
                let others = due.others.saturating_sub(1);
                let at = due.at.saturating_add(1);
                self.pongs_due = Some(PongsDue { others, at, ..due });
            }
            Due::Ping { .. } if self.explore_due => self.explore_due = false,
            Due::Ping { .. } => (self.ping_due, self.asked) = (false, true),
            Due::Table(_) => self.table_out = next_piece,
        }
    }
}

impl super::Config {
    fn pong(&self) -> Pong<'static> {
        let Self { address, files, kilobytes, .. } = *self;
        Pong { address, files, kilobytes, extensions: &[] }
    }
}
