//! Commands that send a message: searches, pings, answers, pushes.

use core::time::Duration;

use super::Servent;
use super::config::Config;
use super::connection::{ConnSlot, OWN};
use super::fan_out::{FanOut, FloodScope};
use super::query_words::Words;
use super::state::Core;
use super::storage::ServentStorage;
use super::types::{CommandError, Dispatch, Target, TargetKind};
use crate::id::{Guid, ServentId};
use crate::machine::{ConnId, NotConnected};
use crate::routes::{Key, Route};
use crate::wire::{
    ByeCode, HEADER_LEN, HitData, HitFlags, Message, Payload, Ping, Push, Query, QueryHit, Records,
};

impl<S: ServentStorage> Servent<S> {
    /// Searches: writes a query into `buf` and returns the connections to write it to. An ultrapeer
    /// with slots for queries sends it to its leaves this way, and asks other ultrapeers in turn.
    ///
    /// # Errors
    ///
    /// [`CommandError`]; nothing changed.
    pub fn search(
        &mut self,
        now: Duration,
        guid: Guid,
        query: &Query<'_>,
        buf: &mut [u8],
    ) -> Result<Dispatch, CommandError> {
        let ttl = self.state.config.max_ttl;
        self.ask(
            now,
            Key::Query(guid),
            Message { guid, ttl, hops: 0, payload: Payload::Query(*query) },
            buf,
        )
    }

    /// Asks only the leaves whose tables admit a match, as an ultrapeer does with a query that came to it by
    /// [datagram](crate::datagram): writes the query into `buf` and returns the connections to write it to.
    /// Hits arrive through [`handle_bytes`](Self::handle_bytes), as those of an own query.
    ///
    /// # Errors
    ///
    /// [`CommandError`]; nothing changed.
    pub fn ask_leaves(
        &mut self,
        now: Duration,
        guid: Guid,
        query: &Query<'_>,
        buf: &mut [u8],
    ) -> Result<Dispatch, CommandError> {
        let message = Message { guid, ttl: 1, hops: 1, payload: Payload::Query(*query) };
        let len = self.begin(now, Key::Query(guid), message, buf)?;
        let words = Words::of(query);
        let fan_out = FanOut {
            from: None,
            header: message.header(),
            words: Some(&words),
            scope: FloodScope::Leaves,
        };
        Ok(Dispatch { to: self.core().choose(&fan_out).0, len })
    }

    /// Explores: writes a ping into `buf` and returns the connections to write it to. The pongs
    /// arrive through [`handle_bytes`](Self::handle_bytes).
    ///
    /// # Errors
    ///
    /// [`CommandError`]; nothing changed.
    pub fn ping(
        &mut self,
        now: Duration,
        guid: Guid,
        buf: &mut [u8],
    ) -> Result<Dispatch, CommandError> {
        let ttl = self.state.config.max_ttl;
        let payload = Payload::Ping(Ping::default());
        self.ask(now, Key::Ping(guid), Message { guid, ttl, hops: 0, payload }, buf)
    }

    /// Answers the query `guid`: writes a hit into `buf` and returns the connection to write it to,
    /// which is the one that the query arrived on.
    ///
    /// # Errors
    ///
    /// [`CommandError::NoRoute`] if the query is forgotten or its connection closed,
    /// [`CommandError::NoRecords`] if `records` is empty, and others; nothing changed.
    pub fn answer(
        &mut self,
        now: Duration,
        guid: Guid,
        records: Records<'_>,
        data: HitData<'_>,
        buf: &mut [u8],
    ) -> Result<Dispatch, CommandError> {
        if records.is_empty() {
            return Err(CommandError::NoRecords); // 0.4, 2.2.4
        }
        let Config { address, speed, servent, .. } = self.state.config;
        let hit = Payload::QueryHit(QueryHit { address, speed, records, data, servent });
        self.reply(now, Key::Query(guid), guid, hit, buf)
    }

    /// Asks a servent that cannot be reached to connect and to upload the file `index`: writes a
    /// push into `buf` and returns the connection to write it to, which is the one that the hit of
    /// that servent arrived on.
    ///
    /// # Errors
    ///
    /// [`CommandError::NoRoute`] if no hit of that servent is remembered, and others; nothing
    /// changed.
    pub fn push(
        &mut self,
        now: Duration,
        guid: Guid,
        servent: ServentId,
        index: u32,
        buf: &mut [u8],
    ) -> Result<Dispatch, CommandError> {
        let address = self.state.config.address;
        let push = Payload::Push(Push { servent, index, address, extensions: &[] });
        self.reply(now, Key::Push(servent), guid, push, buf)
    }

    /// Stops pursuing an own query, because there are enough hits: no more ultrapeers are asked, and
    /// a leaf informs its ultrapeers.
    ///
    /// # Errors
    ///
    /// [`CommandError::UnknownQuery`] if it is not, or no longer, remembered; nothing changed.
    pub fn stop_search(&mut self, now: Duration, guid: Guid) -> Result<(), CommandError> {
        if !self.core().stop_search(guid) {
            return Err(CommandError::UnknownQuery(guid));
        }
        self.advance_clock(now);
        Ok(())
    }

    /// Closes a connection: a bye is sent, then [`Event::Closed`](super::Event::Closed) reports that
    /// the socket can be closed.
    ///
    /// # Errors
    ///
    /// [`NotConnected`]; nothing changed.
    pub fn dismiss(
        &mut self,
        now: Duration,
        conn: ConnId,
        code: ByeCode,
    ) -> Result<(), NotConnected> {
        let index = self.touched(now, conn)?;
        if let Some(conn) = self.core().conn(index) {
            conn.dismiss(code);
        }
        Ok(())
    }

    /// Returns the flags for hits of this servent; see [`HitFlags::to_data`].
    #[must_use]
    pub fn hit_flags(&self) -> HitFlags {
        let push = Some(self.state.config.firewalled);
        let busy = Some(self.state.busy);
        HitFlags { push, busy, ..HitFlags::default() }
    }

    /// Sends a request into the network whose answers are to return here.
    fn ask(
        &mut self,
        now: Duration,
        key: Key,
        message: Message<'_>,
        buf: &mut [u8],
    ) -> Result<Dispatch, CommandError> {
        let len = self.begin(now, key, message, buf)?;
        let payload = buf.get(HEADER_LEN..len).unwrap_or(&[]);
        Ok(Dispatch { to: self.core().spread_own(&message, payload), len })
    }

    /// Writes a request, and remembers that its answers are to return here.
    fn begin(
        &mut self,
        now: Duration,
        key: Key,
        message: Message<'_>,
        buf: &mut [u8],
    ) -> Result<usize, CommandError> {
        let at = self.state.now.max(now);
        if self.core().routes.find(at, key).is_some() {
            return Err(CommandError::GuidInUse(message.guid));
        }
        let len = self.encode(message, buf)?;
        let mut core = self.core();
        let route = Route { source: OWN, ttl: message.ttl, hops: 0 };
        if !core.routes.replace(at, key, route) {
            return Err(CommandError::NoRouteSlots);
        }
        core.state.now = at;
        Ok(len)
    }

    /// Sends a message back along the path that `key` arrived on.
    fn reply(
        &mut self,
        now: Duration,
        key: Key,
        guid: Guid,
        payload: Payload<'_>,
        buf: &mut [u8],
    ) -> Result<Dispatch, CommandError> {
        let at = self.state.now.max(now);
        let route = self.core().routes.find(at, key).ok_or(CommandError::NoRoute)?;
        let to = Target(TargetKind::One(route.source));
        if self.targets(to).next().is_none() {
            return Err(CommandError::NoRoute); // closed, or our own
        }
        let ttl = self.core().answer_ttl(route.hops);
        let len = self.encode(Message { guid, ttl, hops: 0, payload }, buf)?;
        self.state.now = at;
        Ok(Dispatch { to, len })
    }

    fn encode(&self, message: Message<'_>, buf: &mut [u8]) -> Result<usize, CommandError> {
        let limit = self.state.config.limits.of(message.payload.function());
        let len = message.payload.encoded_len();
        if len > usize::from(limit) {
            return Err(CommandError::TooLarge { len, limit });
        }
        Ok(message.encode(buf)?)
    }
}

impl Core<'_> {
    /// Chooses the connections for an own ping or query, and pursues a query if there is a slot.
    fn spread_own(&mut self, message: &Message<'_>, payload: &[u8]) -> Target {
        let mut scope = FloodScope::All;
        let mut words = None;
        if let Payload::Query(query) = &message.payload {
            words = Some(Words::of(query));
            if self.pursue(message.guid, OWN, payload, true) {
                scope = FloodScope::Leaves;
            } else {
                self.pursue(message.guid, OWN, payload, false); // or the hits are not counted
            }
        }
        let header = message.header();
        let fan_out = FanOut { from: None, header, words: words.as_ref(), scope };
        self.choose(&fan_out).0
    }

    pub(super) fn dismiss_all(&mut self, code: ByeCode) {
        self.conns.iter_mut().filter_map(ConnSlot::live_mut).for_each(|conn| conn.dismiss(code));
        self.touch_all();
    }
}
