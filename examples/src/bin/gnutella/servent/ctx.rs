//! What the threads share.

use core::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use core::sync::atomic::{AtomicUsize, Ordering};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::mpsc::Sender;
use std::time::Instant;

use gnutella_wire::huge::Sha1;
use gnutella_wire::servent::HandshakeHeaders;
use gnutella_wire::{ConnId, Role, ServentId};

use super::links::Joined;
use super::share::Library;

/// The most uploads at a time. Further requests are answered as busy.
pub const UPLOADS: usize = 4;

/// What all threads see.
pub struct Ctx {
    pub start: Instant,
    pub trace: bool,
    pub role: Role,
    pub servent: ServentId,
    pub address: SocketAddrV4,
    pub firewalled: bool,
    pub library: Library,
    pub into: PathBuf,
    pub uploads: AtomicUsize,
    pub room: Mutex<Room>,
    /// The files that were asked for by push, and are to come.
    pub expected: Mutex<Vec<Found>>,
    pub inputs: Sender<Input>,
}

/// What the servent has room for, and the hosts that it names instead.
#[derive(Default)]
pub struct Room {
    pub peers: bool,
    pub leaves: bool,
    pub hosts: Vec<SocketAddrV4>,
    /// What it sends in handshakes.
    pub headers: Option<HandshakeHeaders<'static>>,
}

/// A file that was found elsewhere.
#[derive(Debug, Clone)]
pub struct Found {
    pub servent: ServentId,
    pub address: SocketAddrV4,
    pub push: bool,
    pub busy: bool,
    pub index: u32,
    pub size: u64,
    pub name: String,
    pub sha1: Option<Sha1>,
}

/// What the threads send to the one that owns the servent.
pub enum Input {
    /// A handshake succeeded.
    Joined(Box<Joined>),
    /// A connection attempt failed; the other end may have named other hosts.
    NotJoined(SocketAddrV4, String, Vec<SocketAddrV4>),
    /// Bytes of a link, inflated.
    Bytes(ConnId, Vec<u8>),
    /// The other end closed a link.
    Gone(ConnId),
    /// A line of the user.
    Line(String),
    /// A download ended.
    Fetched(Result<PathBuf, String>),
    /// A direct download did not even connect: ask by push.
    Unreachable(Found),
}

impl Ctx {
    /// Prints a line of the trace, if one is wanted.
    pub fn trace(&self, line: impl FnOnce() -> String) {
        if self.trace {
            println!("{:8.3} {}", self.start.elapsed().as_secs_f64(), line());
        }
    }

    /// Tells the owner of the servent, who may be gone when the program ends.
    pub fn tell(&self, input: Input) {
        let _ = self.inputs.send(input);
    }

    /// Takes one of the slots for uploads; `None` if all are taken.
    pub fn upload(&self) -> Option<Upload<'_>> {
        let taken = self.uploads.fetch_add(1, Ordering::SeqCst);
        let upload = Upload(&self.uploads);
        (taken < UPLOADS).then_some(upload)
    }

    pub fn is_busy(&self) -> bool {
        self.uploads.load(Ordering::SeqCst) >= UPLOADS
    }
}

/// A slot for an upload, given back when dropped.
pub struct Upload<'a>(&'a AtomicUsize);

impl Drop for Upload<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Returns the address of the other end, if it is one of version 4.
pub fn peer(stream: &TcpStream) -> SocketAddrV4 {
    match stream.peer_addr() {
        Ok(SocketAddr::V4(address)) => address,
        _ => SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0),
    }
}
