//! The progress of a search in a file of text: what is searched, how many hashes were tried, and the next nonce
//! of each thread, or `-` where none is left.

use std::path::Path;

use examples::{cli, storage};

/// The most threads that a file may name.
const MOST_THREADS: usize = 1024;

/// How far a search has come.
#[derive(Debug, PartialEq, Eq)]
pub struct Progress {
    pub tried: u64,
    pub next: Vec<Option<u64>>,
}

impl Progress {
    /// Reads a file; `None` if it does not exist yet.
    pub fn load(path: &Path, task: &str) -> Result<Option<Self>, String> {
        let name = path.display();
        let Some(bytes) = storage::load(path).map_err(cli::failed("read", path))? else {
            return Ok(None);
        };
        let wrong = || format!("{name} is not the progress of a search; name another --state");
        let text = String::from_utf8(bytes).map_err(|_| wrong())?;
        let (ours, rest) = text.split_once('\n').ok_or_else(wrong)?;
        if ours != task {
            return Err(format!("{name} belongs to another search ({ours}); name another --state"));
        }
        Self::parse(rest).ok_or_else(wrong).map(Some)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let tried = lines.next()?.strip_prefix("tried ")?.parse().ok()?;
        let words = lines.next()?.strip_prefix("next ")?.split(' ');
        let next = words.map(|word| match word {
            "-" => Some(None),
            number => number.parse().ok().map(Some),
        });
        let next: Vec<_> = next.take(MOST_THREADS + 1).collect::<Option<_>>()?;
        (next.len() <= MOST_THREADS).then_some(Self { tried, next })
    }

    /// Replaces the file: after a power cut there is the old progress or the new.
    pub fn save(&self, path: &Path, task: &str) -> Result<(), String> {
        let next: Vec<_> =
            self.next.iter().map(|next| next.map_or("-".into(), |next| next.to_string())).collect();
        let text = format!("{task}\ntried {}\nnext {}\n", self.tried, next.join(" "));
        storage::save(path, text.as_bytes()).map_err(cli::failed("write", path))
    }
}
