//! Files that a program keeps from run to run.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

/// Replaces a file as a whole: after a power cut there is the old content or the new.
///
/// The new content is written to `<path>.new` and synced first.
///
/// # Errors
///
/// The error of the file system.
pub fn save(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = beside(path, ".new");
    let mut file = File::create(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    drop(file);
    fs::rename(fresh, path)
}

/// Reads a file; `None` if it does not exist yet.
///
/// # Errors
///
/// The error of the file system.
pub fn load(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        read => read.map(Some),
    }
}

/// Removes a file, which may not exist.
///
/// # Errors
///
/// The error of the file system.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Returns the path of a file beside another: its name, and an ending behind it.
#[must_use]
pub fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saved_file_is_loaded_replaced_and_removed() {
        let path = std::env::temp_dir().join(format!("storage-{}", std::process::id()));
        assert_eq!(load(&path).unwrap(), None);
        save(&path, b"old").unwrap();
        save(&path, b"new").unwrap();
        assert_eq!(load(&path).unwrap().as_deref(), Some(&b"new"[..]));
        assert!(!beside(&path, ".new").exists());
        remove(&path).unwrap();
        remove(&path).unwrap();
        assert_eq!(load(&path).unwrap(), None);
    }
}
