//! Whom a message that spreads is sent to.

use super::link::{Link, LinkSlot};
use super::logic::count;
use super::words::Words;
use super::{Aim, Core, Target};
use crate::Via;
use crate::wire::Header;

/// Which neighbours a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Audience {
    All,
    /// Leaves only.
    Leaves,
    /// All but leaves.
    Peers,
    Nobody,
}

/// A message that spreads.
pub(super) struct Spread<'w> {
    /// The connection that it came on, if it is none of the servent itself.
    pub(super) from: Option<Via>,
    /// As it is to be sent.
    pub(super) header: Header,
    /// What it asks for, if it is a query.
    pub(super) words: Option<&'w Words>,
    pub(super) audience: Audience,
}

impl Core<'_> {
    /// Marks the links that a message is to be sent to, and says how many they are. A query goes to
    /// a leaf, and on its last hop to an ultrapeer, only if its table says that it may match there
    /// (QRP 1.0, 1; GDF "Ultrapeer Query Routing").
    pub(super) fn choose(&mut self, spread: &Spread<'_>) -> (Target, u64) {
        self.state.flood = self.state.flood.wrapping_add(1);
        if self.state.flood == 0 {
            // The numbers begin again: no link may seem chosen by an older flood.
            self.state.flood = 1;
            let links = self.links.iter_mut().filter_map(|slot| slot.link.as_mut());
            links.for_each(|link| link.mark = 0);
        }
        let (role, flood) = (self.state.config.role, self.state.flood);
        let mut copies = 0;
        for (index, slot) in self.links.iter_mut().enumerate() {
            let came_from = Some(slot.via()) == spread.from;
            let Some(link) = slot.live_mut().filter(|link| !came_from && spread.is_for(link))
            else {
                continue;
            };
            let judged = link.is_leaf() || spread.header.ttl <= 1;
            let may_match = |words| self.tables.may_match(index, link, role, words);
            if judged && !spread.words.is_none_or(may_match) {
                count(&mut self.state.stats.filtered);
            } else if !link.admits(&spread.header, &self.state.config) {
                count(&mut self.state.stats.choked);
            } else {
                link.mark = flood;
                count(&mut copies);
            }
        }
        (Target(Aim::Flood { number: flood }), copies)
    }
}

impl Spread<'_> {
    fn is_for(&self, link: &Link) -> bool {
        match self.audience {
            Audience::All => true,
            Audience::Leaves => link.is_leaf(),
            Audience::Peers => !link.is_leaf(),
            Audience::Nobody => false,
        }
    }
}

impl LinkSlot {
    /// Says whether a flood, counted from 1, was to go there.
    pub(super) fn is_chosen(&self, number: u32) -> bool {
        self.link.as_ref().is_some_and(|link| link.mark == number)
    }
}
