//! The nodes that a node of the DHT knew in earlier runs, in a file: an address in each line.

use core::net::SocketAddr;
use core::time::Duration;
use std::path::{Path, PathBuf};
use std::time::Instant;

use examples::{storage, warning};

/// How often the file is written, if the nodes have changed.
const EVERY: Duration = Duration::from_secs(10);
/// The most nodes that are kept.
const MOST: usize = 200;

/// The file, and when it was last written.
pub struct Known {
    path: PathBuf,
    text: String,
    saved: Option<Instant>,
}

impl Known {
    /// Reads a file, which may not exist yet. Lines without an address are skipped: these nodes are found again. A file
    /// without any is another one, and is kept under another name.
    pub fn load(path: &Path) -> (Self, Vec<SocketAddr>) {
        let bytes = storage::load(path).unwrap_or_else(|error| {
            warning!("{}: {error}", path.display());
            None
        });
        let text = String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned();
        let nodes: Vec<_> =
            text.lines().filter_map(|line| line.trim().parse().ok()).take(MOST).collect();
        if nodes.is_empty() && !text.trim().is_empty() {
            match storage::set_aside(path) {
                Ok(kept) => {
                    warning!("{} lists no nodes; kept as {}", path.display(), kept.display());
                }
                Err(error) => warning!("{}: {error}", path.display()),
            }
        }
        (Self { path: path.to_owned(), text, saved: None }, nodes)
    }

    /// Writes the file now and then.
    pub fn save_if_due(&mut self, nodes: impl Iterator<Item = SocketAddr>) {
        if self.saved.is_none_or(|saved| saved.elapsed() >= EVERY) {
            self.save(nodes);
        }
    }

    /// Writes the file if the nodes have changed. Where none is known, those of the earlier run stay.
    pub fn save(&mut self, nodes: impl Iterator<Item = SocketAddr>) {
        let mut nodes: Vec<_> = nodes.take(MOST).collect();
        nodes.sort_unstable();
        let text: String = nodes.iter().map(|addr| format!("{addr}\n")).collect();
        if text.is_empty() {
            return; // the next turn looks again
        }
        self.saved = Some(Instant::now());
        if text == self.text {
            return;
        }
        match storage::save(&self.path, text.as_bytes()) {
            Ok(()) => self.text = text,
            Err(error) => warning!("{}: {error}", self.path.display()),
        }
    }
}
