//! Paths under which the files of a torrent can be stored.

mod element;
mod table;

use core::fmt;

use thiserror::Error;

use super::Metainfo;
use super::file::{File, Files, InnerPath};
use crate::bencode::Items;
use crate::error::BufferTooSmall;
use crate::text::Text;
use element::Element;
pub use table::PathSlot;
use table::{FOLDER, NAMED, PathHash, TAKEN};

/// The maximum number of elements of a path.
const DEEPEST: usize = 100;
/// The number of names that are tried for a file whose path is taken.
const RENAMES: u32 = 500;

/// How names are treated that cannot be stored as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct PathPolicy {
    /// Whether unsafe names are changed; otherwise they are refused.
    pub sanitise: bool,
    /// Whether files whose path is taken get another one; otherwise they are refused.
    pub rename: bool,
    /// Whether names must be valid on Windows too: no device names, none of `? < > " | * :`, no dot or space at
    /// the end.
    pub windows: bool,
}

impl PathPolicy {
    /// Refuses unsafe names and taken paths.
    pub const REFUSE: Self = Self { sanitise: false, rename: false, windows: false };
    /// Changes unsafe names and refuses taken paths.
    pub const SANITISE: Self = Self { sanitise: true, rename: false, windows: false };
    /// Changes unsafe names and renames files whose path is taken: `a.txt` becomes `a.1.txt`.
    pub const RENAME: Self = Self { sanitise: true, rename: true, windows: false };

    /// Requires names that are valid on Windows too.
    #[must_use]
    pub const fn for_windows(self) -> Self {
        Self { windows: true, ..self }
    }
}

/// A path that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum PathError {
    /// The name of the torrent is not safe.
    #[error("the name of the torrent is not a safe path")]
    Name,
    /// The path of a file is not safe.
    #[error("the path of file {0} is not safe")]
    Unsafe(usize),
    /// The path of a file is that of another file or of a folder, perhaps in other case.
    #[error("the path of file {0} is already in use")]
    Taken(usize),
    /// The path of a file has more than 100 elements.
    #[error("the path of file {0} is too deep")]
    TooDeep(usize),
    /// The target of a symbolic link is not in the torrent.
    #[error("the target of link {0} is not in the torrent")]
    Target(usize),
    /// Too few slots: see [`Metainfo::path_slots`].
    #[error("table full: all {capacity} slots are in use")]
    Full {
        /// The number of slots.
        capacity: usize,
    },
    /// The buffer is too short for the path.
    #[error(transparent)]
    Buffer(#[from] BufferTooSmall),
}

/// A path that stays inside of the folder it is joined to, with `/` between its elements. Only this crate
/// creates it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SafePath<'b>(&'b str);

impl<'b> SafePath<'b> {
    /// Returns the path.
    #[must_use]
    pub const fn as_str(&self) -> &'b str {
        self.0
    }
}

impl fmt::Display for SafePath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// A file of a torrent with the path to store it under.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SafeFile<'a, 'b> {
    /// Its number in [`Metainfo::files`], from 0.
    pub number: usize,
    /// The file.
    pub file: File<'a>,
    /// Its path, which begins with the name of the torrent.
    pub path: SafePath<'b>,
    /// For a symbolic link, the path that it points to, which begins with the name of the torrent.
    pub target: Option<SafePath<'b>>,
}

/// Assigns each file of a torrent that is to be stored a safe path of its own. Padding files get none.
///
/// A name is made safe by the rules of libtorrent: separators and invisible characters are dropped, control
/// characters and invalid UTF-8 become `_`, so does an empty name and `.` and `..`; a name of more than 240
/// bytes is shortened but keeps its extension. Paths are compared without regard to case, since some disks do
/// the same; folders keep their names, and a file that is named like a folder is renamed.
///
/// ```
/// use bittorrent_pieces::Metainfo;
/// use bittorrent_pieces::bencode::Mode;
/// use bittorrent_pieces::metainfo::{PathPolicy, PathSlot, SafePaths};
///
/// let file = b"d4:infod5:filesld6:lengthi0e4:pathl1:aeed6:lengthi0e4:pathl2:..1:aeed6:lengthi0e4:pathl1:Aeee\
///     4:name1:n12:piece lengthi16384e6:pieces0:ee";
/// let torrent = Metainfo::decode(file, Mode::Strict)?;
/// let slots = vec![PathSlot::EMPTY; torrent.path_slots()];
/// let mut paths = SafePaths::new(&torrent, PathPolicy::RENAME, slots)?;
/// let mut buf = [0; 100];
/// let mut stored = Vec::new();
/// while let Some(file) = paths.next(&mut buf)? {
///     stored.push(file.path.as_str().to_owned());
/// }
/// assert_eq!(stored, ["n/a", "n/_/a", "n/A.1"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct SafePaths<'a, S> {
    files: Files<'a>,
    number: usize,
    name: Element,
    policy: PathPolicy,
    slots: S,
}

impl<'a, S: AsRef<[PathSlot]> + AsMut<[PathSlot]>> SafePaths<'a, S> {
    /// Reads all paths once. The slots are cleared; [`Metainfo::path_slots`] is their number.
    ///
    /// # Errors
    ///
    /// [`PathError`]: the policy refuses a name, or a path is too deep, or there are too few slots.
    pub fn new(
        metainfo: &Metainfo<'a>,
        policy: PathPolicy,
        mut slots: S,
    ) -> Result<Self, PathError> {
        slots.as_mut().fill(PathSlot::EMPTY);
        let name = torrent_name(metainfo, policy);
        let name = name.as_ref().map_err(|error| *error)?;
        note_all(slots.as_mut(), metainfo, policy)?;
        Ok(Self { files: metainfo.files(), number: 0, name: *name, policy, slots })
    }

    /// Writes the path of the next file, and of a symbolic link its target, into `buf`.
    ///
    /// # Errors
    ///
    /// [`PathError`]. After [`PathError::Buffer`] the call can be repeated.
    pub fn next<'b>(&mut self, buf: &'b mut [u8]) -> Result<Option<SafeFile<'a, 'b>>, PathError> {
        loop {
            let before = self.files.clone();
            let Some(file) = self.files.next() else { return Ok(None) };
            let number = self.number;
            if file.is_padding() {
                self.number = number.saturating_add(1);
                continue;
            }
            let (path_len, len) = match self.write(&file, buf) {
                Ok(lens) => lens,
                Err(error) => {
                    self.files = before;
                    return Err(error);
                }
            };
            self.number = number.saturating_add(1);
            let written: &'b [u8] = buf.get(..len).unwrap_or_default();
            let (path, target) = written.split_at_checked(path_len).unwrap_or_default();
            let path = SafePath(core::str::from_utf8(path).unwrap_or("_"));
            let target = core::str::from_utf8(target).ok().filter(|target| !target.is_empty());
            return Ok(Some(SafeFile { number, file, path, target: target.map(SafePath) }));
        }
    }

    /// Returns the name of the folder, or of the single file: the first element of every path.
    #[must_use]
    pub fn name(&self) -> SafePath<'_> {
        SafePath(self.name.as_str())
    }

    /// Returns the storage.
    pub fn into_storage(self) -> S {
        self.slots
    }

    /// Writes the path of a file, and the target of a link behind it, and takes the path; returns the lengths in bytes of
    /// the path and of both.
    fn write(&mut self, file: &File<'a>, buf: &mut [u8]) -> Result<(usize, usize), PathError> {
        let (hash, rename) = self.unused(file)?;
        let mut text = Text::new(buf);
        write_path(&mut text, &self.name, file, self.policy, rename);
        let path_len = text.len();
        if let Some(target) = file.link_target()
            && let Some(folder) = self.find_target(file, &target)?
        {
            write_target(&mut text, &self.name, folder, target, self.policy);
        }
        let len = text.finish()?;
        table::add(self.slots.as_mut(), hash, TAKEN);
        Ok((path_len, len))
    }

    /// Returns the hash of a path that is not in use, and the number in its name.
    fn unused(&self, file: &File<'a>) -> Result<(u64, u32), PathError> {
        for rename in 0..=RENAMES {
            let hash = hash_of(file, self.policy, rename);
            if table::uses(self.slots.as_ref(), hash) & (FOLDER | TAKEN) == 0 {
                return Ok((hash, rename));
            }
            if !self.policy.rename {
                break;
            }
        }
        Err(PathError::Taken(self.number))
    }

    /// Finds the target of a link from the folder of the torrent, which has an empty path, or from that of the link; returns
    /// the path of a file in that folder.
    fn find_target<'f>(
        &self,
        link: &'f File<'a>,
        target: &Items<'a>,
    ) -> Result<Option<InnerPath<'f, 'a>>, PathError> {
        for folder in [InnerPath::empty(), link.inner_path()] {
            let mut hash = PathHash::new();
            for raw in target_names(folder.clone(), target.clone()) {
                hash.element(Element::new(raw, self.policy.windows).as_str());
            }
            if table::uses(self.slots.as_ref(), hash.finish()) & (FOLDER | NAMED) != 0 {
                return Ok(Some(folder));
            }
        }
        if self.policy.sanitise { Ok(None) } else { Err(PathError::Target(self.number)) }
    }
}

impl Metainfo<'_> {
    /// Returns the number of slots for [`SafePaths`].
    #[must_use]
    pub fn path_slots(&self) -> usize {
        let files = self.files().filter(|file| !file.is_padding());
        let elements = files.map(|file| file.inner_path().count().saturating_add(2)).sum::<usize>();
        elements.saturating_add(elements / 2).saturating_add(8)
    }
}

/// Returns the name of the torrent, or its info-hash if no safe character is left.
#[inline(never)] // its names are not in use while files are read
fn torrent_name(metainfo: &Metainfo<'_>, policy: PathPolicy) -> Result<Element, PathError> {
    let name = Element::new(metainfo.name(), policy.windows);
    if name.as_bytes() == metainfo.name() {
        return Ok(name);
    }
    if !policy.sanitise {
        return Err(PathError::Name);
    }
    if name.as_bytes() != b"_" {
        return Ok(name);
    }
    let mut hex = [0; 40];
    let mut text = Text::new(&mut hex);
    text.hex(&metainfo.info_hash().0);
    Ok(Element::new(&hex, policy.windows))
}

/// Notes the folders and the paths of all files.
#[inline(never)] // a file does not stand on the stack beside the name
fn note_all(
    slots: &mut [PathSlot],
    metainfo: &Metainfo<'_>,
    policy: PathPolicy,
) -> Result<(), PathError> {
    let mut files = metainfo.files();
    let mut number = 0_usize;
    loop {
        let Some(file) = files.next() else { return Ok(()) };
        if !file.is_padding() {
            note(slots, &file, number, policy)?;
        }
        number = number.saturating_add(1);
    }
}

/// Notes the folders and the path of a file.
#[inline(never)] // its names are not in use while the next file is read
fn note(
    slots: &mut [PathSlot],
    file: &File<'_>,
    number: usize,
    policy: PathPolicy,
) -> Result<(), PathError> {
    let full = PathError::Full { capacity: slots.len() };
    let mut hash = PathHash::new();
    let mut elements = file.inner_path().enumerate().peekable();
    while let Some((depth, raw)) = elements.next() {
        if depth >= DEEPEST {
            return Err(PathError::TooDeep(number));
        }
        let element = Element::new(raw, policy.windows);
        if !policy.sanitise && element.as_bytes() != raw {
            return Err(PathError::Unsafe(number));
        }
        hash.element(element.as_str());
        let uses = if elements.peek().is_some() { FOLDER } else { NAMED };
        if !table::add(slots, hash.finish(), uses) {
            return Err(full);
        }
    }
    Ok(())
}

/// Hashes the path of a file, whose name has a number in it if that is not 0.
fn hash_of(file: &File<'_>, policy: PathPolicy, rename: u32) -> u64 {
    let mut hash = PathHash::new();
    let mut elements = file.inner_path().peekable();
    while let Some(raw) = elements.next() {
        let element = Element::new(raw, policy.windows);
        let rename = if elements.peek().is_none() { rename } else { 0 };
        renamed(element.as_str(), rename, |part| hash.text(part));
        hash.end();
    }
    hash.finish()
}

fn write_path(
    text: &mut Text<'_>,
    name: &Element,
    file: &File<'_>,
    policy: PathPolicy,
    rename: u32,
) {
    let mut last = *name;
    for raw in file.inner_path() {
        text.raw(last.as_bytes());
        text.raw(b"/");
        last = Element::new(raw, policy.windows);
    }
    renamed(last.as_str(), rename, |part| text.raw(part.as_bytes()));
}

/// Passes the parts of `name.1.txt` for `name.txt` to `write`.
fn renamed(name: &str, rename: u32, mut write: impl FnMut(&str)) {
    let dot = name.rfind(['.']).filter(|_| rename > 0).unwrap_or(name.len());
    let (stem, extension) = name.split_at_checked(dot).unwrap_or((name, ""));
    write(stem);
    if rename > 0 {
        let mut room = [0; 11];
        let mut number = Text::new(&mut room);
        number.raw(b".");
        number.number(rename.into());
        let len = number.finish().unwrap_or(0); // it fits
        write(core::str::from_utf8(room.get(..len).unwrap_or_default()).unwrap_or_default());
    }
    write(extension);
}

fn write_target<'a>(
    text: &mut Text<'_>,
    name: &Element,
    folder: InnerPath<'_, 'a>,
    target: Items<'a>,
    policy: PathPolicy,
) {
    text.raw(name.as_bytes());
    for raw in target_names(folder, target) {
        text.raw(b"/");
        text.raw(Element::new(raw, policy.windows).as_bytes());
    }
}

/// Returns the names of a target: those of the folder of a file, and its own; `.` and `..` are dropped.
fn target_names<'f, 'a: 'f>(
    file: InnerPath<'f, 'a>,
    target: Items<'a>,
) -> impl Iterator<Item = &'a [u8]> + use<'f, 'a> {
    let depth = file.clone().count().saturating_sub(1);
    let target = InnerPath::List(target).filter(|name| !matches!(*name, b"." | b".."));
    file.take(depth).chain(target)
}
