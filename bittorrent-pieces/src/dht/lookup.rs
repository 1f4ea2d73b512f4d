//! An iterative search for the nodes nearest to an id.

use core::net::SocketAddr;
use core::time::Duration;

use super::table::Contact;
use super::{K, NodeId};
use crate::InfoHash;

/// Queries under way at a time: the alpha of Kademlia.
const ALPHA: usize = 3;
/// How many candidates are kept.
const CANDIDATES: usize = 3 * K;
/// The longest token that is taken.
const TOKEN: usize = 20;

/// Room for one lookup: at most 2,500 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LookupSlot(pub(super) Option<Lookup>);

impl LookupSlot {
    /// An unused slot.
    pub const EMPTY: Self = Self(None);
}

/// What is looked for, and who may know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lookup {
    pub(super) number: u32,
    pub(super) target: NodeId,
    pub(super) purpose: Purpose,
    pub(super) found: u32,               // peers
    candidates: [Candidate; CANDIDATES], // the nearest first; unused ones last
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The table.
    Nodes,
    /// The peers of a torrent, and afterwards to be one of them; the port is that of the datagram if it
    /// is 0.
    Peers { announce: Option<u16> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Candidate {
    contact: Contact,
    state: State,
    token: [u8; TOKEN],
    token_len: u8,
    counts: bool, // its id fits its address, or nobody asks
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Unused,
    New,
    Asked,
    Answered,
    Failed,
    Announced,
}

impl Candidate {
    const NONE: Self = Self {
        contact: Contact::NONE,
        state: State::Unused,
        token: [0; TOKEN],
        token_len: 0,
        counts: false,
    };
}

impl Lookup {
    pub(super) fn new(number: u32, target: NodeId, purpose: Purpose) -> Self {
        Self { number, target, purpose, found: 0, candidates: [Candidate::NONE; CANDIDATES] }
    }

    pub(super) fn torrent(&self) -> InfoHash {
        InfoHash(self.target.0)
    }

    /// Adds a node that may know, if it is nearer than the farthest.
    pub(super) fn add(&mut self, contact: Contact, counts: bool) {
        let known = |c: &Candidate| {
            c.state != State::Unused
                && (c.contact.id == contact.id || c.contact.addr == contact.addr)
        };
        if self.candidates.iter().any(known) {
            return;
        }
        let target = self.target;
        let far = |c: &Candidate| c.contact.id.distance(&target);
        let mut carried = Candidate { contact, state: State::New, counts, ..Candidate::NONE };
        for place in &mut self.candidates {
            if place.state == State::Unused || far(&carried) < far(place) {
                core::mem::swap(&mut carried, place);
            }
            if carried.state == State::Unused {
                break;
            }
        }
    }

    /// Adds a node of which only the address is known: it is asked first.
    pub(super) fn add_address(&mut self, addr: SocketAddr, number: u8) {
        // An id near the target, another for each; the answer brings the real one.
        let mut id = self.target;
        if let Some(last) = id.0.last_mut() {
            *last ^= number;
        }
        self.add(Contact { id, addr }, true);
    }

    /// Returns the node to be asked next.
    pub(super) fn next(&self) -> Option<Contact> {
        let used = || self.candidates.iter().filter(|c| c.state != State::Failed);
        let waiting = used().filter(|c| c.state == State::Asked).count();
        let near = used().filter(|c| c.state != State::Unused);
        let mut counted = near.scan(0_usize, |count, candidate| {
            let before = *count;
            *count = before.saturating_add(usize::from(candidate.counts));
            (before < K).then_some(candidate)
        });
        let next = counted.find(|candidate| candidate.state == State::New);
        next.filter(|_| waiting < ALPHA).map(|candidate| candidate.contact)
    }

    /// Returns whether nobody near is left to ask or to wait for.
    pub(super) fn is_settled(&self) -> bool {
        self.next().is_none() && !self.candidates.iter().any(|c| c.state == State::Asked)
    }

    pub(super) fn asked(&mut self, addr: SocketAddr) {
        self.set(addr, State::New, State::Asked);
    }

    pub(super) fn failed(&mut self, addr: SocketAddr) {
        self.set(addr, State::Asked, State::Failed);
    }

    /// Notes an answer; returns whether it was waited for.
    pub(super) fn answered(&mut self, from: Contact, token: Option<&[u8]>) -> bool {
        let waits = |c: &&mut Candidate| c.contact.addr == from.addr && c.state == State::Asked;
        let Some(candidate) = self.candidates.iter_mut().find(waits) else { return false };
        candidate.state = State::Answered;
        candidate.contact = from;
        let token = token.filter(|token| candidate.counts && token.len() <= TOKEN);
        candidate.token_len = 0;
        for (to, byte) in candidate.token.iter_mut().zip(token.unwrap_or_default()) {
            *to = *byte;
            candidate.token_len = candidate.token_len.saturating_add(1);
        }
        let target = self.target;
        self.candidates
            .sort_unstable_by_key(|c| (c.state == State::Unused, c.contact.id.distance(&target)));
        true
    }

    /// Returns a near node to announce to, and its token.
    pub(super) fn next_announce(&self) -> Option<(Contact, [u8; TOKEN], usize)> {
        let Purpose::Peers { announce: Some(_) } = self.purpose else { return None };
        let near = self
            .candidates
            .iter()
            .filter(|c| matches!(c.state, State::Answered | State::Announced) && c.token_len > 0);
        let next = near.take(K).find(|candidate| candidate.state == State::Answered)?;
        Some((next.contact, next.token, usize::from(next.token_len)))
    }

    pub(super) fn announced(&mut self, addr: SocketAddr) {
        self.set(addr, State::Answered, State::Announced);
    }

    /// Returns how many nodes were announced to.
    pub(super) fn announces(&self) -> usize {
        self.candidates.iter().filter(|c| c.state == State::Announced).count()
    }

    /// Returns how many nodes answered.
    pub(super) fn answers(&self) -> usize {
        let answered = |c: &&Candidate| matches!(c.state, State::Answered | State::Announced);
        self.candidates.iter().filter(answered).count()
    }

    fn set(&mut self, addr: SocketAddr, from: State, to: State) {
        let is = |c: &&mut Candidate| c.contact.addr == addr && c.state == from;
        if let Some(candidate) = self.candidates.iter_mut().find(is) {
            candidate.state = to;
        }
    }
}

/// A query that waits for its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pending {
    pub(super) transaction: u16,
    pub(super) to: Contact,
    pub(super) known: bool, // the id of `to`
    pub(super) lookup: Option<u32>,
    pub(super) at: Duration,
}
