//! Peers that meet through a third (BEP 55): as the one that asks, as the relay, and as the one that is asked for.

use core::net::SocketAddr;

use super::cursor::View;
use super::event::Outcome;
use super::extension::frame;
use super::peer::PeerState;
use crate::bencode::WriteError;
use crate::error::BufferTooSmall;
use crate::id::ConnId;
use crate::network::is_local;
use crate::wire::extended::{Holepunch, HolepunchError};

/// The messages of a peer that are processed in a choking round: each makes another peer dial.
pub(super) const BUDGET: u8 = 8;
/// The messages of a torrent that wait to be sent. More are dropped: nobody relies on one.
pub(super) const WAITING: usize = 4;

/// A message that waits to be sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Relayed {
    to: ConnId,
    message: Holepunch,
}

impl View<'_> {
    /// Asks a peer to let us and the peer at an address meet.
    pub(super) fn rendezvous(&mut self, relay: ConnId, target: SocketAddr) -> bool {
        let supports = |state: &PeerState| state.is_open() && state.ids.holepunch != 0;
        let index = self.find_live(relay).filter(|at| self.state(*at).is_some_and(supports));
        let Some(index) = index.filter(|_| self.core.config.holepunch) else { return false };
        self.send_holepunch(index, Holepunch::Rendezvous(target))
    }

    /// Processes a message of the peer in a slot.
    pub(super) fn holepunch<'b>(
        &mut self,
        index: usize,
        message: Holepunch,
    ) -> Option<Outcome<'b>> {
        let state = &mut self.parts.peers.get_mut(index)?.state;
        // A peer without the extension cannot be answered.
        let budget = state.ids.holepunch_budget.checked_sub(1);
        state.ids.holepunch_budget = budget.filter(|_| state.ids.holepunch != 0)?;
        let theirs = state.addr.socket();
        match message {
            Holepunch::Rendezvous(target) => {
                self.relay(index, theirs?, target);
                None
            }
            // No peer of a public network makes us dial the local one.
            Holepunch::Connect(addr) => {
                let leads_inside =
                    is_local(addr.ip()) && !theirs.is_some_and(|it| is_local(it.ip()));
                let known = self.peer_at(addr).is_some() || addr.port() == 0;
                (!leads_inside && !known).then_some(Outcome::Holepunch(addr))
            }
            Holepunch::Error(addr, error) => Some(Outcome::HolepunchFailed(addr, error)),
        }
    }

    /// Lets two peers meet, or says why not.
    fn relay(&mut self, index: usize, asker: SocketAddr, target: SocketAddr) {
        let error = match self.peer_at(target) {
            _ if target == asker || target.port() == 0 => HolepunchError::NoSuchPeer,
            None => HolepunchError::NotConnected,
            Some(other) => {
                let supports = self.state(other).is_some_and(|state| state.ids.holepunch != 0);
                if supports {
                    // A local and a public address cannot meet.
                    let apart = is_local(asker.ip()) != is_local(target.ip());
                    let room = self.core.relayed.len().saturating_add(2) <= WAITING;
                    if !apart && room {
                        self.send_holepunch(other, Holepunch::Connect(asker));
                        self.send_holepunch(index, Holepunch::Connect(target));
                    }
                    return;
                }
                HolepunchError::NoSupport
            }
        };
        self.send_holepunch(index, Holepunch::Error(target, error));
    }

    /// Returns the slot of an open connection to an address.
    fn peer_at(&self, addr: SocketAddr) -> Option<usize> {
        let is = |state: &PeerState| state.is_open() && state.addr.socket() == Some(addr);
        self.parts.peers.iter().position(|slot| is(&slot.state))
    }

    fn send_holepunch(&mut self, index: usize, message: Holepunch) -> bool {
        let Some(to) = self.state(index).map(PeerState::conn) else { return false };
        self.touch(index);
        self.core.relayed.push(Relayed { to, message }).is_ok()
    }

    pub(super) fn owes_holepunch(&self, conn: ConnId) -> bool {
        self.core.relayed.iter().any(|relayed| relayed.to == conn)
    }

    /// Forgets messages for a connection that ends.
    pub(super) fn forget_holepunch(&mut self, conn: ConnId) {
        self.core.relayed.retain(|relayed| relayed.to != conn);
    }

    /// Writes the first message for the peer in a slot.
    pub(super) fn write_holepunch(
        &mut self,
        index: usize,
        buf: &mut [u8],
    ) -> Result<Option<usize>, BufferTooSmall> {
        let Some(state) = self.state(index) else { return Ok(None) };
        let conn = state.conn();
        let id = state.ids.holepunch;
        let at = self.core.relayed.iter().position(|relayed| relayed.to == conn);
        let Some((at, message)) = at.and_then(|at| Some((at, self.core.relayed.get(at)?.message)))
        else {
            return Ok(None);
        };
        let len = frame(id, buf, |body| message.encode(body).map_err(WriteError::Buffer))?;
        self.core.relayed.remove(at);
        Ok(Some(len))
    }
}
