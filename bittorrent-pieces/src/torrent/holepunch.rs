//! Peers that meet through a third (BEP 55): as the one that asks, as the relay, and as the one that is asked for.

use core::net::SocketAddr;

use super::cursor::View;
use super::event::Outcome;
use super::extension::frame;
use super::peer::PeerState;
use super::queue::RequestSlot;
use crate::bencode::WriteError;
use crate::error::BufferTooSmall;
use crate::id::ConnId;
use crate::network::is_local;
use crate::wire::extended::{Holepunch, HolepunchError};

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
        let budget = state.small.holepunch_budget().checked_sub(1);
        state.small.set_holepunch_budget(budget.filter(|_| state.ids.holepunch != 0)?);
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
                    // Messages of others leave room for the requests of a peer.
                    let room = self
                        .quiet_peer(other)
                        .is_some_and(|peer| peer.uploads.free() > peer.uploads.capacity() / 2);
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

    /// Queues a message behind the answers to a peer; returns whether there was room.
    fn send_holepunch(&mut self, index: usize, message: Holepunch) -> bool {
        let Some(mut peer) = self.peer(index).filter(|peer| peer.uploads.free() >= 2) else {
            return false;
        };
        let [head, rest] = RequestSlot::of_holepunch(message);
        peer.uploads.push(head) && peer.uploads.push(rest)
    }
}

/// Writes a message by the id that the peer chose.
pub(super) fn write_holepunch(
    message: &Holepunch,
    id: u8,
    buf: &mut [u8],
) -> Result<usize, BufferTooSmall> {
    frame(id, buf, |body| message.encode(body).map_err(WriteError::Buffer))
}
