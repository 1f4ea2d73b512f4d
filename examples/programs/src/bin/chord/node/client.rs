//! A client of a ring: it asks for the owners of keys and for what they keep, and does not join it.
//!
//! Like a member it has no socket and no clock. It goes from node to node by FIND, so no node does anything for it
//! but answer.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::VecDeque;

use chord_core::{BufferTooSmall, Id160, KeyRange, List, Message, Peer};
use examples::cli;

use super::line::{Dropped, Speaker};
use super::store::{Answer, Change, Cookies, FIRST, Letter, PATIENCE, Transfer};

/// How often a node is asked before its silence counts as its failure.
const TRIES: u8 = 3;
/// How long to wait for the owner: it may be waiting for silent keepers of copies itself.
const OWNER_PATIENCE: Duration = Duration::from_millis(700);
/// A way that is longer leads nowhere.
const MOST_HOPS: u8 = 64;
/// How many owners are remembered.
const MOST_OWNERS: usize = 256;

/// What the program learns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientEvent {
    Answered { key: Id160, answer: Answer },
    Report { part: u8, bytes: Vec<u8> },
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Question {
    /// To the owner of the key; `None` asks for what is there.
    Entry { key: Id160, change: Option<Change> },
    /// To the node at an address, or to any of the known ones.
    Status { part: u8, at: Option<SocketAddr> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Asks this node for the way.
    Find { at: SocketAddr, id: Option<Id160> },
    /// Asks this node itself.
    Ask { owner: SocketAddr, id: Option<Id160> },
    /// Begins anew at the deadline.
    Wait,
}

#[derive(Debug)]
struct Operation {
    question: Question,
    /// The same for all tries: the owner recognizes a change that arrives twice.
    token: u32,
    step: Step,
    tries: u8,
    hops: u8,
    avoid: List<Id160, 8>,
    retry_at: Duration,
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a few wait in a queue")]
enum Output {
    Chord(Message<Id160, SocketAddr>),
    Store(Transfer),
}

/// A client of a ring.
#[derive(Debug)]
pub struct Client {
    nodes: Vec<SocketAddr>,
    /// Which of the known nodes is asked next.
    next_node: usize,
    cookies: Cookies<SocketAddr>,
    operations: Vec<Operation>,
    owners: VecDeque<(KeyRange<Id160>, Peer<Id160, SocketAddr>)>,
    outbox: VecDeque<(SocketAddr, Output)>,
    events: VecDeque<ClientEvent>,
    now: Duration,
    last_token: u32,
    reached: bool,
}

impl Client {
    /// A client that knows some nodes, at least one. `seed` differs from start to start.
    pub fn new(nodes: Vec<SocketAddr>, seed: u64) -> Self {
        Self {
            nodes,
            next_node: 0,
            cookies: Cookies::new(seed),
            operations: vec![],
            owners: VecDeque::new(),
            outbox: VecDeque::new(),
            events: VecDeque::new(),
            now: Duration::ZERO,
            last_token: (seed >> 32) as u32,
            reached: false,
        }
    }

    /// Asks the owner of a key for what is there, or to change it. [`ClientEvent::Answered`] follows, sooner or later:
    /// the time is the caller's to limit.
    pub fn request(&mut self, now: Duration, key: Id160, change: Option<Change>) {
        self.begin(now, Question::Entry { key, change });
    }

    /// Asks a known node for both parts of its report.
    pub fn ask_status(&mut self, now: Duration) {
        self.begin(now, Question::Status { part: 0, at: None });
    }

    /// Returns whether any node has answered.
    pub fn is_reached(&self) -> bool {
        self.reached
    }

    pub fn poll_event(&mut self) -> Option<ClientEvent> {
        self.events.pop_front()
    }

    fn begin(&mut self, now: Duration, question: Question) {
        self.now = self.now.max(now);
        self.last_token = self.last_token.wrapping_add(1).max(1);
        let mut operation = Operation {
            question,
            token: self.last_token,
            step: Step::Wait,
            tries: 0,
            hops: 0,
            avoid: List::new(),
            retry_at: self.now,
        };
        self.start(&mut operation);
        self.operations.push(operation);
    }

    /// Begins an operation, or begins it anew.
    fn start(&mut self, operation: &mut Operation) {
        operation.tries = 0;
        operation.hops = 0;
        let node = self.node();
        operation.step = match &operation.question {
            Question::Status { at, .. } => Step::Ask { owner: at.unwrap_or(node), id: None },
            Question::Entry { key, .. } => {
                let mut known = self.owners.iter();
                match known.find(|(range, _)| range.contains(*key)) {
                    Some((_, peer)) => Step::Ask { owner: peer.address, id: Some(peer.id) },
                    None => Step::Find { at: node, id: None },
                }
            }
        };
        self.send(operation);
    }

    /// Returns the known node that is asked first.
    fn node(&self) -> SocketAddr {
        self.nodes[self.next_node % self.nodes.len()]
    }

    /// Sends the message of the step.
    fn send(&mut self, operation: &mut Operation) {
        let token = operation.token;
        let (to, output, patience) = match (operation.step, &operation.question) {
            (Step::Wait, _) => return,
            (Step::Find { at, .. }, Question::Entry { key, .. }) => {
                let avoid = operation.avoid.clone();
                (at, Output::Chord(Message::Find { token, key: *key, avoid }), PATIENCE)
            }
            (Step::Find { at, .. }, Question::Status { part, .. }) => {
                (at, Output::Store(Transfer::Status { token, part: *part }), PATIENCE)
            }
            (Step::Ask { owner, .. }, question) => {
                let transfer = match question.clone() {
                    Question::Entry { key, change: Some(change) } => {
                        Transfer::Put { token, key, change }
                    }
                    Question::Entry { key, change: None } => Transfer::Get { token, key },
                    Question::Status { part, .. } => Transfer::Status { token, part },
                };
                (owner, Output::Store(transfer), OWNER_PATIENCE)
            }
        };
        operation.retry_at = self.now.saturating_add(patience);
        self.outbox.push_back((to, output));
    }

    /// Takes the operation that has sent `token` to `from`, if it waits for that.
    fn take(&mut self, from: SocketAddr, token: u32) -> Option<Operation> {
        let waits = |operation: &Operation| {
            let to = match operation.step {
                Step::Find { at, .. } => Some(at),
                Step::Ask { owner, .. } => Some(owner),
                Step::Wait => None,
            };
            operation.token == token && to == Some(from)
        };
        let at = self.operations.iter().position(waits)?;
        self.reached = true;
        Some(self.operations.swap_remove(at))
    }

    fn handle_message(
        &mut self,
        from: SocketAddr,
        message: Message<Id160, SocketAddr>,
    ) -> cli::Result<()> {
        let (token, answer) = match message {
            Message::Closer { token, id, peer } => (token, Some((id, peer, false))),
            Message::Owner { token, id, peer } => (token, Some((id, peer, true))),
            Message::Busy { token } | Message::Absent { token } => (token, None),
            other => return Err(format!("a client has no use for {other}")),
        };
        let mut operation = self.take(from, token).ok_or("an answer that nobody waits for")?;
        operation.tries = 0;
        match answer {
            _ if !matches!(operation.step, Step::Find { .. }) => self.send(&mut operation),
            None => self.go_elsewhere(&mut operation),
            Some((id, owner, true)) => {
                let range = KeyRange { after: id, through: owner.id };
                self.remember_owner(range, owner);
                operation.step = Step::Ask { owner: owner.address, id: Some(owner.id) };
                self.send(&mut operation);
            }
            Some((_, next, false)) => {
                operation.hops += 1;
                operation.step = Step::Find { at: next.address, id: Some(next.id) };
                if operation.hops < MOST_HOPS {
                    self.send(&mut operation);
                } else {
                    self.go_elsewhere(&mut operation);
                }
            }
        }
        self.operations.push(operation);
        Ok(())
    }

    fn handle_transfer(&mut self, from: SocketAddr, transfer: Transfer) -> cli::Result<()> {
        let token = transfer.token();
        let mut operation = self.take(from, token).ok_or("an answer that nobody waits for")?;
        let answer = match transfer {
            Transfer::Done { version, copies, .. } => Answer::Stored { version, copies },
            Transfer::Value { entry, lifetime, copies, .. } => {
                Answer::Found { entry, lifetime, copies }
            }
            Transfer::Nothing { .. } => Answer::Nothing,
            Transfer::Refused { .. } => Answer::Refused,
            Transfer::Report { part, bytes, .. } => {
                self.events.push_back(ClientEvent::Report { part, bytes });
                if part == 0 {
                    self.begin(self.now, Question::Status { part: 1, at: Some(from) });
                }
                return Ok(());
            }
            Transfer::Cookie { .. } => {
                self.send(&mut operation);
                self.operations.push(operation);
                return Ok(());
            }
            _ => {
                self.forget_owner(from);
                self.wait(&mut operation);
                self.operations.push(operation);
                return Ok(());
            }
        };
        if let Question::Entry { key, .. } = operation.question {
            self.events.push_back(ClientEvent::Answered { key, answer });
        }
        Ok(())
    }

    /// The node did not answer, or cannot help: asks another one for a way around it, after a moment.
    fn go_elsewhere(&mut self, operation: &mut Operation) {
        let (Step::Find { id, .. } | Step::Ask { id, .. }) = operation.step else { return };
        match operation.step {
            Step::Ask { owner, .. } => self.forget_owner(owner),
            // Several operations may find out at the same time that the node is silent.
            Step::Find { at, id: None } if at == self.node() => {
                self.next_node = self.next_node.wrapping_add(1);
            }
            _ => {}
        }
        if operation.avoid.is_full() {
            operation.avoid = List::new();
        }
        let _ = id.map(|id| operation.avoid.push(id)); // there is room
        operation.step = Step::Wait;
        operation.retry_at = self.now.saturating_add(PATIENCE);
    }

    /// The ring changes at this place: begins anew after a moment.
    fn wait(&self, operation: &mut Operation) {
        operation.avoid = List::new();
        operation.step = Step::Wait;
        operation.retry_at = self.now.saturating_add(PATIENCE);
    }

    fn remember_owner(&mut self, range: KeyRange<Id160>, owner: Peer<Id160, SocketAddr>) {
        self.owners.retain(|(_, known)| known.id != owner.id);
        if self.owners.len() == MOST_OWNERS {
            self.owners.pop_front();
        }
        self.owners.push_back((range, owner));
    }

    fn forget_owner(&mut self, address: SocketAddr) {
        self.owners.retain(|(_, owner)| owner.address != address);
    }
}

impl Speaker for Client {
    fn handle_datagram(
        &mut self,
        now: Duration,
        from: SocketAddr,
        bytes: &[u8],
    ) -> cli::Result<()> {
        self.now = self.now.max(now);
        if bytes.first() != Some(&FIRST) {
            let (message, _) = Message::decode(bytes).map_err(cli::sentence)?;
            return self.handle_message(from, message);
        }
        let letter = Letter::decode(bytes).ok_or("not a message of a store")?;
        if letter.yours != self.cookies.of(from) {
            return Err("an answer with a wrong cookie".into());
        }
        self.cookies.remember(from, letter.mine);
        self.handle_transfer(from, letter.transfer)
    }

    fn handle_timeout(&mut self, now: Duration) {
        self.now = self.now.max(now);
        for mut operation in core::mem::take(&mut self.operations) {
            if operation.retry_at <= self.now {
                operation.tries += 1;
                match operation.step {
                    Step::Wait => self.start(&mut operation),
                    _ if operation.tries < TRIES => self.send(&mut operation),
                    _ => self.go_elsewhere(&mut operation),
                }
            }
            self.operations.push(operation);
        }
    }

    fn poll_timeout(&self) -> Option<Duration> {
        self.operations.iter().map(|operation| operation.retry_at).min()
    }

    fn poll_transmit(
        &mut self,
        buf: &mut [u8],
    ) -> Result<Option<(SocketAddr, usize)>, BufferTooSmall> {
        let Some((to, output)) = self.outbox.front() else { return Ok(None) };
        let to = *to;
        let len = match output {
            Output::Chord(message) => message.encode(buf)?,
            Output::Store(transfer) => {
                let letter = Letter {
                    transfer: transfer.clone(),
                    yours: self.cookies.from(to),
                    mine: self.cookies.of(to),
                };
                let bytes = letter.encode();
                let room = buf.get_mut(..bytes.len());
                room.ok_or(BufferTooSmall { needed: bytes.len() })?.copy_from_slice(&bytes);
                bytes.len()
            }
        };
        self.outbox.pop_front();
        Ok(Some((to, len)))
    }

    /// A client keeps no counters.
    fn count(&mut self, _: Dropped) {}
}

#[cfg(test)]
mod tests;
