//! Writing a link.

use core::fmt::Write as _;
use core::ops::RangeInclusive;

use super::{InfoHashV2, SCHEME};
use crate::text::Text;
use crate::tracker::http::Contact;
use crate::{BufferTooSmall, InfoHash};

/// What a link says, to be written. One of the hashes is needed for a link that can be read.
#[derive(Debug, Clone, Copy, Default)]
pub struct MagnetDraft<'a> {
    /// The hash of a v1 or hybrid torrent.
    pub v1: Option<InfoHash>,
    /// The hash of a v2 or hybrid torrent.
    pub v2: Option<InfoHashV2>,
    /// The name to show.
    pub name: Option<&'a [u8]>,
    /// URLs of trackers.
    pub trackers: &'a [&'a [u8]],
    /// Peers to ask.
    pub peers: &'a [Contact<'a>],
    /// Files to fetch, by number from 0; all if empty (BEP 53).
    pub select_only: &'a [RangeInclusive<u32>],
}

impl MagnetDraft<'_> {
    /// Writes the link and returns its length.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] with the length of the whole.
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let mut text = Text::new(out);
        text.raw(SCHEME);
        let mut joint: &[u8] = b"";
        let mut key = |text: &mut Text<'_>, key: &[u8]| {
            text.raw(core::mem::replace(&mut joint, b"&"));
            text.raw(key);
        };
        if let Some(InfoHash(hash)) = &self.v1 {
            key(&mut text, b"xt=urn:btih:");
            text.hex(hash);
        }
        if let Some(InfoHashV2(hash)) = &self.v2 {
            key(&mut text, b"xt=urn:btmh:1220");
            text.hex(hash);
        }
        if let Some(name) = self.name {
            key(&mut text, b"dn=");
            text.percent(name);
        }
        for tracker in self.trackers {
            key(&mut text, b"tr=");
            text.percent(tracker);
        }
        for peer in self.peers {
            key(&mut text, b"x.pe=");
            let _ = write!(text, "{}", peer.host); // writing text counts on and never fails
            text.raw(b":");
            text.number(u64::from(peer.port));
        }
        for (nth, range) in self.select_only.iter().enumerate() {
            if nth == 0 {
                key(&mut text, b"so=");
            } else {
                text.raw(b",");
            }
            text.number(u64::from(*range.start()));
            if range.end() != range.start() {
                text.raw(b"-");
                text.number(u64::from(*range.end()));
            }
        }
        text.finish()
    }
}
