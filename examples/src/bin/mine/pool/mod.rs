//! One search shared among many over TCP. See `pool --help`.

mod serve;
mod work;

use core::num::NonZeroU64;
use std::process::ExitCode;

use examples::words::{Words, start};

const HELP: &str = "\
One nonce search shared among many over TCP: the pool leases out nonces, workers send shares as proof of effort.

Usage: pool serve [OPTIONS] TEXT
       pool work ADDRESS

  --bits N        SHA-256 of TEXT and eight bytes of nonce has to begin with N zero bits, 0 to 255 (default 28)
  --share-bits N  a share has to begin with N, 0 to 255 (default 16)
  --lease N       how many nonces one lease has (default 4194304)
  --patience N    after how many seconds of silence a lease goes to somebody else, 1 to 86400 (default 60)
  --to N          the last nonce to try (default: the greatest)
  --reward N      what is split among the workers in the end (default 1000000)
  --listen ADDR   where the pool listens (default 127.0.0.1:7333)
  --help          print this

The pool ends, and splits the reward, once a nonce is found or all were tried; so do its workers.

Example: pool serve --bits 26 'one song'      and, as often as you like: pool work 127.0.0.1:7333";

enum Args {
    Serve(Serve),
    Work(String),
}

/// What the pool is to do.
struct Serve {
    text: String,
    bits: u32,
    share_bits: u32,
    lease: NonZeroU64,
    patience: u64,
    last: u64,
    reward: u64,
    listen: String,
}

/// Runs the subcommand.
pub fn run(words: Vec<String>) -> ExitCode {
    start(words, "mine pool", HELP, parse, |args| match args {
        Args::Serve(args) => serve::serve(&args),
        Args::Work(address) => work::work(&address),
    })
}

fn parse(mut words: Words) -> Result<Args, String> {
    match words.next().as_deref() {
        Some("serve") => parse_serve(words).map(Args::Serve),
        Some("work") => match (words.next(), words.next()) {
            (Some(address), None) => Ok(Args::Work(address)),
            _ => Err("work takes the address of a pool".into()),
        },
        _ => Err("say serve or work".into()),
    }
}

fn parse_serve(mut words: Words) -> Result<Serve, String> {
    let (mut bits, mut share_bits, mut lease, mut patience) = (28, 16, 1 << 22, 60);
    let (mut last, mut reward, mut listen) = (u64::MAX, 1_000_000, "127.0.0.1:7333".to_owned());
    let mut text = None;
    while let Some(word) = words.next() {
        match word.as_str() {
            "--bits" => bits = words.number(&word, 0..=255)?,
            "--share-bits" => share_bits = words.number(&word, 0..=255)?,
            "--lease" => lease = words.number(&word, 1..=u64::MAX)?,
            "--patience" => patience = words.number(&word, 1..=86_400)?,
            "--to" => last = words.number(&word, 0..=u64::MAX)?,
            "--reward" => reward = words.number(&word, 0..=u64::MAX)?,
            "--listen" => listen = words.value(&word)?,
            flag if flag.starts_with("--") => return Err(format!("there is no option {flag}")),
            _ if text.is_some() => return Err("one text at a time; put it in quotes".into()),
            _ => text = Some(word),
        }
    }
    let text = text.ok_or("serve takes a text")?;
    let lease = NonZeroU64::new(lease).unwrap_or(NonZeroU64::MIN);
    Ok(Serve { text, bits, share_bits, lease, patience, last, reward, listen })
}
