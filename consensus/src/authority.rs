//! Authorities: known keys that take turns (the signing rules of EIP-225, Clique).

use thiserror::Error;

use crate::error::Full;
use crate::id::ValidatorId;
use crate::select::selector::Selector;
use crate::vote::offence::{Offence, OffenceKind};

/// Known keys that seal blocks in turn (EIP-225). Any `AsRef<[AuthoritySlot]> + AsMut<[AuthoritySlot]>` serves as
/// storage.
///
/// The authority at index i of the list, in ascending order of ids, is in turn at every height h with
/// h mod n = i. Others may sign out of turn, but no authority may sign more than one of any floor(n/2) + 1
/// consecutive blocks. The order is fully predictable.
///
/// ```
/// use consensus::{Authorities, AuthorityError, AuthoritySlot, Turn, ValidatorId};
///
/// let keys = [1, 2, 3].map(|n| ValidatorId([n; 32]));
/// let mut authorities = Authorities::new([AuthoritySlot::EMPTY; 4]);
/// for key in keys {
///     authorities.insert(key)?;
/// }
/// assert_eq!(authorities.turn(&keys[1], 4), Ok(Turn::In), "4 mod 3 is 1");
/// assert_eq!(authorities.turn(&keys[2], 4), Ok(Turn::Out));
/// authorities.record_signature(&keys[1], 4);
/// let error = AuthorityError::RecentlySigned { id: keys[1], next: 6 };
/// assert_eq!(authorities.turn(&keys[1], 5), Err(error));
/// # Ok::<(), consensus::Full>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorities<S: ?Sized> {
    len: usize,
    slots: S,
}

/// Storage for one authority and one recent signature: 80 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuthoritySlot {
    id: ValidatorId,
    /// The signature of a height that is this slot's index modulo the number of slots. It belongs to the height and not to
    /// the member, so that an authority that is removed and inserted again is still a recent signer.
    recent: Option<(u64, ValidatorId)>,
}

/// Whether it is an authority's turn.
///
/// ```
/// use consensus::Turn;
///
/// assert!(Turn::In.difficulty() > Turn::Out.difficulty());
/// ```
#[expect(clippy::exhaustive_enums, reason = "EIP-225 has these two")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Turn {
    /// It is its turn. The block has difficulty 2.
    In,
    /// It is not its turn, but it may sign. The block has difficulty 1.
    Out,
}

/// Why a key may not sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum AuthorityError {
    /// The key is not an authority.
    #[error("{0:.16} is not an authority")]
    Unauthorized(ValidatorId),
    /// The authority signed one of the latest blocks.
    #[error("{id:.16} signed recently; it may sign again at height {next}")]
    RecentlySigned {
        /// The authority.
        id: ValidatorId,
        /// The next height that it may sign.
        next: u64,
    },
}

impl AuthorityError {
    /// Returns the offence of an authority that signed the block at `height` all the same. A stranger commits none.
    #[must_use]
    pub const fn offence(&self, height: u64) -> Option<Offence> {
        match self {
            Self::Unauthorized(_) => None,
            Self::RecentlySigned { id, .. } => {
                Some(Offence { author: *id, kind: OffenceKind::SignedRecently, slot: height })
            }
        }
    }
}

/// Authorities in the order of their turns. Created by [`Authorities::iter`].
#[derive(Debug, Clone)]
pub struct AuthorityIds<'a>(core::slice::Iter<'a, AuthoritySlot>);

impl AuthoritySlot {
    /// A free slot.
    pub const EMPTY: Self = Self { id: ValidatorId([0; 32]), recent: None };
}

impl Turn {
    /// Returns the difficulty of a block: 2 in turn, 1 out of turn (EIP-225).
    #[must_use]
    pub const fn difficulty(self) -> u8 {
        match self {
            Self::In => 2,
            Self::Out => 1,
        }
    }
}

impl<S: AsRef<[AuthoritySlot]> + AsMut<[AuthoritySlot]>> Authorities<S> {
    /// Creates an empty list and clears the slots.
    pub fn new(mut slots: S) -> Self {
        slots.as_mut().fill(AuthoritySlot::EMPTY);
        Self { len: 0, slots }
    }

    /// Returns the slots.
    pub fn into_storage(self) -> S {
        self.slots
    }
}

impl<S: AsRef<[AuthoritySlot]> + AsMut<[AuthoritySlot]> + ?Sized> Authorities<S> {
    /// Inserts an authority. One that is in the list already stays as it is.
    ///
    /// # Errors
    ///
    /// [`Full`]; the list is unchanged.
    pub fn insert(&mut self, id: ValidatorId) -> Result<(), Full> {
        let Err(at) = find(self.authorities(), &id) else { return Ok(()) };
        let grown = self.len.saturating_add(1);
        let slots = self.slots.as_mut();
        let capacity = slots.len();
        let tail = slots.get_mut(at..grown).ok_or(Full { capacity })?;
        let mut next = id;
        for slot in tail {
            core::mem::swap(&mut slot.id, &mut next);
        }
        self.len = grown;
        Ok(())
    }

    /// Removes an authority.
    ///
    /// # Errors
    ///
    /// [`AuthorityError::Unauthorized`] if it is not in the list.
    pub fn remove(&mut self, id: &ValidatorId) -> Result<(), AuthorityError> {
        let at = find(self.authorities(), id).map_err(|_| AuthorityError::Unauthorized(*id))?;
        if let Some(tail) = self.slots.as_mut().get_mut(at..self.len) {
            let mut next = AuthoritySlot::EMPTY.id;
            for slot in tail.iter_mut().rev() {
                core::mem::swap(&mut slot.id, &mut next);
            }
            self.len = self.len.saturating_sub(1);
        }
        Ok(())
    }

    /// Records that an authority signed the block at `height`. Unknown keys, and heights so low that they no longer
    /// matter, are ignored.
    pub fn record_signature(&mut self, id: &ValidatorId, height: u64) {
        if find(self.authorities(), id).is_err() {
            return;
        }
        let slots = self.slots.as_mut();
        let capacity = u64::try_from(slots.len()).unwrap_or(u64::MAX);
        let index = height.checked_rem(capacity).and_then(|index| usize::try_from(index).ok());
        let Some(slot) = index.and_then(|index| slots.get_mut(index)) else { return };
        if slot.recent.is_none_or(|(recorded, _)| recorded <= height) {
            slot.recent = Some((height, *id));
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
        find(authorities, id).map_err(|_| AuthorityError::Unauthorized(*id))?;
        let recents = self.slots.as_ref().iter().filter_map(|slot| slot.recent);
        let last = recents.filter(|(_, signer)| signer == id).map(|(height, _)| height).max();
        let next = last.map_or(0, |last| last.saturating_add(self.signer_limit()));
        if height < next {
            return Err(AuthorityError::RecentlySigned { id: *id, next });
        }
        Ok(if self.in_turn(height) == Some(*id) { Turn::In } else { Turn::Out })
    }

    /// Returns the authority that is in turn at `height`, or `None` if the list is empty.
    #[must_use]
    pub fn in_turn(&self, height: u64) -> Option<ValidatorId> {
        let authorities = self.authorities();
        let index = height.checked_rem(u64::try_from(authorities.len()).ok()?)?;
        authorities.get(usize::try_from(index).ok()?).map(|slot| slot.id)
    }

    /// Returns floor(n/2) + 1: an authority may sign one of this many consecutive blocks.
    #[must_use]
    pub fn signer_limit(&self) -> u64 {
        u64::try_from(self.len / 2).unwrap_or(u64::MAX).saturating_add(1)
    }

    /// Returns the authorities in the order of their turns.
    pub fn iter(&self) -> AuthorityIds<'_> {
        AuthorityIds(self.authorities().iter())
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

    /// Returns the number of slots.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.slots.as_ref().len()
    }

    fn authorities(&self) -> &[AuthoritySlot] {
        self.slots.as_ref().get(..self.len).unwrap_or_default()
    }
}

impl<S: AsRef<[AuthoritySlot]> + ?Sized> Selector for Authorities<S> {
    fn select(&self, slot: u64, round: u32) -> Option<ValidatorId> {
        let len = u64::try_from(self.len).ok()?;
        let stand_in = u64::from(round).checked_rem(len)?;
        self.in_turn(slot.checked_rem(len)?.saturating_add(stand_in))
    }
}

impl<'a, S: AsRef<[AuthoritySlot]> + ?Sized> IntoIterator for &'a Authorities<S> {
    type Item = ValidatorId;
    type IntoIter = AuthorityIds<'a>;

    fn into_iter(self) -> AuthorityIds<'a> {
        self.iter()
    }
}

impl Iterator for AuthorityIds<'_> {
    type Item = ValidatorId;

    fn next(&mut self) -> Option<ValidatorId> {
        self.0.next().map(|slot| slot.id)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for AuthorityIds<'_> {}

fn find(authorities: &[AuthoritySlot], id: &ValidatorId) -> Result<usize, usize> {
    authorities.binary_search_by(|slot| slot.id.cmp(id))
}
