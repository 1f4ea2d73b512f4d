use super::*;
use std::vec;
use std::vec::Vec;

/// Returns the body of an extended message with the given id.
fn body(bytes: &[u8], id: u8) -> &[u8] {
    assert_eq!(bytes[..4], count(bytes.len() - 4).to_be_bytes());
    assert_eq!(bytes[4..6], [EXTENDED, id]);
    &bytes[6..]
}

/// A fetch has no metadata and no queue for requests, so it announces neither.
#[test]
fn the_handshake_of_a_fetch_names_its_extensions_and_its_port() {
    for (exchange, port) in [(true, Some(6_881)), (false, None)] {
        let mut buf = [0; 200];
        let len = write_handshake(exchange, port, &mut buf).unwrap();
        let hello = ExtendedHandshake::decode(body(&buf[..len], extended::HANDSHAKE)).unwrap();
        let names: Vec<&[u8]> = hello.ids().map(|(name, _)| name).collect();
        let all = [DontHave::NAME, Metadata::NAME, Pex::NAME];
        assert_eq!(names, all[..if exchange { 3 } else { 2 }]);
        assert_eq!((hello.port, hello.version), (port, Some(VERSION)));
        assert_eq!((hello.metadata_size, hello.request_queue), (None, None));
        let short = write_handshake(exchange, port, &mut buf[..len - 1]).unwrap_err();
        assert_eq!(short.needed, len);
    }
}

#[test]
fn a_request_for_metadata_has_the_id_of_the_peer() {
    let mut buf = [0; 60];
    let len = write_metadata_request(7, 3, &mut buf).unwrap();
    let asked = Metadata::decode(body(&buf[..len], 7));
    assert_eq!(asked, Ok(Metadata::Request { piece: 3 }));
}

/// BEP 9: pieces of 16 KiB, the last shorter, a reject for others. The data follows the message, whose length counts it.
#[test]
fn an_answer_names_the_range_of_the_metadata_that_follows() {
    let info = vec![1; 16_384 + 7];
    for (piece, range) in
        [(0, Some((0, 16_384))), (1, Some((16_384, 7))), (2, None), (u32::MAX, None)]
    {
        let mut buf = [0; 100];
        let (len, written) = encode_metadata_answer(&info, piece, 9, &mut buf).unwrap();
        assert_eq!(written.map(|range| (range.begin, range.len)), range);
        let data = range.map_or(&[][..], |(begin, len)| &info[begin..][..len]);
        let message = [&buf[..len], data].concat();
        let expected = match range {
            Some(_) => Metadata::Data { piece, total_size: 16_391, data },
            None => Metadata::Reject { piece },
        };
        assert_eq!(Metadata::decode(body(&message, 9)), Ok(expected));
    }
    let mut buf = [0; 100];
    assert_eq!(encode_metadata_answer(&[], 0, 9, &mut buf).unwrap().1, None);
}
