//! Storage together with a hasher.

use crate::chain::{ChainParts, ChainStorage};
use crate::groups::GroupHasher;
use crate::merkle::HashPairs;
use crate::node::{NodeParts, NodePartsRef, NodeStorage};
use crate::state::Slot;

/// The storage of a [`Chain`](crate::Chain) or a [`Node`](crate::node::Node), and what hashes for it: the state after a block
/// and its transactions are hashed in groups. Without one they are hashed one after the other, with the same results.
///
/// ```
/// use ledger_core::ledger::Standard;
/// use ledger_core::merkle::{HashPairs, OneByOne};
/// use ledger_core::{Chain, ChainSlots, ChainSpec, ConfigError, JournalSlot, Rules, Slot, WithHasher};
/// # use ledger_core::{Ancestry, Engine, Hash, Header, Refused, Weight};
/// # #[derive(Clone)] struct Open;
/// # impl Engine for Open {
/// #     type Error = core::convert::Infallible;
/// #     fn digest(&self) -> Hash { Hash::of(b"open") }
/// #     fn check(&self, _: &dyn Ancestry, _: &Header, _: &[u8], _: u64)
/// #         -> Result<Weight, Refused<Self::Error>> { Ok(Weight(1)) }
/// # }
///
/// let hasher = OneByOne; // `pow::Kernel::best()` where there are vectors
/// let spec = ChainSpec { name: "demo", rules: Rules::SMALL, time: 0, allocation: &[] };
/// let storage = ChainSlots { entries: [Slot::EMPTY; 16], journal: [JournalSlot::EMPTY; 65] };
/// let chain = Chain::new(&spec, Open, Standard, WithHasher { storage, hasher })?;
/// println!("{}", chain.tip().state);
/// # Ok::<(), ConfigError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_structs, reason = "a literal of it is const")]
pub struct WithHasher<S, H> {
    /// The storage.
    pub storage: S,
    /// Hashes groups of messages.
    pub hasher: H,
}

impl<S: ChainStorage, H: HashPairs> ChainStorage for WithHasher<S, H> {
    fn parts(&mut self) -> ChainParts<'_> {
        self.storage.parts()
    }

    fn entries(&self) -> &[Slot] {
        self.storage.entries()
    }

    fn parts_and_hasher(&mut self) -> (ChainParts<'_>, GroupHasher<'_>) {
        (self.storage.parts(), GroupHasher::new(&mut self.hasher))
    }
}

impl<S: NodeStorage, H: HashPairs> NodeStorage for WithHasher<S, H> {
    fn parts(&mut self) -> NodeParts<'_> {
        self.storage.parts()
    }

    fn parts_ref(&self) -> NodePartsRef<'_> {
        self.storage.parts_ref()
    }

    fn parts_and_hasher(&mut self) -> (NodeParts<'_>, GroupHasher<'_>) {
        (self.storage.parts(), GroupHasher::new(&mut self.hasher))
    }
}
