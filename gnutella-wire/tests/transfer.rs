//! Downloads in virtual time, from strangers as they were seen.

mod exchange;

use std::borrow::Cow;

use exchange::{Behaviour, MB, VERIFIED, World, address_of, file_of, info_of, seconds};
use gnutella_wire::huge::{Sha1, TigerRoot};
use gnutella_wire::thex::Shape;
use gnutella_wire::transfer::{
    DownloadCloseReason, DownloadConfig, DownloadEvent, FailReason, FileInfo, SourceFault,
};

/// One is slow, one lies in one range, one answers with less than was asked for.
fn fetch_from_three(size: usize) {
    let file = file_of(size);
    let mut world = World::new(&file);
    let slow = world.add(Behaviour { rate: 100_000, ..Behaviour::GOOD });
    let lie = 7_000_000;
    let liar =
        world.add(Behaviour { rate: 2_000_000, lies_at: Some(lie as usize), ..Behaviour::GOOD });
    let short = world.add(Behaviour { rate: 1_500_000, most: Some(512 << 10), ..Behaviour::GOOD });
    world.run(seconds(120));
    assert_eq!(world.outcome, VERIFIED);
    assert!(world.written == file, "byte for byte");
    assert_eq!(world.lost, [(liar, SourceFault::WrongBytes)]);
    assert!(world.delivered(slow) > 0);
    assert!(world.delivered(short) > 0);
    let block = Shape::customary(size as u64).span.max(256 << 10); // what a node of the tree covers
    assert_eq!(world.fetched_twice(), [(lie / block * block, (lie / block + 1) * block)]);
    let bad = format!("X-NAlt: {}\r\n", address_of(liar));
    assert!(world.heads(short).last().unwrap().contains(&bad), "the others are warned");
    let good = format!("X-Alt: {}", address_of(slow));
    assert!(world.heads(short).last().unwrap().contains(&good), "and hear of each other");
}

#[test]
fn a_swarm_with_a_liar_is_byte_exact_and_only_its_range_is_fetched_again() {
    fetch_from_three(20 * MB);
}

#[test]
#[ignore = "100 MB, optimised: .ci/nightly.d/gnutella.sh"]
fn a_swarm_of_100_mb_fetches_only_the_range_of_a_liar_again() {
    fetch_from_three(100 * MB);
}

/// Without a tree the SHA-1 hash shows that some source lied, and one source after the other is tried.
#[test]
fn a_liar_is_found_without_a_tree() {
    let file = file_of(2 * MB);
    let mut world = World::new(&file);
    let plain = Behaviour { tree: None, ..Behaviour::GOOD };
    let liar = world.add(Behaviour { lies_at: Some(100), ..plain.clone() });
    world.add(plain);
    world.run(seconds(120));
    assert_eq!(world.outcome, VERIFIED);
    assert!(world.written == file);
    assert_eq!(world.lost, [(liar, SourceFault::WrongBytes)]);
}

/// The root that a source announces is its word only: here it drives the honest ones away at first.
#[test]
fn a_wrong_tree_does_not_lead_to_a_wrong_file() {
    let file = file_of(3 * MB);
    let mut other = file.clone();
    other[1_500_000] ^= 1;
    let mut world = World::new(&file);
    let liar = world.add(Behaviour { lies_at: Some(1_500_000), ..Behaviour::GOOD });
    world.serve_tree_of(&other);
    world.add(Behaviour { rate: 300_000, tree: None, ..Behaviour::GOOD });
    world.run(seconds(200));
    assert_eq!(world.outcome, VERIFIED);
    assert!(world.written == file);
    assert_eq!(world.lost.last(), Some(&(liar, SourceFault::WrongBytes)));
}

/// A tree whose rows do not lead to the announced root is refused, and another source's is used.
#[test]
fn a_tree_with_another_root_is_refused() {
    let file = file_of(3 * MB);
    let mut world = World::new(&file);
    let bad = world.add(Behaviour { tree: Some(false), ..Behaviour::GOOD });
    world.run(seconds(60));
    assert_eq!(world.outcome, VERIFIED);
    assert_eq!(world.closed[0], (bad, DownloadCloseReason::Malformed));
    let trees = world.heads(bad).iter().filter(|head| head.contains("/uri-res/N2X?")).count();
    assert_eq!(trees, 1, "asked for once");
}

/// A source that announces a tree and does not send it is asked for the file, on the same connection.
#[test]
fn a_refused_tree_does_not_cost_the_connection() {
    let chunks = "Transfer-Encoding: chunked\r\n\r\n9\r\nNot Found\r\n0\r\nX-Trailer: 1\r\n\r\n";
    let refusals = [
        "HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nNot Found",
        &format!("HTTP/1.1 404 Not Found\r\n{chunks}"),
        &format!("HTTP/1.1 200 OK\r\nContent-Type: application/dime\r\n{chunks}"),
        &format!("HTTP/1.1 302 Found\r\nLocation: /login\r\n{chunks}"),
        &format!("HTTP/1.1 503 Busy\r\n{chunks}"),
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Type: application/tigertree-breadthfirst\r\nContent-Length: 5\r\n\r\nnodes",
    ];
    for refusal in refusals {
        let refusal = Cow::<str>::Owned(refusal.to_string());
        let file = file_of(3 * MB);
        let mut world = World::new(&file);
        let source = world.add(Behaviour { no_tree: Some(refusal.clone()), ..Behaviour::GOOD });
        world.run(seconds(60));
        assert_eq!(world.outcome, VERIFIED, "{refusal}");
        assert_eq!(world.dials.len(), 1, "{refusal}");
        let trees = world.heads(source).iter().filter(|head| head.contains("/uri-res/N2X?"));
        assert_eq!(trees.count(), 1, "{refusal}");
    }
}

#[test]
fn hashes_that_contradict_each_other_end_the_download() {
    let file = file_of(MB);
    let info = info_of(&file);
    let wrong = FileInfo { sha1: Some(Sha1([1; 20])), ..info };
    let mut world = World::new(&file);
    let root = world.root();
    world =
        World::of(&file, DownloadConfig::CUSTOMARY, FileInfo { root: Some(root), ..wrong }, &[]);
    world.add(Behaviour::GOOD);
    world.run(seconds(60));
    assert_eq!(world.outcome, Some(DownloadEvent::Failed { reason: FailReason::HashesContradict }));
}

/// gtk-gnutella and Shareaza answer `bytes=0-` with 512 KiB or 1 MiB; some then close.
#[test]
fn short_answers_are_continued() {
    let file = file_of(5 * MB);
    for keep_alive in [true, false] {
        let mut world = World::new(&file);
        let short = Behaviour { most: Some(300_000), keep_alive, rate: 5 * MB, ..Behaviour::GOOD };
        let short = world.add(short);
        world.run(seconds(60));
        assert_eq!(world.outcome, VERIFIED);
        assert!(world.written == file);
        assert_eq!(world.fetched_twice(), []);
        let dials = if keep_alive { 1 } else { world.heads(short).len() };
        assert_eq!(world.dials.len(), dials, "keep-alive {keep_alive}");
    }
}

/// What a broken connection delivered is kept.
#[test]
fn an_answer_that_breaks_off_is_continued() {
    let file = file_of(2 * MB);
    let mut world = World::new(&file);
    world.add(Behaviour { drops_after: Some(400_000), ..Behaviour::GOOD });
    world.run(seconds(60));
    assert_eq!(world.outcome, VERIFIED);
    assert_eq!(world.fetched_twice(), []);
}

/// A source that never delivers is tried again after longer and longer waits, and given up.
#[test]
fn a_source_that_delivers_nothing_is_given_up() {
    let file = file_of(MB);
    let mut world = World::new(&file);
    let broken = world.add(Behaviour { drops_after: Some(0), ..Behaviour::GOOD });
    world.run(seconds(300));
    assert_eq!(world.lost, [(broken, SourceFault::Unreachable)]);
    assert_eq!(world.outcome, Some(DownloadEvent::OutOfSources));
    let waits: Vec<_> =
        world.dials.windows(2).map(|two| two[1].0.saturating_sub(two[0].0).as_secs()).collect();
    assert_eq!(waits, [5, 10, 20, 40]);
}

/// A file of this name that is another.
#[test]
fn another_file_is_not_mixed_in() {
    let file = file_of(2 * MB);
    let urn = "X-Content-URN: urn:sha1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n";
    for other in [
        Behaviour { headers: urn.into(), ..Behaviour::GOOD },
        Behaviour { status: Some(404), ..Behaviour::GOOD },
    ] {
        let mut world = World::new(&file);
        let stranger = world.add(other);
        world.add(Behaviour { rate: 500_000, ..Behaviour::GOOD });
        world.run(seconds(60));
        assert_eq!(world.outcome, VERIFIED);
        assert_eq!(world.delivered(stranger), 0);
        assert_eq!(world.lost.len(), 1);
        assert!(matches!(world.lost[0].1, SourceFault::OtherFile | SourceFault::Refused));
    }
}

/// A killed download continues with what is in the file, and what was wrong in it is found.
#[test]
fn a_download_resumes_with_what_is_written() {
    let file = file_of(8 * MB);
    let mut world = World::new(&file);
    world.add(Behaviour::GOOD);
    world.run(seconds(4));
    assert_eq!(world.outcome, None);
    let spans: Vec<_> = world.download.written().collect();
    let have: u64 = spans.iter().map(|(_, len)| len).sum();
    assert!(have > 2_000_000, "{spans:?}");
    let bytes = world.written.clone();
    let mut again = World::of(&file, DownloadConfig::CUSTOMARY, world.info(), &spans);
    again.written = bytes;
    again.written[10] ^= 1; // the disk lost a bit
    again.add(Behaviour::GOOD);
    assert_eq!(again.download.progress().written, have);
    again.run(seconds(60));
    assert_eq!(again.outcome, VERIFIED);
    assert!(again.written == file);
    let fetched = again.delivered(0);
    assert_eq!(fetched, 8_000_000 - have + (256 << 10), "the rest, and the block that was wrong");
    assert_eq!(again.lost, [], "nobody is blamed for what was there before");
}

/// A slow source does not hold up the end: what it was asked for is requested elsewhere.
#[test]
fn the_last_part_is_taken_from_a_slow_source() {
    let file = file_of(4 * MB);
    let mut world = World::new(&file);
    world.add(Behaviour { rate: 1_000, ..Behaviour::GOOD });
    world.add(Behaviour { rate: 2_000_000, ..Behaviour::GOOD });
    world.run(seconds(60));
    assert_eq!(world.outcome, VERIFIED);
    assert!(world.now < seconds(20), "{:?}", world.now);
}

/// Progress counts what is written and how fast it comes.
#[test]
fn progress_has_a_rate_and_an_estimate() {
    let file = file_of(20 * MB);
    let mut world = World::new(&file);
    world.add(Behaviour::GOOD);
    assert_eq!(world.download.progress().eta(), None);
    world.run(seconds(6));
    let progress = world.download.progress();
    assert_eq!(progress.size, 20_000_000);
    assert_eq!(progress.sending, 1);
    assert!((900_000..=1_100_000).contains(&progress.rate), "{progress:?}");
    let eta = progress.eta().unwrap().as_secs();
    assert!((12..=17).contains(&eta), "{eta}");
    let verified: u64 = world.download.verified().map(|(_, len)| len).sum();
    assert_eq!(progress.verified, verified);
    assert!(verified > 3_000_000 && verified <= progress.written);
}

#[test]
fn an_empty_file_is_complete_at_once() {
    let mut world = World::new(&[]);
    world.run(seconds(1));
    assert_eq!(world.outcome, VERIFIED);
}

/// Without a hash the file is requested by index and name from the sources that the caller names.
#[test]
fn a_file_without_a_hash_is_fetched_by_its_name() {
    let file = file_of(MB);
    let info = FileInfo { size: file.len() as u64, sha1: None, root: None, name: b"Hey Jude.mp3" };
    let mut world = World::of(&file, DownloadConfig::CUSTOMARY, info, &[]);
    let only = world.add(Behaviour { headers: "X-Alt: 10.0.0.9\r\n".into(), ..Behaviour::GOOD });
    world.run(seconds(10));
    assert_eq!(world.outcome, Some(DownloadEvent::Completed { verified: false }));
    assert!(world.written == file);
    assert!(world.heads(only)[0].starts_with("GET /get/0/Hey%20Jude.mp3 HTTP/1.1\r\n"));
    assert_eq!(world.download.sources().count(), 1);
}

/// A root from a hit is trusted: a source that announces another is not asked for its tree.
#[test]
fn a_known_root_is_not_replaced() {
    let file = file_of(2 * MB);
    let info = FileInfo { root: Some(TigerRoot([9; 24])), ..info_of(&file) };
    let mut world = World::of(&file, DownloadConfig::CUSTOMARY, info, &[]);
    let only = world.add(Behaviour::GOOD);
    world.run(seconds(10));
    assert_eq!(world.outcome, VERIFIED);
    assert!(world.heads(only).iter().all(|head| !head.contains("N2X")));
}
