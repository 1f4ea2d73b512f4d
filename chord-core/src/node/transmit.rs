//! What a node sends.

use super::data::{Answer, Content, NodeMut};
use super::state::State;
use crate::error::BufferTooSmall;
use crate::id::Identifier;
use crate::lookup::Lookup;
use crate::lookup_slot::{LookupSlot, Slot};
use crate::message::Message;
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
        let Some((due, to, message)) = self.next_message(slots) else { return Ok(None) };
        let len = message.encode(buf)?; // if this fails, nothing has changed
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
        Ok(Some(Transmit { to, len }))
    }

    fn next_message(&self, slots: &[LookupSlot<I, A>]) -> Option<(Due, A, Message<I, A>)> {
        let id = self.core.me.id;
        let readable = !self.is_reading();
        #[cfg(test)]
        let readable = readable || self.mutate_reading();
        if let Some(asker) = self.core.waiting.first().filter(|_| readable) {
            return Some((Due::State, asker.to, self.state_message(asker.token, asker.limit)));
        }
        if let Some(answer) = &self.core.answer {
            return Some((Due::Answer, answer.to, self.answer_message(answer)));
        }
        if let Some(successor) = self.table.successors.first().filter(|_| self.core.notify) {
            return Some((Due::Notify, successor.address, Message::Notify { id }));
        }
        if let Some(to) = self.core.contact.filter(|_| self.core.state.is_member()) {
            return Some((Due::NotifyOther, to, Message::Notify { id }));
        }
        if let Some(to) = self.core.nudge {
            return Some((Due::Nudge, to, Message::Nudge { id }));
        }
        let question = self.core.question.as_ref().filter(|request| request.is_due());
        if let (Some(request), Some(peer)) = (question, self.asked()) {
            return Some((Due::Question, peer.address, self.question_message(request)));
        }
        if let Some((to, message)) = self.own.lookup().and_then(Lookup::transmit) {
            return Some((Due::OwnLookup, to, message));
        }
        let mut due = slots.iter().enumerate().filter_map(|(at, slot)| match &slot.0 {
            Slot::Empty | Slot::Failed(_) | Slot::Passed { .. } => None,
            Slot::Lookup(lookup) => {
                lookup.transmit().map(|(to, message)| (Due::Slot(at), to, message))
            }
            Slot::Relay(relay) => Some((Due::Slot(at), relay.to, relay.message())),
        });
        due.next().or_else(|| self.leave_notice())
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

    fn leave_notice(&self) -> Option<(Due, A, Message<I, A>)> {
        let neighbours = [self.core.predecessor(), self.table.successors.first()];
        let mut due = self.core.leave_notices.iter().zip(neighbours).enumerate();
        let (at, (_, peer)) = due.find(|(_, (due, _))| **due)?;
        Some((Due::LeaveNotice(at), peer?.address, Message::Leave { id: self.core.me.id }))
    }
}
