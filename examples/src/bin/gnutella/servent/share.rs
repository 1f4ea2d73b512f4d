//! The folder that is shared: names, sizes and hashes, and what a query finds in it.

use core::time::Duration;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use gnutella_wire::Text;
use gnutella_wire::http::Resource;
use gnutella_wire::huge::{Part, Sha1, TigerRoot, Urn};
use gnutella_wire::qrp::KeywordRules;
use gnutella_wire::thex::{Node, Shape, Tree, TreeHasher};
use gnutella_wire::wire::Query;
use sha1::{Digest as _, Sha1 as Hasher};

/// A file that is shared.
pub struct Shared {
    pub index: u32,
    pub name: String,
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
        let mut paths: Vec<_> = fs::read_dir(folder)?
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .filter(|path| path.is_file())
            .collect();
        paths.sort();
        let mut files = Vec::new();
        let began = Instant::now();
        let all = paths.len();
        let mut reported = Duration::ZERO;
        for (index, path) in (1..).zip(paths) {
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            if Text::new(name.as_bytes()).is_none() {
                continue;
            }
            let (size, sha1) = hash(&path)?;
            let (root, tree) = tree(&path, size)?;
            files.push(Shared { index, name: name.to_owned(), size, sha1, path, root, tree });
            if began.elapsed() > reported + Duration::from_secs(1) {
                reported = began.elapsed();
                println!("hashing: {} of {all} files", files.len());
            }
        }
        Ok(Self(files))
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
            let name = canonical(&file.name);
            !text.is_empty() && text.split(' ').all(|word| name.contains(word))
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
