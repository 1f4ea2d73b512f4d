//! The servent: a machine that keeps links alive, floods, and leads answers back.

mod config;
mod link;
mod logic;
mod output;

use core::time::Duration;

use crate::rng::Rng;
use crate::routes::{Key, Learnt, RouteSlot, RouteTable};
use crate::wire::{ByeCode, HitData, Message, Payload, Ping, Push, Query, QueryHit, Records};
use crate::{BufferTooSmall, Guid, LinkId, ServentId};

pub use config::{Config, Role, flood_bound};
pub use link::LinkSlot;
pub use output::{
    CommandError, ConnectError, Dispatch, Event, Forward, Handled, Reason, Stats, Target, Targets,
    Transmit, UnknownLink,
};

use link::Link;
use logic::{Core, OWN};
use output::Aim;

/// A servent on the network. `L` and `R` are its memory: any `[LinkSlot]`, one per connection, and
/// any `[RouteSlot]`, one per message remembered.
///
/// The caller keeps one receive buffer per link, gives its bytes to
/// [`handle_bytes`](Self::handle_bytes) one message at a time, and writes what is to be forwarded
/// straight from there: the servent holds no message and no queue.
///
/// After any call: [`poll_transmit`](Self::poll_transmit) and [`poll_event`](Self::poll_event) until
/// both say `None`, then [`poll_timeout`](Self::poll_timeout). More polls do no harm.
#[derive(Debug, Clone)]
pub struct Servent<L, R> {
    state: State,
    routes: RouteTable<R>,
    links: L,
}

#[derive(Debug, Clone)]
struct State {
    config: Config,
    now: Duration, // the newest seen
    rng: Rng,
    stats: Stats,
}

impl<L, R> Servent<L, R> {
    /// The length of a buffer for any [`poll_transmit`](Self::poll_transmit), in bytes.
    pub const MAX_TRANSMIT_LEN: usize = logic::MAX_TRANSMIT_LEN;

    /// Creates a servent without links.
    #[must_use]
    pub const fn new(config: Config, links: L, routes: R) -> Self {
        let routes = RouteTable::new(config.seed, config.lifetimes, routes);
        let rng = Rng::new(config.seed, config.servent);
        let stats = Stats::NONE;
        Self { state: State { config, now: Duration::ZERO, rng, stats }, routes, links }
    }

    /// Returns the configuration.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.state.config
    }

    /// Returns what happened so far.
    #[must_use]
    pub const fn stats(&self) -> Stats {
        self.state.stats
    }

    /// Sets what pongs say from now on: how many files and kilobytes are shared.
    pub fn set_shared(&mut self, files: u32, kilobytes: u32) {
        (self.state.config.files, self.state.config.kilobytes) = (files, kilobytes);
    }
}

impl<L, R> Servent<L, R>
where
    L: AsRef<[LinkSlot]> + AsMut<[LinkSlot]>,
    R: AsRef<[RouteSlot]> + AsMut<[RouteSlot]>,
{
    /// Takes in a link whose handshake is done, to a neighbour of the given role.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] if the name is taken or there is no room; nothing changed.
    pub fn handle_connected(
        &mut self,
        now: Duration,
        link: LinkId,
        neighbour: Role,
    ) -> Result<(), ConnectError> {
        let slots = self.links.as_ref();
        if logic::find(slots, link).is_some() {
            return Err(ConnectError::Taken(link));
        }
        if !self.has_room(neighbour) {
            return Err(ConnectError::Full(link));
        }
        let len = slots.len();
        let free = self.links.as_mut().iter_mut().enumerate().find(|(_, slot)| slot.link.is_none());
        let Some((index, slot)) = free else { return Err(ConnectError::Full(link)) };
        self.state.now = self.state.now.max(now);
        let mut fresh = Link::new(link, neighbour);
        fresh.heard(self.state.now, &self.state.config);
        slot.open(index, len, fresh);
        Ok(())
    }

    /// Takes in exactly one message from the front of `bytes`, the link's receive buffer.
    ///
    /// `None` asks for more bytes: call again when some have come. Otherwise first write the
    /// [`forward`](Handled::forward) to its links, then read the [`message`](Handled::message),
    /// then drop the [`consumed`](Handled::consumed) bytes and call again.
    ///
    /// A peer that breaks the rules is no error: its message is dropped and counted, and when it
    /// goes too far the servent says bye and tells by [`Event::Lost`].
    ///
    /// # Errors
    ///
    /// [`UnknownLink`] if no such link is connected: the caller's mistake; nothing changed.
    pub fn handle_bytes<'b>(
        &mut self,
        now: Duration,
        link: LinkId,
        bytes: &'b [u8],
    ) -> Result<Option<Handled<'b>>, UnknownLink> {
        let index = logic::find(self.links.as_ref(), link).ok_or(UnknownLink(link))?;
        self.state.now = self.state.now.max(now);
        Ok(self.core().handle_bytes(index, bytes))
    }

    /// Takes in that a link is closed, with all routes that lead there. Unknown links are ignored.
    pub fn handle_closed(&mut self, now: Duration, link: LinkId) {
        self.state.now = self.state.now.max(now);
        let index = logic::find(self.links.as_ref(), link);
        if let Some(slot) = index.and_then(|index| self.links.as_mut().get_mut(index)) {
            slot.link = None;
        }
    }

    /// Lets time pass: pings silent neighbours and gives up lost ones. Early, late and repeated
    /// calls are harmless.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.state.now = self.state.now.max(now);
        let links = self.links.as_mut().iter_mut();
        for link in links.filter_map(|slot| slot.link.as_mut()) {
            link.handle_timeout(self.state.now, &self.state.config);
        }
    }

    /// Searches: writes a query into `buf` and says which links it is to be written to.
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

    /// Ends a link: a bye is sent, then [`Event::Lost`] tells that it can be closed.
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

    /// Writes the next message that the servent has to send by itself into `buf`: a pong, a
    /// keep-alive ping or a bye. Poll until `None` after every `handle_*`.
    ///
    /// Of several pings that came on one link before a poll only the last is answered.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] never occurs with [`MAX_TRANSMIT_LEN`](Self::MAX_TRANSMIT_LEN) bytes.
    pub fn poll_transmit(&mut self, buf: &mut [u8]) -> Result<Option<Transmit>, BufferTooSmall> {
        self.core().poll_transmit(buf)
    }

    /// Returns the next thing that happened to a link. Poll until `None` after
    /// [`poll_transmit`](Self::poll_transmit): a link is lost only when its bye is written.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.links.as_mut().iter_mut().find_map(LinkSlot::take_event)
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) is next due, on the caller's clock.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        logic::poll_timeout(self.links.as_ref())
    }

    /// Walks over the links that `target` means. A link that was closed in the meantime is none.
    #[must_use]
    pub fn targets(&self, target: Target) -> Targets<'_> {
        Targets::new(self.links.as_ref(), target)
    }

    /// Returns `true` if one more neighbour of that role may connect: what to answer a handshake.
    #[must_use]
    pub fn has_room(&self, neighbour: Role) -> bool {
        let leaf = neighbour == Role::Leaf;
        let config = &self.state.config;
        let most = if leaf { config.max_leaves } else { config.max_peers };
        let links = self.links.as_ref();
        let same = links.iter().filter_map(|slot| slot.link.as_ref());
        let same = same.filter(|link| (link.role == Role::Leaf) == leaf).count();
        same < most && links.iter().any(|slot| slot.link.is_none())
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
        let len = self.encode(Message { guid, ttl, hops: 0, payload }, buf)?;
        if self.routes.learn(at, key, OWN, 0) == Learnt::NoRoom {
            return Err(CommandError::NoRoom);
        }
        self.state.now = at;
        Ok(Dispatch { to: Target(Aim::Flood { from: None }), len })
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

    fn core(&mut self) -> Core<'_> {
        let Self { state, routes, links } = self;
        Core { state, routes: routes.as_slice(), links: links.as_mut() }
    }
}
