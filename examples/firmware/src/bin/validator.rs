//! One of four validators that agree on blocks (BFT), on a board with 64 KiB of memory. The image is the same for all.
//!
//! Its radio, its clock and its flash are the two ends of a pipe, which `validators devices` holds. A frame is a kind, the
//! length of its content (u16, big-endian) and the content:
//!
//! | kind | to the board | from the board |
//! |---|---|---|
//! | `I` | the index of the validator (u8), and the flash that it saved before it lost power | the size of the validator in bytes (u32) |
//! | `D` | the time in milliseconds (u64), and a datagram | a datagram for all others |
//! | `T` | the time | – |
//! | `S` | – | the content of the flash |
//! | `F` | – | a decided block: height (u64), digest |
//! | `W` | – | it waits for a frame, until this time (u64) |
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

use core::time::Duration;

use consensus::bft::{Bft, BftConfig, BftEvent, BftSetup, BftSlots, PeerSlot, VoteSlot};
use consensus::{Ed25519Key, Keys as _, RoundRobin, SignedStatement, ValidatorId};
use cortex_m_rt::entry;
use firmware::exit;
use semihosting::fs::File;
use semihosting::io::{Read as _, Write as _};

const COUNT: usize = 4;
const STATE: usize = 1024; // of flash
const KEPT: usize = 16; // heights, for validators that are behind
const GENESIS: [u8; 32] = [0xC0; 32];

type Validator = Bft<
    RoundRobin<[ValidatorId; COUNT]>,
    Ed25519Key,
    BftSlots<[PeerSlot; COUNT], [VoteSlot; COUNT * VoteSlot::PER_VALIDATOR]>,
>;

const _: () = assert!(size_of::<Validator>() < 4096);

/// The precommits of a height.
#[derive(Clone, Copy)]
struct Certificate {
    height: u64,
    votes: [Option<SignedStatement>; COUNT],
}

struct Board {
    index: u8,
    validator: Validator,
    now: Duration,
    kept: [Certificate; KEPT],
    pipe: Pipe,
}

/// Files of the host that wait for a frame; the console of an emulator may not.
struct Pipe {
    input: File,
    output: File,
}

#[entry]
fn main() -> ! {
    let (Ok(input), Ok(output)) = (File::open(c"/dev/stdin"), File::create(c"/dev/stdout")) else {
        exit(false)
    };
    let mut pipe = Pipe { input, output };
    let mut buf = [0; STATE + 8];
    let Some((b'I', [index, saved @ ..])) = pipe.read(&mut buf) else { exit(false) };
    let Some(validator) = build(*index, saved) else { exit(false) };
    let size = u32::try_from(size_of::<Validator>()).unwrap_or(u32::MAX);
    let kept = [Certificate { height: 0, votes: [None; COUNT] }; KEPT];
    let mut board = Board { index: *index, validator, now: Duration::ZERO, kept, pipe };
    let mut is_well = board.pipe.write(b'I', &[&size.to_be_bytes()]).is_some();
    while is_well {
        is_well = board.turn().is_some();
    }
    exit(false)
}

/// Creates the validator, or continues with what was saved.
fn build(index: u8, saved: &[u8]) -> Option<Validator> {
    // A board outside of a demonstration has its own secret only.
    let secrets = [1, 2, 3, 4].map(|secret| Ed25519Key::from_secret(&[secret; 32]));
    let ids = [0, 1, 2, 3].map(|n: usize| secrets.get(n).map(Ed25519Key::id));
    let [Some(a), Some(b), Some(c), Some(d)] = ids else { return None };
    let ids = [a, b, c, d];
    let validators = ids.map(|id| (id, 1));
    let setup = BftSetup {
        config: BftConfig::new(Duration::from_millis(200)),
        genesis: GENESIS,
        height: 1,
        validators: &validators,
        selector: RoundRobin::new(ids),
        keys: secrets.get(usize::from(index))?.clone(),
    };
    let storage = BftSlots {
        validators: [PeerSlot::EMPTY; COUNT],
        votes: [VoteSlot::EMPTY; COUNT * VoteSlot::PER_VALIDATOR],
    };
    if saved.is_empty() {
        return Bft::new(setup, storage).ok();
    }
    Bft::resume(setup, storage, saved).ok()
}

impl Board {
    /// Does what the validator asks for, sends what it has to send, and waits for a datagram or a deadline. Returns `None`
    /// if the pipe ends.
    fn turn(&mut self) -> Option<()> {
        while let Some(event) = self.validator.poll_event() {
            self.handle(event)?;
        }
        let mut datagram = [0; SignedStatement::LEN];
        while self.validator.poll_transmit(&mut datagram).ok()?.is_some() {
            self.pipe.write(b'D', &[&datagram])?;
        }
        let deadline = self.validator.poll_timeout().map_or(u64::MAX, millis);
        self.pipe.write(b'W', &[&deadline.to_be_bytes()])?;
        let mut buf = [0; 8 + SignedStatement::LEN];
        let (kind, content) = self.pipe.read(&mut buf)?;
        let (time, datagram) = content.split_first_chunk()?;
        self.now = Duration::from_millis(u64::from_be_bytes(*time));
        if kind == b'D' {
            let _ = self.validator.handle_datagram(self.now, datagram); // a repeated one is dropped
        }
        if self.validator.poll_timeout().is_some_and(|at| at <= self.now) {
            self.validator.handle_timeout(self.now);
        }
        Some(())
    }

    fn handle(&mut self, event: BftEvent) -> Option<()> {
        match event {
            BftEvent::Save { token } => {
                let mut state = [0; STATE];
                let len = self.validator.encode_state(&mut state).ok()?;
                self.pipe.write(b'S', &[state.get(..len)?])?;
                self.validator.handle_saved(self.now, token).ok()
            }
            BftEvent::Propose { height, .. } => {
                let mut value = [0; 32];
                value.first_chunk_mut().map(|head| *head = height.to_be_bytes())?;
                *value.last_mut()? = self.index.saturating_add(1); // so that none is all zeros
                self.validator.propose(self.now, &value).ok()
            }
            BftEvent::Check { height, value } => {
                let is_valid = value.first_chunk() == Some(&height.to_be_bytes());
                self.validator.handle_checked(self.now, &value, is_valid);
                Some(())
            }
            BftEvent::Decided { height, value, .. } => {
                self.keep(height);
                self.pipe.write(b'F', &[&height.to_be_bytes(), &value])?;
                self.validator.next_height(self.now).ok()
            }
            BftEvent::PeerBehind { height, .. } => self.help(height),
            _ => Some(()),
        }
    }

    /// Remembers the precommits of a height in place of those of the lowest.
    fn keep(&mut self, height: u64) {
        let mut votes = [None; COUNT];
        for (slot, vote) in votes.iter_mut().zip(self.validator.certificate()) {
            *slot = Some(vote);
        }
        if let Some(lowest) = self.kept.iter_mut().min_by_key(|kept| kept.height) {
            *lowest = Certificate { height, votes };
        }
    }

    /// Sends the precommits of a height again.
    fn help(&mut self, height: u64) -> Option<()> {
        let Some(kept) = self.kept.iter().find(|kept| kept.height == height) else {
            return Some(());
        };
        for vote in kept.votes.iter().flatten() {
            let mut datagram = [0; SignedStatement::LEN];
            vote.encode(&mut datagram).ok()?;
            self.pipe.write(b'D', &[&datagram])?;
        }
        Some(())
    }
}

/// Rounds up, so that the deadline has come at that time.
fn millis(at: Duration) -> u64 {
    u64::try_from(at.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

impl Pipe {
    /// Reads a frame. Returns `None` at the end, and for a frame that does not fit.
    fn read<'b>(&mut self, buf: &'b mut [u8]) -> Option<(u8, &'b [u8])> {
        let mut head = [0; 3];
        self.input.read_exact(&mut head).ok()?;
        let [kind, high, low] = head;
        let content = buf.get_mut(..usize::from(u16::from_be_bytes([high, low])))?;
        self.input.read_exact(content).ok()?;
        Some((kind, content))
    }

    fn write(&mut self, kind: u8, parts: &[&[u8]]) -> Option<()> {
        let len = parts.iter().map(|part| part.len()).sum::<usize>();
        let [high, low] = u16::try_from(len).ok()?.to_be_bytes();
        self.output.write_all(&[kind, high, low]).ok()?;
        parts.iter().try_for_each(|part| self.output.write_all(part).ok())
    }
}
