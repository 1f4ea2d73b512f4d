//! How a node stores, finds and puts items (BEP 44).

use core::net::SocketAddr;
use core::time::Duration;

use super::event::{DhtOutcome, ItemLookupError, LookupId};
use super::inner::{ReplyKind, View};
use crate::dht::id::NodeId;
use crate::dht::item::{Item, ItemError, ItemName, MAX_VALUE_LEN, Signed, check_salt};
use crate::dht::items::{self, Refusal};
use crate::dht::krpc::{
    CAS_MISMATCH, INVALID_SIGNATURE, PROTOCOL_ERROR, Put, Response, SALT_TOO_LONG, SEQ_TOO_LOW,
    SERVER_ERROR, VALUE_TOO_LONG,
};
use crate::dht::lookup::{Lookup, Purpose, Salt, Wanted};
use crate::id::InfoHash;

/// The length in bytes of the keys and values of a mutable item without its value, and of the longest number alone.
const KEY_LEN: usize = 38 + 72 + SEQ_LEN;
const SEQ_LEN: usize = 27;
/// The length in bytes of the key of a value.
const VALUE_LEN: usize = 3;

impl View<'_> {
    pub(super) fn find_item(
        &mut self,
        now: Duration,
        name: ItemName<'_>,
    ) -> Result<LookupId, ItemLookupError> {
        let (public_key, salt) = match name {
            ItemName::Immutable(_) => (None, &[][..]),
            ItemName::Mutable { public_key, salt } => (Some(public_key), salt),
        };
        check_salt(salt)?;
        let wanted = Wanted { public_key, salt: Salt::new(salt), seq: None };
        let full = ItemLookupError::Full { capacity: self.lookups.len() };
        let number = self.start(name.target(), Purpose::Get(wanted)).ok_or(full)?;
        self.core.advance_clock(now);
        Ok(LookupId(number))
    }

    pub(super) fn put_item(
        &mut self,
        now: Duration,
        item: &Item<'_>,
        cas: Option<i64>,
    ) -> Result<LookupId, ItemLookupError> {
        if self.lookups.iter().all(|slot| slot.0.is_some()) {
            return Err(ItemLookupError::Full { capacity: self.lookups.len() });
        }
        let at = self.core.now.max(now);
        // What others store is unknown: `cas` is for them.
        items::store(self.items, &mut self.core.rng, at, None, item, None).map_err(|refusal| {
            match refusal {
                Refusal::NoRoom => ItemLookupError::ItemsFull { capacity: self.items.len() },
                Refusal::Old | Refusal::Cas => ItemLookupError::Old,
            }
        })?;
        self.core.advance_clock(now);
        let salt = item.signed.map_or(&[][..], |signed| signed.salt);
        let purpose = Purpose::Put { cas, salt: Salt::new(salt) };
        let full = ItemLookupError::Full { capacity: self.lookups.len() };
        self.start(item.target(), purpose).map(LookupId).ok_or(full)
    }

    /// Stores what a node puts to us; returns the reply.
    pub(super) fn put(&mut self, from: SocketAddr, put: &Put<'_>) -> ReplyKind {
        if put.value.len() > MAX_VALUE_LEN {
            return ReplyKind::Error(VALUE_TOO_LONG, "value too long");
        }
        if put.signed.is_some_and(|signed| check_salt(signed.salt).is_err()) {
            return ReplyKind::Error(SALT_TOO_LONG, "salt too long");
        }
        let claimed = Item { value: put.value, signed: put.signed };
        let target = InfoHash(claimed.target().0);
        let now = self.core.now;
        if !self.core.tokens.accepts(now, from.ip(), target, put.token) {
            return ReplyKind::Error(PROTOCOL_ERROR, "wrong token");
        }
        let checked = match put.signed {
            Some(signed) => Item::mutable(put.value, signed),
            None => Item::immutable(put.value),
        };
        let item = match checked {
            Ok(item) => item,
            Err(ItemError::Signature) => {
                return ReplyKind::Error(INVALID_SIGNATURE, "invalid signature");
            }
            Err(_) => return ReplyKind::Error(PROTOCOL_ERROR, "invalid item"),
        };
        let rng = &mut self.core.rng;
        match items::store(self.items, rng, now, Some(from.ip()), &item, put.cas) {
            Ok(()) => ReplyKind::Pong,
            Err(Refusal::Cas) => ReplyKind::Error(CAS_MISMATCH, "CAS mismatch"),
            Err(Refusal::Old) => ReplyKind::Error(SEQ_TOO_LOW, "sequence number too low"),
            Err(Refusal::NoRoom) => ReplyKind::Error(SERVER_ERROR, "no room"),
        }
    }

    /// Puts a stored item into a response, if `budget` bytes hold it; returns the number of bytes it takes. Of a mutable
    /// item that is not newer than `seq`, or that does not fit, only the sequence number is sent.
    pub(super) fn put_stored<'b>(
        &'b self,
        target: NodeId,
        seq: Option<i64>,
        budget: usize,
        response: &mut Response<'b>,
    ) -> usize {
        let Some(stored) = items::find(self.items, self.core.now, target) else { return 0 };
        let key = stored.key();
        let newer = key.is_none_or(|(_, _, have)| seq.is_none_or(|seq| have > seq));
        let key_len = if key.is_some() { KEY_LEN } else { 0 };
        let len = stored.value().len().saturating_add(VALUE_LEN).saturating_add(key_len);
        if newer && len <= budget {
            response.value = Some(stored.value());
            response.public_key = key.map(|(public, _, _)| public);
            response.signature = key.map(|(_, signature, _)| signature);
            response.seq = key.map(|(_, _, seq)| seq);
            return len;
        }
        response.seq = key.map(|(_, _, seq)| seq).filter(|_| SEQ_LEN <= budget);
        if response.seq.is_some() { SEQ_LEN } else { 0 }
    }
}

/// Checks the item of a response to `get`, and notes it in the lookup.
#[inline(never)] // its locals are not in use while peers are counted
pub(super) fn accept<'a>(lookup: &mut Lookup, response: &Response<'a>) -> DhtOutcome<'a> {
    let found = lookup.found;
    let target = lookup.target;
    let Purpose::Get(wanted) = &mut lookup.purpose else { return DhtOutcome::Handled };
    let Some(value) = response.value else { return DhtOutcome::Handled };
    let signed = match (wanted.public_key, response.seq, response.signature) {
        (None, _, _) => {
            let same = |item: Item<'_>| item.target() == target;
            if found > 0 || !Item::immutable(value).is_ok_and(same) {
                return DhtOutcome::Handled;
            }
            None
        }
        (Some(public_key), Some(seq), Some(signature)) => {
            let salt = wanted.salt;
            let signed = Signed { public_key, signature: *signature, seq, salt: salt.as_bytes() };
            let newer = wanted.seq.is_none_or(|known| seq > known);
            if !newer || Item::mutable(value, signed).is_err() {
                return DhtOutcome::Handled;
            }
            wanted.seq = Some(seq);
            Some((seq, *signature))
        }
        (Some(_), _, _) => return DhtOutcome::Handled,
    };
    lookup.found = found.saturating_add(1);
    DhtOutcome::Item { lookup: LookupId(lookup.number), value, signed }
}
