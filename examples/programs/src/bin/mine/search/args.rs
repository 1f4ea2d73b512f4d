//! The command line.

use core::num::NonZeroU64;
use core::ops::RangeInclusive;
use core::time::Duration;
use std::path::PathBuf;

use clap::ArgGroup;
use examples::cli::{self, within};
use pow::{Header, Kernel};

/// Search for the nonce that makes a hash small enough, on all cores
///
/// The least nonce of the range is found, whatever the threads and the kernel. Failure if the range has none.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Example: mine search --bits 28 --state song.state 'one song, 3 seeds, 8 leeches'",
    group = ArgGroup::new("task").required(true).args(["text", "header"]))]
pub struct Args {
    /// What is hashed, with eight bytes of nonce after it
    #[arg(requires = "bits")]
    text: Option<String>,
    /// SHA-256 of TEXT and the nonce has to begin with this many zero bits
    #[arg(long, value_name = "N", value_parser = within(0..=255_u32), requires = "text")]
    bits: Option<u32>,
    /// A Bitcoin header of 80 bytes whose double SHA-256 has to meet its own target; its nonce does not matter
    #[arg(long, value_name = "HEX", value_parser = header_of)]
    header: Option<Header>,
    /// How many threads, 1 to 1024; by default as many as there are cores
    #[arg(long, value_name = "N", value_parser = within(1..=1024_u64))]
    threads: Option<u64>,
    /// Hash with this code, or any unmistakable part of its name; by default the fastest
    #[arg(long, value_name = "NAME", value_parser = kernel_of)]
    kernel: Option<Kernel>,
    /// The first nonce to try
    #[arg(long, value_name = "N", default_value_t = 0)]
    from: u64,
    /// The last nonce to try
    #[arg(long, value_name = "N", default_value_t = u64::MAX, hide_default_value = true)]
    to: u64,
    /// Stop after this many seconds
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,
    /// Where the progress is kept when the search is stopped; the same command continues from there
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
}

/// What is searched.
pub enum Task {
    Text { text: String, bits: u32 },
    Header(Header),
}

impl Args {
    /// Returns what is searched.
    pub fn task(&self) -> cli::Result<Task> {
        match (&self.text, self.bits, self.header) {
            (Some(text), Some(bits), None) => Ok(Task::Text { text: text.clone(), bits }),
            (None, None, Some(header)) => Ok(Task::Header(header)),
            _ => Err("give either --bits N and a text, or --header HEX".into()),
        }
    }

    pub fn threads(&self) -> NonZeroU64 {
        let cores = || std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
        NonZeroU64::new(self.threads.unwrap_or_else(cores)).unwrap_or(NonZeroU64::MIN)
    }

    pub fn kernel(&self) -> Kernel {
        self.kernel.unwrap_or_else(Kernel::best)
    }

    pub fn nonces(&self) -> RangeInclusive<u64> {
        self.from..=self.to
    }

    pub fn patience(&self) -> Option<Duration> {
        self.seconds.map(Duration::from_secs)
    }
}

fn header_of(text: &str) -> Result<Header, String> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|digit| digit.to_digit(16).map(|digit| digit as u8)).collect();
    let digits = digits.ok_or("hexadecimal digits are expected")?;
    let (pairs, odd) = digits.as_chunks::<2>();
    let bytes: Vec<u8> = pairs.iter().map(|[high, low]| high << 4 | low).collect();
    match Header::decode(&bytes) {
        Ok((header, [])) if odd.is_empty() => Ok(header),
        _ => Err(format!("160 digits are expected, not {}", digits.len())),
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
            Err(format!("one of these is expected: {}", names.join(", ")))
        }
    }
}
