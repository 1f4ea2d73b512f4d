//! What a servent does with a message: compiled once, whatever memory it works on.

use super::faults::{passes, repeats};
use super::link::{Leaving, Link, LinkSlot, OWN, index_of};
use super::spread::{Audience, Spread};
use super::words::Words;
use super::{Aim, Core, Forward, Handled, Reason, Role, Target, Targets};
use crate::routes::{Key, Learnt, Route, Via};
use crate::wire::{
    self, ByeCode, Function, Header, Message, Payload, Qrp, QueryHit, VendorMessage,
};
use crate::{DecodeError, LinkId};

/// What is to become of a message.
pub(super) enum Verdict {
    Drop,
    Deliver,
    Flood(Audience),
    DeliverAndFlood(Audience),
    Back(Via),
}

/// Whether a ping or query was here before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    No,
    /// It was, but may go farther now.
    Lower,
    Yes,
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
                Err(DecodeError::TooLarge { .. }) => link.dismiss(ByeCode::TOO_LARGE),
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
        let hard_ttl = self.state.config.hard_ttl;
        let Some(link) = self.links.get_mut(index).and_then(|slot| slot.link.as_mut()) else {
            return (None, None);
        };
        link.faults.received = link.faults.received.saturating_add(1);
        if !passes(link, &header, hard_ttl) {
            count(&mut self.state.stats.refused);
            return (None, None);
        }
        let Ok(payload) = Payload::decode(header.function, bytes) else {
            self.malformed(index);
            return (None, None);
        };
        let Header { guid, ttl, hops, .. } = header;
        let message = Message { guid, ttl, hops, payload };
        let verdict = self.judge(index, &message, bytes);
        let deliver = matches!(verdict, Verdict::Deliver | Verdict::DeliverAndFlood(_));
        if deliver {
            count(&mut self.state.stats.delivered);
        }
        let forward = match verdict {
            Verdict::Flood(audience) | Verdict::DeliverAndFlood(audience) => {
                self.flood(index, header, &payload, audience)
            }
            Verdict::Back(via) => self.back(index, header, via),
            Verdict::Drop | Verdict::Deliver => None,
        };
        if let (Payload::QueryHit(hit), true) = (payload, deliver || forward.is_some()) {
            self.learn_hit(index, &header, &hit);
        }
        let forward =
            forward.map(|(header, to)| Forward { header: header.to_bytes(), payload: bytes, to });
        (deliver.then_some(message), forward)
    }

    /// Decides by the routing rules of 0.4, section 2.3, and those of 0.6 for leaves.
    fn judge(&mut self, index: usize, message: &Message<'_>, bytes: &[u8]) -> Verdict {
        let guid = message.guid;
        match message.payload {
            Payload::Ping(_) => match self.seen(index, Key::Ping(guid), message) {
                Seen::No => self.answer_ping(index, message),
                Seen::Lower if !self.caches_pongs() => Verdict::Flood(Audience::All),
                Seen::Lower | Seen::Yes => Verdict::Drop,
            },
            Payload::Query(_) => match self.seen(index, Key::Query(guid), message) {
                Seen::No => Verdict::DeliverAndFlood(self.audience(index, message, bytes)),
                Seen::Lower => Verdict::Flood(Audience::Peers),
                Seen::Yes => Verdict::Drop,
            },
            Payload::Pong(pong) => {
                self.learn_pong(message.hops, &pong);
                self.route(Key::Ping(guid))
            }
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
            Payload::Other(other) => {
                match other.function {
                    Function::QRP => {
                        let Ok(qrp) = Qrp::decode(other.body) else {
                            self.malformed(index);
                            return Verdict::Drop;
                        };
                        self.handle_table(index, &qrp);
                    }
                    Function::VENDOR | Function::VENDOR_STANDARD => {
                        let Ok(vendor) = VendorMessage::decode(other.body) else {
                            self.malformed(index);
                            return Verdict::Drop;
                        };
                        self.handle_vendor(index, guid, &vendor);
                    }
                    _ => {}
                }
                Verdict::Deliver
            }
        }
    }

    /// Whom a query is passed on to now. That of a leaf goes to leaves at once, and to ultrapeers
    /// in turn if there is room to remember it.
    fn audience(&mut self, index: usize, message: &Message<'_>, bytes: &[u8]) -> Audience {
        let Some(slot) = self.links.get(index) else { return Audience::All };
        let (via, guid) = (slot.via(), message.guid);
        let of_leaf = slot.live().is_some_and(Link::is_leaf) && message.ttl > 1;
        if of_leaf && self.pursue(guid, via, bytes, true) {
            Audience::Leaves
        } else {
            Audience::All
        }
    }

    /// Remembers the way of a ping or query; counts it if it was here before.
    fn seen(&mut self, index: usize, key: Key, message: &Message<'_>) -> Seen {
        let Some(slot) = self.links.get_mut(index) else { return Seen::Yes };
        let (via, now) = (slot.via(), self.state.now);
        let route = Route { via, ttl: message.ttl, hops: message.hops };
        match self.routes.learn(now, key, route) {
            Learnt::New => Seen::No,
            Learnt::NoRoom => {
                count(&mut self.state.stats.refused); // what is not remembered would run in circles
                Seen::Yes
            }
            Learnt::Known(first) if self.state.config.probes && message.ttl > first.ttl => {
                self.routes.raise(now, key, message.ttl);
                Seen::Lower
            }
            Learnt::Known(first) => {
                count(&mut self.state.stats.duplicates);
                if let Some(link) = slot.link.as_mut().filter(|_| first.via == via) {
                    repeats(link);
                }
                Seen::Yes
            }
        }
    }

    /// The way of a hit is the way of the push (0.4, 2.3). Only of a hit that went somewhere: else
    /// any neighbour could draw the pushes of others to itself.
    fn learn_hit(&mut self, index: usize, header: &Header, hit: &QueryHit<'_>) {
        if let Some(via) = self.via(index) {
            let route = Route { via, ttl: header.ttl, hops: header.hops };
            self.routes.refresh(self.state.now, Key::Push(hit.servent), route);
        }
        self.count_hits(header.guid, hit.records.len());
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

    /// "To all connections (except the incoming one), if the TTL value is > 0." What an ultrapeer's
    /// leaves have counts as its own, so that they hear of a query however small its TTL.
    fn flood(
        &mut self,
        index: usize,
        header: Header,
        payload: &Payload<'_>,
        audience: Audience,
    ) -> Option<(Header, Target)> {
        if self.state.config.role == Role::Leaf {
            return None;
        }
        let hops = header.hops.saturating_add(1);
        let most = self.state.config.max_ttl.max(1).saturating_sub(hops);
        let ttl = header.ttl.saturating_sub(1).min(most);
        let words = match payload {
            Payload::Query(query) => Some(Words::of(query)),
            _ => None,
        };
        let ended = ttl == 0;
        let audience = match (ended, audience, &words) {
            (false, audience, _) => audience,
            (true, Audience::All | Audience::Leaves, Some(_)) => Audience::Leaves,
            (true, ..) => Audience::Nobody,
        };
        let header = Header { ttl: ttl.max(1), hops, ..header };
        let spread = Spread { from: self.via(index), header, words: words.as_ref(), audience };
        let (target, copies) = self.choose(&spread);
        if copies == 0 {
            if ended && self.has_others(index) && (header.hops > 1 || words.is_some()) {
                count(&mut self.state.stats.expired); // a ping for the neighbour only is none
            }
            return None;
        }
        let stats = &mut self.state.stats;
        stats.flooded = stats.flooded.saturating_add(copies);
        Some((header, target))
    }

    fn has_others(&self, index: usize) -> bool {
        self.links.iter().enumerate().any(|(at, slot)| at != index && slot.live().is_some())
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
        let most = self.state.config.hard_ttl.saturating_add(1).saturating_sub(hops);
        let ttl = header.ttl.saturating_sub(1).min(most);
        if ttl == 0 {
            count(&mut self.state.stats.expired);
            return None;
        }
        (header.ttl, header.hops) = (ttl, hops);
        let slot = index_of(via, self.links.len()).and_then(|at| self.links.get(at));
        let link = slot.and_then(LinkSlot::live);
        if !link.is_some_and(|link| link.admits(&header, &self.state.config)) {
            count(&mut self.state.stats.choked);
            return None;
        }
        count(&mut self.state.stats.routed);
        Some((header, to))
    }

    pub(super) fn via(&self, index: usize) -> Option<Via> {
        self.links.get(index).map(LinkSlot::via)
    }

    /// The TTL that brings an answer back over the links its question crossed.
    pub(super) fn answer_ttl(&self, hops: u8) -> u8 {
        self.state.config.max_ttl.max(hops.saturating_add(1))
    }

    pub(super) fn link(&mut self, index: usize) -> Option<&mut Link> {
        self.links.get_mut(index)?.link.as_mut()
    }
}

pub(super) fn count(counter: &mut u64) {
    *counter = counter.saturating_add(1);
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
