//! Four emulated boards that agree on blocks. See `validators devices --help`.

use core::time::Duration;
use std::fs;
use std::io::{BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use examples::cli::{self, Exit, failed, within};
use examples::{progress, report};

use crate::net::Net;

const COUNT: usize = 4;
/// How long a board is without power, in virtual time.
const OUTAGE: Duration = Duration::from_secs(1);
/// The virtual time after which the boards are taken to be stuck.
const PATIENCE: Duration = Duration::from_secs(60);
/// The arguments of the emulator, before the image.
const BOARD: &str = "-M mps2-an386 -cpu cortex-m4 -display none -monitor none -serial none \
    -semihosting-config enable=on,target=native -kernel";

/// Run one firmware image on four emulated boards, which agree on blocks
///
/// Each board is a Cortex-M4 in QEMU. The program is their radio, their clock and their flash: it carries each datagram to
/// the other boards after a delay, in virtual time, and keeps what a board saves.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Example: validators devices validator.elf --restart 3\n\n\
    Build the image with `cargo build --release --bin validator` in examples/firmware.")]
pub struct Args {
    /// The image of a board
    image: PathBuf,
    /// The number of blocks
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = within(1..=100_u64))]
    blocks: u64,
    /// A board that loses its power after the first block, and continues with its flash
    #[arg(long, value_name = "INDEX", value_parser = within(0..=3_usize))]
    restart: Option<usize>,
    /// The seed of the delays
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// The emulator
    #[arg(long, value_name = "PROGRAM", default_value = "qemu-system-arm")]
    qemu: PathBuf,
}

struct Board {
    /// `None` while there is no power.
    machine: Option<Machine>,
    flash: Vec<u8>,
    blocks: Vec<[u8; 32]>,
    /// When it wants to go on without a datagram.
    wakes_at: Duration,
}

/// An emulator, which ends with this value.
struct Machine {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

struct Air {
    net: Net,
    datagrams: u64,
    bytes: u64,
}

/// Runs the subcommand.
pub fn run(args: &Args) -> cli::Result {
    fs::metadata(&args.image).map_err(failed("read", &args.image))?;
    let mut air =
        Air { net: Net::new(args.seed, Duration::ZERO..Duration::ZERO), datagrams: 0, bytes: 0 };
    let mut now = Duration::ZERO;
    let mut boards = Vec::new();
    for index in 0..COUNT {
        let mut board =
            Board { machine: None, flash: Vec::new(), blocks: Vec::new(), wakes_at: now };
        board.power_on(args, index, now, &mut air)?;
        boards.push(board);
    }
    let mut outage = args.restart;
    while boards.iter().any(|board| (board.blocks.len() as u64) < args.blocks) {
        let timers = boards.iter().map(|board| board.wakes_at);
        now = timers.chain(air.net.next_at()).min().ok_or("nothing is due")?.max(now);
        if now > PATIENCE {
            report!("no agreement in {} s", PATIENCE.as_secs());
            return Ok(Exit::Failure);
        }
        progress::show(|| format!("{} ms on the boards", now.as_millis()));
        while let Some(arrival) = air.net.next(now) {
            boards[arrival.to].give(b'D', arrival.to, now, &arrival.bytes, &mut air)?;
        }
        for (index, board) in boards.iter_mut().enumerate() {
            if outage == Some(index) && !board.blocks.is_empty() {
                outage = None;
                report!("{:>5} ms  board {index} loses its power", now.as_millis());
                board.machine = None;
                board.wakes_at = now + OUTAGE;
            }
            if board.wakes_at > now {
                continue;
            }
            if board.machine.is_none() {
                report!("{:>5} ms  board {index} starts again", now.as_millis());
                board.power_on(args, index, now, &mut air)?;
            } else {
                board.give(b'T', index, now, &[], &mut air)?;
            }
        }
    }
    Ok(report(&boards, &air, now))
}

/// Compares the blocks of all boards.
fn report(boards: &[Board], air: &Air, now: Duration) -> Exit {
    let count = boards.iter().map(|board| board.blocks.len()).min().unwrap_or(0);
    let first = &boards[0].blocks[..count];
    if boards.iter().any(|board| board.blocks[..count] != *first) {
        report!("the boards decided differently");
        return Exit::Failure;
    }
    report!(
        "{count} blocks, equal on {COUNT} boards, in {} s; they sent {} datagrams, {} bytes",
        now.as_secs(),
        air.datagrams,
        air.bytes
    );
    Exit::Success
}

impl Board {
    fn power_on(
        &mut self,
        args: &Args,
        index: usize,
        now: Duration,
        air: &mut Air,
    ) -> cli::Result<()> {
        let mut machine = Machine::start(&args.qemu, &args.image)?;
        machine.write(b'I', &[&[index as u8], &self.flash])?;
        self.machine = Some(machine);
        self.run(index, now, air)
    }

    /// Gives a frame to the board and lets it run until it waits. Without power nothing happens.
    fn give(
        &mut self,
        kind: u8,
        index: usize,
        now: Duration,
        content: &[u8],
        air: &mut Air,
    ) -> cli::Result<()> {
        let Some(machine) = &mut self.machine else { return Ok(()) };
        let time = u64::try_from(now.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
        machine.write(kind, &[&time.to_be_bytes(), content])?;
        self.run(index, now, air)
    }

    /// Lets the board run until it waits.
    fn run(&mut self, index: usize, now: Duration, air: &mut Air) -> cli::Result<()> {
        let Some(machine) = &mut self.machine else { return Ok(()) };
        loop {
            let (kind, content) = machine.read()?;
            match (kind, content.as_slice()) {
                (b'W', time) => {
                    let time = time.try_into().map_or(u64::MAX, u64::from_be_bytes);
                    self.wakes_at = Duration::from_millis(time);
                    return Ok(());
                }
                (b'S', state) => self.flash = state.to_vec(),
                (b'D', datagram) => {
                    air.datagrams += 1;
                    air.bytes += datagram.len() as u64;
                    for to in 0..COUNT {
                        air.net.send(now, index, to, datagram);
                    }
                }
                (b'F', decided) => {
                    let Some((height, value)) = decided.split_first_chunk() else { continue };
                    let height = u64::from_be_bytes(*height);
                    report!("{:>5} ms  board {index} decides block {height}", now.as_millis());
                    let value = value.try_into().map_err(|_| "a digest has 32 bytes")?;
                    decide(&mut self.blocks, height, value)?;
                }
                (b'I', size) => {
                    let size = size.try_into().map_or(0, u32::from_be_bytes);
                    report!(
                        "{:>5} ms  board {index}: a validator of {size} bytes",
                        now.as_millis()
                    );
                }
                (kind, _) => return Err(format!("board {index} sends a frame of kind {kind}")),
            }
        }
    }
}

/// Adds a block. A board that has started again may report one again.
fn decide(blocks: &mut Vec<[u8; 32]>, height: u64, value: [u8; 32]) -> cli::Result<()> {
    let place = height.checked_sub(1).and_then(|at| usize::try_from(at).ok());
    match place.and_then(|at| blocks.get(at)) {
        Some(known) if *known != value => Err(format!("two blocks {height} on one board")),
        None if height == blocks.len() as u64 + 1 => {
            blocks.push(value);
            Ok(())
        }
        None => Err(format!("block {height} follows block {}", blocks.len())),
        Some(_) => Ok(()),
    }
}

impl Machine {
    fn start(qemu: &Path, image: &Path) -> cli::Result<Self> {
        let mut command = Command::new(qemu);
        command.args(BOARD.split_whitespace()).arg(image);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child =
            command.spawn().map_err(|error| format!("cannot start {}: {error}", qemu.display()))?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (input, output) = pipes.ok_or("the emulator has no pipes")?;
        Ok(Self { child, input, output: BufReader::new(output) })
    }

    fn write(&mut self, kind: u8, parts: &[&[u8]]) -> cli::Result<()> {
        let content = parts.concat();
        let len = u16::try_from(content.len()).map_err(|_| "a frame is too long")?;
        let frame = [&[kind], &len.to_be_bytes()[..], &content].concat();
        self.input.write_all(&frame).map_err(|error| format!("a board has stopped: {error}"))
    }

    fn read(&mut self) -> cli::Result<(u8, Vec<u8>)> {
        let stopped = |error| format!("a board has stopped: {error}");
        let mut head = [0; 3];
        self.output.read_exact(&mut head).map_err(stopped)?;
        let [kind, high, low] = head;
        let mut content = vec![0; usize::from(u16::from_be_bytes([high, low]))];
        self.output.read_exact(&mut content).map_err(stopped)?;
        Ok((kind, content))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it has ended, perhaps
        let _ = self.child.wait();
    }
}
