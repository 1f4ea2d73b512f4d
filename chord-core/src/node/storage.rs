//! The memory of a node, provided by the caller.

use crate::contacts::ContactSlot;
use crate::fingers::FingerSlot;
use crate::lookup_slot::LookupSlot;
use crate::peer::Peer;
use crate::wire::Wire;
#[cfg(feature = "alloc")]
use alloc::vec::Vec;

/// The memory of a node. [`NodeSlots`] serves for arrays, slices, boxes and vectors, `NodeVec` (feature
/// `alloc`) for plain numbers, and `&mut S` for each storage `S`.
///
/// The regions have to keep their lengths.
pub trait NodeStorage<I, A> {
    /// Borrows all regions.
    fn parts(&mut self) -> NodeParts<'_, I, A>;

    /// Borrows all regions to read them.
    fn parts_ref(&self) -> NodePartsRef<'_, I, A>;
}

/// The regions of the memory of a node.
#[derive(Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "implementations of `NodeStorage` fill in all of them"
)]
pub struct NodeParts<'a, I, A> {
    /// The successor list. Its length is r, 1 to 20.
    pub successors: &'a mut [Peer<I, A>],
    /// The finger table, at most 255.
    pub fingers: &'a mut [FingerSlot<I, A>],
    /// One for the lookups of the node itself, and one for each lookup that the application runs at a time.
    pub lookups: &'a mut [LookupSlot<I, A>],
    /// Peers to find the ring again by.
    pub contacts: &'a mut [ContactSlot<I, A>],
}

/// The regions of the memory of a node, to read.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::exhaustive_structs,
    reason = "implementations of `NodeStorage` fill in all of them"
)]
pub struct NodePartsRef<'a, I, A> {
    /// The successor list.
    pub successors: &'a [Peer<I, A>],
    /// The finger table.
    pub fingers: &'a [FingerSlot<I, A>],
    /// The lookups, that of the node itself first.
    pub lookups: &'a [LookupSlot<I, A>],
    /// Peers to find the ring again by.
    pub contacts: &'a [ContactSlot<I, A>],
}

/// The memory of a node in arrays, slices, boxes or vectors.
///
/// r, the length of the successor list, is the same in all nodes of a ring. The ring survives as long as
/// no r successive nodes fail between two stabilizations: about log2 N is enough even if half of all nodes fail
/// at once (Stoica 2003, Theorem IV.5); 8 serves hundreds of nodes, 20 a million.
///
/// ```
/// use chord_core::{ContactSlot, FingerSlot, LookupSlot, NodeSlots, Peer, Word};
///
/// let mut lookups = [const { LookupSlot::<Word<8>, u32>::EMPTY }; 3];
/// let slots = NodeSlots {
///     successors: vec![Peer::<Word<8>, u32>::EMPTY; 4], // r = 4
///     fingers: [FingerSlot::<Word<8>, u32>::EMPTY; 8],
///     lookups: &mut lookups[..],
///     contacts: [ContactSlot::<Word<8>, u32>::EMPTY; 0],
/// };
/// # let me = Peer { id: Word::new(1), address: 1 };
/// assert!(chord_core::Node::new(Default::default(), me, slots).is_ok());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "callers build it field by field")]
pub struct NodeSlots<S, F, L, C> {
    /// The successor list, any `[Peer]`. Its length is r, 1 to 20.
    pub successors: S,
    /// The finger table, any `[FingerSlot]`: about log2 N less log2 r, at most 255.
    pub fingers: F,
    /// One for the lookups of the node itself, and one for each lookup that the application runs at a time, any
    /// `[LookupSlot]`. What is passed on for others takes a free one of these until it is sent.
    pub lookups: L,
    /// Peers that the ring has lost, and some that it has not, any `[ContactSlot]`, at most 255: they are
    /// probed from time to time, and so a ring that was cut merges again. 2 to 4 on a device, else 8; without any
    /// a node that has lost all others stays alone. A quarter of them, so with 4 at least one, are former entries of the
    /// successor list that have answered.
    pub contacts: C,
}

/// The memory of a node in arrays: r successors, `F` fingers, `L` lookups, `C` contacts.
///
/// ```
/// use chord_core::{Id160, NodeArrays};
/// use core::net::SocketAddrV4;
///
/// type Slots = NodeArrays<Id160, SocketAddrV4, 8, 16, 2, 4>;
/// static EMPTY: Slots = Slots::EMPTY; // all zero bytes
/// assert_eq!(EMPTY.successors.len(), 8);
/// ```
pub type NodeArrays<I, A, const R: usize, const F: usize, const L: usize, const C: usize> =
    NodeSlots<
        [Peer<I, A>; R],
        [FingerSlot<I, A>; F],
        [LookupSlot<I, A>; L],
        [ContactSlot<I, A>; C],
    >;

impl<I: Wire, A: Wire, const R: usize, const F: usize, const L: usize, const C: usize>
    NodeArrays<I, A, R, F, L, C>
{
    /// Unused memory.
    pub const EMPTY: Self = Self {
        successors: [Peer::EMPTY; R],
        fingers: [FingerSlot::EMPTY; F],
        lookups: [const { LookupSlot::EMPTY }; L],
        contacts: [ContactSlot::EMPTY; C],
    };
}

impl<I, A, S, F, L, C> NodeStorage<I, A> for NodeSlots<S, F, L, C>
where
    S: AsRef<[Peer<I, A>]> + AsMut<[Peer<I, A>]>,
    F: AsRef<[FingerSlot<I, A>]> + AsMut<[FingerSlot<I, A>]>,
    L: AsRef<[LookupSlot<I, A>]> + AsMut<[LookupSlot<I, A>]>,
    C: AsRef<[ContactSlot<I, A>]> + AsMut<[ContactSlot<I, A>]>,
{
    fn parts(&mut self) -> NodeParts<'_, I, A> {
        NodeParts {
            successors: self.successors.as_mut(),
            fingers: self.fingers.as_mut(),
            lookups: self.lookups.as_mut(),
            contacts: self.contacts.as_mut(),
        }
    }

    fn parts_ref(&self) -> NodePartsRef<'_, I, A> {
        NodePartsRef {
            successors: self.successors.as_ref(),
            fingers: self.fingers.as_ref(),
            lookups: self.lookups.as_ref(),
            contacts: self.contacts.as_ref(),
        }
    }
}

impl<I, A, S: NodeStorage<I, A> + ?Sized> NodeStorage<I, A> for &mut S {
    fn parts(&mut self) -> NodeParts<'_, I, A> {
        (**self).parts()
    }

    fn parts_ref(&self) -> NodePartsRef<'_, I, A> {
        (**self).parts_ref()
    }
}

/// The memory of a node on the heap.
///
/// ```
/// use chord_core::{Config, Node, NodeLimits, NodeVec, Peer, Word};
///
/// let limits = NodeLimits { successors: 4, lookups: 2, ..NodeLimits::default() };
/// let me = Peer { id: Word::<8>::new(1), address: 1_u32 };
/// let node = Node::new(Config::default(), me, NodeVec::new(limits))?;
/// assert_eq!(node.capacity(), 2);
/// # Ok::<(), chord_core::ConfigError>(())
/// ```
#[cfg(feature = "alloc")]
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NodeVec<I, A> {
    successors: Vec<Peer<I, A>>,
    fingers: Vec<FingerSlot<I, A>>,
    lookups: Vec<LookupSlot<I, A>>,
    contacts: Vec<ContactSlot<I, A>>,
}

/// How much memory a [`NodeVec`] allocates.
#[cfg(feature = "alloc")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "callers build it from the default")]
pub struct NodeLimits {
    /// r, the length of the successor list, 1 to 20. All nodes of a ring use the same.
    pub successors: usize,
    /// How many distinct fingers are kept, at most 255.
    pub fingers: usize,
    /// How many lookups the application may run at a time.
    pub lookups: usize,
    /// How many peers are remembered to find the ring again by, at most 255; see [`NodeSlots::contacts`].
    pub contacts: usize,
}

#[cfg(feature = "alloc")]
impl Default for NodeLimits {
    /// Returns 8 successors, 16 fingers, 16 lookups and 8 contacts: for hundreds of nodes.
    fn default() -> Self {
        Self { successors: 8, fingers: 16, lookups: 16, contacts: 8 }
    }
}

#[cfg(feature = "alloc")]
impl<I: Wire, A: Wire> NodeVec<I, A> {
    /// Allocates the memory.
    #[must_use]
    pub fn new(limits: NodeLimits) -> Self {
        let mut lookups = Vec::new();
        lookups.resize_with(limits.lookups.saturating_add(1), || LookupSlot::EMPTY);
        Self {
            successors: alloc::vec![Peer::EMPTY; limits.successors],
            fingers: alloc::vec![FingerSlot::EMPTY; limits.fingers],
            lookups,
            contacts: alloc::vec![ContactSlot::EMPTY; limits.contacts],
        }
    }
}

#[cfg(feature = "alloc")]
impl<I, A> NodeStorage<I, A> for NodeVec<I, A> {
    fn parts(&mut self) -> NodeParts<'_, I, A> {
        NodeParts {
            successors: &mut self.successors,
            fingers: &mut self.fingers,
            lookups: &mut self.lookups,
            contacts: &mut self.contacts,
        }
    }

    fn parts_ref(&self) -> NodePartsRef<'_, I, A> {
        NodePartsRef {
            successors: &self.successors,
            fingers: &self.fingers,
            lookups: &self.lookups,
            contacts: &self.contacts,
        }
    }
}
