//! Peers that mean harm: what each kind sends when a connection opens, and then five times a second.

use bittorrent_pieces::wire::extended::{self, Extended};
use bittorrent_pieces::wire::fast::Fast;
use bittorrent_pieces::wire::hashes::{HashMessage, HashRange};
use bittorrent_pieces::wire::{Handshake, Message, Reserved};
use bittorrent_pieces::{BLOCK_LEN, Bitfield, Block, InfoHash, PeerId, PieceIndex};

/// How a hostile peer behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Opens connections and sends nothing.
    Silent,
    /// One byte of a handshake at a time.
    OneByte,
    /// Claims to have everything and chokes for ever.
    Choker,
    /// Claims to have everything, unchokes, and answers no request.
    Mute,
    /// Chokes and unchokes without end.
    ChokeStorm,
    /// Interested and not interested without end.
    InterestStorm,
    /// Have-all again and again.
    HaveAll,
    /// A whole bitfield again and again.
    Bitfields,
    /// HAVE of every piece again and again.
    Haves,
    /// Requests for hashes.
    HashRequests,
    /// Requests for blocks without end, of pieces that exist and of others.
    BlockRequests,
    /// Requests for the info dictionary.
    MetadataRequests,
    /// Requests for one block without end; beside the twelve kinds.
    OneBlock,
}

pub(crate) const KINDS: [Kind; 12] = [
    Kind::Silent,
    Kind::OneByte,
    Kind::Choker,
    Kind::Mute,
    Kind::ChokeStorm,
    Kind::InterestStorm,
    Kind::HaveAll,
    Kind::Bitfields,
    Kind::Haves,
    Kind::HashRequests,
    Kind::BlockRequests,
    Kind::MetadataRequests,
];

/// How many messages a flood sends at a time.
const FLOOD: u32 = 20;

fn handshake(index: usize) -> Vec<u8> {
    let reserved = Reserved::FAST | Reserved::EXTENDED;
    let mut bytes = vec![0; Handshake::LEN];
    let peer_id = PeerId([index as u8; 20]);
    let info_hash = InfoHash([9; 20]);
    Handshake { reserved, info_hash, peer_id }.encode(&mut bytes).expect("68 bytes");
    bytes
}

fn message(message: Message<'_>) -> Vec<u8> {
    let mut bytes = vec![0; message.encoded_len()];
    message.encode(&mut bytes).expect("the length was asked for");
    bytes
}

fn extended(id: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; extended::HEADER_LEN + body.len()];
    Extended { id, body }.encode(&mut bytes).expect("the length was asked for");
    bytes
}

fn fast(message: Fast) -> Vec<u8> {
    let mut bytes = vec![0; 17];
    let len = message.encode(&mut bytes).expect("it fits");
    bytes.truncate(len);
    bytes
}

impl Kind {
    /// Returns what is sent when a connection opens.
    pub(crate) fn opening(self, index: usize) -> Vec<u8> {
        let hello = || handshake(index);
        match self {
            Self::Silent | Self::OneByte => vec![],
            Self::Choker | Self::HaveAll => [hello(), fast(Fast::HaveAll)].concat(),
            Self::Mute | Self::ChokeStorm => {
                [hello(), fast(Fast::HaveAll), message(Message::Unchoke)].concat()
            }
            Self::BlockRequests | Self::OneBlock => {
                [hello(), fast(Fast::HaveNone), message(Message::Interested)].concat()
            }
            Self::MetadataRequests => {
                let names = b"d1:md11:ut_metadatai3eee";
                [hello(), fast(Fast::HaveNone), extended(extended::HANDSHAKE, names)].concat()
            }
            _ => [hello(), fast(Fast::HaveNone)].concat(),
        }
    }

    /// Returns what is sent at the tick of this number of a connection.
    pub(crate) fn tick(self, index: usize, tick: u32, pieces: u32) -> Vec<u8> {
        let flood = |one: &dyn Fn(u32) -> Vec<u8>| (0..FLOOD).flat_map(one).collect::<Vec<_>>();
        match self {
            Self::Silent => vec![],
            Self::OneByte => handshake(index).get(tick as usize).copied().into_iter().collect(),
            Self::Choker | Self::Mute => {
                if tick.is_multiple_of(300) {
                    message(Message::KeepAlive)
                } else {
                    vec![]
                }
            }
            Self::ChokeStorm => {
                flood(&|_| [message(Message::Choke), message(Message::Unchoke)].concat())
            }
            Self::InterestStorm => {
                flood(&|_| [message(Message::Interested), message(Message::NotInterested)].concat())
            }
            Self::HaveAll => flood(&|_| fast(Fast::HaveAll)),
            Self::Bitfields => {
                let bits = vec![0; Bitfield::byte_len(pieces)];
                flood(&|_| message(Message::Bitfield(&bits)))
            }
            Self::Haves => flood(&|n| message(Message::Have(PieceIndex(n % pieces)))),
            Self::BlockRequests => flood(&|n| {
                let number = tick.wrapping_mul(FLOOD).wrapping_add(n);
                let piece = PieceIndex(number % pieces.saturating_add(1));
                let begin = number.wrapping_mul(7) % 16 * BLOCK_LEN;
                message(Message::Request(Block { piece, begin, len: BLOCK_LEN }))
            }),
            Self::OneBlock => flood(&|_| {
                message(Message::Request(Block { piece: PieceIndex(0), begin: 0, len: BLOCK_LEN }))
            }),
            Self::MetadataRequests => flood(&|_| {
                let theirs = 1; // the number that every torrent chooses for `ut_metadata`
                extended(theirs, b"d8:msg_typei0e5:piecei0ee")
            }),
            Self::HashRequests => flood(&|n| {
                let range = HashRange {
                    root: [n as u8; 32],
                    base: 0,
                    index: 0,
                    length: 512,
                    proof_layers: 3,
                };
                let request = HashMessage::Request(range);
                let mut bytes = vec![0; request.encoded_len()];
                request.encode(&mut bytes).expect("the length was asked for");
                bytes
            }),
        }
    }
}
