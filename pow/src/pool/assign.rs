//! What a pool sends: tallies, and leases for the connections that wait for one.

use super::accounts::AccountSlot;
use super::connections::set_idle_at;
use super::event::Transmit;
use super::inner::InnerMut;
use super::leases::set_expiry;
use super::message::{Lease, LeaseId, PoolMessage};
use crate::conn::ConnId;
use crate::error::BufferTooSmall;
use crate::invariant::invariant;

/// The number of connections among which one that has proved enough is looked for.
const CANDIDATES: usize = 8;

/// The next lease.
struct Assignment {
    to: usize, // the connection
    nonces: Nonces,
}

/// Where the nonces of the next lease come from.
enum Nonces {
    /// A lease that was returned.
    Returned(usize),
    /// Nonces that were never leased.
    Fresh(u64, u64),
}

impl InnerMut<'_> {
    pub(super) fn transmit(&mut self, buf: &mut [u8]) -> Result<Option<Transmit>, BufferTooSmall> {
        match self.transmit_tally(buf)? {
            Some(transmit) => Ok(Some(transmit)),
            None => self.transmit_lease(buf),
        }
    }

    fn transmit_tally(&mut self, buf: &mut [u8]) -> Result<Option<Transmit>, BufferTooSmall> {
        let first = self.inner.connections.first_tally();
        let Some(slot) = first.and_then(|at| self.parts.connections.get(at)) else {
            return Ok(None);
        };
        let conn = slot.conn;
        let account = self.parts.accounts.get(usize::from(slot.account));
        invariant!(account.is_some(), "an open connection has an account");
        let (accepted, refused) = account.map_or((0, 0), AccountSlot::tally);
        let len = PoolMessage::Tally { accepted, refused }.encode(buf)?;
        self.inner.connections.tally_sent(self.parts.connections);
        Ok(Some(Transmit { conn, len }))
    }

    fn transmit_lease(&mut self, buf: &mut [u8]) -> Result<Option<Transmit>, BufferTooSmall> {
        let Some(job) = self.inner.job else { return Ok(None) };
        let Some(next) = self.next_lease() else { return Ok(None) };
        let nonces = match next.nonces {
            Nonces::Fresh(first, last) => first..=last,
            Nonces::Returned(at) => {
                let Some(lease) = self.parts.leases.get(at) else { return Ok(None) };
                lease.next..=lease.last
            }
        };
        let message = self.parts.message.get(..job.message_len).unwrap_or_default();
        let id = LeaseId(self.inner.last_id.0.wrapping_add(1));
        let message = PoolMessage::Lease(Lease {
            id,
            function: job.function,
            order: job.order,
            nonce: job.nonce,
            nonces,
            target: job.share,
            message,
        });
        let len = message.encode(buf)?;
        self.inner.last_id = id;
        Ok(self.assign(&next, id).map(|conn| Transmit { conn, len }))
    }

    /// Assigns a lease that was encoded.
    fn assign(&mut self, next: &Assignment, id: LeaseId) -> Option<ConnId> {
        let leases = &mut self.inner.leases;
        let at = match next.nonces {
            Nonces::Returned(at) => {
                leases.take_returned(self.parts.leases, at);
                at
            }
            Nonces::Fresh(first, last) => {
                self.inner.fresh.take(self.inner.config.lease);
                leases.take_free(self.parts.leases, first, last)?
            }
        };
        self.inner.connections.waiting.remove(self.parts.connections, next.to);
        let slot = self.parts.connections.get_mut(next.to)?;
        slot.set_lease(Some(at));
        let conn = slot.conn;
        let lease = self.parts.leases.get_mut(at)?;
        lease.assign(id, conn);
        let idle_at = self.inner.after(self.inner.config.idle_timeout);
        set_idle_at(self.parts.connections, next.to, idle_at);
        set_expiry(self.parts.leases, at, self.inner.after(self.inner.config.lease_timeout));
        Some(conn)
    }

    /// Returns the next lease and the connection that it is for: what was returned first, then nonces that were never
    /// leased. What a worker has itself reported done it is assigned again only if nobody else could be asked.
    fn next_lease(&self) -> Option<Assignment> {
        let to = self.inner.connections.waiting.first()?;
        if let Some(assignment) = self.next_returned(to) {
            return Some(assignment);
        }
        let fresh = self.inner.fresh.peek(self.inner.config.lease);
        if let Some((first, last)) = fresh.filter(|_| self.inner.leases.has_free()) {
            return Some(Assignment { to, nonces: Nonces::Fresh(first, last) });
        }
        let [at, _] = self.inner.leases.returned();
        let unproved = self.parts.leases.get(at?)?.unproved();
        let account = self.parts.connections.get(to)?.account;
        let nobody_else = !self.others_vouch(account, unproved);
        nobody_else.then_some(Assignment { to, nonces: Nonces::Returned(at?) })
    }

    /// Returns a lease that was returned, and a connection of another worker than the one that claims to have tried
    /// its nonces. `first` is the connection that waits first.
    fn next_returned(&self, first: usize) -> Option<Assignment> {
        let [same, others] = self.inner.leases.returned();
        let lease = self.parts.leases.get(same?)?;
        let is_other = |at: usize| {
            let slot = self.parts.connections.get(at);
            lease.claimant != slot.and_then(|slot| slot.worker(self.parts.accounts))
        };
        let waiting = || {
            let others = self.inner.connections.waiting.others(self.parts.connections);
            let others = others.map(|(at, _)| at).take(CANDIDATES);
            core::iter::once(first).chain(others).filter(|at| is_other(*at))
        };
        // One that has proved enough can settle what another has claimed.
        let unproved = lease.unproved();
        let has_proved = |at: &usize| {
            let slot = self.parts.connections.get(*at);
            slot.is_some_and(|slot| self.vouches(slot.account, unproved))
        };
        let proven = lease.claimant.and_then(|_| waiting().find(has_proved));
        if let Some(to) = proven.or_else(|| waiting().next()) {
            return Some(Assignment { to, nonces: Nonces::Returned(same?) });
        }
        Some(Assignment { to: first, nonces: Nonces::Returned(others?) })
    }
}
