//! Which files of a torrent are fetched: by their numbers, as in magnet links (BEP 53).

use core::ops::RangeInclusive;

use bittorrent_pieces::bitfield::Bitfield;
use bittorrent_pieces::magnet::Magnet;
use bittorrent_pieces::{Geometry, Metainfo, PieceIndex};

use super::storage::empty_bitfield;

/// Ranges of file numbers from 0, both ends included.
pub type Numbers = Vec<RangeInclusive<u32>>;

/// Reads ranges of numbers such as `0,2,4-6`.
pub fn parse(text: &str) -> Result<Numbers, String> {
    let wrong = || format!("'{text}' is not a list of file numbers such as 0,2,4-6");
    if text.bytes().any(|byte| !matches!(byte, b'0'..=b'9' | b',' | b'-')) {
        return Err(wrong());
    }
    let link = format!("magnet:?xt=urn:btih:{:040}&so={text}", 0);
    let magnet = Magnet::parse(link.as_bytes()).map_err(|_| wrong())?;
    let ranges = magnet.select_only().ok_or_else(wrong)?;
    let ranges: Numbers = ranges.collect::<Result<_, _>>().map_err(|_| wrong())?;
    if ranges.is_empty() { Err(wrong()) } else { Ok(ranges) }
}

/// Returns which files are fetched, one entry for each: by the numbers of the user, or else of the link.
pub fn files(metainfo: &Metainfo<'_>, numbers: Option<&Numbers>) -> Result<Vec<bool>, String> {
    let count = metainfo.files().count();
    let Some(numbers) = numbers else { return Ok(vec![true; count]) };
    let selected = |number: usize| {
        let number = u32::try_from(number).ok();
        number.is_some_and(|number| numbers.iter().any(|range| range.contains(&number)))
    };
    let selected: Vec<bool> = (0..count).map(selected).collect();
    if selected.contains(&true) {
        return Ok(selected);
    }
    Err(format!("no such file: the numbers are 0 to {}", count.saturating_sub(1)))
}

/// Returns the pieces in which the selected files lie; `None` if that is all of them.
pub fn pieces(
    metainfo: &Metainfo<'_>,
    geometry: Geometry<'_>,
    selected: &[bool],
) -> Result<Option<Bitfield<Vec<u8>>>, String> {
    if selected.iter().all(|selected| *selected) {
        return Ok(None);
    }
    let mut wanted = empty_bitfield(geometry).map_err(|error| error.to_string())?;
    let piece_len = u64::from(geometry.full_piece_len());
    for (file, _) in metainfo.files().zip(selected).filter(|(_, selected)| **selected) {
        let pieces = file.offset() / piece_len..(file.offset() + file.len()).div_ceil(piece_len);
        let pieces = pieces.filter_map(|piece| u32::try_from(piece).ok());
        if !file.is_empty() {
            for piece in pieces {
                wanted.set(PieceIndex(piece));
            }
        }
    }
    Ok(Some(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_ranges_are_read() {
        assert_eq!(parse("0,2,4-6"), Ok(vec![0..=0, 2..=2, 4..=6]));
        for wrong in ["", "a", "1-", "3-1", "1,,2", "-1", "1&dn=x"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
