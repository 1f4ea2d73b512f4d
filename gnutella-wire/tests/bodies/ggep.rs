//! Bodies of GGEP.

use gnutella_wire::ggep::{
    Block, Extensions, GgepError, GgepWriter, Known, ValueError, blocks, cobs,
};

/// Blocks come back byte by byte but for lengths that were written too long, and mean the same.
pub fn ggep(bytes: &[u8]) {
    let mut row = blocks(bytes);
    for block in row.by_ref().flatten() {
        again(block);
    }
    assert!(bytes.ends_with(row.rest()));
    let lazy: Vec<_> = Extensions::new(bytes).collect();
    match Block::decode(bytes) {
        Ok((block, rest)) => {
            assert_eq!([block.as_bytes(), rest].concat(), bytes);
            assert!(lazy.iter().copied().map(Result::unwrap).eq(block.extensions()));
            let used = block.as_bytes();
            for cut in [1, used.len() / 2, used.len() - 1] {
                let short = Block::decode(&used[..cut.max(1)]);
                assert!(matches!(short, Err(GgepError::Truncated { needed: 1.. })));
            }
        }
        Err(error) => {
            assert_eq!(lazy.last(), Some(&Err(error)));
            assert!(!error.to_string().is_empty());
        }
    }
}

fn again(block: Block<'_>) {
    let mut out = vec![0; block.as_bytes().len()];
    let mut writer = GgepWriter::new(&mut out);
    for extension in block.extensions() {
        writer.push_extension(&extension).expect("no longer than it was");
        let mut buf = vec![0; extension.data().len()];
        match extension.value(&mut buf) {
            Ok(value) => {
                assert!(value.len() <= extension.data().len());
                let _ = Known::read(extension.id(), value);
            }
            Err(ValueError::Deflated) => assert!(extension.is_deflated()),
            Err(_) => assert!(extension.is_stuffed()),
        }
    }
    let len = writer.finish();
    let (copy, rest) = Block::decode(&out[..len]).expect("as sound as before");
    assert!(rest.is_empty() && copy.extensions().eq(block.extensions()));
    assert!(!block.to_string().contains(['\n', '\r']), "a trace is one line");
}

/// What was stuffed holds no NUL and comes back; what was not is refused or comes back stuffed.
pub fn stuffing(bytes: &[u8]) {
    let mut stuffed = vec![0; bytes.len() + bytes.len() / 254 + 1];
    let len = cobs::encode(bytes, &mut stuffed).expect("at most one in 254 more, and one");
    let stuffed = &stuffed[..len];
    assert!(!stuffed.contains(&0));
    let mut plain = vec![0; len];
    assert_eq!(cobs::decode(stuffed, &mut plain), Ok(bytes.len()));
    assert_eq!(plain[..bytes.len()], *bytes);

    let mut plain = vec![0; bytes.len()];
    match cobs::decode(bytes, &mut plain) {
        Ok(len) => assert!(cobs::encoded_len(&plain[..len]) <= bytes.len().max(1)),
        Err(error) => assert!(!matches!(error, cobs::CobsError::BufferTooSmall(_))),
    }
}
