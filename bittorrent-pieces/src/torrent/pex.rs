//! The exchange of peer addresses (BEP 11).

use core::net::SocketAddr;
use core::time::Duration;

use heapless::Vec;

use super::cursor::View;
use super::extension::frame;
use super::peer::PeerState;
use crate::compact::{CompactPeers, Family};
use crate::compact_time::Stamp;
use crate::error::BufferTooSmall;
use crate::wire::extended::{Pex, PexFlags};

/// At most one exchange a minute (BEP 11).
const EXCHANGE_INTERVAL: Duration = Duration::from_secs(60);
/// The most IPv4 addresses in each list of an exchange: with those of IPv6, what a transmit has room for.
const MOST_V4: usize = 30;
/// The most IPv6 addresses.
const MOST_V6: usize = 8;
/// The most departed peers that are considered: each is compared with all.
const DEPARTED: usize = 100;

impl View<'_> {
    /// Returns whether addresses are to be sent to a peer.
    pub(super) fn is_pex_due(&self, index: usize) -> bool {
        let Some(state) = self.state(index) else { return false };
        let flags = &state.flags;
        let waits = flags.pex_due() || !flags.extended_handshake_sent() || state.ids.pex == 0;
        if waits || !self.core.config.peer_exchange || !state.is_open() {
            return flags.pex_due();
        }
        let first = state.exchanged_at == state.joined_at;
        let changed =
            || self.arrived(index).next().is_some() || self.departed(index).next().is_some();
        (first || state.exchanged_at.is_past(EXCHANGE_INTERVAL, self.core.now)) && changed()
    }

    /// Returns when a peer was last sent an exchange, and when it joined.
    fn exchange_times(&self, index: usize) -> (Stamp, Stamp) {
        let times = self.state(index).map(|state| (state.exchanged_at, state.joined_at));
        times.unwrap_or((Stamp(0), Stamp(0)))
    }

    /// Returns the peers that were not yet sent to a peer.
    fn arrived(&self, index: usize) -> impl Iterator<Item = (SocketAddr, PexFlags)> {
        let (since, joined) = self.exchange_times(index);
        let others = self.parts.peers.iter().enumerate();
        others.filter(move |(other, _)| *other != index).filter_map(move |(_, slot)| {
            let state = &slot.state;
            let new = state.is_open() && (state.joined_at.is_after(since) || since == joined);
            let seed =
                if state.flags.seed() || state.flags.upload_only() { PexFlags::SEED.0 } else { 0 };
            let reachable = if state.flags.dialled() { PexFlags::REACHABLE.0 } else { 0 };
            let holepunch = if state.ids.holepunch == 0 { 0 } else { PexFlags::HOLEPUNCH.0 };
            let addr = state.addr.socket().filter(|_| new && state.addr.listens())?;
            Some((addr, PexFlags(seed | reachable | holepunch)))
        })
    }

    /// Returns the peers that left since the last exchange with a peer, and that it had been sent before.
    /// They are those whose slots are still free.
    fn departed(&self, index: usize) -> impl Iterator<Item = (SocketAddr, PexFlags)> {
        let (since, joined) = self.exchange_times(index);
        let left = move |state: &PeerState| {
            let known =
                since.is_after(joined) && !state.joined_at.is_after(since) && state.addr.listens();
            known && !state.is_used() && state.exchanged_at.is_after(since)
        };
        let slots = || self.parts.peers.iter().map(|slot| &slot.state).enumerate();
        let departed = slots().filter(move |(_, state)| left(state));
        departed.filter_map(move |(at, state)| {
            let addr = state.addr.socket()?;
            // It is here again, or left twice.
            let again = slots().any(|(other, it)| {
                (it.is_open() || other < at && left(it)) && it.addr.socket() == Some(addr)
            });
            (!again).then_some((addr, PexFlags(0)))
        })
    }

    /// Writes a peer exchange.
    pub(super) fn encode_pex(&self, index: usize, buf: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let id = self.state(index).map_or(0, |state| state.ids.pex);
        let mut added = List::default();
        added.fill(self.arrived(index));
        let mut dropped = List::default();
        dropped.fill(self.departed(index).take(DEPARTED));
        let pex = Pex {
            added: CompactPeers::front(Family::V4, &added.v4),
            added_flags: &added.v4_flags,
            added6: CompactPeers::front(Family::V6, &added.v6),
            added6_flags: &added.v6_flags,
            dropped: CompactPeers::front(Family::V4, &dropped.v4),
            dropped6: CompactPeers::front(Family::V6, &dropped.v6),
        };
        frame(id, buf, |body| pex.encode(body))
    }
}

/// Addresses of an exchange in compact form, as many as it has room for.
#[derive(Default, PartialEq)]
struct List {
    v4: Vec<u8, { MOST_V4 * 6 }>,
    v4_flags: Vec<u8, MOST_V4>,
    v6: Vec<u8, { MOST_V6 * 18 }>,
    v6_flags: Vec<u8, MOST_V6>,
}

impl List {
    fn fill(&mut self, peers: impl Iterator<Item = (SocketAddr, PexFlags)>) {
        let mut bytes = [0; 18]; // the longer form fits
        for (addr, flags) in peers {
            let len = CompactPeers::encode(addr, &mut bytes).unwrap_or(0);
            let entry = bytes.get(..len).unwrap_or_default();
            // What finds no room is left out, with its flags.
            let _ = match Family::of(addr) {
                Family::V4 => {
                    self.v4.extend_from_slice(entry).map(|()| self.v4_flags.push(flags.0))
                }
                Family::V6 => {
                    self.v6.extend_from_slice(entry).map(|()| self.v6_flags.push(flags.0))
                }
            };
        }
    }
}
