//! The query-routing tables of a servent: its own, those of its neighbours, and what it sends
//! of both.

use super::connection::{ConnSlot, Connection};
use super::query_words::Words;
use super::{Core, Role};
use crate::error::BufferTooSmall;
use crate::qrp::{
    KeywordHash, KeywordRules, PatchEncoder, Progress, QrpError, QueryTable, ReceiverState,
    TableReceiver,
};
use crate::wire::{ByeCode, Compressor, Patch, Qrp};
use crate::writer::copy;

/// The most bytes of a table that are used: 2^17 slots, which is what ultrapeers exchange.
const MOST_BYTES: usize = 1 << 14;
/// The distance that means "not here", as in most servents.
const INFINITY: u8 = 7;
/// The entry bytes of a PATCH, as gtk-gnutella sends them.
pub(super) const CHUNK: usize = 512;

const OWN: usize = 0;
const MERGED: usize = 1;
const FIRST_LINK: usize = 2;

/// The storage of tables, divided evenly: all of it for a leaf's own, else one for the own words,
/// one for these and those of all leaves, and one for each connection.
pub(super) struct Tables<'m> {
    memory: &'m mut [u8],
    len: usize, // of one, in bytes: a power of two, or 0
}

impl<'m> Tables<'m> {
    pub(super) fn new(memory: &'m mut [u8], role: Role, conns: usize) -> Self {
        let count = if role == Role::Leaf { 1 } else { conns.saturating_add(FIRST_LINK) };
        let share = memory.len().checked_div(count).unwrap_or(0).min(MOST_BYTES);
        let len = share.checked_ilog2().and_then(|bits| 1_usize.checked_shl(bits)).unwrap_or(0);
        Self { memory, len }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn clear(&mut self) {
        self.memory.fill(0);
    }

    pub(super) fn clear_own(&mut self) {
        self.bytes_mut(OWN).fill(0);
    }

    pub(super) fn insert(&mut self, word: KeywordHash) {
        let bits = self.bits();
        if let Ok(mut table) = QueryTable::resume(bits, self.bytes_mut(OWN)) {
            table.insert(word);
        }
    }

    /// Makes a name present by the words that either kind of servent would ask for.
    pub(super) fn insert_name(&mut self, name: &str) {
        let limewire = KeywordRules::LimeWire.table_words(name);
        for word in limewire.chain(KeywordRules::Gtkg.query_words(name)) {
            self.insert(KeywordHash::of(word));
        }
    }

    /// The table that is sent to others.
    fn told(&self, role: Role) -> Option<QueryTable<&[u8]>> {
        let which = if role == Role::Leaf { OWN } else { MERGED };
        QueryTable::resume(self.bits(), self.bytes(which)).ok()
    }

    fn of_link(&mut self, index: usize) -> &mut [u8] {
        self.bytes_mut(index.saturating_add(FIRST_LINK))
    }

    fn bits(&self) -> u8 {
        let bits = self.len.saturating_mul(8).checked_ilog2().unwrap_or(0);
        u8::try_from(bits).unwrap_or(0)
    }

    fn bytes(&self, which: usize) -> &[u8] {
        let from = which.saturating_mul(self.len);
        self.memory.get(from..from.saturating_add(self.len)).unwrap_or(&[])
    }

    fn bytes_mut(&mut self, which: usize) -> &mut [u8] {
        let from = which.saturating_mul(self.len);
        self.memory.get_mut(from..from.saturating_add(self.len)).unwrap_or(&mut [])
    }

    /// Puts together what the servent and its leaves have. A leaf of which nothing is known gets all
    /// queries, so others have to send all.
    fn merge(&mut self, conns: &[ConnSlot], role: Role) {
        let len = self.len;
        let bits = self.bits();
        let Some((own, rest)) = self.memory.split_at_mut_checked(len) else { return };
        let Some((merged, tables)) = rest.split_at_mut_checked(len) else { return };
        copy(merged, own);
        let Ok(mut merged) = QueryTable::resume(bits, merged) else { return };
        for (slot, memory) in conns.iter().zip(tables.chunks_exact(len.max(1))) {
            let Some(conn) = slot.live().filter(|conn| conn.is_leaf()) else { continue };
            match knowledge(conn, role, memory) {
                Knowledge::All => merged.fill(),
                Knowledge::Nothing => {}
                Knowledge::Table(table) => merged.merge_any(&table),
            }
        }
    }

    /// Says whether a query for these words may find something behind a connection.
    pub(super) fn may_match(
        &self,
        index: usize,
        conn: &Connection,
        role: Role,
        words: &Words,
    ) -> bool {
        if self.is_empty() {
            return true;
        }
        match knowledge(conn, role, self.bytes(index.saturating_add(FIRST_LINK))) {
            Knowledge::All => true,
            Knowledge::Nothing => !conn.is_leaf(), // an ultrapeer may be about to send one
            Knowledge::Table(table) => words.may_match(&table),
        }
    }
}

/// What is known of the words behind a connection.
enum Knowledge<'t> {
    /// They may be any.
    All,
    /// It has not sent a table yet.
    Nothing,
    Table(QueryTable<&'t [u8]>),
}

fn knowledge<'t>(conn: &Connection, role: Role, memory: &'t [u8]) -> Knowledge<'t> {
    if !conn.neighbour.sends_tables_to(role) || conn.table_unread || conn.table_in.is_begun() {
        return Knowledge::All;
    }
    conn.table_in.table(memory).map_or(Knowledge::Nothing, Knowledge::Table)
}

impl Core<'_> {
    /// Handles a message of a neighbour's table. What does not fit is answered with bye 413.
    pub(super) fn handle_table(&mut self, index: usize, qrp: &Qrp<'_>) {
        let role = self.state.config.role;
        let Some(conn) = self.conns.get_mut(index).and_then(ConnSlot::live_mut) else { return };
        let mut scratch = [0]; // without storage the messages are checked all the same
        let memory = self.tables.of_link(index);
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
        self.go_on(index, Some(entries));
    }

    /// Handles the end of the entries of a message.
    pub(super) fn handle_patch_end(&mut self, index: usize) {
        let complete = self.go_on(index, None);
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
            return; // was taken in already
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
    fn go_on(&mut self, index: usize, entries: Option<&[u8]>) -> bool {
        let Some(conn) = self.conns.get_mut(index).and_then(ConnSlot::live_mut) else {
            return false;
        };
        let mut scratch = [0];
        let memory = self.tables.of_link(index);
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
        if self.state.tables_due.is_none() && !self.tables.is_empty() {
            let wait = self.state.config.table_interval.max(core::time::Duration::from_millis(1));
            self.state.tables_due = self.state.now.checked_add(wait);
        }
    }

    /// Begins to send the table to all that read it.
    pub(super) fn send_tables(&mut self) {
        self.state.tables_due = None;
        let role = self.state.config.role;
        if self.tables.is_empty() {
            return;
        }
        if role != Role::Leaf {
            self.tables.merge(self.conns, role);
        }
        let conns = self.conns.iter_mut().filter_map(ConnSlot::live_mut);
        for conn in conns.filter(|conn| conn.neighbour.reads_tables_of(role)) {
            conn.table_out = Some(0);
        }
    }

    /// Begins to send the table to a new neighbour.
    pub(super) fn send_table(&mut self, index: usize) {
        let role = self.state.config.role;
        let Some(conn) = self.conns.get_mut(index).and_then(ConnSlot::live_mut) else { return };
        if self.tables.is_empty() || !conn.neighbour.reads_tables_of(role) {
            return;
        }
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
        let Some(table) = self.tables.told(self.state.config.role) else { return Ok((0, None)) };
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
