//! Paths under which the files of a torrent can be stored.

mod element;
mod table;

use core::fmt::{self, Write as _};

use thiserror::Error;

use super::Metainfo;
use super::file::{Elements, File, Files};
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
        let name = torrent_name(metainfo, policy)?;
        for (number, file) in metainfo.files().enumerate().filter(|(_, file)| !file.is_padding()) {
            note(slots.as_mut(), &file, number, policy)?;
        }
        Ok(Self { files: metainfo.files(), number: 0, name, policy, slots })
    }

    /// Writes the path of the next file, and of a symbolic link its target, into `buf`.
    ///
    /// # Errors
    ///
    /// [`PathError`]. After [`PathError::Buffer`] the call can be repeated.
    pub fn next<'b>(&mut self, buf: &'b mut [u8]) -> Result<Option<SafeFile<'a, 'b>>, PathError> {
        let (number, file, after) = loop {
            let mut files = self.files.clone();
            let Some(file) = files.next() else { return Ok(None) };
            if !file.is_padding() {
                break (self.number, file, files);
            }
            self.files = files;
            self.number = self.number.saturating_add(1);
        };
        let (hash, rename) = self.unused(&file, number)?;
        let mut text = Text::new(buf);
        write_path(&mut text, &self.name, file.inner_path(), self.policy, rename);
        let path_len = text.len();
        let link = file.symlink();
        let target = link.clone().map_or(Ok(None), |target| self.target(&file, target, number))?;
        if let Some((base, target)) = target {
            write_target(&mut text, &self.name, base, target, self.policy);
        }
        let len = text.finish()?;
        let written: &'b [u8] = buf.get(..len).unwrap_or_default();
        let (path, target) = written.split_at_checked(path_len).unwrap_or_default();
        table::add(self.slots.as_mut(), hash, TAKEN);
        self.files = after;
        self.number = number.saturating_add(1);
        let path = SafePath(core::str::from_utf8(path).unwrap_or("_"));
        let target = core::str::from_utf8(target).ok().filter(|target| !target.is_empty());
        Ok(Some(SafeFile { number, file, path, target: target.map(SafePath) }))
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

    /// Returns the hash of a path that is not in use, and the number in its name.
    fn unused(&self, file: &File<'a>, number: usize) -> Result<(u64, u32), PathError> {
        for rename in 0..=RENAMES {
            let hash = hash_of(file.inner_path(), self.policy, rename);
            if table::uses(self.slots.as_ref(), hash) & (FOLDER | TAKEN) == 0 {
                return Ok((hash, rename));
            }
            if !self.policy.rename {
                break;
            }
        }
        Err(PathError::Taken(number))
    }

    /// Finds the target of a link: from the folder of the torrent, or from that of the link.
    fn target(
        &self,
        link: &File<'a>,
        target: Elements<'a>,
        number: usize,
    ) -> Result<Option<(Option<Elements<'a>>, Elements<'a>)>, PathError> {
        for base in [None, Some(link.inner_path())] {
            let mut hash = PathHash::new();
            for element in target_elements(base.clone(), target.clone(), self.policy) {
                hash.element(element.as_str());
            }
            if table::uses(self.slots.as_ref(), hash.finish()) & (FOLDER | NAMED) != 0 {
                return Ok(Some((base, target)));
            }
        }
        if self.policy.sanitise { Ok(None) } else { Err(PathError::Target(number)) }
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

/// Notes the folders and the path of a file.
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
fn hash_of(path: Elements<'_>, policy: PathPolicy, rename: u32) -> u64 {
    let mut hash = PathHash::new();
    let mut elements = path.peekable();
    while let Some(raw) = elements.next() {
        let element = Element::new(raw, policy.windows);
        if elements.peek().is_none() && rename > 0 {
            let mut room = [0; 300];
            let mut text = Text::new(&mut room);
            write_renamed(&mut text, element.as_str(), rename);
            let len = text.finish().unwrap_or(0);
            let name = room.get(..len).unwrap_or_default();
            hash.element(core::str::from_utf8(name).unwrap_or("_"));
        } else {
            hash.element(element.as_str());
        }
    }
    hash.finish()
}

fn write_path(
    text: &mut Text<'_>,
    name: &Element,
    path: Elements<'_>,
    policy: PathPolicy,
    rename: u32,
) {
    let mut last = *name;
    for raw in path {
        text.raw(last.as_bytes());
        text.raw(b"/");
        last = Element::new(raw, policy.windows);
    }
    write_renamed(text, last.as_str(), rename);
}

/// Writes `name.1.txt` for `name.txt`.
fn write_renamed(text: &mut Text<'_>, name: &str, rename: u32) {
    let dot = name.rfind(['.']).filter(|_| rename > 0).unwrap_or(name.len());
    let (stem, extension) = name.split_at_checked(dot).unwrap_or((name, ""));
    text.raw(stem.as_bytes());
    if rename > 0 {
        let _ = write!(text, ".{rename}"); // writing text does not fail
    }
    text.raw(extension.as_bytes());
}

fn write_target<'a>(
    text: &mut Text<'_>,
    name: &Element,
    base: Option<Elements<'a>>,
    target: Elements<'a>,
    policy: PathPolicy,
) {
    text.raw(name.as_bytes());
    for element in target_elements(base, target, policy) {
        text.raw(b"/");
        text.raw(element.as_bytes());
    }
}

/// Returns the elements of a target: those of the folder of the link, if there is a link, and its own; `.` and
/// `..` are dropped.
fn target_elements<'a>(
    link: Option<Elements<'a>>,
    target: Elements<'a>,
    policy: PathPolicy,
) -> impl Iterator<Item = Element> {
    let depth = link.clone().map_or(0, |link| link.count().saturating_sub(1));
    let folder = link.into_iter().flatten().take(depth);
    let target = target.filter(|element| !matches!(*element, b"." | b".."));
    folder.chain(target).map(move |raw| Element::new(raw, policy.windows))
}
