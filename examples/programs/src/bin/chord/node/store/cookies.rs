//! Cookies: a node answers with more bytes than it received, or keeps what it received, only for a sender that has
//! shown that it receives at its address. It does so by sending back a number that it can only have from there.

use core::marker::PhantomData;
use std::collections::{BTreeMap, VecDeque};

use chord_core::Address;
use sha2::{Digest as _, Sha256};

/// How many cookies of others are remembered. One that is forgotten costs a round trip.
const MOST: usize = 1024;

/// The cookies of this node and of others.
#[derive(Debug)]
pub struct Cookies<A> {
    secret: u64,
    others: BTreeMap<Spelling, u32>,
    oldest: VecDeque<Spelling>,
    addresses: PhantomData<A>,
}

/// An address as it is written.
type Spelling = [u8; 32];

impl<A: Address> Cookies<A> {
    /// `secret` differs from start to start.
    pub fn new(secret: u64) -> Self {
        let others = BTreeMap::new();
        Self { secret, others, oldest: VecDeque::new(), addresses: PhantomData }
    }

    /// Returns the cookie for a peer: the same each time, without a memory of the peer. It is not 0.
    pub fn of(&self, peer: A) -> u32 {
        let secret = self.secret.to_be_bytes();
        let hash = Sha256::new().chain_update(secret).chain_update(spelling(peer)).finalize();
        u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]).max(1)
    }

    /// Returns the cookie that a peer has given, or 0.
    pub fn from(&self, peer: A) -> u32 {
        self.others.get(&spelling(peer)).copied().unwrap_or(0)
    }

    /// Remembers the cookie of a peer that has shown its address.
    pub fn remember(&mut self, peer: A, cookie: u32) {
        let peer = spelling(peer);
        if self.others.insert(peer, cookie).is_some() {
            return;
        }
        self.oldest.push_back(peer);
        if self.oldest.len() > MOST
            && let Some(oldest) = self.oldest.pop_front()
        {
            self.others.remove(&oldest);
        }
    }
}

fn spelling<A: Address>(address: A) -> Spelling {
    let mut spelling = [0; 32];
    address.write(&mut spelling[..A::LEN]);
    spelling
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_peer_and_each_start_has_another_cookie() {
        let first = Cookies::<u32>::new(1);
        let second = Cookies::<u32>::new(2);
        assert_eq!(first.of(7), first.of(7));
        assert_ne!(first.of(7), first.of(8));
        assert_ne!(first.of(7), second.of(7));
    }

    #[test]
    fn the_oldest_of_too_many_is_forgotten() {
        let mut cookies = Cookies::<u32>::new(1);
        assert_eq!(cookies.from(0), 0);
        for peer in 0..=MOST as u32 {
            cookies.remember(peer, 9);
        }
        assert_eq!(cookies.from(0), 0);
        assert_eq!(cookies.from(1), 9);
        assert_eq!(cookies.others.len(), MOST);
    }
}
