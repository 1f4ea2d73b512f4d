//! What is sent: derived from the state, one message at a time, one peer after the other.

use super::asking::{Asked, bit};
use super::inner::InnerMut;
use super::message::{Hello, MAX_IDS, Message, encode_ids};
use super::moment::Moment;
use super::peer::Sync;
use super::transactions::Concerned;
use super::types::Transmit;
use crate::error::BufferTooSmall;

impl InnerMut<'_> {
    pub(super) fn transmit(&mut self, buf: &mut [u8]) -> Result<Option<Transmit>, BufferTooSmall> {
        let count = self.parts.peers.len();
        let concerned = self.transactions_ref().concerned(self.inner.now);
        for step in 0..count {
            let at = self.inner.next_peer.saturating_add(step);
            let at = at.checked_rem(count).unwrap_or(0);
            if !self.peer(at).is_connected() {
                continue;
            }
            if let Some(len) = self.message_for(at, concerned, buf)? {
                let now = self.inner.now;
                self.inner.next_peer = at.saturating_add(1);
                self.change(at, |peer| peer.sent_at = Moment::of(now));
                return Ok(Some(Transmit { conn: self.peer(at).conn, len }));
            }
        }
        Ok(None)
    }

    /// Writes the next message for a peer. The order is that of the calls.
    fn message_for(
        &mut self,
        at: usize,
        concerned: Concerned,
        buf: &mut [u8],
    ) -> Result<Option<usize>, BufferTooSmall> {
        if !self.peer(at).hello_sent {
            return self.send_hello(at, buf).map(Some);
        }
        if !self.peer(at).is_open() {
            return Ok(None);
        }
        if self.peer(at).status_due {
            let len = Message::Status(self.inner.status).encode(buf)?;
            self.change(at, |peer| peer.status_due = false);
            return Ok(Some(len));
        }
        if let Some(len) = self.send_offer(at, buf)? {
            return Ok(Some(len));
        }
        if let Some(len) = self.ask_headers(at, buf)? {
            return Ok(Some(len));
        }
        if let Some(len) = self.ask_snapshot(at, buf)? {
            return Ok(Some(len));
        }
        if let Some(len) = self.ask_block(at, buf)? {
            return Ok(Some(len));
        }
        if let Some(len) = self.ask_transaction(at, concerned, buf)? {
            return Ok(Some(len));
        }
        if concerned.deliver & bit(at) == 0
            && let Some(len) = self.ask_for_more(at, buf)?
        {
            return Ok(Some(len));
        }
        if concerned.lack & bit(at) == 0 {
            return Ok(None);
        }
        self.announce_transactions(at, buf)
    }

    fn send_hello(&mut self, at: usize, buf: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let config = &self.inner.config;
        let status = self.inner.status;
        let hello = Hello { genesis: config.genesis, nonce: self.inner.nonce, status };
        let len = Message::Hello(hello).encode(buf)?;
        self.change(at, |peer| {
            peer.hello_sent = true;
            peer.status_due = false;
        });
        Ok(len)
    }

    fn ask_headers(&mut self, at: usize, buf: &mut [u8]) -> Result<Option<usize>, BufferTooSmall> {
        let now = self.inner.now;
        let peer = self.peer(at);
        if !matches!(peer.sync, Sync::At(due) if due.get() <= now) {
            return Ok(None);
        }
        let first = peer.continue_from;
        let ids = first.iter().chain(self.inner.locator()).map(crate::hash::BlockId::as_bytes);
        let len = encode_ids(true, ids, buf)?;
        self.change(at, |peer| peer.sync = Sync::Asked { at: Moment::of(now), again: false });
        Ok(Some(len))
    }

    fn ask_block(&mut self, at: usize, buf: &mut [u8]) -> Result<Option<usize>, BufferTooSmall> {
        let blocks = &*self.parts.blocks;
        let peers = &*self.parts.peers;
        let mut idle = blocks.iter().enumerate().filter(|(_, request)| request.is_idle());
        let chosen = idle.find(|(_, request)| request.choose(peers, blocks) == Some(at));
        let Some((slot, request)) = chosen else { return Ok(None) };
        let len = Message::GetBlock(request.id).encode(buf)?;
        let now = self.inner.now;
        if let Some(request) = self.parts.blocks.get_mut(slot) {
            request.asking.asked = Some(Asked { peer: at, at: now });
        }
        Ok(Some(len))
    }

    fn ask_transaction(
        &mut self,
        at: usize,
        concerned: Concerned,
        buf: &mut [u8],
    ) -> Result<Option<usize>, BufferTooSmall> {
        if concerned.due & bit(at) == 0 {
            return Ok(None); // without a look at all that is wanted
        }
        let now = self.inner.now;
        let table = self.transactions_ref();
        let Some(slot) = table.to_ask(at, now) else { return Ok(None) };
        let len = Message::GetTransaction(table.get(slot).id).encode(buf)?;
        self.transactions().asked(slot, at, now);
        Ok(Some(len))
    }

    /// Lets a peer announce more once it has delivered what it announced, and has credit.
    fn ask_for_more(&mut self, at: usize, buf: &mut [u8]) -> Result<Option<usize>, BufferTooSmall> {
        let now = self.inner.now;
        let peer = self.peer(at);
        let has_credit = peer.credit_deadline(&self.inner.config).is_some_and(|at| at <= now);
        if !peer.more_due || !has_credit {
            return Ok(None);
        }
        let len = Message::MoreTransactions.encode(buf)?;
        self.change(at, |peer| peer.more_due = false);
        Ok(Some(len))
    }

    fn announce_transactions(
        &mut self,
        at: usize,
        buf: &mut [u8],
    ) -> Result<Option<usize>, BufferTooSmall> {
        let now = self.inner.now;
        let announced = self.peer(at).announced;
        let newest = self.inner.transactions.last;
        if announced == newest || self.peer(at).announce_at.get() > now {
            return Ok(None);
        }
        let table = self.transactions_ref();
        let news = table.news(at, announced);
        let Some(last) = news.slots().last() else { return Ok(None) };
        let last = table.get(*last).number;
        let ids = news.slots().iter().map(|slot| table.get(*slot).id.as_bytes());
        let len = encode_ids(false, ids, buf)?;
        let is_full = news.slots().len() >= MAX_IDS;
        let later = now.saturating_add(self.inner.config.retry);
        self.change(at, |peer| {
            peer.announced = last;
            peer.announce_at = Moment::of(if is_full { later } else { now });
        });
        Ok(Some(len))
    }
}
