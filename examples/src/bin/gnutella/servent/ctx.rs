//! What the threads share.

use core::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use core::sync::atomic::AtomicBool;
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::mpsc::Sender;
use std::time::Instant;

use gnutella_wire::huge::{Sha1, TigerRoot};
use gnutella_wire::servent::HandshakeHeaders;
use gnutella_wire::{ConnId, Role, ServentId};

use super::links::Joined;
use super::share::Library;
use super::{fetch, serve};

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
    /// Whether a further upload would have to wait.
    pub busy: AtomicBool,
    /// The uploads.
    pub uploads: Sender<serve::Input>,
    /// The checked parts of downloads in progress, which are shared too.
    pub partials: Mutex<Vec<Partial>>,
    pub room: Mutex<Room>,
    /// The servents that were pushed, and the downloads that wait for them.
    pub expected: Mutex<Vec<(ServentId, Sender<fetch::Input>)>>,
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
    pub root: Option<TigerRoot>,
}

/// A download in progress, as far as it is checked.
pub struct Partial {
    pub sha1: Sha1,
    pub size: u64,
    pub path: PathBuf,
    pub spans: Vec<(u64, u64)>,
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
    Closed(ConnId),
    /// A line of the user.
    Line(String),
    /// A download ended.
    Fetched(Result<PathBuf, String>),
    /// A download needs a push.
    Push(ServentId, u32),
}

impl Ctx {
    /// Prints a line of the trace, if one is wanted.
    pub fn trace(&self, line: impl FnOnce() -> String) {
        if self.trace {
            println!("{:8.3} {}", self.start.elapsed().as_secs_f64(), line());
        }
    }

    /// Sends to the owner of the servent, which may have ended when the program ends.
    pub fn send(&self, input: Input) {
        let _ = self.inputs.send(input);
    }

    /// Hands a connection to the uploads.
    pub fn serve(&self, input: serve::Input) {
        let _ = self.uploads.send(input);
    }
}

/// Returns the address of the other end, if it is one of version 4.
pub fn peer(stream: &TcpStream) -> SocketAddrV4 {
    match stream.peer_addr() {
        Ok(SocketAddr::V4(address)) => address,
        _ => SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0),
    }
}
