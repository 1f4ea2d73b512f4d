//! The seven laws of a machine, checked under an arbitrary order of calls.
//!
//! A test wraps its machine in a [`Machine`] and calls [`check`] with bytes from a property test or
//! a fuzzer. The bytes choose the calls, their arguments and the clock, which also runs backwards
//! and leaps to the end of time. A second machine gets the same calls with the clock that never
//! runs backwards; the two must not differ (laws 4 and 5).

use core::fmt::Write as _;
use core::time::Duration;

/// More transmits or events in a row than any machine has reason for.
const MOST_IN_A_ROW: usize = 10_000;

/// A machine as the checker sees it: the five verbs, and one that stands for all inputs and
/// commands.
pub trait Machine {
    /// Makes one call to an input or a command, both chosen by `input`.
    fn call(&mut self, now: Duration, input: &mut Input<'_>) -> Outcome;

    /// Forwards to the machine.
    fn handle_timeout(&mut self, now: Duration);

    /// Forwards to the machine.
    fn poll_timeout(&self) -> Option<Duration>;

    /// Forwards to the machine: to whom (as text), and how many bytes of `buf` it fills.
    ///
    /// # Errors
    ///
    /// How many bytes `buf` would need.
    fn poll_transmit(&mut self, buf: &mut [u8]) -> Result<Option<(String, usize)>, usize>;

    /// Forwards to the machine; the event as text. A machine without events says `None`.
    fn poll_event(&mut self) -> Option<String>;

    /// Returns the whole state as text, usually its `Debug` form.
    fn state(&self) -> String;
}

/// What a call came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// `Ok`, with what was returned, as text.
    Done(String),
    /// `Err`, as text: the state must not have changed.
    Refused(String),
}

impl Outcome {
    /// Turns the result of a call into an outcome.
    pub fn of<T: core::fmt::Debug, E: core::fmt::Debug>(result: Result<T, E>) -> Self {
        match result {
            Ok(value) => Self::Done(format!("{value:?}")),
            Err(error) => Self::Refused(format!("{error:?}")),
        }
    }
}

/// Bytes read as choices; when they run out, every choice is 0.
#[derive(Debug, Clone)]
pub struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    /// Reads from `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Returns `true` once all bytes are read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns up to `len` bytes as they stand.
    pub fn bytes(&mut self, len: usize) -> &'a [u8] {
        let (head, tail) = self.0.split_at(len.min(self.0.len()));
        self.0 = tail;
        head
    }

    /// Returns the next bytes as an array, filled up with 0.
    pub fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        let head = self.bytes(N);
        out[..head.len()].copy_from_slice(head);
        out
    }

    /// Returns a byte.
    pub fn byte(&mut self) -> u8 {
        u8::from_le_bytes(self.array())
    }

    /// Returns 16 bits, little-endian.
    pub fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.array())
    }

    /// Returns 32 bits, little-endian.
    pub fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.array())
    }

    /// Returns 64 bits, little-endian.
    pub fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.array())
    }

    /// Returns a number below `bound`, which is at most 256 and not 0.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::from(self.byte()) % bound
    }
}

/// Drives two machines made by `new` through the calls that `bytes` spell, and checks the laws
/// after each. `buf_len` must be enough for any transmit.
///
/// # Panics
///
/// Panics with the number of the broken law.
pub fn check<M: Machine>(new: impl Fn() -> M, buf_len: usize, bytes: &[u8]) {
    let mut pair = Pair::new(new(), new(), buf_len);
    let mut input = Input::new(bytes);
    while !input.is_empty() {
        let now = pair.choose_time(&mut input);
        match input.byte() % 8 {
            0..4 => pair.call(now, &mut input),
            4 => pair.timeout(now),
            5 => {
                let len = input.below(32);
                pair.transmit(len);
            }
            6 => {
                pair.transmit(buf_len);
                pair.event();
            }
            _ => pair.drain(),
        }
    }
    pair.drain();
    pair.timeout(Duration::MAX); // law 7: as late as can be
    pair.drain();
}

/// A machine whose clock jumps about, and its twin whose clock is the newest seen.
struct Pair<M> {
    wild: M,
    twin: M,
    newest: Duration,
    bufs: [Vec<u8>; 2],
}

impl<M: Machine> Pair<M> {
    fn new(wild: M, twin: M, buf_len: usize) -> Self {
        Self { wild, twin, newest: Duration::ZERO, bufs: [vec![0; buf_len], vec![0; buf_len]] }
    }

    fn choose_time(&self, input: &mut Input<'_>) -> Duration {
        match input.byte() % 16 {
            0..6 => self.newest,
            6..10 => self.newest.saturating_add(Duration::from_millis(u64::from(input.byte()))),
            10 | 11 => self.newest.saturating_sub(Duration::from_millis(u64::from(input.u16()))),
            12 | 13 => self.wild.poll_timeout().unwrap_or(self.newest),
            14 => self.newest.saturating_add(Duration::from_millis(u64::from(input.u32()))),
            _ if input.byte() == 0xFF => Duration::MAX,
            _ => Duration::ZERO,
        }
    }

    fn call(&mut self, now: Duration, input: &mut Input<'_>) {
        let before = self.wild.state();
        let outcome = self.wild.call(now, &mut input.clone());
        let again = self.twin.call(self.newest.max(now), input);
        assert_eq!(outcome, again, "law 4 or 5: twins answer differently");
        match outcome {
            Outcome::Done(_) => self.newest = self.newest.max(now),
            // Unchanged means that the time of a refused call was not seen either.
            Outcome::Refused(error) => {
                assert_eq!(before, self.wild.state(), "law 2: {error} changed the state");
            }
        }
        self.compare();
    }

    fn timeout(&mut self, now: Duration) {
        self.newest = self.newest.max(now);
        self.wild.handle_timeout(now);
        self.twin.handle_timeout(self.newest);
        if let Some(at) = self.wild.poll_timeout() {
            assert!(at > self.newest, "law 3: due at {at:?}, which is not after {:?}", self.newest);
        }
        self.compare();
    }

    /// Returns whether something was sent.
    fn transmit(&mut self, len: usize) -> bool {
        let before = self.wild.state();
        let [mine, other] = &mut self.bufs;
        let len = len.min(mine.len());
        let sent = self.wild.poll_transmit(&mut mine[..len]);
        let again = self.twin.poll_transmit(&mut other[..len]);
        assert_eq!(sent, again, "law 5: twins send differently");
        match sent {
            Ok(Some((_, sent))) => {
                assert!(sent <= len, "a transmit of {sent} bytes in a buffer of {len}");
                assert_eq!(mine[..sent], other[..sent], "law 5: twins send different bytes");
            }
            Ok(None) => assert_eq!(before, self.wild.state(), "law 3: None changed the state"),
            Err(needed) => {
                assert!(needed > len, "{needed} bytes needed, {len} lent, yet refused");
                assert!(len < self.bufs[0].len(), "{needed} bytes needed of {len}");
                assert_eq!(before, self.wild.state(), "law 2: a small buffer changed the state");
            }
        }
        self.compare();
        matches!(sent, Ok(Some(_)))
    }

    /// Returns whether something happened.
    fn event(&mut self) -> bool {
        let before = self.wild.state();
        let event = self.wild.poll_event();
        assert_eq!(event, self.twin.poll_event(), "law 5: twins tell different events");
        if event.is_none() {
            assert_eq!(before, self.wild.state(), "law 3: no event, yet the state changed");
        }
        self.compare();
        event.is_some()
    }

    fn drain(&mut self) {
        let len = self.bufs[0].len();
        let mut turns = 0;
        while self.transmit(len) | self.event() {
            turns += 1;
            assert!(turns < MOST_IN_A_ROW, "law 3: the machine never falls silent");
        }
        assert!(!self.transmit(len) && !self.event(), "law 3: silence is not stable");
    }

    fn compare(&self) {
        let (wild, twin) = (self.wild.state(), self.twin.state());
        if wild != twin {
            let at = wild.bytes().zip(twin.bytes()).take_while(|(a, b)| a == b).count();
            let mut report = String::new();
            for (name, state) in [("wild", &wild), ("twin", &twin)] {
                let near: String = state.chars().skip(at.saturating_sub(80)).take(200).collect();
                let _ = writeln!(report, "{name}: ..{near}..");
            }
            panic!("law 4 or 5: the states part\n{report}");
        }
    }
}
