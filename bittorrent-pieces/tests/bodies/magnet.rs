//! Body of magnet links.

use bittorrent_pieces::magnet::{Magnet, MagnetBuilder};

/// Any bytes are a link or not; what was read can be written, and read again as the same.
pub fn magnet(bytes: &[u8]) {
    let Ok(magnet) = Magnet::parse(bytes) else { return };
    let name = magnet.name().map(|name| name.bytes().collect::<Vec<_>>());
    let trackers: Vec<Vec<u8>> = magnet.trackers().map(|url| url.bytes().collect()).collect();
    let slices: Vec<&[u8]> = trackers.iter().map(Vec::as_slice).collect();
    let peers: Vec<_> = magnet.peers().collect();
    let ranges = magnet.select_only().into_iter().flatten();
    let ranges: Vec<_> = ranges.flatten().collect();
    assert!(
        ranges.iter().all(|range| magnet.selects(*range.start()) && magnet.selects(*range.end()))
    );
    let draft = MagnetBuilder {
        v1: magnet.v1(),
        v2: magnet.v2(),
        name: name.as_deref(),
        trackers: &slices,
        peers: &peers,
        select_only: &ranges,
    };
    let needed = draft.encode(&mut []).expect_err("a link has a scheme").needed;
    let mut out = vec![0; needed];
    assert_eq!(draft.encode(&mut out), Ok(needed));
    let Ok(again) = Magnet::parse(&out) else {
        assert!(needed > bittorrent_pieces::magnet::MAX_LEN, "escapes made it longer");
        return;
    };
    assert_eq!((again.v1(), again.v2()), (magnet.v1(), magnet.v2()));
    assert_eq!(again.name().map(|name| name.bytes().collect()), name);
    assert!(again.trackers().map(|url| url.bytes().collect::<Vec<_>>()).eq(trackers));
    assert!(again.peers().eq(peers));
    let same = again.select_only().into_iter().flatten().map(|range| range.expect("written"));
    assert!(same.eq(ranges));
}
