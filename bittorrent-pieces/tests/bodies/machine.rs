//! Body of the torrent: any calls in any order, checked against the laws.

use core::time::Duration;

use bittorrent_pieces::choker::{Slots, UnchokeOrder};
use bittorrent_pieces::merkle::{MerkleHash, MerkleHasher, PieceLayer};
use bittorrent_pieces::torrent::{HASHES_LEN, transmit_len};
use bittorrent_pieces::wire::extended::EXTENDED;
use bittorrent_pieces::wire::fast::Fast;
use bittorrent_pieces::wire::hashes::{HashMessage, HashRange};
use bittorrent_pieces::wire::{Handshake, Message, Piece, Reserved};
use bittorrent_pieces::{
    Bitfield, Block, ChokerPolicy, Config, ConnId, Event, Geometry, InfoHash, Padding, PeerId,
    PieceHasher, PieceHashes, PieceIndex, Priority, Side, Torrent, TorrentContent, TorrentLimits,
    TorrentSetup, TorrentVec, V2File,
};
use sim::laws::{self, Input, Machine, Outcome};

const INFO_HASH: InfoHash = InfoHash([7; 20]);
/// The same torrent by version 2.
const INFO_HASH_V2: InfoHash = InfoHash([8; 20]);
/// All that is offered today: extended, fast, DHT, an upgrade to version 2.
const MODERN: Reserved = Reserved([0, 0, 0, 0, 0, 0x10, 0, 0x15]);

struct Driven<'t> {
    torrent: Torrent<TorrentVec>,
    content: &'t [u8],
    asked: Vec<(ConnId, Block)>, // what it asked for, so that answers can fit
    verify: Vec<PieceIndex>,     // what it wants to be checked
    root: MerkleHash,            // of the tree, if there is one
}

/// Reads bytes as a torrent and calls to it.
pub fn torrent(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let piece_len = [1, 16_384, 20_000, 40_000][input.below(4)];
    let word = input.u32() as usize;
    let total = (word % 100_000).min(piece_len * 9);
    let content: Vec<u8> = (0..total).map(|at| (at * 31 + at / 251) as u8).collect();
    let hashes: Vec<[u8; 20]> = content.chunks(piece_len).map(PieceHasher::digest).collect();
    let mut layer: Vec<MerkleHash> = content.chunks(piece_len).map(leaf).collect();
    let files = if word / 100_000 % 2 == 1 && piece_len == 16_384 {
        several(&content, &mut layer)
    } else {
        vec![]
    };
    let geometry = if files.is_empty() {
        Geometry::new(total as u64, piece_len as u32).expect("pieces have a length")
    } else {
        Geometry::of_files(&files, piece_len as u32).expect("files begin with a piece")
    };
    let partials = input.below(4);
    let peers = input.below(4);
    let have = if input.byte().is_multiple_of(3) { 0xFF } else { 0 };
    let mut field =
        Bitfield::new(geometry.pieces(), vec![0; Bitfield::byte_len(geometry.pieces())])
            .expect("zeros");
    if have != 0 {
        field.fill();
        field.clear(PieceIndex(u32::from(input.byte())));
    }
    let mut config = Config::new(INFO_HASH, PeerId([1; 20]));
    config.seed = input.u64();
    config.pipeline = u16::from(input.byte() % 8).max(1);
    config.upload_slots = input.byte() % 4;
    let warm = input.byte();
    let choice = input.byte();
    config.fast = choice & 1 == 0;
    config.peer_exchange = choice & 2 == 0;
    config.dht_port = (choice & 4 == 0).then_some(6881);
    config.holepunch = warm & 8 == 8;
    config.info_hash_v2 = (warm & 16 == 16).then_some(INFO_HASH_V2);
    config.super_seeding = choice & 64 == 64;
    config.whole_within = Duration::from_secs(u64::from(choice >> 7) * 20);
    let depth = 1 + usize::from(choice >> 3) % 9;
    let padding = Padding::of(geometry, total as u64 / 2, total as u64).collect::<Vec<_>>();
    let info = vec![b'x'; 20_000];
    let root = files.last().map_or(PieceLayer::new(&layer).root(16_384), |file| file.root);
    let new = || {
        let mut hashes = PieceHashes::new(&hashes);
        if !files.is_empty() {
            hashes = PieceHashes::v2(PieceLayer::new(&layer));
        } else if choice & 32 == 0 && piece_len == 16_384 {
            let layer = PieceLayer::new(&layer); // the leaves are the pieces
            hashes = PieceHashes::hybrid(hashes, layer).expect("as many");
        }
        let mut metainfo = TorrentContent::new(geometry, hashes);
        if choice & 8 == 0 {
            metainfo.info = &info;
        }
        if choice & 128 != 0 {
            metainfo.leaves = &layer;
            metainfo.runs = &layer;
        }
        if warm & 0x80 == 0x80 {
            metainfo.padding = &padding;
        }
        let limits = TorrentLimits {
            peers: peers as u16,
            open_pieces: partials as u16,
            pipeline: depth as u16,
        };
        let mut setup = TorrentSetup::new(config);
        setup.have = Some(field.as_view());
        let torrent = Torrent::new(setup, TorrentVec::new(&metainfo, limits));
        let torrent = torrent.expect("the storage fits");
        let mut driven = Driven { torrent, content: &content, asked: vec![], verify: vec![], root };
        for conn in (0..peers as u32).filter(|conn| warm >> conn & 1 == 1) {
            driven.warm_up(ConnId(conn), choice & 16 == 0);
        }
        driven
    };
    let rest = input.bytes(usize::MAX);
    laws::check(new, transmit_len(geometry.pieces()).max(HASHES_LEN), rest);
}

/// Cuts content into two files of v2, of which the first ends inside a piece: what follows in that piece is no
/// content. Returns none if there is too little.
fn several(content: &[u8], layer: &mut [MerkleHash]) -> Vec<V2File> {
    let first = content.len() / 16_384 / 2 * 16_384 + 5_000;
    let start = first.next_multiple_of(16_384);
    if content.len() <= start {
        return vec![];
    }
    let last = first / 16_384;
    layer[last] = leaf(&content[last * 16_384..first]);
    let file = |from: usize, len: usize, layer: &[MerkleHash]| V2File {
        first: PieceIndex((from / 16_384) as u32),
        len: len as u64,
        root: PieceLayer::new(layer).root(16_384),
    };
    let (front, back) = layer.split_at(start / 16_384);
    vec![file(0, first, front), file(start, content.len() - start, back)]
}

/// Hashes a block of a tree of v2.
fn leaf(block: &[u8]) -> MerkleHash {
    let mut hasher = MerkleHasher::new();
    hasher.update(block);
    hasher.finish(0)
}

impl Driven<'_> {
    /// Checks a piece in two slices, and perhaps bytes that are not those of storage.
    fn check(&mut self, now: Duration, piece: PieceIndex, flip: u8) -> Outcome {
        let offset = self.torrent.geometry().offset(piece) as usize;
        self.torrent.handle_timeout(now); // to begin a check does not see the time
        let Ok(mut check) = self.torrent.check(piece) else {
            return Outcome::Done("no check".into());
        };
        let mut bytes = self.content[offset..].to_vec();
        bytes[0] ^= flip;
        while let Some(block) = check.next(9_000) {
            check.hash_step(&bytes[block.begin as usize..][..block.len as usize]);
        }
        Outcome::of(self.torrent.handle_checked(now, check))
    }

    /// Lets a seed that wants something connect, so that short inputs get far.
    fn warm_up(&mut self, conn: ConnId, modern: bool) {
        let pieces = self.torrent.geometry().pieces();
        let mut bits = Bitfield::new(pieces, vec![0; Bitfield::byte_len(pieces)]).expect("zeros");
        bits.fill();
        let hello = Handshake {
            reserved: if modern { MODERN } else { Reserved::default() },
            info_hash: INFO_HASH,
            peer_id: PeerId([9; 20]),
        };
        let mut buf = vec![0; 200];
        let now = Duration::ZERO;
        self.torrent.handle_connected(now, conn, Side::Accepted).expect("there is a slot");
        let len = hello.encode(&mut buf).expect("it fits");
        self.torrent.handle_bytes(now, conn, &buf[..len]).expect("a handshake");
        let messages = [Message::Bitfield(bits.as_bytes()), Message::Unchoke, Message::Interested];
        for message in messages {
            let len = message.encode(&mut buf).expect("it fits");
            self.torrent.handle_bytes(now, conn, &buf[..len]).expect("a message");
        }
    }

    /// Gives a block that was asked for.
    fn answer(&mut self, now: Duration, input: &mut Input<'_>) -> Outcome {
        let nth = usize::from(input.byte()).min(self.asked.len().wrapping_sub(1));
        if self.asked.is_empty() {
            return Outcome::Refused("nothing was asked for".into());
        }
        let (conn, block) = self.asked.remove(nth);
        let start = self.torrent.geometry().offset(block.piece) as usize + block.begin as usize;
        let mut data = self.content[start..start + block.len as usize].to_vec();
        data[0] ^= u8::from(input.byte().is_multiple_of(8));
        let message = Message::Piece(Piece { piece: block.piece, begin: block.begin, data: &data });
        let mut out = vec![0; message.encoded_len()];
        message.encode(&mut out).expect("the length was asked for");
        Outcome::of(self.torrent.handle_bytes(now, conn, &out))
    }

    /// Spells a message that a peer might send.
    fn message(&self, input: &mut Input<'_>) -> Vec<u8> {
        let geometry = self.torrent.geometry();
        let piece = PieceIndex(u32::from(input.byte()) % (geometry.pieces() + 1));
        let block = geometry.block(piece, u32::from(input.byte()) % 3).unwrap_or(Block {
            piece,
            begin: u32::from(input.byte()),
            len: input.u32() % 20_000,
        });
        let mut bits = vec![0; Bitfield::byte_len(geometry.pieces())];
        let start = geometry.offset(piece) as usize + block.begin as usize;
        let mut data = self.content.get(start..start + block.len as usize).unwrap_or(&[]).to_vec();
        let message = match input.below(22) {
            0 => Message::Choke,
            1 | 2 => Message::Unchoke,
            3 => Message::Interested,
            4 => Message::NotInterested,
            5 => Message::Have(piece),
            6 | 7 => {
                for byte in &mut bits {
                    *byte = input.byte() | 0xA0;
                }
                if let Some(last) = bits.last_mut().filter(|_| !geometry.pieces().is_multiple_of(8))
                {
                    *last &= !(0xFF >> (geometry.pieces() % 8));
                }
                Message::Bitfield(&bits)
            }
            8 => Message::Request(block),
            9 => Message::Cancel(block),
            10..13 => {
                if let Some(byte) = data.first_mut().filter(|_| input.byte().is_multiple_of(8)) {
                    *byte ^= 1;
                }
                Message::Piece(Piece { piece, begin: block.begin, data: &data })
            }
            20 | 21 => {
                let index = u32::from(input.byte() % 9);
                let length = 1 << (input.byte() % 5);
                let proof_layers = u32::from(input.byte() % 4);
                let root = self.root;
                let base = u32::from(input.byte() % 8 == 7);
                let range = HashRange { root, base, index: index * length, length, proof_layers };
                let message = HashMessage::Request(range);
                let mut out = vec![0; message.encoded_len()];
                message.encode(&mut out).expect("the length was asked for");
                return out;
            }
            13 | 14 => {
                return fast(match input.below(6) {
                    0 => Fast::HaveAll,
                    1 => Fast::HaveNone,
                    2 => Fast::Suggest(piece),
                    3 => Fast::AllowedFast(piece),
                    _ => self
                        .asked
                        .first()
                        .map_or(Fast::Reject(block), |(_, block)| Fast::Reject(*block)),
                });
            }
            15..=19 => {
                let payload = match input.below(9) {
                    0 => b"\0d1:md12:ut_holepunchi5e11:ut_metadatai3e6:ut_pexi4ee1:pi99e4:reqqi3ee"
                        .to_vec(),
                    6 => {
                        let kind = input.byte() % 3;
                        let host = input.byte() % 4;
                        [&[4, kind, 0, 127, 0, 0, host][..], b"\x1A\xE1\0\0\0\x02"].concat()
                    }
                    1 => b"\x01d8:msg_typei0e5:piecei1ee".to_vec(),
                    2 => b"\x01d8:msg_typei0e5:piecei7ee".to_vec(),
                    3 => b"\x02d5:added6:\x7F\0\0\x01\x1A\xE1e".to_vec(),
                    4 => [&b"\x03"[..], &piece.0.to_be_bytes()].concat(),
                    5 => [&b"\0"[..], input.bytes(20)].concat(),
                    _ => [&[input.byte() % 5], input.bytes(9)].concat(),
                };
                let message = Message::Other { id: EXTENDED, payload: &payload };
                let mut out = vec![0; message.encoded_len()];
                message.encode(&mut out).expect("the length was asked for");
                return out;
            }
            _ => Message::Other { id: input.byte(), payload: input.bytes(3) },
        };
        let mut out = vec![0; message.encoded_len()];
        message.encode(&mut out).expect("the length was asked for");
        out
    }
}

fn fast(message: Fast) -> Vec<u8> {
    let mut out = vec![0; message.encoded_len()];
    message.encode(&mut out).expect("the length was asked for");
    out
}

impl Machine for Driven<'_> {
    fn call(&mut self, now: Duration, input: &mut Input<'_>) -> Outcome {
        let conn = ConnId(u32::from(input.byte() % 4));
        match input.below(20) {
            19 => {
                let piece = PieceIndex(u32::from(input.byte() % 10));
                let block = self.torrent.geometry().block(piece, u32::from(input.byte() % 3));
                self.torrent.handle_timeout(now); // it does not see the time by itself
                Outcome::Done(
                    block.is_some_and(|block| self.torrent.restore_block(block)).to_string(),
                )
            }
            17 => {
                let piece = PieceIndex(u32::from(input.byte() % 10));
                let priority = Priority::new(input.byte() % 8).expect("below 8");
                self.torrent.set_priority(now, piece, priority);
                Outcome::Done("priority".into())
            }
            18 => {
                let byte = input.byte();
                self.torrent.handle_timeout(now);
                self.torrent.set_super_seeding(byte & 1 == 0);
                let mut policy = ChokerPolicy::new();
                if byte & 2 == 0 {
                    policy.order = UnchokeOrder::RoundRobin { quota: u32::from(byte), rounds: 1 };
                }
                if byte & 4 == 0 {
                    policy.slots = Slots::ByRate { first: 1, step: u32::from(byte) };
                }
                self.torrent.set_choker(policy);
                Outcome::Done("modes".into())
            }
            16 => {
                let at = [127, 0, 0, input.byte()];
                self.torrent.handle_timeout(now); // it does not see the time by itself
                let known = self.torrent.set_address(conn, (at, 6_881).into());
                let asks =
                    at[3] > 200 && self.torrent.rendezvous(conn, ([127, 0, 0, 1], 6_881).into());
                Outcome::Done(format!("{known} {asks}"))
            }
            0 | 1 => {
                let side =
                    if input.byte().is_multiple_of(2) { Side::Dialled } else { Side::Accepted };
                Outcome::of(self.torrent.handle_connected(now, conn, side))
            }
            2 => {
                self.torrent.handle_closed(now, conn);
                Outcome::Done("closed".into())
            }
            3 => {
                let bytes = input.bytes(40).to_vec();
                Outcome::of(self.torrent.handle_bytes(now, conn, &bytes))
            }
            4 | 5 => {
                let handshake = Handshake {
                    reserved: if input.byte() & 1 == 0 { MODERN } else { Reserved(input.array()) },
                    info_hash: match input.byte() {
                        9 => InfoHash::default(),
                        byte if byte % 4 == 3 => INFO_HASH_V2,
                        _ => INFO_HASH,
                    },
                    peer_id: PeerId([input.byte(); 20]),
                };
                let mut bytes = [0; Handshake::LEN];
                handshake.encode(&mut bytes).expect("68 bytes");
                Outcome::of(self.torrent.handle_bytes(now, conn, &bytes))
            }
            7 => {
                let other = PieceIndex(u32::from(input.byte() % 10));
                let piece = self.verify.pop().unwrap_or(other);
                self.check(now, piece, u8::from(input.byte().is_multiple_of(4)))
            }
            6 => {
                let other = PieceIndex(u32::from(input.byte() % 10));
                let piece = self.verify.pop().unwrap_or(other);
                let geometry = self.torrent.geometry();
                let start = geometry.offset(piece) as usize;
                let end = start + geometry.piece_len(piece) as usize;
                let mut digest = PieceHasher::digest(self.content.get(start..end).unwrap_or(&[]));
                digest[0] ^= u8::from(input.byte().is_multiple_of(4));
                Outcome::of(self.torrent.handle_hashed(now, piece, digest))
            }
            8 => {
                let mut buf = vec![0; HASHES_LEN];
                self.torrent.handle_timeout(now); // a poll does not see the time by itself
                let sent = self.torrent.poll_transmit_to(conn, &mut buf);
                Outcome::of(sent.map(|sent| sent.map(|sent| (sent, buf[..sent.len].to_vec()))))
            }
            9..12 => self.answer(now, input),
            _ => {
                let bytes = self.message(input);
                Outcome::of(self.torrent.handle_bytes(now, conn, &bytes))
            }
        }
    }

    fn handle_timeout(&mut self, now: Duration) {
        self.torrent.handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Duration> {
        self.torrent.poll_timeout()
    }

    fn poll_transmit(&mut self, buf: &mut [u8]) -> Result<Option<(String, usize)>, usize> {
        let sent = self.torrent.poll_transmit(buf).map_err(|error| error.needed)?;
        Ok(sent.map(|sent| {
            if let Ok((Message::Request(block), _)) = Message::decode(&buf[..sent.len], 100) {
                self.asked.push((sent.conn, block));
            }
            (format!("{} {:?}", sent.conn, sent.block), sent.len)
        }))
    }

    fn poll_event(&mut self) -> Option<String> {
        let event = self.torrent.poll_event()?;
        if let Event::Verify { piece } = event {
            self.verify.push(piece);
        }
        Some(format!("{event:?}"))
    }

    fn state(&self) -> String {
        format!("{:?}", self.torrent)
    }

    fn same_state(&self, other: &Self) -> bool {
        self.torrent == other.torrent
    }
}
