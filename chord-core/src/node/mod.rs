//! The node: a machine of five verbs around the routing table.

mod data;
mod events;
mod fix_fingers;
mod lifecycle;
mod lookups;
mod machine;
mod maintenance;
#[cfg(test)]
#[path = "../../tests/model/mod.rs"]
mod model;
mod pending;
mod probe;
mod relay;
mod state;
mod storage;
mod transmit;

use core::time::Duration;

use self::data::{Core, NodeMut};
use crate::config::{Config, LookupDeadline, Settings};
use crate::contacts::ContactSlot;
use crate::error::{BufferTooSmall, ConfigError, DatagramError, Full, StartError};
use crate::event::{Event, LookupId};
use crate::id::{Identifier, KeyRange};
use crate::lookup_slot::LookupSlot;
use crate::peer::Peer;
use crate::rng::{Rng, mix};
use crate::routing::RoutingTableRef;
use crate::slots::Slots;
use crate::successors::MAX_SUCCESSORS;
use crate::time::Span;
use crate::wire::Address;

pub use state::{Input, State, TRANSITIONS};
pub use storage::{NodeArrays, NodeParts, NodePartsRef, NodeSlots, NodeStorage};
#[cfg(feature = "alloc")]
pub use storage::{NodeLimits, NodeVec};
pub use transmit::Transmit;

/// A node of a Chord ring with the corrected maintenance of Zave 2017.
///
/// `I` is the identifier, `A` where datagrams go, and `S` the memory: [`NodeSlots`], `NodeVec` or a
/// [`NodeStorage`] of your own. After each call of a `handle_*` method or of a command, poll transmits, events
/// and the timeout. Calls in any other order are legal.
///
/// Two nodes exchange datagrams:
///
/// ```
/// use core::time::Duration;
/// use chord_core::{Config, Event, Message, Node, NodeArrays, Peer, Word};
///
/// type Id = Word<8>;
/// type Slots = NodeArrays<Id, u32, 2, 8, 2, 2>; // r = 2, eight fingers, one lookup of the application
///
/// let node = |id: u32| {
///     let me = Peer { id: Id::new(id.into()), address: id };
///     Node::new(Config::default(), me, Slots::EMPTY)
/// };
/// let mut nodes = [node(10)?, node(200)?];
/// nodes[0].create(Duration::ZERO).unwrap();
/// nodes[1].join(Duration::ZERO, 10).unwrap();
/// let mut buf = [0; Message::<Id, u32>::MAX_LEN];
/// let mut joined = false;
/// while !joined {
///     for n in [0, 1] {
///         while let Some(sent) = nodes[n].poll_transmit(&mut buf).unwrap() {
///             let from = nodes[n].me().address;
///             nodes[1 - n].handle_datagram(Duration::ZERO, from, &buf[..sent.len]).unwrap();
///         }
///         while let Some(event) = nodes[n].poll_event() {
///             joined |= event == Event::Joined;
///         }
///     }
/// }
/// assert_eq!(nodes[1].keys().to_string(), "(10, 200]");
/// # Ok::<(), chord_core::ConfigError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Node<I, A, S> {
    core: Core<I, A>,
    storage: S,
}

impl<I: Identifier, A: Address, S: NodeStorage<I, A>> Node<I, A, S> {
    /// Creates a node that belongs to no ring, and empties `storage`. `me.address` is where others reach it,
    /// and has to be what they see as the source of its datagrams.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for settings or regions of the storage that make no sense.
    pub fn new(config: Config, me: Peer<I, A>, storage: S) -> Result<Self, ConfigError> {
        let settings = Settings::new(&config)?;
        let mut storage = storage;
        let parts = storage.parts();
        if !(1..=MAX_SUCCESSORS).contains(&parts.successors.len()) {
            return Err(ConfigError::Successors(parts.successors.len()));
        }
        if parts.fingers.len() > usize::from(u8::MAX) {
            return Err(ConfigError::Fingers(parts.fingers.len()));
        }
        if parts.lookups.is_empty() {
            return Err(ConfigError::Lookups);
        }
        if parts.contacts.len() > usize::from(u8::MAX) {
            return Err(ConfigError::Contacts(parts.contacts.len()));
        }
        let _: Slots<_, _> = Slots::new(parts.successors);
        let _: Slots<_, _> = Slots::new(parts.fingers);
        parts.lookups.fill_with(|| LookupSlot::EMPTY);
        parts.contacts.fill(ContactSlot::EMPTY);
        let rng = Rng::new(seed(config.seed, me));
        let core = Core::new(settings, LookupDeadline::new(&config), me, rng);
        Ok(Self { core, storage })
    }

    /// Returns the storage.
    #[must_use]
    pub fn into_storage(self) -> S {
        self.storage
    }

    fn with<R>(
        &mut self,
        call: impl FnOnce(&mut NodeMut<'_, I, A>, &mut [LookupSlot<I, A>]) -> R,
    ) -> R {
        self.core.with(self.storage.parts(), call)
    }

    /// Founds a ring of this node alone (Stoica 2003, `create`).
    ///
    /// The protocol's proof asks for a base of r + 1 members. A ring that grows from one node
    /// should see no failures until [`has_base`](Self::has_base).
    ///
    /// # Errors
    ///
    /// [`StartError::Started`], and nothing has changed.
    pub fn create(&mut self, now: Duration) -> Result<(), StartError> {
        self.with(|node, _| node.create(now, None))
    }

    /// Starts as one of the `members` of an ideal ring (Zave 2017, the base): all of them make
    /// this call, each with the same members in any order, itself included or not.
    ///
    /// # Errors
    ///
    /// [`StartError::BaseTooSmall`] for fewer than r + 1 members, or [`StartError::Started`];
    /// nothing has changed.
    pub fn create_base(&mut self, now: Duration, members: &[Peer<I, A>]) -> Result<(), StartError> {
        self.with(|node, _| node.create(now, Some(members)))
    }

    /// Joins the ring that the node at `contact` belongs to. [`Event::Joined`] or
    /// [`Event::JoinFailed`] follows. Where the contact is silent or may lie, the join goes on by the seeds of
    /// [`add_seed`](Self::add_seed). The only node that is known can end it by lies about every key.
    ///
    /// # Errors
    ///
    /// [`StartError::Started`], and nothing has changed.
    pub fn join(&mut self, now: Duration, contact: A) -> Result<(), StartError> {
        self.with(|node, _| node.join(now, contact))
    }

    /// Joins again after [`leave`](Self::leave), as a new node with the identifier `id`, which must be
    /// another one (Zave 2017: messages of the former life may still arrive). Datagrams and events of the
    /// former life that have not been polled are dropped.
    ///
    /// # Errors
    ///
    /// [`StartError::Started`] unless the node has left, or [`StartError::IdentifierUsed`]; nothing
    /// has changed.
    pub fn rejoin(&mut self, now: Duration, id: I, contact: A) -> Result<(), StartError> {
        self.with(|node, _| node.rejoin(now, id, contact))
    }

    /// Looks for the owner of `key`. [`Event::LookupDone`] or [`Event::LookupFailed`] follows,
    /// after an [`Event::LookupHop`] for each node asked, after [`Config::lookup_deadline`] at the latest.
    ///
    /// # Errors
    ///
    /// [`Full`] if no slot is free, and nothing has changed.
    pub fn lookup(&mut self, now: Duration, key: I) -> Result<LookupId, Full> {
        self.with(|node, lookups| {
            let within = node.core.lookup_deadline.span();
            node.lookup(lookups, now, key, within)
        })
    }

    /// Looks for the owner of `key` like [`lookup`](Self::lookup), for `within` at most instead of
    /// [`Config::lookup_deadline`]. Less than a millisecond counts as one; [`Duration::MAX`] means no deadline.
    ///
    /// ```
    /// use chord_core::{Config, Event, LookupFailure, Node, NodeArrays, Peer, Word};
    /// use core::time::Duration;
    ///
    /// let me = Peer { id: Word::<8>::new(1), address: 1u32 };
    /// let all = [me, Peer { id: Word::new(90), address: 2 }];
    /// let mut node = Node::new(Config::default(), me, NodeArrays::<_, _, 1, 8, 2, 2>::EMPTY)?;
    /// node.create_base(Duration::ZERO, &all)?;
    /// let lookup = node.lookup_within(Duration::ZERO, Word::new(50), Duration::from_secs(1))?;
    /// node.handle_timeout(Duration::from_secs(1)); // the other node has not answered
    /// let reason = LookupFailure::TimedOut;
    /// let failed = Event::LookupFailed { lookup, key: Word::new(50), reason };
    /// assert!(core::iter::from_fn(|| node.poll_event()).any(|event| event == failed));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Full`] if no slot is free, and nothing has changed.
    pub fn lookup_within(
        &mut self,
        now: Duration,
        key: I,
        within: Duration,
    ) -> Result<LookupId, Full> {
        self.with(|node, lookups| node.lookup(lookups, now, key, Span::new(within)))
    }

    /// Ends a lookup without an event. Its slot is free at once. An unknown one is ignored.
    pub fn cancel(&mut self, lookup: LookupId) {
        self.with(|node, lookups| node.cancel(lookups, lookup));
    }

    /// Remembers the address of a well-known node, for good: it is probed whenever peers are lost, so that parts of a ring
    /// whose nodes have never met find each other.
    ///
    /// Two or three such nodes that all others know are enough for a ring.
    ///
    /// # Errors
    ///
    /// [`Full`] if all slots for contacts hold such addresses, and nothing has changed.
    pub fn add_seed(&mut self, address: A) -> Result<(), Full> {
        self.with(|node, _| node.add_seed(address))
    }

    /// Merges the ring of this node with that of `contact`, for example after the operator has found that a
    /// ring was cut for longer than its nodes remember. [`Event::SplitSuspected`] follows if the two are different,
    /// and [`Event::Merged`] once three probes in a row have found one ring.
    ///
    /// # Errors
    ///
    /// [`Full`] if the storage has no contacts, and nothing has changed.
    pub fn merge(&mut self, now: Duration, contact: A) -> Result<(), Full> {
        self.with(|node, _| node.merge(now, contact))
    }

    /// Changes where others reach this node, for example after a new lease of DHCP. The neighbours see the new
    /// source of its datagrams, take the old one for dead and adopt the new one.
    pub fn set_address(&mut self, address: A) {
        self.core.set_address(address);
    }

    /// Changes the identifier of a node that has not started.
    ///
    /// # Errors
    ///
    /// [`StartError::Started`], also after [`leave`](Self::leave): then it is [`rejoin`](Self::rejoin) that
    /// takes another identifier.
    pub fn set_id(&mut self, id: I) -> Result<(), StartError> {
        self.with(|node, _| node.set_id(id))
    }

    /// Leaves the ring: sends LEAVE to both neighbours and answers no member's question any more.
    /// [`Event::HandOver`] names the node that owns the keys from now on. To the ring it is a failure
    /// without the wait.
    pub fn leave(&mut self, now: Duration) {
        self.with(|node, lookups| node.leave(lookups, now));
    }

    /// Processes a datagram.
    ///
    /// # Errors
    ///
    /// [`DatagramError::Decode`] if the bytes are not exactly one message: the peer's fault.
    /// [`DatagramError::Full`] if answers wait for [`poll_transmit`](Self::poll_transmit).
    /// Nothing has changed.
    pub fn handle_datagram(
        &mut self,
        now: Duration,
        from: A,
        bytes: &[u8],
    ) -> Result<(), DatagramError> {
        self.with(|node, lookups| node.handle_datagram(lookups, now, from, bytes))
    }

    /// Fires expired timers. Early, late and repeated calls are harmless.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.with(|node, lookups| node.handle_timeout(lookups, now));
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) is next due, on the caller's clock.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.core.poll_timeout(self.storage.parts_ref().lookups)
    }

    /// Writes the next datagram into `buf`, if one is due. Call it until it returns `None`.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`], never with [`Message::MAX_LEN`](crate::Message::MAX_LEN) bytes; the
    /// datagram is still due.
    pub fn poll_transmit(&mut self, buf: &mut [u8]) -> Result<Option<Transmit<A>>, BufferTooSmall> {
        if self.core.is_silent(self.storage.parts_ref().lookups) {
            return Ok(None);
        }
        self.transmit(buf)
    }

    /// The rest of [`poll_transmit`](Self::poll_transmit), apart so that a poll that finds nothing needs no stack.
    #[inline(never)]
    fn transmit(&mut self, buf: &mut [u8]) -> Result<Option<Transmit<A>>, BufferTooSmall> {
        self.with(|node, lookups| node.poll_transmit(lookups, buf))
    }

    /// Returns the next event. Call it until it returns `None`.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event<I, A>> {
        self.with(|node, lookups| {
            node.poll_event().or_else(|| lookups.iter_mut().find_map(LookupSlot::poll_event))
        })
    }

    /// Returns the node as others know it.
    #[must_use]
    pub fn me(&self) -> Peer<I, A> {
        self.core.me
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

    /// Returns the successor list without its artificial entries, clockwise.
    #[must_use]
    pub fn successors(&self) -> &[Peer<I, A>] {
        let slots = self.storage.parts_ref().successors;
        let used = self.routing_table().successors.as_slice().len();
        slots.get(..used).unwrap_or(slots)
    }

    /// Offers an alternate for a finger, for example a node that is near in the network
    /// ([`FingerTable::offer`](crate::FingerTable::offer)).
    pub fn offer_finger(&mut self, peer: Peer<I, A>, cost: u16) {
        self.with(|node, _| node.table.fingers.offer(peer, cost));
    }

    /// Returns fingers and successors with the routing decision.
    #[must_use]
    pub fn routing_table(&self) -> RoutingTableRef<'_, I, A> {
        let parts = self.storage.parts_ref();
        self.core.table(parts.successors, parts.fingers)
    }

    /// Returns whether the ring has at least r + 1 members as far as this node knows. Below that,
    /// failures and departures may break it (Zave 2017, the assumption on failures).
    #[must_use]
    pub fn has_base(&self) -> bool {
        self.core.state.is_member() && self.routing_table().successors.is_full()
    }

    /// Returns how many lookups the application can run at a time.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.storage.parts_ref().lookups.len().saturating_sub(1)
    }
}

/// Mixes the identity of the node into the seed, so that nodes with one seed choose different tokens.
fn seed<I: Identifier, A: Address>(seed: u64, me: Peer<I, A>) -> u64 {
    let mut scratch = [0; 32];
    let mut all = seed;
    for (len, is_id) in [(I::LEN, true), (A::LEN, false)] {
        let bytes = scratch.get_mut(..len).unwrap_or_default();
        if is_id {
            me.id.write(bytes);
        } else {
            me.address.write(bytes);
        }
        for byte in bytes {
            all = mix(all.wrapping_mul(257).wrapping_add(u64::from(*byte)));
        }
    }
    all
}
