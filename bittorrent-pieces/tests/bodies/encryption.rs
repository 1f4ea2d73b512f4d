//! Body of message stream encryption.

use bittorrent_pieces::InfoHash;
use bittorrent_pieces::encryption::{EncryptedStream, EncryptionPolicy, ObfuscatedHash};

/// The torrent of the vectors.
const TORRENT: InfoHash = InfoHash([
    0xE4, 0xC9, 0xCC, 0x93, 0xF9, 0x67, 0x9A, 0x5A, 0x51, 0x3E, 0xA8, 0xD6, 0x46, 0x82, 0x1B, 0xB5,
    0xEB, 0xA4, 0x85, 0x27,
]);

/// Any received bytes, in any segments: few of them wait, an error is final, and only then nothing is sent any more.
/// The first byte chooses role and policy, the second the length of the segments.
pub fn encryption(bytes: &[u8]) {
    let [choice, step, received @ ..] = bytes else { return };
    let policy = match choice >> 1 & 3 {
        0 => EncryptionPolicy::Off,
        1 => EncryptionPolicy::Allow,
        2 => EncryptionPolicy::Prefer,
        _ => EncryptionPolicy::Require,
    };
    let key = |first: u8| core::array::from_fn(|at| first + at as u8);
    let mut stream = if choice & 1 == 0 {
        EncryptedStream::accept(policy, key(0x81), 1)
    } else {
        EncryptedStream::dial(policy, TORRENT, key(1), 1)
    };
    let find = |hash| (hash == ObfuscatedHash::of(TORRENT)).then_some(TORRENT);
    let mut waiting = Vec::new();
    let mut failed = None;
    for segment in received.chunks(usize::from(*step).max(1)) {
        transmit(&mut stream, failed.is_some());
        waiting.extend_from_slice(segment);
        let all = waiting.len();
        match stream.handle_bytes(&mut waiting, &find) {
            Ok(handled) => {
                assert_eq!(failed, None, "an error is final");
                let payload = handled.outcome.map_or(0, <[u8]>::len);
                let consumed = handled.consumed;
                assert!(payload <= consumed && consumed <= all && all - consumed <= 95);
                waiting.drain(..consumed);
            }
            Err(error) => {
                assert!(failed.is_none_or(|failed| failed == error) && !stream.is_ready());
                failed = Some(error);
            }
        }
    }
    transmit(&mut stream, failed.is_some());
    let mut payload = *b"payload";
    let ready = stream.is_ready();
    assert_eq!(stream.encrypt(&mut payload).is_ok(), ready);
    assert!(ready || payload == *b"payload");
}

fn transmit(stream: &mut EncryptedStream, failed: bool) {
    let mut buf = [0; EncryptedStream::TRANSMIT_LEN];
    let mut messages = 0;
    while stream.poll_transmit(&mut buf).expect("the buffer is long enough").is_some() {
        messages += 1;
    }
    assert!(messages <= 2 && !(failed && messages > 0));
}
