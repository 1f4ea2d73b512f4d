//! What must hold for any bytes: one function per decoder and per machine. The property tests and
//! the fuzz targets call the same ones.

#![allow(unreachable_pub, reason = "the fuzz crate includes this file")]

mod dht;
mod encryption;
mod extended;
mod fast;
mod fetch;
mod machine;
mod magnet;
mod peer_book;
mod tables;
mod tracker;
mod utp;
mod web_seed;

use bittorrent_pieces::bencode::{Limits, Mode, Token, Value, WriteError, Writer};
use bittorrent_pieces::merkle::PieceLayer;
use bittorrent_pieces::metainfo::{
    Content, ContentFile, MetainfoBuilder, MetainfoOptions, PathPolicy, PathSlot, SafePaths,
    Version,
};
use bittorrent_pieces::wire::{DecodeError, Handshake, Message};
use bittorrent_pieces::{Bitfield, Metainfo, PieceHashes, PieceIndex};

/// Holds for any bytes, or panics.
pub type Body = fn(&[u8]);

/// All bodies by name; the corpus of each lies in the folder of that name.
pub const BODIES: &[(&str, Body)] = &[
    ("bittorrent_bencode", bencode),
    ("bittorrent_metainfo", metainfo),
    ("bittorrent_wire", wire),
    ("bittorrent_bitfield", bitfield),
    ("bittorrent_picker", tables::picker),
    ("bittorrent_choker", tables::choker),
    ("bittorrent_torrent", machine::torrent),
    ("bittorrent_http", tracker::http),
    ("bittorrent_udp", tracker::udp),
    ("bittorrent_magnet", magnet::magnet),
    ("bittorrent_fast", fast::fast),
    ("bittorrent_extended", extended::extended),
    ("bittorrent_udp_tracker", tracker::udp_tracker),
    ("bittorrent_fetch", fetch::fetch),
    ("bittorrent_http_request", tracker::http_request),
    ("bittorrent_encryption", encryption::encryption),
    ("bittorrent_krpc", dht::krpc),
    ("bittorrent_dht", dht::node),
    ("bittorrent_peer_book", peer_book::peer_book),
    ("bittorrent_utp_packet", utp::packet),
    ("bittorrent_utp", utp::endpoint),
    ("bittorrent_web_seed", web_seed::web_seed),
];

/// Any bytes are a canonical value that is written back as it was, or an error; the lenient mode
/// accepts all that the strict one does; no prefix of a value is one.
pub fn bencode(bytes: &[u8]) {
    let strict = Value::decode(bytes, Mode::Strict, Limits::DEFAULT);
    let lenient = Value::decode(bytes, Mode::Lenient, Limits::DEFAULT);
    let Ok((value, rest)) = strict else {
        if let Ok((value, rest)) = lenient {
            assert_eq!(value.as_raw().len() + rest.len(), bytes.len());
            count(value);
        }
        return;
    };
    assert_eq!(lenient, strict, "the lenient mode accepts what the strict one does");
    let mut out = vec![0; value.as_raw().len()];
    let mut writer = Writer::new(&mut out);
    rewrite(value, &mut writer).expect("canonical values are in order");
    assert_eq!(writer.finish(), Ok(value.as_raw().len()));
    assert_eq!(out, value.as_raw());
    let (front, _) = bytes.split_at(bytes.len() - rest.len());
    for end in 0..front.len() {
        let cut = Value::decode(&front[..end], Mode::Strict, Limits::DEFAULT);
        assert!(cut.is_err(), "{cut:?}");
        if front.len() > 64 && end > 16 {
            break; // the rest would take square time
        }
    }
}

fn count(value: Value<'_>) -> usize {
    let inner = value.items().map(count).sum::<usize>();
    1 + inner + value.entries().map(|(_, value)| count(value)).sum::<usize>()
}

fn rewrite(value: Value<'_>, writer: &mut Writer<'_>) -> Result<(), WriteError> {
    match value.token() {
        Token::Int(int) => writer.int(int),
        Token::Bytes(bytes) => writer.bytes(bytes),
        Token::List => {
            writer.list(|list| value.items().try_for_each(|item| rewrite(item, list)))?;
        }
        Token::Dict => writer.dict(|dict| {
            // Each value is written again on its own, then taken in as it is.
            value.entries().try_for_each(|(key, value)| dict.value(key, value))
        })?,
        Token::End => panic!("a value never begins with its end"),
    }
    Ok(())
}

/// Any bytes are a torrent whose files add up and stay in their folder, and that can be written
/// canonically and read again; or an error.
pub fn metainfo(bytes: &[u8]) {
    let _ = Metainfo::decode(bytes, Mode::Strict);
    let Ok(torrent) = Metainfo::decode(bytes, Mode::Lenient) else { return };
    let mut end = 0;
    let mut content = 0;
    let v2 = torrent.info_hash_v2().is_some() && torrent.hashes().as_bytes().is_empty();
    let mut paths = Vec::new();
    for file in torrent.files() {
        let gap = file.offset() - end; // of v2, each file begins with a piece
        assert!(gap == 0 || v2 && gap < u64::from(torrent.geometry().full_piece_len()));
        end = file.offset() + file.len();
        content += file.len();
        let path: Vec<_> = file.raw_path().collect();
        paths.push((file.len(), path));
    }
    assert_eq!(end, torrent.geometry().total());
    assert_eq!(torrent.spans(0, u64::MAX).map(|span| span.len).sum::<u64>(), content);
    for tier in torrent.tiers().take(4) {
        let _ = tier.count();
    }
    let _ = Metainfo::from_info(torrent.info().as_raw(), Mode::Lenient);
    safe_paths(&torrent);
    // Links, unsafe names and what other programs write cannot be written again.
    let plain = |element: &&[u8]| !matches!(*element, b"" | b"." | b"..");
    if torrent.files().any(|file| file.is_symlink() || !file.raw_path().all(|it| plain(&it))) {
        return;
    }
    // Layers may be missing in lenient mode, since peers have them; what is written has all of them.
    let piece_len = u64::from(torrent.geometry().full_piece_len());
    if torrent.v2_files().any(|(file, layer)| file.len > piece_len && layer.is_none()) {
        return;
    }
    let single_v2 = torrent.is_single() && !torrent.hashes().layer().is_empty();
    let mut rooted = torrent.v2_files().filter(|_| v2);
    let mut layers = Vec::new();
    let mut files = Vec::new();
    for (len, path) in &paths {
        let rooted = if *len > 0 { rooted.next() } else { None };
        let layer = rooted.and_then(|(_, layer)| layer).map_or(&[][..], |layer| layer.hashes());
        layers.extend_from_slice(layer);
        files.push(ContentFile {
            len: *len,
            path: &path[1..],
            root: rooted.map(|(file, _)| file.root),
        });
    }
    // As they were read in lenient mode, files may be out of order.
    if v2 && !files.is_sorted_by(|one, other| one.path < other.path) {
        return;
    }
    let several = v2 && !torrent.is_single();
    let draft = MetainfoBuilder {
        announce: torrent.announce(),
        tiers: &[],
        name: torrent.name(),
        piece_len: torrent.geometry().full_piece_len(),
        hashes: if several { PieceHashes::v2(PieceLayer::new(&layers)) } else { torrent.hashes() },
        private: Some(torrent.is_private()),
        version: match (v2, single_v2) {
            (true, _) => Version::V2,
            (false, true) => Version::Hybrid,
            _ => Version::V1,
        },
        content: if torrent.is_single() { Content::Single(end) } else { Content::Multi(&files) },
        options: MetainfoOptions::default(),
    };
    let mut out = vec![0; bytes.len() + 64];
    let len = draft.encode(&mut out).expect("it says less than was read");
    let again = Metainfo::decode(&out[..len], Mode::Strict).expect("what we write is canonical");
    assert_eq!(again.geometry(), torrent.geometry());
    assert_eq!(again.files().count(), torrent.files().count());
}

/// The paths of a torrent stay inside of one folder, and no two are equal or of a file and its folder.
fn safe_paths(torrent: &Metainfo<'_>) {
    for policy in [PathPolicy::REFUSE, PathPolicy::SANITISE, PathPolicy::RENAME.for_windows()] {
        let slots = vec![PathSlot::EMPTY; torrent.path_slots()];
        let Ok(mut paths) = SafePaths::new(torrent, policy, slots) else { continue };
        let mut buf = [0; 4_096];
        let mut stored = std::collections::BTreeSet::new();
        while let Ok(Some(file)) = paths.next(&mut buf) {
            let path = file.path.as_str().to_lowercase();
            for element in
                path.split('/').chain(file.target.iter().flat_map(|it| it.as_str().split('/')))
            {
                assert!(!matches!(element, "" | "." | ".."), "{path}");
                assert!(!element.contains(['\\', '\0']) && element.len() <= 600, "{path}");
            }
            assert!(stored.insert(path), "{}", file.path);
        }
        let all: Vec<&String> = stored.iter().collect();
        for (at, path) in all.iter().enumerate() {
            let folder = format!("{path}/");
            assert!(!all[at..].iter().any(|other| other.starts_with(&folder)), "{path}");
        }
    }
}

/// Any bytes are messages that encode back to the same bytes, or an error; the error of a cut
/// message never asks for more than is missing.
pub fn wire(bytes: &[u8]) {
    if let Ok((handshake, rest)) = Handshake::decode(bytes) {
        let mut out = [0; Handshake::LEN];
        assert_eq!(handshake.encode(&mut out), Ok(Handshake::LEN));
        assert_eq!(out, bytes[..bytes.len() - rest.len()]);
        assert!(!handshake.to_string().is_empty());
    }
    let mut left = bytes;
    while let Ok((message, rest)) = Message::decode(left, 1 << 20) {
        let encoded = &left[..left.len() - rest.len()];
        let mut out = vec![0; message.encoded_len()];
        assert_eq!(message.encode(&mut out), Ok(encoded.len()));
        assert_eq!(out, encoded);
        let short = message.encode(&mut vec![0; out.len() - 1]).map_err(|error| error.needed);
        assert_eq!(short, Err(out.len()));
        assert!(!message.to_string().is_empty());
        let cut = encoded.len() / 2;
        match Message::decode(&encoded[..cut], 1 << 20) {
            Err(DecodeError::Incomplete { needed }) => {
                assert!(needed >= 1 && needed <= encoded.len() - cut);
            }
            other => panic!("a cut message is {other:?}"),
        }
        left = rest;
    }
}

/// Any bytes are a bitfield or not; counting, walking and setting agree with a plain vector.
pub fn bitfield(bytes: &[u8]) {
    let [low, high, bytes @ ..] = bytes else { return };
    let bits = u32::from(u16::from_le_bytes([*low, *high])) % 600;
    let expected = Bitfield::byte_len(bits);
    assert_eq!(expected, (bits as usize).div_ceil(8));
    let mut room = vec![0; expected];
    room.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    if let Ok(field) = Bitfield::new(bits, bytes) {
        assert_eq!(bytes.len(), expected);
        assert!(field.ones().all(|piece| piece.0 < bits));
    }
    assert!(bytes.len() == expected || Bitfield::new(bits, bytes).is_err());
    let mut field = match Bitfield::new(bits, room.clone()) {
        Ok(field) => field,
        Err(_) => Bitfield::new(bits, vec![0; expected]).expect("zeros are no spare bits"),
    };
    let mut model: Vec<bool> = (0..bits).map(|at| field.has(PieceIndex(at))).collect();
    for pair in bytes.chunks_exact(2) {
        let at = u32::from(u16::from_le_bytes([pair[0], pair[1]])) % 700;
        let before = model.get(at as usize).copied();
        if pair[0] & 1 == 0 {
            assert_eq!(field.set(PieceIndex(at)), before == Some(false));
        } else {
            assert_eq!(field.clear(PieceIndex(at)), before == Some(true));
        }
        if let Some(bit) = model.get_mut(at as usize) {
            *bit = pair[0] & 1 == 0;
        }
    }
    let ones: Vec<u32> = (0..bits).filter(|at| model[*at as usize]).collect();
    assert_eq!(field.ones().map(|piece| piece.0).collect::<Vec<_>>(), ones);
    assert_eq!(field.count_ones() as usize, ones.len());
    assert!(Bitfield::new(bits, field.as_bytes()).is_ok(), "setters leave spare bits alone");
    field.fill();
    assert!(field.is_full() && Bitfield::new(bits, field.as_bytes()).is_ok());
}
