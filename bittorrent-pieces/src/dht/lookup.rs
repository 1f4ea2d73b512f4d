//! An iterative search for the nodes nearest to an id.

use core::net::SocketAddr;

use super::id::NodeId;
use super::item::MAX_SALT_LEN;
use super::limits::K;
use super::short_bytes::ShortBytes;
use super::table::Contact;
use crate::id::InfoHash;
use crate::network::Network;

/// Queries in flight at a time: the alpha of Kademlia.
const ALPHA: usize = 3;
/// The number of candidates.
const CANDIDATES: usize = 3 * K;
/// The maximum length of a token.
const MAX_TOKEN_LEN: usize = 20;

/// A slot for one lookup: at most 2,600 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LookupSlot(pub(super) Option<Lookup>);

impl LookupSlot {
    /// An unused slot.
    pub const EMPTY: Self = Self(None);
}

/// The target, and the nodes that may know about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lookup {
    pub(super) number: u32,
    pub(super) target: NodeId,
    pub(super) purpose: Purpose,
    pub(super) found: u32,               // peers, or versions of an item
    pub(super) refused: Option<i64>,     // the last error code of a put
    candidates: [Candidate; CANDIDATES], // the nearest first; unused ones last
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Fills the table.
    Nodes,
    /// Finds the peers of a torrent and then announces us. The port 0 stands for that of the datagrams.
    Peers { announce: Option<u16> },
    /// Finds an item.
    Get(Wanted),
    /// Finds the nodes that are to store an item of our table, and puts it.
    Put { cas: Option<i64>, salt: Salt },
}

/// The name of an item that is looked up, and what was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) public_key: Option<[u8; 32]>, // of a mutable item
    pub(super) salt: Salt,
    pub(super) seq: Option<i64>, // the highest that was found
}

/// The salt of an item.
pub(super) type Salt = ShortBytes<MAX_SALT_LEN>;

/// What a node wants to see again in an announce or a put.
pub(super) type ForeignToken = ShortBytes<MAX_TOKEN_LEN>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Candidate {
    contact: Contact,
    progress: Progress,
    token: ForeignToken,
    counts: bool, // its id fits its address, or ids are not enforced
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Unused,
    New,
    Queried,
    Answered,
    Failed,
    Announced, // or the item was put
    Stored,    // it confirmed a put
    Refused,   // it refused a put, or did not answer
}

impl Candidate {
    const NONE: Self = Self {
        contact: Contact::NONE,
        progress: Progress::Unused,
        token: ForeignToken::EMPTY,
        counts: false,
    };

    const fn is_used(&self) -> bool {
        !matches!(self.progress, Progress::Unused)
    }

    const fn has_answered(&self) -> bool {
        use Progress::{Announced, Answered, Refused, Stored};
        matches!(self.progress, Answered | Announced | Stored | Refused)
    }
}

impl Lookup {
    pub(super) const fn new(number: u32, target: NodeId, purpose: Purpose) -> Self {
        Self {
            number,
            target,
            purpose,
            found: 0,
            refused: None,
            candidates: [Candidate::NONE; CANDIDATES],
        }
    }

    pub(super) const fn torrent(&self) -> InfoHash {
        InfoHash(self.target.0)
    }

    /// Adds a node of our own table, if it is nearer than the farthest.
    pub(super) fn add(&mut self, contact: Contact, counts: bool) {
        if !self.knows(contact) {
            self.insert(Candidate { contact, progress: Progress::New, counts, ..Candidate::NONE });
        }
    }

    /// Adds a node that another one named. There is one candidate per network, so that one owner of addresses
    /// cannot surround the target; local addresses are exempt.
    pub(super) fn add_named(&mut self, contact: Contact, counts: bool) {
        let network = Network::of(contact.addr.ip());
        let same = |candidate: &&Candidate| {
            candidate.is_used() && Network::of(candidate.contact.addr.ip()) == network
        };
        let share = network.share(1, CANDIDATES);
        if self.candidates.iter().filter(same).count() < share {
            self.add(contact, counts);
        }
    }

    /// Adds a node of which only the address is known: it is queried first.
    pub(super) fn add_address(&mut self, addr: SocketAddr, number: u8) {
        // An id near the target, another for each; the answer replaces it by the real one.
        let mut id = self.target;
        if let Some(last) = id.0.last_mut() {
            *last ^= number;
        }
        self.add(Contact { id, addr }, true);
    }

    fn knows(&self, contact: Contact) -> bool {
        let same = |candidate: &Candidate| {
            candidate.contact.id == contact.id || candidate.contact.addr == contact.addr
        };
        self.candidates.iter().any(|candidate| candidate.is_used() && same(candidate))
    }

    fn insert(&mut self, candidate: Candidate) {
        let target = self.target;
        let distance = |candidate: &Candidate| candidate.contact.id.distance(&target);
        let mut carried = candidate;
        for place in &mut self.candidates {
            if !carried.is_used() {
                break;
            }
            if !place.is_used() || distance(&carried) < distance(place) {
                core::mem::swap(&mut carried, place);
            }
        }
    }

    /// Returns the node to query next.
    pub(super) fn next(&self) -> Option<Contact> {
        let live = || self.candidates.iter().filter(|c| c.progress != Progress::Failed);
        let in_flight = live().filter(|c| c.progress == Progress::Queried).count();
        let used = live().filter(|candidate| candidate.is_used());
        let mut near = used.scan(0_usize, |count, candidate| {
            let before = *count;
            *count = before.saturating_add(usize::from(candidate.counts));
            (before < K).then_some(candidate)
        });
        let next = near.find(|candidate| candidate.progress == Progress::New);
        next.filter(|_| in_flight < ALPHA).map(|candidate| candidate.contact)
    }

    /// Returns whether no near node is left to query or to wait for.
    pub(super) fn is_settled(&self) -> bool {
        let waiting = self.candidates.iter().any(|c| c.progress == Progress::Queried);
        !waiting && self.next().is_none()
    }

    pub(super) fn queried(&mut self, addr: SocketAddr) {
        self.set(addr, Progress::New, Progress::Queried);
    }

    pub(super) fn failed(&mut self, addr: SocketAddr) {
        self.set(addr, Progress::Queried, Progress::Failed);
    }

    /// Notes an answer; returns whether it was expected.
    pub(super) fn answered(&mut self, from: Contact, token: Option<&[u8]>) -> bool {
        let expected =
            |c: &Candidate| c.contact.addr == from.addr && c.progress == Progress::Queried;
        let Some(at) = self.candidates.iter().position(expected) else { return false };
        let Some(place) = self.candidates.get_mut(at) else { return false };
        let mut candidate = core::mem::replace(place, Candidate::NONE);
        candidate.progress = Progress::Answered;
        candidate.contact = from;
        let token = token.filter(|token| candidate.counts && token.len() <= MAX_TOKEN_LEN);
        candidate.token = ForeignToken::new(token.unwrap_or_default());
        // The real id may be at another distance than the assumed one.
        if let Some(rest) = self.candidates.get_mut(at..) {
            rest.rotate_left(1);
        }
        self.insert(candidate);
        true
    }

    /// Returns a near node to announce to, and its token.
    pub(super) fn next_announce(&self) -> Option<(Contact, ForeignToken)> {
        let announces =
            matches!(self.purpose, Purpose::Peers { announce: Some(_) } | Purpose::Put { .. });
        if !announces {
            return None;
        }
        let has_token = |c: &&Candidate| c.has_answered() && !c.token.is_empty();
        let mut near = self.candidates.iter().filter(has_token).take(K);
        let next = near.find(|candidate| candidate.progress == Progress::Answered)?;
        Some((next.contact, next.token))
    }

    pub(super) fn announced(&mut self, addr: SocketAddr) {
        self.set(addr, Progress::Answered, Progress::Announced);
    }

    /// Notes that a node stored the item.
    pub(super) fn stored(&mut self, addr: SocketAddr) {
        self.set(addr, Progress::Announced, Progress::Stored);
    }

    /// Notes that a node did not store the item, with the code of its error.
    pub(super) fn refused(&mut self, addr: SocketAddr, code: Option<i64>) {
        self.set(addr, Progress::Announced, Progress::Refused);
        self.refused = code.or(self.refused);
    }

    /// Returns whether the lookup has ended. With `expired`, its item is not put any more.
    pub(super) fn is_over(&self, expired: bool) -> bool {
        let puts = matches!(self.purpose, Purpose::Put { .. });
        let waits = puts && self.count(Progress::Announced) > 0;
        self.is_settled() && (expired || self.next_announce().is_none()) && !waits
    }

    /// Returns the number of nodes that we announced to.
    pub(super) fn announces(&self) -> usize {
        self.count(Progress::Announced)
    }

    /// Returns the number of nodes that stored our item.
    pub(super) fn stores(&self) -> usize {
        self.count(Progress::Stored)
    }

    /// Returns the number of nodes that answered.
    pub(super) fn answers(&self) -> usize {
        self.candidates.iter().filter(|candidate| candidate.has_answered()).count()
    }

    fn count(&self, progress: Progress) -> usize {
        self.candidates.iter().filter(|candidate| candidate.progress == progress).count()
    }

    fn set(&mut self, addr: SocketAddr, from: Progress, to: Progress) {
        let is = |c: &&mut Candidate| c.contact.addr == addr && c.progress == from;
        if let Some(candidate) = self.candidates.iter_mut().find(is) {
            candidate.progress = to;
        }
    }
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "an absent value fails the test")]
mod tests;
