//! What a driver calls: bytes and time in, messages and events out.

use core::net::SocketAddrV4;
use core::time::Duration;

use super::Servent;
use super::connection::ConnSlot;
use super::event::Event;
use super::neighbour::Neighbour;
use super::state::Core;
use super::storage::ServentStorage;
use super::timers::Timer;
use super::types::Handled;
use crate::error::BufferTooSmall;
use crate::machine::{ConnId, ConnectError, NotConnected, Received, Transmit, earliest};

impl<S: ServentStorage> Servent<S> {
    /// Handles a new connection whose handshake is done. A [`Role`](super::Role) or what
    /// [`Neighbour::of_head`] reads describes its other end.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] if the name is in use or there is no slot; nothing changed.
    pub fn handle_connected(
        &mut self,
        now: Duration,
        conn: ConnId,
        neighbour: impl Into<Neighbour>,
    ) -> Result<(), ConnectError> {
        let neighbour = neighbour.into();
        if self.find(conn).is_ok() {
            return Err(ConnectError::InUse(conn));
        }
        if !self.state.has_room(neighbour.role) {
            return Err(ConnectError::Full { capacity: self.storage.parts_ref().conns.len() });
        }
        self.advance_clock(now);
        self.core().connected(conn, neighbour);
        Ok(())
    }

    /// Handles a new connection that this servent dialled at `address`, after [`Event::Dial`] or by
    /// itself. The address belongs to the connection whatever the handshake announced, so that it is
    /// not dialled again.
    ///
    /// # Errors
    ///
    /// As [`handle_connected`](Self::handle_connected).
    pub fn handle_dialled(
        &mut self,
        now: Duration,
        conn: ConnId,
        address: SocketAddrV4,
        neighbour: impl Into<Neighbour>,
    ) -> Result<(), ConnectError> {
        let mut neighbour = neighbour.into();
        neighbour.dialled = Some(address);
        self.handle_connected(now, conn, neighbour)
    }

    /// Handles exactly one message from the front of `bytes`, the connection's receive buffer.
    ///
    /// If nothing was [`consumed`](Received::consumed), wait for more bytes. Otherwise first write
    /// the [`forward`](Handled::forward) to its connections, then read the
    /// [`message`](Handled::message), then remove the consumed bytes and call again.
    ///
    /// A peer that breaks the rules is not an error: its message is dropped and counted. After too
    /// many of them the servent sends a bye and reports [`Event::Closed`].
    ///
    /// # Errors
    ///
    /// [`NotConnected`] if the connection is unknown: the caller's mistake; nothing changed.
    pub fn handle_bytes<'b>(
        &mut self,
        now: Duration,
        conn: ConnId,
        bytes: &'b [u8],
    ) -> Result<Received<Handled<'b>>, NotConnected> {
        let index = self.touched(now, conn)?;
        Ok(self.core().handle_bytes(index, bytes).unwrap_or(Received::WAIT))
    }

    /// Removes a closed connection with all routes through it. Unknown connections are ignored.
    pub fn handle_closed(&mut self, now: Duration, conn: ConnId) {
        self.advance_clock(now);
        if let Ok(index) = self.find(conn) {
            self.core().closed(index);
        }
    }

    /// Reports that the connection attempt requested by [`Event::Dial`] failed. The host is tried
    /// again later, and removed after six failures if there is one that did not fail.
    pub fn handle_dial_failed(&mut self, now: Duration, address: SocketAddrV4) {
        self.advance_clock(now);
        self.core().hosts.mark_failed(address);
    }

    /// Adds a host to the host cache: from `X-Try-Ultrapeers`, a web cache, or the last run.
    pub fn add_host(&mut self, now: Duration, address: SocketAddrV4) {
        self.advance_clock(now);
        let now = self.state.now;
        self.core().hosts.insert(now, address.into());
    }

    /// Reports the number of bytes in a connection's send buffer; call it when that changes much.
    /// From half of [`Config::send_queue`](super::Config::send_queue) on the least important
    /// messages are not sent there and the neighbour is asked for fewer queries. Beyond it the
    /// connection ends with bye 502.
    ///
    /// # Errors
    ///
    /// [`NotConnected`]; nothing changed.
    pub fn handle_backlog(
        &mut self,
        now: Duration,
        conn: ConnId,
        bytes: u32,
    ) -> Result<(), NotConnected> {
        let index = self.touched(now, conn)?;
        let Core { state, conns, .. } = self.core();
        if let Some(conn) = conns.get_mut(index).and_then(ConnSlot::live_mut) {
            conn.set_backlog(bytes, &state.config);
        }
        Ok(())
    }

    /// Handles table entries that the application has inflated: the data of a
    /// [`Patch`](crate::wire::Patch) that [`handle_bytes`](Self::handle_bytes) delivered compressed,
    /// in pieces of any length. Then call [`handle_patch_end`](Self::handle_patch_end). If the
    /// stream is damaged, [`dismiss`](Self::dismiss) the connection with
    /// [`ByeCode::QRP`](crate::wire::ByeCode::QRP).
    ///
    /// An application without an inflater calls neither: such a neighbour then gets all queries.
    ///
    /// # Errors
    ///
    /// [`NotConnected`]; nothing changed.
    pub fn handle_patch_entries(
        &mut self,
        now: Duration,
        conn: ConnId,
        entries: &[u8],
    ) -> Result<(), NotConnected> {
        let index = self.touched(now, conn)?;
        self.core().handle_patch_entries(index, entries);
        Ok(())
    }

    /// Reports that all entries of a compressed patch message were passed.
    ///
    /// # Errors
    ///
    /// [`NotConnected`]; nothing changed.
    pub fn handle_patch_end(&mut self, now: Duration, conn: ConnId) -> Result<(), NotConnected> {
        let index = self.touched(now, conn)?;
        self.core().handle_patch_end(index);
        Ok(())
    }

    /// Inflates the data of a compressed [`Patch`](crate::wire::Patch) that
    /// [`handle_bytes`](Self::handle_bytes) delivered, and handles its entries. Each connection
    /// needs its own inflater. Damaged data ends the connection with bye 413.
    ///
    /// # Errors
    ///
    /// [`NotConnected`]; nothing changed.
    #[cfg(feature = "deflate")]
    pub fn handle_compressed_patch<W: AsMut<[u8]> + ?Sized>(
        &mut self,
        now: Duration,
        conn: ConnId,
        patch: &crate::wire::Patch<'_>,
        inflater: &mut crate::deflate::Inflater<W>,
    ) -> Result<(), NotConnected> {
        let index = self.touched(now, conn)?;
        self.core().handle_compressed_patch(index, patch, inflater);
        Ok(())
    }

    /// Fires expired timers: pings silent neighbours and gives up lost ones, continues queries and
    /// tables, and looks for peers. Early, late and repeated calls are harmless.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.advance_clock(now);
        let mut core = self.core();
        for timer in Timer::ALL {
            core.fire(timer);
        }
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) is next due, on the caller's clock.
    ///
    /// It may be earlier than the next timer fires, since a neighbour that was heard from moves its own later.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        let parts = self.storage.parts_ref();
        earliest(&mut Timer::ALL.iter().filter_map(|timer| timer.deadline(&self.state, &parts)))
    }

    /// Writes the next message of the servent itself into `buf`: pongs, pings, byes, parts of its
    /// table, advice on queries, and queries that are asked in turn. Poll until `None` after every
    /// `handle_*` and every command.
    ///
    /// Of several pings that arrived on one connection before a poll only the last is answered.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`]; nothing changed. [`MAX_TRANSMIT_LEN`](Self::MAX_TRANSMIT_LEN) bytes are
    /// always enough.
    pub fn poll_transmit(&mut self, buf: &mut [u8]) -> Result<Option<Transmit>, BufferTooSmall> {
        self.core().poll_transmit(buf)
    }

    /// Returns the next event. A closed connection is reported once its bye is written, so poll
    /// again after [`poll_transmit`](Self::poll_transmit).
    pub fn poll_event(&mut self) -> Option<Event> {
        let mut core = self.core();
        core.poll_closed().or_else(|| core.poll_dial())
    }
}
