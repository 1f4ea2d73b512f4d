//! How a node that cannot join yet tries again.

use core::net::SocketAddr;
use core::time::Duration;

use chord_core::JoinFailure;

/// The wait after the first failure; each further one doubles it.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Attempts to join through one contact after another, for a limited time.
///
/// A node that is started again at its address has the identifier of its earlier run. The ring refuses it until
/// the neighbours have noticed the end of that run, which takes them a few questions.
#[derive(Debug)]
pub struct Attempts {
    contacts: Vec<SocketAddr>,
    next: usize,
    wait: Duration,
    retry_at: Option<Duration>,
    /// How long to try after the first failure, and when that was.
    span: Duration,
    failed_at: Option<Duration>,
}

/// What to do after a failure.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Wait; the text says why.
    Wait(String),
    /// End; the text is the error.
    GiveUp(String),
}

impl Attempts {
    /// Attempts for `span`. `None` without contacts.
    pub fn new(contacts: Vec<SocketAddr>, span: Duration) -> Option<Self> {
        let some = !contacts.is_empty();
        some.then_some(Self {
            contacts,
            next: 0,
            wait: FIRST_WAIT,
            retry_at: None,
            span,
            failed_at: None,
        })
    }

    /// The node has joined: a later failure has all of the time again.
    pub fn handle_joined(&mut self) {
        self.wait = FIRST_WAIT;
        self.failed_at = None;
    }

    /// Returns the contact of the next attempt.
    pub fn contact(&mut self) -> SocketAddr {
        self.retry_at = None;
        let contact = self.contacts[self.next % self.contacts.len()];
        self.next = self.next.wrapping_add(1);
        contact
    }

    /// Returns whether the next attempt is due.
    pub fn is_due(&self, now: Duration) -> bool {
        self.retry_at.is_some_and(|at| at <= now)
    }

    /// Plans the next attempt.
    pub fn handle_failure(&mut self, now: Duration, reason: JoinFailure) -> Verdict {
        let why = match reason {
            JoinFailure::IdentifierTaken => {
                "the ring still has a node with this identifier, perhaps an earlier run of this one"
            }
            _ => "no answer; is there a node at the address of --join?",
        };
        let deadline = self.failed_at.get_or_insert(now).saturating_add(self.span);
        if now >= deadline {
            return Verdict::GiveUp(format!("cannot join: {why}"));
        }
        let wait = self.wait.min(deadline.saturating_sub(now));
        self.retry_at = Some(now.saturating_add(wait));
        self.wait = (self.wait * 2).min(LONGEST_WAIT);
        Verdict::Wait(format!("not joined: {why}; trying again in {:.1} s", wait.as_secs_f64()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contacts_take_turns_and_waits_double_until_the_deadline() {
        let contacts = ["127.0.0.1:1", "127.0.0.1:2"].map(|text| text.parse().unwrap());
        let mut attempts = Attempts::new(contacts.to_vec(), Duration::from_secs(20)).unwrap();
        let mut now = Duration::ZERO;
        let mut waits = vec![];
        for turn in 0.. {
            assert_eq!(attempts.contact(), contacts[turn % 2]);
            assert!(!attempts.is_due(now));
            match attempts.handle_failure(now, JoinFailure::IdentifierTaken) {
                Verdict::Wait(text) => assert!(text.contains("earlier run"), "{text}"),
                Verdict::GiveUp(text) => {
                    assert!(text.starts_with("cannot join"), "{text}");
                    break;
                }
            }
            let from = now;
            while !attempts.is_due(now) {
                now += Duration::from_millis(100);
            }
            waits.push(now.saturating_sub(from).as_millis());
        }
        assert_eq!(waits, [500, 1_000, 2_000, 4_000, 8_000, 4_500]);
        assert_eq!(now, Duration::from_secs(20));
        attempts.handle_joined();
        let verdict = attempts.handle_failure(now, JoinFailure::NoRing);
        assert!(matches!(verdict, Verdict::Wait(text) if text.ends_with("again in 0.5 s")));
        assert!(Attempts::new(vec![], now).is_none());
    }
}
