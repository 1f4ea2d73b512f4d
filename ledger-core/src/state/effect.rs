//! What the transactions of a block put before the engine.

pub(super) const MAX_EFFECTS: usize = 4;

/// A fact that a transaction puts before the engine: stake moved, a vote, evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_structs, reason = "ledgers and engines agree on its meaning")]
pub struct Effect {
    /// What it means; ledger and engine agree on that.
    pub kind: u8,
    /// The account or thing it concerns.
    pub subject: [u8; 32],
    /// A number, if one belongs to it.
    pub amount: u64,
}

/// The facts that the transactions of one block put before the engine: at most four.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Effects {
    len: u8,
    list: [Effect; MAX_EFFECTS],
}

impl Effects {
    /// No facts.
    pub const NONE: Self =
        Self { len: 0, list: [Effect { kind: 0, subject: [0; 32], amount: 0 }; MAX_EFFECTS] };

    /// Returns the facts, in order.
    #[must_use]
    pub fn as_slice(&self) -> &[Effect] {
        self.list.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// Appends a fact; `None` if there is no room.
    pub(super) fn push(&mut self, effect: Effect) -> Option<()> {
        *self.list.get_mut(usize::from(self.len))? = effect;
        self.len = self.len.saturating_add(1);
        Some(())
    }
}
