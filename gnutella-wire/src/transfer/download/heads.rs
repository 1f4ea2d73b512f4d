//! Heads of answers: what a source has, whether it sends it now, and where else the file is.

use core::net::SocketAddrV4;

use super::event::{DownloadCloseReason, SourceFault};
use super::logic::Core;
use super::slots::{Body, BodyKind, Peer, Phase, Place, Source, Wanted};
use crate::error::DecodeError;
use crate::head::{Head, Value};
use crate::http::{Queued, Response, Version, retry_after};
use crate::huge::{Sha1, TigerRoot, Urn};
use crate::machine::ConnId;
use crate::transfer::alternates::FirewalledSource;
use crate::transfer::chunked::Chunked;
use crate::transfer::ranges::Ranges;

/// The text of a refusal is read to its end, so that the connection stays usable, if it is not longer.
const MAX_REFUSAL: u64 = 64 << 10;
/// The longest tree that is read, in bytes.
const MAX_TREE: u64 = 512 << 10;
/// The parts of the URL of an alternate location.
const SCHEME: &[u8] = b"http://";
const N2R: &[u8] = b"/uri-res/N2R?";
const HTTP_PORT: u16 = 80;
/// Header lines of one answer that name other sources.
const MAX_ALTERNATES: usize = 16;

impl Core<'_> {
    /// Handles the head of an answer and returns how many bytes it has; 0 means: wait for more.
    pub(super) fn handle_head(
        &mut self,
        index: usize,
        conn: ConnId,
        wanted: Wanted,
        bytes: &[u8],
    ) -> usize {
        let (head, rest) = match Head::decode(bytes, self.state.config.head) {
            Ok(decoded) => decoded,
            Err(DecodeError::Incomplete { .. }) => return 0,
            Err(_) => {
                self.close_failed(index, DownloadCloseReason::Malformed);
                return bytes.len();
            }
        };
        let Ok(response) = Response::from_head(&head) else {
            self.close_failed(index, DownloadCloseReason::Malformed);
            return bytes.len();
        };
        let answer = Answer { head, response, conn, closes: false };
        if answer.is_interim() {
            return bytes.len().saturating_sub(rest.len()); // the answer follows, in the same time
        }
        match wanted {
            Wanted::Part => self.handle_answer(index, &answer),
            Wanted::Tree => self.handle_tree_answer(index, &answer),
        }
        bytes.len().saturating_sub(rest.len())
    }

    fn handle_answer(&mut self, index: usize, answer: &Answer<'_>) {
        if self.is_other_file(&answer.head) {
            return self.lose(index, SourceFault::OtherFile);
        }
        self.read_alternates(index, &answer.head);
        let status = answer.response.status;
        if matches!(status, 200 | 206 | 416 | 503) {
            let ranges = Ranges::of_head(&answer.head, self.state.geometry.size);
            if let Some(peer) = self.peer(index) {
                peer.ranges = ranges;
            }
            self.learn_tree(index, &answer.head);
        }
        match status {
            200 | 206 => self.begin_part(index, answer),
            503 => self.handle_busy(index, answer),
            416 => self.handle_unavailable(index, answer),
            300..=399 | 401 | 403 | 404 | 410 | 429 => self.lose(index, SourceFault::Refused),
            _ => self.close_failed(index, DownloadCloseReason::Malformed),
        }
    }

    /// Returns whether the answer names another hash.
    fn is_other_file(&self, head: &Head<'_>) -> bool {
        let Some(sha1) = self.state.sha1 else { return false };
        let names = ["X-Gnutella-Content-URN", "X-Content-URN", "Content-URN"];
        let mut urns = names.into_iter().flat_map(|name| head.items(name));
        urns.any(|urn| Urn::parse(urn.as_bytes()).is_some_and(|urn| urn.sha1() != sha1))
    }

    fn read_alternates(&mut self, index: usize, head: &Head<'_>) {
        let Some(giver) = self.peer(index).map(|peer| peer.id) else { return };
        if self.state.sha1.is_none() {
            return;
        }
        for address in head.addresses("X-Alt").take(MAX_ALTERNATES) {
            self.insert_alternate(giver, Source::at(address));
        }
        // A redirect names one other location, and so did older servents in headers of their own.
        let wanted = self.state.sha1;
        let names = ["Location", "X-Gnutella-Alternate-Location", "Alt-Location"];
        let urls = names.into_iter().flat_map(|name| head.items(name)).take(MAX_ALTERNATES);
        for address in urls.filter_map(|url| location(url.as_bytes(), wanted)) {
            self.insert_alternate(giver, Source::at(address));
        }
        let firewalled = head.headers().filter(|field| field.name.eq_ignore_ascii_case("X-Falt"));
        let firewalled = firewalled.flat_map(|field| FirewalledSource::of_value(field.value));
        for named in firewalled.take(MAX_ALTERNATES) {
            let proxy = named.proxies.into_iter().flatten().next();
            if let Some(address) = named.address.or(proxy) {
                let source = Source::of_hit(address, named.servent, 0, true);
                self.insert_alternate(giver, Source { proxy, ..source });
            }
        }
    }

    fn begin_part(&mut self, index: usize, answer: &Answer<'_>) {
        let Some(peer) = self.peer(index) else { return };
        let (asked, asked_end) = peer.asked;
        let size = self.state.geometry.size;
        let (first, end) = match (answer.response.status, answer.response.range) {
            (206, Some(range)) => (range.first, range.last.saturating_add(1)),
            (206, None) => (asked, asked_end), // `*`: what was asked for
            _ => (0, size),
        };
        let other_size = answer.response.range.and_then(|range| range.size);
        let length = answer.response.length;
        let is_whole = answer.response.status == 200;
        if other_size.is_some_and(|other| other != size)
            || is_whole && length.is_some_and(|length| length != size)
        {
            return self.lose(index, SourceFault::OtherFile);
        }
        let length = length.filter(|_| !answer.is_chunked()); // which then counts for nothing
        let end = length.map_or(end, |length| end.min(first.saturating_add(length)));
        let is_longer = length.is_some_and(|length| first.saturating_add(length) > end);
        if answer.is_multipart() {
            return self.close_failed(index, DownloadCloseReason::Malformed);
        }
        if first >= asked_end || end <= asked || end > size || is_longer || !answer.is_readable() {
            return self.close_failed(index, DownloadCloseReason::Malformed);
        }
        if let Some(peer) = self.peer(index) {
            peer.place = None;
        }
        let chunked = answer.is_chunked().then_some(Chunked::Size);
        let keep_alive = answer.keeps_alive();
        let body =
            Body { kind: BodyKind::Part, at: first, end, keep_alive, is_useful: false, chunked };
        self.begin_body(index, answer.conn, body);
    }

    fn begin_body(&mut self, index: usize, conn: ConnId, body: Body) {
        let deadline = self.after(self.state.config.stall_timeout);
        let Some(peer) = self.peer(index) else { return };
        peer.phase = Phase::Body(conn, body);
        peer.deadline = deadline;
        if body.at >= body.end && body.chunked.is_none() {
            self.finish_body(index);
        }
    }

    /// Skips the body of an answer that is not wanted, so that the connection stays usable, or closes if it is too long or has
    /// no end.
    fn discard_body(&mut self, index: usize, answer: &Answer<'_>) {
        let keep_alive = answer.keeps_alive();
        let chunked = Some(Chunked::Size);
        let body = Body {
            kind: BodyKind::Discard,
            at: 0,
            end: 0,
            keep_alive,
            is_useful: true,
            chunked: None,
        };
        let body = match answer.framing() {
            Framing::Length(end) if end <= MAX_REFUSAL => Body { end, ..body },
            Framing::Chunked => Body { end: MAX_REFUSAL, chunked, ..body },
            Framing::Length(_) | Framing::UntilClose => Body { keep_alive: false, ..body },
        };
        self.begin_body(index, answer.conn, body);
    }

    /// 503: a place in a queue, or a time to try again.
    fn handle_busy(&mut self, index: usize, answer: &Answer<'_>) {
        self.release(index);
        let config = self.state.config;
        let retry = retry_after(&answer.head);
        let queued = Queued::of_head(&answer.head);
        let wait = queued.as_ref().and_then(|queued| queued.poll_min).or(retry);
        let wait = wait.unwrap_or(config.busy_retry);
        let wait = wait.max(config.retry).min(config.max_retry);
        let place = Place {
            position: queued.as_ref().and_then(|queued| queued.position),
            id: queued.as_ref().and_then(|queued| digits(queued.id?)),
            poll_after: wait,
        };
        let has_place = queued.is_some();
        if let Some(peer) = self.peer(index) {
            peer.place = Some(place);
            peer.failures = 0;
        }
        // Without a place, a connection is kept only if the wait is short and no other source needs it.
        let keeps = has_place || wait <= config.keep_alive && self.has_free_connection();
        self.discard_body(index, &Answer { closes: !keeps, ..*answer });
    }

    /// Returns whether another source could be connected besides those that are.
    fn has_free_connection(&self) -> bool {
        let peers = self.sources.iter().filter_map(|slot| slot.peer.as_ref());
        peers.filter(|peer| Peer::is_connecting(peer)).count()
            < self.state.config.max_connections.into()
    }

    /// 416: the source has other parts, or none yet.
    fn handle_unavailable(&mut self, index: usize, answer: &Answer<'_>) {
        self.release(index);
        let Some(peer) = self.peer(index) else { return };
        let (asked, end) = peer.asked;
        if peer.ranges.has(asked, end) {
            return self.close_failed(index, DownloadCloseReason::Malformed); // it announced them
        }
        let failures = peer.failures;
        self.discard_body(index, answer);
        if let Some(peer) = self.peer(index) {
            peer.failures = failures;
        }
    }

    fn learn_tree(&mut self, index: usize, head: &Head<'_>) {
        let Some((uri, root)) = tree_of(head, self.state.sha1, self.state.root) else { return };
        self.offer_tree(index, uri, root);
    }

    fn handle_tree_answer(&mut self, index: usize, answer: &Answer<'_>) {
        let media = answer.head.items("Content-Type").next();
        let is_raw = media.is_some_and(|media| media.is("application/tigertree-breadthfirst"));
        let length = answer.response.length.filter(|length| *length <= MAX_TREE);
        let length = length.filter(|_| answer.response.status == 200 && !answer.is_encoded());
        let Some(end) = length else { return self.decline_tree(index, answer) };
        if is_raw && self.begin_raw_tree(end / 24).is_err() {
            return self.decline_tree(index, answer);
        }
        let keep_alive = answer.keeps_alive();
        let body =
            Body { kind: BodyKind::Tree, at: 0, end, keep_alive, is_useful: true, chunked: None };
        self.begin_body(index, answer.conn, body);
    }

    /// The source does not send its tree. It is asked for the file on the same connection.
    fn decline_tree(&mut self, index: usize, answer: &Answer<'_>) {
        if let Some(peer) = self.peer(index) {
            peer.tree_failed = true;
        }
        self.tree_interrupted(index);
        self.discard_body(index, answer);
    }
}

/// The head of an answer.
#[derive(Clone, Copy)]
struct Answer<'a> {
    head: Head<'a>,
    response: Response<'a>,
    conn: ConnId,
    closes: bool, // whatever it says
}

/// How the end of a body is found (RFC 9112, 6.3).
#[derive(Clone, Copy)]
enum Framing {
    Length(u64),
    Chunked,
    UntilClose,
}

impl Answer<'_> {
    /// Returns whether another head follows instead of a body: 1xx, except 101, after which the connection has another protocol.
    const fn is_interim(&self) -> bool {
        matches!(self.response.status, 100 | 102..=199)
    }

    fn framing(&self) -> Framing {
        if matches!(self.response.status, 204 | 304) {
            return Framing::Length(0);
        }
        let codings = || self.head.items("Transfer-Encoding").filter(|item| !item.is("identity"));
        let chunks = codings().filter(|item| item.is("chunked")).count();
        match codings().last() {
            Some(last) if last.is("chunked") && chunks == 1 => Framing::Chunked,
            Some(_) => Framing::UntilClose,
            None => self.response.length.map_or(Framing::UntilClose, Framing::Length),
        }
    }

    fn keeps_alive(&self) -> bool {
        let closes = self.closes || self.head.has_item("Connection", "close");
        let keeps = self.head.has_item("Connection", "keep-alive");
        let is_new = self.response.version == Version::Http11;
        !matches!(self.framing(), Framing::UntilClose) && !closes && (keeps || is_new)
    }

    /// Returns whether the body is not the bytes themselves; nothing of that kind was asked for.
    fn is_encoded(&self) -> bool {
        let is_plain = |name: &str, plain: &str| self.head.items(name).all(|item| item.is(plain));
        !is_plain("Transfer-Encoding", "identity") || !is_plain("Content-Encoding", "identity")
    }

    /// Returns whether the body is several parts with heads of their own, which nothing asked for.
    fn is_multipart(&self) -> bool {
        let has_range = self.response.range.is_some();
        !has_range && self.head.has_item("Content-Type", "multipart/byteranges")
    }

    fn is_chunked(&self) -> bool {
        self.head.has_item("Transfer-Encoding", "chunked")
    }

    /// Returns whether the body is the bytes themselves, at most in chunks.
    fn is_readable(&self) -> bool {
        let known = |item: Value<'_>| item.is("chunked") || item.is("identity");
        let once =
            self.head.items("Transfer-Encoding").filter(|item| item.is("chunked")).count() < 2;
        once && self.head.items("Transfer-Encoding").all(known)
            && self.head.items("Content-Encoding").all(|item| item.is("identity"))
    }
}

/// Reads `X-Thex-URI: <uri>;<root>`, which may be folded. Without a root it is that of the bitprint.
fn tree_of<'a>(
    head: &Head<'a>,
    sha1: Option<Sha1>,
    root: Option<TigerRoot>,
) -> Option<(&'a [u8], TigerRoot)> {
    let value = head.header("X-Thex-URI")?.as_bytes();
    let split = value.iter().rposition(|byte| *byte == b';');
    let named = split.and_then(|at| {
        let (uri, root) = value.split_at_checked(at)?;
        Some((uri.trim_ascii(), TigerRoot::parse(root.get(1..)?.trim_ascii())?))
    });
    let named = named.or_else(|| Some((value, bitprint_root(head, sha1, root)?)));
    named.filter(|(uri, _)| uri.first() == Some(&b'/') && uri.iter().all(u8::is_ascii_graphic))
}

/// Returns the root of the bitprint of the file: by its hash, or if only its root is known, by that.
fn bitprint_root(
    head: &Head<'_>,
    sha1: Option<Sha1>,
    known: Option<TigerRoot>,
) -> Option<TigerRoot> {
    let names = ["X-Gnutella-Content-URN", "X-Content-URN"];
    let mut urns = names.into_iter().flat_map(|name| head.items(name));
    urns.find_map(|urn| match Urn::parse(urn.as_bytes())? {
        Urn::Bitprint(hash, root) => {
            let is_ours = sha1.map_or(known == Some(root), |sha1| sha1 == hash);
            is_ours.then_some(root)
        }
        _ => None,
    })
}

/// Reads `http://ip:port/uri-res/N2R?urn:sha1:..` of the wanted file; what follows a blank, a date, is not read.
fn location(url: &[u8], wanted: Option<Sha1>) -> Option<SocketAddrV4> {
    let url = url.split(u8::is_ascii_whitespace).next()?;
    let (scheme, rest) = url.split_at_checked(SCHEME.len())?;
    let slash = rest.iter().position(|byte| *byte == b'/')?;
    let (host, path) = rest.split_at_checked(slash)?;
    let (start, urn) = path.split_at_checked(N2R.len())?;
    let is_url = scheme.eq_ignore_ascii_case(SCHEME) && start.eq_ignore_ascii_case(N2R);
    let sha1 = Urn::parse(urn).filter(|_| is_url)?.sha1();
    let host = core::str::from_utf8(host).ok().filter(|_| Some(sha1) == wanted)?;
    match host.split_once(':') {
        Some(_) => host.parse().ok(),
        None => Some(SocketAddrV4::new(host.parse().ok()?, HTTP_PORT)),
    }
}

fn digits(value: Value<'_>) -> Option<[u8; 32]> {
    let digits: [u8; 32] = value.as_bytes().try_into().ok()?;
    digits.iter().all(u8::is_ascii_hexdigit).then_some(digits)
}
