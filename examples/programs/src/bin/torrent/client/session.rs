//! A torrent among its peers until it has what it wants.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;

use bittorrent_pieces::bitfield::Bitfield;
use bittorrent_pieces::peer_book::Ending;
use bittorrent_pieces::{
    CloseReason, ConnId, Event, Metainfo, PieceCheck, PieceIndex, Torrent, TorrentVec,
};
use examples::buffer::Buffer;
use examples::interrupt;

use super::args::Share;
use super::fetch::Kept;
use super::finder::Finder;
use super::json::Json;
use super::net::{NetEvent, side};
use super::parts::Parts;
use super::relays::Relays;
use super::report::{Progress, Report};
use super::shared::Shared;
use super::storage::{SLICE, Storage};
use super::summary::{End, summary};
use super::web::Web;

/// How long a seed that gave enough waits for its last blocks to be sent, and then for peers to read them.
const DELIVERY: Duration = Duration::from_secs(10);
const FAREWELL: Duration = Duration::from_secs(1);

/// A torrent and what it needs for itself.
pub struct Session<'a> {
    pub args: &'a Share,
    /// Its place on the command line.
    pub number: usize,
    pub conns: BTreeSet<ConnId>,
    pub torrent: Torrent<TorrentVec>,
    pub storage: Storage,
    pub parts: Parts<'a>,
    /// The pieces of the selected files; `None` if that is all.
    pub wanted: Option<Bitfield<Vec<u8>>>,
    pub finder: Finder,
    pub report: Report,
    pub checks: VecDeque<PieceCheck>,
    /// The checks of pieces that are not complete, as far as their blocks came in order.
    pub ahead: BTreeMap<PieceIndex, PieceCheck>,
    /// Messages that are sent together, and what is read for a check.
    pub buffer: Buffer,
    pub sent: u64,
    pub received: u64,
    /// The number of pieces when it was last looked whether all that are wanted are there.
    pub checked_at: Option<u32>,
    /// When bytes of the content last arrived.
    pub progressed: Duration,
    /// Since when everything that is wanted is there.
    pub complete_since: Option<Duration>,
    /// Since when the ratio that the user wants is reached.
    pub enough_since: Option<Duration>,
    pub metainfo: &'a Metainfo<'a>,
    /// While pieces are missing.
    pub web_seeds: Vec<Web>,
    pub relays: Relays,
}

impl Session<'_> {
    /// Goes on with the connections over which the info dictionary came.
    pub fn take_over(&mut self, shared: &mut Shared, kept: Vec<Kept>) -> io::Result<()> {
        for Kept { conn: id, side, upgraded, bytes } in kept {
            let now = shared.net.now();
            let Some(link) = shared.net.link(id) else { continue };
            let mut received = Buffer::new();
            received.extend_from_slice(&bytes);
            received.extend_from_slice(&link.received);
            link.received = received;
            let addr = link.addr;
            if self.torrent.take_over(now, id, side, upgraded).is_ok() {
                self.conns.insert(id);
                self.torrent.set_address(id, addr);
                self.read(shared, id)?;
            } else {
                self.finder.closed(now, id, Ending::NotNeeded);
                shared.net.close(id);
            }
        }
        Ok(())
    }

    /// Saves what is needed to continue. Returns the finder: when it is dropped, the trackers receive `stopped`, which may
    /// take seconds.
    pub fn end(mut self, end: Option<End>) -> Finder {
        self.parts.set_peers(self.finder.encode());
        self.parts.set_have(self.torrent.have(), self.storage.stamps());
        self.parts.save();
        let state = self.state();
        self.finder.progress(self.left(), self.sent, self.received);
        if let Some(end) = end {
            summary(&self.report, &state, end);
        }
        self.finder
    }

    /// What is due before the next wait: closes and dials. Returns why the session is at its end, if it is.
    pub fn begin_turn(&mut self, shared: &mut Shared) -> Option<End> {
        if interrupt::interrupted() {
            return Some(End::Signal);
        }
        if self.complete_since.is_some() && self.gave_enough(shared) {
            return Some(End::Complete);
        }
        let idle = shared.net.now().saturating_sub(self.progressed);
        if self.complete_since.is_none() && self.args.timeout.is_some_and(|most| idle >= most) {
            self.report.gave_up(idle);
            return Some(End::GaveUp);
        }
        for conn in self.finder.turn(&mut shared.net) {
            self.torrent.handle_closed(shared.net.now(), conn);
            self.close(shared, conn);
        }
        None
    }

    /// What is due after the wait: timers, checks of pieces, and whatever there is to send.
    pub fn end_turn(&mut self, shared: &mut Shared) -> io::Result<()> {
        let now = shared.net.now();
        if self.torrent.poll_timeout().is_some_and(|at| at <= now) {
            self.torrent.handle_timeout(now);
        }
        self.hash(shared)?;
        self.flush(shared)?;
        self.turn_web_seeds(shared)?;
        if self.report.is_due(now) {
            self.finder.progress(self.left(), self.sent, self.received);
            let state = self.state();
            self.report.progress(now, &state, false);
        }
        self.parts.save_if_due();
        self.note_completion(shared)
    }

    fn close(&mut self, shared: &mut Shared, conn: ConnId) {
        self.conns.remove(&conn);
        shared.net.close(conn);
    }

    /// Returns how long nothing happens unless a peer sends something: at most a second.
    pub fn wait(&mut self, shared: &mut Shared) -> Duration {
        if !self.checks.is_empty() {
            return Duration::ZERO;
        }
        let now = shared.net.now();
        let deadlines = [self.torrent.poll_timeout(), self.finder.poll_timeout()];
        let web = self.web_seeds.iter().map(|web| web.machine.poll_timeout());
        let due = deadlines.into_iter().chain(web).flatten().map(|at| at.saturating_sub(now));
        let limits = [shared.down.wait(), shared.up.wait()].into_iter().flatten();
        due.chain(limits).chain([Duration::from_secs(1)]).min().unwrap_or_default()
    }

    /// Returns whether everything that is wanted is there.
    fn has_all_wanted(&mut self) -> bool {
        let Some(wanted) = &self.wanted else { return self.torrent.is_complete() };
        let count = Some(self.torrent.have_count());
        if count == self.checked_at {
            return false; // no piece came since the last look
        }
        self.checked_at = count;
        wanted.ones().all(|piece| self.torrent.have().has(piece))
    }

    /// Finishes the files once everything that is wanted is there.
    pub fn note_completion(&mut self, shared: &Shared) -> io::Result<()> {
        if self.complete_since.is_some() || !self.has_all_wanted() {
            return Ok(());
        }
        let now = shared.net.now();
        self.complete_since = Some(now);
        for web in core::mem::take(&mut self.web_seeds) {
            self.torrent.handle_closed(now, web.conn);
        }
        if self.args.seeds {
            return Ok(());
        }
        self.storage.finish()?;
        self.parts.finish();
        let fetched = self.received > 0;
        if fetched {
            let state = self.state();
            self.report.progress(now, &state, true);
        }
        let selected = self.wanted.is_some();
        self.report.event("complete", vec![("selected_only", Json::Switch(selected))], || {
            let what = if selected { "every selected piece" } else { "every piece" };
            format!("complete: {what} is here and checked")
        });
        if self.torrent.is_complete() && fetched {
            self.finder.complete(now);
        }
        Ok(())
    }

    /// Returns whether a complete torrent was given to others as the user wants.
    fn gave_enough(&mut self, shared: &mut Shared) -> bool {
        let now = shared.net.now();
        let time = now.saturating_sub(self.complete_since.unwrap_or_default());
        if !self.args.keep || self.args.seed_time.is_some_and(|most| time >= most) {
            return true;
        }
        if self.args.ratio.is_none_or(|ratio| self.ratio() < ratio) {
            return false;
        }
        // The last blocks are to arrive before the connections end.
        let since = now.saturating_sub(*self.enough_since.get_or_insert(now));
        let unsent = self.conns.iter().any(|id| shared.net.unsent(*id) > 0);
        since >= if unsent { DELIVERY } else { FAREWELL }
    }

    /// Returns how often the content was sent.
    fn ratio(&self) -> f64 {
        self.sent as f64 / self.torrent.geometry().total().max(1) as f64
    }

    pub fn handle(&mut self, shared: &mut Shared, event: NetEvent) -> io::Result<()> {
        let now = shared.net.now();
        match event {
            NetEvent::Opened { conn, addr, dialled } => {
                self.opened(shared, conn, addr, dialled.is_some());
            }
            NetEvent::Bytes(conn) => self.read(shared, conn)?,
            NetEvent::Closed(conn) => {
                self.conns.remove(&conn);
                self.torrent.handle_closed(now, conn);
                self.finder.closed(now, conn, Ending::Lost);
                self.relays.forget(conn);
            }
            NetEvent::DialFailed { addr, .. } => {
                self.finder.dial_failed(now, addr);
                if let Some(relay) = self.relays.take(addr) {
                    self.torrent.rendezvous(relay, addr);
                }
            }
            NetEvent::Found(found) => {
                self.report.found(&found.source, found.peers.len());
                self.finder.found(&shared.net, found);
            }
            NetEvent::Web(part) => self.web_arrived(part),
        }
        Ok(())
    }

    fn opened(&mut self, shared: &mut Shared, conn: ConnId, addr: SocketAddr, dialled: bool) {
        let now = shared.net.now();
        // The book did not ask for a dial that a relay asked for.
        let asked = dialled && !self.relays.end(addr);
        if self.finder.opened(now, conn, addr, asked).is_err() {
            shared.net.close(conn);
        } else if self.torrent.handle_connected(now, conn, side(dialled)).is_err() {
            self.finder.closed(now, conn, Ending::NotNeeded);
            shared.net.close(conn);
        } else {
            self.conns.insert(conn);
            self.torrent.set_address(conn, addr);
        }
    }

    pub fn react(&mut self, shared: &mut Shared, event: Event) -> io::Result<()> {
        let now = shared.net.now();
        match event {
            Event::Connected { conn, .. } => self.finder.handshake(now, conn),
            Event::Verify { piece } => {
                let check = self.torrent.check(piece).map_err(io::Error::other)?;
                let check = self.ahead.remove(&piece).unwrap_or(check);
                if check.next(SLICE).is_none() {
                    self.checked(shared, check)?;
                } else {
                    self.checks.push_back(check);
                }
            }
            Event::PieceFailed { piece } => self.piece_failed(piece),
            Event::Banned { conn } => self.parts.forget(conn),
            Event::Closed { conn, reason } => {
                if reason == CloseReason::Corrupt {
                    self.parts.forget(conn);
                }
                if let Some(link) = shared.net.link(conn) {
                    self.report.closed(link.addr, &reason);
                }
                self.finder.closed(now, conn, reason.into());
                self.close(shared, conn);
                self.end_web_seed(conn, &reason);
            }
            _ => {}
        }
        Ok(())
    }

    fn piece_failed(&self, piece: PieceIndex) {
        let fields = vec![("piece", Json::Number(piece.0.into()))];
        self.report
            .event("piece_failed", fields, || format!("piece {piece} is not as it should be"));
    }

    fn state(&self) -> Progress {
        let geometry = self.torrent.geometry();
        let len = |piece| u64::from(geometry.piece_len(piece));
        let have = self.torrent.have();
        let all = geometry.total();
        let (wanted, here) = match &self.wanted {
            None => (all, all - self.left()),
            Some(wanted) => (
                wanted.ones().map(len).sum(),
                wanted.ones().filter(|piece| have.has(*piece)).map(len).sum(),
            ),
        };
        Progress {
            pieces: geometry.pieces(),
            have: self.torrent.have_count(),
            wanted,
            here,
            peers: self.torrent.peers().filter(|peer| peer.peer_id.is_some()).count(),
            received: self.received,
            sent: self.sent,
            ratio: self.complete_since.map(|_| self.ratio()),
        }
    }

    /// Returns how many bytes of the torrent are missing.
    fn left(&self) -> u64 {
        left(&self.torrent)
    }
}

/// Returns how many bytes are missing.
pub fn left(torrent: &Torrent<TorrentVec>) -> u64 {
    let geometry = torrent.geometry();
    let have = torrent.have();
    let here = have.ones().map(|piece| u64::from(geometry.piece_len(piece))).sum::<u64>();
    geometry.total() - here
}
