//! Between a machine and its socket: one spelling of addresses, the tag of the shared key, and the trace.

use core::net::SocketAddr;
use core::time::Duration;
use std::time::Instant;

use chord_core::{BufferTooSmall, Id160, Message, SharedKey};
use examples::cli;
use examples::udp::Datagrams;

use super::endpoint::{canonical, reachable_from};
use super::store::{FIRST, Letter, Member};

/// A machine that exchanges datagrams of Chord and of the store.
pub trait Speaker {
    fn handle_datagram(&mut self, now: Duration, from: SocketAddr, bytes: &[u8])
    -> cli::Result<()>;
    fn handle_timeout(&mut self, now: Duration);
    fn poll_timeout(&self) -> Option<Duration>;
    fn poll_transmit(
        &mut self,
        buf: &mut [u8],
    ) -> Result<Option<(SocketAddr, usize)>, BufferTooSmall>;

    /// Counts a datagram that was dropped.
    fn count(&mut self, dropped: Dropped);
}

/// Why a datagram was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dropped {
    /// It is not a message.
    Malformed,
    /// It has no valid tag of the shared key.
    Unauthenticated,
}

/// What a machine needs around it.
#[derive(Debug)]
pub struct Line<S> {
    pub speaker: S,
    socket: SocketAddr,
    key: Option<SharedKey>,
    start: Instant,
    trace: bool,
}

impl<S: Speaker> Line<S> {
    /// `socket` is the address of the socket.
    pub fn new(speaker: S, socket: SocketAddr, key: Option<SharedKey>, trace: bool) -> Self {
        Self { speaker, socket, key, start: Instant::now(), trace }
    }

    /// Returns whether each message is printed.
    pub fn is_traced(&self) -> bool {
        self.trace
    }

    fn print(&self, arrow: &str, peer: SocketAddr, bytes: &[u8]) {
        if self.trace {
            println!(
                "{:9.3} {arrow} {peer} {}",
                self.start.elapsed().as_secs_f64(),
                describe(bytes)
            );
        }
    }
}

fn describe(bytes: &[u8]) -> String {
    let text = if bytes.first() == Some(&FIRST) {
        Letter::decode(bytes).map(|letter| letter.transfer.to_string())
    } else {
        let message = Message::<Id160, SocketAddr>::decode(bytes).ok();
        message.map(|(message, _)| message.to_string())
    };
    text.unwrap_or_else(|| format!("{} bytes that mean nothing here", bytes.len()))
}

impl<S: Speaker> Datagrams for Line<S> {
    fn handle_datagram(&mut self, now: Duration, from: SocketAddr, bytes: &[u8]) {
        let from = canonical(from);
        let bytes = match self.key.as_ref().map(|key| key.open(bytes)) {
            None => bytes,
            Some(Ok(bytes)) => bytes,
            Some(Err(why)) => {
                self.speaker.count(Dropped::Unauthenticated);
                if self.trace {
                    println!("   dropped from {from}: {why}");
                }
                return;
            }
        };
        self.print("<-", from, bytes);
        if let Err(why) = self.speaker.handle_datagram(now, from, bytes) {
            self.speaker.count(Dropped::Malformed);
            if self.trace {
                println!("   dropped: {why}");
            }
        }
    }

    fn handle_timeout(&mut self, now: Duration) {
        self.speaker.handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Duration> {
        self.speaker.poll_timeout()
    }

    fn poll_transmit(&mut self, buf: &mut [u8]) -> Result<Option<(SocketAddr, usize)>, String> {
        let sent = self.speaker.poll_transmit(buf).map_err(cli::sentence)?;
        let Some((to, mut len)) = sent else { return Ok(None) };
        self.print("->", to, &buf[..len]);
        if let Some(key) = &self.key {
            len = key.seal(buf, len).map_err(cli::sentence)?;
        }
        Ok(Some((reachable_from(self.socket, to), len)))
    }
}

impl Speaker for Member<SocketAddr> {
    fn handle_datagram(
        &mut self,
        now: Duration,
        from: SocketAddr,
        bytes: &[u8],
    ) -> cli::Result<()> {
        Self::handle_datagram(self, now, from, bytes)
    }

    fn handle_timeout(&mut self, now: Duration) {
        Self::handle_timeout(self, now);
    }

    fn poll_timeout(&self) -> Option<Duration> {
        Self::poll_timeout(self)
    }

    fn poll_transmit(
        &mut self,
        buf: &mut [u8],
    ) -> Result<Option<(SocketAddr, usize)>, BufferTooSmall> {
        Self::poll_transmit(self, buf)
    }

    fn count(&mut self, dropped: Dropped) {
        match dropped {
            Dropped::Malformed => self.counters.malformed += 1,
            Dropped::Unauthenticated => self.counters.unauthenticated += 1,
        }
    }
}
