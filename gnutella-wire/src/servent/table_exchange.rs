//! The exchange of query-routing tables with neighbours.

use super::config::Role;
use super::connection::{ConnSlot, Connection};
use super::state::{Core, State};
use super::table_out::{Following, TableOut};
use super::tables::{CHUNK, INFINITY};
use crate::error::BufferTooSmall;
use crate::qrp::{PatchCursor, PatchEncoder, Progress, QrpError, ReceiverState, TableReceiver};
use crate::wire::{ByeCode, Compressor, Patch, Qrp};
use crate::writer::Writer;

/// The width of entries that all servents read.
const ENTRY_BITS: u8 = 4;

impl Core<'_> {
    /// Handles a message of a neighbour's table. What does not fit is answered with bye 413.
    pub(super) fn handle_table(&mut self, index: usize, qrp: &Qrp<'_>) {
        let role = self.state.config.role;
        let Some(conn) = self.conns.get_mut(index).and_then(ConnSlot::live_mut) else { return };
        let mut scratch = [0]; // without storage the messages are checked all the same
        let memory = self.tables.of_conn(index);
        let memory = if memory.is_empty() { &mut scratch[..] } else { memory };
        let done = receive(conn, memory, qrp);
        let changed = matches!(done, Ok(Progress::Complete)) || matches!(qrp, Qrp::Reset(_));
        if done.is_err() {
            conn.dismiss(ByeCode::QRP);
        }
        if changed && conn.is_leaf() && role == Role::Ultrapeer {
            self.table_changed();
        }
    }

    /// Handles entries of a compressed patch that the application has inflated.
    pub(super) fn handle_patch_entries(&mut self, index: usize, entries: &[u8]) {
        self.continue_patch(index, Some(entries));
    }

    /// Handles the end of the entries of a message.
    pub(super) fn handle_patch_end(&mut self, index: usize) {
        let complete = self.continue_patch(index, None);
        if complete && self.state.config.role == Role::Ultrapeer {
            self.table_changed();
        }
    }

    /// Handles the data of a patch message that was begun.
    #[cfg(feature = "deflate")]
    pub(super) fn handle_compressed_patch<W: AsMut<[u8]> + ?Sized>(
        &mut self,
        index: usize,
        patch: &Patch<'_>,
        inflater: &mut crate::deflate::Inflater<W>,
    ) {
        if !is_compressed(patch) {
            return; // was handled already
        }
        if patch.seq_no == 1 {
            inflater.restart();
        }
        let mut rest = patch.data;
        while let Some(conn) = self.conns.get_mut(index).and_then(ConnSlot::live_mut) {
            let Ok(piece) = inflater.inflate(rest) else { return conn.dismiss(ByeCode::QRP) };
            if piece.bytes.is_empty() {
                return self.handle_patch_end(index);
            }
            self.handle_patch_entries(index, piece.bytes);
            rest = rest.get(piece.consumed..).unwrap_or_default();
        }
    }

    /// Continues a message by its next entries, or ends it. Returns whether the table is now
    /// complete.
    fn continue_patch(&mut self, index: usize, entries: Option<&[u8]>) -> bool {
        let Some(conn) = self.conns.get_mut(index).and_then(ConnSlot::live_mut) else {
            return false;
        };
        let mut scratch = [0];
        let memory = self.tables.of_conn(index);
        let memory = if memory.is_empty() { &mut scratch[..] } else { memory };
        let mut receiver = TableReceiver::resume(conn.table_in, memory);
        let done = match entries {
            Some(entries) => receiver.handle_patch_entries(entries).map(|()| Progress::Partial),
            None => receiver.end_patch(),
        };
        conn.table_in = receiver.state();
        match done {
            Ok(_) | Err(QrpError::NotBegun) => {} // the latter is the caller's fault
            Err(_) => conn.dismiss(ByeCode::QRP),
        }
        done == Ok(Progress::Complete)
    }

    /// Keeps the table that neighbours have, before the own words change it.
    pub(super) fn words_change(&mut self) {
        let is_sent = self.state.table_offered == self.state.table_version;
        if self.state.config.role == Role::Leaf && is_sent {
            self.outgoing_changes();
        }
        self.table_changed();
    }

    /// Lets others know soon.
    pub(super) fn table_changed(&mut self) {
        self.state.table_version = self.state.table_version.wrapping_add(1).max(1);
        if self.state.tables_due.is_none() && !self.tables.is_empty() {
            let wait = self.state.config.table_interval.max(core::time::Duration::from_millis(1));
            self.state.tables_due = self.state.now.checked_add(wait);
        }
    }

    /// Begins to send the table to all that read it and do not have it.
    pub(super) fn send_tables(&mut self) {
        self.state.tables_due = None;
        let role = self.state.config.role;
        if self.tables.is_empty() {
            return;
        }
        self.renew_outgoing();
        let version = self.state.table_version;
        let kept = self.state.table_kept;
        let only_gained = self.tables.only_gained(role);
        let conns = self.conns.iter_mut().filter_map(ConnSlot::live_mut);
        for conn in conns.filter(|conn| conn.neighbour.reads_tables_of(role)) {
            if conn.table_version != version {
                let has_kept = conn.table_version != 0 && conn.table_version == kept;
                let is_update = has_kept && only_gained;
                conn.table_version = version;
                conn.table_out = Some(TableOut::begin(is_update, conn.neighbour.deflate));
            }
        }
        self.touch_all();
    }

    /// Begins to send the table to a new neighbour. What changed since others were sent it follows as
    /// a patch for all.
    pub(super) fn send_table(&mut self, index: usize) {
        let role = self.state.config.role;
        let Some(conn) = self.conns.get(index).and_then(ConnSlot::live) else { return };
        if self.tables.is_empty() || !conn.neighbour.reads_tables_of(role) {
            return;
        }
        if role == Role::Leaf || self.state.table_offered == 0 {
            self.renew_outgoing();
        }
        let version = self.state.table_offered;
        if let Some(conn) = self.conn(index) {
            conn.table_version = version;
            conn.table_out = Some(TableOut::begin(false, conn.neighbour.deflate));
        }
    }

    /// Brings the table that is sent up to date.
    fn renew_outgoing(&mut self) {
        let role = self.state.config.role;
        let version = self.state.table_version;
        if role != Role::Leaf && self.state.table_offered != version {
            self.outgoing_changes();
            self.tables.merge(self.conns, role);
        }
        self.state.table_offered = version;
    }

    /// Keeps the table that neighbours have, before it changes. One that is being sent has to be sent
    /// from its beginning, since its parts would not fit together.
    fn outgoing_changes(&mut self) {
        let State { config, table_offered, table_kept, .. } = &mut *self.state;
        for conn in self.conns.iter_mut().filter_map(ConnSlot::live_mut) {
            if conn.table_out.take().is_some() {
                conn.table_version = 0;
            }
        }
        if *table_offered != 0 && self.tables.keep_sent(config.role) {
            *table_kept = *table_offered;
        }
    }

    /// Writes the next message of the own table to a neighbour, and returns which follows.
    #[cfg_attr(target_os = "none", inline(never))] // smaller on a device than within its caller
    pub(super) fn table_message(
        &self,
        index: usize,
        at: TableOut,
        out: &mut [u8],
    ) -> Result<(usize, Option<Following>), BufferTooSmall> {
        let old = if at.is_update { self.tables.sent() } else { None };
        let Some(new) = self.tables.outgoing(self.state.config.role) else {
            return Ok((0, None));
        };
        let Ok(patch) = PatchEncoder::new(&new, old.as_ref(), INFINITY, CHUNK) else {
            return Ok((0, None)); // never: the table is small enough
        };
        let mut next = at;
        next.number = at.number.saturating_add(1);
        let following = |next, cursor| Following { to: self.source(index), next, cursor };
        if at.number == 0 {
            let len = patch.reset().encode(out)?;
            return Ok((len, Some(following(next, PatchCursor::START))));
        }
        if !at.is_compressed {
            let len = patch.encode(at.number, out)?;
            let more = at.number < patch.message_count();
            return Ok((len, more.then(|| following(next, PatchCursor::START))));
        }
        if at.number == 1 {
            next.count = PatchCursor::message_count(&patch, CHUNK);
        }
        let mut cursor = self.cursor(index, at.number, &patch);
        let head = Patch {
            seq_no: at.number,
            seq_size: next.count,
            compressor: Compressor::ZLIB,
            entry_bits: ENTRY_BITS,
            data: &[],
        };
        let len = Writer::fill(out, |w| {
            Qrp::Patch(head).write(w);
            cursor = cursor.write(&patch, CHUNK, w);
        })?;
        let more = at.number < next.count;
        Ok((len, more.then(|| following(next, cursor))))
    }

    /// Returns where a message of a compressed patch begins. Only the last place is remembered: where two
    /// tables are sent by turns, the earlier messages are written once more, to nowhere.
    fn cursor(&self, index: usize, number: u8, patch: &PatchEncoder<'_>) -> PatchCursor {
        let last = self.state.table_following.as_ref();
        let last = last.filter(|last| last.to == self.source(index) && last.next.number == number);
        if let Some(last) = last.filter(|_| number > 1) {
            return last.cursor;
        }
        let mut cursor = PatchCursor::START;
        for _ in 1..number {
            Writer::measure(|w| cursor = cursor.write(patch, CHUNK, w));
        }
        cursor
    }
}

fn receive(conn: &mut Connection, memory: &mut [u8], qrp: &Qrp<'_>) -> Result<Progress, QrpError> {
    if conn.table_in.is_begun() {
        // Nobody inflated the last message: this table cannot be known.
        conn.table_unread = true;
        conn.table_in = ReceiverState::NONE;
    }
    if matches!(qrp, Qrp::Reset(_)) {
        conn.table_unread = false;
    } else if conn.table_unread {
        return Ok(Progress::Partial);
    }
    let mut receiver = TableReceiver::resume(conn.table_in, memory);
    let done = match qrp {
        Qrp::Patch(patch) if is_compressed(patch) => {
            receiver.begin_patch(patch).map(|()| Progress::Partial)
        }
        other => receiver.handle(other),
    };
    conn.table_in = receiver.state();
    done
}

fn is_compressed(patch: &Patch<'_>) -> bool {
    patch.compressor != Compressor::NONE
}
