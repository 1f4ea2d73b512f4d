//! Writing a link.

use core::fmt::Write as _;
use core::ops::RangeInclusive;

use super::SCHEME;
use crate::error::BufferTooSmall;
use crate::id::{InfoHash, InfoHashV2};
use crate::text::Text;
use crate::tracker::http::Contact;

/// The contents of a link to be written. A link without a hash cannot be parsed.
///
/// ```
/// use bittorrent_pieces::InfoHash;
/// use bittorrent_pieces::magnet::MagnetBuilder;
///
/// let mut link = MagnetBuilder::default();
/// link.v1 = Some(InfoHash([0xAA; 20]));
/// link.name = Some(b"an image");
/// let mut out = [0; 100];
/// let len = link.encode(&mut out)?;
/// assert!(out[..len].ends_with(b"aaaa&dn=an%20image"));
/// # Ok::<(), bittorrent_pieces::BufferTooSmall>(())
/// ```
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::exhaustive_structs, reason = "built as a literal")]
pub struct MagnetBuilder<'a> {
    /// The hash of a v1 or hybrid torrent.
    pub v1: Option<InfoHash>,
    /// The hash of a v2 or hybrid torrent.
    pub v2: Option<InfoHashV2>,
    /// The display name.
    pub name: Option<&'a [u8]>,
    /// URLs of trackers.
    pub trackers: &'a [&'a [u8]],
    /// Peers to connect to.
    pub peers: &'a [Contact<'a>],
    /// The files to fetch, by number from 0; all if empty (BEP 53).
    pub select_only: &'a [RangeInclusive<u32>],
}

impl MagnetBuilder<'_> {
    /// Writes the link and returns its length in bytes.
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
