//! What one node keeps: its own keys and copies of others'.

use core::time::Duration;
use std::collections::BTreeMap;

use chord_core::{Id160, KeyRange};
use sha1::{Digest as _, Sha1};

use super::transfer::Entry;

#[derive(Debug, Default)]
pub struct Store(BTreeMap<Id160, Kept>);

#[derive(Debug)]
struct Kept {
    entry: Entry,
    /// When an owner, or this node as the owner, last laid claim to it.
    claimed: Duration,
}

impl Store {
    pub fn find(&self, key: Id160) -> Option<&Entry> {
        self.0.get(&key).map(|kept| &kept.entry)
    }

    /// Keeps an entry unless what is there is as new. Of two of one version the greater value stays.
    pub fn keep(&mut self, key: Id160, entry: Entry, now: Duration) {
        let kept = self.0.entry(key).or_insert(Kept { entry: entry.clone(), claimed: now });
        if entry > kept.entry {
            kept.entry = entry;
        }
        kept.claimed = now;
    }

    pub fn drop(&mut self, key: Id160) {
        self.0.remove(&key);
    }

    pub fn entries(&self, range: KeyRange<Id160>) -> impl Iterator<Item = (Id160, &Entry)> {
        let inside = self.0.iter().filter(move |(key, _)| range.contains(**key));
        inside.map(|(key, kept)| (*key, &kept.entry))
    }

    pub fn claim(&mut self, range: KeyRange<Id160>, now: Duration) {
        for (_, kept) in self.0.iter_mut().filter(|(key, _)| range.contains(**key)) {
            kept.claimed = now;
        }
    }

    /// Returns a key to which nobody has laid claim since `then`.
    pub fn stray(&self, then: Duration) -> Option<Id160> {
        self.0.iter().find(|(_, kept)| kept.claimed < then).map(|(key, _)| *key)
    }

    /// Two stores with the same digest have the same entries in the range.
    pub fn digest(&self, range: KeyRange<Id160>) -> [u8; 20] {
        let mut hash = Sha1::new();
        for (key, entry) in self.entries(range) {
            hash.update(<[u8; 20]>::from(key));
            hash.update(entry.version.to_be_bytes());
            hash.update((entry.value.len() as u64).to_be_bytes());
            hash.update(&entry.value);
        }
        hash.finalize().into()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }
}
