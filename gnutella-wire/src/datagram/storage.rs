//! The storage of the machine: two regions, provided by the caller.

use super::peer::PeerSlot;
use super::search::SearchSlot;

#[cfg(feature = "alloc")]
use alloc::{vec, vec::Vec};

/// Storage of [`Datagrams`](super::Datagrams). [`DatagramSlots`] implements it over arrays, slices and
/// vectors, and with the feature `alloc` `DatagramVec` does over vectors built from numbers.
pub trait DatagramStorage {
    /// Borrows both regions.
    fn parts(&mut self) -> DatagramParts<'_>;
    /// Borrows both regions for reading.
    fn parts_ref(&self) -> DatagramPartsRef<'_>;
}

/// The regions of a [`DatagramStorage`].
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "implementors of the storage trait build it")]
pub struct DatagramParts<'s> {
    /// One slot per address.
    pub peers: &'s mut [PeerSlot],
    /// One slot per search.
    pub searches: &'s mut [SearchSlot],
}

/// The regions of a [`DatagramStorage`], for reading.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "implementors of the storage trait build it")]
pub struct DatagramPartsRef<'s> {
    /// One slot per address.
    pub peers: &'s [PeerSlot],
    /// One slot per search.
    pub searches: &'s [SearchSlot],
}

/// Storage from two regions, each any array, slice, box or vector. Without slots for peers nothing is
/// answered; of the slots for searches the first 32 are used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the caller builds it, also in statics")]
pub struct DatagramSlots<P, Q> {
    /// One slot per address that is answered or asked.
    pub peers: P,
    /// One slot per search; may be empty.
    pub searches: Q,
}

impl<P, Q> DatagramStorage for DatagramSlots<P, Q>
where
    P: AsRef<[PeerSlot]> + AsMut<[PeerSlot]>,
    Q: AsRef<[SearchSlot]> + AsMut<[SearchSlot]>,
{
    fn parts(&mut self) -> DatagramParts<'_> {
        DatagramParts { peers: self.peers.as_mut(), searches: self.searches.as_mut() }
    }

    fn parts_ref(&self) -> DatagramPartsRef<'_> {
        DatagramPartsRef { peers: self.peers.as_ref(), searches: self.searches.as_ref() }
    }
}

impl<S: DatagramStorage + ?Sized> DatagramStorage for &mut S {
    fn parts(&mut self) -> DatagramParts<'_> {
        (**self).parts()
    }

    fn parts_ref(&self) -> DatagramPartsRef<'_> {
        (**self).parts_ref()
    }
}

/// How many slots a [`DatagramVec`] has of each kind.
#[cfg(feature = "alloc")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "one number per region of the storage")]
pub struct DatagramLimits {
    /// Addresses that are answered or asked.
    pub peers: usize,
    /// Searches at a time, at most 32.
    pub searches: usize,
}

#[cfg(feature = "alloc")]
impl Default for DatagramLimits {
    /// 1,000 addresses and 8 searches.
    fn default() -> Self {
        Self { peers: 1_000, searches: 8 }
    }
}

/// Storage of [`Datagrams`](super::Datagrams) on the heap.
#[cfg(feature = "alloc")]
#[derive(Debug, Clone, PartialEq)]
pub struct DatagramVec(DatagramSlots<Vec<PeerSlot>, Vec<SearchSlot>>);

#[cfg(feature = "alloc")]
impl DatagramVec {
    /// Allocates storage.
    #[must_use]
    pub fn new(limits: DatagramLimits) -> Self {
        Self(DatagramSlots {
            peers: vec![PeerSlot::EMPTY; limits.peers],
            searches: vec![SearchSlot::EMPTY; limits.searches],
        })
    }
}

#[cfg(feature = "alloc")]
impl DatagramStorage for DatagramVec {
    fn parts(&mut self) -> DatagramParts<'_> {
        self.0.parts()
    }

    fn parts_ref(&self) -> DatagramPartsRef<'_> {
        self.0.parts_ref()
    }
}
