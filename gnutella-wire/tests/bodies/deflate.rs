//! Bodies of compression.

use gnutella_wire::deflate::{Deflater, Inflater, compress, inflate, max_len};
use sim::laws::Input;

const ENOUGH: usize = 1 << 20; // of a bomb

/// Inflates a stream that comes in pieces; what came out, and whether it is sound so far.
fn stream<'a>(
    inflater: &mut Inflater<impl AsMut<[u8]>>,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> (Vec<u8>, bool) {
    let mut out = Vec::new();
    for mut piece in pieces {
        loop {
            let Ok(some) = inflater.inflate(piece) else {
                assert!(inflater.inflate(piece).is_err(), "damaged for good");
                return (out, false);
            };
            out.extend(some.bytes);
            piece = &piece[some.consumed..];
            if some.bytes.is_empty() || out.len() > ENOUGH {
                break;
            }
        }
    }
    (out, true)
}

/// Any bytes inflate to the same however they are cut, and as a value too.
pub fn inflates(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let cut = 1 + input.below(60);
    let zlib = input.below(2) == 0;
    let bytes = input.bytes(usize::MAX);
    let bytes = if zlib { [&[0x78, 0x9C], bytes].concat() } else { bytes.to_vec() };
    let mut inflater = Inflater::new(vec![1; Inflater::WINDOW]).unwrap();
    let (whole, sound) = stream(&mut inflater, core::iter::once(&bytes[..]));
    inflater.restart();
    let (cut, also_sound) = stream(&mut inflater, bytes.chunks(cut));
    if whole.len() <= ENOUGH && cut.len() <= ENOUGH {
        assert!(whole == cut && sound == also_sound, "cut otherwise, inflated otherwise");
    }
    let mut small = Inflater::new([0; 256]).unwrap();
    let _ = stream(&mut small, bytes.chunks(9)); // may look back too far, which is an error
    let mut value = vec![0; 1 << 12];
    if let Ok(len) = inflate(&bytes, &mut value) {
        assert!(
            !zlib || whole == value[..len],
            "{bytes:x?}: {whole:x?} {sound} {:x?}",
            &value[..len]
        );
        assert!(len == 0 || inflate(&bytes, &mut value[..len - 1]).is_err());
    }
}

/// What is deflated inflates to the same, whether flushed in messages or as a value.
pub fn deflates(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut deflater = Deflater::new();
    let mut sent = Vec::new();
    let mut expected = Vec::new();
    while !input.is_empty() {
        let len = input.below(64);
        let repeats = 1 + input.below(9);
        let message = input.bytes(len).repeat(repeats);
        let mut out = vec![0; max_len(message.len())];
        let before = deflater.clone();
        let len = deflater.flush(&message, &mut out).unwrap();
        let mut again = before.clone();
        if let Some(short) = len.checked_sub(1) {
            let refused = again.flush(&message, &mut out.clone()[..short]);
            assert!(refused.is_err_and(|e| e.needed == len) && again == before);
        }
        sent.extend(&out[..len]);
        expected.extend(&message);
    }
    let mut inflater = Inflater::new(vec![0; Inflater::WINDOW]).unwrap();
    let mut out = Vec::<u8>::new();
    let mut rest = &sent[..];
    while let Some(piece) = Some(inflater.inflate(rest).unwrap()).filter(|p| !p.bytes.is_empty()) {
        out.extend(piece.bytes);
        rest = &rest[piece.consumed..];
    }
    assert!(out == expected && rest.is_empty());
    let mut value = vec![0; max_len(expected.len())];
    let len = compress(&expected, &mut value).unwrap();
    let mut again = vec![0; expected.len()];
    assert_eq!(inflate(&value[..len], &mut again), Ok(expected.len()));
    assert!(again == expected);
}
