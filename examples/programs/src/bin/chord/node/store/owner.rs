//! The owner of a key: it answers for what is there, and hands out copies of what is new.

use core::time::Duration;

use chord_core::Id160;

use super::member::{Answer, Member, SILENCE};
use super::sync::FULL;
use super::table::Origin;
use super::transfer::{Change, Entry, Transfer};

/// More puts than this do not wait for copies at a time.
const MOST_PUTS: usize = 1000;
/// How many finished puts are remembered, so that one that arrives twice changes nothing.
const MOST_FINISHED: usize = 256;
/// How long a deletion is remembered, in seconds. A node that was away for longer may bring the value back.
const DELETION_LIFETIME: u32 = 24 * 3600;

/// A value that waits for its copies.
#[derive(Debug)]
pub(super) struct Put<A> {
    token: u32,
    client: A,
    answer: u32,
    key: Id160,
    version: u64,
    missing: Vec<A>,
    copies: u8,
    pub(super) until: Duration,
}

/// A put that was answered.
#[derive(Debug)]
pub(super) struct Finished<A> {
    client: A,
    answer: u32,
    version: u64,
    copies: u8,
}

impl<A: Origin> Member<A> {
    pub(super) fn handle_get(&mut self, from: A, token: u32, key: Id160) {
        self.counters.gets += 1;
        let mine = self.node.keys().contains(key) && self.is_settled();
        let copies = self.copies();
        let answer = match self.store.find(key).filter(|entry| !entry.deleted) {
            _ if !mine => Transfer::Later { token },
            Some(entry) => {
                let lifetime = self.store.lifetime(key, self.now).unwrap_or(1);
                Transfer::Value { token, copies, entry: entry.clone(), lifetime }
            }
            None => Transfer::Nothing { token },
        };
        self.send(from, answer);
    }

    /// As the owner: gives the change its version and hands out copies.
    pub(super) fn handle_put(&mut self, client: A, answer: u32, key: Id160, change: Change) {
        self.counters.puts += 1;
        let done = self.finished.iter().find(|it| it.client == client && it.answer == answer);
        if let Some(&Finished { version, copies, .. }) = done {
            return self.send(client, Transfer::Done { token: answer, version, copies });
        }
        if self.puts.iter().any(|put| put.client == client && put.answer == answer) {
            return; // it waits for its copies
        }
        let mine = self.node.keys().contains(key) && self.is_settled();
        if !mine || self.puts.len() >= MOST_PUTS {
            return self.send(client, Transfer::Later { token: answer });
        }
        let old = self.store.find(key);
        let lasting = self.store.lifetime(key, self.now) == Some(0) && change.lifetime == 0;
        let version = match (old, &change.value) {
            (None, None) => return self.send(client, Transfer::Nothing { token: answer }),
            (Some(old), None) if old.deleted => {
                return self.send(client, Transfer::Nothing { token: answer });
            }
            (None, _) => 1,
            (Some(old), Some(value)) if !old.deleted && old.value == *value && lasting => {
                old.version
            }
            (Some(old), _) => old.version.saturating_add(1),
        };
        let deleted = change.value.is_none();
        let lifetime = if deleted { DELETION_LIFETIME } else { change.lifetime };
        let entry = Entry { version, deleted, value: change.value.unwrap_or_default() };
        let kept = self.store.keep(key, entry.clone(), lifetime, client.origin(), self.now);
        if kept.is_err() {
            let refused = self.note_refusal(answer);
            return self.send(client, refused);
        }
        let token = self.next_token();
        let missing: Vec<A> = self.node.successors().iter().map(|peer| peer.address).collect();
        for address in &missing {
            self.send(*address, Transfer::Copy { token, key, entry: entry.clone(), lifetime });
        }
        let until = self.after(SILENCE * 5);
        self.puts.push(Put { token, client, answer, key, version, missing, copies: 0, until });
        self.finish_puts();
    }

    pub(super) fn handle_kept(&mut self, from: A, token: u32) {
        if let Some(put) = self.puts.iter_mut().find(|put| put.token == token) {
            let before = put.missing.len();
            put.missing.retain(|address| *address != from);
            put.copies = put.copies.saturating_add((before - put.missing.len()) as u8);
            return self.finish_puts();
        }
        self.finish_return(from, token);
    }

    /// The receiver of a copy or of a command has no room for it.
    pub(super) fn handle_refused(&mut self, from: A, token: u32) {
        if token == 0 {
            return self.handle_full(from);
        }
        if let Some(put) = self.puts.iter_mut().find(|put| put.token == token) {
            put.missing.retain(|address| *address != from);
            return self.finish_puts();
        }
        if !self.refuse_stream(from, token) {
            self.end(from, token, Answer::Refused);
        }
    }

    /// A peer had another cookie than this node knew: what was sent there goes out again.
    pub(super) fn handle_cookie(&mut self, from: A, token: u32) {
        let put = self.puts.iter().find(|put| put.token == token && put.missing.contains(&from));
        if let Some(key) = put.map(|put| put.key) {
            let entry = self.store.find(key).cloned();
            if let (Some(entry), Some(lifetime)) = (entry, self.store.lifetime(key, self.now)) {
                self.send(from, Transfer::Copy { token, key, entry, lifetime });
            }
        }
        self.resend_command(from, token);
        if self.keeper(from).is_some() {
            self.compare_soon();
        }
    }

    pub(super) fn note_refusal(&mut self, token: u32) -> Transfer {
        self.counters.refused += 1;
        self.full_until = self.after(FULL);
        Transfer::Refused { token }
    }

    /// Answers the clients of all values that have their copies. Silent nodes do not count.
    pub(super) fn finish_puts(&mut self) {
        let now = self.now;
        let keepers = &self.keepers;
        let silent = |address: &A| {
            let keeper = keepers.iter().find(|keeper| keeper.address == *address);
            keeper.is_none_or(|keeper| keeper.is_silent(now))
        };
        let mut done = vec![];
        self.puts.retain(|put| {
            let ends = put.until <= now || put.missing.iter().all(silent);
            if ends {
                let Put { client, answer, version, copies, .. } = *put;
                done.push(Finished { client, answer, version, copies });
            }
            !ends
        });
        for put in done {
            let token = put.answer;
            let version = put.version;
            let copies = put.copies;
            self.send(put.client, Transfer::Done { token, version, copies });
            if self.finished.len() == MOST_FINISHED {
                self.finished.pop_front();
            }
            self.finished.push_back(put);
        }
    }
}
