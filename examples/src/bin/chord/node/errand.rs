//! The client's side of a member: what it wants done at the owner of a key, whoever that is by then.

use core::time::Duration;

use chord_core::{Address, Id160, LookupId};

use super::member::{Member, News, PATIENCE, SILENCE};
use super::parcel::Parcel;

/// How long an errand is tried.
const ERRAND: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum What {
    Put(Vec<u8>),
    Get,
    /// Back to the owner.
    Return,
}

/// Something to do at the owner of a key, whoever that is.
#[derive(Debug)]
pub(crate) struct Errand {
    pub(crate) what: What,
    pub(crate) key: Id160,
    pub(crate) token: u32,
    pub(crate) lookup: Option<LookupId>,
    pub(crate) retry_at: Duration,
    pub(crate) until: Duration,
}

impl<A: Address> Member<A> {
    pub(crate) fn begin(&mut self, now: Duration, key: Id160, what: What) {
        self.now = self.now.max(now);
        self.last_token = self.last_token.wrapping_add(1).max(1);
        self.errands.push(Errand {
            what,
            key,
            token: self.last_token,
            lookup: None,
            retry_at: self.now,
            until: self.after(ERRAND),
        });
        self.retry_errands();
        self.listen(now);
    }

    pub(crate) fn find_owner(&mut self, lookup: LookupId, owner: A) {
        let Some(errand) = self.errands.iter_mut().find(|errand| errand.lookup == Some(lookup))
        else {
            return;
        };
        errand.lookup = None;
        let (token, key) = (errand.token, errand.key);
        let parcel = match &errand.what {
            What::Put(value) => Parcel::Put { token, key, value: value.clone() },
            What::Get => Parcel::Get { token, key },
            What::Return => match self.shelf.find(key).cloned() {
                Some(entry) if owner != self.node.me().address => {
                    Parcel::Copy { token, key, entry }
                }
                _ => {
                    // It has come home.
                    self.errands.retain(|errand| errand.token != token);
                    return;
                }
            },
        };
        self.send(owner, parcel);
    }

    /// Looks for the owner anew where an errand has waited for too long.
    pub(crate) fn retry_errands(&mut self) {
        let now = self.now;
        let mut given_up = vec![];
        self.errands.retain(|errand| {
            if errand.until <= now && errand.what != What::Return {
                given_up.push(errand.key);
            }
            errand.until > now
        });
        self.news.extend(given_up.into_iter().map(|key| News::GaveUp { key }));
        for errand in self.errands.iter_mut().filter(|errand| errand.retry_at <= now) {
            errand.lookup = self.node.lookup(now, errand.key).ok();
            let wait = if errand.lookup.is_some() { SILENCE * 2 } else { PATIENCE };
            errand.retry_at = now.saturating_add(wait);
        }
    }

    pub(crate) fn end(&mut self, token: u32, news: impl FnOnce(&Self, Id160) -> News<A>) {
        if let Some(at) = self.errands.iter().position(|errand| errand.token == token) {
            let errand = self.errands.swap_remove(at);
            let news = news(self, errand.key);
            self.news.push_back(news);
        }
    }

    /// The owner has nothing to say yet, or is another one now.
    pub(crate) fn put_off(&mut self, token: u32) {
        let errand = self.errands.iter_mut().find(|errand| errand.token == token);
        if let Some(errand) = errand {
            (errand.retry_at, errand.lookup) = (self.now.saturating_add(PATIENCE), None);
        }
    }

    /// The owner has taken back what was nobody's here.
    pub(crate) fn come_home(&mut self, token: u32) {
        let home = |errand: &Errand| errand.token == token && errand.what == What::Return;
        if let Some(at) = self.errands.iter().position(home) {
            let errand = self.errands.swap_remove(at);
            self.shelf.drop(errand.key);
        }
    }
}
