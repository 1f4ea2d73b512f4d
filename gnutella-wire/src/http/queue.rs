//! What a busy server answers: a place in its queue, a time to retry (active queueing 0.1, PARQ 1.1).

use core::time::Duration;

use super::date;
use crate::head::{Head, Value};

/// A place in a server's queue, from `X-Queue` or `X-Queued` of a 503. Every part is optional, in any
/// order and any case; an unreadable part costs only itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Queued<'a> {
    /// The position, from 1.
    pub position: Option<u32>,
    /// The length of the queue.
    pub length: Option<u32>,
    /// How many downloads are served at a time.
    pub limit: Option<u32>,
    /// A poll that comes earlier counts as an offence.
    pub poll_min: Option<Duration>,
    /// A poll that comes later loses the place.
    pub poll_max: Option<Duration>,
    /// The estimated time until the download starts.
    pub eta: Option<Duration>,
    /// How long the place is kept without a poll.
    pub lifetime: Option<Duration>,
    /// The identifier of the place, to be sent with each poll.
    pub id: Option<Value<'a>>,
}

impl<'a> Queued<'a> {
    /// Reads the queue headers of a head; `None` if it has none.
    ///
    /// ```
    /// use gnutella_wire::head::{Head, HeadLimits};
    /// use gnutella_wire::http::Queued;
    ///
    /// let head = b"HTTP/1.1 503 Busy\r\nX-Queue: position=2,length=5,junk,\r\n\tpollMin=45\r\n\r\n";
    /// let (head, _) = Head::decode(head, HeadLimits::GTKG)?;
    /// let queued = Queued::of_head(&head).expect("a place");
    /// assert_eq!((queued.position, queued.length), (Some(2), Some(5)));
    /// # Ok::<(), gnutella_wire::DecodeError>(())
    /// ```
    #[must_use]
    pub fn of_head(head: &Head<'a>) -> Option<Self> {
        let mut queued = Self::default();
        let mut any = false;
        for item in head.items("X-Queue").chain(head.items("X-Queued")) {
            any |= queued.read(item).is_some();
        }
        any.then_some(queued)
    }

    fn read(&mut self, item: Value<'a>) -> Option<()> {
        let (name, value) = item.split_once(b'=')?;
        let number = || value.parse::<u32>();
        let seconds = || number().map(|seconds| Duration::from_secs(seconds.into()));
        let names: [(&str, &mut Option<u32>); 3] = [
            ("position", &mut self.position),
            ("length", &mut self.length),
            ("limit", &mut self.limit),
        ];
        for (known, slot) in names {
            if name.is(known) {
                *slot = Some(number()?);
                return Some(());
            }
        }
        let spans: [(&str, &mut Option<Duration>); 4] = [
            ("pollMin", &mut self.poll_min),
            ("pollMax", &mut self.poll_max),
            ("ETA", &mut self.eta),
            ("lifetime", &mut self.lifetime),
        ];
        for (known, slot) in spans {
            if name.is(known) {
                *slot = Some(seconds()?);
                return Some(());
            }
        }
        name.is("ID").then(|| self.id = Some(value.unquoted()))
    }
}

/// Reads `Retry-After`: seconds, or a date, which counts from the `Date` of the same head. A date
/// without a `Date` to compare with is ignored.
#[must_use]
pub fn retry_after(head: &Head<'_>) -> Option<Duration> {
    let value = head.header("Retry-After")?;
    if let Some(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = date::seconds(value.as_str()?)?;
    let sent = date::seconds(head.header("Date")?.as_str()?)?;
    Some(Duration::from_secs(at.saturating_sub(sent)))
}

/// The parts of a file that a server has, from `X-Available-Ranges`: first and last byte, both
/// included. Invalid and inverted ranges are skipped.
#[derive(Debug, Clone)]
pub struct AvailableRanges<'a>(crate::head::Items<'a, 'static>);

impl<'a> AvailableRanges<'a> {
    /// Reads the header of a head; without it there are no elements, and the server has the whole
    /// file.
    #[must_use]
    pub const fn of_head(head: &Head<'a>) -> Self {
        Self(head.items("X-Available-Ranges"))
    }
}

impl Iterator for AvailableRanges<'_> {
    type Item = (u64, u64);

    fn next(&mut self) -> Option<(u64, u64)> {
        self.0.find_map(|item| {
            let span = item.without_unit("bytes");
            let (first, last) = span.split_once(b'-')?;
            let first: u64 = first.parse()?;
            let last = last.parse()?;
            (first <= last).then_some((first, last))
        })
    }
}
