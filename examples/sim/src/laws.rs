//! The laws of a machine, checked under an arbitrary order of calls.
//!
//! A test wraps its machine in a [`Machine`] and calls [`check`] with bytes from a property test or a fuzzer.
//! The bytes choose the calls, their arguments and the clock, which also runs backwards and leaps to the end
//! of time. A twin gets the same calls with a clock that never runs backwards; the two must not differ.
//!
//! | law | checked |
//! |---|---|
//! | 1. any order of calls is legal | the bytes choose the order; nothing may panic |
//! | 2. `Err` means unchanged | the machine still equals its twin, which was not called yet |
//! | 3. silence is stable, and the next deadline is later | a poll that returns `None` changes nothing; after `handle_timeout(now)` the deadline is after `now` |
//! | 4. an older `now` counts as the newest seen | the twin gets the newest |
//! | 5. same calls, same bytes | outcome, bytes and events of the twin |
//! | 7. deadlines are advice | timeouts come early, late, and at [`Duration::MAX`] |
//! | what is owed has a deadline | [`Machine::owes`] must be `None` if nothing is due |
//! | facts are not lost by the order of polls | [`check_poll_order`] |
//!
//! Law 6, that memory is what the caller provided, holds by construction. An example of somebody's own machine:
//!
//! ```
//! use core::time::Duration;
//! use sim::laws::{self, Input, Machine, Outcome};
//!
//! /// Counts what it receives, and sends the count a second after the first.
//! #[derive(Debug, Clone, PartialEq)]
//! struct Counter {
//!     now: Duration,
//!     count: u8,
//!     report_at: Option<Duration>,
//!     report: Option<u8>,
//! }
//!
//! impl Machine for Counter {
//!     fn call(&mut self, now: Duration, input: &mut Input<'_>) -> Outcome {
//!         let number = input.byte();
//!         let Some(count) = self.count.checked_add(number) else {
//!             return Outcome::Refused("overflow".into());
//!         };
//!         self.now = self.now.max(now);
//!         self.count = count;
//!         let second = Duration::from_secs(1);
//!         self.report_at = self.report_at.or(Some(self.now.saturating_add(second)));
//!         Outcome::Done(count.to_string())
//!     }
//!
//!     fn handle_timeout(&mut self, now: Duration) {
//!         self.now = self.now.max(now);
//!         if self.report_at.take_if(|at| *at <= self.now).is_some() {
//!             self.report = Some(self.count);
//!         }
//!     }
//!
//!     fn poll_timeout(&self) -> Option<Duration> {
//!         self.report_at
//!     }
//!
//!     fn poll_transmit(&mut self, buf: &mut [u8]) -> Result<Option<(String, usize)>, usize> {
//!         let Some(report) = self.report else { return Ok(None) };
//!         *buf.first_mut().ok_or(1_usize)? = report;
//!         self.report = None;
//!         Ok(Some(("everyone".into(), 1)))
//!     }
//!
//!     fn poll_event(&mut self) -> Option<String> {
//!         None
//!     }
//!
//!     fn state(&self) -> String {
//!         format!("{self:?}")
//!     }
//!
//!     fn same_state(&self, other: &Self) -> bool {
//!         self == other
//!     }
//! }
//!
//! let new = || Counter { now: Duration::ZERO, count: 0, report_at: None, report: None };
//! let mut rng = sim::Rng::new(1);
//! for _ in 0..100 {
//!     let mut bytes = [0; 300];
//!     rng.fill(&mut bytes);
//!     laws::check(new, 1, &bytes);
//! }
//! ```

use core::fmt::Write as _;
use core::time::Duration;

/// More transmits or events in a row than any machine has reason for.
const MOST_IN_A_ROW: usize = 10_000;
/// The calls that are repeated at the end of time.
const LAST_CALLS: usize = 8;

/// A machine as the checker sees it: the five verbs, and one that stands for all inputs and commands.
pub trait Machine {
    /// Makes one call to an input or a command, both chosen by `input`.
    fn call(&mut self, now: Duration, input: &mut Input<'_>) -> Outcome;

    /// Forwards to the machine.
    fn handle_timeout(&mut self, now: Duration);

    /// Forwards to the machine.
    fn poll_timeout(&self) -> Option<Duration>;

    /// Forwards to the machine. Returns the receiver as text, and the number of bytes of `buf` that are used.
    ///
    /// # Errors
    ///
    /// The number of bytes that `buf` would need.
    fn poll_transmit(&mut self, buf: &mut [u8]) -> Result<Option<(String, usize)>, usize>;

    /// Forwards to the machine. Returns the event as text. A machine without events returns `None`.
    fn poll_event(&mut self) -> Option<String>;

    /// Returns the whole state as text for reports, usually its `Debug` form.
    fn state(&self) -> String;

    /// Returns whether two machines have the same state. A machine that can be compared returns
    /// `self.0 == other.0`, which is far faster than the provided comparison of texts.
    fn same_state(&self, other: &Self) -> bool {
        self.state() == other.state()
    }

    /// Returns what the machine owes, such as an answer to a request. If it has neither output nor a deadline
    /// it must owe nothing, or it would be stuck. The provided implementation returns `None`.
    fn owes(&self) -> Option<String> {
        None
    }
}

/// Result of a call.
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

    /// Returns whether all bytes are read.
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
    let mut input = Input::new(bytes);
    for _ in 0..LAST_CALLS {
        pair.call(Duration::MAX, &mut input);
        pair.drain();
        pair.timeout(Duration::MAX);
    }
}

/// Drives two machines made by `new` through the calls that `bytes` spell, and takes the output of one with
/// events first and of the other with transmits first. Both must report the same events, in any order.
///
/// `call` must not choose by the state of the machine.
///
/// # Panics
///
/// Panics if an event is lost or invented by the order of polls.
pub fn check_poll_order<M: Machine>(new: impl Fn() -> M, buf_len: usize, bytes: &[u8]) {
    let mut machines = [new(), new()];
    let mut buf = vec![0; buf_len];
    let mut input = Input::new(bytes);
    let mut now = Duration::ZERO;
    while !input.is_empty() {
        now = now.saturating_add(Duration::from_millis(u64::from(input.byte())));
        let is_timeout = input.byte().is_multiple_of(4);
        let mut reports = [Vec::new(), Vec::new()];
        let given = input.clone();
        for (at, machine) in machines.iter_mut().enumerate() {
            input = given.clone();
            if is_timeout {
                machine.handle_timeout(now);
            } else {
                machine.call(now, &mut input);
            }
            take_output(machine, &mut buf, at == 0, &mut reports[at]);
        }
        let [mut events_first, mut transmits_first] = reports;
        events_first.sort_unstable();
        transmits_first.sort_unstable();
        assert_eq!(events_first, transmits_first, "the order of polls changes what is reported");
    }
}

/// Polls transmits and events until there are none, all of one kind before the other.
fn take_output<M: Machine>(
    machine: &mut M,
    buf: &mut [u8],
    events_first: bool,
    events: &mut Vec<String>,
) {
    let mut take_events = |machine: &mut M| {
        let before = events.len();
        while let Some(event) = machine.poll_event() {
            events.push(event);
            assert!(events.len() < MOST_IN_A_ROW, "law 3: the events never end");
        }
        events.len() > before
    };
    let mut took = true;
    if events_first {
        take_events(machine);
    }
    while took {
        took = false;
        while let Ok(Some(_)) = machine.poll_transmit(buf) {
            took = true;
        }
        took |= take_events(machine);
    }
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
            _ if input.byte() >= 0xFC => Duration::MAX,
            _ => Duration::ZERO,
        }
    }

    fn call(&mut self, now: Duration, input: &mut Input<'_>) {
        let outcome = self.wild.call(now, &mut input.clone());
        match &outcome {
            Outcome::Done(_) => self.newest = self.newest.max(now),
            // Unchanged means that the time of a refused call was not seen either.
            Outcome::Refused(error) => {
                self.unchanged(|| format!("law 2: {error} changed the state"));
            }
        }
        let again = self.twin.call(self.newest.max(now), input);
        assert_eq!(outcome, again, "law 4 or 5: twins answer differently");
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
        let len = len.min(self.bufs[0].len());
        let sent = self.wild.poll_transmit(&mut self.bufs[0][..len]);
        match &sent {
            Ok(Some((_, sent))) => {
                assert!(*sent <= len, "a transmit of {sent} bytes in a buffer of {len}");
            }
            Ok(None) => self.unchanged(|| "law 3: None changed the state".into()),
            Err(needed) => {
                assert!(*needed > len, "{needed} bytes needed, {len} provided, yet refused");
                assert!(len < self.bufs[0].len(), "{needed} bytes needed of {len}");
                self.unchanged(|| "law 2: a small buffer changed the state".into());
            }
        }
        let [mine, other] = &mut self.bufs;
        let again = self.twin.poll_transmit(&mut other[..len]);
        assert_eq!(sent, again, "law 5: twins send differently");
        let Ok(Some((_, sent))) = sent else { return false };
        assert_eq!(mine[..sent], other[..sent], "law 5: twins send different bytes");
        self.compare();
        true
    }

    /// Returns whether something happened.
    fn event(&mut self) -> bool {
        let event = self.wild.poll_event();
        if event.is_none() {
            self.unchanged(|| "law 3: no event, yet the state changed".into());
        }
        assert_eq!(event, self.twin.poll_event(), "law 5: twins report different events");
        if event.is_some() {
            self.compare();
        }
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
        if self.wild.poll_timeout().is_none() {
            assert_eq!(self.wild.owes(), None, "owed, and nothing is due");
        }
    }

    /// Compares the machine with its twin, which was not called yet.
    fn unchanged(&self, text: impl Fn() -> String) {
        assert!(self.wild.same_state(&self.twin), "{}\n{}", text(), self.difference());
    }

    fn compare(&self) {
        let same = self.wild.same_state(&self.twin);
        assert!(same, "law 4 or 5: the states part\n{}", self.difference());
    }

    /// Returns the texts of both states from shortly before they differ.
    fn difference(&self) -> String {
        let wild = self.wild.state();
        let twin = self.twin.state();
        let at = wild.bytes().zip(twin.bytes()).take_while(|(a, b)| a == b).count();
        let mut report = String::new();
        for (name, state) in [("wild", &wild), ("twin", &twin)] {
            let near: String = state.chars().skip(at.saturating_sub(80)).take(200).collect();
            let _ = writeln!(report, "{name}: ..{near}..");
        }
        report
    }
}
