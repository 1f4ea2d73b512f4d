//! Messages: what each one changes, and which are handed to the caller.

use core::time::Duration;

use super::blocks::BlockRequest;
use super::frame::{FRAME_LEN, MessageError, frame};
use super::inner::InnerMut;
use super::message::{Hello, MAX_IDS, Message, NotFound, Status, TxIds, max_len};
use super::moment::Moment;
use super::peer::{PeerSlot, Phase, Sync};
use super::types::{CloseReason, NotConnected, Received};
use crate::block::SealedHeader;
use crate::conn::ConnId;
use crate::transaction::SignedTransaction;

/// The penalty for a message that nobody asked for. A late answer looks the same, so it is small.
const UNSOLICITED: u16 = 5;

impl InnerMut<'_> {
    pub(super) fn received<'b>(
        &mut self,
        now: Duration,
        conn: ConnId,
        bytes: &'b [u8],
    ) -> Result<Received<Message<'b>>, NotConnected> {
        let at = self.find(conn).ok_or(NotConnected(conn))?;
        let now = self.advance_clock(now);
        if !self.peer(at).is_connected() {
            return Ok(Received { consumed: bytes.len(), outcome: None });
        }
        let max = usize::try_from(self.inner.config.max_block_len).unwrap_or(usize::MAX);
        let is_too_long = match frame(bytes) {
            Ok((kind, len)) => len > max_len(kind, max),
            Err(MessageError::Incomplete { .. }) => false,
            Err(_) => true,
        };
        if is_too_long {
            return Ok(self.malformed(at, bytes));
        }
        let (message, consumed) = match Message::decode(bytes) {
            Ok((message, rest)) => (message, bytes.len().saturating_sub(rest.len())),
            Err(MessageError::Incomplete { .. }) => {
                return Ok(Received { consumed: 0, outcome: None });
            }
            Err(MessageError::UnknownKind { len, .. }) => {
                self.change(at, |peer| peer.heard_at = Moment::of(now));
                return Ok(Received { consumed: len.saturating_add(FRAME_LEN), outcome: None });
            }
            Err(MessageError::Malformed(_)) => return Ok(self.malformed(at, bytes)),
        };
        self.change(at, |peer| peer.heard_at = Moment::of(now));
        let outcome = self.message(at, message);
        Ok(Received { consumed, outcome })
    }

    fn malformed<'b>(&mut self, at: usize, bytes: &'b [u8]) -> Received<Message<'b>> {
        self.change(at, |peer| peer.close(CloseReason::Malformed));
        Received { consumed: bytes.len(), outcome: None }
    }

    pub(super) fn peer(&self, at: usize) -> &PeerSlot {
        self.parts.peers.get(at).unwrap_or(&PeerSlot::EMPTY)
    }

    pub(super) fn change(&mut self, at: usize, change: impl FnOnce(&mut PeerSlot)) {
        if let Some(peer) = self.parts.peers.get_mut(at) {
            change(peer);
        }
    }

    /// Handles a message, and returns it if the caller has to act on it.
    fn message<'b>(&mut self, at: usize, message: Message<'b>) -> Option<Message<'b>> {
        let is_open = self.peer(at).is_open();
        match message {
            Message::Hello(hello) if !is_open => self.hello(at, &hello),
            _ if !is_open => self.change(at, |peer| peer.close(CloseReason::Malformed)),
            Message::Hello(_) => self.change(at, |peer| peer.close(CloseReason::Malformed)),
            Message::Status(status) => self.status(at, &status),
            Message::GetHeaders(_)
            | Message::GetBlock(_)
            | Message::GetTransaction(_)
            | Message::GetSnapshot(_) => return Some(message),
            Message::HaveSnapshot(offer) => self.have_snapshot(at, offer),
            Message::Snapshot(place, _) => return self.snapshot(at, &place).then_some(message),
            Message::Headers(headers) => {
                // Who has more sends some.
                let has_more = headers.has_more() && !headers.is_empty();
                return self.headers(at, has_more).then_some(message);
            }
            Message::Block(bytes) => return self.block(at, bytes).then_some(message),
            Message::HaveTransactions(ids) => self.have_transactions(at, ids),
            Message::MoreTransactions => {
                let now = self.inner.now;
                self.change(at, |peer| peer.announce_at = Moment::of(now));
            }
            Message::Transaction(bytes) => {
                return self.transaction(at, bytes).then_some(message);
            }
            Message::NotFound(what) => self.not_found(at, what),
        }
        None
    }

    fn hello(&mut self, at: usize, hello: &Hello) {
        let reason = if hello.genesis != self.inner.config.genesis {
            Some(CloseReason::WrongChain)
        } else if hello.nonce == self.inner.nonce {
            Some(CloseReason::Itself)
        } else {
            None
        };
        if let Some(reason) = reason {
            self.change(at, |peer| peer.close(reason));
            return;
        }
        self.change(at, |peer| {
            peer.phase = Phase::Open;
            peer.connected_due = true;
        });
        self.status(at, &hello.status);
    }

    /// Notes the end of a peer's chain, and plans to ask for its headers.
    fn status(&mut self, at: usize, status: &Status) {
        let now = self.inner.now;
        let has_ours = status.tip == self.inner.status.tip;
        if status.tip != self.peer(at).tip {
            // It may have what it did not have before.
            self.parts.blocks.iter_mut().for_each(|request| request.asking.allow(at));
        }
        self.change(at, |peer| {
            peer.tip = status.tip;
            peer.height = status.height.0;
            if has_ours {
                peer.status_due = false;
            } else {
                peer.sync_at(now);
            }
        });
    }

    /// Returns whether headers were asked for.
    fn headers(&mut self, at: usize, has_more: bool) -> bool {
        let now = self.inner.now;
        let retry = self.inner.config.retry;
        let pause = retry.checked_div(16).unwrap_or(retry);
        let Sync::Asked { again, .. } = self.peer(at).sync else {
            self.change(at, |peer| peer.penalize(now, UNSOLICITED, CloseReason::Unsolicited));
            return false;
        };
        self.change(at, |peer| {
            peer.header_stalls = 0;
            peer.sync = match (has_more, again) {
                (true, _) => Sync::At(Moment::of(now)),
                // Its tip has changed meanwhile. A peer whose tip changes all the time is asked now and then.
                (false, true) => Sync::At(Moment::of(now.saturating_add(pause))),
                (false, false) => Sync::Idle,
            };
            if !has_more {
                peer.continue_from = None;
            }
        });
        true
    }

    /// Returns whether the block is wanted.
    fn block(&mut self, at: usize, bytes: &[u8]) -> bool {
        let now = self.inner.now;
        let Ok((sealed, _)) = SealedHeader::decode(bytes) else {
            self.change(at, |peer| peer.close(CloseReason::Malformed));
            return false;
        };
        let id = sealed.header.id(&self.inner.config.genesis);
        let request =
            self.parts.blocks.iter_mut().find(|request| request.is_used && request.id == id);
        let Some(request) = request else {
            self.change(at, |peer| peer.penalize(now, UNSOLICITED, CloseReason::Unsolicited));
            return false;
        };
        let asked = request.asking.asked.filter(|asked| asked.peer == at);
        *request = BlockRequest::EMPTY;
        let most = self.inner.config.most_in_flight();
        let asked_at = asked.map(|asked| asked.at);
        self.change(at, |peer| peer.delivered(now, asked_at, most));
        true
    }

    fn have_transactions(&mut self, at: usize, ids: TxIds<'_>) {
        let now = self.inner.now;
        let per_second = self.inner.config.transactions_per_second;
        let burst = self.inner.config.burst();
        let is_full = ids.iter().len() >= MAX_IDS;
        self.change(at, |peer| peer.more_due = is_full);
        for id in ids.iter() {
            let Some(peer) = self.parts.peers.get_mut(at) else { return };
            if !peer.spend_credit(now, per_second, burst) {
                return;
            }
            self.transactions().announced(id, at, now);
        }
    }

    /// Returns whether the transaction is wanted.
    fn transaction(&mut self, at: usize, bytes: &[u8]) -> bool {
        let now = self.inner.now;
        let Ok((signed, [])) = SignedTransaction::decode(bytes) else {
            self.change(at, |peer| peer.close(CloseReason::Malformed));
            return false;
        };
        let id = signed.id(&self.inner.config.genesis);
        let is_wanted = self.transactions().delivered(&id, at).is_some();
        if !is_wanted {
            self.change(at, |peer| peer.penalize(now, UNSOLICITED, CloseReason::Unsolicited));
        }
        is_wanted
    }

    fn not_found(&mut self, at: usize, what: NotFound) {
        let now = self.inner.now;
        match what {
            NotFound::Block(id) => {
                let is_asked = |request: &&mut BlockRequest| {
                    request.id == id && request.asking.asked.is_some_and(|asked| asked.peer == at)
                };
                if let Some(request) = self.parts.blocks.iter_mut().find(is_asked) {
                    request.asking.exclude(at);
                }
            }
            NotFound::Snapshot(id) => self.snapshot_not_found(at, &id),
            NotFound::Transaction(id) => {
                let mut transactions = self.transactions();
                if let Some(slot) = transactions.asked_of(&id, at) {
                    transactions.give_up_on(slot, at, now);
                }
            }
        }
    }
}
