//! What a node sends.

use super::data::{Answer, Content, NodeMut};
use super::state::State;
use crate::error::BufferTooSmall;
use crate::id::Identifier;
use crate::lookup::Lookup;
use crate::lookup_slot::{LookupSlot, Slot};
use crate::message::Message;
use crate::relay::Relay;
use crate::request::Request;
use crate::wire::Address;

/// A datagram that [`Node::poll_transmit`](crate::Node::poll_transmit) has written.
///
/// ```
/// use chord_core::{Config, Message, Node, NodeArrays, Peer, Word};
/// use core::time::Duration;
///
/// type Slots = NodeArrays<Word<8>, u32, 4, 8, 2, 2>;
/// let me = Peer { id: Word::new(1), address: 1 };
/// let mut node = Node::new(Config::default(), me, Slots::EMPTY)?;
/// node.join(Duration::ZERO, 2)?;
/// let mut buf = [0; Message::<Word<8>, u32>::MAX_LEN];
/// let transmit = node.poll_transmit(&mut buf)?.expect("a first question");
/// assert_eq!(transmit.to, 2);
/// assert!(matches!(Message::<Word<8>, u32>::decode(&buf[..transmit.len])?.0, Message::Ping { .. }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "a datagram has an addressee and a length")]
pub struct Transmit<A> {
    /// Where to send it.
    pub to: A,
    /// Its length in bytes, from the start of the buffer.
    pub len: usize,
}

/// What is to be sent next, and so what to mark as sent.
enum Due {
    State,
    Answer,
    Notify,
    NotifyOther,
    Nudge,
    Question,
    OwnLookup,
    Slot(usize),
    LeaveNotice(usize),
}

impl<I: Identifier, A: Address> NodeMut<'_, I, A> {
    pub(super) fn poll_transmit(
        &mut self,
        slots: &mut [LookupSlot<I, A>],
        buf: &mut [u8],
    ) -> Result<Option<Transmit<A>>, BufferTooSmall> {
        let Some(due) = self.next_due(slots) else { return Ok(None) };
        let Some(transmit) = self.write(&due, slots, buf)? else { return Ok(None) }; // if it fails, nothing has changed
        match due {
            Due::State => drop(self.core.waiting.remove(0)),
            Due::Answer => self.core.answer = None,
            Due::Notify => self.core.notify = false,
            Due::NotifyOther => self.core.contact = None,
            Due::Nudge => self.core.nudge = None,
            Due::Question => self.core.question.iter_mut().for_each(Request::set_sent),
            Due::OwnLookup => {
                if let Some(lookup) = self.own.lookup_mut() {
                    lookup.set_sent(self.core.now);
                }
            }
            Due::Slot(at) => match slots.get_mut(at).map(|slot| &mut slot.0) {
                Some(Slot::Lookup(lookup)) => lookup.set_sent(self.core.now),
                Some(slot) => slot.set_relay_sent(self.core.now, self.core.settings.patience),
                None => {}
            },
            Due::LeaveNotice(to) => {
                self.core.leave_notices.iter_mut().skip(to).take(1).for_each(|due| *due = false);
            }
        }
        Ok(Some(transmit))
    }

    /// Returns what is to be sent next.
    fn next_due(&self, slots: &[LookupSlot<I, A>]) -> Option<Due> {
        let readable = !self.is_reading();
        #[cfg(test)]
        let readable = readable || self.mutate_reading();
        let asks = self.core.question.as_ref().is_some_and(Request::is_due);
        Some(match () {
            () if readable && !self.core.waiting.is_empty() => Due::State,
            () if self.core.answer.is_some() => Due::Answer,
            () if self.core.notify && self.table.successors.first().is_some() => Due::Notify,
            () if self.core.contact.is_some() && self.core.state.is_member() => Due::NotifyOther,
            () if self.core.nudge.is_some() => Due::Nudge,
            () if asks && self.asked().is_some() => Due::Question,
            () if self.own.lookup().is_some_and(Lookup::is_due) => Due::OwnLookup,
            () => match slots.iter().position(|slot| !slot.is_silent()) {
                Some(at) => Due::Slot(at),
                None => Due::LeaveNotice(self.leave_notice()?.0),
            },
        })
    }

    /// Writes what is due. Messages are large: each kind is built in a function of its own, so the stack has room for one.
    fn write(
        &self,
        due: &Due,
        slots: &[LookupSlot<I, A>],
        buf: &mut [u8],
    ) -> Result<Option<Transmit<A>>, BufferTooSmall> {
        match *due {
            Due::State => self.write_state(buf),
            Due::Answer => self.write_answer(buf),
            Due::Notify | Due::NotifyOther | Due::Nudge | Due::LeaveNotice(_) => {
                self.write_hint(due, buf)
            }
            Due::Question => self.write_question(buf),
            Due::OwnLookup => write_lookup(self.own.lookup(), buf),
            Due::Slot(at) => match slots.get(at).map(|slot| &slot.0) {
                Some(Slot::Lookup(lookup)) => write_lookup(Some(lookup), buf),
                Some(Slot::Relay(relay)) => write_relay(relay, buf),
                _ => Ok(None),
            },
        }
    }

    #[inline(never)] // see `write`
    fn write_state(&self, buf: &mut [u8]) -> Result<Option<Transmit<A>>, BufferTooSmall> {
        let Some(asker) = self.core.waiting.first() else { return Ok(None) };
        send(asker.to, &self.state_message(asker.token, asker.limit), buf)
    }

    #[inline(never)] // see `write`
    fn write_answer(&self, buf: &mut [u8]) -> Result<Option<Transmit<A>>, BufferTooSmall> {
        let Some(answer) = &self.core.answer else { return Ok(None) };
        send(answer.to, &self.answer_message(answer), buf)
    }

    #[inline(never)] // see `write`
    fn write_question(&self, buf: &mut [u8]) -> Result<Option<Transmit<A>>, BufferTooSmall> {
        let Some(request) = &self.core.question else { return Ok(None) };
        let Some(peer) = self.asked() else { return Ok(None) };
        send(peer.address, &self.question_message(request), buf)
    }

    /// Writes a message that consists of the own identifier.
    #[inline(never)] // see `write`
    fn write_hint(&self, due: &Due, buf: &mut [u8]) -> Result<Option<Transmit<A>>, BufferTooSmall> {
        let id = self.core.me.id;
        let to = match due {
            Due::Notify => self.table.successors.first().map(|peer| peer.address),
            Due::NotifyOther => self.core.contact,
            Due::Nudge => self.core.nudge,
            _ => self.leave_notice().map(|(_, to)| to),
        };
        let Some(to) = to else { return Ok(None) };
        let message = match due {
            Due::Nudge => Message::Nudge { id },
            Due::LeaveNotice(_) => Message::Leave { id },
            _ => Message::Notify { id },
        };
        send(to, &message, buf)
    }

    /// Returns the state with as many successors as fit `limit` bytes.
    fn state_message(&self, token: u32, limit: u16) -> Message<I, A> {
        if !self.core.state.is_member() {
            return Message::Absent { token };
        }
        let all = self.table.successors.as_slice();
        let fits = |count: &usize| Message::<I, A>::state_len(*count) <= usize::from(limit);
        let count = (0..=all.len()).rev().find(fits);
        let Some(count) = count.filter(|count| *count > 0 || all.is_empty()) else {
            return Message::Busy { token }; // without a successor it would be that of a lone node
        };
        let successors = all.iter().copied().take(count).collect();
        let id = self.core.me.id;
        let predecessor = self.core.predecessor;
        Message::State { token, id, predecessor, successors }
    }

    /// Returns the question of the state.
    fn question_message(&self, request: &Request) -> Message<I, A> {
        let token = request.token;
        if self.pings() {
            return Message::Ping { token, padding: Message::<I, A>::ping_padding() };
        }
        let known = self.core.state == State::Idle && self.core.known_to_successor;
        let first = request.is_first(&self.core.settings);
        let entries = self.table.successors.r();
        let padding = Message::<I, A>::query_padding(entries);
        Message::Query { token, padding: if known && first { 0 } else { padding } }
    }

    fn answer_message(&self, answer: &Answer<I, A>) -> Message<I, A> {
        let token = answer.token;
        let id = self.core.me.id;
        match answer.content {
            _ if !self.core.state.is_member() => Message::Absent { token },
            Content::Pong => Message::Pong { token, id },
            Content::Busy | Content::Route(None) => Message::Busy { token },
            Content::Route(Some(route)) => Message::answer(token, id, route),
        }
    }

    /// Returns which neighbour is to receive a LEAVE, and its address.
    fn leave_notice(&self) -> Option<(usize, A)> {
        let neighbours = [self.core.predecessor(), self.table.successors.first()];
        let mut due = self.core.leave_notices.iter().zip(neighbours).enumerate();
        let (at, (_, peer)) = due.find(|(_, (due, _))| **due)?;
        Some((at, peer?.address))
    }
}

#[inline(never)] // see `NodeMut::write`
fn write_lookup<I: Identifier, A: Address>(
    lookup: Option<&Lookup<I, A>>,
    buf: &mut [u8],
) -> Result<Option<Transmit<A>>, BufferTooSmall> {
    let Some(lookup) = lookup else { return Ok(None) };
    let Some(question) = lookup.due_question() else { return Ok(None) };
    send(question.to, &lookup.message(&question), buf)
}

#[inline(never)] // see `NodeMut::write`
fn write_relay<I: Identifier, A: Address>(
    relay: &Relay<I, A>,
    buf: &mut [u8],
) -> Result<Option<Transmit<A>>, BufferTooSmall> {
    send(relay.to, &relay.message(), buf)
}

fn send<I: Identifier, A: Address>(
    to: A,
    message: &Message<I, A>,
    buf: &mut [u8],
) -> Result<Option<Transmit<A>>, BufferTooSmall> {
    Ok(Some(Transmit { to, len: message.encode(buf)? }))
}
