use super::*;

#[test]
fn padding_of_any_length_is_skipped() {
    let header = [1, BITS, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0];
    for len in (0..1_000).map(padding_len).filter(|len| *len > 0) {
        let mut padding = [0xAA; 1_000];
        let (padding, _) = padding.split_at_mut(len);
        write_padding(padding);
        let datagram: heapless::Vec<u8, 1_100> =
            header.iter().chain(&*padding).chain(b"data").copied().collect();
        let packet = Packet::decode(&datagram).expect("whole extensions");
        assert_eq!(packet.payload, b"data", "{len}");
        let mut extensions = packet.extensions.iter();
        assert_eq!(extensions.next(), Some(Extension { number: BITS, bytes: &[0; 8] }));
        assert!(extensions.all(|extension| extension.number == PADDING));
        assert_eq!(packet.sack(), None);
    }
}

/// One byte more than the shortest padding is too short for another extension.
#[test]
fn padding_has_10_bytes_or_more() {
    let lens = [0, 9, 10, 11, 12, 13, 500].map(padding_len);
    assert_eq!(lens, [0, 0, 10, 10, 12, 13, 500]);
}

/// The first extension has 8 bytes, the others at most 255, and none begins with a single byte.
#[test]
fn padding_is_a_chain_of_extensions() {
    for (len, contents) in [
        (10, &[8][..]),
        (12, &[8, 0]),
        (267, &[8, 255]),
        (268, &[8, 254, 0]),
        (269, &[8, 255, 0]),
        (600, &[8, 255, 255, 74]),
    ] {
        let mut padding = [0xAA; 600];
        let (padding, _) = padding.split_at_mut(len);
        write_padding(padding);
        let extensions = Extensions { first: BITS, chain: padding };
        let lens: heapless::Vec<usize, 8> =
            extensions.iter().map(|extension| extension.bytes.len()).collect();
        assert_eq!(lens, contents, "{len}");
        assert!(extensions.iter().all(|it| it.bytes.iter().all(|byte| *byte == 0)));
    }
}
