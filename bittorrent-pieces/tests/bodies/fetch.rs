//! Body of the fetch of an info dictionary: any calls in any order, checked against the laws.

use core::time::Duration;

use bittorrent_pieces::fetch::{FetchSlot, FetchSlots};
use bittorrent_pieces::wire::extended::{EXTENDED, Extended, Metadata};
use bittorrent_pieces::wire::fast::Fast;
use bittorrent_pieces::wire::hashes::{HashMessage, HashRange};
use bittorrent_pieces::wire::{Handshake, Message, Reserved};
use bittorrent_pieces::{
    ConnId, FetchConfig, Geometry, InfoHash, MetadataFetch, PeerId, PieceHasher, PieceIndex, Side,
};
use sim::laws::{self, Input, Machine, Outcome};

struct Driven<'d> {
    fetch: MetadataFetch<FetchSlots<Vec<FetchSlot>, Vec<u8>>>,
    info: &'d [u8],
    info_hash: InfoHash,
}

/// Reads bytes as a fetch and calls to it; what it reports as complete has the right hash.
pub fn fetch(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let info: Vec<u8> = (0..=usize::from(input.u16()) % 40_000).map(|at| at as u8).collect();
    let info_hash = InfoHash(PieceHasher::digest(&info));
    let slots = input.below(4);
    let room = usize::from(input.u16()) % 24_000;
    let choice = input.byte();
    let mut config = FetchConfig::new(info_hash, PeerId([1; 20]));
    config.fast = choice & 1 == 0;
    config.peer_exchange = choice & 2 == 0;
    config.dht_port = (choice & 4 == 0).then_some(9);
    let new = || Driven {
        fetch: MetadataFetch::new(
            config,
            FetchSlots { slots: vec![FetchSlot::EMPTY; slots], buffer: vec![0; room] },
        )
        .expect("the spans are not zero"),
        info: &info,
        info_hash,
    };
    laws::check(new, 512, input.bytes(usize::MAX));
}

impl Driven<'_> {
    fn deliver(&mut self, now: Duration, conn: ConnId, bytes: &[u8]) -> Outcome {
        let outcome = Outcome::of(self.fetch.handle_bytes(now, conn, bytes));
        if let Some(metadata) = self.fetch.metadata() {
            assert_eq!(metadata, self.info);
        }
        outcome
    }

    /// Spells an extended message that a peer might send.
    fn extended(&self, input: &mut Input<'_>) -> Vec<u8> {
        let size = self.info.len() as u32;
        let mut body = vec![0; 17_000];
        let (id, len) = match input.below(8) {
            0 | 1 => {
                let text =
                    format!("d1:md11:ut_metadatai{}ee13:metadata_sizei{size}ee", input.byte());
                body[..text.len()].copy_from_slice(text.as_bytes());
                (0, text.len())
            }
            2..6 => {
                let piece = u32::from(input.byte() % 4);
                let start = piece as usize * 16_384;
                let len = Metadata::piece_len(piece, size).unwrap_or(0);
                let mut data = self.info.get(start..start + len).unwrap_or(&[]).to_vec();
                if let Some(byte) = data.first_mut() {
                    *byte ^= u8::from(input.byte().is_multiple_of(8));
                }
                let message = match input.below(4) {
                    0 => Metadata::Reject { piece },
                    _ => Metadata::Data { piece, total_size: size, data: &data },
                };
                (1, message.encode(&mut body).expect("it fits"))
            }
            6 => (2, 0),
            _ => (input.byte(), usize::from(input.byte() % 9)),
        };
        let extended = Extended { id, body: &body[..len] };
        let mut out = vec![0; extended.encoded_len()];
        extended.encode(&mut out).expect("the length was asked for");
        out
    }
}

impl Machine for Driven<'_> {
    fn call(&mut self, now: Duration, input: &mut Input<'_>) -> Outcome {
        let conn = ConnId(u32::from(input.byte() % 4));
        match input.below(14) {
            12 => {
                let geometry = Geometry::new(u64::from(input.u16()), 16_384).expect("a length");
                Outcome::of(self.fetch.fetch_layer(now, [input.byte(); 32], geometry))
            }
            13 => {
                let range = HashRange {
                    root: [input.byte(); 32],
                    base: 0,
                    index: 0,
                    length: 1 << input.below(4),
                    proof_layers: u32::from(input.byte() % 3),
                };
                let hashes = vec![[input.byte(); 32]; input.below(6)];
                let message = match input.below(3) {
                    0 => HashMessage::Reject(range),
                    1 => HashMessage::Request(range),
                    _ => HashMessage::Hashes(range, &hashes),
                };
                let mut out = vec![0; message.encoded_len()];
                message.encode(&mut out).expect("the length was asked for");
                self.deliver(now, conn, &out)
            }
            0 | 1 => {
                let even = input.byte().is_multiple_of(2);
                let side = if even { Side::Dialled } else { Side::Accepted };
                Outcome::of(self.fetch.handle_connected(now, conn, side))
            }
            2 => {
                self.fetch.handle_closed(now, conn);
                Outcome::Done("closed".into())
            }
            3 => {
                let bytes = input.bytes(40).to_vec();
                self.deliver(now, conn, &bytes)
            }
            4 | 5 => {
                let reserved = [Reserved::EXTENDED, Reserved::EXTENDED | Reserved::FAST];
                let handshake = Handshake {
                    reserved: reserved[input.below(2)],
                    info_hash: if input.byte() == 9 { InfoHash::default() } else { self.info_hash },
                    peer_id: PeerId([input.byte(); 20]),
                };
                let mut bytes = [0; Handshake::LEN];
                handshake.encode(&mut bytes).expect("68 bytes");
                self.deliver(now, conn, &bytes)
            }
            6 => {
                let mut out = [0; 20];
                let len = if input.byte().is_multiple_of(2) {
                    Message::Have(PieceIndex(input.u32())).encode(&mut out)
                } else {
                    Fast::HaveAll.encode(&mut out)
                };
                self.deliver(now, conn, &out[..len.expect("it fits")])
            }
            7 => {
                self.fetch.handle_timeout(now); // a poll does not see the time by itself
                let mut buf = [0; 512];
                let sent = self.fetch.poll_transmit_to(conn, &mut buf);
                Outcome::of(sent.map(|sent| sent.map(|sent| (sent, buf[..sent.len].to_vec()))))
            }
            _ => {
                let bytes = self.extended(input);
                assert_eq!(bytes[4], EXTENDED);
                self.deliver(now, conn, &bytes)
            }
        }
    }

    fn handle_timeout(&mut self, now: Duration) {
        self.fetch.handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Duration> {
        self.fetch.poll_timeout()
    }

    fn poll_transmit(&mut self, buf: &mut [u8]) -> Result<Option<(String, usize)>, usize> {
        let sent = self.fetch.poll_transmit(buf).map_err(|error| error.needed)?;
        Ok(sent.map(|sent| (sent.conn.to_string(), sent.len)))
    }

    fn poll_event(&mut self) -> Option<String> {
        self.fetch.poll_event().map(|event| format!("{event:?}"))
    }

    fn state(&self) -> String {
        format!("{:?}", self.fetch)
    }

    fn same_state(&self, other: &Self) -> bool {
        self.fetch == other.fetch
    }
}
