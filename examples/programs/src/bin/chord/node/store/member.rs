//! A node of the ring and its store, without sockets and clock: the same verbs as the node, so that the
//! program and the simulator drive the same code.
//!
//! The owner of a key numbers its versions and gives copies to all nodes of its successor list before it says
//! that a value is stored, and how many have it. Again and again it compares its range with each of them (`sync`), so a
//! newcomer gets what it owns, and copies are made up for. What nobody lays claim to any more goes back to its owner
//! before it is dropped.

use core::time::Duration;
use std::collections::VecDeque;

use chord_core::{
    BufferTooSmall, Config, Event, Full, Id160, KeyRange, LookupId, Node, NodeLimits, NodeVec,
    Peer, StartError,
};

use super::codec::Letter;
use super::cookies::Cookies;
use super::owner::{Finished, Put};
use super::pending::{Action, PendingCommand};
use super::report::{Counters, Report, encode_fingers};
use super::stream::Streams;
use super::sync::Keeper;
use super::table::{Limits, Origin, Store};
use super::transfer::{Change, Entry, FIRST, Transfer};

/// How long to wait for an answer of a store before asking again.
pub const PATIENCE: Duration = Duration::from_millis(250);
/// How long a silent node keeps others waiting.
pub const SILENCE: Duration = Duration::from_secs(1);
/// More messages than this do not wait to be sent; all are sent again if they get lost.
const MOST_WAITING: usize = 4096;
/// The fingers of a node; two datagrams hold its report.
const FINGERS: usize = 16;

#[derive(Debug)]
pub struct Member<A> {
    pub(super) node: Node<Id160, A, NodeVec<Id160, A>>,
    pub store: Store,
    pub counters: Counters,
    pub(super) now: Duration,
    pub(super) cookies: Cookies<A>,
    outbox: VecDeque<Waiting<A>>,
    pub(super) events: VecDeque<MemberEvent<A>>,
    pub(super) commands: Vec<PendingCommand<A>>,
    pub(super) puts: Vec<Put<A>>,
    pub(super) finished: VecDeque<Finished<A>>,
    pub(super) keepers: Vec<Keeper<A>>,
    pub(super) compare_at: Duration,
    /// When those that have not answered are asked again; earlier if something has changed.
    pub(super) retry_at: Duration,
    /// The range and its digest that were compared last.
    pub(super) compared: Option<(KeyRange<Id160>, u128)>,
    pub(super) streams: Streams<A>,
    /// Until then this node asks for no copies, since it had no room.
    pub(super) full_until: Duration,
    last_token: u32,
}

/// What the application learns.
#[derive(Debug, Clone, PartialEq)]
pub enum MemberEvent<A> {
    Chord(Event<Id160, A>),
    /// A command for a key has ended.
    Answered {
        key: Id160,
        answer: Answer,
    },
}

/// How a command for a key ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The change is stored, and `copies` nodes have it besides the owner.
    Stored {
        version: u64,
        copies: u8,
    },
    Found {
        entry: Entry,
        lifetime: u32,
        copies: u8,
    },
    Nothing,
    /// The owner has no room.
    Refused,
    /// No owner has answered in time.
    GaveUp,
}

/// A message that waits to be sent.
#[derive(Debug)]
struct Waiting<A> {
    to: A,
    transfer: Transfer,
    /// The cookie of a receiver that has yet to show its address.
    yours: Option<u32>,
}

impl<A: Origin> Member<A> {
    pub fn new(config: Config, r: usize, me: Peer<Id160, A>, limits: Limits) -> Self {
        let slots = NodeLimits { successors: r, fingers: FINGERS, lookups: 16, contacts: 8 };
        let secret = config.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Self {
            node: Node::new(config, me, NodeVec::new(slots)).expect("good numbers"),
            store: Store::new(limits),
            counters: Counters::default(),
            now: Duration::ZERO,
            cookies: Cookies::new(secret),
            outbox: VecDeque::new(),
            events: VecDeque::new(),
            commands: Vec::new(),
            puts: Vec::new(),
            finished: VecDeque::new(),
            keepers: Vec::new(),
            compare_at: Duration::ZERO,
            retry_at: Duration::ZERO,
            compared: None,
            streams: Streams::default(),
            full_until: Duration::ZERO,
            last_token: (secret >> 32) as u32,
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

    /// Remembers a well-known node for good.
    pub fn add_seed(&mut self, address: A) -> Result<(), Full> {
        self.node.add_seed(address)
    }

    pub fn leave(&mut self, now: Duration) {
        let now = self.now.max(now);
        self.node.leave(now);
        self.listen(now);
    }

    /// Changes what is under a key; [`MemberEvent::Answered`] follows.
    pub fn put(&mut self, now: Duration, key: Id160, change: Change) {
        self.begin(now, key, Action::Put(change));
    }

    /// Asks for what is under a key; [`MemberEvent::Answered`] follows.
    pub fn get(&mut self, now: Duration, key: Id160) {
        self.begin(now, key, Action::Get);
    }

    /// Keeps an entry of an earlier run; one without room is dropped. Returns whether it was kept.
    pub fn restore(&mut self, key: Id160, entry: Entry, lifetime: u32, origin: u64) -> bool {
        self.store.keep(key, entry, lifetime, origin, self.now).is_ok()
    }

    /// Handles a datagram. Anything but a Chord message or a transfer is dropped; the error says why.
    pub fn handle_datagram(&mut self, now: Duration, from: A, bytes: &[u8]) -> Result<(), String> {
        let now = self.now.max(now);
        let handled = if bytes.first() == Some(&FIRST) {
            Letter::decode(bytes).ok_or("not a message of this store".into()).map(|letter| {
                self.now = now;
                self.handle_letter(from, letter);
            })
        } else {
            let handled = self.node.handle_datagram(now, from, bytes);
            handled.map_err(|error| error.to_string())
        };
        handled?;
        self.counters.received += 1;
        self.listen(now);
        Ok(())
    }

    pub fn handle_timeout(&mut self, now: Duration) {
        let now = self.now.max(now);
        self.node.handle_timeout(now);
        self.listen(now);
        self.store.expire(self.now);
        if self.node.state().is_member() && self.compare_at <= self.now {
            self.compare();
        }
        self.send_streams();
        self.finish_puts();
        self.retry_commands();
        self.listen(now);
    }

    pub fn poll_timeout(&self) -> Option<Duration> {
        let compare = Some(self.compare_at).filter(|_| self.node.state().is_member());
        let commands = self.commands.iter().map(|command| command.retry_at);
        let puts = self.puts.iter().map(|put| put.until);
        let own = compare.into_iter().chain(commands).chain(puts).chain(self.store.next_expiry());
        let own = own.chain(self.streams.next_at());
        let own = own.min().filter(|at| *at != Duration::MAX);
        self.node.poll_timeout().into_iter().chain(own).min()
    }

    /// Writes the next datagram into `buf`, and returns its destination and its length.
    pub fn poll_transmit(&mut self, buf: &mut [u8]) -> Result<Option<(A, usize)>, BufferTooSmall> {
        if let Some(sent) = self.node.poll_transmit(buf)? {
            self.counters.sent += 1;
            return Ok(Some((sent.to, sent.len)));
        }
        let Some(Waiting { to, transfer, yours }) = self.outbox.front() else { return Ok(None) };
        let to = *to;
        let yours = yours.unwrap_or_else(|| self.cookies.from(to));
        let mine = self.cookies.of(to);
        let bytes = Letter { transfer: transfer.clone(), yours, mine }.encode();
        let room = buf.get_mut(..bytes.len());
        room.ok_or(BufferTooSmall { needed: bytes.len() })?.copy_from_slice(&bytes);
        self.outbox.pop_front();
        self.counters.sent += 1;
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

    /// Returns the state of the node.
    pub fn report(&self) -> Report<A> {
        let node = &self.node;
        Report {
            me: node.me(),
            member: node.state().is_member(),
            uptime: Duration::from_secs(self.now.as_secs()),
            predecessor: node.predecessor(),
            successors: node.successors().to_vec(),
            keys_after: node.keys().after,
            entries: self.store.len() as u64,
            bytes: self.store.bytes() as u64,
            counters: self.counters,
        }
    }

    /// Returns the fingers, the nearest first.
    pub fn fingers(&self) -> Vec<Peer<Id160, A>> {
        (&self.node.routing_table().fingers).into_iter().collect()
    }

    /// Handles the events of the node.
    pub(super) fn listen(&mut self, now: Duration) {
        self.now = self.now.max(now);
        while let Some(event) = self.node.poll_event() {
            match event {
                Event::LookupDone { lookup, owner, .. } => self.find_owner(lookup, owner.address),
                Event::TakeOver { .. } => self.unsettle(),
                Event::ListChanged => self.compare_soon(),
                Event::HandOver { range, to } => self.hand_over(to.address, range),
                _ => {}
            }
            self.events.push_back(MemberEvent::Chord(event));
        }
    }

    /// Handles a message if its sender has shown that it receives at its address.
    fn handle_letter(&mut self, from: A, letter: Letter) {
        let Letter { transfer, yours, mine } = letter;
        if yours != self.cookies.of(from) {
            self.counters.unproven += 1;
            if transfer.needs_proof() {
                let transfer = Transfer::Cookie { token: transfer.token() };
                self.push(Waiting { to: from, transfer, yours: Some(mine) });
            }
            return;
        }
        self.cookies.remember(from, mine);
        self.handle_transfer(from, transfer);
    }

    fn handle_transfer(&mut self, from: A, transfer: Transfer) {
        self.hear(from);
        self.store.expire(self.now);
        match transfer {
            Transfer::Put { token, key, change } => self.handle_put(from, token, key, change),
            Transfer::Get { token, key } => self.handle_get(from, token, key),
            Transfer::Copy { token, key, entry, lifetime } => {
                let kept = self.store.keep(key, entry, lifetime, from.origin(), self.now);
                let answer = match kept {
                    Ok(()) => Transfer::Kept { token },
                    Err(_) => self.note_refusal(token),
                };
                if token != 0 {
                    self.send(from, answer);
                }
            }
            Transfer::Kept { token } => self.handle_kept(from, token),
            Transfer::Compare { range, digest } => self.handle_compare(from, range, digest),
            Transfer::Check { range, digest } => self.handle_check(from, range, digest),
            Transfer::Same { range, digest } => self.handle_same(from, range, digest),
            Transfer::Differs { range } => self.handle_differs(from, range),
            Transfer::Done { token, version, copies } => {
                self.end(from, token, Answer::Stored { version, copies });
            }
            Transfer::Value { token, copies, entry, lifetime } => {
                self.end(from, token, Answer::Found { entry, lifetime, copies });
            }
            Transfer::Nothing { token } => self.end(from, token, Answer::Nothing),
            Transfer::Later { token } => self.postpone(token),
            Transfer::Refused { token } => self.handle_refused(from, token),
            Transfer::Cookie { token } => self.handle_cookie(from, token),
            Transfer::Status { token, part } => {
                let bytes = match part {
                    0 => self.report().encode(),
                    _ => encode_fingers(&self.fingers()),
                };
                self.send(from, Transfer::Report { token, part, bytes });
            }
            Transfer::Report { .. } => {} // a node asks for none
        }
    }

    pub(super) fn next_token(&mut self) -> u32 {
        self.last_token = self.last_token.wrapping_add(1).max(1);
        self.last_token
    }

    pub(super) fn after(&self, span: Duration) -> Duration {
        self.now.saturating_add(span)
    }

    pub(super) fn send(&mut self, to: A, transfer: Transfer) {
        if to == self.node.me().address {
            return self.handle_transfer(to, transfer);
        }
        self.push(Waiting { to, transfer, yours: None });
    }

    fn push(&mut self, waiting: Waiting<A>) {
        if self.outbox.len() < MOST_WAITING {
            self.outbox.push_back(waiting);
        }
    }
}
