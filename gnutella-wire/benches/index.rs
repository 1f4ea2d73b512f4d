//! The central index at 1,000, 100,000 and 1,000,000 files. `cargo bench -p gnutella-wire --bench index`
//!
//! Workload: a hundredth as many users as files share names of eight words: two of 64 common ones, three of a
//! vocabulary that grows with the files, two numbers, and `mp3`. The columns, in nanoseconds:
//!
//! - SHARE: one message 100, from its bytes.
//! - STATS: one message 214 and its answer.
//! - rare: a search whose word one file has, with its row and its end: the median of 1,000, and the most.
//! - common: 100 rows of a search for `mp3`, per row.
//! - none: a search for two common words and a bitrate that no file has, per slice: what one call costs at most.
//! - letters: a search of 240 bytes with every letter as a word, until its end.

use core::hint::black_box;
use core::net::Ipv4Addr;
use core::time::Duration;
use std::time::Instant;

use gnutella_wire::ConnId;
use gnutella_wire::opennap::{Index, IndexConfig, IndexLimits, IndexVec};

type Server = Index<IndexVec>;

const T0: Duration = Duration::ZERO;

fn frame(kind: u16, data: &str) -> Vec<u8> {
    let mut bytes = u16::try_from(data.len()).unwrap().to_le_bytes().to_vec();
    bytes.extend(kind.to_le_bytes());
    bytes.extend(data.as_bytes());
    bytes
}

/// Sends a message and returns how many the index then sends at once.
fn send(index: &mut Server, conn: u32, bytes: &[u8]) -> usize {
    let received = index.handle_bytes(T0, ConnId(conn), bytes).unwrap();
    assert_eq!(received.consumed, bytes.len());
    drain(index)
}

fn drain(index: &mut Server) -> usize {
    let mut buf = [0; Server::MAX_TRANSMIT_LEN];
    core::iter::from_fn(|| index.poll_transmit(&mut buf).unwrap()).count()
}

fn name(number: usize, files: usize) -> String {
    let mix = number.wrapping_mul(0x9E37_79B9) >> 7;
    let words = files / 4 + 1;
    let common = [mix % 64, (mix >> 6) % 64];
    let rare = [mix % words, (mix / 3) % words, (mix / 7) % words];
    format!(
        "\"common{} common{} w{} w{} w{} {} id{number}.mp3\" 0 99 128 44100 60",
        common[0],
        common[1],
        rare[0],
        rare[1],
        rare[2],
        number % 100
    )
}

fn nanos(since: Instant, count: usize) -> u128 {
    since.elapsed().as_nanos() / u128::try_from(count.max(1)).unwrap()
}

fn measure(files: usize) {
    let users = files / 100 + 2;
    let mut config = IndexConfig::CUSTOMARY;
    config.seed = 0x5EED;
    config.max_per_address = u32::MAX;
    config.max_per_network = u32::MAX;
    let mut index = Index::new(config, IndexVec::new(IndexLimits { users, files })).unwrap();
    for user in 0..users {
        let conn = u32::try_from(user).unwrap();
        index.handle_connected(T0, ConnId(conn), Ipv4Addr::LOCALHOST).unwrap();
        assert_eq!(send(&mut index, conn, &frame(2, &format!("user{user} pw 1 \"b\" 8"))), 1);
    }
    let messages: Vec<_> = (0..files).map(|number| frame(100, &name(number, files))).collect();
    let began = Instant::now();
    for (number, message) in messages.iter().enumerate() {
        let conn = u32::try_from(number / 100).unwrap();
        assert_eq!(index.handle_bytes(T0, ConnId(conn), message).unwrap().consumed, message.len());
    }
    let share = nanos(began, files);
    assert_eq!((index.files(), drain(&mut index)), (files, 0));
    let asker = u32::try_from(users - 1).unwrap();

    let stats = frame(214, "");
    let began = Instant::now();
    (0..10_000).for_each(|_| assert_eq!(send(&mut index, asker, &stats), 1));
    let stats = nanos(began, 10_000);

    let searches: Vec<_> = (0..1_000)
        .map(|n| frame(200, &format!("FILENAME CONTAINS \"id{} mp3\"", n * 37 % files)))
        .collect();
    let mut now = T0;
    let mut times = Vec::new();
    for search in &searches {
        let began = Instant::now();
        let mut sent = send(&mut index, asker, search);
        while sent < 2 {
            now += Duration::from_millis(1);
            index.handle_timeout(now);
            sent += drain(&mut index);
        }
        times.push(began.elapsed().as_nanos());
    }
    times.sort_unstable();
    let rare = times[times.len() / 2];
    let rare_most = times[times.len() - 1];

    let common = frame(200, "FILENAME CONTAINS \"mp3\" MAX_RESULTS 100");
    let began = Instant::now();
    (0..100).for_each(|_| assert_eq!(send(&mut index, asker, &common), 101));
    let common = nanos(began, 100 * 101);

    let none = frame(200, "FILENAME CONTAINS \"mp3 common1\" BITRATE \"AT LEAST\" 999");
    let mut slices = Vec::new();
    index.handle_timeout(now);
    assert_eq!(index.handle_bytes(now, ConnId(asker), &none).unwrap().consumed, none.len());
    loop {
        let began = Instant::now();
        index.handle_timeout(now);
        let sent = black_box(drain(&mut index));
        slices.push(began.elapsed().as_nanos());
        now += Duration::from_millis(1);
        if sent > 0 {
            break;
        }
    }
    slices.sort_unstable();
    let slice = slices[slices.len() / 2];
    let count = slices.len();

    let letters: String = ('a'..='z').cycle().take(120).flat_map(|letter| [letter, ' ']).collect();
    let letters = frame(200, &format!("FILENAME CONTAINS \"{letters}\""));
    let began = Instant::now();
    (0..1_000).for_each(|_| assert_eq!(send(&mut index, asker, &letters), 1));
    let letters = nanos(began, 1_000);
    println!(
        "{files:>9} | {share:>6} | {stats:>5} | {rare:>6} {rare_most:>8} | {common:>6} | {slice:>7} x {count:<4} | {letters:>6}"
    );
}

fn main() {
    println!("    files |  SHARE | STATS |   rare     most | common |  none x slices  | letters");
    for files in [1_000, 100_000, 1_000_000] {
        measure(files);
    }
}
