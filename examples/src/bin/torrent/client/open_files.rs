//! The open files of a torrent: few at a time, however many it has.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::Path;

/// The most files that are open at a time. Sockets need descriptors too, and 256 are common.
const LIMIT: usize = 64;

/// A cache of open files by their number. The one that was used least recently is closed first.
#[derive(Debug)]
pub struct OpenFiles {
    writes: bool,
    files: BTreeMap<usize, Open>,
    clock: u64,
}

#[derive(Debug)]
struct Open {
    file: File,
    used: u64,
}

impl OpenFiles {
    /// Creates the cache of a torrent that is to be written, or of one that is only read.
    pub fn new(writes: bool) -> Self {
        Self { writes, files: BTreeMap::new(), clock: 0 }
    }

    /// Returns a file that exists.
    pub fn read(&mut self, number: usize, path: &Path) -> io::Result<&File> {
        self.get(number, path, false)
    }

    /// Returns a file to write to. It and its folders are created if needed.
    pub fn write(&mut self, number: usize, path: &Path) -> io::Result<&File> {
        self.get(number, path, true)
    }

    fn get(&mut self, number: usize, path: &Path, create: bool) -> io::Result<&File> {
        self.clock += 1;
        if !self.files.contains_key(&number) {
            if self.files.len() >= LIMIT {
                self.close_oldest();
            }
            let file = self.open(path, create);
            let named = |error: io::Error| {
                io::Error::new(error.kind(), format!("{}: {error}", path.display()))
            };
            self.files.insert(number, Open { file: file.map_err(named)?, used: 0 });
        }
        let open = self.files.get_mut(&number).expect("it was inserted");
        open.used = self.clock;
        Ok(&open.file)
    }

    fn open(&self, path: &Path, create: bool) -> io::Result<File> {
        if let Some(folder) = path.parent().filter(|_| create) {
            fs::create_dir_all(folder)?;
        }
        File::options().read(true).write(self.writes).create(create).truncate(false).open(path)
    }

    fn close_oldest(&mut self) {
        let oldest = self.files.iter().min_by_key(|(_, open)| open.used);
        if let Some(number) = oldest.map(|(number, _)| *number) {
            self.files.remove(&number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::FileExt as _;

    #[test]
    fn a_thousand_files_are_written_with_few_open() {
        let folder = std::env::temp_dir().join(format!("open-files-{}", std::process::id()));
        let mut open = OpenFiles::new(true);
        for round in 0..2 {
            for number in 0..1_000 {
                let path = folder.join(format!("{}/{number}", number % 7));
                open.write(number, &path).unwrap().write_all_at(b"ab", 2 * round).unwrap();
                assert!(open.files.len() <= LIMIT);
            }
        }
        for number in 0..1_000 {
            let path = folder.join(format!("{}/{number}", number % 7));
            assert_eq!(fs::read(path).unwrap(), b"abab");
        }
        assert!(open.read(2_000, &folder.join("missing")).is_err());
        fs::remove_dir_all(folder).unwrap();
    }
}
