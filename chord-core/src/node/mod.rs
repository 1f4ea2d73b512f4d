//! The node: a machine of five verbs around the routing table.

mod join;
mod lookups;
mod machine;
mod maintenance;
#[cfg(test)]
mod model;
mod news;
mod relay;
mod state;

use core::time::Duration;

use self::machine::Core;
use crate::config::Settings;
use crate::rng::Rng;
use crate::{
    Address, BufferTooSmall, Config, DatagramError, Event, FingerTable, Full, Identifier, KeyRange,
    LookupId, LookupSlot, Peer, RoutingTable, StartError, SuccessorList,
};

pub use state::{Input, State, TRANSITIONS};

/// A node of a Chord ring with the corrected maintenance of Zave 2017.
///
/// `I` is the identifier, `A` where datagrams go, and `S` the memory for lookups: any
/// `[LookupSlot]`. After each call of a `handle_*` method or of a command, poll transmits, events
/// and the timeout; calls out of turn are harmless.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Node<I, A, S: ?Sized> {
    core: Core<I, A>,
    lookups: S, // last, so that `&mut Node<I, A, [LookupSlot<I, A>; 4]>` coerces to `&mut NodeView`
}

/// A [`Node`] whose number of lookups is not part of its type.
pub type NodeView<I, A> = Node<I, A, [LookupSlot<I, A>]>;

/// A datagram that [`Node::poll_transmit`] has written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Transmit<A> {
    /// Where to send it.
    pub to: A,
    /// How many bytes of the buffer it fills.
    pub len: usize,
}

impl<I: Identifier, A: Address, S> Node<I, A, S> {
    /// Creates a node that belongs to no ring and can run as many lookups at a time as `lookups`
    /// has room for; its own lookups need none of them. `me.address` is where others reach it, and
    /// has to be what they see as the source of its datagrams.
    #[must_use]
    pub const fn new(config: Config, me: Peer<I, A>, lookups: S) -> Self {
        Self { core: Core::new(Settings::new(&config), me, Rng::new(config.seed)), lookups }
    }

    /// Returns the memory for lookups.
    #[must_use]
    pub fn into_lookups(self) -> S {
        self.lookups
    }
}

impl<I: Identifier, A: Address, S> Node<I, A, S>
where
    S: AsRef<[LookupSlot<I, A>]> + AsMut<[LookupSlot<I, A>]> + ?Sized,
{
    /// Founds a ring of this node alone (Stoica 2003, `create`).
    ///
    /// The protocol's proof asks for a base of r + 1 members. A ring that grows from one node
    /// should see no failures until [`has_base`](Self::has_base).
    ///
    /// # Errors
    ///
    /// [`StartError::Started`], and nothing has changed.
    pub fn create(&mut self, now: Duration) -> Result<(), StartError> {
        self.core.create(now, None)
    }

    /// Starts as one of the `members` of an ideal ring (Zave 2017, the base): all of them make
    /// this call, each with the same members in any order, itself included or not.
    ///
    /// # Errors
    ///
    /// [`StartError::BaseTooSmall`] for fewer than r + 1 members, or [`StartError::Started`];
    /// nothing has changed.
    pub fn create_base(&mut self, now: Duration, members: &[Peer<I, A>]) -> Result<(), StartError> {
        self.core.create(now, Some(members))
    }

    /// Joins the ring that the node at `contact` belongs to. [`Event::Joined`] or
    /// [`Event::JoinFailed`] follows.
    ///
    /// # Errors
    ///
    /// [`StartError::Started`], and nothing has changed.
    pub fn join(&mut self, now: Duration, contact: A) -> Result<(), StartError> {
        self.core.join(now, contact)
    }

    /// Joins again after [`leave`](Self::leave), as a new node with the identifier `id`, which must be
    /// another one (Zave 2017: messages of the former life may still arrive). What the former life had
    /// yet to send and to tell is dropped.
    ///
    /// # Errors
    ///
    /// [`StartError::Started`] unless the node has left, or [`StartError::IdentifierUsed`]; nothing
    /// has changed.
    pub fn rejoin(&mut self, now: Duration, id: I, contact: A) -> Result<(), StartError> {
        self.core.rejoin(now, id, contact)
    }

    /// Looks for the owner of `key`. [`Event::LookupDone`] or [`Event::LookupFailed`] follows,
    /// after an [`Event::LookupHop`] for each node asked.
    ///
    /// # Errors
    ///
    /// [`Full`] if no slot is free, and nothing has changed.
    pub fn lookup(&mut self, now: Duration, key: I) -> Result<LookupId, Full<I>> {
        self.core.lookup(self.lookups.as_mut(), now, key)
    }

    /// Leaves the ring: says farewell to both neighbours and answers no member's question any more.
    /// [`Event::HandOver`] names the node that owns the keys from now on. To the ring it is a failure
    /// without the wait.
    pub fn leave(&mut self, now: Duration) {
        self.core.leave(self.lookups.as_mut(), now);
    }

    /// Takes in a datagram.
    ///
    /// # Errors
    ///
    /// [`DatagramError::Decode`] if the bytes are not exactly one message: the peer's fault.
    /// [`DatagramError::Backlog`] if answers wait for [`poll_transmit`](Self::poll_transmit).
    /// Nothing has changed.
    pub fn handle_datagram(
        &mut self,
        now: Duration,
        from: A,
        bytes: &[u8],
    ) -> Result<(), DatagramError> {
        self.core.handle_datagram(self.lookups.as_mut(), now, from, bytes)
    }

    /// Lets time pass; early, late and repeated calls are harmless.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.core.handle_timeout(self.lookups.as_mut(), now);
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) is next due, on the caller's clock.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.core.poll_timeout(self.lookups.as_ref())
    }

    /// Writes the next datagram into `buf`, if one is due. Call it until it returns `None`.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`], never with [`Message::MAX_LEN`](crate::Message::MAX_LEN) bytes; the
    /// datagram is still due.
    pub fn poll_transmit(&mut self, buf: &mut [u8]) -> Result<Option<Transmit<A>>, BufferTooSmall> {
        self.core.poll_transmit(self.lookups.as_mut(), buf)
    }

    /// Returns the next thing learnt. Call it until it returns `None`.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event<I, A>> {
        let slots = self.lookups.as_mut();
        self.core.poll_event().or_else(|| slots.iter_mut().find_map(LookupSlot::poll_event))
    }

    /// Returns the node as others know it.
    #[must_use]
    pub fn me(&self) -> Peer<I, A> {
        self.core.table.me
    }

    /// Returns what the node is doing.
    #[must_use]
    pub fn state(&self) -> State {
        self.core.state
    }

    /// Returns the predecessor; `None` if no other node is known.
    #[must_use]
    pub fn predecessor(&self) -> Option<Peer<I, A>> {
        self.core.predecessor()
    }

    /// Returns the keys that this node owns, as far as it knows. Of no meaning outside a ring.
    #[must_use]
    pub fn keys(&self) -> KeyRange<I> {
        self.core.keys()
    }

    /// Returns the successor list.
    #[must_use]
    pub fn successors(&self) -> &SuccessorList<I, A> {
        &self.core.table.successors
    }

    /// Offers an alternate for a finger, for example a node that is near in the network
    /// ([`FingerTable::offer`]).
    pub fn offer_finger(&mut self, peer: Peer<I, A>, cost: u16) {
        self.core.table.fingers.offer(peer, cost);
    }

    /// Returns the finger table.
    #[must_use]
    pub fn fingers(&self) -> &FingerTable<I, A> {
        &self.core.table.fingers
    }

    /// Returns both, with the routing decision.
    #[must_use]
    pub fn routing_table(&self) -> &RoutingTable<I, A> {
        &self.core.table
    }

    /// Tells whether the ring has at least r + 1 members as far as this node knows. Below that,
    /// failures and departures may break it (Zave 2017, the assumption on failures).
    #[must_use]
    pub fn has_base(&self) -> bool {
        self.core.state.is_member() && self.core.table.successors.is_full()
    }

    /// Returns how many lookups can run at a time.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.lookups.as_ref().len()
    }
}
