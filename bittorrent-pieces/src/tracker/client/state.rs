//! What a client of a UDP tracker knows, and how it changes.

use core::net::Ipv4Addr;
use core::time::Duration;

use super::super::udp::{
    ConnectionId, Hashes, Options, PacketError, Request, Response, TransactionId, encode_url_data,
    url_data_len,
};
use super::super::{Announce, ScrapeStats};
use super::{DatagramError, UdpConfig, UdpEvent, UdpHandled, UdpTrackerFull};
use crate::rng::Rng;
use crate::{BufferTooSmall, InfoHash};

/// How long a client uses a connection id.
const CONNECTION_AGE: Duration = Duration::from_secs(60);
/// The n of the last repetition; each waits 15 * 2^n seconds.
const LAST_TRY: u8 = 8;

/// Room for one request of a [`UdpTracker`](super::UdpTracker): at most 136 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UdpSlot(Option<Pending>);

impl UdpSlot {
    /// A slot that is not in use.
    pub const EMPTY: Self = Self(None);

    pub(super) const fn is_used(&self) -> bool {
        self.0.is_some()
    }
}

/// A request under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pending {
    transaction: TransactionId,
    what: What,
    tries: u8, // how often it was sent: the n of the next time
    phase: Phase,
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Announce(Announce),
    Scrape(InfoHash),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// To be sent, as soon as there is a connection id.
    Due,
    /// Sent; to be repeated then.
    Sent(Duration),
    /// Given up; still to be told.
    Failed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    Idle,
    /// Asked for a connection id; to be repeated at `again`, or at once if that is `None`.
    Connecting {
        transaction: TransactionId,
        tries: u8,
        again: Option<Duration>,
    },
    Connected {
        id: ConnectionId,
        until: Duration,
    },
}

#[derive(Debug, Clone)]
pub(super) struct Core<'t> {
    config: UdpConfig<'t>,
    now: Duration,
    rng: Rng,
    link: Link,
}

impl<'t> Core<'t> {
    pub(super) const fn new(config: UdpConfig<'t>) -> Self {
        Self { config, now: Duration::ZERO, rng: Rng::new(config.seed), link: Link::Idle }
    }

    pub(super) fn ask(
        &mut self,
        slots: &mut [UdpSlot],
        now: Duration,
        what: What,
    ) -> Result<TransactionId, UdpTrackerFull> {
        let full = UdpTrackerFull(slots.len());
        let free = slots.iter().position(|slot| !slot.is_used()).ok_or(full)?;
        self.see(slots, now);
        let (transaction, rng) = self.draw(slots);
        self.rng = rng;
        if let Some(slot) = slots.get_mut(free) {
            slot.0 = Some(Pending { transaction, what, tries: 0, phase: Phase::Due });
        }
        Ok(transaction)
    }

    pub(super) fn cancel(
        &mut self,
        slots: &mut [UdpSlot],
        now: Duration,
        request: TransactionId,
    ) -> bool {
        let is = |slot: &&mut UdpSlot| slot.0.is_some_and(|it| it.transaction == request);
        let found = slots.iter_mut().find(is).map(|slot| *slot = UdpSlot::EMPTY);
        self.see(slots, now);
        found.is_some()
    }

    pub(super) fn handle_datagram<'a>(
        &mut self,
        slots: &mut [UdpSlot],
        now: Duration,
        bytes: &'a [u8],
    ) -> Result<UdpHandled<'a>, DatagramError> {
        let response = Response::decode(bytes, self.config.family)?;
        let transaction = response.transaction();
        let handled = match self.link {
            Link::Connecting { transaction: asked, .. } if asked == transaction => match response {
                Response::Connect { connection: id, .. } => {
                    let until = self.now.max(now).saturating_add(CONNECTION_AGE);
                    self.link = Link::Connected { id, until };
                    UdpHandled::Connected
                }
                Response::Error { text, .. } => UdpHandled::ConnectRefused { text },
                _ => return Err(DatagramError::Unexpected(transaction)),
            },
            _ => {
                let handled = answer(slots, response, bytes.len())?;
                if matches!(handled, UdpHandled::Refused { .. }) {
                    // The tracker may have forgotten us, or sees another address.
                    self.link = match self.link {
                        Link::Connected { .. } => Link::Idle,
                        other => other,
                    };
                }
                handled
            }
        };
        self.see(slots, now);
        Ok(handled)
    }

    /// Takes in the time: what is unanswered is to be repeated, or given up.
    pub(super) fn see(&mut self, slots: &mut [UdpSlot], now: Duration) {
        self.now = self.now.max(now);
        for pending in slots.iter_mut().filter_map(|slot| slot.0.as_mut()) {
            if matches!(pending.phase, Phase::Sent(due) if due <= self.now) {
                let spent = pending.tries > LAST_TRY;
                pending.phase = if spent { Phase::Failed } else { Phase::Due };
            }
        }
        match &mut self.link {
            Link::Connecting { tries, again, .. } if again.is_some_and(|due| due <= self.now) => {
                *again = None;
                if *tries > LAST_TRY {
                    self.link = Link::Idle;
                    let waiting = slots.iter_mut().filter_map(|slot| slot.0.as_mut());
                    let waiting = waiting.filter(|pending| pending.phase == Phase::Due);
                    waiting.for_each(|pending| pending.phase = Phase::Failed);
                }
            }
            _ => {}
        }
        self.rest(slots);
    }

    /// Stops connecting if nothing waits for it.
    fn rest(&mut self, slots: &[UdpSlot]) {
        let connecting = matches!(self.link, Link::Connecting { .. });
        if connecting && due(slots).next().is_none() {
            self.link = Link::Idle;
        }
    }

    pub(super) fn poll_timeout(&self, slots: &[UdpSlot]) -> Option<Duration> {
        let sent = slots.iter().filter_map(|slot| match slot.0?.phase {
            Phase::Sent(due) => Some(due),
            Phase::Due | Phase::Failed => None,
        });
        let connecting = match self.link {
            Link::Connecting { again, .. } => again,
            Link::Idle | Link::Connected { .. } => None,
        };
        sent.chain(connecting).min()
    }

    pub(super) fn poll_transmit(
        &mut self,
        slots: &mut [UdpSlot],
        buf: &mut [u8],
    ) -> Result<Option<usize>, BufferTooSmall> {
        let Some(tries) = due(slots).map(|pending| pending.tries).max() else { return Ok(None) };
        match self.link {
            Link::Connected { id, until } if self.now < until => self.send(slots, id, buf),
            Link::Connecting { again: Some(_), .. } => Ok(None),
            Link::Connecting { transaction, tries, again: None } => {
                self.connect(transaction, tries, buf)
            }
            Link::Idle | Link::Connected { .. } => {
                // Time spent on the request counts: a silent tracker is asked ever more rarely.
                let (transaction, rng) = self.draw(slots);
                let sent = self.connect(transaction, tries, buf)?;
                self.rng = rng;
                Ok(sent)
            }
        }
    }

    fn connect(
        &mut self,
        transaction: TransactionId,
        tries: u8,
        buf: &mut [u8],
    ) -> Result<Option<usize>, BufferTooSmall> {
        let len = Request::Connect { transaction }.encode(buf)?;
        let again = Some(self.now.saturating_add(patience(tries)));
        self.link = Link::Connecting { transaction, tries: tries.saturating_add(1), again };
        Ok(Some(len))
    }

    /// Sends the first request that is due.
    fn send(
        &self,
        slots: &mut [UdpSlot],
        connection: ConnectionId,
        buf: &mut [u8],
    ) -> Result<Option<usize>, BufferTooSmall> {
        let mut waiting = slots.iter_mut().filter_map(|slot| slot.0.as_mut());
        let Some(pending) = waiting.find(|pending| pending.phase == Phase::Due) else {
            return Ok(None);
        };
        let transaction = pending.transaction;
        let len = match pending.what {
            What::Announce(announce) => {
                let (ip, options) = (Ipv4Addr::UNSPECIFIED, Options::default());
                let plain = Request::Announce { connection, transaction, announce, ip, options };
                let fixed = plain.encoded_len();
                let needed = fixed.saturating_add(url_data_len(self.config.path));
                let small = BufferTooSmall { needed };
                let (front, back) = buf.split_at_mut_checked(fixed).ok_or(small)?;
                let more = encode_url_data(self.config.path, back).map_err(|_| small)?;
                plain.encode(front)?.saturating_add(more)
            }
            What::Scrape(InfoHash(hash)) => {
                let hashes = [hash];
                let hashes = Hashes::new(&hashes).unwrap_or_default();
                Request::Scrape { connection, transaction, hashes }.encode(buf)?
            }
        };
        pending.phase = Phase::Sent(self.now.saturating_add(patience(pending.tries)));
        pending.tries = pending.tries.saturating_add(1);
        Ok(Some(len))
    }

    pub(super) fn poll_event(&self, slots: &mut [UdpSlot]) -> Option<UdpEvent> {
        slots.iter_mut().find_map(|slot| {
            let pending = slot.0.filter(|pending| pending.phase == Phase::Failed)?;
            *slot = UdpSlot::EMPTY;
            Some(UdpEvent::TimedOut { request: pending.transaction })
        })
    }

    /// Draws a transaction id that is not in use; returns the generator behind it.
    fn draw(&self, slots: &[UdpSlot]) -> (TransactionId, Rng) {
        let mut rng = self.rng;
        loop {
            let [a, b, c, d, ..] = rng.next_u64().to_be_bytes();
            let id = TransactionId(u32::from_be_bytes([a, b, c, d]));
            let connecting =
                matches!(self.link, Link::Connecting { transaction, .. } if transaction == id);
            let mut taken = slots.iter().filter_map(|slot| slot.0);
            if !connecting && taken.all(|pending| pending.transaction != id) {
                return (id, rng);
            }
        }
    }
}

/// Finds the request that a response answers and frees its slot.
fn answer<'a>(
    slots: &mut [UdpSlot],
    response: Response<'a>,
    len: usize,
) -> Result<UdpHandled<'a>, DatagramError> {
    let request = response.transaction();
    let unexpected = DatagramError::Unexpected(request);
    let asked = |pending: &Pending| {
        pending.transaction == request && pending.tries > 0 && pending.phase != Phase::Failed
    };
    let slot = slots.iter_mut().find(|slot| slot.0.as_ref().is_some_and(asked));
    let slot = slot.ok_or(unexpected)?;
    let what = slot.0.map(|pending| pending.what);
    let handled = match (response, what) {
        (
            Response::Announce { interval, leechers, seeders, peers, .. },
            Some(What::Announce(_)),
        ) => {
            let interval = Duration::from_secs(u64::from(interval));
            UdpHandled::Announced { request, interval, leechers, seeders, peers }
        }
        (Response::Scrape { torrents, .. }, Some(What::Scrape(_))) => {
            let short = PacketError::Short { len, needed: 20 };
            let stats: ScrapeStats = torrents.iter().next().ok_or(short)?;
            UdpHandled::Scraped { request, stats }
        }
        (Response::Error { text, .. }, _) => UdpHandled::Refused { request, text },
        _ => return Err(unexpected),
    };
    *slot = UdpSlot::EMPTY;
    Ok(handled)
}

fn due(slots: &[UdpSlot]) -> impl Iterator<Item = Pending> {
    slots.iter().filter_map(|slot| slot.0).filter(|pending| pending.phase == Phase::Due)
}

/// Returns how long to wait for an answer to the transmission of number `tries`, from 0.
fn patience(tries: u8) -> Duration {
    let factor = 1_u64.checked_shl(u32::from(tries.min(LAST_TRY))).unwrap_or(u64::MAX);
    Duration::from_secs(factor.saturating_mul(15))
}
