//! The URLs of announce and scrape.

use thiserror::Error;

use crate::error::BufferTooSmall;
use crate::id::InfoHash;
use crate::text::Text;
use crate::tracker::announce::{Announce, AnnounceEvent};

/// A URL cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum UrlError {
    /// The buffer is too short: the caller's fault.
    #[error(transparent)]
    Buffer(#[from] BufferTooSmall),
    /// The tracker's URL contains a byte that is not valid there: a space, a line end, a fragment. It would
    /// change the meaning of the request.
    #[error("byte {0:#04x} is not valid in the URL of a tracker")]
    Byte(u8),
    /// The last part of the path does not begin with `announce`: this tracker cannot be scraped
    /// (BEP 48).
    #[error("the tracker cannot be scraped")]
    NoScrape,
}

/// Writes the URL of an announce (BEP 3, 23) and returns its length in bytes: the tracker's URL without blanks
/// around it, then the query. Compact peers are requested. `tracker_id` is that of the last answer.
///
/// ```
/// use bittorrent_pieces::tracker::{Announce, http};
/// use bittorrent_pieces::{InfoHash, PeerId};
///
/// let announce = Announce::started(InfoHash(*b"\x124Vx\x9A\xBC\xDE\xF1#Eg\x89\xAB\xCD\xEF\x124Vx\x9A"), PeerId([b'a'; 20]), 6881, 5);
/// let mut out = [0; 300];
/// let len = http::announce_url(b"http://t/announce", &announce, None, &mut out)?;
/// assert!(out[..len].starts_with(
///     b"http://t/announce?info_hash=%124Vx%9A%BC%DE%F1%23Eg%89%AB%CD%EF%124Vx%9A&peer_id=aaaa"
/// ));
/// # Ok::<(), http::UrlError>(())
/// ```
///
/// # Errors
///
/// [`UrlError`]
pub fn announce_url(
    tracker: &[u8],
    announce: &Announce,
    tracker_id: Option<&[u8]>,
    out: &mut [u8],
) -> Result<usize, UrlError> {
    let tracker = tracker.trim_ascii();
    check(tracker)?;
    let mut text = Text::new(out);
    text.raw(tracker);
    text.raw(joint(tracker));
    text.raw(b"info_hash=");
    text.percent(&announce.info_hash.0);
    text.raw(b"&peer_id=");
    text.percent(&announce.peer_id.0);
    for (key, value) in [
        (&b"&port="[..], u64::from(announce.port)),
        (b"&uploaded=", announce.uploaded),
        (b"&downloaded=", announce.downloaded),
        (b"&left=", announce.left),
    ] {
        text.raw(key);
        text.number(value);
    }
    text.raw(match announce.event {
        AnnounceEvent::None => b"",
        AnnounceEvent::Completed => b"&event=completed",
        AnnounceEvent::Started => b"&event=started",
        AnnounceEvent::Stopped => b"&event=stopped",
    });
    text.raw(b"&key=");
    text.hex(&announce.key.to_be_bytes());
    text.raw(b"&compact=1");
    if let Some(want) = announce.num_want {
        text.raw(b"&numwant=");
        text.number(u64::from(want));
    }
    if let Some(id) = tracker_id {
        text.raw(b"&trackerid=");
        text.percent(id);
    }
    Ok(text.finish()?)
}

/// Writes the URL of a scrape (BEP 48) and returns its length in bytes: `announce` after the last slash of the
/// path becomes `scrape`, and the info-hashes follow. Without any, all torrents are requested.
///
/// # Errors
///
/// [`UrlError`]
pub fn scrape_url(
    tracker: &[u8],
    torrents: &[InfoHash],
    out: &mut [u8],
) -> Result<usize, UrlError> {
    let tracker = tracker.trim_ascii();
    check(tracker)?;
    let path = tracker.split(|byte| *byte == b'?').next().unwrap_or_default();
    let slash = path.iter().rposition(|byte| *byte == b'/').ok_or(UrlError::NoScrape)?;
    let (front, back) = tracker.split_at_checked(slash).ok_or(UrlError::NoScrape)?;
    let back = back.strip_prefix(b"/announce").ok_or(UrlError::NoScrape)?;
    let mut text = Text::new(out);
    text.raw(front);
    text.raw(b"/scrape");
    text.raw(back);
    let mut joint = joint(tracker);
    for torrent in torrents {
        text.raw(joint);
        text.raw(b"info_hash=");
        text.percent(&torrent.0);
        joint = b"&";
    }
    Ok(text.finish()?)
}

fn check(tracker: &[u8]) -> Result<(), UrlError> {
    let odd = tracker.iter().find(|byte| !byte.is_ascii_graphic() || **byte == b'#');
    odd.map_or(Ok(()), |byte| Err(UrlError::Byte(*byte)))
}

/// Returns what stands between a URL and the first parameter.
fn joint(tracker: &[u8]) -> &'static [u8] {
    if tracker.contains(&b'?') { b"&" } else { b"?" }
}
