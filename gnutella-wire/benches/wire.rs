//! The wire, the best of eight rounds of each, 64 MB per round:
//!
//! - frames: pings, pongs, queries and hits of 40 : 30 : 25 : 5, split from chunks of 64 KiB as they
//!   come from a socket, without and with reading the payloads;
//! - hit: a query hit with 100 records of names of 30 to 45 letters, read once and walked over,
//!   against finding its NULs with a plain loop.

use core::hint::black_box;
use core::net::{Ipv4Addr, SocketAddrV4};
use std::time::Instant;

use gnutella_wire::wire::{
    Header, HitData, Limits, Message, Payload, Ping, Pong, Query, QueryHit, Record, Records,
};
use gnutella_wire::{DecodeError, Guid, ServentId, Text};

const CHUNK: usize = 64 << 10;
const TOTAL: usize = 64 << 20;

fn main() {
    frames();
    hit();
}

/// Returns seconds, the best of eight.
fn best(mut run: impl FnMut()) -> f64 {
    let rounds = (0..8).map(|_| {
        let start = Instant::now();
        run();
        start.elapsed().as_secs_f64()
    });
    rounds.fold(f64::INFINITY, f64::min)
}

fn address() -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(10, 1, 2, 3), 6346)
}

fn text(text: &str) -> Text<'_> {
    Text::new(text.as_bytes()).expect("no NUL")
}

fn append(stream: &mut Vec<u8>, n: u8, payload: Payload<'_>) {
    let message = Message { guid: Guid([n; 16]), ttl: 4, hops: 1, payload };
    let at = stream.len();
    stream.resize(at + message.encoded_len(), 0);
    message.encode(&mut stream[at..]).expect("fits");
}

fn frames() {
    let record = [Record {
        index: 1,
        size: 300_000,
        name: text("creedence travelin band.mp3"),
        extensions: text("urn:sha1:T6PFEIKJF2JB3AJEETNNY6NE4KNI25EN"),
    }];
    let hit = QueryHit {
        address: address(),
        speed: 1_000,
        records: Records::from_slice(&record).expect("one"),
        data: HitData::new(b"GTKG\x02\x2c\x21"),
        servent: ServentId([7; 16]),
    };
    let pong = Pong { address: address(), files: 2, kilobytes: 256, extensions: &[] };
    let mut stream = Vec::new();
    let mut count = 0_u32;
    while stream.len() < TOTAL {
        for n in 0..20 {
            append(
                &mut stream,
                n,
                match n {
                    0..8 => Payload::Ping(Ping::default()),
                    8..14 => Payload::Pong(pong),
                    14..19 => Payload::Query(Query::new(text("zebra quokka"))),
                    _ => Payload::QueryHit(hit),
                },
            );
            count += 1;
        }
    }
    let mut buffer = Vec::with_capacity(2 * CHUNK);
    for (what, whole) in [("split       ", false), ("read as well", true)] {
        let mut seen = 0;
        let seconds = best(|| {
            seen = 0;
            buffer.clear();
            for chunk in black_box(&stream).chunks(CHUNK) {
                buffer.extend_from_slice(chunk); // what a read from a socket costs
                let used = take(&buffer, whole, &mut seen);
                buffer.drain(..used);
            }
        });
        assert_eq!(seen, count);
        let bytes = stream.len() as f64 / seconds / 1e9;
        let frames = f64::from(count) / seconds / 1e6;
        println!("frames {what} {bytes:6.2} GB/s {frames:6.1} M messages/s");
    }
}

/// Handles all whole messages, and returns how many bytes are done with.
fn take(buffer: &[u8], whole: bool, seen: &mut u32) -> usize {
    let mut rest = buffer;
    loop {
        let after = if whole {
            Message::decode(rest, Limits::GTKG).map(|(message, after)| {
                black_box(message);
                after
            })
        } else {
            Header::decode(rest, Limits::GTKG).and_then(|(header, after)| {
                black_box(header);
                after.get(header.len as usize..).ok_or(DecodeError::Incomplete { needed: 1 })
            })
        };
        match after {
            Ok(after) => rest = after,
            Err(DecodeError::Incomplete { .. }) => return buffer.len() - rest.len(),
            Err(error) => panic!("{error}"),
        }
        *seen += 1;
    }
}

fn hit() {
    let names: Vec<String> = (0..100_usize)
        .map(|n| format!("artist number {n} - a song of many words{}.mp3", "!".repeat(n % 10)))
        .collect();
    let records: Vec<_> = (0..)
        .zip(&names)
        .map(|(index, name)| Record {
            index,
            size: 4_000_000,
            name: text(name),
            extensions: text("urn:sha1:T6PFEIKJF2JB3AJEETNNY6NE4KNI25EN"),
        })
        .collect();
    let hit = QueryHit {
        address: address(),
        speed: 1_000,
        records: Records::from_slice(&records).expect("a hundred"),
        data: HitData::EMPTY,
        servent: ServentId([7; 16]),
    };
    let mut bytes = vec![0; hit.encoded_len()];
    hit.encode(&mut bytes).expect("fits");
    let rounds = TOTAL / bytes.len();
    let total = (rounds * bytes.len()) as f64 / 1e9;
    let decode = best(|| {
        for _ in 0..rounds {
            black_box(QueryHit::decode(black_box(&bytes)).expect("a hit"));
        }
    });
    let walked = best(|| {
        for _ in 0..rounds {
            let hit = QueryHit::decode(black_box(&bytes)).expect("a hit");
            hit.records.iter().for_each(|record| {
                black_box(record);
            });
        }
    });
    let decoded = QueryHit::decode(&bytes).expect("a hit");
    let walk = best(|| {
        for _ in 0..rounds {
            black_box(&decoded).records.iter().for_each(|record| {
                black_box(record);
            });
        }
    });
    let plain = best(|| {
        for _ in 0..rounds {
            black_box(black_box(&bytes).iter().map(|byte| u32::from(*byte == 0)).sum::<u32>());
        }
    });
    println!("hit    {} bytes, 100 records", bytes.len());
    println!("       decode         {:6.2} GB/s", total / decode);
    println!("       walk           {:6.2} GB/s", total / walk);
    println!("       decode + walk  {:6.2} GB/s", total / walked);
    println!("       count NULs     {:6.2} GB/s", total / plain);
}
