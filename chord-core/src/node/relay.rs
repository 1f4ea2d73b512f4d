//! Questions and answers that are passed on for others: the node remembers nothing of them.

use super::data::NodeMut;
use crate::error::Full;
use crate::id::Identifier;
use crate::lookup::Next;
use crate::lookup_slot::{LookupSlot, Slot};
use crate::message::Message;
use crate::peer::Peer;
use crate::relay::{Relay, Relayed};
use crate::routing::Route;
use crate::wire::Address;

/// A question that has been passed on more often goes without end.
const MOST_HOPS: u8 = 64;

impl<I: Identifier, A: Address> NodeMut<'_, I, A> {
    /// Lays what a message asks to pass on, if it does, into a slot.
    pub(super) fn relay(
        &self,
        slots: &mut [LookupSlot<I, A>],
        from: A,
        message: &Message<I, A>,
    ) -> Result<(), Full> {
        match message {
            Message::Route { .. } => self.relay_question(slots, from, message),
            Message::Found { .. } => {
                relay_answer(slots, from, message);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    #[cfg_attr(target_os = "none", inline(never))] // the caller's stack is deep
    fn relay_question(
        &self,
        slots: &mut [LookupSlot<I, A>],
        from: A,
        message: &Message<I, A>,
    ) -> Result<(), Full> {
        let Message::Route { key, .. } = message else { return Ok(()) };
        if !self.core.state.is_member() {
            return Ok(()); // dropped: the asker's patience ends, and it asks by itself
        }
        let Some(route) = self.route_around(*key, |_| true) else { return Ok(()) };
        let Some(relay) = self.pass_on(from, message, route) else { return Ok(()) };
        let percent = usize::from(self.core.settings.relay_percent);
        let capacity = slots.len().saturating_mul(percent).div_ceil(100);
        if slots.iter().filter(|slot| slot.is_for_others()).count() >= capacity {
            return Err(Full { capacity });
        }
        let slot = slots.iter_mut().find(|slot| slot.is_empty()).ok_or(Full { capacity })?;
        slot.0 = Slot::Relay(relay);
        Ok(())
    }

    /// Returns what is to be sent for a question; `None` if it is dropped.
    #[cfg_attr(target_os = "none", inline(never))] // the caller's stack is deep
    fn pass_on(&self, from: A, message: &Message<I, A>, route: Route<I, A>) -> Option<Relay<I, A>> {
        let Message::Route { token, key, hops, direct, ref back } = *message else { return None };
        let mut back = back.clone();
        let recorded = direct && !back.is_empty();
        if !recorded {
            back.push(from).ok()?;
        }
        match route {
            Route::Owner(_) if self.core.unverified.successor() > 0 => None,
            Route::Ask(next) => {
                let hops = hops.checked_add(1).filter(|hops| *hops <= MOST_HOPS)?;
                let what = Relayed::Question { key, direct };
                Some(Relay { to: next.address, token, what, hops, back })
            }
            Route::Owner(peer) => {
                let what = Relayed::Answer { id: self.core.me.id, peer };
                Relay::send_back(token, what, hops, back)
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
        self.with_lookups(slots, &mut |core, lookup| {
            if lookup.is_found_by(token) {
                let next: Next<I, A> = lookup.handle_found(id, owner, hops);
                core.advance(lookup, next);
            }
        });
    }
}

/// Sends an answer back from where its question came, in the slot that remembers that.
#[cfg_attr(target_os = "none", inline(never))] // the caller's stack is deep
fn relay_answer<I: Identifier, A: Address>(
    slots: &mut [LookupSlot<I, A>],
    from: A,
    message: &Message<I, A>,
) {
    let Message::Found { token, id, peer, hops, back } = message else { return };
    let passed = slots.iter_mut().find(|slot| slot.has_passed(*token, &from, back.last()));
    let Some(slot) = passed else { return }; // not asked for
    let what = Relayed::Answer { id: *id, peer: *peer };
    if let Some(relay) = Relay::send_back(*token, what, *hops, back.clone()) {
        slot.0 = Slot::Relay(relay);
    }
}
