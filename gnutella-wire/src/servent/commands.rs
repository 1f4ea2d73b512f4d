//! What an application asks of a servent.

use core::net::SocketAddrV4;
use core::time::Duration;

use super::link::{LinkSlot, OWN};
use super::output::Aim;
use super::spread::{Audience, Spread};
use super::words::Words;
use super::{
    Caches, CommandError, Config, Core, Dispatch, HostSlot, QuerySlot, Role, Servent, Target,
    UnknownLink, logic,
};
use crate::huge::Urn;
use crate::routes::{Key, Learnt, Route, RouteSlot};
use crate::wire::{
    ByeCode, HEADER_LEN, HitData, HitFlags, Message, Payload, Ping, Push, Query, QueryHit, Records,
};
use crate::{Guid, LinkId, ServentId};

impl<L, R, H, Q, T> Servent<L, R, Caches<H, Q, T>>
where
    L: AsRef<[LinkSlot]> + AsMut<[LinkSlot]>,
    R: AsRef<[RouteSlot]> + AsMut<[RouteSlot]>,
    H: AsRef<[HostSlot]> + AsMut<[HostSlot]>,
    Q: AsRef<[QuerySlot]> + AsMut<[QuerySlot]>,
    T: AsMut<[u8]>,
{
    /// Searches: writes a query into `buf` and says which links it is to be written to. An ultrapeer
    /// with memory for queries sends it to its leaves so, and asks other ultrapeers in turn.
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
        self.ask(now, Key::Query(guid), guid, Payload::Query(*query), buf)
    }

    /// Explores: writes a ping into `buf` and says which links it is to be written to. The pongs
    /// come by [`handle_bytes`](Self::handle_bytes).
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
        self.ask(now, Key::Ping(guid), guid, Payload::Ping(Ping::default()), buf)
    }

    /// Answers the query `guid`: writes a hit into `buf` and says which link it is to be written
    /// to, which is the one that the query came on.
    ///
    /// # Errors
    ///
    /// [`CommandError::NoRoute`] if the query is forgotten or its link closed,
    /// [`CommandError::NoRecords`] if nothing was found, and others; nothing changed.
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

    /// Asks a servent that cannot be reached to connect and to bring the file `index`: writes a
    /// push into `buf` and says which link it is to be written to, which is the one that the hit
    /// of that servent came on.
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

    /// Stops pursuing an own query, because there are hits enough: no more ultrapeers are asked, and
    /// a leaf tells its own so.
    ///
    /// # Errors
    ///
    /// [`CommandError::UnknownQuery`] if it is not, or no longer, remembered; nothing changed.
    pub fn stop(&mut self, now: Duration, guid: Guid) -> Result<(), CommandError> {
        if !self.core().stop(guid) {
            return Err(CommandError::UnknownQuery(guid));
        }
        self.state.now = self.state.now.max(now);
        Ok(())
    }

    /// Shares a file: makes its name findable by the query-routing table, which is sent to
    /// ultrapeers after a while. Without memory for tables there is nothing to do.
    pub fn share(&mut self, now: Duration, name: &str) {
        self.state.now = self.state.now.max(now);
        let mut core = self.core();
        core.tables.insert_name(name);
        core.table_changed();
    }

    /// Makes a file findable by its hash.
    pub fn share_urn(&mut self, now: Duration, urn: &Urn) {
        self.state.now = self.state.now.max(now);
        let mut core = self.core();
        core.tables.insert(urn.keyword_hash());
        core.table_changed();
    }

    /// Makes nothing findable any more; share again what remains.
    pub fn unshare(&mut self, now: Duration) {
        self.state.now = self.state.now.max(now);
        let mut core = self.core();
        core.tables.clear_own();
        core.table_changed();
    }

    /// Connects to a host: [`Event::Dial`](super::Event::Dial) names it, whether peers are wanted or
    /// not.
    ///
    /// # Errors
    ///
    /// [`CommandError::NotKept`] if that is no address of another host, or there is no memory for
    /// hosts; nothing changed.
    pub fn connect(&mut self, now: Duration, address: SocketAddrV4) -> Result<(), CommandError> {
        let at = self.state.now.max(now);
        if !self.core().hosts.request(at, address) {
            return Err(CommandError::NotKept(address));
        }
        (self.state.now, self.state.left) = (at, false);
        Ok(())
    }

    /// Leaves the network: says bye 200 to all neighbours, and looks for no others until
    /// [`connect`](Self::connect).
    pub fn leave(&mut self, now: Duration) {
        self.state.now = self.state.now.max(now);
        self.state.left = true;
        self.core().dismiss_all(ByeCode::SHUTDOWN);
    }

    /// Goes on in another role, with the numbers of its preset: says bye 203 to all neighbours, who
    /// knew it in the old one. What was shared has to be shared again.
    pub fn set_role(&mut self, now: Duration, role: Role) {
        self.state.now = self.state.now.max(now);
        let mut core = self.core();
        core.dismiss_all(ByeCode::CHANGING_MODE);
        core.tables.clear();
        core.state.tables_due = None;
        core.state.config.set_role(role);
    }

    /// Sets whether all upload slots are taken; [`hit_flags`](Self::hit_flags) then say "I have it,
    /// but I am busy".
    pub fn set_busy(&mut self, busy: bool) {
        self.state.busy = busy;
    }

    /// Sets whether the servent cannot be reached; [`hit_flags`](Self::hit_flags) then ask for a
    /// push.
    pub fn set_firewalled(&mut self, firewalled: bool) {
        self.state.config.firewalled = firewalled;
    }

    /// Asks neighbours that read vendor messages for queries with fewer than `hops` hops only
    /// (hops-flow): 0 stops all queries, 255 wants all.
    pub fn limit_queries(&mut self, now: Duration, hops: u8) {
        self.state.now = self.state.now.max(now);
        self.state.hops_wanted = hops;
    }

    /// Returns what hits say of this servent; see [`HitFlags::to_data`].
    #[must_use]
    pub fn hit_flags(&self) -> HitFlags {
        let (push, busy) = (Some(self.state.config.firewalled), Some(self.state.busy));
        HitFlags { push, busy, ..HitFlags::default() }
    }

    /// Ends a link: a bye is sent, then [`Event::Lost`](super::Event::Lost) tells that it can be closed.
    ///
    /// # Errors
    ///
    /// [`UnknownLink`]; nothing changed.
    pub fn dismiss(
        &mut self,
        now: Duration,
        link: LinkId,
        code: ByeCode,
    ) -> Result<(), UnknownLink> {
        let index = logic::find(self.links.as_ref(), link).ok_or(UnknownLink(link))?;
        self.state.now = self.state.now.max(now);
        let slot = self.links.as_mut().get_mut(index);
        if let Some(link) = slot.and_then(|slot| slot.link.as_mut()) {
            link.dismiss(code);
        }
        Ok(())
    }

    /// Sends a question into the network whose answers are to come back here.
    fn ask(
        &mut self,
        now: Duration,
        key: Key,
        guid: Guid,
        payload: Payload<'_>,
        buf: &mut [u8],
    ) -> Result<Dispatch, CommandError> {
        let at = self.state.now.max(now);
        if self.routes.find(at, key).is_some() {
            return Err(CommandError::GuidInUse(guid));
        }
        let ttl = self.state.config.max_ttl.max(1);
        let message = Message { guid, ttl, hops: 0, payload };
        let len = self.encode(message, buf)?;
        if self.routes.learn(at, key, Route { via: OWN, ttl, hops: 0 }) == Learnt::NoRoom {
            return Err(CommandError::NoRoom);
        }
        self.state.now = at;
        let mut core = self.core();
        let (mut audience, mut words) = (Audience::All, None);
        if let Payload::Query(query) = payload {
            words = Some(Words::of(&query));
            let bytes = buf.get(HEADER_LEN..len).unwrap_or(&[]);
            if core.pursue(guid, OWN, bytes, true) {
                audience = Audience::Leaves;
            } else {
                core.pursue(guid, OWN, bytes, false); // or the hits are not counted
            }
        }
        let header = message.header();
        let spread = Spread { from: None, header, words: words.as_ref(), audience };
        let (to, _) = core.choose(&spread);
        Ok(Dispatch { to, len })
    }

    /// Sends a message back along the way that `key` came.
    fn reply(
        &mut self,
        now: Duration,
        key: Key,
        guid: Guid,
        payload: Payload<'_>,
        buf: &mut [u8],
    ) -> Result<Dispatch, CommandError> {
        let at = self.state.now.max(now);
        let route = self.routes.find(at, key).ok_or(CommandError::NoRoute)?;
        let to = Target(Aim::One(route.via));
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
    fn dismiss_all(&mut self, code: ByeCode) {
        self.links.iter_mut().filter_map(LinkSlot::live_mut).for_each(|link| link.dismiss(code));
    }
}
