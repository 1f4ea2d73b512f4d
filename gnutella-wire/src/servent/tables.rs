//! The query-routing tables of a servent: its own, and those of its neighbours.

use super::config::Role;
use super::connection::{ConnSlot, Connection};
use super::query_words::Words;
use crate::qrp::{KeywordHash, KeywordRules, QueryTable};
use crate::writer::copy;

/// The most bytes of a table that are used: 2^17 slots, which is what ultrapeers exchange.
const MOST_BYTES: usize = 1 << 14;
/// The distance that means "not here", as in most servents.
pub(super) const INFINITY: u8 = 7;
/// The entry bytes of a PATCH, as gtk-gnutella sends them.
pub(super) const CHUNK: usize = 512;

const OWN: usize = 0;
const MERGED: usize = 1;
const FIRST_CONN: usize = 2;

/// With fewer bytes a leaf has its own table only.
const LEAF_PAIR: usize = 4_096;

/// The storage of tables, divided evenly: one or two for a leaf; else one for the own words, one for
/// these and those of all leaves, and one for each connection. What neighbours have is kept in a last
/// one, if there is room.
pub(super) struct Tables<'m> {
    memory: &'m mut [u8],
    len: usize,  // of one, in bytes: a power of two, or 0
    sent: usize, // the number of the table that neighbours have
}

impl<'m> Tables<'m> {
    pub(super) fn new(memory: &'m mut [u8], role: Role, conns: usize) -> Self {
        let is_leaf = role == Role::Leaf;
        let sent = if is_leaf { 1 } else { conns.saturating_add(FIRST_CONN) };
        let count = if is_leaf && memory.len() >= LEAF_PAIR { 2 } else { sent };
        let share = memory.len().checked_div(count).unwrap_or(0).min(MOST_BYTES);
        let len = share.checked_ilog2().and_then(|bits| 1_usize.checked_shl(bits)).unwrap_or(0);
        Self { memory, len, sent }
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

    /// Makes a name present by the words that either kind of servent would ask for, and by those of
    /// servents that keep accents.
    pub(super) fn insert_name(&mut self, name: &str) {
        let limewire = KeywordRules::LimeWire.table_hashes(name);
        for word in limewire.chain(KeywordRules::Gtkg.query_hashes(name)) {
            self.insert(word);
        }
        if !name.is_ascii() {
            KeywordRules::LimeWire
                .query_words(name)
                .for_each(|word| self.insert(KeywordHash::of_units(word.encode_utf16())));
        }
    }

    /// The table that is sent to others.
    pub(super) fn outgoing(&self, role: Role) -> Option<QueryTable<&[u8]>> {
        let which = if role == Role::Leaf { OWN } else { MERGED };
        QueryTable::resume(self.bits(), self.bytes(which)).ok()
    }

    /// The table that neighbours have, if it is stored.
    pub(super) fn sent(&self) -> Option<QueryTable<&[u8]>> {
        QueryTable::resume(self.bits(), self.bytes(self.sent)).ok().filter(|_| !self.is_empty())
    }

    /// Returns whether the table that is sent to others has all words of the kept one. A neighbour whose
    /// own table is smaller cannot remove a word without a RESET.
    pub(super) fn only_gained(&self, role: Role) -> bool {
        let which = if role == Role::Leaf { OWN } else { MERGED };
        let mut pairs = self.bytes(which).iter().zip(self.bytes(self.sent));
        pairs.all(|(new, kept)| kept & !new == 0)
    }

    /// Keeps the table that is sent to others, before it changes. Returns whether there is room.
    pub(super) fn keep_sent(&mut self, role: Role) -> bool {
        let which = if role == Role::Leaf { OWN } else { MERGED };
        let len = self.len;
        let from = which.saturating_mul(len);
        let Some((before, sent)) = self.memory.split_at_mut_checked(self.sent.saturating_mul(len))
        else {
            return false;
        };
        let Some(outgoing) = before.get(from..from.saturating_add(len)) else { return false };
        let Some(sent) = sent.get_mut(..len).filter(|sent| !sent.is_empty()) else { return false };
        copy(sent, outgoing);
        true
    }

    pub(super) fn of_conn(&mut self, index: usize) -> &mut [u8] {
        self.bytes_mut(index.saturating_add(FIRST_CONN))
    }

    fn bits(&self) -> u8 {
        let bits = self.len.saturating_mul(8).checked_ilog2().unwrap_or(0);
        u8::try_from(bits).unwrap_or(0)
    }

    #[cfg_attr(target_os = "none", inline(never))] // once in the image of a device
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
    pub(super) fn merge(&mut self, conns: &[ConnSlot], role: Role) {
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

    /// Returns whether a query for these words may find something behind a connection.
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
        match knowledge(conn, role, self.bytes(index.saturating_add(FIRST_CONN))) {
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
