//! `torrent make`: reads a file or folder once and writes its metainfo file.

use std::fs::{self, DirEntry, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use bittorrent_pieces::merkle::{MerkleHash, MerkleHasher, PieceLayer, height, piece_height};
use bittorrent_pieces::metainfo::{
    Content, ContentFile, MetainfoBuilder, MetainfoOptions, Version,
};
use bittorrent_pieces::{BLOCK_LEN, PieceHasher, PieceHashes};
use examples::{progress, report};

use super::args::Make;

/// The approximate number of pieces at the default piece length.
const PIECES: u64 = 1_500;

/// What a dated metainfo file says it was made by.
const PROGRAM: &str = concat!("bittorrent-pieces ", env!("CARGO_PKG_VERSION"));

/// A file below the path: its elements and its length.
struct Found {
    path: Vec<String>,
    len: u64,
}

pub fn make(args: &Make) -> Result<(), String> {
    let named = |error: io::Error| format!("{}: {error}", args.path.display());
    let root = args.path.canonicalize().map_err(named)?;
    let name = root.file_name().ok_or("the root of the file system has no name")?;
    let name = name.to_string_lossy().into_owned();
    let mut files = Vec::new();
    collect(&root, &root, &args.exclude, &mut Vec::new(), &mut files).map_err(named)?;
    if files.is_empty() {
        return Err(format!("{}: there is no file in the folder", args.path.display()));
    }
    let total = files.iter().map(|file| file.len).sum();
    let piece_len = args.piece_len.unwrap_or_else(|| piece_len_for(total));
    let hashes = hash(&root, &files, total, piece_len, args.version()).map_err(named)?;
    let roots = roots(&files, &hashes.v2, piece_len);
    let Hashes { v1, v2 } = &hashes;
    let old = PieceHashes::new(v1);
    let layer = PieceLayer::new(v2);
    let pieces = match args.version() {
        Version::V1 => old,
        Version::V2 => PieceHashes::v2(layer),
        Version::Hybrid => PieceHashes::hybrid(old, layer).unwrap_or(old),
    };
    let paths: Vec<Vec<&[u8]>> =
        files.iter().map(|file| file.path.iter().map(String::as_bytes).collect()).collect();
    let listed = files.iter().zip(&paths).zip(roots);
    let listed: Vec<_> =
        listed.map(|((file, path), root)| ContentFile { len: file.len, path, root }).collect();
    let tiers: Vec<[&[u8]; 1]> = args.trackers.iter().map(|url| [url.as_bytes()]).collect();
    let tiers: Vec<&[&[u8]]> = tiers.iter().map(|tier| &tier[..]).collect();
    let web_seeds: Vec<&[u8]> = args.web_seeds.iter().map(String::as_bytes).collect();
    let options = MetainfoOptions {
        comment: args.comment.as_deref().map(str::as_bytes),
        created_by: args.date.then_some(PROGRAM.as_bytes()),
        creation_date: args.date.then(seconds_since_1970),
        source: args.source.as_deref().map(str::as_bytes),
        web_seeds: &web_seeds,
    };
    let draft = MetainfoBuilder {
        announce: args.trackers.first().map(String::as_bytes),
        tiers: if tiers.len() > 1 { &tiers } else { &[] },
        name: name.as_bytes(),
        piece_len,
        hashes: pieces,
        private: args.private.then_some(true),
        version: args.version(),
        content: if root.is_file() { Content::Single(total) } else { Content::Multi(&listed) },
        options,
    };
    let bytes = encode(|out| draft.encode(out))?;
    let out = args.output.clone().unwrap_or_else(|| PathBuf::from(format!("{name}.torrent")));
    fs::write(&out, &bytes).map_err(|error| format!("{}: {error}", out.display()))?;
    if !args.json {
        report!("{}: {total} bytes in {} pieces of {piece_len}", out.display(), pieces.len());
    }
    super::show::show(&out.to_string_lossy(), args.json)
}

fn seconds_since_1970() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// Calls a writer a second time with as much room as it needs.
pub fn encode(
    write: impl Fn(&mut [u8]) -> Result<usize, bittorrent_pieces::bencode::WriteError>,
) -> Result<Vec<u8>, String> {
    use bittorrent_pieces::bencode::WriteError;
    let mut out = Vec::new();
    if let Err(WriteError::Buffer(short)) = write(&mut out) {
        out.resize(short.needed, 0);
    }
    write(&mut out).map_err(|error| error.to_string())?;
    Ok(out)
}

/// Lists the files of a folder, in the order of their names. A link is followed, but not out of the folder.
fn collect(
    root: &Path,
    at: &Path,
    exclude: &[String],
    path: &mut Vec<String>,
    found: &mut Vec<Found>,
) -> io::Result<()> {
    if at.is_symlink() && !at.canonicalize()?.starts_with(root) {
        return Err(io::Error::other(format!("{} leads out of the folder", at.display())));
    }
    if at.is_file() {
        found.push(Found { path: path.clone(), len: fs::metadata(at)?.len() });
        return Ok(());
    }
    let mut entries: Vec<_> = fs::read_dir(at)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().into_string();
        let name = name.map_err(|name| format!("{} is not UTF-8", name.display()));
        path.push(name.map_err(io::Error::other)?);
        if !is_excluded(path, exclude) {
            collect(root, &entry.path(), exclude, path, found)?;
        }
        path.pop();
    }
    Ok(())
}

/// Returns whether a pattern matches a name, or the whole path below the folder.
fn is_excluded(path: &[String], patterns: &[String]) -> bool {
    let whole = path.join("/");
    let name = path.last().map_or("", String::as_str);
    patterns.iter().any(|pattern| {
        let text = if pattern.contains('/') { &whole } else { name };
        matches(pattern.as_bytes(), text.as_bytes())
    })
}

/// Returns whether a text matches a pattern, in which `*` stands for any bytes and `?` for one.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let mut at = 0;
    let mut in_text = 0;
    let mut star: Option<(usize, usize)> = None; // behind the last star, and what it stood for
    while in_text < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                at += 1;
                star = Some((at, in_text));
            }
            Some(byte) if *byte == b'?' || *byte == text[in_text] => {
                at += 1;
                in_text += 1;
            }
            _ => {
                let Some((behind, stood_for)) = star else { return false };
                at = behind;
                in_text = stood_for + 1;
                star = Some((behind, in_text));
            }
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

fn piece_len_for(total: u64) -> u32 {
    let len = (total / PIECES).next_power_of_two().clamp(32 << 10, 16 << 20);
    len as u32
}

/// What the pieces hash to.
#[derive(Default)]
struct Hashes {
    v1: Vec<[u8; 20]>,
    v2: Vec<MerkleHash>,
}

impl Hashes {
    /// Hashes a piece, behind which version 1 has zeros; `height` is that of its tree, if there is one.
    fn push(&mut self, piece: &[u8], zeros: usize, version: Version, height: u8) {
        if version != Version::V2 {
            let mut hasher = PieceHasher::new();
            hasher.update(piece);
            hasher.update(&vec![0; zeros]);
            self.v1.push(hasher.finish());
        }
        if version != Version::V1 {
            let mut tree = MerkleHasher::new();
            tree.update(piece);
            self.v2.push(tree.finish(height));
        }
    }
}

/// Returns the root of each file; `None` with version 1 and for empty files.
fn roots(files: &[Found], mut layers: &[MerkleHash], piece_len: u32) -> Vec<Option<MerkleHash>> {
    let each = files.iter().map(|file| {
        let pieces = file.len.div_ceil(u64::from(piece_len)) as usize;
        let (layer, rest) = layers.split_at_checked(pieces)?;
        layers = rest;
        match layer {
            [] => None,
            _ => Some(PieceLayer::new(layer).root(piece_len)),
        }
    });
    each.collect()
}

/// Hashes all files, one behind the other; of version 2, each begins with a piece, before which a hybrid torrent has padding.
fn hash(
    root: &Path,
    files: &[Found],
    total: u64,
    piece_len: u32,
    version: Version,
) -> io::Result<Hashes> {
    let mut hashes = Hashes::default();
    let mut done = 0;
    let meter = progress::Meter::new(0, total);
    let mut piece = Vec::with_capacity(piece_len as usize);
    for (nth, file) in files.iter().enumerate() {
        // A file of less than a piece has a tree of its own height.
        let leaves = file.len.div_ceil(u64::from(BLOCK_LEN));
        let short = file.len < u64::from(piece_len);
        let tree = if short { height(leaves) } else { piece_height(piece_len) };
        let mut path = root.to_path_buf();
        path.extend(&file.path);
        let mut opened = File::open(path)?.take(file.len);
        loop {
            let room = u64::from(piece_len) - piece.len() as u64;
            let len = (&mut opened).take(room).read_to_end(&mut piece)?;
            if piece.len() == piece_len as usize {
                hashes.push(&piece, 0, version, tree);
                piece.clear();
            } else if len == 0 {
                break;
            }
            done += len as u64;
            progress::show(|| format!("hashing: {}", meter.describe(done)));
        }
        if version != Version::V1 && !piece.is_empty() {
            let padded = version == Version::Hybrid && nth + 1 < files.len();
            let zeros = if padded { piece_len as usize - piece.len() } else { 0 };
            hashes.push(&piece, zeros, version, tree);
            piece.clear();
        }
    }
    if !piece.is_empty() {
        hashes.push(&piece, 0, version, 0);
    }
    Ok(hashes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_have_stars_and_question_marks() {
        for (pattern, text, matched) in [
            ("*.tmp", "a.tmp", true),
            ("*.tmp", "a.tmpx", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b", "aab", true),
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("a*", "b", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), matched, "{pattern} {text}");
        }
        let path = |text: &str| text.split('/').map(str::to_owned).collect::<Vec<_>>();
        assert!(is_excluded(&path("sub/.git"), &[".git".into()]));
        assert!(is_excluded(&path("sub/a.o"), &["sub/*.o".into()]));
        assert!(!is_excluded(&path("other/a.o"), &["sub/*.o".into()]));
    }
}
