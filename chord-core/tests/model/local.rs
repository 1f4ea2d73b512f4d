//! One node, packed into a number and unpacked into the machine of this crate.

use core::fmt;
use core::time::Duration;
use std::vec::Vec;

use super::Mutation;
use crate::config::Config;
use crate::contacts::ContactSlot;
use crate::fingers::FingerSlot;
use crate::id::Identifier;
use crate::lookup_slot::LookupSlot;
use crate::message::Message;
use crate::node::State;
use crate::node::{Node, NodeSlots};
use crate::peer::Peer;
use crate::time::Time;
use crate::wire::Wire;

/// An identifier modulo `N`, and its address as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Mod<const N: usize>(pub(super) u8);

type At<const N: usize> = Peer<Mod<N>, Mod<N>>;
type Slots<const N: usize> = NodeSlots<
    Vec<At<N>>,
    [FingerSlot<Mod<N>, Mod<N>>; 3],
    [LookupSlot<Mod<N>, Mod<N>>; 1],
    [ContactSlot<Mod<N>, Mod<N>>; 0],
>;
pub(super) type Machine<const N: usize> = Node<Mod<N>, Mod<N>, Slots<N>>;
pub(super) type Text<const N: usize> = Message<Mod<N>, Mod<N>>;

/// When everything happens: nothing that was put off to later is ever due by itself.
pub(super) const NOW: Duration = Duration::from_secs(1000);

/// All of a node that its future depends on. Threes of bits from the lowest one on: life, length of
/// the list, predecessor, saved, notified, flags, then the list.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Local(u64);

/// The packed fields, each in a byte.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields {
    pub(super) state: State,
    pub(super) predecessor: u8,
    pub(super) saved: Option<u8>,
    pub(super) notified: Option<u8>,
    pub(super) asks: bool,
    /// It asks who has notified it for a sign of life.
    pub(super) verifies: bool,
    /// It stabilizes as soon as it can.
    pub(super) due: bool,
    pub(super) len: u8,
    pub(super) list: [u8; 7],
}

impl Local {
    /// Not running.
    pub(super) const GONE: Self = Self(0);

    pub(super) fn pack(fields: Fields) -> Self {
        let life = match fields.state {
            State::Outside | State::Gone => return Self::GONE,
            State::Joining => 1,
            State::Idle => 2,
            State::Stabilizing => 3,
            State::Rectifying => 4,
        };
        let mut bits = 0u64;
        let option = |id: Option<u8>| id.map_or(7, u64::from);
        for item in fields.list.iter().rev() {
            bits = bits << 3 | u64::from(*item);
        }
        let flags =
            u64::from(fields.asks) | u64::from(fields.due) << 1 | u64::from(fields.verifies) << 2;
        for item in [
            flags,
            option(fields.notified),
            option(fields.saved),
            u64::from(fields.predecessor),
            u64::from(fields.len),
            life,
        ] {
            bits = bits << 3 | item;
        }
        Self(bits)
    }

    pub(super) fn fields(self) -> Fields {
        let item = |at: u32| (self.0 >> (3 * at) & 7) as u8;
        let option = |at| Some(item(at)).filter(|id| *id < 7);
        Fields {
            state: [
                State::Outside,
                State::Joining,
                State::Idle,
                State::Stabilizing,
                State::Rectifying,
            ][usize::from(item(0))],
            len: item(1),
            predecessor: item(2),
            saved: option(3),
            notified: option(4),
            asks: item(5) & 1 == 1,
            due: item(5) & 2 == 2,
            verifies: item(5) & 4 == 4,
            list: core::array::from_fn(|at| item(6 + at as u32)),
        }
    }

    /// Returns the same with all identifiers greater by `by`, modulo `n`.
    pub(super) fn rotated(self, by: u8, n: u8) -> Self {
        if !self.runs() {
            return self;
        }
        let turn = |id: u8| (id + by) % n;
        let mut fields = self.fields();
        let len = usize::from(fields.len);
        fields.predecessor = turn(fields.predecessor);
        fields.saved = fields.saved.map(turn);
        fields.notified = fields.notified.map(turn);
        fields.list[..len].iter_mut().for_each(|id| *id = turn(*id));
        Self::pack(fields)
    }

    pub(super) fn runs(self) -> bool {
        self != Self::GONE
    }

    pub(super) fn is_member(self) -> bool {
        self.0 & 7 > 1
    }

    /// Returns the peer that the node has asked.
    pub(super) fn asked(self) -> Option<u8> {
        let fields = self.fields();
        match fields.state {
            State::Idle => Some(fields.list[0]),
            State::Rectifying if !fields.verifies => Some(fields.predecessor),
            _ => fields.saved,
        }
        .filter(|_| fields.asks)
    }

    /// Returns who has notified the node, which has not looked at it yet.
    pub(super) fn notified(self) -> Option<u8> {
        self.fields().notified.filter(|_| self.runs())
    }

    pub(super) fn is_stabilizing(self) -> bool {
        self.fields().state == State::Stabilizing
    }

    /// Leaves out that an idle node has asked or is about to.
    pub(super) fn forget_question(&mut self) {
        let fields = self.fields();
        let asks = fields.asks && fields.state != State::Idle;
        *self = Self::pack(Fields { asks, due: false, ..fields });
    }

    /// Leaves of a member what others can read, and of all others nothing.
    pub(super) fn configuration(self) -> Self {
        if !self.is_member() {
            return Self::GONE;
        }
        Self::pack(Fields {
            state: State::Idle,
            saved: None,
            notified: None,
            asks: false,
            verifies: false,
            due: false,
            ..self.fields()
        })
    }

    /// Returns whether the node has asked for a sign of life only.
    pub(super) fn pings(self) -> bool {
        self.fields().state == State::Rectifying
    }
}

impl Fields {
    pub(super) fn successors(&self) -> &[u8] {
        &self.list[..usize::from(self.len)]
    }
}

impl fmt::Debug for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.runs() {
            return f.write_str("-");
        }
        let fields = self.fields();
        write!(f, "{:?} {} {:?}", fields.state, fields.predecessor, fields.successors())?;
        match (fields.saved, fields.notified, self.asked()) {
            (None, None, None) => Ok(()),
            (saved, notified, asked) => {
                write!(f, " saved {saved:?} notified {notified:?} asks {asked:?}")
            }
        }
    }
}

pub(super) fn peer<const N: usize>(id: u8) -> At<N> {
    Peer { id: Mod(id), address: Mod(id) }
}

pub(super) fn new<const N: usize>(id: u8, r: u8, mutation: Mutation) -> Machine<N> {
    let mut config = Config::DEFAULT;
    config.tries = 1;
    config.fix_fingers = Duration::MAX;
    let slots = NodeSlots {
        successors: std::vec![Peer::EMPTY; usize::from(r)],
        fingers: [FingerSlot::EMPTY; 3],
        lookups: [LookupSlot::EMPTY],
        contacts: [],
    };
    let mut node = Machine::new(config, peer(id), slots).expect("good numbers");
    node.core.advance_clock(NOW);
    node.core.mutation = mutation;
    node
}

/// Unpacks node `id`; returns it and the question it has asked, as sent.
pub(super) fn unpack<const N: usize>(
    id: u8,
    local: Local,
    r: u8,
    mutation: Mutation,
) -> (Machine<N>, Vec<u8>) {
    let mut node = new(id, r, mutation);
    let fields = local.fields();
    node.core.state = fields.state;
    node.core.predecessor = peer(fields.predecessor);
    node.core.saved = fields.saved.map(peer);
    node.core.notified = fields.notified.map(peer);
    node.core.stabilize_at = if fields.due { node.core.now } else { Time::NEVER };
    let list: Vec<_> = fields.successors().iter().map(|id| peer(*id)).collect();
    node.with(|node, _| node.table.successors.set_raw(&list));
    let mut question = std::vec![];
    node.core.verifying = fields.verifies;
    if fields.asks {
        node.with(|node, _| node.ask());
        question = sent(&mut node).expect("a question that is due").1;
    }
    (node, question)
}

/// Packs a node that has nothing to send any more.
pub(super) fn pack<const N: usize>(node: &Machine<N>) -> Local {
    let given_up = node.core.state == State::Joining && node.core.saved.is_none(); // it may try again any time
    let mut list = [0; 7];
    let successors = node.successors();
    for (item, peer) in list.iter_mut().zip(successors) {
        *item = peer.id.0;
    }
    Local::pack(Fields {
        state: if given_up { State::Outside } else { node.core.state },
        predecessor: node.core.predecessor.id.0,
        saved: node.core.saved.map(|peer| peer.id.0),
        notified: node.core.notified.map(|peer| peer.id.0),
        asks: node.core.question.is_some(),
        verifies: node.core.verifying,
        due: node.core.is_due(node.core.stabilize_at),
        len: successors.len() as u8,
        list,
    })
}

/// Returns the next datagram of a node.
pub(super) fn sent<const N: usize>(node: &mut Machine<N>) -> Option<(u8, Vec<u8>)> {
    let mut buf = [0; 256];
    let sent = node.poll_transmit(&mut buf).expect("room")?;
    Some((sent.to.0, buf[..sent.len].to_vec()))
}

impl<const N: usize> Wire for Mod<N> {
    const LEN: usize = 1;
    const ZERO: Self = Self(0);

    fn write(&self, out: &mut [u8]) {
        out[0] = self.0;
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        Some(Self(bytes[0])).filter(|id| usize::from(id.0) < N)
    }
}

impl<const N: usize> Identifier for Mod<N> {
    const BITS: u32 = 3;

    fn plus(self, other: Self) -> Self {
        Self((self.0 + other.0) % N as u8)
    }

    fn distance(self, to: Self) -> Self {
        Self((to.0 + N as u8 - self.0) % N as u8)
    }

    fn power_of_two(exponent: u32) -> Self {
        Self(((1u32 << exponent.min(7)) % N as u32) as u8)
    }

    fn log2(self) -> Option<u32> {
        self.0.checked_ilog2()
    }
}

impl<const N: usize> fmt::Display for Mod<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
