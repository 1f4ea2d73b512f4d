//! Properties: every body under random bytes, and the codec from the other side, values first.

mod bodies;

use core::net::{Ipv4Addr, SocketAddrV4};

use gnutella_wire::wire::{
    Bye, ByeCode, Function, HitData, Limits, Message, Other, Payload, Ping, Pong, Push, Query,
    QueryFlags, QueryHit, Record, Records,
};
use gnutella_wire::{Guid, ServentId, Text};
use proptest::collection::vec;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_body_takes_any_bytes(bytes in vec(any::<u8>(), 0..300)) {
        for (_, body) in bodies::BODIES {
            body(&bytes);
        }
    }

    #[test]
    fn headers_of_any_bytes_decode_or_fail_without_panic(bytes in vec(any::<u8>(), 0..40)) {
        bodies::header(&bytes);
    }

    #[test]
    fn messages_of_any_bytes_encode_back(
        guid in any::<[u8; 16]>(),
        function in prop::sample::select(&[0u8, 1, 2, 0x30, 0x40, 0x80, 0x81][..]),
        payload in vec(prop_oneof![Just(0), any::<u8>()], 0..120),
        cut in 0usize..200,
    ) {
        let len = (payload.len() as u32).to_le_bytes();
        let bytes = [&guid[..], &[function, 7, 0], &len, &payload].concat();
        bodies::message(&bytes);
        bodies::message(&bytes[..cut.min(bytes.len())]);
        bodies::message(&payload);
    }

    #[test]
    fn heads_of_any_lines_keep_their_values(text in "(GET|HTTP|GIV|GNUTELLA)?[ -~]{0,20}\r?\n([a-z]{0,3}:? ?[ -~]{0,9}\r?\n){0,9}[\r\n]{0,3}") {
        bodies::head(text.as_bytes());
        bodies::http(text.as_bytes());
    }

    #[test]
    fn requests_and_answers_round_trip(
        text in "(GET|HEAD) (/get/[0-9]{1,3}/[ -~]{0,12}/?|/uri-res/N2R\\?urn:[a-z0-9]{0,9}|[ -~]{0,9}) HTTP/1\\.[01]\r\n(Range: bytes=[0-9]{0,2}-[0-9]{0,2}\r\n)?(Connection: (close|Keep-Alive)\r\n)?\r\n",
        answer in "HTTP(/1\\.[01])? [0-9]{3}( [ -~]{0,9})?\r\n(Content-Range: bytes [0-9]-[0-9]{2}/([0-9]{2}|\\*)\r\n)?(content-length: [0-9]{1,3}\r\n)?\r\n",
        giv in "GIV [0-9]{1,3}:[0-9a-fA-F]{32}/[ -~]{0,9}(\n\n|\r\n|\n)",
    ) {
        bodies::http(text.as_bytes());
        bodies::http(answer.as_bytes());
        bodies::http(giv.as_bytes());
    }

    #[test]
    fn handshakes_keep_their_table_in_any_order(bytes in vec(any::<u8>(), 0..400)) {
        bodies::handshake(&bytes);
    }

    #[test]
    fn handshakes_of_any_lines_never_panic(text in "GNUTELLA( CONNECT|)/0\\.[46]( [0-9]{3} ?[A-Z]{0,3})?\r?\n([A-Z]{1,3}: [a-z]{0,9}\r?\n){0,3}\r?\n.{0,9}") {
        bodies::handshake(text.as_bytes());
    }

    #[test]
    fn routes_behave_as_a_model(bytes in vec(any::<u8>(), 0..600)) {
        bodies::routes(&bytes);
    }

    #[test]
    fn a_servent_keeps_the_laws(bytes in vec(any::<u8>(), 0..1_500)) {
        bodies::servent::servent(&bytes);
    }

    #[test]
    fn datagrams_keep_the_laws(bytes in vec(any::<u8>(), 0..1_500)) {
        bodies::datagram::datagrams(&bytes);
    }

    #[test]
    fn hosts_behave_as_a_model(bytes in vec(any::<u8>(), 0..600)) {
        bodies::hosts::hosts(&bytes);
    }

    #[test]
    fn query_routing_takes_any_bytes(bytes in vec(any::<u8>(), 0..1_500)) {
        for (name, body) in bodies::BODIES {
            if name.starts_with("gnutella_qrp") {
                body(&bytes);
            }
        }
    }

    #[test]
    fn blocks_of_any_extensions_round_trip(
        extensions in vec((any::<u8>(), "[A-Z]{1,3}", vec(any::<u8>(), 0..9)), 1..5),
        rest in vec(any::<u8>(), 0..9),
    ) {
        let mut bytes = vec![0xC3];
        let last = extensions.len() - 1;
        for (n, (flags, id, data)) in extensions.iter().enumerate() {
            let last = if n == last { 0x80 } else { 0 };
            bytes.push(flags & 0x60 | last | id.len() as u8);
            bytes.extend(id.bytes().chain([0x40 | data.len() as u8]).chain(data.iter().copied()));
        }
        bytes.extend(rest);
        bodies::ggep::ggep(&bytes);
        bodies::ggep::stuffing(&bytes);
    }

    #[test]
    fn areas_of_any_parts_round_trip(
        text in "((urn:sha1:[A-Z2-7a-z]{32}|urn:bitprint:[A-Z2-7]{32}\\.[A-Z2-7]{38}A|[a-z]{0,3})\x1C){0,4}",
        block in prop::sample::select(vec![&b""[..], b"\xC3\x81X\x42\x1C\0", b"\xC3\x81X\x42"]),
    ) {
        bodies::huge::area(&[text.as_bytes(), block, text.as_bytes()].concat());
        bodies::huge::area(text.trim_end_matches('\x1C').as_bytes());
    }

    #[test]
    fn values_decode_to_what_was_encoded(guid in any::<[u8; 16]>(), ttl: u8, hops: u8, payload in payload()) {
        let records = payload.records();
        let message = Message { guid: Guid(guid), ttl, hops, payload: payload.as_payload(&records) };
        let mut out = vec![0; message.encoded_len()];
        prop_assert_eq!(message.encode(&mut out), Ok(out.len()));
        prop_assert_eq!(Message::decode(&out, Limits::LIMEWIRE), Ok((message, &[][..])));
        bodies::message(&out);
    }

    /// C-GNU-05: the length "determines where the message stops and a new message starts".
    #[test]
    fn a_stream_cut_anywhere_gives_the_same_messages(
        payloads in vec(payload(), 1..6),
        cuts in vec(1usize..40, 1..200),
    ) {
        let records: Vec<_> = payloads.iter().map(Parts::records).collect();
        let payloads = payloads.iter().zip(&records).map(|(parts, records)| parts.as_payload(records));
        let messages: Vec<_> = payloads
            .map(|payload| Message { guid: Guid([7; 16]), ttl: 1, hops: 0, payload })
            .collect();
        let mut stream = Vec::new();
        for message in &messages {
            let at = stream.len();
            stream.resize(at + message.encoded_len(), 0);
            message.encode(&mut stream[at..]).unwrap();
        }
        let mut seen = Vec::new();
        let mut start = 0;
        let mut end = 0;
        for cut in cuts.iter().cycle() {
            end = (end + cut).min(stream.len());
            while let Ok((message, rest)) = Message::decode(&stream[start..end], Limits::LIMEWIRE) {
                start = end - rest.len();
                seen.push(message);
            }
            if end == stream.len() {
                break;
            }
        }
        prop_assert_eq!(seen, messages);
    }
}

/// The seeds of the fuzz targets, and whatever a fuzzer found worth keeping.
#[test]
fn every_seed_of_the_fuzz_corpus_keeps_the_laws() {
    for (name, body) in bodies::BODIES {
        let folder = format!("{}/../fuzz/corpus/{name}", env!("CARGO_MANIFEST_DIR"));
        let files = std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{folder}: {e}"));
        let bodies = files.map(|file| body(&std::fs::read(file.unwrap().path()).unwrap()));
        assert!(bodies.count() > 0, "{folder} has no seeds");
    }
}

/// Owned parts of a payload.
#[derive(Debug, Clone)]
struct Parts {
    kind: u8,
    numbers: [u32; 3],
    bytes: Vec<u8>,
    text: Vec<u8>,
    records: Vec<(u32, u32, Vec<u8>, Vec<u8>)>,
}

fn payload() -> impl Strategy<Value = Parts> {
    let text = || vec(1u8..=255, 0..12);
    let records = vec((any::<u32>(), any::<u32>(), text(), text()), 0..5);
    (0u8..7, any::<[u32; 3]>(), vec(any::<u8>(), 0..20), text(), records).prop_map(
        |(kind, numbers, bytes, text, records)| Parts { kind, numbers, bytes, text, records },
    )
}

impl Parts {
    /// The records of a hit, which borrow their names.
    fn records(&self) -> Vec<Record<'_>> {
        let text = |bytes| Text::new(bytes).unwrap();
        let records = self.records.iter().map(|(index, size, name, extensions)| Record {
            index: *index,
            size: *size,
            name: text(name),
            extensions: text(extensions),
        });
        records.collect()
    }

    fn as_payload<'p>(&'p self, records: &'p [Record<'p>]) -> Payload<'p> {
        let Self { kind, numbers: [a, b, c], bytes, text, .. } = self;
        let address = SocketAddrV4::new(Ipv4Addr::from(*a), *b as u16);
        let text = Text::new(text).unwrap();
        let servent = ServentId([*c as u8; 16]);
        match kind {
            0 => Payload::Ping(Ping { extensions: bytes }),
            1 => Payload::Pong(Pong { address, files: *b, kilobytes: *c, extensions: bytes }),
            2 => Payload::Bye(Bye { code: ByeCode(*a as u16), text, extensions: bytes }),
            3 => Payload::Push(Push { servent, index: *a, address, extensions: bytes }),
            4 => {
                let flags = QueryFlags::from_bytes([*a as u8, *b as u8]);
                Payload::Query(Query { flags, text, extensions: bytes })
            }
            5 => Payload::QueryHit(QueryHit {
                address,
                speed: *c,
                records: Records::from_slice(records).unwrap(),
                data: HitData::new(bytes),
                servent,
            }),
            _ => Payload::Other(Other { function: Function(0x32), body: bytes }),
        }
    }
}
