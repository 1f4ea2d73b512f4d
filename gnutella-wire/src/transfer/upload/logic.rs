//! Connections of uploads, and what they do one after the other.

use core::net::Ipv4Addr;
use core::time::Duration;

use super::bucket::Bucket;
use super::config::UploadConfig;
use super::event::{UploadCloseReason, UploadError, UploadEvent};
use super::slots::{Body, Client, Phase, UploadSlot};
use crate::machine::{ConnId, ConnectError, NotConnected};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    pub(super) config: UploadConfig,
    pub(super) now: Duration, // the newest seen
    pub(super) next_place: u64,
    pub(super) turn: usize, // the connection that was sent to last
    pub(super) bucket: Bucket,
}

/// The machine and its storage.
pub(super) struct Core<'a> {
    pub(super) state: &'a mut State,
    pub(super) slots: &'a mut [UploadSlot],
}

impl State {
    pub(super) fn new(config: UploadConfig) -> Self {
        let bucket = Bucket::new(config.bytes_per_second, config.chunk);
        Self { config, now: Duration::ZERO, next_place: 0, turn: 0, bucket }
    }
}

pub(super) fn clients(slots: &[UploadSlot]) -> impl Iterator<Item = &Client> {
    slots.iter().filter_map(|slot| slot.client.as_ref())
}

pub(super) fn active(slots: &[UploadSlot]) -> usize {
    clients(slots).filter(|client| client.takes_slot()).count()
}

pub(super) fn queued(slots: &[UploadSlot]) -> usize {
    clients(slots).filter(|client| client.place.is_some()).count()
}

impl Core<'_> {
    pub(super) fn advance_clock(&mut self, now: Duration) {
        self.state.now = self.state.now.max(now);
        self.state.bucket.refill(self.state.now);
    }

    pub(super) const fn after(&self, wait: Duration) -> Option<Duration> {
        self.state.now.checked_add(wait)
    }

    pub(super) fn find(&self, conn: ConnId) -> Option<usize> {
        let has = |slot: &UploadSlot| slot.client.is_some_and(|client| client.conn == conn);
        self.slots.iter().position(has)
    }

    pub(super) fn client(&mut self, index: usize) -> Option<&mut Client> {
        self.slots.get_mut(index)?.client.as_mut()
    }

    /// Returns a free slot; none if the address has its share of them.
    pub(super) fn slot_for(&self, conn: ConnId, ip: Ipv4Addr) -> Result<usize, ConnectError> {
        let reported = |slot: &UploadSlot| {
            slot.closed.is_some_and(|(closed, _)| closed == conn)
                || slot.sent.is_some_and(|(sent, ..)| sent == conn)
        };
        if self.find(conn).is_some() || self.slots.iter().any(reported) {
            return Err(ConnectError::InUse(conn));
        }
        let capacity = self.slots.len();
        let same = clients(self.slots).filter(|client| client.ip == ip).count();
        let free = self.slots.iter().position(UploadSlot::is_free);
        let free = free.filter(|_| same < usize::from(self.state.config.connections_per_host));
        free.ok_or(ConnectError::Full { capacity })
    }

    pub(super) fn connected(&mut self, index: usize, conn: ConnId, ip: Ipv4Addr) {
        let deadline = self.after(self.state.config.request_timeout);
        let client = Client { conn, ip, phase: Phase::Idle, deadline, place: None, early_polls: 0 };
        if let Some(slot) = self.slots.get_mut(index) {
            slot.client = Some(client);
        }
    }

    pub(super) fn closed(&mut self, conn: ConnId) {
        if let Some(index) = self.find(conn)
            && let Some(slot) = self.slots.get_mut(index)
        {
            slot.client = None;
        }
    }

    pub(super) fn close(&mut self, index: usize, reason: UploadCloseReason) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        if let Some(client) = slot.client.take() {
            slot.closed = Some((client.conn, reason));
        }
    }

    pub(super) fn expect_asked(&self, conn: ConnId) -> Result<usize, UploadError> {
        self.expect(conn, |phase| matches!(phase, Phase::Asked(_)))
    }

    pub(super) fn expect_sending(&self, conn: ConnId) -> Result<usize, UploadError> {
        self.expect(conn, |phase| matches!(phase, Phase::Sending(body) if body.in_flight > 0))
    }

    fn expect(
        &self,
        conn: ConnId,
        is_expected: impl Fn(&Phase) -> bool,
    ) -> Result<usize, UploadError> {
        let index = self.find(conn).ok_or(NotConnected(conn))?;
        let client = self.slots.get(index).and_then(|slot| slot.client.as_ref());
        let expected = client.is_some_and(|client| is_expected(&client.phase));
        if expected { Ok(index) } else { Err(UploadError::NotExpected(conn)) }
    }

    /// The driver has sent what it was asked to send.
    pub(super) fn sent(&mut self, index: usize) {
        let send = self.after(self.state.config.send_timeout);
        let Some(client) = self.client(index) else { return };
        let Phase::Sending(body) = &mut client.phase else { return };
        body.at = body.at.saturating_add(body.in_flight);
        body.in_flight = 0;
        client.deadline = send;
        let body = *body;
        if body.at >= body.end {
            self.finish(index, body);
        }
    }

    fn finish(&mut self, index: usize, body: Body) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        let Some(client) = slot.client.as_ref() else { return };
        slot.sent = Some((client.conn, body.file, body.end.saturating_sub(body.first)));
        self.answered(index, body.keep_alive);
    }

    /// The answer is complete: the next request may come.
    pub(super) fn answered(&mut self, index: usize, keep_alive: bool) {
        let request = self.after(self.state.config.request_timeout);
        if !keep_alive {
            return self.close(index, UploadCloseReason::Finished);
        }
        if let Some(client) = self.client(index) {
            client.phase = Phase::Idle;
            client.deadline = request;
        }
    }

    pub(super) fn poll_event(&mut self) -> Option<UploadEvent> {
        for slot in self.slots.iter_mut() {
            if let Some((conn, file, len)) = slot.sent.take() {
                return Some(UploadEvent::Sent { conn, file, len });
            }
            if !slot.refusal_due
                && let Some((conn, reason)) = slot.closed.take()
            {
                return Some(UploadEvent::Closed { conn, reason });
            }
        }
        self.poll_send()
    }
}
