//! The command line.

use core::num::NonZeroU64;
use core::ops::RangeInclusive;
use core::time::Duration;
use std::path::PathBuf;

use examples::words::Words;
use pow::{Header, Kernel};

pub const HELP: &str = "\
Looks for the nonce that makes a hash small enough, on all cores.

Usage: mine [OPTIONS] --bits N TEXT
       mine [OPTIONS] --header HEX

  --bits N        SHA-256 of TEXT and eight bytes of nonce has to begin with N zero bits, 0 to 255
  --header HEX    a Bitcoin header of 80 bytes: its double SHA-256 has to meet the target that it claims;
                  what its nonce says does not matter
  --threads N     how many threads, 1 to 1024 (default: as many as there are cores)
  --kernel NAME   hash with this code, or any unmistakable part of its name (default: the fastest)
  --from N        the first nonce to try (default 0)
  --to N          the last nonce to try (default: the greatest)
  --seconds N     stop after so many seconds, as Ctrl-C does
  --state FILE    where the progress is kept when the search is stopped; the same command goes on from there
  --help          print this

The least nonce of the range is found, whatever the threads and the kernel. The exit code is 0 if there was one,
1 if there is none, 3 if the search was stopped.

Example: mine --bits 28 --state song.state 'one song, 3 seeds, 8 leeches'";

/// What is searched.
pub enum Task {
    Text { text: String, bits: u32 },
    Header(Header),
}

/// What the command line asks for.
pub struct Args {
    pub task: Task,
    pub threads: NonZeroU64,
    pub kernel: Kernel,
    pub nonces: RangeInclusive<u64>,
    pub patience: Option<Duration>,
    pub state: Option<PathBuf>,
}

impl Args {
    pub fn parse(mut words: Words) -> Result<Self, String> {
        let (mut text, mut bits, mut header) = (None, None, None);
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
        let (mut threads, mut kernel) = (cores, Kernel::best());
        let (mut from, mut to) = (0, u64::MAX);
        let (mut patience, mut state) = (None, None);
        while let Some(word) = words.next() {
            match word.as_str() {
                "--bits" => bits = Some(words.number(&word, 0..=255)?),
                "--header" => header = Some(header_of(&words.value(&word)?)?),
                "--threads" => threads = words.number(&word, 1..=1024)?,
                "--kernel" => kernel = kernel_of(&words.value(&word)?)?,
                "--from" => from = words.number(&word, 0..=u64::MAX)?,
                "--to" => to = words.number(&word, 0..=u64::MAX)?,
                "--seconds" => {
                    patience = Some(Duration::from_secs(words.number(&word, 0..=u64::MAX)?));
                }
                "--state" => state = Some(PathBuf::from(words.value(&word)?)),
                flag if flag.starts_with("--") => return Err(format!("there is no option {flag}")),
                _ if text.is_some() => return Err("one text at a time; put it in quotes".into()),
                _ => text = Some(word),
            }
        }
        let task = match (text, bits, header) {
            (Some(text), Some(bits), None) => Task::Text { text, bits },
            (None, None, Some(header)) => Task::Header(header),
            _ => return Err("name either --bits N and a text, or --header HEX".into()),
        };
        if from > to {
            return Err(format!("there is no nonce from {from} to {to}"));
        }
        let threads = NonZeroU64::new(threads).unwrap_or(NonZeroU64::MIN);
        Ok(Self { task, threads, kernel, nonces: from..=to, patience, state })
    }
}

fn header_of(text: &str) -> Result<Header, String> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|digit| digit.to_digit(16).map(|digit| digit as u8)).collect();
    let digits = digits.ok_or("--header takes hexadecimal digits only")?;
    let (pairs, odd) = digits.as_chunks::<2>();
    let bytes: Vec<u8> = pairs.iter().map(|[high, low]| high << 4 | low).collect();
    match Header::decode(&bytes) {
        Ok((header, [])) if odd.is_empty() => Ok(header),
        _ => Err(format!("--header takes 160 digits, not {}", digits.len())),
    }
}

fn kernel_of(name: &str) -> Result<Kernel, String> {
    let all: Vec<(Kernel, String)> =
        Kernel::available().map(|kernel| (kernel, kernel.to_string())).collect();
    let wanted = name.to_lowercase();
    let fits: Vec<_> =
        all.iter().filter(|(_, name)| name.to_lowercase().contains(&wanted)).collect();
    let exact = all.iter().find(|(_, known)| *known == name);
    match (exact, &fits[..]) {
        (Some((kernel, _)), _) | (_, [(kernel, _)]) => Ok(*kernel),
        _ => {
            let names: Vec<_> = all.iter().map(|(_, name)| name.as_str()).collect();
            Err(format!("--kernel {name} is not one of these: {}", names.join(", ")))
        }
    }
}
