//! What a book keeps besides its storage, and how connections begin and end.

use core::net::SocketAddr;
use core::time::Duration;

use super::config::PeerBookConfig;
use super::event::{AdmissionError, BookEvent, CloseReason, Ending};
use super::slots::{Conn, Entry, Phase, canonical};
use super::storage::PeerBookParts;
use crate::id::ConnId;
use crate::network::Network;
use crate::rng::Rng;

/// The number of our own addresses that are remembered.
const OWN: usize = 8;
/// How long an accepted connection has for its handshake before another may take its slot.
const GRACE: Duration = Duration::from_secs(1);
/// What a refusal counts in failures.
const REFUSAL: u8 = 3;

/// All of a book but the storage.
#[derive(Debug, Clone)]
pub(super) struct Core {
    pub(super) config: PeerBookConfig,
    pub(super) rng: Rng,
    pub(super) now: Duration,
    pub(super) complete: bool,
    pub(super) external: [Option<SocketAddr>; 2], // of IPv4 and IPv6
    own: heapless::Vec<SocketAddr, OWN>,
    own_next: usize, // that is replaced next
    pub(super) dial_at: Option<Duration>,
    pub(super) dialled_at: Option<Duration>,
    pub(super) next_kind: usize,
    pub(super) ask: Ask,
}

/// When a hungry torrent asks for addresses.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ask {
    pub(super) at: Option<Duration>,
    pub(super) wait: Duration,
    pub(super) asked_at: Option<Duration>,
    pub(super) due: bool, // the event
}

impl Core {
    pub(super) fn new(config: PeerBookConfig) -> Self {
        let ask = Ask { at: Some(Duration::ZERO), wait: config.ask, asked_at: None, due: false };
        Self {
            config,
            rng: Rng::new(config.seed),
            now: Duration::ZERO,
            complete: false,
            external: [None; 2],
            own: heapless::Vec::new(),
            own_next: 0,
            dial_at: None,
            dialled_at: None,
            next_kind: 0,
            ask,
        }
    }

    /// Advances the clock; an older time counts as the newest seen.
    pub(super) fn advance_clock(&mut self, now: Duration) {
        self.now = self.now.max(now);
    }

    /// Looks for a peer to dial as soon as the interval between two dials allows.
    pub(super) fn wake_dialler(&mut self) {
        let next = match self.dialled_at {
            Some(at) => at.checked_add(self.config.dial_interval),
            None => Some(Duration::ZERO),
        };
        self.dial_at = next.map(|at| at.max(self.now));
    }

    pub(super) fn is_own(&self, addr: SocketAddr) -> bool {
        self.external.contains(&Some(addr)) || self.own.contains(&addr)
    }

    fn remember_own(&mut self, addr: SocketAddr) {
        if self.is_own(addr) {
            return;
        }
        if let Err(addr) = self.own.push(addr) {
            if let Some(oldest) = self.own.get_mut(self.own_next) {
                *oldest = addr;
            }
            self.own_next = self.own_next.saturating_add(1).checked_rem(OWN).unwrap_or(0);
        }
    }

    /// Returns how long to wait after a number of failures in a row: twice as long each time, give or take a
    /// quarter.
    pub(super) fn back_off(&mut self, failures: u8) -> Duration {
        let factor = 1_u32.checked_shl(failures.saturating_sub(1).into()).unwrap_or(u32::MAX);
        let wait = self.config.retry.saturating_mul(factor).min(self.config.max_retry);
        let spread = u32::try_from(self.rng.below(513)).unwrap_or(0);
        let wait = wait.saturating_mul(768_u32.saturating_add(spread));
        wait.checked_div(1_024).unwrap_or(wait)
    }
}

/// A book whose storage is borrowed: the logic, compiled once.
pub(super) struct View<'v> {
    pub(super) core: &'v mut Core,
    pub(super) parts: PeerBookParts<'v>,
}

impl View<'_> {
    pub(super) fn find(&self, conn: ConnId) -> Option<usize> {
        let is = |slot: &Option<Conn>| slot.is_some_and(|known| known.is(conn));
        self.parts.conns.iter().position(|slot| is(&slot.0))
    }

    pub(super) fn conn(&mut self, conn: ConnId) -> Option<&mut Conn> {
        let at = self.find(conn)?;
        self.parts.conns.get_mut(at)?.0.as_mut()
    }

    pub(super) fn entry(&mut self, addr: SocketAddr) -> Option<&mut Entry> {
        let mut entries = self.parts.addresses.iter_mut().filter_map(|slot| slot.0.as_mut());
        entries.find(|entry| entry.addr == addr)
    }

    pub(super) fn live(&self) -> impl Iterator<Item = &Conn> {
        self.parts.conns.iter().filter_map(|slot| slot.0.as_ref()).filter(|conn| conn.is_live())
    }

    fn dialling(&mut self, addr: SocketAddr) -> Option<&mut Option<Conn>> {
        let dials = |conn: &Conn| conn.phase == Phase::Dialling && conn.addr == addr;
        let slots = self.parts.conns.iter_mut().map(|slot| &mut slot.0);
        slots.into_iter().find(|slot| slot.as_ref().is_some_and(dials))
    }

    /// A dial succeeded.
    pub(super) fn dialled(
        &mut self,
        now: Duration,
        addr: SocketAddr,
        conn: ConnId,
    ) -> Result<(), AdmissionError> {
        if self.find(conn).is_some() {
            return Err(AdmissionError::InUse(conn));
        }
        let addr = canonical(addr);
        let at = self.core.now.max(now);
        let slot = self.dialling(addr).ok_or(AdmissionError::NotDialling)?;
        let known = Conn::new(Phase::Dialled, conn, addr, at);
        *slot = Some(Conn { listens: Some(addr.port()), ..known });
        self.core.now = at;
        self.core.wake_dialler();
        Ok(())
    }

    /// A dial failed.
    pub(super) fn dial_failed(&mut self, now: Duration, addr: SocketAddr) {
        self.core.advance_clock(now);
        if let Some(dial) = self.dialling(canonical(addr)).and_then(Option::take) {
            self.release(&dial, Ending::Lost);
        }
    }

    /// A peer dialled us.
    pub(super) fn accept(
        &mut self,
        now: Duration,
        conn: ConnId,
        addr: SocketAddr,
    ) -> Result<(), AdmissionError> {
        let at = self.core.now.max(now);
        let addr = canonical(addr);
        if self.find(conn).is_some() {
            return Err(AdmissionError::InUse(conn));
        }
        if self.is_banned(addr, at) {
            return Err(AdmissionError::Banned);
        }
        let free = self.parts.conns.iter().position(|slot| slot.0.is_none());
        let over = self.limit_reached(addr);
        let index = match (over, free) {
            (None, Some(free)) => free,
            // The oldest without a handshake gives way: of those that use up the limit, or of all.
            (over, _) => {
                let capacity = self.parts.conns.len();
                let error = over.unwrap_or(AdmissionError::Full { capacity });
                self.oldest_unproved(addr, over, at).ok_or(error)?
            }
        };
        self.core.now = at;
        if let Some(slot) = self.parts.conns.get_mut(index) {
            let displaced = slot.0.map(|old| old.id);
            slot.0 = Some(Conn { displaced, ..Conn::new(Phase::Accepted, conn, addr, at) });
        }
        Ok(())
    }

    /// Returns which limit one more connection with an address would exceed.
    pub(super) fn limit_reached(&self, addr: SocketAddr) -> Option<AdmissionError> {
        let config = &self.core.config;
        let network = Network::of(addr.ip());
        let same_address = self.live().filter(|conn| conn.addr.ip() == addr.ip()).count();
        let address = network.share(config.per_address.into(), config.per_local_address.into());
        if same_address >= address {
            return Some(AdmissionError::Address);
        }
        let same_network =
            self.live().filter(|conn| Network::of(conn.addr.ip()) == network).count();
        let most = network.share(config.per_network.into(), config.per_local_address.into());
        (same_network >= most).then_some(AdmissionError::Network)
    }

    /// Returns the slot of the oldest accepted connection that has sent no handshake after [`GRACE`].
    fn oldest_unproved(
        &self,
        addr: SocketAddr,
        over: Option<AdmissionError>,
        now: Duration,
    ) -> Option<usize> {
        let network = Network::of(addr.ip());
        let counts = |conn: &Conn| match over {
            Some(AdmissionError::Address) => conn.addr.ip() == addr.ip(),
            Some(_) => Network::of(conn.addr.ip()) == network,
            None => true,
        };
        let slots = self.parts.conns.iter().enumerate();
        let conns = slots.filter_map(|(index, slot)| Some((index, slot.0.as_ref()?)));
        let unproved = conns.filter(|(_, conn)| {
            conn.phase == Phase::Accepted
                && conn.displaced.is_none()
                && conn.since.saturating_add(GRACE) <= now
                && counts(conn)
        });
        unproved.min_by_key(|(_, conn)| conn.since).map(|(index, _)| index)
    }

    /// The handshake of a peer was received.
    pub(super) fn handshake(&mut self, now: Duration, conn: ConnId) {
        self.core.advance_clock(now);
        if let Some(known) = self.conn(conn) {
            known.phase = Phase::Open;
        }
    }

    /// A peer sent a block.
    pub(super) fn block(&mut self, now: Duration, conn: ConnId) {
        self.core.advance_clock(now);
        if let Some(known) = self.conn(conn) {
            known.useful = true;
        }
    }

    /// A connection ended.
    pub(super) fn closed(&mut self, now: Duration, conn: ConnId, ending: Ending) {
        self.core.advance_clock(now);
        let Some(at) = self.find(conn) else { return };
        let Some(ended) = self.parts.conns.get_mut(at).and_then(|slot| slot.0.take()) else {
            return;
        };
        if let Some(displaced) = ended.displaced {
            let closed = Phase::Closed(CloseReason::MadeRoom);
            let rest = Conn::new(closed, displaced, ended.addr, self.core.now);
            self.parts.conns.iter_mut().skip(at).take(1).for_each(|slot| slot.0 = Some(rest));
        }
        self.release(&ended, ending);
    }

    /// Notes how a connection or a dial ended, which is out of its slot.
    pub(super) fn release(&mut self, ended: &Conn, ending: Ending) {
        match ending {
            Ending::Corrupt => self.ban(ended),
            Ending::Ourselves => {
                // Both ends of the connection report it: only the dialled address is one of ours.
                if let Some(addr) = ended.listening() {
                    self.core.remember_own(addr);
                    self.remove(addr);
                }
            }
            _ => {
                if let Some(addr) = ended.listening() {
                    self.retry_later(addr, ended.useful, ending);
                }
            }
        }
        if ended.useful {
            self.core.ask_soon();
        }
        self.core.wake_dialler();
    }

    fn retry_later(&mut self, addr: SocketAddr, useful: bool, ending: Ending) {
        let in_use = self.live().any(|conn| conn.listening() == Some(addr));
        let Some(entry) = self.entry(addr) else { return };
        let more = match ending {
            Ending::NotNeeded => 0,
            Ending::Refused => REFUSAL,
            _ => 1,
        };
        let failures = if useful { 0 } else { entry.failures.saturating_add(more) };
        let wait = match ending {
            Ending::NotNeeded => self.core.config.max_retry.max(self.core.config.retry),
            _ => self.core.back_off(failures),
        };
        let at = self.core.now.saturating_add(wait);
        if let Some(entry) = self.entry(addr) {
            entry.failures = failures;
            entry.in_use = in_use;
            entry.dial_at = at;
        }
    }

    /// Removes an address.
    pub(super) fn remove(&mut self, addr: SocketAddr) {
        let is = |entry: &Entry| entry.addr == addr;
        for slot in self.parts.addresses.iter_mut() {
            slot.0 = slot.0.filter(|entry| !is(entry));
        }
    }

    pub(super) fn event(&mut self) -> Option<BookEvent> {
        for slot in self.parts.conns.iter_mut() {
            let Some(conn) = slot.0.as_mut() else { continue };
            if let Some(displaced) = conn.displaced.take() {
                return Some(BookEvent::Closed { conn: displaced, reason: CloseReason::MadeRoom });
            }
            match conn.phase {
                Phase::Closed(reason) => {
                    let conn = conn.id;
                    slot.0 = None;
                    self.core.wake_dialler();
                    return Some(BookEvent::Closed { conn, reason });
                }
                Phase::DialDue => {
                    conn.phase = Phase::Dialling;
                    return Some(BookEvent::Dial { addr: conn.addr });
                }
                _ => {}
            }
        }
        core::mem::take(&mut self.core.ask.due).then_some(BookEvent::AskSources)
    }
}
