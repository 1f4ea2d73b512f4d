//! What the threads share.

use core::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use core::sync::atomic::{AtomicBool, AtomicUsize};
use std::io;
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Instant;

use gnutella_wire::http::PushProxy;
use gnutella_wire::huge::{Sha1, TigerRoot};
use gnutella_wire::servent::{HandshakeHeaders, Refusal};
use gnutella_wire::{ConnId, Neighbour, Role, ServentId};

use super::links::{Joined, PATIENCE};
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
    pub library: RwLock<Arc<Library>>,
    pub into: PathBuf,
    /// How many strangers have connected and not said yet what they want.
    pub strangers: AtomicUsize,
    /// Whether a further upload would have to wait.
    pub busy: AtomicBool,
    /// The uploads.
    pub uploads: Sender<serve::Input>,
    /// The checked parts of downloads in progress, which are shared too.
    pub partials: Mutex<Vec<Partial>>,
    /// The downloads in progress, one of which a queue may call.
    pub downloads: Mutex<Vec<Sender<fetch::Input>>>,
    /// The neighbours to which pushes are passed on.
    pub proxied: Mutex<Vec<(ServentId, ConnId)>>,
    /// The servents that were pushed, and the downloads that wait for them.
    pub expected: Mutex<Vec<(ServentId, Sender<fetch::Input>)>>,
    pub inputs: Sender<Input>,
}

/// What the servent thinks of the other end of a handshake, and the headers of its answer.
pub struct Judgement {
    pub headers: HandshakeHeaders<'static>,
    pub verdict: Result<Neighbour, Refusal>,
}

/// A file that was found elsewhere.
#[derive(Debug, Clone)]
pub struct Found {
    pub servent: ServentId,
    pub address: SocketAddrV4,
    pub push: bool,
    /// A neighbour of it that passes on pushes.
    pub proxy: Option<SocketAddrV4>,
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
    /// A handshake begins: which headers are to be sent?
    Greet(Sender<HandshakeHeaders<'static>>),
    /// The other end of a handshake sent this head: is it welcome?
    Judge(Vec<u8>, Sender<Judgement>),
    /// Files came into the shared folder, or went.
    LibraryChanged,
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
    /// A servent asked for a push to a neighbour; it listens at this address.
    Proxied(PushProxy, SocketAddrV4),
    /// A datagram arrived.
    Datagram(SocketAddrV4, Vec<u8>),
    /// What another servent shares, as hits one after the other, or why it did not answer.
    Browsed(SocketAddrV4, Result<Vec<u8>, String>),
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

    /// Asks the servent for the headers of a handshake.
    pub fn headers(&self) -> io::Result<HandshakeHeaders<'static>> {
        let (reply, answer) = channel();
        self.send(Input::Greet(reply));
        answer.recv_timeout(PATIENCE).map_err(io::Error::other)
    }

    /// Asks the servent what it thinks of the other end of a handshake.
    pub fn judge(&self, head: &[u8]) -> io::Result<Judgement> {
        let (reply, answer) = channel();
        self.send(Input::Judge(head.to_vec(), reply));
        answer.recv_timeout(PATIENCE).map_err(io::Error::other)
    }

    /// Returns the files that are shared now.
    pub fn library(&self) -> Arc<Library> {
        Arc::clone(&self.library.read().expect("no panics"))
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
