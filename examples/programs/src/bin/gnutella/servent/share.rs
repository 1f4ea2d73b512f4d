//! The folder that is shared: names, sizes and hashes, and what a query finds in it.

use core::time::Duration;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Instant, SystemTime};

use gnutella_wire::Text;
use gnutella_wire::ggep::{GgepWriter, Number};
use gnutella_wire::http::Resource;
use gnutella_wire::huge::{Part, Sha1, TigerRoot, Urn};
use gnutella_wire::qrp::KeywordRules;
use gnutella_wire::thex::{Node, Shape, Tree, TreeHasher};
use gnutella_wire::wire::Query;
use sha1::{Digest as _, Sha1 as Hasher};

use super::ctx::{Ctx, Input};

/// How often the folder is looked at.
const WATCH: Duration = Duration::from_secs(2);

/// A file that is shared.
#[derive(Clone)]
pub struct Shared {
    pub index: u32,
    pub name: String,
    /// The words of its name, without case and accents.
    words: String,
    /// The size and time of the last change when it was hashed.
    stamp: (u64, Option<SystemTime>),
    pub size: u64,
    pub sha1: Sha1,
    pub path: PathBuf,
    /// The root of its Tiger tree, and the tree as it is sent.
    pub root: TigerRoot,
    pub tree: Vec<u8>,
}

/// All of them.
#[derive(Default)]
pub struct Library(pub Vec<Shared>);

impl Library {
    /// Reads and hashes the files of a folder, those of folders in it not.
    pub fn read(folder: &Path) -> io::Result<Self> {
        Ok(Self::default().renewed(folder)?.unwrap_or_default())
    }

    /// Reads the folder again. Files that did not change keep their number and are not hashed again. Returns
    /// `None` if nothing changed.
    pub fn renewed(&self, folder: &Path) -> io::Result<Option<Self>> {
        let mut paths: Vec<_> = fs::read_dir(folder)?
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .filter(|path| path.is_file())
            .collect();
        paths.sort();
        let mut files = Vec::new();
        let mut next = self.0.iter().map(|file| file.index).max().unwrap_or(0) + 1;
        let mut hashed = 0;
        let began = Instant::now();
        let mut reported = Duration::ZERO;
        let all = paths.len();
        for path in paths {
            let Ok(stamp) = stamp_of(&path) else { continue }; // it went
            let known = self.0.iter().find(|file| file.path == path && file.stamp == stamp);
            if let Some(known) = known {
                files.push(known.clone());
                continue;
            }
            match Shared::read(next, &path, stamp) {
                Ok(Some(file)) => files.push(file),
                Ok(None) => continue,
                Err(error) => {
                    if self.0.is_empty() {
                        println!("{} is not shared: {error}", path.display());
                    }
                    continue;
                }
            }
            hashed += 1;
            next += 1;
            if began.elapsed() > reported + Duration::from_secs(1) {
                reported = began.elapsed();
                println!("hashing: {} of {all} files", files.len());
            }
        }
        let is_same = hashed == 0 && files.len() == self.0.len();
        Ok((!is_same).then_some(Self(files)))
    }

    /// Returns the files that a query asks for: by hash if it names one, otherwise by all its words.
    pub fn find(&self, query: &Query<'_>) -> Vec<&Shared> {
        let urns: Vec<Sha1> = query
            .parts()
            .filter_map(|part| match part {
                Ok(Part::Gem(gem)) => Urn::parse(gem.as_bytes()).map(|urn| urn.sha1()),
                _ => None,
            })
            .collect();
        if !urns.is_empty() {
            return self.0.iter().filter(|file| urns.contains(&file.sha1)).collect();
        }
        let text = canonical(&String::from_utf8_lossy(query.text.as_bytes()));
        let matches = |file: &&Shared| {
            !text.is_empty() && text.split(' ').all(|word| file.words.contains(word))
        };
        self.0.iter().filter(matches).collect()
    }

    /// Returns the file that a request names.
    pub fn resource(&self, resource: &Resource<'_>) -> Option<&Shared> {
        match resource {
            Resource::File { index, name } => {
                let named = |file: &&Shared| name.bytes().eq(file.name.bytes());
                self.0.iter().find(|file| file.index == *index && named(file))
            }
            Resource::Urn(urn) => {
                let wanted = Urn::parse(urn.as_bytes())?.sha1();
                self.0.iter().find(|file| file.sha1 == wanted)
            }
            Resource::Tree(_) | Resource::Other(_) => None,
        }
    }

    pub fn kilobytes(&self) -> u64 {
        self.0.iter().map(|file| file.size).sum::<u64>() / 1_024
    }
}

impl Shared {
    /// Reads and hashes a file; `None` if its name cannot be sent.
    fn read(index: u32, path: &Path, stamp: (u64, Option<SystemTime>)) -> io::Result<Option<Self>> {
        let name = path.file_name().and_then(|name| name.to_str());
        let Some(name) = name.filter(|name| Text::new(name.as_bytes()).is_some()) else {
            return Ok(None);
        };
        let (size, sha1) = hash(path)?;
        let (root, tree) = tree(path, size)?;
        let (name, words, path) = (name.to_owned(), canonical(name), path.to_owned());
        Ok(Some(Self { index, name, words, stamp, size, sha1, path, root, tree }))
    }

    /// Returns what stands behind the name in a hit: the hash, and the size of a large file.
    pub fn extensions(&self) -> Vec<u8> {
        let mut area = Urn::Sha1(self.sha1).to_string().into_bytes();
        if self.size >= u64::from(u32::MAX) {
            let mut block = [0; 32];
            let mut writer = GgepWriter::new(&mut block);
            let size = Number::new(self.size);
            if writer.push_without_nul(b"LF", size.as_bytes()).is_ok() {
                let len = writer.finish();
                area.push(0x1C);
                area.extend_from_slice(&block[..len]);
            }
        }
        area
    }
}

/// Watches the folder, on a thread of its own.
pub fn watch(ctx: &Arc<Ctx>, folder: PathBuf) {
    let ctx = Arc::clone(ctx);
    thread::spawn(move || {
        loop {
            thread::sleep(WATCH);
            match ctx.library().renewed(&folder) {
                Ok(Some(library)) => {
                    println!("sharing {} files", library.0.len());
                    *ctx.library.write().expect("no panics") = Arc::new(library);
                    ctx.send(Input::LibraryChanged);
                }
                Ok(None) => {}
                Err(error) => ctx.trace(|| format!("   {}: {error}", folder.display())),
            }
        }
    });
}

/// Returns the size of a file and when it was last changed.
fn stamp_of(path: &Path) -> io::Result<(u64, Option<SystemTime>)> {
    let meta = fs::metadata(path)?;
    Ok((meta.len(), meta.modified().ok()))
}

/// Returns the text of a query that all servents read: letters and digits without case and accents. Words of
/// fewer than three bytes are not looked up by others, so they are left out if there are longer ones.
pub fn query_text(words: &str) -> String {
    let text = canonical(words);
    let long: Vec<_> = text.split(' ').filter(|word| word.len() >= 3).collect();
    if long.is_empty() { text } else { long.join(" ") }
}

/// Returns a text without case and accents, its words separated by spaces.
fn canonical(text: &str) -> String {
    KeywordRules::Gtkg.canonical(text).collect()
}

/// Returns the size of a file and its hash.
pub fn hash(path: &Path) -> io::Result<(u64, Sha1)> {
    let mut file = File::open(path)?;
    let mut hasher = Hasher::new();
    let mut size = 0;
    let mut buf = vec![0; 1 << 16];
    loop {
        let len = file.read(&mut buf)?;
        if len == 0 {
            return Ok((size, Sha1(hasher.finalize().into())));
        }
        hasher.update(&buf[..len]);
        size += len as u64;
    }
}

/// Returns the root of the Tiger tree of a file, and the tree as it is sent.
fn tree(path: &Path, size: u64) -> io::Result<(TigerRoot, Vec<u8>)> {
    let shape = Shape::customary(size);
    let mut file = File::open(path)?;
    let mut nodes: Vec<Node> = Vec::new();
    let mut buf = vec![0; 1 << 16];
    for _ in 0..shape.nodes {
        let mut hasher = TreeHasher::new();
        let mut part = (&mut file).take(shape.span);
        loop {
            match part.read(&mut buf)? {
                0 => break,
                len => hasher.update(&buf[..len]),
            }
        }
        nodes.push(hasher.finish().0);
    }
    let tree = Tree { size, nodes: &nodes };
    let mut body = vec![0; tree.encoded_len()];
    tree.encode(&mut body).map_err(io::Error::other)?;
    Ok((tree.root().unwrap_or(TigerRoot([0; 24])), body))
}
