//! Values longer than an entry, in parts.
//!
//! | first byte of an entry | what follows |
//! |---|---|
//! | 0 | the value itself, up to 1,023 bytes |
//! | 1 | a manifest: the length (4 bytes), the SHA-256 value of the whole, and the keys of up to 49 parts, or of lists |
//! | 2 | a part of up to 1,023 bytes |
//! | 3 | a list of the keys of up to 51 parts |
//!
//! The key of a part or list is the first 20 bytes of the SHA-256 value of the key of the whole and the entry, so what
//! is found there is checked by its key, and no two values share parts.

use chord_core::Id160;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use super::store::LONGEST;

/// The longest value: 1 MiB.
pub const LONGEST_VALUE: usize = 1 << 20;

const PLAIN: u8 = 0;
const MANIFEST: u8 = 1;
const PART: u8 = 2;
const LIST: u8 = 3;

/// The bytes of a value in one entry.
const SHARE: usize = LONGEST - 1;
const KEY: usize = 20;
/// The keys in a manifest, and in a list.
const IN_MANIFEST: usize = (LONGEST - 37) / KEY;
const IN_LIST: usize = SHARE / KEY;

/// The place of a name on the ring: its SHA-1 value (Stoica 2003, IV-A).
pub fn place(name: &str) -> Id160 {
    Id160::from(<[u8; 20]>::from(Sha1::digest(name)))
}

/// A value as it is stored.
#[derive(Debug, PartialEq, Eq)]
pub struct Split {
    /// What lies under the key itself.
    pub root: Vec<u8>,
    /// The parts and lists, each under its own key.
    pub parts: Vec<(Id160, Vec<u8>)>,
}

/// What lies under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Root {
    Plain(Vec<u8>),
    Manifest(Manifest),
}

/// A description of a value in parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The length of the value in bytes.
    pub len: usize,
    hash: [u8; 32],
    /// The keys of the parts; of lists if there are too many parts.
    pub keys: Vec<Id160>,
}

/// Cuts a value into entries.
pub fn split(key: Id160, value: &[u8]) -> Split {
    if value.len() <= SHARE {
        return Split { root: tagged(PLAIN, value), parts: vec![] };
    }
    let entry = |bytes: Vec<u8>| (part_key(key, &bytes), bytes);
    let mut parts: Vec<_> = value.chunks(SHARE).map(|part| entry(tagged(PART, part))).collect();
    let mut keys: Vec<Id160> = parts.iter().map(|(key, _)| *key).collect();
    if keys.len() > IN_MANIFEST {
        let lists = keys.chunks(IN_LIST).map(|keys| entry(tagged(LIST, &joined(keys))));
        let lists: Vec<_> = lists.collect();
        keys = lists.iter().map(|(key, _)| *key).collect();
        parts.extend(lists);
    }
    let mut root = vec![MANIFEST];
    root.extend((value.len() as u32).to_be_bytes());
    root.extend(Sha256::digest(value));
    root.extend(joined(&keys));
    Split { root, parts }
}

/// Reads what lies under a key. `None` for what [`split`] does not write.
pub fn read_root(entry: &[u8]) -> Option<Root> {
    let (kind, rest) = entry.split_first()?;
    match *kind {
        PLAIN if rest.len() <= SHARE => Some(Root::Plain(rest.to_vec())),
        MANIFEST => {
            let (len, rest) = rest.split_first_chunk()?;
            let (hash, rest) = rest.split_first_chunk()?;
            let len = usize::try_from(u32::from_be_bytes(*len)).ok()?;
            let manifest = Manifest { len, hash: *hash, keys: read_keys(rest)? };
            let right = (SHARE + 1..=LONGEST_VALUE).contains(&len)
                && manifest.keys.len() == manifest.expected_keys();
            right.then_some(Root::Manifest(manifest))
        }
        _ => None,
    }
}

impl Manifest {
    /// Returns how many parts the value has.
    pub fn parts(&self) -> usize {
        self.len.div_ceil(SHARE)
    }

    /// Returns whether its keys are those of lists.
    pub fn has_lists(&self) -> bool {
        self.parts() > IN_MANIFEST
    }

    fn expected_keys(&self) -> usize {
        if self.has_lists() { self.parts().div_ceil(IN_LIST) } else { self.parts() }
    }

    /// Returns whether these bytes are the value.
    pub fn verify(&self, value: &[u8]) -> bool {
        value.len() == self.len && self.hash == <[u8; 32]>::from(Sha256::digest(value))
    }
}

/// Returns the bytes of a part that was found under `at`; `None` if they are not those that belong there.
pub fn read_part(key: Id160, at: Id160, entry: &[u8]) -> Option<&[u8]> {
    let right = part_key(key, entry) == at;
    entry.strip_prefix(&[PART]).filter(|_| right)
}

/// Returns the keys in a list that was found under `at`.
pub fn read_list(key: Id160, at: Id160, entry: &[u8]) -> Option<Vec<Id160>> {
    let right = part_key(key, entry) == at;
    entry.strip_prefix(&[LIST]).filter(|_| right).and_then(read_keys)
}

fn read_keys(bytes: &[u8]) -> Option<Vec<Id160>> {
    let (keys, rest) = bytes.as_chunks::<KEY>();
    rest.is_empty().then(|| keys.iter().map(|key| Id160::from(*key)).collect())
}

fn part_key(key: Id160, entry: &[u8]) -> Id160 {
    let hash = Sha256::new().chain_update(<[u8; 20]>::from(key)).chain_update(entry).finalize();
    let mut place = [0; KEY];
    place.copy_from_slice(&hash[..KEY]);
    Id160::from(place)
}

fn tagged(kind: u8, bytes: &[u8]) -> Vec<u8> {
    let mut entry = vec![kind];
    entry.extend(bytes);
    entry
}

fn joined(keys: &[Id160]) -> Vec<u8> {
    keys.iter().flat_map(|key| <[u8; 20]>::from(*key)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Puts the parts together again, as a reader does.
    fn join(key: Id160, split: &Split) -> Option<Vec<u8>> {
        let parts: BTreeMap<_, _> = split.parts.iter().cloned().collect();
        let manifest = match read_root(&split.root)? {
            Root::Plain(value) => return Some(value),
            Root::Manifest(manifest) => manifest,
        };
        let mut keys = manifest.keys.clone();
        if manifest.has_lists() {
            let lists = keys.iter().map(|at| read_list(key, *at, &parts[at]));
            keys = lists.collect::<Option<Vec<_>>>()?.concat();
        }
        let bytes = keys.iter().map(|at| read_part(key, *at, &parts[at]));
        let value = bytes.collect::<Option<Vec<_>>>()?.concat();
        manifest.verify(&value).then_some(value)
    }

    #[test]
    fn values_of_all_lengths_come_back() {
        let key = place("a name");
        let longest_flat = IN_MANIFEST * SHARE;
        for len in [0, 1, SHARE, SHARE + 1, longest_flat, longest_flat + 1, LONGEST_VALUE] {
            let value: Vec<u8> = (0..len).map(|n| ((n * n) >> 7) as u8).collect();
            let split = split(key, &value);
            assert!(split.root.len() <= LONGEST);
            assert!(split.parts.iter().all(|(_, entry)| entry.len() <= LONGEST));
            assert_eq!(join(key, &split).as_ref(), Some(&value), "{len}");
            if len > SHARE {
                assert_ne!(super::split(place("another"), &value).parts[0].0, split.parts[0].0);
            }
        }
    }

    #[test]
    fn what_does_not_belong_under_its_key_is_refused() {
        let key = place("a name");
        let value = vec![7; 60_000];
        let Split { root, parts } = split(key, &value);
        let (at, part) = &parts[0];
        let mut wrong = part.clone();
        wrong[5] ^= 1;
        assert!(read_part(key, *at, part).is_some());
        assert_eq!(read_part(key, *at, &wrong), None);
        assert_eq!(read_part(place("another"), *at, part), None);
        assert_eq!(read_list(key, *at, part), None);
        for len in 0..root.len() {
            assert_eq!(read_root(&root[..len]), None, "{len}");
        }
        let Some(Root::Manifest(manifest)) = read_root(&root) else { panic!("a manifest") };
        assert!(manifest.verify(&value) && !manifest.verify(&value[1..]));
    }
}
