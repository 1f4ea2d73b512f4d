//! Files that a program keeps from run to run.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, ErrorKind, Write as _};
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

/// Moves a file to a path, and returns where it is. A file with other content that has the path already stays, and the new
/// one is named behind it: `song (2).mp3`.
///
/// # Errors
///
/// The error of the file system.
pub fn settle(file: &Path, path: &Path) -> io::Result<PathBuf> {
    let mut free = path.to_owned();
    let mut number = 2;
    while free.try_exists()? && !is_equal(file, &free)? {
        free = numbered(path, number);
        number += 1;
    }
    fs::rename(file, &free)?;
    Ok(free)
}

/// Renames a file whose content cannot be read, so that another one can take its place. Returns where it is.
///
/// # Errors
///
/// The error of the file system.
pub fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let kept = beside(path, ".damaged");
    fs::rename(path, &kept)?;
    Ok(kept)
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(format!(" ({number})"));
    if let Some(ending) = path.extension() {
        name.push(".");
        name.push(ending);
    }
    path.with_file_name(name)
}

fn is_equal(one: &Path, other: &Path) -> io::Result<bool> {
    if !other.is_file() || one.metadata()?.len() != other.metadata()?.len() {
        return Ok(false);
    }
    let mut one = BufReader::new(File::open(one)?);
    let mut other = BufReader::new(File::open(other)?);
    loop {
        let left = one.fill_buf()?;
        let right = other.fill_buf()?;
        let len = left.len().min(right.len());
        if len == 0 || left[..len] != right[..len] {
            return Ok(left.is_empty() && right.is_empty());
        }
        one.consume(len);
        other.consume(len);
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

    #[test]
    fn a_file_settles_beside_those_of_its_name_that_have_other_content() {
        let folder = std::env::temp_dir().join(format!("settle-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let part = folder.join("part");
        let settled = |content: &str| {
            fs::write(&part, content).unwrap();
            let path = settle(&part, &folder.join("a b.mp3")).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
            path.file_name().unwrap().to_str().unwrap().to_owned()
        };
        assert_eq!(settled("one"), "a b.mp3");
        assert_eq!(settled("two"), "a b (2).mp3");
        assert_eq!(settled("three"), "a b (3).mp3");
        assert_eq!(settled("two"), "a b (2).mp3");
        assert_eq!(fs::read_to_string(folder.join("a b.mp3")).unwrap(), "one");
        assert!(!part.exists());
        fs::remove_dir_all(&folder).unwrap();
    }
}
