//! What programs of many makers send and no specification says: patches of all widths, extensions and hits of other
//! makers, lines of OpenNap with fields left out.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use gnutella_wire::Text;
use gnutella_wire::ggep::Block;
use gnutella_wire::huge::{Part, Urn};
use gnutella_wire::opennap::{Bound, Frame, Kind, LinkType, Message};
use gnutella_wire::qrp::TableReceiver;
use gnutella_wire::wire::{Compressor, HitData, Patch, Qrp, QueryHit, Reset};

// Tables, extensions and hits.

/// A table in one message of each width, by a sender whose infinity is not 7.
#[test]
fn patches_of_every_width_and_infinity() {
    let rows: [(u8, u8, &[u8]); 5] = [
        (1, 1, &[0x20, 0x40]),
        (2, 2, &[0x0C, 0x00, 0x30, 0x00]), // gtk-gnutella: -1
        (4, 2, &[0x00, 0xF0, 0, 0, 0x0F, 0, 0, 0]),
        (8, 2, &[0, 0, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0, 0, 0, 0, 0, 0]),
        (8, 127, &[0, 0, 0x82, 0, 0, 0, 0, 0, 0, 0x82, 0, 0, 0, 0, 0, 0]),
    ];
    for (bits, infinity, data) in rows {
        let mut table = TableReceiver::new([0; 2]).unwrap();
        table.handle_reset(Reset { slots: 16, infinity }).unwrap();
        let patch =
            Patch { seq_no: 1, seq_size: 1, compressor: Compressor::NONE, entry_bits: bits, data };
        table.handle(&Qrp::Patch(patch)).unwrap();
        assert_eq!(table.table().unwrap().as_bytes(), [0x20, 0x40], "{bits} bits, {infinity}");
    }
}

/// A block with an unknown extension, one that is there twice, an empty one, and one with the longest name.
#[test]
fn extensions_that_nobody_knows_or_that_are_there_twice() {
    let begin = b"\xC3\x02ZZ\x41?\x02VC\x45LIME\x45\x02VC\x45GTKG\x83";
    let end = b"\x01A\x40\x8FABCDEFGHIJKLMNO\x42hi\x1Curn:";
    let reserved = [&begin[..], b"\x11B\x40", end].concat();
    assert!(Block::decode(&reserved).is_err(), "a flags byte with the reserved bit");
    let sound = [&begin[..], end].concat();
    let (block, rest) = Block::decode(&sound).unwrap();
    assert_eq!(rest, b"\x1Curn:");
    assert_eq!(block.extensions().count(), 5);
    assert_eq!(block.find(b"VC").unwrap().data(), b"LIME\x45", "the first counts");
    assert_eq!(block.find(b"A").unwrap().data(), b"");
    assert_eq!(block.find(b"ABCDEFGHIJKLMNO").unwrap().data(), b"hi");
    assert!(block.find(b"QK").is_none());
}

fn hit(count: u8, records: &[u8], data: &[u8]) -> Vec<u8> {
    let start = [count, 0xCA, 0x18, 198, 51, 100, 7, 0x5E, 1, 0, 0];
    [&start[..], records, data, &[9; 16]].concat()
}

/// Of two records one has a URN, metadata of bitrate and length as old servents wrote them, and a block.
#[test]
fn a_hit_with_metadata_in_its_areas() {
    let records = b"\x01\0\0\0\x10\x27\0\0a.mp3\0urn:sha1:PLSTHIPQGSSZTS5FJUPAKUZWUGYQYPFB\x1C\
        192 Kbps 44 kHz 3:07\x1C\xC3\x82BH\x40\0\x02\0\0\0\xFF\xFF\xFF\xFFb.iso\0\xC3\x82LF\x45\x01\x01\x01\x01\x02\0";
    let bytes = hit(2, records, b"BEAR\x02\x1C\x19\x02");
    let hit = QueryHit::decode(&bytes).unwrap();
    let found: Vec<_> = hit.records.iter().collect();
    assert_eq!(found.len(), 2);
    let parts: Vec<_> = found[0].parts().map(Result::unwrap).collect();
    assert_eq!(parts.len(), 3);
    let Part::Gem(urn) = parts[0] else { panic!("{}", parts[0]) };
    assert!(Urn::parse(urn.as_bytes()).is_some());
    assert!(matches!(parts[1], Part::Gem(_)) && matches!(parts[2], Part::Ggep(_)));
    assert_eq!(found[1].file_size(), 0x02_0101_0101);
    assert_eq!(hit.data.flags().unwrap().stable, Some(true));
}

/// XML that is announced but not there costs only itself; the extensions before it are read.
#[test]
fn a_hit_whose_xml_is_cut_off() {
    let sound = HitData::new(b"LIME\x04\x3C\x31\x05\x00\xC3\x82BH\x40<a/>\0");
    assert_eq!(
        (sound.private(), sound.xml()),
        (Some(&b"\xC3\x82BH\x40"[..]), Some(&b"<a/>\0"[..]))
    );
    let cut = HitData::new(b"LIME\x04\x3C\x31\x90\x01\xC3\x82BH\x40");
    assert_eq!((cut.private(), cut.xml()), (Some(&b"\xC3\x82BH\x40"[..]), None));
    let longer = HitData::new(b"RAZA\x06\x3C\x31\x00\x00\x00\x00\xC3\x82BH\x40");
    assert_eq!(longer.private(), Some(&b"\xC3\x82BH\x40"[..]));
    assert_eq!(HitData::new(b"MRPH\x01\x04").flags(), None);
    assert_eq!(HitData::new(b"GIFT\x04\x1C").flags(), None, "open data cut off");
}

/// Hits of 0.4, and with more records than LimeWire reads.
#[test]
fn hits_without_data_and_with_many_records() {
    let record = b"\x01\0\0\0\x10\x27\0\0a.mp3\0\0";
    let bytes = hit(1, record, b"");
    let bare = QueryHit::decode(&bytes).unwrap();
    assert_eq!((bare.data.vendor(), bare.data.flags()), (None, None));
    let bytes = hit(64, &record.repeat(64), b"RAZA\x02\x3C\x31");
    let many = QueryHit::decode(&bytes).unwrap();
    assert_eq!(many.records.iter().count(), 64);
}

// OpenNap.

fn read(kind: Kind, data: &[u8]) -> Message<'_> {
    Message::from_frame(Frame { kind, data }).unwrap()
}

#[test]
fn logins_with_fields_left_out() {
    for data in [
        "ann pw 6699 \"nap v0.8\" 8",
        "ann pw 6699 \"nap v0.8\"",
        "ann pw 6699",
        "ann pw 6699 nap 8 31457",
    ] {
        let Message::Login(login) = read(Kind::LOGIN, data.as_bytes()) else { panic!("{data}") };
        assert_eq!((login.nick.as_bytes(), login.port), (&b"ann"[..], 6699), "{data}");
    }
    for data in ["ann", "ann pw", "ann pw port", "ann pw 66990", ""] {
        assert!(
            Message::from_frame(Frame { kind: Kind::LOGIN, data: data.as_bytes() }).is_err(),
            "{data}"
        );
    }
}

#[test]
fn shares_and_rows_with_fields_left_out() {
    for data in [
        "\"a.mp3\" 00 1234 128 44100 60",
        "\"a.mp3\" 00 1234 128",
        "\"a.mp3\" 00 1234",
        "\"a.mp3\" 00 1234 VBR 44100 3:07",
    ] {
        let Message::Share(file) = read(Kind::SHARE, data.as_bytes()) else { panic!("{data}") };
        assert_eq!(file.size, 1234, "{data}");
    }
    let rows = [
        "\"a.mp3\" 00 1234 128 44100 60 ann 16777226 8 9",
        "\"a.mp3\" 00 1234 128 44100 60 ann 16777226",
    ];
    for data in rows {
        let Message::Found(found) = read(Kind::FOUND, data.as_bytes()) else { panic!("{data}") };
        assert_eq!(found.nick.as_bytes(), b"ann", "{data}");
    }
    let wide =
        Frame { kind: Kind::FOUND, data: b"\"a.mp3\" 00 1234 128 44100 60 ann 4877911892 8" };
    assert!(Message::from_frame(wide).is_err(), "an address beyond 32 bits never wraps");
}

#[test]
fn sources_and_notices_with_fields_left_out() {
    for (data, link) in [
        ("ann 16777226 6699 \"a.mp3\" 00 8", 8),
        ("ann 16777226 6699 \"a.mp3\" 00", 0),
        ("ann 16777226 0 \"a.mp3\" firewallerror 999", 0),
        ("ann 16777226 6699 \"a.mp3\"", 0),
    ] {
        let Message::DownloadAck(source) = read(Kind::DOWNLOAD_ACK, data.as_bytes()) else {
            panic!("{data}")
        };
        assert_eq!(
            (source.name.as_bytes(), source.link),
            (&b"a.mp3"[..], LinkType(link)),
            "{data}"
        );
    }
    assert!(matches!(read(Kind::USER_ON, b"ann"), Message::UserOn(_, LinkType(0))));
    assert!(matches!(read(Kind::SPEED, b"ann 300"), Message::Speed(_, LinkType(0))));
    assert!(matches!(read(Kind::STATS, b"553 64692"), Message::Stats(553, 64692, 0)));
    assert!(matches!(read(Kind::STATS, b""), Message::StatsRequest));
}

/// A tuple that is too short does not swallow the name of the next file.
#[test]
fn a_folder_with_a_short_tuple() {
    let data =
        b"\"C:\\music\\\" \"a.mp3\" 00 11 \"b.mp3\" 00 22 128 44100 60 \"c.mp3\" NOMD5COMPUTED 33";
    let Message::ShareFolder(folder) = read(Kind::SHARE_FOLDER, data) else { panic!("a folder") };
    let files: Vec<_> = folder.files().map(Result::unwrap).collect();
    let sizes: Vec<_> = files.iter().map(|file| (file.name.as_bytes(), file.size)).collect();
    assert_eq!(sizes, [(&b"a.mp3"[..], 11), (b"b.mp3", 22), (b"c.mp3", 33)]);
    assert_eq!((files[0].bitrate, files[1].bitrate), (0, 128));
}

/// Searches with words in any case, and with parts that this crate does not store.
#[test]
fn searches_with_parts_of_other_servers() {
    let data =
        b"filename contains \"hey jude\" Max_Results \"50\" TYPE mp3 BITRATE \"at least\" \"128\" \
        SIZE \"AT BEST\" 9000000 LOCAL_ONLY WMA-FILE";
    let Message::Search(search) = read(Kind::SEARCH, data) else { panic!("a search") };
    assert_eq!(search.artist.map(Text::as_bytes), Some(&b"hey jude"[..]));
    assert_eq!((search.max_results, search.bitrate), (Some(50), Some(Bound::AtLeast(128))));
    let unknown = Frame { kind: Kind::SEARCH, data: b"COLOUR red" };
    assert!(Message::from_frame(unknown).is_err());
}
