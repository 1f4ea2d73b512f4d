//! Heads of answers: the file, a place in the queue, or a refusal.

use core::time::Duration;

use super::logic::{Core, active, clients, queued};
use super::slots::{Body, Client, Phase, Place, Wish};
use super::{Offer, UploadError};
use crate::http::{ContentRange, Method, Response};
use crate::huge::Urn;
use crate::writer::Writer;

const AGENT: &str = concat!("gnutella-wire/", env!("CARGO_PKG_VERSION"));
/// How many others an answer names, and how many parts.
const MAX_NAMED: usize = 10;

/// What the answer to a request is.
enum Answer {
    Part(ContentRange),
    Empty,
    Unavailable,
    Queued(Place),
    Busy,
}

impl Core<'_> {
    pub(super) fn offer(
        &mut self,
        now: Duration,
        index: usize,
        offer: &Offer<'_>,
        buf: &mut [u8],
    ) -> Result<usize, UploadError> {
        let Some(client) = self.slots.get(index).and_then(|slot| slot.client) else { return Ok(0) };
        let Phase::Asked(wish) = client.phase else { return Ok(0) };
        let now = self.state.now.max(now);
        let answer = self.answer(now, &client, wish, offer);
        let len = Writer::fill(buf, |w| self.write_answer(&answer, &client, wish, offer, w))?;
        self.advance_clock(now);
        self.begin(index, &answer, wish, offer);
        Ok(len)
    }

    fn answer(&self, now: Duration, client: &Client, wish: Wish, offer: &Offer<'_>) -> Answer {
        if offer.size == 0 && wish.range.is_none() {
            return Answer::Empty;
        }
        let Some(part) = part_of(wish, offer) else { return Answer::Unavailable };
        if wish.method == Method::Head || !offer.takes_slot || self.may_begin(client) {
            return Answer::Part(part);
        }
        let place = client.place.map(|place| place.number);
        let has_room = queued(self.slots) < usize::from(self.state.config.queue);
        if !wish.can_queue || !wish.keep_alive || place.is_none() && !has_room {
            return Answer::Busy;
        }
        let poll_from = now.checked_add(self.state.config.poll_min);
        Answer::Queued(Place { number: place.unwrap_or(self.state.next_place), poll_from })
    }

    /// Returns whether a slot is free for a client: for those before it in the queue as well. Of one address, no more of them
    /// count than it may have slots.
    fn may_begin(&self, client: &Client) -> bool {
        let free = usize::from(self.state.config.slots).saturating_sub(active(self.slots));
        // As many as are free are enough to look for: mostly none, as a queue waits for a free slot.
        let waiting = self.before(client).filter(|other| self.has_share(other)).take(free);
        waiting.count() < free && self.has_share(client)
    }

    /// Returns whether the share of the address of a client has a slot for it: besides those in use, and for those of the same
    /// address that wait before it.
    fn has_share(&self, client: &Client) -> bool {
        let share = usize::from(self.state.config.slots_per_host);
        let own = |other: &&Client| other.ip == client.ip;
        let in_use = clients(self.slots).filter(|other| other.takes_slot()).filter(own).count();
        in_use.saturating_add(self.before(client).filter(own).count()) < share
    }

    /// Returns those that wait in the queue before a client.
    fn before(&self, client: &Client) -> impl Iterator<Item = &Client> {
        let own = client.place.map_or(u64::MAX, |place| place.number);
        clients(self.slots).filter(move |it| it.place.is_some_and(|place| place.number < own))
    }

    fn begin(&mut self, index: usize, answer: &Answer, wish: Wish, offer: &Offer<'_>) {
        let poll = self.after(self.state.config.poll_max);
        let send = self.after(self.state.config.send_timeout);
        let keep_alive = wish.keep_alive;
        match *answer {
            Answer::Part(part) if wish.method == Method::Get => {
                let end = part.last.saturating_add(1);
                let first = part.first;
                let file = offer.file;
                let takes_slot = offer.takes_slot;
                let Some(client) = self.client(index) else { return };
                client.phase = Phase::Sending(Body {
                    file,
                    first,
                    at: first,
                    end,
                    in_flight: 0,
                    keep_alive,
                    takes_slot,
                });
                client.deadline = send;
                client.place = None;
                client.early_polls = 0;
            }
            Answer::Queued(place) => {
                self.state.next_place = self.state.next_place.max(place.number.saturating_add(1));
                let Some(client) = self.client(index) else { return };
                client.phase = Phase::Idle;
                client.place = Some(place);
                client.deadline = poll;
            }
            Answer::Part(_) | Answer::Empty | Answer::Unavailable | Answer::Busy => {
                self.answered(index, keep_alive);
            }
        }
    }

    pub(super) fn refuse(
        &mut self,
        now: Duration,
        index: usize,
        status: u16,
        reason: &str,
        buf: &mut [u8],
    ) -> Result<usize, UploadError> {
        let Some(client) = self.slots.get(index).and_then(|slot| slot.client) else { return Ok(0) };
        let Phase::Asked(wish) = client.phase else { return Ok(0) };
        let response = Response::refusal(wish.version, status, reason);
        let len = Writer::fill(buf, |w| {
            w.text(format_args!("{response}\r\n"));
            write_common(wish, w);
            w.bytes(b"Content-Length: 0\r\n\r\n");
        })?;
        self.advance_clock(now);
        if let Some(client) = self.client(index) {
            client.place = None;
        }
        self.answered(index, wish.keep_alive);
        Ok(len)
    }

    fn write_answer(
        &self,
        answer: &Answer,
        client: &Client,
        wish: Wish,
        offer: &Offer<'_>,
        w: &mut Writer<'_>,
    ) {
        let version = wish.version;
        let response = match *answer {
            Answer::Part(part) if wish.range.is_none() && part.len() == offer.size => {
                Response::ok(version, offer.size)
            }
            Answer::Part(part) => Response::partial(version, part),
            Answer::Empty => Response::ok(version, 0),
            Answer::Unavailable => {
                Response::refusal(version, 416, "Requested Range Not Satisfiable")
            }
            Answer::Queued(_) => Response::refusal(version, 503, "Busy Queued"),
            Answer::Busy => Response::refusal(version, 503, "Busy"),
        };
        w.text(format_args!("{response}\r\n"));
        write_common(wish, w);
        w.text(format_args!("Content-Type: {}\r\n", offer.media_type));
        if let Some(length) = response.length {
            w.text(format_args!("Content-Length: {length}\r\n"));
        }
        if let Some(range) = response.range {
            w.text(format_args!("Content-Range: {range}\r\n"));
        }
        match answer {
            Answer::Queued(place) => self.write_place(client, *place, w),
            Answer::Busy => {
                let seconds = self.state.config.retry_after.as_secs();
                w.text(format_args!("Retry-After: {seconds}\r\n"));
            }
            _ => {}
        }
        write_offer(offer, w);
        w.bytes(b"\r\n");
    }

    fn write_place(&self, client: &Client, place: Place, w: &mut Writer<'_>) {
        let config = &self.state.config;
        let others = queued(self.slots);
        let length = others.saturating_add(usize::from(client.place.is_none()));
        let before = self.before(&Client { place: Some(place), ..*client }).count();
        w.text(format_args!(
            "X-Queue: position={},length={length},limit={},pollMin={},pollMax={}\r\n",
            before.saturating_add(1),
            config.slots,
            config.poll_min.as_secs(),
            config.poll_max.as_secs(),
        ));
    }
}

/// Returns what of the file answers a request: for a part of it, as much as there is in a row.
fn part_of(wish: Wish, offer: &Offer<'_>) -> Option<ContentRange> {
    let whole = ContentRange { first: 0, last: offer.size.checked_sub(1)?, size: Some(offer.size) };
    let part = wish.range.map_or(Some(whole), |range| range.of(offer.size))?;
    let Some(available) = offer.available else { return Some(part) };
    let spans = available.iter().filter(|(_, len)| *len > 0);
    let mut spans = spans.map(|(first, len)| (*first, first.saturating_add(len.saturating_sub(1))));
    let (_, last) = spans.find(|(first, last)| (*first..=*last).contains(&part.first))?;
    Some(ContentRange { last: part.last.min(last), ..part })
}

fn write_common(wish: Wish, w: &mut Writer<'_>) {
    let connection = if wish.keep_alive { "Keep-Alive" } else { "close" };
    w.text(format_args!("Server: {AGENT}\r\nConnection: {connection}\r\n"));
}

fn write_offer(offer: &Offer<'_>, w: &mut Writer<'_>) {
    if let Some(sha1) = offer.sha1 {
        let urn = Urn::Sha1(sha1);
        w.text(format_args!("X-Gnutella-Content-URN: {urn}\r\n"));
        if let Some(root) = offer.root {
            w.text(format_args!("X-Thex-URI: /uri-res/N2X?{urn};{root}\r\n"));
        }
    }
    if let Some(available) = offer.available {
        w.bytes(b"X-Available-Ranges: bytes");
        let spans = available.iter().filter(|(_, len)| *len > 0).take(MAX_NAMED);
        for (place, (first, len)) in spans.enumerate() {
            let comma = if place > 0 { "," } else { "" };
            let last = first.saturating_add(len.saturating_sub(1));
            w.text(format_args!("{comma} {first}-{last}"));
        }
        w.bytes(b"\r\n");
    }
    if !offer.alternates.is_empty() {
        w.bytes(b"X-Alt: ");
        for (place, address) in offer.alternates.iter().take(MAX_NAMED).enumerate() {
            let comma = if place > 0 { "," } else { "" };
            w.text(format_args!("{comma}{address}"));
        }
        w.bytes(b"\r\n");
    }
}
