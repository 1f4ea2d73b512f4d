//! CAN (Ratnasamy and others, SIGCOMM 2001): a torus cut into zones.

use thiserror::Error;

use super::zone::{Point, Zone};
use crate::id::Identifier;
use crate::peer::Peer;
use crate::routing::Route;
use crate::wire::Address;

/// The state of a node of CAN: its zone of the torus, and the nodes whose zones touch it. `S` is the memory of
/// the neighbours, a slot for each; about `2D` of them if all zones are as large.
///
/// A newcomer chooses a point by chance, has it looked up, and asks the owner for [half its
/// zone](Self::split); then all neighbours of both [learn](Self::learn) of both. Where zones should be about as
/// large, the owner passes the newcomer on to its [largest neighbour](Self::larger) first (section 3.7).
///
/// A neighbour that has failed is [forgotten](Self::forget), and its zone has no owner then. The node that has the
/// other half of a larger zone [takes it over](Self::take_over); if that half was split further, the neighbour with the
/// smallest zone has both for a while (section 3.5), the second one as a [state of its own](Self::with_zone).
///
/// ```
/// use chord_core::{Peer, Route, geometry::Can};
///
/// let [first, second] = [1_u32, 2].map(|id| Peer { id, address: [] });
/// let mut west = Can::<_, _, _, 2>::new(first, [None; 8]);
/// let east = west.split(second, [None; 8])?;
/// assert_eq!(west.route(&[0x1000_0000, 7]), Route::Owner(first));
/// assert_eq!(west.route(&[0x9000_0000, 7]), Route::Ask(second));
/// assert_eq!(east.zone().to_string(), "80000000-ffffffff × 00000000-ffffffff");
/// # Ok::<(), chord_core::geometry::CanError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Can<I, A, S, const D: usize> {
    me: Peer<I, A>,
    zone: Zone<D>,
    neighbours: S,
}

/// A node and its zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "a neighbour is a peer and its zone")]
pub struct Neighbour<I, A, const D: usize> {
    /// The node.
    pub peer: Peer<I, A>,
    /// Its zone, which touches that of the node that lists it.
    pub zone: Zone<D>,
}

/// Why the caller cannot have what it asked for; nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CanError {
    /// More zones touch this one than there are slots: provide more.
    #[error("no slot for a neighbour is free")]
    Full,
    /// The zone is a single point.
    #[error("a zone of one point cannot be split")]
    Point,
    /// The identifier of the newcomer is that of the node or of a neighbour, which would lose its zone.
    #[error("the identifier is in use by the node or a neighbour")]
    InUse,
    /// The two zones are not halves of one.
    #[error("the zones are not halves of one zone")]
    NotHalves,
}

impl<I: Identifier, A: Address, S, const D: usize> Can<I, A, S, D> {
    /// Creates the first node of a torus, which has all of it.
    pub const fn new(me: Peer<I, A>, neighbours: S) -> Self {
        Self { me, zone: Zone::WHOLE, neighbours }
    }

    /// Creates a node with a zone whose owner has failed. Slots that hold a neighbour count.
    pub const fn with_zone(me: Peer<I, A>, zone: Zone<D>, neighbours: S) -> Self {
        Self { me, zone, neighbours }
    }

    /// Returns the node itself.
    #[must_use]
    pub const fn me(&self) -> Peer<I, A> {
        self.me
    }

    /// Returns its zone.
    #[must_use]
    pub const fn zone(&self) -> Zone<D> {
        self.zone
    }
}

impl<I, A, S, const D: usize> Can<I, A, S, D>
where
    I: Identifier,
    A: Address,
    S: AsRef<[Option<Neighbour<I, A, D>>]>,
{
    /// Decides where a point leads: to the neighbour whose zone is nearest to it, which is nearer than the own
    /// one (section 3.2).
    #[must_use]
    pub fn route(&self, point: &Point<D>) -> Route<I, A> {
        let here = self.zone.distance(point);
        let nearest = self.neighbours().min_by_key(|neighbour| neighbour.zone.distance(point));
        match nearest {
            Some(next) if next.zone.distance(point) < here => Route::Ask(next.peer),
            _ => Route::Owner(self.me),
        }
    }

    /// Returns the neighbours.
    #[must_use]
    pub fn neighbours(&self) -> Neighbours<'_, I, A, D> {
        Neighbours(self.neighbours.as_ref().iter())
    }

    /// Returns the neighbour with the largest zone, if that is larger than the own one.
    #[must_use]
    pub fn larger(&self) -> Option<Neighbour<I, A, D>> {
        let largest = self.neighbours().min_by_key(|neighbour| neighbour.zone.halvings())?;
        (largest.zone.halvings() < self.zone.halvings()).then_some(*largest)
    }
}

impl<I, A, S, const D: usize> Can<I, A, S, D>
where
    I: Identifier,
    A: Address,
    S: AsMut<[Option<Neighbour<I, A, D>>]> + AsRef<[Option<Neighbour<I, A, D>>]>,
{
    /// Gives the upper half of the zone to a newcomer and returns its state, with its neighbours in
    /// `neighbours`. Both nodes know of each other; their neighbours have to [learn](Self::learn) of both.
    ///
    /// # Errors
    ///
    /// [`CanError`] if the zone is a point, one of the two has too few slots, or the newcomer has the identifier of the
    /// node or of a neighbour.
    pub fn split(&mut self, newcomer: Peer<I, A>, neighbours: S) -> Result<Self, CanError> {
        let is_known = self.neighbours().any(|known| known.peer.id == newcomer.id);
        if is_known || newcomer.id == self.me.id {
            return Err(CanError::InUse);
        }
        let (lower, upper) = self.zone.split().ok_or(CanError::Point)?;
        let mut other = Self { me: newcomer, zone: upper, neighbours };
        other.neighbours.as_mut().fill(None);
        for neighbour in self.neighbours() {
            other.learn(neighbour.peer, neighbour.zone)?;
        }
        other.learn(self.me, lower)?;
        let touches = |slot: &&Option<Neighbour<I, A, D>>| {
            slot.is_none_or(|neighbour| !neighbour.zone.touches(&lower))
        };
        if self.neighbours.as_ref().iter().find(touches).is_none() {
            return Err(CanError::Full);
        }
        self.set_zone(lower);
        self.learn(newcomer, upper)?;
        Ok(other)
    }

    /// Takes over the other half of the zone that both were once, whose owner has failed. The neighbours of that half
    /// have to be [learnt](Self::learn), and have to learn of this node.
    ///
    /// ```
    /// use chord_core::{Peer, geometry::{Can, Zone}};
    ///
    /// let [first, second] = [1_u32, 2].map(|id| Peer { id, address: [] });
    /// let mut west = Can::<_, _, _, 2>::new(first, [None; 8]);
    /// west.split(second, [None; 8])?;
    /// let failed = west.forget(second.id).expect("a neighbour");
    /// west.take_over(failed.zone)?;
    /// assert_eq!(west.zone(), Zone::WHOLE);
    /// # Ok::<(), chord_core::geometry::CanError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`CanError::NotHalves`] if the two zones do not make up one.
    pub fn take_over(&mut self, zone: Zone<D>) -> Result<(), CanError> {
        let whole = self.zone.joined(&zone).ok_or(CanError::NotHalves)?;
        self.set_zone(whole);
        Ok(())
    }

    /// Removes a neighbour that has failed, and returns it with its zone.
    pub fn forget(&mut self, id: I) -> Option<Neighbour<I, A, D>> {
        let mut slots = self.neighbours.as_mut().iter_mut();
        slots.find_map(|slot| slot.take_if(|neighbour| neighbour.peer.id == id))
    }

    /// Changes the zone, and removes the neighbours that do not touch it.
    fn set_zone(&mut self, zone: Zone<D>) {
        self.zone = zone;
        for slot in self.neighbours.as_mut() {
            slot.take_if(|neighbour| !neighbour.zone.touches(&zone));
        }
    }

    /// Notes that a node has this zone now: it becomes a neighbour, or is removed.
    ///
    /// # Errors
    ///
    /// [`CanError::Full`] if it touches, and no slot is free.
    pub fn learn(&mut self, peer: Peer<I, A>, zone: Zone<D>) -> Result<(), CanError> {
        let own = self.zone;
        let slots = self.neighbours.as_mut();
        let known =
            slots.iter().position(|slot| slot.is_some_and(|known| known.peer.id == peer.id));
        let touches = own.touches(&zone) && peer.id != self.me.id;
        let Some(at) = known.or_else(|| slots.iter().position(Option::is_none).filter(|_| touches))
        else {
            return if touches { Err(CanError::Full) } else { Ok(()) };
        };
        if let Some(slot) = slots.get_mut(at) {
            *slot = touches.then_some(Neighbour { peer, zone });
        }
        Ok(())
    }
}

/// The neighbours of a node.
#[derive(Debug, Clone)]
pub struct Neighbours<'a, I, A, const D: usize>(core::slice::Iter<'a, Option<Neighbour<I, A, D>>>);

impl<'a, I, A, const D: usize> Iterator for Neighbours<'a, I, A, D> {
    type Item = &'a Neighbour<I, A, D>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.find_map(Option::as_ref)
    }
}
