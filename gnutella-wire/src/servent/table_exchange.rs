//! The exchange of query-routing tables with neighbours.

use super::config::Role;
use super::connection::{ConnSlot, Connection};
use super::state::Core;
use super::tables::{CHUNK, INFINITY};
use crate::error::BufferTooSmall;
use crate::qrp::{PatchEncoder, Progress, QrpError, ReceiverState, TableReceiver};
use crate::wire::{ByeCode, Compressor, Patch, Qrp};

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

    /// Lets others know soon.
    pub(super) fn table_changed(&mut self) {
        self.state.table_version = self.state.table_version.wrapping_add(1);
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
        if role != Role::Leaf {
            self.tables.merge(self.conns, role);
        }
        let version = self.state.table_version;
        let conns = self.conns.iter_mut().filter_map(ConnSlot::live_mut);
        for conn in conns.filter(|conn| conn.neighbour.reads_tables_of(role)) {
            if conn.table_version != version {
                conn.table_version = version;
                conn.table_out = Some(0);
            }
        }
    }

    /// Begins to send the table to a new neighbour.
    pub(super) fn send_table(&mut self, index: usize) {
        let role = self.state.config.role;
        let Some(conn) = self.conns.get_mut(index).and_then(ConnSlot::live_mut) else { return };
        if self.tables.is_empty() || !conn.neighbour.reads_tables_of(role) {
            return;
        }
        conn.table_version = self.state.table_version;
        conn.table_out = Some(0);
        if role != Role::Leaf {
            self.tables.merge(self.conns, role);
        }
    }

    /// Writes message `number` of the own table, and returns which is next.
    pub(super) fn table_message(
        &self,
        number: u8,
        out: &mut [u8],
    ) -> Result<(usize, Option<u8>), BufferTooSmall> {
        let Some(table) = self.tables.outgoing(self.state.config.role) else {
            return Ok((0, None));
        };
        let Ok(plan) = PatchEncoder::new(&table, None, INFINITY, CHUNK) else {
            return Ok((0, None)); // never: the table is small enough
        };
        let len = match number {
            0 => plan.reset().encode(out)?,
            _ => plan.encode(number, out)?,
        };
        let next = number.checked_add(1).filter(|next| *next <= plan.message_count());
        Ok((len, next))
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
