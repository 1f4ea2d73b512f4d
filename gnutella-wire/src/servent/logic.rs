//! What a servent does with a message: compiled once, whatever memory it works on.

use core::time::Duration;

use super::link::{Due, Leaving, Link, LinkSlot, NEVER, index_of};
use super::{Aim, Forward, Handled, Reason, Role, State, Target, Targets, Transmit};
use crate::routes::{Key, Learnt, RouteSlot, RouteTable, Via};
use crate::wire::{self, Bye, Function, HEADER_LEN, Header, Message, Payload, Ping, Pong};
use crate::{BufferTooSmall, DecodeError, LinkId, ServentId, Text};

/// What own messages come by.
pub(super) const OWN: Via = Via(NEVER);

/// Pings and queries whose TTL and hops exceed this are dropped; hits and pushes are trimmed to one
/// more (gtk-gnutella 1.2.3).
const HARD_TTL: u8 = 15;

/// How many faults of one kind a link may have before it is dismissed. A stray one is tolerated by
/// all servents; ten of too high a TTL is what gtk-gnutella 1.2.3 forgives.
const TTL_ZERO_FORGIVEN: u8 = 4;
const TTL_TOO_HIGH_FORGIVEN: u8 = 10;
const MALFORMED_FORGIVEN: u8 = 4;
/// And duplicates of its own messages: at least 5, and more than 1.5 % of what it sent.
const REPEATS_FORGIVEN: u32 = 4;

/// A servent while it works.
pub(super) struct Core<'m> {
    pub(super) state: &'m mut State,
    pub(super) routes: RouteTable<&'m mut [RouteSlot]>,
    pub(super) links: &'m mut [LinkSlot],
}

/// What is to become of a message.
enum Verdict {
    Drop,
    Deliver,
    Flood,
    DeliverAndFlood,
    Back(Via),
}

impl Core<'_> {
    pub(super) fn handle_bytes<'b>(
        &mut self,
        index: usize,
        bytes: &'b [u8],
    ) -> Option<Handled<'b>> {
        let link = self.links.get_mut(index)?.link.as_mut()?;
        if link.leaving.is_none() {
            match wire::split(bytes, self.state.config.limits) {
                Ok((header, payload, rest)) => {
                    let consumed = bytes.len().saturating_sub(rest.len());
                    link.heard(self.state.now, &self.state.config);
                    let (message, forward) = self.handle_message(index, header, payload);
                    return Some(Handled { consumed, message, forward });
                }
                Err(DecodeError::Incomplete { .. }) => return None,
                Err(DecodeError::TooLarge { .. }) => link.dismiss(wire::ByeCode::TOO_LARGE),
                Err(_) => link.leave(Leaving { reason: Reason::Desynchronised, bye_due: false }),
            }
        }
        // Whatever a dismissed neighbour goes on saying is not heard.
        (!bytes.is_empty()).then_some(Handled {
            consumed: bytes.len(),
            message: None,
            forward: None,
        })
    }

    fn handle_message<'b>(
        &mut self,
        index: usize,
        header: Header,
        bytes: &'b [u8],
    ) -> (Option<Message<'b>>, Option<Forward<'b>>) {
        count(&mut self.state.stats.received);
        let Some(link) = self.links.get_mut(index).and_then(|slot| slot.link.as_mut()) else {
            return (None, None);
        };
        link.faults.received = link.faults.received.saturating_add(1);
        if !admits(link, &header) {
            count(&mut self.state.stats.refused);
            return (None, None);
        }
        let Ok(payload) = Payload::decode(header.function, bytes) else {
            count(&mut self.state.stats.malformed);
            if strike(&mut link.faults.malformed) > MALFORMED_FORGIVEN {
                link.dismiss(wire::ByeCode::INVALID_PAYLOAD);
            }
            return (None, None);
        };
        let Header { guid, ttl, hops, .. } = header;
        let message = Message { guid, ttl, hops, payload };
        let verdict = self.judge(index, &message);
        let deliver = matches!(verdict, Verdict::Deliver | Verdict::DeliverAndFlood);
        if deliver {
            count(&mut self.state.stats.delivered);
        }
        let forward = match verdict {
            Verdict::Flood | Verdict::DeliverAndFlood => self.flood(index, header),
            Verdict::Back(via) => self.back(index, header, via),
            Verdict::Drop | Verdict::Deliver => None,
        };
        if let (Payload::QueryHit(hit), true) = (payload, deliver || forward.is_some()) {
            self.learn_push(index, hit.servent, hops);
        }
        let forward =
            forward.map(|(header, to)| Forward { header: header.to_bytes(), payload: bytes, to });
        (deliver.then_some(message), forward)
    }

    /// Decides by the routing rules of 0.4, section 2.3.
    fn judge(&mut self, index: usize, message: &Message<'_>) -> Verdict {
        let guid = message.guid;
        match message.payload {
            Payload::Ping(_) if self.is_new(index, Key::Ping(guid), message.hops) => {
                let ttl = self.answer_ttl(message.hops);
                if let Some(link) = self.link(index) {
                    link.pong_due = Some((guid, ttl));
                }
                Verdict::Flood
            }
            Payload::Query(_) if self.is_new(index, Key::Query(guid), message.hops) => {
                Verdict::DeliverAndFlood
            }
            Payload::Ping(_) | Payload::Query(_) => Verdict::Drop,
            Payload::Pong(_) => self.route(Key::Ping(guid)),
            Payload::QueryHit(_) => self.route(Key::Query(guid)),
            Payload::Push(push) if push.servent == self.state.config.servent => Verdict::Deliver,
            Payload::Push(push) => self.route(Key::Push(push.servent)),
            Payload::Bye(bye) => {
                let leaving = Leaving { reason: Reason::Left(bye.code), bye_due: false };
                if let Some(link) = self.link(index) {
                    link.leave(leaving);
                }
                Verdict::Deliver
            }
            Payload::Other(_) => Verdict::Deliver,
        }
    }

    /// Remembers the way of a ping or query; counts it if it was here before.
    fn is_new(&mut self, index: usize, key: Key, hops: u8) -> bool {
        let Some(slot) = self.links.get_mut(index) else { return false };
        let via = slot.via();
        match self.routes.learn(self.state.now, key, via, hops) {
            Learnt::New => true,
            Learnt::NoRoom => {
                count(&mut self.state.stats.refused); // what is not remembered would run in circles
                false
            }
            Learnt::Known(route) => {
                count(&mut self.state.stats.duplicates);
                if let Some(link) = slot.link.as_mut().filter(|_| route.via == via) {
                    let faults = &mut link.faults;
                    faults.repeats = faults.repeats.saturating_add(1);
                    let share = u64::from(faults.repeats).saturating_mul(1_000);
                    let bound = u64::from(faults.received).saturating_mul(15);
                    if faults.repeats > REPEATS_FORGIVEN && share > bound {
                        link.dismiss(wire::ByeCode::DUPLICATES);
                    }
                }
                false
            }
        }
    }

    /// The way of a hit is the way of the push (0.4, 2.3). Only of a hit that went somewhere: else
    /// any neighbour could draw the pushes of others to itself.
    fn learn_push(&mut self, index: usize, servent: ServentId, hops: u8) {
        if let Some(via) = self.via(index) {
            self.routes.refresh(self.state.now, Key::Push(servent), via, hops);
        }
    }

    /// Finds the way back: to this servent, to a live link, or nowhere.
    fn route(&mut self, key: Key) -> Verdict {
        match self.routes.find(self.state.now, key) {
            Some(route) if route.via == OWN => Verdict::Deliver,
            Some(route) => Verdict::Back(route.via),
            None => {
                count(&mut self.state.stats.unroutable);
                Verdict::Drop
            }
        }
    }

    /// "To all connections (except the incoming one), if the TTL value is > 0."
    fn flood(&mut self, index: usize, mut header: Header) -> Option<(Header, Target)> {
        let to = Target(Aim::Flood { from: self.via(index) });
        let copies = Targets::new(self.links, to).count();
        if copies == 0 || self.state.config.role == Role::Leaf {
            return None;
        }
        let hops = header.hops.saturating_add(1);
        let most = self.state.config.max_ttl.max(1).saturating_sub(hops);
        let ttl = header.ttl.saturating_sub(1).min(most);
        if ttl == 0 {
            if header.hops > 0 || header.function != Function::PING {
                count(&mut self.state.stats.expired); // a ping for the neighbour only is none
            }
            return None;
        }
        (header.ttl, header.hops) = (ttl, hops);
        let stats = &mut self.state.stats;
        stats.flooded = stats.flooded.saturating_add(u64::try_from(copies).unwrap_or(u64::MAX));
        Some((header, to))
    }

    /// "Only on the connection on which the corresponding messages arrived."
    fn back(&mut self, index: usize, mut header: Header, via: Via) -> Option<(Header, Target)> {
        let to = Target(Aim::One(via));
        let leads = Some(via) != self.via(index) && Targets::new(self.links, to).next().is_some();
        if !leads || self.state.config.role == Role::Leaf {
            count(&mut self.state.stats.unroutable);
            return None;
        }
        let hops = header.hops.saturating_add(1);
        let most = HARD_TTL.saturating_add(1).saturating_sub(hops);
        let ttl = header.ttl.saturating_sub(1).min(most);
        if ttl == 0 {
            count(&mut self.state.stats.expired);
            return None;
        }
        (header.ttl, header.hops) = (ttl, hops);
        count(&mut self.state.stats.routed);
        Some((header, to))
    }

    fn via(&self, index: usize) -> Option<Via> {
        self.links.get(index).map(LinkSlot::via)
    }

    /// The TTL that brings an answer back over the links its question crossed.
    pub(super) fn answer_ttl(&self, hops: u8) -> u8 {
        self.state.config.max_ttl.max(hops.saturating_add(1))
    }

    pub(super) fn poll_transmit(
        &mut self,
        buf: &mut [u8],
    ) -> Result<Option<Transmit>, BufferTooSmall> {
        let says =
            |slot: &LinkSlot| slot.link.as_ref().and_then(|link| Some((link.id, link.due()?)));
        let Some((index, (to, due))) =
            self.links.iter().map(says).enumerate().find_map(|(at, due)| Some((at, due?)))
        else {
            return Ok(None);
        };
        let mut rng = self.state.rng.clone();
        let fresh = rng.guid();
        let (guid, ttl, payload) = match due {
            Due::Bye(code) => {
                let text = Text::new(code.reason().as_bytes()).unwrap_or_default();
                (fresh, 1, Payload::Bye(Bye { code, text, extensions: &[] }))
            }
            Due::Pong(guid, ttl) => (guid, ttl, Payload::Pong(self.state.config.pong())),
            Due::Ping => (fresh, 1, Payload::Ping(Ping::default())),
        };
        let len = Message { guid, ttl, hops: 0, payload }.encode(buf)?; // failing changes nothing
        self.state.rng = rng;
        if due == Due::Ping {
            self.routes.learn(self.state.now, Key::Ping(guid), OWN, 0);
        }
        if let Some(link) = self.link(index) {
            link.said(due);
        }
        Ok(Some(Transmit { to, len }))
    }

    fn link(&mut self, index: usize) -> Option<&mut Link> {
        self.links.get_mut(index)?.link.as_mut()
    }
}

/// Says whether a message may pass, and counts against the link what is wrong with its header.
fn admits(link: &mut Link, header: &Header) -> bool {
    let Header { function, ttl, hops, .. } = *header;
    let floods = matches!(function, Function::PING | Function::QUERY);
    if function == Function::BYE {
        true
    } else if ttl == 0 {
        if strike(&mut link.faults.ttl_zero) > TTL_ZERO_FORGIVEN {
            link.dismiss(wire::ByeCode::TTL_ZERO);
        }
        false
    } else if link.role == Role::Leaf && hops > 0 {
        link.dismiss(wire::ByeCode::LEAF_RELAYED);
        false
    } else if floods && ttl.saturating_add(hops) > HARD_TTL {
        if strike(&mut link.faults.ttl_too_high) > TTL_TOO_HIGH_FORGIVEN {
            link.dismiss(wire::ByeCode::TTL_TOO_HIGH);
        }
        false
    } else {
        true
    }
}

fn count(counter: &mut u64) {
    *counter = counter.saturating_add(1);
}

fn strike(faults: &mut u8) -> u8 {
    *faults = faults.saturating_add(1);
    *faults
}

/// Finds the slot of a link by the caller's name.
pub(super) fn find(links: &[LinkSlot], id: LinkId) -> Option<usize> {
    links.iter().position(|slot| slot.link.as_ref().is_some_and(|link| link.id == id))
}

/// Narrows the slots to those that `target` can mean.
pub(super) fn aim(links: &[LinkSlot], target: Target) -> &[LinkSlot] {
    let Target(Aim::One(via)) = target else { return links };
    let slot = index_of(via, links.len()).and_then(|index| links.get(index));
    slot.map(core::slice::from_ref).unwrap_or_default()
}

/// Returns the earliest deadline.
pub(super) fn poll_timeout(links: &[LinkSlot]) -> Option<Duration> {
    links.iter().filter_map(|slot| slot.live()?.deadline).min()
}

impl super::Config {
    fn pong(&self) -> Pong<'static> {
        let Self { address, files, kilobytes, .. } = *self;
        Pong { address, files, kilobytes, extensions: &[] }
    }
}

/// The most that [`Servent::poll_transmit`](super::Servent::poll_transmit) writes: a bye.
pub(super) const MAX_TRANSMIT_LEN: usize = HEADER_LEN + 41;
