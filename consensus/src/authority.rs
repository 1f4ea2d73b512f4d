//! Authorities: known keys that take turns (the signing rules of EIP-225, Clique).

use thiserror::Error;

use crate::ValidatorId;

/// Known keys that seal blocks in turn. `S` is the memory; any `[AuthoritySlot]` serves.
///
/// The authority at index i of the list, in ascending order of ids, is in turn at every height h with
/// h mod n = i. Others may step in for it, but nobody may sign more than one of any floor(n/2) + 1
/// consecutive blocks. The order is fully predictable.
#[derive(Debug, Clone)]
pub struct Authorities<S: ?Sized> {
    len: usize,
    slots: S,
}

/// Room for one authority: 48 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuthoritySlot {
    id: ValidatorId,
    last: Option<u64>, // the height it signed last
}

/// Whether it is an authority's turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It is; its block counts 2.
    In,
    /// It is not, but it may step in; its block counts 1.
    Out,
}

/// Why somebody may not sign, or cannot become an authority. Nothing has changed then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AuthorityError {
    /// The key is not one of the authorities.
    #[error("{0:.16} is not an authority")]
    Unauthorized(ValidatorId),
    /// It signed one of the last blocks already.
    #[error("{id:.16} signed recently, and may do so again at height {next}")]
    RecentlySigned {
        /// Who.
        id: ValidatorId,
        /// The next height that it may sign.
        next: u64,
    },
    /// All slots are taken: the caller's limit.
    #[error("no free slot among {capacity}")]
    Full {
        /// How many slots there are.
        capacity: usize,
    },
}

impl AuthoritySlot {
    /// A free slot.
    pub const EMPTY: Self = Self { id: ValidatorId([0; 32]), last: None };
}

impl Turn {
    /// Returns how much a block counts: 2 in turn, 1 out of turn (EIP-225).
    #[must_use]
    pub const fn difficulty(self) -> u8 {
        match self {
            Self::In => 2,
            Self::Out => 1,
        }
    }
}

impl<S: AsRef<[AuthoritySlot]> + AsMut<[AuthoritySlot]>> Authorities<S> {
    /// Creates an empty list. What is in `slots` is ignored.
    pub const fn new(slots: S) -> Self {
        Self { len: 0, slots }
    }
}

impl<S: AsRef<[AuthoritySlot]> + AsMut<[AuthoritySlot]> + ?Sized> Authorities<S> {
    /// Admits an authority; one that is admitted already stays as it is.
    ///
    /// # Errors
    ///
    /// [`AuthorityError::Full`]; nothing has changed then.
    pub fn admit(&mut self, id: ValidatorId) -> Result<(), AuthorityError> {
        let Err(at) = find(self.authorities(), &id) else { return Ok(()) };
        let grown = self.len.saturating_add(1);
        let slots = self.slots.as_mut();
        let capacity = slots.len();
        let tail = slots.get_mut(at..grown).ok_or(AuthorityError::Full { capacity })?;
        tail.rotate_right(1);
        if let Some(slot) = tail.first_mut() {
            *slot = AuthoritySlot { id, last: None };
        }
        self.len = grown;
        Ok(())
    }

    /// Removes an authority, for example one that was caught.
    ///
    /// # Errors
    ///
    /// [`AuthorityError::Unauthorized`] if it is none.
    pub fn expel(&mut self, id: &ValidatorId) -> Result<(), AuthorityError> {
        let at = find(self.authorities(), id).map_err(|_| AuthorityError::Unauthorized(*id))?;
        if let Some(tail) = self.slots.as_mut().get_mut(at..self.len) {
            tail.rotate_left(1);
            self.len = self.len.saturating_sub(1);
        }
        Ok(())
    }

    /// Notes that an authority signed the block at `height`, so that it has to wait.
    pub fn signed(&mut self, id: &ValidatorId, height: u64) {
        let Ok(at) = find(self.authorities(), id) else { return };
        if let Some(slot) = self.slots.as_mut().get_mut(at) {
            slot.last = slot.last.max(Some(height));
        }
    }
}

impl<S: AsRef<[AuthoritySlot]> + ?Sized> Authorities<S> {
    /// Returns whether `id` may sign the block at `height`, and whether it is its turn.
    ///
    /// # Errors
    ///
    /// [`AuthorityError::Unauthorized`] or [`AuthorityError::RecentlySigned`].
    pub fn turn(&self, id: &ValidatorId, height: u64) -> Result<Turn, AuthorityError> {
        let authorities = self.authorities();
        let at = find(authorities, id).map_err(|_| AuthorityError::Unauthorized(*id))?;
        let last = authorities.get(at).and_then(|slot| slot.last);
        let next = last.map_or(0, |last| last.saturating_add(self.signer_limit()));
        if height < next {
            return Err(AuthorityError::RecentlySigned { id: *id, next });
        }
        Ok(if self.in_turn(height) == Some(*id) { Turn::In } else { Turn::Out })
    }

    /// Returns whose turn it is at `height`; `None` if there is no authority.
    #[must_use]
    pub fn in_turn(&self, height: u64) -> Option<ValidatorId> {
        let authorities = self.authorities();
        let index = height.checked_rem(u64::try_from(authorities.len()).ok()?)?;
        authorities.get(usize::try_from(index).ok()?).map(|slot| slot.id)
    }

    /// Returns how many consecutive blocks an authority may sign one of: floor(n/2) + 1.
    #[must_use]
    pub fn signer_limit(&self) -> u64 {
        u64::try_from(self.len / 2).unwrap_or(u64::MAX).saturating_add(1)
    }

    /// Returns the authorities in the order of their turns.
    pub fn iter(&self) -> impl Iterator<Item = ValidatorId> + '_ {
        self.authorities().iter().map(|slot| slot.id)
    }

    /// Returns the number of authorities.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Returns whether there is no authority.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns how many authorities there is room for.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.slots.as_ref().len()
    }

    fn authorities(&self) -> &[AuthoritySlot] {
        self.slots.as_ref().get(..self.len).unwrap_or_default()
    }
}

fn find(authorities: &[AuthoritySlot], id: &ValidatorId) -> Result<usize, usize> {
    authorities.binary_search_by(|slot| slot.id.cmp(id))
}
