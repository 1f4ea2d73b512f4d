//! A question or an answer that is passed on for others; smaller than a [`Message`], whose longest kind is a
//! state.

use crate::id::Identifier;
use crate::list::List;
use crate::message::Message;
use crate::message::WAY_BACK;
use crate::peer::Peer;
use crate::wire::Address;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Relay<I, A> {
    pub(crate) to: A,
    pub(crate) token: u32,
    pub(crate) what: Relayed<I, A>,
    pub(crate) hops: u8,
    pub(crate) back: List<A, WAY_BACK>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Relayed<I, A> {
    Question { key: I, direct: bool },
    Answer { id: I, peer: Peer<I, A> },
}

impl<I: Identifier, A: Address> Relay<I, A> {
    /// Creates what goes back the way that the question came; `None` if that is no way at all: the answer
    /// is this node's own.
    pub(crate) fn send_back(
        token: u32,
        what: Relayed<I, A>,
        hops: u8,
        mut back: List<A, WAY_BACK>,
    ) -> Option<Self> {
        let last = back.len().checked_sub(1)?;
        let to = back.remove(last)?;
        Some(Self { to, token, what, hops, back })
    }

    pub(crate) fn message(&self) -> Message<I, A> {
        let token = self.token;
        let hops = self.hops;
        let back = self.back.clone();
        match self.what {
            Relayed::Question { key, direct } => Message::Route { token, key, hops, direct, back },
            Relayed::Answer { id, peer } => Message::Found { token, id, peer, hops, back },
        }
    }
}
