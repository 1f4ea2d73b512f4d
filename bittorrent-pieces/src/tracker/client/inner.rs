//! The requests of a client and its connection id.

use core::net::Ipv4Addr;
use core::time::Duration;

use super::config::UdpConfig;
use super::event::{DatagramError, UdpEvent, UdpOutcome};
use super::patience::patience;
use crate::error::{BufferTooSmall, Full};
use crate::id::InfoHash;
use crate::rng::Rng;
use crate::tracker::announce::Announce;
use crate::tracker::udp::{
    ConnectionId, Hashes, Options, PacketError, Request, Response, TransactionId, encode_url_data,
    url_data_len,
};

/// How long a client uses a connection id (BEP 15).
const CONNECTION_AGE: Duration = Duration::from_secs(60);

/// A slot for one request of a [`UdpTracker`](super::UdpTracker): at most 136 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UdpSlot(Option<Pending>);

/// A request in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pending {
    transaction: TransactionId,
    question: Question,
    tries: u8, // the number of transmissions: the n of the next one
    phase: Phase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    Announce(Announce),
    Scrape(InfoHash),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// To be sent as soon as there is a connection id.
    Due,
    /// Sent; to be retransmitted at this time.
    Sent(Duration),
    /// Failed; the event was not yet polled.
    Failed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Connection {
    Idle,
    /// A connect request was sent; it is retransmitted at `again`, or at once if that is `None`.
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

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Core<P> {
    config: UdpConfig<P>,
    pub(super) now: Duration,
    rng: Rng,
    pub(super) connection: Connection,
}

impl UdpSlot {
    /// An unused slot.
    pub const EMPTY: Self = Self(None);

    pub(super) const fn is_used(&self) -> bool {
        self.0.is_some()
    }

    pub(super) fn phase(&self) -> Option<Phase> {
        self.0.map(|pending| pending.phase)
    }

    pub(super) fn set_phase(&mut self, phase: Phase) {
        if let Some(pending) = &mut self.0 {
            pending.phase = phase;
        }
    }

    /// Returns when the request is to be retransmitted.
    pub(super) fn deadline(&self) -> Option<Duration> {
        match self.phase()? {
            Phase::Sent(deadline) => Some(deadline),
            Phase::Due | Phase::Failed => None,
        }
    }

    /// Ends the wait for a response to a transmission.
    pub(super) fn expire(&mut self, last_try: u8) {
        if let Some(pending) = &mut self.0 {
            let exhausted = pending.tries > last_try;
            pending.phase = if exhausted { Phase::Failed } else { Phase::Due };
        }
    }
}

impl<P> Core<P> {
    pub(super) const fn new(config: UdpConfig<P>) -> Self {
        let rng = Rng::new(config.seed);
        Self { config, now: Duration::ZERO, rng, connection: Connection::Idle }
    }

    pub(super) fn ask(
        &mut self,
        slots: &mut [UdpSlot],
        now: Duration,
        question: Question,
    ) -> Result<TransactionId, Full> {
        let full = Full { capacity: slots.len() };
        let free = slots.iter().position(|slot| !slot.is_used()).ok_or(full)?;
        self.advance_clock(slots, now);
        let (transaction, rng) = self.draw(slots);
        self.rng = rng;
        if let Some(slot) = slots.get_mut(free) {
            slot.0 = Some(Pending { transaction, question, tries: 0, phase: Phase::Due });
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
        self.advance_clock(slots, now);
        found.is_some()
    }

    pub(super) fn handle_datagram<'a>(
        &mut self,
        slots: &mut [UdpSlot],
        now: Duration,
        bytes: &'a [u8],
    ) -> Result<UdpOutcome<'a>, DatagramError> {
        let response = Response::decode(bytes, self.config.family)?;
        let asked = match self.connection {
            Connection::Connecting { transaction, .. } => Some(transaction),
            Connection::Idle | Connection::Connected { .. } => None,
        };
        let outcome = if asked == Some(response.transaction()) {
            self.connected(now, response)?
        } else {
            self.answered(slots, response, bytes.len())?
        };
        self.advance_clock(slots, now);
        Ok(outcome)
    }

    /// Processes the response to a connect request.
    fn connected<'a>(
        &mut self,
        now: Duration,
        response: Response<'a>,
    ) -> Result<UdpOutcome<'a>, DatagramError> {
        match response {
            Response::Connect { connection: id, .. } => {
                let until = self.now.max(now).saturating_add(CONNECTION_AGE);
                self.connection = Connection::Connected { id, until };
                Ok(UdpOutcome::Connected)
            }
            Response::Error { text, .. } => Ok(UdpOutcome::ConnectRefused { text }),
            _ => Err(DatagramError::Unexpected(response.transaction())),
        }
    }

    /// Processes the response to a request.
    fn answered<'a>(
        &mut self,
        slots: &mut [UdpSlot],
        response: Response<'a>,
        len: usize,
    ) -> Result<UdpOutcome<'a>, DatagramError> {
        let outcome = answer(slots, response, len)?;
        let refused = matches!(outcome, UdpOutcome::Refused { .. });
        if refused && matches!(self.connection, Connection::Connected { .. }) {
            // The tracker may have lost the connection id, or sees another address.
            self.connection = Connection::Idle;
        }
        Ok(outcome)
    }

    /// Stops connecting if no request waits for it.
    pub(super) fn stop_connecting_if_idle(&mut self, slots: &[UdpSlot]) {
        let connecting = matches!(self.connection, Connection::Connecting { .. });
        if connecting && due(slots).next().is_none() {
            self.connection = Connection::Idle;
        }
    }

    /// Draws a transaction id that is not in use; returns the generator after it.
    fn draw(&self, slots: &[UdpSlot]) -> (TransactionId, Rng) {
        let mut rng = self.rng;
        loop {
            let [a, b, c, d, ..] = rng.next_u64().to_be_bytes();
            let id = TransactionId(u32::from_be_bytes([a, b, c, d]));
            let connecting = matches!(
                self.connection,
                Connection::Connecting { transaction, .. } if transaction == id
            );
            let mut taken = slots.iter().filter_map(|slot| slot.0);
            if !connecting && taken.all(|pending| pending.transaction != id) {
                return (id, rng);
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
        let tries = tries.saturating_add(1);
        self.connection = Connection::Connecting { transaction, tries, again };
        Ok(Some(len))
    }
}

impl<P: AsRef<[u8]>> Core<P> {
    pub(super) fn transmit(
        &mut self,
        slots: &mut [UdpSlot],
        buf: &mut [u8],
    ) -> Result<Option<usize>, BufferTooSmall> {
        let Some(tries) = due(slots).map(|pending| pending.tries).max() else { return Ok(None) };
        match self.connection {
            Connection::Connected { id, until } if self.now < until => self.send(slots, id, buf),
            Connection::Connecting { again: Some(_), .. } => Ok(None),
            Connection::Connecting { transaction, tries, again: None } => {
                self.connect(transaction, tries, buf)
            }
            Connection::Idle | Connection::Connected { .. } => {
                // The transmissions of the request count: a silent tracker is asked ever more rarely.
                let (transaction, rng) = self.draw(slots);
                let sent = self.connect(transaction, tries, buf)?;
                self.rng = rng;
                Ok(sent)
            }
        }
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
        let len = match pending.question {
            Question::Announce(announce) => {
                self.write_announce(connection, transaction, announce, buf)?
            }
            Question::Scrape(InfoHash(hash)) => {
                let hashes = [hash];
                let hashes = Hashes::new(&hashes).unwrap_or_default();
                Request::Scrape { connection, transaction, hashes }.encode(buf)?
            }
        };
        pending.phase = Phase::Sent(self.now.saturating_add(patience(pending.tries)));
        pending.tries = pending.tries.saturating_add(1);
        Ok(Some(len))
    }

    fn write_announce(
        &self,
        connection: ConnectionId,
        transaction: TransactionId,
        announce: Announce,
        buf: &mut [u8],
    ) -> Result<usize, BufferTooSmall> {
        let path = self.config.path.as_ref();
        let request = Request::Announce {
            connection,
            transaction,
            announce,
            ip: Ipv4Addr::UNSPECIFIED,
            options: Options::default(),
        };
        let fixed = request.encoded_len();
        let small = BufferTooSmall { needed: fixed.saturating_add(url_data_len(path)) };
        let (front, back) = buf.split_at_mut_checked(fixed).ok_or(small)?;
        let options = encode_url_data(path, back).map_err(|_| small)?;
        Ok(request.encode(front)?.saturating_add(options))
    }
}

/// Returns the next request that failed, and frees its slot.
pub(super) fn next_event(slots: &mut [UdpSlot]) -> Option<UdpEvent> {
    let slot = slots.iter_mut().find(|slot| slot.phase() == Some(Phase::Failed))?;
    let request = slot.0.take()?.transaction;
    Some(UdpEvent::TimedOut { request })
}

/// Finds the request that a response answers and frees its slot.
fn answer<'a>(
    slots: &mut [UdpSlot],
    response: Response<'a>,
    len: usize,
) -> Result<UdpOutcome<'a>, DatagramError> {
    let request = response.transaction();
    let unexpected = DatagramError::Unexpected(request);
    let asked = |pending: &Pending| {
        pending.transaction == request && pending.tries > 0 && pending.phase != Phase::Failed
    };
    let slot = slots.iter_mut().find(|slot| slot.0.as_ref().is_some_and(asked));
    let slot = slot.ok_or(unexpected)?;
    let question = slot.0.map(|pending| pending.question);
    let outcome = match (response, question) {
        (
            Response::Announce { interval, leechers, seeders, peers, .. },
            Some(Question::Announce(_)),
        ) => {
            let interval = Duration::from_secs(u64::from(interval));
            UdpOutcome::Announced { request, interval, leechers, seeders, peers }
        }
        (Response::Scrape { torrents, .. }, Some(Question::Scrape(_))) => {
            let short = PacketError::Short { len, needed: 20 };
            let stats = torrents.iter().next().ok_or(short)?;
            UdpOutcome::Scraped { request, stats }
        }
        (Response::Error { text, .. }, _) => UdpOutcome::Refused { request, text },
        _ => return Err(unexpected),
    };
    *slot = UdpSlot::EMPTY;
    Ok(outcome)
}

fn due(slots: &[UdpSlot]) -> impl Iterator<Item = Pending> {
    slots.iter().filter_map(|slot| slot.0).filter(|pending| pending.phase == Phase::Due)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The generator comes to the same number again only after very many; here it is made to.
    #[test]
    fn a_transaction_id_that_is_in_use_is_not_drawn_again() {
        let mut core = Core::new(UdpConfig::new(7));
        let mut slots = [UdpSlot::EMPTY; 2];
        let (first, rng) = core.draw(&slots);
        let question = Question::Scrape(InfoHash([1; 20]));
        let pending = |transaction| Pending { transaction, question, tries: 0, phase: Phase::Due };
        slots[1].0 = Some(pending(first));
        let (second, _) = core.draw(&slots);
        assert_ne!(second, first);
        core.connection = Connection::Connecting { transaction: second, tries: 0, again: None };
        let (third, _) = core.draw(&slots);
        assert!(third != first && third != second);
        core.connection = Connection::Idle;
        assert_eq!(core.draw(&slots).0, second);
        core.rng = rng;
        assert_eq!(core.draw(&[]).0, second, "one after the other");
    }
}
