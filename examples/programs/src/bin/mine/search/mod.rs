//! A nonce search on all cores. See `mine search --help`.

mod args;
mod state;
mod threads;

use core::fmt::Write as _;
use core::num::NonZeroU64;
use core::sync::atomic::Ordering;
use core::time::Duration;
use std::thread;
use std::time::Instant;

use examples::cli::{self, Exit};
use examples::{progress, report, storage, warning};
use pow::{
    BigEndian, DigestOrder, HashFunction, Header, LittleEndian, Miner, NonceField, NonceFormat,
    Puzzle, Target,
};

pub use args::Args;
use args::Task;
use state::Progress;
use threads::{Shared, search};

/// Runs the subcommand.
pub fn run(args: &Args) -> cli::Result {
    let (from, to) = args.nonces().into_inner();
    if from > to {
        return cli::refuse(&format!("there is no nonce from {from} to {to}"));
    }
    examples::interrupt::install();
    match &args.task()? {
        Task::Text { text, bits } => {
            let message = [text.as_bytes(), &[0; 8]].concat();
            let field = NonceField { offset: text.len(), format: NonceFormat::U64Be };
            let puzzle = Puzzle::new(HashFunction::Sha256, &message, field)
                .map_err(|error| error.to_string())?;
            let target = Target::from_zero_bits(*bits);
            let name = format!("bits {bits} text {}", hex(text.as_bytes()));
            drive::<BigEndian>(args, puzzle, target, &name, |nonce| {
                report!("hash   {}", hex(&puzzle.digest(nonce)));
                report!("check  printf '%s%b' TEXT '{}' | sha256sum", escapes(nonce));
            })
        }
        Task::Header(header) => {
            let target = header.bits.to_target();
            let target = target.map_err(|error| format!("the header's target: {error}"))?;
            let name = format!("header {}", hex(&Header { nonce: 0, ..*header }.to_bytes()));
            drive::<LittleEndian>(args, Puzzle::of_header(header), target, &name, |nonce| {
                let found = Header { nonce: nonce as u32, ..*header };
                report!("id     {}", found.id());
                report!("header {}", hex(&found.to_bytes()));
            })
        }
    }
}

/// How often the progress is written: what a power cut costs at most.
const SAVE_EVERY: Duration = Duration::from_secs(2);

/// Searches from the beginning or from where an earlier run was stopped, and says what came of it.
fn drive<R: DigestOrder + Send>(
    args: &Args,
    puzzle: Puzzle,
    target: Target,
    name: &str,
    tell: impl FnOnce(u64),
) -> cli::Result {
    let (from, to) = args.nonces().into_inner();
    let to = to.min(puzzle.format().max());
    let name = format!("{name} nonces {from} to {to}");
    let saved = match &args.state {
        Some(path) => Progress::load(path, &name)?,
        None => None,
    };
    let progress = saved.unwrap_or_else(|| Progress {
        tried: 0,
        next: (0..args.threads().get()).map(|thread| from.checked_add(thread)).collect(),
    });
    let stride = NonZeroU64::new(progress.next.len() as u64).unwrap_or(NonZeroU64::MIN);
    let miner = |next: &Option<u64>| {
        let miner = Miner::<R>::new(puzzle, target, next.unwrap_or(to)..=to);
        let mut miner = miner.with_stride(stride).with_kernel(args.kernel());
        if next.is_none() {
            miner.cancel();
        }
        miner
    };
    let mut miners: Vec<_> = progress.next.iter().map(miner).collect();
    let hashes = target.work().hashes();
    let expected = hashes.saturating_u128();
    let more = if hashes.bits() > 128 { "more than " } else { "" };
    let kernel = args.kernel();
    report!("{} threads, kernel: {kernel}; {more}{expected} hashes are expected", miners.len());
    if progress.tried > 0 {
        report!("going on after {} hashes", progress.tried);
    }
    // A file that cannot be written is found out before the work and not after it.
    save(args, &progress, &name)?;
    let shared = Shared::new(progress.tried, &progress.next);
    let keep = || {
        let tried = shared.tried.load(Ordering::Relaxed);
        save(args, &Progress { tried, next: shared.next() }, &name)
    };
    let found = search(&mut miners, &shared, || watch(args, &shared, progress.tried, target, keep));
    let tried = shared.tried.load(Ordering::Relaxed);
    if let Some(nonce) = found {
        report!("found after {tried} hashes");
        report!("nonce  {nonce}");
        tell(nonce);
        forget(args)?;
        return Ok(Exit::Success);
    }
    let next: Vec<_> =
        miners.iter().map(|miner| miner.remaining().map(|nonces| *nonces.start())).collect();
    if next.iter().all(Option::is_none) {
        report!("no nonce from {from} to {to} counts; {tried} hashes tried");
        forget(args)?;
        return Ok(Exit::Failure);
    }
    report!("stopped after {tried} hashes");
    if let Some(path) = &args.state {
        Progress { tried, next }.save(path, &name)?;
        report!("{} keeps the progress; the same command goes on", path.display());
    } else {
        report!("the progress is lost; with --state FILE it is kept");
    }
    Ok(Exit::Stopped)
}

/// Shows the rate, saves the progress, and stops the threads at the time limit or on a signal.
fn watch(
    args: &Args,
    shared: &Shared,
    before: u64,
    target: Target,
    keep: impl Fn() -> Result<(), String>,
) {
    let start = Instant::now();
    let mut saved = start;
    while shared.is_running() {
        let late = args.patience().is_some_and(|patience| start.elapsed() >= patience);
        if late || examples::interrupt::interrupted() {
            shared.stop.store(true, Ordering::Relaxed);
        }
        thread::sleep(Duration::from_millis(5));
        if saved.elapsed() >= SAVE_EVERY {
            saved = Instant::now();
            if let Err(error) = keep() {
                warning!("{error}");
            }
        }
        progress::show(|| {
            let tried = shared.tried.load(Ordering::Relaxed);
            let rate = (tried - before) as f64 / start.elapsed().as_secs_f64();
            let time = target.work().expected_time(rate as u64);
            format!("{:.2} MH/s, {tried} hashes, {} on average", rate / 1e6, span(time))
        });
    }
}

/// Writes the progress, if it is to be kept.
fn save(args: &Args, progress: &Progress, name: &str) -> Result<(), String> {
    args.state.as_ref().map_or(Ok(()), |path| progress.save(path, name))
}

/// Removes the progress of a search that is over.
fn forget(args: &Args) -> Result<(), String> {
    let Some(path) = &args.state else { return Ok(()) };
    storage::remove(path).map_err(cli::failed("remove", path))
}

fn span(time: Duration) -> String {
    match time.as_secs_f64() {
        seconds if seconds < 120.0 => format!("{seconds:.1} seconds"),
        seconds if seconds < 7200.0 => format!("{:.1} minutes", seconds / 60.0),
        seconds if seconds < 172_800.0 => format!("{:.1} hours", seconds / 3600.0),
        seconds if seconds < 3.156e9 => format!("{:.1} days", seconds / 86_400.0),
        seconds => format!("{:.1e} years", seconds / 31_556_952.0),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The nonce as the shell's `printf %b` takes it.
fn escapes(nonce: u64) -> String {
    nonce.to_be_bytes().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "\\0{byte:03o}");
        text
    })
}
