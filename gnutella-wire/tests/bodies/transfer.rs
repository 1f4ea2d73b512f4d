//! Bodies of downloads, uploads and Tiger trees.

use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;

use gnutella_wire::http::Giv;
use gnutella_wire::huge::{Sha1, TigerRoot};
use gnutella_wire::thex::{Record, Tree, TreeHasher};
use gnutella_wire::transfer::{
    Download, DownloadConfig, DownloadLimits, DownloadVec, FileInfo, FirewalledSource, Offer,
    Source, SourceId, UploadConfig, UploadSlot, Uploads,
};
use gnutella_wire::{ConnId, DecodeError, ServentId, Text};
use sim::laws::{Input, Machine, Outcome, check, check_poll_order};

const BLOCK: u64 = 64 << 10;

/// The sizes and hashes of the files that are downloaded.
const SIZES: [u64; 4] = [0, 5, 3 * BLOCK + 5, u64::MAX / 2];

/// Heads of answers, to be followed by bytes or by other heads.
const HEADS: [&str; 12] = [
    "HTTP/1.1 206 OK\r\nContent-Range: bytes 0-4/5\r\nContent-Length: 5\r\n\r\nwords",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwords",
    "HTTP/1.1 206 OK\r\nContent-Range: bytes=65536-131071/196613\r\n\r\n",
    "HTTP/1.1 206 OK\r\nContent-Range: bytes=0-65535/196613\r\nX-Thex-URI: /t;LWPNACQDBZRYXW3VHJVCJ64QBZNGHOHHHZWCLNQ\r\nX-Alt: 10.0.0.9, 10.0.0.8:1\r\n\r\n",
    "HTTP/1.1 206 OK\r\nContent-Length: 9\r\nX-Falt: 01010101010101010101010101010101;6346:10.0.0.7\r\n\r\n",
    "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nX-Queue: position=1,pollMin=2,pollMax=3\r\n\r\n",
    "HTTP/1.1 503 Busy\r\nContent-Length: 2\r\nX-Queued: ID=6a074979f3201edbf323b6425fef4a53\r\n\r\nno",
    "HTTP/1.0 503 Busy\r\nRetry-After: 4294967295\r\n\r\n",
    "HTTP/1.1 416 No\r\nContent-Length: 0\r\nX-Available-Ranges: bytes 0-65535\r\n\r\n",
    "HTTP/1.1 404 No\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Type: application/tigertree-breadthfirst\r\nContent-Length: 168\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Type: application/dime\r\nContent-Length: 200\r\n\r\n",
];

/// A download keeps the laws, whatever its sources send, with any number of slots.
pub fn download(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let limits = DownloadLimits { sources: input.below(4), blocks: input.below(5) };
    let size = SIZES[input.below(4)];
    let has_hash = input.below(4) > 0;
    let bytes = input.bytes(usize::MAX);
    let mut config = DownloadConfig::CUSTOMARY;
    config.max_connections = 2;
    config.min_request = BLOCK;
    config.max_failures = 1;
    let sha1 = has_hash.then_some(Sha1([7; 20]));
    let file = FileInfo { size, sha1, root: None, name: b"words" };
    let begin = || Download::new(config, file, DownloadVec::new(limits));
    if begin().is_err() {
        assert!(limits.sources == 0 || limits.blocks == 0);
        return;
    }
    let new = || Fetch { machine: begin().expect("valid"), size };
    check(new, Download::<DownloadVec>::MAX_TRANSMIT_LEN, bytes);
    check_poll_order(new, Download::<DownloadVec>::MAX_TRANSMIT_LEN, bytes);
}

struct Fetch {
    machine: Download<DownloadVec>,
    size: u64,
}

impl Fetch {
    fn receive(&mut self, now: Duration, conn: ConnId, bytes: &[u8]) -> Outcome {
        let read = self.machine.handle_bytes(now, conn, bytes);
        if let Ok(read) = &read {
            assert!(read.consumed <= bytes.len());
            if let Some(piece) = read.outcome {
                assert_eq!(piece.bytes.len(), read.consumed);
                let end = piece.offset + piece.bytes.len() as u64;
                assert!(end <= self.size, "bytes beyond the end of the file");
            }
        }
        Outcome::of(read)
    }
}

impl Machine for Fetch {
    fn call(&mut self, now: Duration, input: &mut Input<'_>) -> Outcome {
        let conn = ConnId(input.below(4) as u32);
        let source = SourceId(1 + input.below(4) as u32);
        let servent = ServentId([input.below(2) as u8; 16]);
        let done = || Outcome::Done(String::new());
        match input.below(12) {
            0 | 1 => {
                let ip = Ipv4Addr::new(10, 0, 0, input.below(4) as u8);
                let address = SocketAddrV4::new(ip, 6346);
                let new = match input.below(3) {
                    0 => Source::at(address),
                    n => Source::of_hit(address, servent, 1, n == 1),
                };
                Outcome::of(self.machine.add_source(now, new))
            }
            2 | 3 => Outcome::of(self.machine.handle_connected(now, source, conn)),
            4 => {
                self.machine.handle_dial_failed(now, source);
                done()
            }
            5 => {
                let giv = Giv { index: 1, servent, name: Text::EMPTY };
                Outcome::of(self.machine.handle_giv(now, conn, &giv))
            }
            6 => {
                self.machine.handle_closed(now, conn);
                done()
            }
            7 => {
                let offset = u64::from(input.byte()) * BLOCK / 2;
                self.machine.handle_verified(now, offset, TigerRoot([input.byte(); 24]));
                done()
            }
            8 => {
                self.machine.handle_file_verified(now, Sha1([6 + input.byte() % 2; 20]));
                done()
            }
            9 => {
                let len = 1 + usize::from(input.u16()) * 3;
                self.receive(now, conn, &vec![0xAA; len])
            }
            10 => {
                let len = input.below(64);
                let some = input.bytes(len);
                self.receive(now, conn, some)
            }
            _ => self.receive(now, conn, HEADS[input.below(HEADS.len())].as_bytes()),
        }
    }

    fn handle_timeout(&mut self, now: Duration) {
        self.machine.handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Duration> {
        self.machine.poll_timeout()
    }

    fn poll_transmit(&mut self, buf: &mut [u8]) -> Result<Option<(String, usize)>, usize> {
        let sent = self.machine.poll_transmit(buf).map_err(|error| error.needed)?;
        Ok(sent.map(|sent| (sent.conn.to_string(), sent.len)))
    }

    fn poll_event(&mut self) -> Option<String> {
        self.machine.poll_event().map(|event| format!("{event:?}"))
    }

    fn state(&self) -> String {
        format!("{:?}", self.machine)
    }

    fn same_state(&self, other: &Self) -> bool {
        let progress = self.machine.progress();
        assert!(progress.verified <= progress.written && progress.written <= progress.size);
        self.machine == other.machine
    }
}

/// Uploads keep the laws, whatever clients send, with any number of slots.
pub fn uploads(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut config = UploadConfig::CUSTOMARY;
    let slots = input.below(5);
    config.slots = 1 + input.below(2) as u16;
    config.queue = input.below(3) as u16;
    config.bytes_per_second = [None, Some(1), Some(1_000), Some(u64::MAX)][input.below(4)];
    config.chunk = 1 + u32::from(input.u16());
    let bytes = input.bytes(usize::MAX);
    let new = || Serve(Uploads::new(config, vec![UploadSlot::EMPTY; slots]).expect("valid"));
    check(new, Uploads::<Vec<UploadSlot>>::MAX_TRANSMIT_LEN, bytes);
    check_poll_order(new, Uploads::<Vec<UploadSlot>>::MAX_TRANSMIT_LEN, bytes);
}

struct Serve(Uploads<Vec<UploadSlot>>);

impl Machine for Serve {
    fn call(&mut self, now: Duration, input: &mut Input<'_>) -> Outcome {
        let conn = ConnId(input.below(4) as u32);
        match input.below(10) {
            0 | 1 => {
                let ip = Ipv4Addr::new(10, 0, 0, input.below(3) as u8);
                Outcome::of(self.0.handle_connected(now, conn, ip))
            }
            2 => {
                self.0.handle_closed(now, conn);
                Outcome::Done(String::new())
            }
            3 | 4 => Outcome::of(self.0.handle_sent(now, conn)),
            5 => {
                let mut out = vec![0; 8 * input.below(64)];
                let parts = [(u64::from(input.byte()), u64::from(input.byte()))];
                let mut offer = Offer::new(1, [0, 100, u64::MAX][input.below(3)]);
                offer.takes_slot = input.below(4) > 0;
                offer.available = (input.below(2) == 0).then_some(&parts[..]);
                Outcome::of(self.0.offer(now, conn, &offer, &mut out))
            }
            6 => {
                let mut out = vec![0; 4 * input.below(64)];
                Outcome::of(self.0.refuse(now, conn, 404, "Not Found", &mut out))
            }
            7 => {
                let len = input.below(64);
                Outcome::of(self.0.handle_bytes(now, conn, input.bytes(len)))
            }
            _ => {
                let range = ["", "Range: bytes=5-9\r\n", "Range: bytes=-0\r\n"][input.below(3)];
                let queue = ["", "X-Queue: 0.1\r\n", "Connection: close\r\n"][input.below(3)];
                let text = format!("GET /get/1/words HTTP/1.1\r\n{range}{queue}\r\n");
                Outcome::of(self.0.handle_bytes(now, conn, text.as_bytes()))
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
        Ok(sent.map(|sent| (sent.conn.to_string(), sent.len)))
    }

    fn poll_event(&mut self) -> Option<String> {
        self.0.poll_event().map(|event| format!("{event:?}"))
    }

    fn state(&self) -> String {
        format!("{:?}", self.0)
    }

    fn same_state(&self, other: &Self) -> bool {
        assert!(self.0.active() <= 2 && self.0.queued() <= 2);
        self.0 == other.0
    }
}

/// Records and firewalled sources of any bytes; a hash that does not depend on how the bytes come.
pub fn thex(bytes: &[u8]) {
    match Record::decode(bytes) {
        Ok((record, rest)) => {
            assert!(rest.len() + 12 <= bytes.len());
            assert!(record.padded_len() - u64::from(record.len) < 4);
        }
        Err(DecodeError::Incomplete { needed }) => {
            assert!(needed > 0);
            let longer = [bytes, &vec![0; needed - 1]].concat();
            assert!(matches!(Record::decode(&longer), Err(DecodeError::Incomplete { .. })));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    let _ = FirewalledSource::parse(bytes);
    let (begin, end) = bytes.split_at(bytes.len() / 3);
    let mut whole = TreeHasher::new();
    whole.update(bytes);
    let mut parts = TreeHasher::new();
    parts.update(begin);
    parts.update(end);
    let root = whole.finish();
    assert_eq!(parts.finish(), root);
    let (nodes, _) = bytes.as_chunks::<24>();
    let tree = Tree { size: bytes.len() as u64, nodes };
    let mut body = vec![0; tree.encoded_len()];
    assert_eq!(tree.encode(&mut body), Ok(body.len()));
}
