//! The checker finds machines that break a law: one planted fault per law that can be broken.

use core::panic::AssertUnwindSafe;
use core::time::Duration;
use std::panic::catch_unwind;

use sim::Rng;
use sim::laws::{Input, Machine, Outcome, check, check_poll_order};

/// What is wrong with the machine.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    ErrChanges,
    NeverSilent,
    DeadlineNow,
    ClockRunsBack,
    SmallBufferEats,
    PollChanges,
    OwesForEver,
}

/// Echoes one byte per call, and sends a beat every second.
#[derive(Debug, Clone, PartialEq)]
struct Echo {
    fault: Fault,
    now: Duration,
    next: Option<Duration>,
    pending: Option<u8>,
    beats: u32,
}

impl Machine for Echo {
    fn call(&mut self, now: Duration, input: &mut Input<'_>) -> Outcome {
        let byte = input.byte();
        if byte == 0xEE {
            if self.fault == Fault::ErrChanges {
                self.pending = None;
                self.beats = 0;
            }
            return Outcome::Refused("not a byte of ours".into());
        }
        self.now = if self.fault == Fault::ClockRunsBack { now } else { self.now.max(now) };
        self.pending = Some(byte);
        Outcome::Done(String::new())
    }

    fn handle_timeout(&mut self, now: Duration) {
        self.now = if self.fault == Fault::ClockRunsBack { now } else { self.now.max(now) };
        if self.next.is_some_and(|at| at <= self.now) {
            self.beats += 1;
            let span = Duration::from_secs(u64::from(self.fault != Fault::DeadlineNow));
            self.next = self.now.checked_add(span);
            if self.fault == Fault::OwesForEver {
                self.next = None;
            }
        }
    }

    fn poll_timeout(&self) -> Option<Duration> {
        self.next
    }

    fn poll_transmit(&mut self, buf: &mut [u8]) -> Result<Option<(String, usize)>, usize> {
        let Some(byte) = self.pending else {
            self.beats += u32::from(self.fault == Fault::PollChanges);
            return Ok(None);
        };
        if buf.is_empty() {
            if self.fault == Fault::SmallBufferEats {
                self.pending = None;
            }
            return Err(1);
        }
        buf[0] = byte;
        if self.fault != Fault::NeverSilent {
            self.pending = None;
        }
        Ok(Some(("all".into(), 1)))
    }

    fn poll_event(&mut self) -> Option<String> {
        self.beats = self.beats.checked_sub(1)?;
        Some("beat".into())
    }

    fn state(&self) -> String {
        format!("{self:?}")
    }

    fn same_state(&self, other: &Self) -> bool {
        self == other
    }

    fn owes(&self) -> Option<String> {
        let next_beat = self.next.is_none() && self.now < Duration::MAX;
        next_beat.then(|| "a beat".into())
    }
}

/// Notes a byte as an event; with the fault, sending forgets it.
#[derive(Debug, Clone, PartialEq)]
struct Notes {
    forgets: bool,
    sent: Option<u8>,
    note: Option<u8>,
}

impl Machine for Notes {
    fn call(&mut self, _: Duration, input: &mut Input<'_>) -> Outcome {
        self.sent = Some(input.byte());
        self.note = self.sent;
        Outcome::Done(String::new())
    }

    fn handle_timeout(&mut self, _: Duration) {}

    fn poll_timeout(&self) -> Option<Duration> {
        None
    }

    fn poll_transmit(&mut self, buf: &mut [u8]) -> Result<Option<(String, usize)>, usize> {
        let Some(byte) = self.sent else { return Ok(None) };
        *buf.first_mut().ok_or(1_usize)? = byte;
        self.sent = None;
        self.note = self.note.filter(|_| !self.forgets);
        Ok(Some(("all".into(), 1)))
    }

    fn poll_event(&mut self) -> Option<String> {
        self.note.take().map(|note| note.to_string())
    }

    fn state(&self) -> String {
        format!("{self:?}")
    }
}

#[test]
fn an_event_that_is_lost_by_the_order_of_polls_is_found() {
    let holds = |forgets| {
        let new = || Notes { forgets, sent: None, note: None };
        catch_unwind(AssertUnwindSafe(|| check_poll_order(new, 8, &[7; 40]))).is_ok()
    };
    assert!(holds(false));
    assert!(!holds(true));
}

fn survives(fault: Fault) -> bool {
    let mut rng = Rng::new(9);
    (0..64).all(|_| {
        let mut bytes = [0; 300];
        rng.fill(&mut bytes);
        for byte in &mut bytes {
            if *byte % 5 == 0 {
                *byte = 0xEE;
            }
        }
        let next = Some(Duration::from_secs(1));
        let echo = Echo { fault, now: Duration::ZERO, next, pending: None, beats: 0 };
        catch_unwind(AssertUnwindSafe(|| check(|| echo.clone(), 8, &bytes))).is_ok()
    })
}

#[test]
fn a_lawful_machine_passes_and_each_planted_fault_is_found() {
    assert!(survives(Fault::None));
    for fault in [
        Fault::ErrChanges,
        Fault::NeverSilent,
        Fault::DeadlineNow,
        Fault::ClockRunsBack,
        Fault::SmallBufferEats,
        Fault::PollChanges,
        Fault::OwesForEver,
    ] {
        assert!(!survives(fault), "{fault:?} was not found");
    }
}
