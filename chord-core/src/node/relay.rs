//! Questions and answers that are passed on for others: the node remembers nothing of them.

use super::machine::Core;
use crate::lookup::Next;
use crate::message::WAY_BACK;
use crate::{Address, Backlog, Identifier, List, LookupSlot, Message, Peer, Route};

/// How many of them may wait to be sent.
pub(super) const RELAYS: usize = 2;
/// A question that has been passed on more often goes in circles.
const MOST_HOPS: u8 = 64;

/// A message on its way through this node; smaller than a [`Message`], whose longest kind is a state.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Relay<I, A> {
    pub(super) to: A,
    token: u32,
    what: What<I, A>,
    hops: u8,
    back: List<A, WAY_BACK>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum What<I, A> {
    Question { key: I, direct: bool },
    Answer { id: I, peer: Peer<I, A> },
}

impl<I: Identifier, A: Address> Core<I, A> {
    /// Makes room for what a message asks to pass on, if it does.
    pub(super) fn relay(&mut self, from: A, message: &Message<I, A>) -> Result<(), Backlog> {
        let relay = match message {
            Message::Route { token, key, hops, direct, back } => {
                let mut back = back.clone();
                let recorded = *direct && !back.is_empty();
                if !self.state.is_member() || (!recorded && back.push(from).is_err()) {
                    return Ok(()); // dropped: the asker's patience ends, and it asks by itself
                }
                self.pass_on(*token, *key, *hops, *direct, back)
            }
            Message::Found { token, id, peer, hops, back } => {
                let what = What::Answer { id: *id, peer: *peer };
                send_back(*token, what, *hops, back.clone())
            }
            _ => None,
        };
        let Some(relay) = relay else { return Ok(()) };
        self.relays.push(relay).map_err(|_| Backlog { capacity: RELAYS })
    }

    fn pass_on(
        &self,
        token: u32,
        key: I,
        hops: u8,
        direct: bool,
        back: List<A, WAY_BACK>,
    ) -> Option<Relay<I, A>> {
        match self.table.route(key) {
            Route::Ask(next) => {
                let hops = hops.checked_add(1).filter(|hops| *hops <= MOST_HOPS)?;
                let what = What::Question { key, direct };
                Some(Relay { to: next.address, token, what, hops, back })
            }
            Route::Owner(peer) => {
                send_back(token, What::Answer { id: self.table.me.id, peer }, hops, back)
            }
        }
    }

    /// An answer has come back to the asker.
    pub(super) fn handle_found(
        &mut self,
        slots: &mut [LookupSlot<I, A>],
        token: u32,
        id: I,
        owner: Peer<I, A>,
        hops: u8,
    ) {
        self.with_lookups(slots, |core, lookup| {
            if lookup.is_found_by(token) {
                let next: Next<I, A> = lookup.handle_found(id, owner, hops);
                core.advance(lookup, next);
            }
        });
    }
}

impl<I: Identifier, A: Address> Relay<I, A> {
    pub(super) fn message(&self) -> Message<I, A> {
        let (token, hops, back) = (self.token, self.hops, self.back.clone());
        match self.what {
            What::Question { key, direct } => Message::Route { token, key, hops, direct, back },
            What::Answer { id, peer } => Message::Found { token, id, peer, hops, back },
        }
    }
}

fn send_back<I: Identifier, A: Address>(
    token: u32,
    what: What<I, A>,
    hops: u8,
    mut back: List<A, WAY_BACK>,
) -> Option<Relay<I, A>> {
    let last = back.len().checked_sub(1)?; // none: the answer is this node's own
    let to = back.remove(last)?;
    Some(Relay { to, token, what, hops, back })
}
