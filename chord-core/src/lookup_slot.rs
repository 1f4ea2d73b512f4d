//! Where lookups and what is passed on are kept.

use crate::event::{Event, LookupId};
use crate::id::Identifier;
use crate::lookup::Lookup;
use crate::peer::Peer;
use crate::relay::{Relay, Relayed};
use crate::time::{Span, Time};
use crate::wire::Address;

/// Room for one lookup of the application, or for a question or an answer that the node passes on for
/// others, until it is sent. See the crate's page for its size.
///
/// ```
/// use chord_core::{Config, FingerSlot, LookupSlot, Node, NodeArrays, NodeSlots, Peer, Word};
///
/// let slots: NodeArrays<Word<8>, u32, 4, 8, 5, 0> = NodeSlots {
///     successors: [Peer::EMPTY; 4],
///     fingers: [FingerSlot::EMPTY; 8],
///     lookups: [const { LookupSlot::EMPTY }; 5], // one for the node itself
///     contacts: [],
/// };
/// let node = Node::new(Config::default(), Peer { id: Word::<8>::new(1), address: 1u32 }, slots)?;
/// assert_eq!(node.capacity(), 4);
/// # Ok::<(), chord_core::ConfigError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LookupSlot<I, A>(pub(crate) Slot<I, A>);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Slot<I, A> {
    Empty,
    /// Free, but a peer that a lookup of the node itself has found dead has yet to be reported.
    Failed(Peer<I, A>),
    Lookup(Lookup<I, A>),
    Relay(Relay<I, A>),
    /// A question was passed on from one address to another; its answer may go back until then.
    Passed {
        token: u32,
        from: A,
        to: A,
        until: Time,
    },
}

impl<I: Identifier, A: Address> Slot<I, A> {
    /// What was to be passed on is sent. A question whose answer comes back this way is remembered for as long
    /// as two tries take: no other answer is passed on.
    pub(crate) fn set_relay_sent(&mut self, now: Time, patience: Span) {
        let Self::Relay(relay) = self else { return };
        *self = match (&relay.what, relay.back.last()) {
            (Relayed::Question { direct: false, .. }, Some(from)) => Self::Passed {
                token: relay.token,
                from: *from,
                to: relay.to,
                until: now.after(patience).after(patience),
            },
            (Relayed::Question { .. } | Relayed::Answer { .. }, _) => Self::Empty,
        };
    }
}

impl<I, A> LookupSlot<I, A> {
    /// A slot without a lookup.
    pub const EMPTY: Self = Self(Slot::Empty);

    /// Takes the peer that has yet to be reported.
    pub(crate) fn take_failed(&mut self) -> Option<Peer<I, A>> {
        match &mut self.0 {
            Slot::Lookup(lookup) => lookup.take_failed(),
            Slot::Failed(_) => match core::mem::replace(self, Self::EMPTY).0 {
                Slot::Failed(peer) => Some(peer),
                _ => None,
            },
            Slot::Empty | Slot::Relay(_) | Slot::Passed { .. } => None,
        }
    }

    /// Returns whether a question with this token was passed on to `by`, which answers, and came from where its answer is to go.
    pub(crate) fn has_passed(&self, token: u32, by: &A, answer_to: Option<&A>) -> bool
    where
        A: PartialEq,
    {
        match &self.0 {
            Slot::Passed { token: passed, from, to, .. } => {
                *passed == token && to == by && answer_to == Some(from)
            }
            _ => false,
        }
    }

    /// Returns whether the slot serves a lookup of another node.
    pub(crate) fn is_for_others(&self) -> bool {
        matches!(self.0, Slot::Relay(_) | Slot::Passed { .. })
    }

    pub(crate) fn is_empty(&self) -> bool {
        matches!(self.0, Slot::Empty | Slot::Failed(_))
    }

    pub(crate) fn lookup(&self) -> Option<&Lookup<I, A>> {
        if let Slot::Lookup(lookup) = &self.0 { Some(lookup) } else { None }
    }

    pub(crate) fn lookup_mut(&mut self) -> Option<&mut Lookup<I, A>> {
        if let Slot::Lookup(lookup) = &mut self.0 { Some(lookup) } else { None }
    }
}

/// The slot for lookups of the node itself. [`Node::new`](crate::Node::new) refuses a storage without one.
pub(crate) struct OwnSlot<'a, I, A>(pub(crate) Option<&'a mut LookupSlot<I, A>>);

impl<I, A> OwnSlot<'_, I, A> {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.as_ref().is_none_or(|slot| slot.is_empty())
    }

    pub(crate) fn lookup(&self) -> Option<&Lookup<I, A>> {
        self.0.as_ref()?.lookup()
    }

    pub(crate) fn lookup_mut(&mut self) -> Option<&mut Lookup<I, A>> {
        self.0.as_mut()?.lookup_mut()
    }

    pub(crate) fn take_failed(&mut self) -> Option<Peer<I, A>> {
        self.0.as_mut()?.take_failed()
    }

    /// Frees the slot. A peer that was found dead stays in it until it is reported.
    pub(crate) fn clear(&mut self, failed: Option<Peer<I, A>>) {
        if let Some(slot) = &mut self.0 {
            slot.0 = failed.map_or(Slot::Empty, Slot::Failed);
        }
    }
}

impl<I: Identifier, A: Address> OwnSlot<'_, I, A> {
    pub(crate) fn put(&mut self, id: LookupId, key: I, origin: Peer<I, A>) {
        if let Some(slot) = &mut self.0 {
            slot.put(id, key, origin);
        }
    }
}

impl<I: Identifier, A: Address> LookupSlot<I, A> {
    /// Puts a new lookup into the slot.
    #[inline(never)] // only here a lookup is on the stack
    pub(crate) fn put(&mut self, id: LookupId, key: I, origin: Peer<I, A>) {
        self.0 = Slot::Lookup(Lookup::new(id, key, origin));
    }

    pub(crate) fn deadline(&self) -> Time {
        match &self.0 {
            Slot::Empty | Slot::Failed(_) | Slot::Relay(_) => Time::NEVER,
            Slot::Lookup(lookup) => lookup.deadline(),
            Slot::Passed { until, .. } => *until,
        }
    }

    /// Returns whether nothing is to be sent.
    pub(crate) fn is_silent(&self) -> bool {
        match &self.0 {
            Slot::Empty | Slot::Failed(_) | Slot::Passed { .. } => true,
            Slot::Lookup(lookup) => !lookup.is_due(),
            Slot::Relay(_) => false,
        }
    }

    /// Returns the next event; after the last one the slot is free.
    pub(crate) fn poll_event(&mut self) -> Option<Event<I, A>> {
        let event = self.lookup_mut()?.poll_event()?;
        if matches!(event, Event::LookupDone { .. } | Event::LookupFailed { .. }) {
            *self = Self::EMPTY;
        }
        Some(event)
    }
}
