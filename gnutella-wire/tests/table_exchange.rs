//! How a servent's query-routing table reaches its neighbours: once, compressed where they read that, and then
//! only what changed.

use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;

use gnutella_wire::deflate::Inflater;
use gnutella_wire::head::{Head, HeadLimits};
use gnutella_wire::huge::{Sha1, Urn};
use gnutella_wire::qrp::{KeywordHash, QueryTable, TableReceiver};
use gnutella_wire::wire::{ByeCode, Compressor, Function, HEADER_LEN, Header, Patch, Payload, Qrp};
use gnutella_wire::{
    CloseReason, Config, ConnId, Event, Guid, Neighbour, Servent, ServentId, ServentLimits,
    ServentVec,
};

type Net = Servent<ServentVec>;

const A: ConnId = ConnId(0);
const B: ConnId = ConnId(1);

/// What a neighbour receives of the table.
struct Reader {
    table: TableReceiver<Vec<u8>>,
    inflater: Inflater<Vec<u8>>,
    resets: usize,
    patches: usize,
    bytes: usize,
    compressed: usize,
}

impl Reader {
    fn new() -> Self {
        Self {
            table: TableReceiver::new(vec![0; 1 << 14]).unwrap(),
            inflater: Inflater::new(vec![0; Inflater::WINDOW]).unwrap(),
            resets: 0,
            patches: 0,
            bytes: 0,
            compressed: 0,
        }
    }

    fn handle(&mut self, message: &[u8]) {
        let (header, payload) = message.split_at(HEADER_LEN);
        if header[16] != Function::QRP.0 {
            return;
        }
        self.bytes += message.len();
        match Qrp::decode(payload).unwrap() {
            Qrp::Patch(patch) => {
                self.patches += 1;
                self.compressed += usize::from(patch.compressor == Compressor::ZLIB);
                self.table.handle_compressed_patch(&patch, &mut self.inflater).unwrap();
            }
            reset @ Qrp::Reset(_) => {
                self.resets += 1;
                self.table.handle(&reset).unwrap();
            }
        }
    }

    fn has(&self, word: &str) -> bool {
        self.table.table().is_some_and(|table| table.contains(KeywordHash::of(word)))
    }
}

fn ultrapeer(encodings: &str) -> Neighbour {
    let head = format!(
        "GNUTELLA/0.6 200 OK\r\nX-Ultrapeer: True\r\nX-Query-Routing: 0.1\r\n\
         X-Ultrapeer-Query-Routing: 0.1\r\n{encodings}\r\n"
    );
    let (head, _) = Head::decode(head.as_bytes(), HeadLimits::GTKG).unwrap();
    Neighbour::of_head(&head)
}

fn servent(preset: fn(ServentId, SocketAddrV4) -> Config, tables: Option<usize>) -> Net {
    let address = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 1), 6346);
    let config = preset(ServentId([1; 16]), address);
    let mut limits = ServentLimits::of(&config);
    limits.tables = tables.unwrap_or(limits.tables);
    Servent::new(config, ServentVec::new(limits)).unwrap()
}

/// Passes what is due to the readers, at most `most` messages.
fn drain(servent: &mut Net, readers: &mut [(ConnId, Reader)], most: usize) {
    let mut buf = [0; Net::MAX_TRANSMIT_LEN];
    for _ in 0..most {
        let Some(sent) = servent.poll_transmit(&mut buf).unwrap() else { return };
        let reader = readers.iter_mut().find(|(conn, _)| *conn == sent.conn);
        reader.unwrap().1.handle(&buf[..sent.len]);
    }
}

const DEFLATE: &str = "Accept-Encoding: deflate\r\n";
const TEN: Duration = Duration::from_secs(10);

fn share_100(servent: &mut Net) {
    for n in 0..100 {
        servent.share(Duration::ZERO, &format!("Song number{n}.mp3"));
    }
}

fn share_1000(servent: &mut Net) {
    for n in 0..1_000 {
        servent.share(Duration::ZERO, &format!("number{n}"));
    }
}

/// G13: what gtk-gnutella sent in 96 bytes took 34 KB, twice.
#[test]
fn a_table_is_sent_once_compressed_and_then_only_what_changes() {
    let mut leaf = servent(Config::leaf, None);
    share_100(&mut leaf);
    leaf.handle_connected(Duration::ZERO, A, ultrapeer(DEFLATE)).unwrap();
    let mut readers = [(A, Reader::new())];
    drain(&mut leaf, &mut readers, 1_000);
    leaf.handle_timeout(TEN);
    drain(&mut leaf, &mut readers, 1_000);
    let reader = &readers[0].1;
    assert_eq!((reader.resets, reader.patches), (1, reader.compressed));
    assert!(reader.bytes < 3_000, "{} bytes", reader.bytes);
    assert!(reader.has("song") && reader.has("number42") && !reader.has("yesterday"));

    let before = reader.bytes;
    leaf.share(TEN, "Yesterday.mp3");
    leaf.handle_timeout(TEN * 2);
    drain(&mut leaf, &mut readers, 1_000);
    let reader = &readers[0].1;
    assert_eq!(reader.resets, 1, "an update needs no RESET");
    assert!(reader.bytes - before < 320, "{} bytes", reader.bytes - before);
    assert!(reader.has("song") && reader.has("yesterday"));

    leaf.unshare_all(TEN * 2);
    leaf.share(TEN * 2, "Jude.mp3");
    leaf.handle_timeout(TEN * 3);
    drain(&mut leaf, &mut readers, 1_000);
    let reader = &readers[0].1;
    assert_eq!(
        reader.resets, 2,
        "words went, which a folded table does not forget without a RESET"
    );
    assert!(reader.has("jude") && !reader.has("song") && !reader.has("yesterday"));
}

/// The hash of a file is a word of its own, with its prefix (HUGE 0.94).
#[test]
fn the_hashes_of_files_are_in_the_table() {
    let urn = Urn::Sha1(Sha1([7; 20]));
    let other = Urn::Sha1(Sha1(core::array::from_fn(|n| n as u8)));
    let mut leaf = servent(Config::leaf, None);
    leaf.share_urn(Duration::ZERO, &urn);
    leaf.handle_connected(Duration::ZERO, A, ultrapeer(DEFLATE)).unwrap();
    let mut readers = [(A, Reader::new())];
    drain(&mut leaf, &mut readers, 1_000);
    let table = readers[0].1.table.table().unwrap();
    assert_eq!(table.len(), 1);
    assert!(table.contains(urn.keyword_hash()) && !table.contains(other.keyword_hash()));
}

#[test]
fn a_neighbour_without_deflate_gets_plain_patches() {
    let mut leaf = servent(Config::leaf, None);
    share_100(&mut leaf);
    leaf.handle_connected(Duration::ZERO, A, ultrapeer("")).unwrap();
    let mut readers = [(A, Reader::new())];
    drain(&mut leaf, &mut readers, 1_000);
    let reader = &readers[0].1;
    assert_eq!((reader.resets, reader.compressed), (1, 0));
    assert!(reader.has("song") && reader.has("number42"));
}

/// Sharing while a table is on its way: it begins again, and is whole in the end.
#[test]
fn a_change_in_the_middle_of_a_table_leaves_no_mixture() {
    for tables in [2_048, 16_384] {
        for encodings in ["", DEFLATE] {
            let mut leaf = servent(Config::leaf, Some(tables));
            share_100(&mut leaf);
            leaf.handle_connected(Duration::ZERO, A, ultrapeer(encodings)).unwrap();
            let mut readers = vec![(A, Reader::new()), (B, Reader::new())];
            drain(&mut leaf, &mut readers, 2);
            leaf.share(Duration::ZERO, "Yesterday.mp3");
            leaf.handle_connected(Duration::ZERO, B, ultrapeer(encodings)).unwrap();
            drain(&mut leaf, &mut readers, 2);
            leaf.unshare_all(Duration::ZERO);
            leaf.share(Duration::ZERO, "Jude.mp3");
            leaf.handle_timeout(TEN);
            drain(&mut leaf, &mut readers, 1_000);
            for (_, reader) in &readers {
                assert!(reader.has("jude") && !reader.has("song") && !reader.has("yesterday"));
            }
        }
    }
}

/// A small device has room for one table: its neighbours get all of it when it changes.
#[test]
fn a_single_table_is_sent_whole() {
    let mut leaf = servent(Config::embedded_leaf, Some(2_048));
    leaf.share(Duration::ZERO, "Hey Jude.mp3");
    leaf.handle_connected(Duration::ZERO, A, ultrapeer(DEFLATE)).unwrap();
    let mut readers = [(A, Reader::new())];
    drain(&mut leaf, &mut readers, 1_000);
    assert!(readers[0].1.bytes < 160, "{} bytes", readers[0].1.bytes);
    leaf.share(TEN, "Yesterday.mp3");
    leaf.handle_timeout(TEN * 2);
    drain(&mut leaf, &mut readers, 1_000);
    let reader = &readers[0].1;
    assert_eq!(reader.resets, 2);
    assert!(reader.has("jude") && reader.has("yesterday"));
}

/// Two neighbours are sent the table by turns, since the second announces itself in the middle.
#[test]
fn tables_sent_by_turns_are_whole() {
    let mut node = servent(Config::ultrapeer, None);
    share_1000(&mut node);
    let mut readers = vec![(A, Reader::new()), (B, Reader::new())];
    node.handle_connected(Duration::ZERO, B, ultrapeer(DEFLATE)).unwrap();
    drain(&mut node, &mut readers, 4);
    node.handle_closed(Duration::ZERO, B);
    for conn in [ConnId(7), B] {
        node.handle_connected(Duration::ZERO, conn, ultrapeer(DEFLATE)).unwrap();
    }
    readers[1].1 = Reader::new();
    let mut buf = [0; Net::MAX_TRANSMIT_LEN];
    let mut seventh = Reader::new();
    for turn in 0.. {
        let Some(sent) = node.poll_transmit(&mut buf).unwrap() else { break };
        let reader = if sent.conn == B { &mut readers[1].1 } else { &mut seventh };
        reader.handle(&buf[..sent.len]);
        if turn == 2 {
            // A neighbour in an earlier slot begins in the middle of another's table.
            node.handle_closed(Duration::ZERO, ConnId(7));
            node.handle_connected(Duration::ZERO, ConnId(7), ultrapeer(DEFLATE)).unwrap();
            seventh = Reader::new();
        }
    }
    for reader in [&seventh, &readers[1].1] {
        assert!(reader.has("number942") && !reader.has("yesterday"));
    }
}

/// An ultrapeer sends its neighbours what its leaves gain and lose.
/// One neighbour gets a change, and another the whole table, message by message in turn.
#[test]
fn a_change_and_a_table_sent_by_turns_are_whole() {
    let mut leaf = servent(Config::leaf, None);
    share_100(&mut leaf);
    leaf.handle_connected(Duration::ZERO, A, ultrapeer(DEFLATE)).unwrap();
    let mut readers = vec![(A, Reader::new()), (B, Reader::new())];
    drain(&mut leaf, &mut readers, 1_000);
    share_1000(&mut leaf);
    leaf.handle_timeout(TEN);
    leaf.handle_connected(TEN, B, ultrapeer(DEFLATE)).unwrap();
    drain(&mut leaf, &mut readers, 1_000);
    for (conn, reader) in &readers {
        assert!(reader.has("song"), "{conn}");
        assert!((0..1_000).all(|n| reader.has(&format!("number{n}"))), "{conn}");
    }
    let [one, other] = &readers[..] else { panic!("two") };
    assert_eq!(one.1.table.table(), other.1.table.table());
    assert!(one.1.patches > 2 && other.1.patches > 1, "several messages each");
}

#[test]
fn an_ultrapeer_sends_updates_too() {
    let mut node = servent(Config::ultrapeer, None);
    node.share(Duration::ZERO, "Hey Jude.mp3");
    node.handle_connected(Duration::ZERO, A, ultrapeer(DEFLATE)).unwrap();
    let mut readers = vec![(A, Reader::new()), (B, Reader::new())];
    drain(&mut node, &mut readers, 1_000);
    node.share(TEN, "Yesterday.mp3");
    node.handle_connected(TEN, B, ultrapeer(DEFLATE)).unwrap();
    drain(&mut node, &mut readers, 1_000);
    node.handle_timeout(TEN * 2);
    drain(&mut node, &mut readers, 1_000);
    for (conn, reader) in &readers {
        assert_eq!(reader.resets, 1, "{conn}");
        assert!(reader.has("jude") && reader.has("yesterday"), "{conn}");
    }
}

/// The stream of a full and of a random table is what the inflater reads, whatever its messages are cut into.
#[test]
fn dense_tables_are_compressed_correctly() {
    for step in [1_u32, 30] {
        let mut leaf = servent(Config::leaf, Some(1 << 12));
        let mut expected = QueryTable::new(14, vec![0; 1 << 11]).unwrap();
        for n in (0..20_000_u32).step_by(step as usize) {
            leaf.share(Duration::ZERO, &format!("{:06x}", n.wrapping_mul(0x9E_3779) & 0xFF_FFFF));
        }
        leaf.handle_connected(Duration::ZERO, A, ultrapeer("")).unwrap();
        leaf.handle_connected(Duration::ZERO, B, ultrapeer(DEFLATE)).unwrap();
        let mut readers = vec![(A, Reader::new()), (B, Reader::new())];
        drain(&mut leaf, &mut readers, 10_000);
        let [(_, plain), (_, packed)] = &readers[..] else { panic!("two readers") };
        assert!(packed.compressed > 0 && plain.compressed == 0);
        expected.merge(&plain.table.table().unwrap()).unwrap();
        assert_eq!(packed.table.table().unwrap(), expected, "every {step}th");
    }
}

fn leaf_neighbour() -> Neighbour {
    let head = "GNUTELLA/0.6 200 OK\r\nX-Ultrapeer: False\r\nX-Query-Routing: 0.1\r\n\r\n";
    let (head, _) = Head::decode(head.as_bytes(), HeadLimits::GTKG).unwrap();
    Neighbour::of_head(&head)
}

/// Passes what a leaf sends to its ultrapeer, which inflates the patches that are compressed. Returns their number.
fn pass(leaf: &mut Net, node: &mut Net, inflater: &mut Inflater<Vec<u8>>, now: Duration) -> usize {
    let mut buf = [0; Net::MAX_TRANSMIT_LEN];
    let mut inflated = 0;
    while let Some(sent) = leaf.poll_transmit(&mut buf).unwrap() {
        let received = node.handle_bytes(now, A, &buf[..sent.len]).unwrap();
        assert_eq!(received.consumed, sent.len);
        let message = received.outcome.and_then(|handled| handled.message);
        let Some(Payload::Other(other)) = message.map(|message| message.payload) else { continue };
        if let Ok(Qrp::Patch(patch)) = Qrp::decode(other.body) {
            node.handle_compressed_patch(now, A, &patch, inflater).unwrap();
            inflated += usize::from(patch.compressor == Compressor::ZLIB);
        }
    }
    inflated
}

/// An ultrapeer reads the tables of its leaves, compressed or not, and passes on what is in them.
#[test]
fn an_ultrapeer_reads_the_tables_of_its_leaves() {
    for encodings in ["", DEFLATE] {
        let mut leaf = servent(Config::leaf, None);
        share_100(&mut leaf);
        leaf.handle_connected(Duration::ZERO, A, ultrapeer(encodings)).unwrap();
        let mut node = servent(Config::ultrapeer, None);
        node.handle_connected(Duration::ZERO, A, leaf_neighbour()).unwrap();
        node.handle_connected(Duration::ZERO, B, ultrapeer(DEFLATE)).unwrap();
        let mut inflater = Inflater::new(vec![0; Inflater::WINDOW]).unwrap();
        let mut readers = vec![(A, Reader::new()), (B, Reader::new())];
        for (round, word, lost) in [(1, "number42", "jude"), (2, "jude", "number42")] {
            let now = TEN * (round * 4);
            leaf.handle_timeout(now);
            let inflated = pass(&mut leaf, &mut node, &mut inflater, now);
            assert_eq!(inflated > 0, encodings == DEFLATE);
            for later in 1..4 {
                node.handle_timeout(now + TEN * later);
                drain(&mut node, &mut readers, 1_000);
            }
            assert_eq!(readers[0].1.bytes, 0, "a leaf is sent no table");
            let reader = &readers[1].1;
            assert!(reader.has(word) && !reader.has(lost), "round {round}, {encodings:?}");
            leaf.unshare_all(now);
            leaf.share(now, "Hey Jude.mp3");
        }
    }
}

/// A patch that is not compressed was read already, and a damaged stream ends the connection with bye 413.
#[test]
fn only_compressed_patches_are_inflated() {
    let mut node = servent(Config::ultrapeer, None);
    node.handle_connected(Duration::ZERO, A, leaf_neighbour()).unwrap();
    let mut inflater = Inflater::new(vec![0; Inflater::WINDOW]).unwrap();
    let mut buf = [0; Net::MAX_TRANSMIT_LEN];
    let mut byes = |node: &mut Net| {
        let mut byes = Vec::new();
        while let Some(sent) = node.poll_transmit(&mut buf).unwrap() {
            if buf[16] == Function::BYE.0 {
                byes.push(u16::from_le_bytes([buf[HEADER_LEN], buf[HEADER_LEN + 1]]));
            }
            assert_eq!(sent.conn, A);
        }
        byes
    };
    let patch =
        |compressor, data| Patch { seq_no: 1, seq_size: 1, compressor, entry_bits: 4, data };
    let plain = patch(Compressor::NONE, b"not a stream");
    node.handle_compressed_patch(Duration::ZERO, A, &plain, &mut inflater).unwrap();
    assert_eq!(byes(&mut node), [] as [u16; 0]);
    let damaged = patch(Compressor::ZLIB, b"not a stream");
    node.handle_compressed_patch(Duration::ZERO, A, &damaged, &mut inflater).unwrap();
    assert_eq!(byes(&mut node), [413]);
    let closed = core::iter::from_fn(|| node.poll_event());
    let reason = closed.filter_map(|event| match event {
        Event::Closed { conn: A, reason } => Some(reason),
        _ => None,
    });
    assert!(reason.eq([CloseReason::Dismissed(ByeCode::QRP)]));
    assert!(node.handle_compressed_patch(Duration::ZERO, B, &plain, &mut inflater).is_err());
}

/// Without memory for tables nothing is known of a leaf, so that it gets every query.
#[test]
fn without_memory_for_tables_leaves_get_all_queries() {
    for (tables, is_forwarded) in [(Some(0), true), (None, false)] {
        let mut node = servent(Config::ultrapeer, tables);
        node.handle_connected(Duration::ZERO, A, leaf_neighbour()).unwrap();
        node.handle_connected(Duration::ZERO, B, ultrapeer(DEFLATE)).unwrap();
        let mut leaf = servent(Config::leaf, None);
        leaf.share(Duration::ZERO, "Hey Jude.mp3");
        leaf.handle_connected(Duration::ZERO, A, ultrapeer("")).unwrap();
        let mut inflater = Inflater::new(vec![0; Inflater::WINDOW]).unwrap();
        pass(&mut leaf, &mut node, &mut inflater, Duration::ZERO);
        let payload = b"\x80\x00yesterday\x00";
        let len = payload.len() as u32;
        let header =
            Header { guid: Guid([9; 16]), function: Function::QUERY, ttl: 2, hops: 1, len };
        let query = [&header.to_bytes()[..], payload].concat();
        let received = node.handle_bytes(Duration::ZERO, B, &query).unwrap();
        let forward = received.outcome.and_then(|handled| handled.forward);
        let to_leaf = forward.is_some_and(|forward| node.targets(forward.to).any(|to| to == A));
        assert_eq!(to_leaf, is_forwarded, "{tables:?}");
    }
}

/// A servent over storage that was used begins without the words that were in it.
#[test]
fn used_storage_is_cleared() {
    let mut leaf = servent(Config::leaf, None);
    share_100(&mut leaf);
    let used = leaf.into_storage();
    let address = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 1), 6346);
    let mut leaf = Servent::new(Config::leaf(ServentId([1; 16]), address), used).unwrap();
    leaf.share(Duration::ZERO, "Yesterday.mp3");
    leaf.handle_connected(Duration::ZERO, A, ultrapeer(DEFLATE)).unwrap();
    let mut readers = [(A, Reader::new())];
    drain(&mut leaf, &mut readers, 1_000);
    assert!(readers[0].1.has("yesterday") && !readers[0].1.has("song"));
}
