//! A node of the ring and its store, without sockets and clock: the same verbs as the node, so that the
//! program and the simulator drive the same code.
//!
//! The owner of a key numbers its versions and gives copies to all nodes of its successor list before it says
//! that a value is stored. Again and again it compares its range with each of them, and where two differ, both
//! send all they have; so a newcomer gets what it owns, and copies are made up for. What nobody lays claim to any
//! more goes back to its owner before it is dropped.

use core::time::Duration;
use std::collections::VecDeque;

use chord_core::{
    Address, BufferTooSmall, Config, Event, Id160, KeyRange, LookupId, Node, NodeLimits, NodeVec,
    Peer, StartError,
};

use super::pending::{Action, PendingCommand};
use super::store::Store;
use super::transfer::{Entry, FIRST, Transfer};

/// How long to wait for an answer of a store before asking again.
pub(crate) const PATIENCE: Duration = Duration::from_millis(250);
/// How long a silent node keeps others waiting.
pub(crate) const SILENCE: Duration = Duration::from_secs(1);
/// How long after a change copies are compared, so that several changes count as one.
const SOON: Duration = Duration::from_millis(10);
/// How often copies are compared.
const COMPARE: Duration = Duration::from_secs(1);
/// How long an entry may be nobody's before it goes back to its owner.
const STRAY: Duration = Duration::from_secs(20);
/// More puts than this do not wait for copies at a time.
const MOST_PUTS: usize = 1000;

#[derive(Debug)]
pub struct Member<A> {
    pub(crate) node: Node<Id160, A, NodeVec<Id160, A>>,
    pub store: Store,
    pub(crate) now: Duration,
    outbox: VecDeque<(A, Transfer)>,
    pub(crate) events: VecDeque<MemberEvent<A>>,
    pub(crate) commands: Vec<PendingCommand>,
    puts: Vec<Put<A>>,
    /// Those that keep copies of this node\'s range.
    keepers: Vec<Keeper<A>>,
    compare_at: Duration,
    pub(crate) last_token: u32,
}

/// What the application learns.
#[derive(Debug, Clone, PartialEq)]
pub enum MemberEvent<A> {
    Chord(Event<Id160, A>),
    Stored {
        key: Id160,
    },
    /// `None`: there is nothing under this key.
    Found {
        key: Id160,
        value: Option<Vec<u8>>,
    },
    GaveUp {
        key: Id160,
    },
}

/// A value that waits for its copies.
#[derive(Debug)]
struct Put<A> {
    token: u32,
    client: A,
    answer: u32,
    missing: Vec<A>,
    until: Duration,
}

#[derive(Debug)]
struct Keeper<A> {
    address: A,
    /// When it was asked, if it has not answered yet.
    asked: Option<Duration>,
    /// It had the same entries once since the range has grown.
    agreed: bool,
}

impl<A: Address> Member<A> {
    pub fn new(config: Config, r: usize, me: Peer<Id160, A>) -> Self {
        let limits = NodeLimits { successors: r, fingers: 16, lookups: 16, contacts: 8 };
        Self {
            node: Node::new(config, me, NodeVec::new(limits)).expect("good numbers"),
            store: Store::default(),
            now: Duration::ZERO,
            outbox: VecDeque::new(),
            events: VecDeque::new(),
            commands: Vec::new(),
            puts: Vec::new(),
            keepers: Vec::new(),
            compare_at: Duration::ZERO,
            last_token: 0,
        }
    }

    pub fn create(&mut self, now: Duration) -> Result<(), StartError> {
        let now = self.now.max(now);
        self.node.create(now)?;
        self.listen(now);
        Ok(())
    }

    #[cfg(test)]
    pub fn create_base(
        &mut self,
        now: Duration,
        members: &[Peer<Id160, A>],
    ) -> Result<(), StartError> {
        let now = self.now.max(now);
        self.node.create_base(now, members)?;
        self.listen(now);
        Ok(())
    }

    pub fn join(&mut self, now: Duration, contact: A) -> Result<(), StartError> {
        let now = self.now.max(now);
        self.node.join(now, contact)?;
        self.listen(now);
        Ok(())
    }

    pub fn leave(&mut self, now: Duration) {
        let now = self.now.max(now);
        self.node.leave(now);
        self.listen(now);
    }

    /// Stores a value; [`MemberEvent::Stored`] or [`MemberEvent::GaveUp`] follows.
    pub fn put(&mut self, now: Duration, key: Id160, value: Vec<u8>) {
        self.begin(now, key, Action::Put(value));
    }

    /// Asks for a value; [`MemberEvent::Found`] or [`MemberEvent::GaveUp`] follows.
    pub fn get(&mut self, now: Duration, key: Id160) {
        self.begin(now, key, Action::Get);
    }

    /// Handles a datagram. Anything but a Chord message or a transfer is dropped; the error says why.
    pub fn handle_datagram(&mut self, now: Duration, from: A, bytes: &[u8]) -> Result<(), String> {
        let now = self.now.max(now);
        if bytes.first() == Some(&FIRST) {
            let transfer = Transfer::decode(bytes).ok_or("not a message of this store")?;
            self.now = now;
            self.handle_transfer(from, transfer);
        } else {
            self.node.handle_datagram(now, from, bytes).map_err(|error| error.to_string())?;
        }
        self.listen(now);
        Ok(())
    }

    pub fn handle_timeout(&mut self, now: Duration) {
        let now = self.now.max(now);
        self.node.handle_timeout(now);
        self.listen(now);
        if self.node.state().is_member() && self.compare_at <= self.now {
            self.compare();
        }
        self.finish_puts();
        self.retry_commands();
        self.listen(now);
    }

    pub fn poll_timeout(&self) -> Option<Duration> {
        let compare = Some(self.compare_at).filter(|_| self.node.state().is_member());
        let commands = self.commands.iter().map(|command| command.retry_at);
        let own = compare.into_iter().chain(commands).min().filter(|at| *at != Duration::MAX);
        self.node.poll_timeout().into_iter().chain(own).min()
    }

    /// Writes the next datagram into `buf`, and returns its destination and its length.
    pub fn poll_transmit(&mut self, buf: &mut [u8]) -> Result<Option<(A, usize)>, BufferTooSmall> {
        if let Some(sent) = self.node.poll_transmit(buf)? {
            return Ok(Some((sent.to, sent.len)));
        }
        let Some((to, transfer)) = self.outbox.front() else { return Ok(None) };
        let bytes = transfer.encode();
        let room = buf.get_mut(..bytes.len());
        room.ok_or(BufferTooSmall { needed: bytes.len() })?.copy_from_slice(&bytes);
        let to = *to;
        self.outbox.pop_front();
        Ok(Some((to, bytes.len())))
    }

    pub fn poll_event(&mut self) -> Option<MemberEvent<A>> {
        self.events.pop_front()
    }

    pub fn node(&self) -> &Node<Id160, A, NodeVec<Id160, A>> {
        &self.node
    }

    /// Looks a key up and does nothing else.
    pub fn lookup(&mut self, now: Duration, key: Id160) -> Option<LookupId> {
        let now = self.now.max(now);
        let lookup = self.node.lookup(now, key).ok();
        self.listen(now);
        lookup
    }

    /// Handles the events of the node.
    pub(crate) fn listen(&mut self, now: Duration) {
        self.now = self.now.max(now);
        while let Some(event) = self.node.poll_event() {
            match event {
                Event::LookupDone { lookup, owner, .. } => self.find_owner(lookup, owner.address),
                Event::TakeOver { .. } => {
                    self.keepers.iter_mut().for_each(|keeper| keeper.agreed = false);
                    self.compare_at = self.after(SOON);
                }
                Event::ListChanged => self.compare_at = self.after(SOON),
                Event::HandOver { range, to } => {
                    let entries = self.store.entries(range);
                    let copies = entries.map(|(key, entry)| (key, entry.clone()));
                    for (key, entry) in copies.collect::<Vec<_>>() {
                        self.send(to.address, Transfer::Copy { token: 0, key, entry });
                    }
                }
                _ => {}
            }
            self.events.push_back(MemberEvent::Chord(event));
        }
    }

    /// Compares the own range with all that keep copies of it, and asks those again that owe an answer.
    fn compare(&mut self) {
        let all = self.after(COMPARE);
        self.compare_at = self.after(PATIENCE);
        let range = self.node.keys();
        let now = self.now;
        self.store.claim(range, now);
        let digest = self.store.digest(range);
        let list: Vec<A> = self.node.successors().iter().map(|peer| peer.address).collect();
        self.keepers.retain(|keeper| list.contains(&keeper.address));
        let mut owing = false;
        for address in list {
            if !self.keepers.iter().any(|keeper| keeper.address == address) {
                self.keepers.push(Keeper { address, asked: None, agreed: false });
            }
            self.outbox.push_back((address, Transfer::Compare { range, digest }));
        }
        for keeper in &mut self.keepers {
            keeper.asked.get_or_insert(now);
            owing = owing || !keeper.is_silent(now);
        }
        if !owing {
            self.compare_at = all;
        }
        if let Some(key) = self.store.stray(now.saturating_sub(STRAY))
            && !self.commands.iter().any(|command| command.what == Action::Return)
        {
            self.begin(now, key, Action::Return);
        }
    }

    /// Returns whether this node may answer: it has compared its range with every node that may know more.
    fn is_settled(&self) -> bool {
        let list = self.node.successors();
        self.node.state().is_member()
            && list.iter().all(|peer| {
                let keeper = self.keepers.iter().find(|keeper| keeper.address == peer.address);
                keeper.is_some_and(|keeper| keeper.agreed || keeper.is_silent(self.now))
            })
    }

    fn handle_transfer(&mut self, from: A, transfer: Transfer) {
        if let Some(keeper) = self.keeper(from) {
            keeper.asked = None;
        }
        match transfer {
            Transfer::Put { token, key, value } => self.handle_put(from, token, key, value),
            Transfer::Get { token, key } => {
                let mine = self.node.keys().contains(key) && self.is_settled();
                let answer = match self.store.find(key) {
                    _ if !mine => Transfer::Later { token },
                    Some(entry) => Transfer::Value { token, entry: entry.clone() },
                    None => Transfer::Nothing { token },
                };
                self.send(from, answer);
            }
            Transfer::Copy { token, key, entry } => {
                self.store.keep(key, entry, self.now);
                if token != 0 {
                    self.send(from, Transfer::Kept { token });
                }
            }
            Transfer::Kept { token } => self.handle_kept(from, token),
            Transfer::Compare { range, digest } => {
                self.store.claim(range, self.now);
                if self.store.digest(range) == digest {
                    self.send(from, Transfer::Same { range, digest });
                } else {
                    self.send_all(from, range);
                    self.send(from, Transfer::Differs { range });
                }
            }
            Transfer::Same { range, digest } => {
                let same = range == self.node.keys() && self.store.digest(range) == digest;
                if let Some(keeper) = self.keeper(from).filter(|_| same) {
                    keeper.agreed = true;
                }
            }
            Transfer::Differs { range } => {
                self.send_all(from, range);
                self.compare_at = self.compare_at.min(self.after(PATIENCE));
            }
            Transfer::Done { token } => self.end(token, |_, key| MemberEvent::Stored { key }),
            Transfer::Value { token, entry } => {
                self.end(token, |_, key| MemberEvent::Found { key, value: Some(entry.value) });
            }
            Transfer::Nothing { token } => {
                self.end(token, |_, key| MemberEvent::Found { key, value: None });
            }
            Transfer::Later { token } => self.postpone(token),
        }
    }

    /// As the owner: gives the value its version and hands out copies.
    fn handle_put(&mut self, client: A, answer: u32, key: Id160, value: Vec<u8>) {
        let mine = self.node.keys().contains(key) && self.is_settled();
        if !mine || self.puts.len() >= MOST_PUTS {
            return self.send(client, Transfer::Later { token: answer });
        }
        let version = match self.store.find(key) {
            Some(entry) if entry.value == value => entry.version, // the client asks again
            Some(entry) => entry.version.saturating_add(1),
            None => 1,
        };
        let entry = Entry { version, value };
        self.store.keep(key, entry.clone(), self.now);
        self.last_token = self.last_token.wrapping_add(1).max(1);
        let token = self.last_token;
        let list = self.node.successors();
        let missing: Vec<A> = list.iter().map(|peer| peer.address).collect();
        for address in &missing {
            let copy = Transfer::Copy { token, key, entry: entry.clone() };
            self.outbox.push_back((*address, copy));
        }
        self.puts.push(Put { token, client, answer, missing, until: self.after(SILENCE * 5) });
        self.finish_puts();
    }

    fn handle_kept(&mut self, from: A, token: u32) {
        if let Some(put) = self.puts.iter_mut().find(|put| put.token == token) {
            put.missing.retain(|address| *address != from);
            return self.finish_puts();
        }
        self.finish_return(token);
    }

    /// Answers the clients of all values that have their copies. Silent nodes do not count.
    fn finish_puts(&mut self) {
        let now = self.now;
        let keepers = &self.keepers;
        let silent = |address: &A| {
            let keeper = keepers.iter().find(|keeper| keeper.address == *address);
            keeper.is_none_or(|keeper| keeper.is_silent(now))
        };
        let mut done = vec![];
        self.puts.retain(|put| {
            let whole = put.missing.iter().all(silent);
            if whole {
                done.push((put.client, put.answer));
            }
            !whole && put.until > now
        });
        for (client, token) in done {
            self.send(client, Transfer::Done { token });
        }
    }

    fn keeper(&mut self, address: A) -> Option<&mut Keeper<A>> {
        self.keepers.iter_mut().find(|keeper| keeper.address == address)
    }

    pub(crate) fn after(&self, span: Duration) -> Duration {
        self.now.saturating_add(span)
    }

    fn send_all(&mut self, to: A, range: KeyRange<Id160>) {
        let copies = self.store.entries(range);
        let copies =
            copies.map(|(key, entry)| Transfer::Copy { token: 0, key, entry: entry.clone() });
        self.outbox.extend(copies.map(|copy| (to, copy)));
    }

    pub(crate) fn send(&mut self, to: A, transfer: Transfer) {
        if to == self.node.me().address {
            return self.handle_transfer(to, transfer);
        }
        self.outbox.push_back((to, transfer));
    }
}

impl<A> Keeper<A> {
    fn is_silent(&self, now: Duration) -> bool {
        self.asked.is_some_and(|at| now.saturating_sub(at) >= SILENCE)
    }
}
