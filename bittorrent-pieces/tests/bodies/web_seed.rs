//! Body of a web seed: any calls in any order, checked against the laws.

use core::time::Duration;

use bittorrent_pieces::web_seed::{
    ResponseHead, WEB_BLOCK_LEN, WebFile, WebRequestSlot, WebSeed, WebSeedConfig, WebSeedKind,
    WebSeedSlots,
};
use bittorrent_pieces::wire::{Handshake, Message, Reserved};
use bittorrent_pieces::{Block, Geometry, InfoHash, PeerId, PieceIndex};
use sim::laws::{self, Input, Machine, Outcome};

type Slots = WebSeedSlots<Vec<WebFile>, Vec<WebRequestSlot>, Vec<u8>, Vec<u8>>;

struct Driven(WebSeed<Slots>);

/// Reads bytes as a few files and calls to their web seed.
pub fn web_seed(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut files = Vec::new();
    let mut end = 0;
    for _ in 0..input.below(5) {
        let len = u64::from(input.u16());
        let offset = end + u64::from(input.byte() % 3);
        let is_padding = input.byte().is_multiple_of(4);
        let file = if is_padding { WebFile::padding } else { WebFile::new };
        files.push(file(offset, len));
        end = offset + len;
    }
    let kind =
        if input.byte().is_multiple_of(3) { WebSeedKind::Pieces } else { WebSeedKind::Files };
    let config = WebSeedConfig::new(kind, InfoHash([1; 20]), PeerId([2; 20]));
    let geometry = Geometry::new(end, 32_768).expect("few pieces");
    let requests = input.below(6) + 1;
    let room = input.below(60);
    let new = || {
        let slots = WebSeedSlots {
            files: files.clone(),
            requests: vec![WebRequestSlot::EMPTY; requests],
            block: vec![0; WEB_BLOCK_LEN],
            location: vec![0; room],
        };
        Driven(WebSeed::new(config, geometry, slots).expect("the files are in order"))
    };
    laws::check(new, 32_768, input.bytes(usize::MAX));
}

impl Driven {
    fn deliver(&mut self, now: Duration, bytes: &[u8]) -> Outcome {
        Outcome::of(self.0.handle_bytes(now, bytes))
    }

    fn head(&mut self, now: Duration, input: &mut Input<'_>) -> Outcome {
        let statuses = [206, 206, 206, 200, 302, 404, 416, 429, 503, 500];
        let first = u64::from(input.u16());
        let last = first + u64::from(input.u16());
        let range = format!("bytes {first}-{last}/{}", input.u16());
        let range = if input.byte().is_multiple_of(2) {
            format!("bytes 0-{last}/*").into_bytes()
        } else {
            range.into_bytes()
        };
        let texts: [&[u8]; 5] = [b"5", b"http://a/x", b"y?z", b"//b", b"99999999999"];
        let head = ResponseHead {
            status: statuses[input.below(statuses.len())],
            url: b"http://h/a/b",
            content_range: Some(&range[..]).filter(|_| input.byte() > 9),
            content_length: Some(u64::from(input.u16())).filter(|_| input.byte() > 200),
            location: Some(texts[input.below(5)]),
            retry_after: Some(texts[input.below(5)]).filter(|_| input.byte() > 99),
        };
        Outcome::of(self.0.handle_head(now, u32::from(input.byte() % 8), &head))
    }
}

impl Machine for Driven {
    fn call(&mut self, now: Duration, input: &mut Input<'_>) -> Outcome {
        match input.below(10) {
            0 => {
                let bytes = input.bytes(40).to_vec();
                self.deliver(now, &bytes)
            }
            1 => {
                let reserved = [Reserved::FAST | Reserved::EXTENDED, Reserved::default()];
                let other = input.byte() == 9;
                let handshake = Handshake {
                    reserved: reserved[input.below(2)],
                    info_hash: InfoHash([if other { 9 } else { 1 }; 20]),
                    peer_id: PeerId([3; 20]),
                };
                let mut bytes = [0; Handshake::LEN];
                handshake.encode(&mut bytes).expect("68 bytes");
                self.deliver(now, &bytes)
            }
            2..5 => {
                let piece = PieceIndex(u32::from(input.byte() % 5));
                let begin = 16_384 * u32::from(input.byte() % 3);
                let len = [16_384, 16_384, 1, 16_385][input.below(4)];
                let block = Block { piece, begin, len };
                let message = match input.below(5) {
                    0 => Message::Cancel(block),
                    1 => Message::Interested,
                    _ => Message::Request(block),
                };
                let mut bytes = [0; 17];
                let len = message.encode(&mut bytes).expect("17 bytes");
                self.deliver(now, &bytes[..len])
            }
            5 | 6 => self.head(now, input),
            7 => Outcome::of(self.0.handle_end(now, u32::from(input.byte() % 8))),
            _ => {
                let bytes = vec![input.byte(); usize::from(input.u16())];
                Outcome::of(self.0.handle_body(now, u32::from(input.byte() % 8), &bytes))
            }
        }
    }

    fn handle_timeout(&mut self, now: Duration) {
        self.0.handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Duration> {
        self.0.poll_timeout()
    }

    fn poll_transmit(&mut self, buf: &mut [u8]) -> Result<Option<(String, usize)>, usize> {
        let sent = self.0.poll_transmit(buf).map_err(|error| error.needed)?;
        Ok(sent.map(|len| ("torrent".into(), len)))
    }

    fn poll_event(&mut self) -> Option<String> {
        self.0.poll_event().map(|event| format!("{event:?}"))
    }

    fn state(&self) -> String {
        format!("{:?}", self.0)
    }

    fn same_state(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
