//! The open files of all torrents: few at a time, however many there are.

use core::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::rc::Rc;

/// The most files that are open at a time. Sockets need descriptors too, and 256 are common.
const LIMIT: usize = 64;

/// A cache of open files by their torrent and number. The one that was used least recently is closed first.
#[derive(Debug, Default)]
pub struct OpenFiles {
    files: BTreeMap<(usize, usize), Open>,
    clock: u64,
}

/// The cache as one torrent uses it.
#[derive(Debug)]
pub struct TorrentFiles {
    shared: Rc<RefCell<OpenFiles>>,
    torrent: usize,
    writes: bool,
}

#[derive(Debug)]
struct Open {
    file: Rc<File>,
    used: u64,
}

impl TorrentFiles {
    /// Uses the cache for a torrent that is to be written, or for one that is only read. `torrent` is another number for
    /// each.
    pub fn new(shared: &Rc<RefCell<OpenFiles>>, torrent: usize, writes: bool) -> Self {
        Self { shared: Rc::clone(shared), torrent, writes }
    }

    /// Returns a file that exists.
    pub fn read(&mut self, number: usize, path: &Path) -> io::Result<Rc<File>> {
        self.get(number, path, false)
    }

    /// Returns a file to write to. It and its folders are created if needed.
    pub fn write(&mut self, number: usize, path: &Path) -> io::Result<Rc<File>> {
        self.get(number, path, true)
    }

    fn get(&mut self, number: usize, path: &Path, create: bool) -> io::Result<Rc<File>> {
        let open = || self.open(path, create);
        self.shared.borrow_mut().get((self.torrent, number), path, open)
    }

    fn open(&self, path: &Path, create: bool) -> io::Result<File> {
        if let Some(folder) = path.parent().filter(|_| create) {
            fs::create_dir_all(folder)?;
        }
        File::options().read(true).write(self.writes).create(create).truncate(false).open(path)
    }
}

impl Drop for TorrentFiles {
    fn drop(&mut self) {
        self.shared.borrow_mut().files.retain(|(torrent, _), _| *torrent != self.torrent);
    }
}

impl OpenFiles {
    fn get(
        &mut self,
        key: (usize, usize),
        path: &Path,
        open: impl FnOnce() -> io::Result<File>,
    ) -> io::Result<Rc<File>> {
        self.clock += 1;
        if let Some(known) = self.files.get_mut(&key) {
            known.used = self.clock;
            return Ok(Rc::clone(&known.file));
        }
        if self.files.len() >= LIMIT {
            self.close_oldest();
        }
        let named =
            |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        let file = Rc::new(open().map_err(named)?);
        self.files.insert(key, Open { file: Rc::clone(&file), used: self.clock });
        Ok(file)
    }

    fn close_oldest(&mut self) {
        let oldest = self.files.iter().min_by_key(|(_, open)| open.used);
        if let Some(key) = oldest.map(|(key, _)| *key) {
            self.files.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::FileExt as _;

    #[test]
    fn a_thousand_files_of_two_torrents_are_written_with_few_open() {
        let folder = std::env::temp_dir().join(format!("open-files-{}", std::process::id()));
        let shared = Rc::default();
        let mut torrents = [0, 1].map(|torrent| TorrentFiles::new(&shared, torrent, true));
        for round in 0..2 {
            for number in 0..1_000 {
                let path = folder.join(format!("{}/{number}", number % 7));
                let file = torrents[number % 2].write(number / 2, &path).unwrap();
                file.write_all_at(b"ab", 2 * round).unwrap();
                assert!(shared.borrow().files.len() <= LIMIT);
            }
        }
        let [mut open, other] = torrents;
        drop(other);
        assert!(shared.borrow().files.keys().all(|(torrent, _)| *torrent == 0));
        for number in 0..1_000 {
            let path = folder.join(format!("{}/{number}", number % 7));
            assert_eq!(fs::read(path).unwrap(), b"abab");
        }
        assert!(open.read(2_000, &folder.join("missing")).is_err());
        fs::remove_dir_all(folder).unwrap();
    }
}
