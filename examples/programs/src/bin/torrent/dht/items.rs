//! `torrent dht put` and `torrent dht get`: items of the DHT (BEP 44).

use core::time::Duration;
use std::fs;
use std::time::Instant;

use crate::dht::node::{Node, NodeEvent};
use bittorrent_pieces::bencode::{Limits, Mode, Value, Writer};
use bittorrent_pieces::dht::{DhtEvent, Item, ItemName, MAX_VALUE_LEN, NodeId};
use examples::cli::{self, Exit};
use examples::interrupt;

/// Stores a value for others: under its hash, or with --key under a public key
///
/// Prints what `torrent dht get` finds it by. Nodes drop a value two hours after the last put.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Example: openssl rand -hex 32 > key
  torrent dht --listen 127.0.0.1:0 --node 127.0.0.1:6881 put 'version 1' --key key")]
pub struct Put {
    /// The text to store, at most 1,000 bytes in bencoding
    text: String,
    /// The text is bencoded already: a number, list or dictionary
    #[arg(long)]
    bencoded: bool,
    /// Sign it with the private key in this file, 64 hexadecimal digits: a later put replaces it
    #[arg(long, value_name = "FILE")]
    key: Option<String>,
    /// Distinguishes the values of one key
    #[arg(long, value_name = "TEXT", default_value = "", requires = "key")]
    salt: String,
    /// The sequence number; without it one more than that of the value which is found
    #[arg(long, value_name = "N", requires = "key")]
    seq: Option<i64>,
    /// Replace only a value with this sequence number
    #[arg(long, value_name = "N", requires = "key")]
    cas: Option<i64>,
}

/// Prints the value of a hash or of a public key
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Example: torrent dht --listen 127.0.0.1:0 --node 127.0.0.1:6881 \\
      get e5f96f6f38320f0f33959cb4d3d656452117aadb")]
pub struct Get {
    /// 40 hexadecimal digits of a hash, or 64 of a public key
    name: String,
    /// The salt beside the public key
    #[arg(long, value_name = "TEXT", default_value = "")]
    salt: String,
}

/// What was found: the newest value, and its sequence number.
#[derive(Default)]
struct Found {
    value: Option<Vec<u8>>,
    seq: Option<i64>,
}

/// Runs `torrent dht put`.
pub fn put(node: &mut Node, args: &Put) -> cli::Result {
    let mut room = vec![0; args.text.len() + 30];
    let value = if args.bencoded {
        args.text.as_bytes()
    } else {
        let mut writer = Writer::new(&mut room);
        writer.bytes(args.text.as_bytes());
        let len = writer.finish().map_err(|error| error.to_string())?;
        &room[..len]
    };
    let salt = args.salt.as_bytes();
    let item = match &args.key {
        None => Item::immutable(value),
        Some(path) => {
            let secret = read_key(path)?;
            let seq = if let Some(seq) = args.seq {
                seq
            } else {
                let probe = Item::sign(&secret, salt, 0, value);
                let probe = probe.map_err(|error| error.to_string())?;
                find(node, probe.name())?.seq.map_or(1, |seq| seq.saturating_add(1))
            };
            Item::sign(&secret, salt, seq, value)
        }
    };
    let item = item.map_err(|error| error.to_string())?;
    node.put(&item, args.cas)?;
    while !interrupt::interrupted() {
        for event in node.turn(Duration::from_millis(200))? {
            if let NodeEvent::Dht(DhtEvent::ItemFinished { stored, refused, .. }) = event {
                return Ok(report(&item, stored, refused));
            }
        }
    }
    Ok(Exit::Stopped)
}

fn report(item: &Item<'_>, stored: usize, refused: Option<i64>) -> Exit {
    match item.signed() {
        Some(signed) => println!("key {} seq {}", hex(&signed.public_key), signed.seq),
        None => println!("hash {}", item.target()),
    }
    let why = match refused {
        Some(301) => "; it does not have the sequence number of --cas".into(),
        Some(302) => "; what is stored is newer".into(),
        Some(code) => format!("; the last error has the code {code}"),
        None => String::new(),
    };
    println!("{stored} nodes stored it{why}");
    Exit::success_if(stored > 0)
}

/// Runs `torrent dht get`.
pub fn get(node: &mut Node, args: &Get) -> cli::Result {
    let name = unhex(&args.name).unwrap_or_default();
    let name = if let Ok(hash) = <[u8; 20]>::try_from(&name[..]) {
        ItemName::Immutable(NodeId(hash))
    } else {
        let key = name.try_into().map_err(|_| "40 or 64 hexadecimal digits are expected")?;
        ItemName::Mutable { public_key: key, salt: args.salt.as_bytes() }
    };
    let Found { value, seq } = find(node, name)?;
    if let Some(seq) = seq {
        println!("seq {seq}");
    }
    match &value {
        Some(value) => println!("{}", text(value)),
        None => println!("nothing was found"),
    }
    Ok(Exit::success_if(value.is_some()))
}

fn find(node: &mut Node, name: ItemName<'_>) -> Result<Found, String> {
    node.get(name)?;
    let mut found = Found::default();
    let start = Instant::now();
    while !interrupt::interrupted() && start.elapsed() < Duration::from_secs(60) {
        for event in node.turn(Duration::from_millis(200))? {
            match event {
                NodeEvent::Item(value, seq) => found = Found { value: Some(value), seq },
                NodeEvent::Dht(DhtEvent::ItemFinished { .. }) => return Ok(found),
                _ => {}
            }
        }
    }
    Ok(found)
}

/// Returns a text as it is, and all else as it is bencoded, without control characters.
fn text(value: &[u8]) -> String {
    let read = Value::from_bytes(value, Mode::Strict, Limits::DEFAULT).ok();
    let bytes = read.and_then(|value| value.as_bytes());
    let plain = bytes.and_then(|bytes| core::str::from_utf8(bytes).ok());
    let printable = |text: &&str| !text.contains(|c: char| c.is_control() && c != '\n');
    match plain.filter(printable) {
        Some(plain) => plain.to_owned(),
        None => value.escape_ascii().to_string(),
    }
}

fn read_key(path: &str) -> Result<[u8; 32], String> {
    let digits = fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    let key = unhex(digits.trim()).and_then(|key| key.try_into().ok());
    key.ok_or_else(|| format!("{path}: 64 hexadecimal digits are expected"))
}

fn unhex(digits: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<_>> = digits.chars().map(|digit| digit.to_digit(16)).collect();
    let (pairs, []) = digits.as_ref()?.as_chunks::<2>() else { return None };
    pairs.iter().map(|[high, low]| u8::try_from(high * 16 + low).ok()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

const _: () = assert!(MAX_VALUE_LEN == 1_000, "the help says so");
