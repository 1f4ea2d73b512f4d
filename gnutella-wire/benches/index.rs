//! The central index at 1,000, 100,000 and 1,000,000 files. `cargo bench -p gnutella-wire --bench index`
//!
//! Workload: a hundredth as many users as files share names of eight words: two of 64 common ones, three of a
//! vocabulary that grows with the files, two numbers, and `mp3`. The columns, in nanoseconds, of the thread's own time but for
//! rare and none:
//!
//! - SHARE: one message 100, from its bytes, when users share one after the other.
//! - turns: the same when they share in turn, so that nothing of a user is in a cache.
//! - read: one random read of 64 bytes in a table as large as that of the words, after the one before.
//! - STATS: one message 214 and its answer.
//! - rare: a search whose word one file has, with its row and its end: the median of 1,000, and the most.
//! - common: 100 rows of a search for `mp3`, per row.
//! - none: a search for two common words and a bitrate that no file has, per slice: what one call costs at most.
//! - letters: a search of 240 bytes with every letter as a word, until its end.

mod clock;

use core::hint::black_box;
use core::net::Ipv4Addr;
use core::time::Duration;
use std::time::Instant;

use clock::Clock;
use gnutella_wire::ConnId;
use gnutella_wire::opennap::{EntrySlot, FileSlot, Index, IndexConfig, IndexSlots, UserSlot};

type Server = Index<IndexSlots<Vec<UserSlot>, Vec<FileSlot>, Vec<EntrySlot>>>;

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

/// Builds an index whose users are logged in.
fn server(users: usize, files: usize) -> Server {
    let mut config = IndexConfig::CUSTOMARY;
    config.seed = 0x5EED;
    config.max_per_address = u32::MAX;
    config.max_per_network = u32::MAX;
    let slots = IndexSlots {
        users: vec![UserSlot::EMPTY; users],
        files: vec![FileSlot::EMPTY; files],
        entries: vec![EntrySlot::EMPTY; 12 * (users + files)],
    };
    let mut index = Index::new(config, slots).unwrap();
    for user in 0..users {
        let conn = u32::try_from(user).unwrap();
        index.handle_connected(T0, ConnId(conn), Ipv4Addr::LOCALHOST).unwrap();
        assert_eq!(send(&mut index, conn, &frame(2, &format!("user{user} pw 1 \"b\" 8"))), 1);
    }
    index
}

/// Shares all files, each by the user that `owner` returns, and returns the time for one.
fn share(index: &mut Server, messages: &[Vec<u8>], owner: impl Fn(usize) -> usize) -> f64 {
    let began = Clock::start();
    for (number, message) in messages.iter().enumerate() {
        let conn = ConnId(u32::try_from(owner(number)).unwrap());
        assert_eq!(index.handle_bytes(T0, conn, message).unwrap().consumed, message.len());
    }
    let time = began.nanos(messages.len());
    assert_eq!((index.files(), drain(index)), (messages.len(), 0));
    time
}

/// Reads random lines of a table of this many bytes, each after the one before, and returns the time for one.
fn read(bytes: usize) -> f64 {
    const READS: usize = 1_000_000;
    let lines = vec![[1_usize; 8]; bytes / 64];
    let mut at = 1_usize;
    let began = Clock::start();
    for _ in 0..READS {
        let [value, ..] = lines[(at >> 20) % lines.len()];
        at = at.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(value);
    }
    black_box(at);
    began.nanos(READS)
}

fn measure(files: usize) {
    let users = files / 100 + 2;
    let messages: Vec<_> = (0..files).map(|number| frame(100, &name(number, files))).collect();
    let mut index = server(users, files);
    let turns = share(&mut index, &messages, |number| number % (users - 2));
    drop(index);
    let read = read(12 * (users + files) * size_of::<EntrySlot>());
    let mut index = server(users, files);
    let share = share(&mut index, &messages, |number| number / 100);
    let asker = u32::try_from(users - 1).unwrap();

    let stats = frame(214, "");
    let began = Clock::start();
    (0..10_000).for_each(|_| assert_eq!(send(&mut index, asker, &stats), 1));
    let stats = began.nanos(10_000);

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
    let began = Clock::start();
    (0..100).for_each(|_| assert_eq!(send(&mut index, asker, &common), 101));
    let common = began.nanos(100 * 101);

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
    let began = Clock::start();
    (0..1_000).for_each(|_| assert_eq!(send(&mut index, asker, &letters), 1));
    let letters = began.nanos(1_000);
    println!(
        "{files:>9} | {share:>6.0} {turns:>6.0} {read:>5.0} | {stats:>5.0} | {rare:>6} {rare_most:>8} | {common:>6.0} | {slice:>7} x {count:<4} | {letters:>6.0}"
    );
}

fn main() {
    println!(
        "    files |  SHARE  turns  read | STATS |   rare     most | common |  none x slices  | letters"
    );
    for files in [1_000, 100_000, 1_000_000] {
        measure(files);
    }
}
