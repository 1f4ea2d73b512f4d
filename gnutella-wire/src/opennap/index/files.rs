//! The files of an index: shared, found by name, removed.

use super::entries::{NONE, slot, slot_mut};
use super::key::{self, WordKeys};
use super::slots::{FileId, FileSlot, Name, Reply, Row, User};
use super::state::{Core, find};
use crate::opennap::values::{File, Folder};
use crate::text::Text;

/// Returns the file with that number, unless it was removed.
pub(super) fn row(files: &[FileSlot], id: FileId) -> Option<&Row> {
    slot(files, id.file)?.row.as_ref().filter(|row| row.stamp == id.stamp)
}

impl Core<'_> {
    /// Shares a file; returns what is wrong with it.
    #[cfg_attr(target_os = "none", inline(never))] // not on the stack of the other messages
    pub(super) fn share(&mut self, at: u32, file: &File<'_>) -> Option<Reply> {
        let mut name = Name::EMPTY;
        if name.append(file.name).is_none() {
            return Some(Reply::Notice("the name of the file is too long"));
        }
        self.share_named(at, &name, file)
    }

    /// Shares the files of a folder; returns what is wrong with the first that cannot be shared.
    #[cfg_attr(target_os = "none", inline(never))] // not on the stack of the other messages
    pub(super) fn share_folder(&mut self, at: u32, folder: &Folder<'_>) -> Option<Reply> {
        let mut wrong = None;
        for file in folder.files() {
            let mut name = Name::EMPTY;
            let reply = match file {
                Ok(file) if append_path(&mut name, folder.path, file.name).is_some() => {
                    self.share_named(at, &name, &file)
                }
                Ok(_) => Some(Reply::Notice("the name of the file is too long")),
                Err(_) => Some(Reply::Notice("malformed fields")),
            };
            wrong = wrong.or(reply);
        }
        wrong
    }

    fn share_named(&mut self, at: u32, name: &Name, file: &File<'_>) -> Option<Reply> {
        let key = key::of_file(self.state.config.seed, at, name.text());
        let words = WordKeys::of(self.state.config.seed, name.text());
        if let Some(old) = self.file_keyed(key, at, name.text()) {
            self.update(old, file);
            return None;
        }
        let is_full = |user: &mut User| user.files >= self.state.config.max_files;
        if self.users.get_mut(usize::try_from(at).ok()?)?.user.as_mut().is_some_and(is_full) {
            return Some(Reply::Notice("you share too many files"));
        }
        let needed = words.as_slice().len().saturating_add(1).saturating_add(self.state.reserved);
        let free = self.state.free_file;
        let file_at = if free == NONE { self.state.fresh_file } else { free };
        let Some(slot) = slot_mut(self.files, file_at) else {
            return Some(Reply::Notice("the index is full"));
        };
        let next_free = slot.next_free;
        if self.table().room() < needed {
            return Some(Reply::Notice("the index is full"));
        }
        if free == NONE {
            self.state.fresh_file = self.state.fresh_file.saturating_add(1);
        } else {
            self.state.free_file = next_free;
        }
        let mut first = self.table().insert(key, file_at, NONE).unwrap_or(NONE);
        for word in words.as_slice() {
            first = self.table().insert(*word, file_at, first).unwrap_or(first);
        }
        self.insert(at, file_at, name, file, first);
        None
    }

    /// Stores the row of a file of the user at `at`. Its entries begin at `first`.
    #[cfg_attr(target_os = "none", inline(never))] // only here a row is on the stack
    fn insert(&mut self, at: u32, file_at: u32, name: &Name, file: &File<'_>, first: u32) {
        self.state.stamp = self.state.stamp.wrapping_add(1);
        self.state.files = self.state.files.saturating_add(1);
        self.state.bytes = self.state.bytes.saturating_add(file.size.into());
        let mut next = NONE;
        if let Some(user) = self.user(at) {
            next = core::mem::replace(&mut user.first_file, file_at);
            user.files = user.files.saturating_add(1);
        }
        if let Some(next) = slot_mut(self.files, next).and_then(|slot| slot.row.as_mut()) {
            next.prev = file_at;
        }
        if let Some(slot) = slot_mut(self.files, file_at) {
            let row = slot.row.insert(Row::new(at, *name, file));
            row.stamp = self.state.stamp;
            row.first_entry = first;
            row.next = next;
        }
    }

    /// The same name again: what is announced of the file may have changed.
    fn update(&mut self, file_at: u32, file: &File<'_>) {
        let Some(row) = slot_mut(self.files, file_at).and_then(|slot| slot.row.as_mut()) else {
            return;
        };
        self.state.bytes = self.state.bytes.saturating_sub(row.size().into());
        row.describe(file);
        self.state.bytes = self.state.bytes.saturating_add(row.size().into());
    }

    /// Stops sharing a file; returns what is wrong.
    pub(super) fn unshare(&mut self, at: u32, name: Text<'_>) -> Option<Reply> {
        match self.file_named(at, name) {
            Some(file) => {
                self.remove_file(file);
                None
            }
            None => Some(Reply::Notice("this file is not shared")),
        }
    }

    /// Removes a file with its entries.
    pub(super) fn remove_file(&mut self, file_at: u32) {
        let Some(row) = slot_mut(self.files, file_at).and_then(|slot| slot.row.take()) else {
            return;
        };
        let mut entry = row.first_entry;
        while entry != NONE {
            entry = self.table().remove(entry);
        }
        if let Some(next) = slot_mut(self.files, row.next).and_then(|slot| slot.row.as_mut()) {
            next.prev = row.prev;
        }
        if let Some(prev) = slot_mut(self.files, row.prev).and_then(|slot| slot.row.as_mut()) {
            prev.next = row.next;
        } else if let Some(user) = self.user(row.owner) {
            user.first_file = row.next;
        }
        if let Some(user) = self.user(row.owner) {
            user.files = user.files.saturating_sub(1);
        }
        self.state.files = self.state.files.saturating_sub(1);
        self.state.bytes = self.state.bytes.saturating_sub(row.size().into());
        if let Some(slot) = slot_mut(self.files, file_at) {
            slot.next_free = core::mem::replace(&mut self.state.free_file, file_at);
        }
    }

    /// Returns the file of a user with that name.
    pub(super) fn file_named(&self, owner: u32, name: Text<'_>) -> Option<u32> {
        let key = key::of_file(self.state.config.seed, owner, name);
        self.file_keyed(key, owner, name)
    }

    fn file_keyed(&self, key: u32, owner: u32, name: Text<'_>) -> Option<u32> {
        let is = |row: &&Row| row.owner == owner && row.name.text() == name;
        find(self.entries, key, |at| slot(self.files, at)?.row.as_ref().filter(is).map(|_| at))
    }

    /// Returns the number of the file of a user with that name.
    pub(super) fn file_id(&self, owner: u32, name: Text<'_>) -> Option<FileId> {
        let file = self.file_named(owner, name)?;
        Some(slot(self.files, file)?.row.as_ref()?.id(file))
    }
}

/// Appends a folder and a name; a separator that is missing is added, as servers do.
fn append_path(path: &mut Name, folder: Text<'_>, name: Text<'_>) -> Option<()> {
    path.append(folder)?;
    if !matches!(folder.as_bytes().last(), None | Some(b'\\' | b'/')) {
        path.append(Text::new(b"\\")?)?;
    }
    path.append(name)
}
