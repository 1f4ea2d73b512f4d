//! The servent: a machine that keeps links alive, searches, routes, and leads answers back.

mod commands;
mod config;
mod dynamic;
mod election;
mod faults;
mod flow;
mod life;
mod link;
mod logic;
mod neighbour;
mod output;
mod pongs;
mod spread;
mod tables;
mod transmit;
mod vendor;
mod words;

use core::net::SocketAddrV4;
use core::time::Duration;

use crate::hosts::{Host, HostCache, HostSlot};
use crate::rng::Rng;
use crate::routes::{RouteSlot, RouteTable};
use crate::{BufferTooSmall, LinkId};

pub use config::{Config, Role, flood_bound, horizon};
pub use dynamic::QuerySlot;
pub use election::{Candidate, Election};
pub use link::LinkSlot;
pub use neighbour::Neighbour;
pub use output::{
    CommandError, ConnectError, Dispatch, Event, Forward, Handled, Reason, Stats, Target, Targets,
    Transmit, UnknownLink,
};

use link::Link;
use output::Aim;
use tables::Tables;

/// A servent on the network. `L` and `R` are its memory: any `[LinkSlot]`, one per connection, and
/// any `[RouteSlot]`, one per message remembered. `C` is what makes a servent of 0.6 economical and
/// may be left out: see [`Caches`].
///
/// The caller keeps one receive buffer per link, gives its bytes to
/// [`handle_bytes`](Self::handle_bytes) one message at a time, and writes what is to be forwarded
/// straight from there: the servent holds no queue, and no message but the queries that it pursues.
///
/// After any call: [`poll_transmit`](Self::poll_transmit) and [`poll_event`](Self::poll_event) until
/// both say `None`, then [`poll_timeout`](Self::poll_timeout). More polls do no harm.
#[derive(Debug, Clone)]
pub struct Servent<L, R, C = Caches<[HostSlot; 0], [QuerySlot; 0], [u8; 0]>> {
    state: State,
    routes: RouteTable<R>,
    links: L,
    caches: C,
}

/// Memory for what a servent may know beyond its links and routes. Each may be empty, and any
/// array, vector or borrowed slice serves.
///
/// | memory | with it | without |
/// |---|---|---|
/// | `hosts`: `[HostSlot]` | finds new neighbours, and answers pings with the hosts it knows | is told whom to connect to, and floods pings |
/// | `queries`: `[QuerySlot]` | an ultrapeer asks others in turn until there are hits enough; a leaf tells how many it has | queries are flooded |
/// | `tables`: `[u8]` | queries go only where they may match, and neighbours learn what is shared here | all queries go to all |
///
/// `tables` is all for the own words of a leaf. An ultrapeer divides it evenly into tables for its
/// own words, for all that is behind it, and for each link slot; of each it uses a power of two of
/// bytes, up to 16,384. Other servents expect 2,048 bytes or more, which are 2^14 slots.
#[derive(Debug, Clone)]
pub struct Caches<H, Q, T> {
    /// Hosts to connect to and to tell of.
    pub hosts: H,
    /// Queries that are being pursued, or whose hits are counted.
    pub queries: Q,
    /// Query-routing tables.
    pub tables: T,
}

#[derive(Debug, Clone)]
struct State {
    config: Config,
    now: Duration, // the newest seen
    rng: Rng,
    stats: Stats,
    flood: u32,                   // the number of the last flood
    explored: Option<Duration>,   // when peers were last asked for hosts
    tables_due: Option<Duration>, // when tables are to be sent
    hops_wanted: u8,              // neighbours are to send queries with fewer hops
    busy: bool,
    left: bool, // looks for no peers
}

/// A servent while it works, whatever its memory is.
struct Core<'m> {
    state: &'m mut State,
    routes: RouteTable<&'m mut [RouteSlot]>,
    links: &'m mut [LinkSlot],
    hosts: HostCache<&'m mut [HostSlot]>,
    queries: &'m mut [QuerySlot],
    tables: Tables<'m>,
}

impl<L, R> Servent<L, R> {
    /// Creates a servent without links that floods, as in 0.4.
    #[must_use]
    pub const fn new(config: Config, links: L, routes: R) -> Self {
        Self::with_caches(config, links, routes, Caches { hosts: [], queries: [], tables: [] })
    }
}

impl<L, R, H, Q, T> Servent<L, R, Caches<H, Q, T>> {
    /// The length of a buffer for any [`poll_transmit`](Self::poll_transmit), in bytes.
    pub const MAX_TRANSMIT_LEN: usize = transmit::MAX_TRANSMIT_LEN;

    /// Creates a servent without links.
    #[must_use]
    pub const fn with_caches(config: Config, links: L, routes: R, caches: Caches<H, Q, T>) -> Self {
        let routes = RouteTable::new(config.seed, config.lifetimes, routes);
        Self { state: State::new(config), routes, links, caches }
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

impl<L, R, H, Q, T> Servent<L, R, Caches<H, Q, T>>
where
    L: AsRef<[LinkSlot]> + AsMut<[LinkSlot]>,
    R: AsRef<[RouteSlot]> + AsMut<[RouteSlot]>,
    H: AsRef<[HostSlot]> + AsMut<[HostSlot]>,
    Q: AsRef<[QuerySlot]> + AsMut<[QuerySlot]>,
    T: AsMut<[u8]>,
{
    /// Takes in a link whose handshake is done. A [`Role`] or what [`Neighbour::of_head`] reads says
    /// what is at its other end.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] if the name is taken or there is no room; nothing changed.
    pub fn handle_connected(
        &mut self,
        now: Duration,
        link: LinkId,
        neighbour: impl Into<Neighbour>,
    ) -> Result<(), ConnectError> {
        let neighbour = neighbour.into();
        let slots = self.links.as_ref();
        if logic::find(slots, link).is_some() {
            return Err(ConnectError::Taken(link));
        }
        if !self.has_room(neighbour.role) {
            return Err(ConnectError::Full(link));
        }
        let free = slots.iter().position(|slot| slot.link.is_none());
        let index = free.ok_or(ConnectError::Full(link))?;
        self.state.now = self.state.now.max(now);
        self.core().connected(index, Link::new(link, neighbour));
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
        if let Some(index) = logic::find(self.links.as_ref(), link) {
            self.core().closed(index);
        }
    }

    /// Takes in that an attempt to connect, for which [`Event::Dial`] asked, came to nothing. The
    /// host is tried again later, and forgotten after some failures.
    pub fn handle_refused(&mut self, now: Duration, address: SocketAddrV4) {
        self.state.now = self.state.now.max(now);
        self.core().hosts.failed(address);
    }

    /// Takes in the address of a host: from `X-Try-Ultrapeers`, a web cache, a file of the last
    /// run. It goes into the cache of hosts.
    pub fn handle_hint(&mut self, now: Duration, address: SocketAddrV4) {
        self.state.now = self.state.now.max(now);
        let now = self.state.now;
        self.core().hosts.learn(now, address.into());
    }

    /// Takes in how many bytes wait in a link's send buffer; call it when that changed much. From
    /// half of [`Config::send_queue`] on the least important messages are not sent there and the
    /// neighbour is asked for fewer queries; beyond it the link ends with bye 502.
    ///
    /// # Errors
    ///
    /// [`UnknownLink`]; nothing changed.
    pub fn handle_backlog(
        &mut self,
        now: Duration,
        link: LinkId,
        bytes: u32,
    ) -> Result<(), UnknownLink> {
        let index = logic::find(self.links.as_ref(), link).ok_or(UnknownLink(link))?;
        self.state.now = self.state.now.max(now);
        let Core { state, links, .. } = self.core();
        if let Some(link) = links.get_mut(index).and_then(LinkSlot::live_mut) {
            link.set_backlog(bytes, &state.config);
        }
        Ok(())
    }

    /// Takes in table entries that the application has inflated: the data of a
    /// [`Patch`](crate::wire::Patch) that [`handle_bytes`](Self::handle_bytes) delivered compressed,
    /// in pieces of any length. Then call [`handle_patch_end`](Self::handle_patch_end). If the
    /// stream is damaged, [`dismiss`](Self::dismiss) the link with
    /// [`ByeCode::QRP`](crate::wire::ByeCode::QRP).
    ///
    /// Who inflates nothing calls none of the two: such a neighbour then gets all queries.
    ///
    /// # Errors
    ///
    /// [`UnknownLink`]; nothing changed.
    pub fn handle_entries(
        &mut self,
        now: Duration,
        link: LinkId,
        entries: &[u8],
    ) -> Result<(), UnknownLink> {
        let index = logic::find(self.links.as_ref(), link).ok_or(UnknownLink(link))?;
        self.state.now = self.state.now.max(now);
        self.core().handle_entries(index, entries);
        Ok(())
    }

    /// Takes in that all entries of a compressed patch message were given.
    ///
    /// # Errors
    ///
    /// [`UnknownLink`]; nothing changed.
    pub fn handle_patch_end(&mut self, now: Duration, link: LinkId) -> Result<(), UnknownLink> {
        let index = logic::find(self.links.as_ref(), link).ok_or(UnknownLink(link))?;
        self.state.now = self.state.now.max(now);
        self.core().handle_patch_end(index);
        Ok(())
    }

    /// Inflates the data of a compressed [`Patch`](crate::wire::Patch) that
    /// [`handle_bytes`](Self::handle_bytes) delivered, and takes in what comes out. Each link needs an
    /// inflater of its own. Damaged data end the link with bye 413.
    ///
    /// # Errors
    ///
    /// [`UnknownLink`]; nothing changed.
    #[cfg(feature = "deflate")]
    pub fn handle_inflating<W: AsMut<[u8]> + ?Sized>(
        &mut self,
        now: Duration,
        link: LinkId,
        patch: &crate::wire::Patch<'_>,
        inflater: &mut crate::deflate::Inflater<W>,
    ) -> Result<(), UnknownLink> {
        let index = logic::find(self.links.as_ref(), link).ok_or(UnknownLink(link))?;
        self.state.now = self.state.now.max(now);
        self.core().handle_inflating(index, patch, inflater);
        Ok(())
    }

    /// Lets time pass: pings silent neighbours and gives up lost ones, goes on with queries and
    /// tables, and looks for peers. Early, late and repeated calls are harmless.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.state.now = self.state.now.max(now);
        self.core().handle_timeout();
    }

    /// Writes the next message that the servent has to send by itself into `buf`: pongs, pings, byes,
    /// pieces of its table, advice on queries, and queries that are asked in turn. Poll until `None`
    /// after every `handle_*` and every command.
    ///
    /// Of several pings that came on one link before a poll only the last is answered.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] never occurs with [`MAX_TRANSMIT_LEN`](Self::MAX_TRANSMIT_LEN) bytes.
    pub fn poll_transmit(&mut self, buf: &mut [u8]) -> Result<Option<Transmit>, BufferTooSmall> {
        self.core().poll_transmit(buf)
    }

    /// Returns the next thing that the application has to do. Poll until `None` after
    /// [`poll_transmit`](Self::poll_transmit): a link is lost only when its bye is written.
    pub fn poll_event(&mut self) -> Option<Event> {
        let mut core = self.core();
        core.lost().or_else(|| core.dial())
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) is next due, on the caller's clock.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        let State { now, tables_due, config, .. } = &self.state;
        let hosts = HostCache::new(config.address, self.caches.hosts.as_ref());
        let seeks =
            !self.state.left && life::count_links(self.links.as_ref(), false) < config.dials;
        let dials = hosts.next_change(*now, config.dial_patience).filter(|_| seeks);
        let queries = Core::queries_wake(self.caches.queries.as_ref());
        let due = [life::poll_timeout(self.links.as_ref()), *tables_due, queries, dials];
        due.into_iter().flatten().min()
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
        life::count_links(links, leaf) < most && links.iter().any(|slot| slot.link.is_none())
    }

    /// Returns `true` if it wants more ultrapeers: what the header `X-Ultrapeer-Needed` says. A
    /// candidate that hears `False` goes on as a leaf.
    #[must_use]
    pub fn wants_ultrapeers(&self) -> bool {
        self.has_room(Role::Ultrapeer)
    }

    /// Walks over the hosts that it knows of: what to tell one that is refused, by
    /// `X-Try-Ultrapeers`, and what to keep for the next start.
    pub fn hosts(&self) -> impl Iterator<Item = Host> {
        let hosts: &[HostSlot] = self.caches.hosts.as_ref();
        hosts.iter().filter_map(HostSlot::host)
    }

    fn core(&mut self) -> Core<'_> {
        let Self { state, routes, links, caches: Caches { hosts, queries, tables } } = self;
        let links = links.as_mut();
        Core {
            hosts: HostCache::new(state.config.address, hosts.as_mut()),
            tables: Tables::new(tables.as_mut(), state.config.role, links.len()),
            queries: queries.as_mut(),
            routes: routes.as_slice(),
            links,
            state,
        }
    }
}

impl State {
    const fn new(config: Config) -> Self {
        Self {
            now: Duration::ZERO,
            rng: Rng::new(config.seed, config.servent),
            stats: Stats::NONE,
            flood: 0,
            explored: None,
            tables_due: None,
            hops_wanted: flow::ALL_HOPS,
            busy: false,
            left: false,
            config,
        }
    }
}
