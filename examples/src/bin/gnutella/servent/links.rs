//! Links: the handshake from both ends, and a thread to read and one to write, with compression.

use core::net::SocketAddrV4;
use core::time::Duration;
use std::io::{self, Read, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use gnutella_wire::deflate::{Deflater, Inflater, max_len};
use gnutella_wire::handshake::{Handshake, Line, State};
use gnutella_wire::head::{Head, Header};
use gnutella_wire::{ConnId, Neighbour, Role};

use super::ctx::{Ctx, Input, peer};

/// How long a stranger may take for each part of a handshake.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// How many messages may wait for a slow neighbour before it is given up.
const WAITING: usize = 256;

/// An open link.
pub struct Joined {
    pub stream: TcpStream,
    pub neighbour: Neighbour,
    /// Where it was dialled, if it was.
    pub dialled: Option<SocketAddrV4>,
    pub inflate: bool,
    pub deflate: bool,
    /// What followed the handshake in the same read.
    pub rest: Vec<u8>,
}

/// Dials, shakes hands, and reports the outcome.
pub fn dial(ctx: &Arc<Ctx>, to: SocketAddrV4) {
    let ctx = Arc::clone(ctx);
    thread::spawn(move || {
        let mut hints = Vec::new();
        let joined = TcpStream::connect_timeout(&to.into(), PATIENCE)
            .and_then(|stream| greet(&ctx, stream, &mut hints));
        ctx.send(match joined {
            Ok(joined) => Input::Joined(Box::new(Joined { dialled: Some(to), ..joined })),
            Err(error) => Input::NotJoined(to, error.to_string(), hints),
        });
    });
}

fn greet(ctx: &Ctx, mut stream: TcpStream, hints: &mut Vec<SocketAddrV4>) -> io::Result<Joined> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut talk = Talk::new(ctx, &mut stream, Handshake::dialler_06(), Vec::new());
    talk.say(Handshake::greet, &[])?;
    let received = talk.listen()?;
    hints.extend(received.hints);
    if let Some(why) = received.refusal {
        return Err(io::Error::other(format!("refused: {why}")));
    }
    let neighbour = received.neighbour;
    let deflate = received.reads_deflate;
    let inflate = received.writes_deflate;
    let encoding = [Header::new("Content-Encoding", "deflate")];
    let more = if deflate { &encoding[..] } else { &[] };
    talk.say(Handshake::agree, more)?;
    let rest = talk.received;
    Ok(Joined { stream, neighbour, dialled: None, inflate, deflate, rest })
}

/// Answers a stranger who dialled, from the first bytes on.
pub fn accept(ctx: &Ctx, mut stream: TcpStream, received: Vec<u8>) -> io::Result<Joined> {
    let mut talk = Talk::new(ctx, &mut stream, Handshake::acceptor(), received);
    let received = talk.listen()?;
    let neighbour = received.neighbour;
    let deflate = received.reads_deflate;
    let role = neighbour.role;
    if let Err((code, why)) = is_welcome(ctx, role) {
        let others = ctx.room.lock().expect("no panics").hosts.clone();
        let others: Vec<_> = others.iter().take(10).map(ToString::to_string).collect();
        let others = others.join(",");
        let hint = [Header::new("X-Try-Ultrapeers", &others)];
        talk.say(|handshake, headers, buf| handshake.refuse(code, why, headers, buf), &hint)?;
        return Err(io::Error::other(format!("refused a {role:?}: {why}")));
    }
    let encoding = [Header::new("Content-Encoding", "deflate")];
    let more = if deflate { &encoding[..] } else { &[] };
    talk.say(Handshake::agree, more)?;
    let mut inflate = false;
    if talk.handshake.state() != State::Open {
        let received = talk.listen()?; // in 0.6 there is a third step
        inflate = received.writes_deflate;
        if let Some(why) = received.refusal {
            return Err(io::Error::other(format!("it changed its mind: {why}")));
        }
    }
    let rest = talk.received;
    Ok(Joined { stream, neighbour, dialled: None, inflate, deflate, rest })
}

/// A leaf takes ultrapeers only; an ultrapeer takes what it has room for.
fn is_welcome(ctx: &Ctx, role: Role) -> Result<(), (u16, &'static str)> {
    let room = ctx.room.lock().expect("no panics");
    match (ctx.role, role) {
        (Role::Leaf, Role::Leaf | Role::Peer) => Err((503, "I am a shielded leaf node")),
        (_, Role::Leaf) if room.leaves => Ok(()),
        (_, Role::Peer | Role::Ultrapeer) if room.peers => Ok(()),
        _ => Err((503, "Slots full")),
    }
}

/// A handshake over a socket.
struct Talk<'a> {
    ctx: &'a Ctx,
    stream: &'a mut TcpStream,
    handshake: Handshake,
    received: Vec<u8>,
}

/// What the other end announced.
struct Introduction {
    neighbour: Neighbour,
    refusal: Option<String>,
    reads_deflate: bool,
    writes_deflate: bool,
    hints: Vec<SocketAddrV4>,
}

impl<'a> Talk<'a> {
    fn new(
        ctx: &'a Ctx,
        stream: &'a mut TcpStream,
        handshake: Handshake,
        received: Vec<u8>,
    ) -> Self {
        Self { ctx, stream, handshake, received }
    }

    /// Sends one step, with the headers of this servent and `more`.
    fn say<E: core::error::Error + Send + Sync + 'static>(
        &mut self,
        step: impl FnOnce(&mut Handshake, &[Header<'_>], &mut [u8]) -> Result<usize, E>,
        more: &[Header<'_>],
    ) -> io::Result<()> {
        let own = self.ctx.room.lock().expect("no panics").headers.clone();
        let own = own.ok_or_else(|| io::Error::other("the servent has not started"))?;
        let own = own.greeting();
        let mut headers = own.as_slice().to_vec();
        headers.extend_from_slice(more);
        let mut buf = [0; 2_048];
        let len = step(&mut self.handshake, &headers, &mut buf).map_err(io::Error::other)?;
        self.ctx.trace(|| format!("-> {} {}", peer(self.stream), one_line(&buf[..len])));
        self.stream.write_all(&buf[..len])
    }

    /// Waits for one step of the other end.
    fn listen(&mut self) -> io::Result<Introduction> {
        loop {
            let received = self.handshake.handle_bytes(&self.received).map_err(io::Error::other)?;
            if let Some(step) = received.outcome {
                self.ctx.trace(|| format!("<- {} {}", peer(self.stream), step.head));
                let introduction = read_head(&step.head, step.line);
                let consumed = received.consumed;
                self.received.drain(..consumed);
                return Ok(introduction);
            }
            read_more(self.stream, &mut self.received)?;
        }
    }
}

fn read_head(head: &Head<'_>, line: Line<'_>) -> Introduction {
    Introduction {
        neighbour: Neighbour::of_head(head),
        refusal: match line {
            Line::Status { code, reason } if code != 200 => Some(format!("{code} {reason}")),
            _ => None,
        },
        reads_deflate: head.has_item("Accept-Encoding", "deflate"),
        writes_deflate: head.has_item("Content-Encoding", "deflate"),
        hints: head.addresses("X-Try-Ultrapeers").collect(),
    }
}

/// Appends what the socket has; an end is an error.
pub fn read_more(stream: &mut TcpStream, received: &mut Vec<u8>) -> io::Result<()> {
    let mut buf = [0; 4_096];
    match stream.read(&mut buf)? {
        0 => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the other end closed")),
        len => {
            received.extend_from_slice(&buf[..len]);
            Ok(())
        }
    }
}

fn one_line(head: &[u8]) -> String {
    let text = String::from_utf8_lossy(head);
    text.trim_end().lines().collect::<Vec<_>>().join(" | ")
}

/// Starts the two threads of a link, and returns where its messages go.
pub fn start(ctx: &Arc<Ctx>, link: ConnId, joined: Joined) -> io::Result<SyncSender<Vec<u8>>> {
    let Joined { stream, inflate, deflate, rest, .. } = joined;
    stream.set_read_timeout(None)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    let (out, messages) = sync_channel(WAITING);
    let writer = stream.try_clone()?;
    thread::spawn(move || write(&messages, writer, deflate));
    let ctx = Arc::clone(ctx);
    thread::spawn(move || {
        let _ = read(&ctx, link, stream, inflate, rest);
        ctx.send(Input::Closed(link));
    });
    Ok(out)
}

/// Writes messages until there are no more to come, or the other end does not take them.
fn write(messages: &Receiver<Vec<u8>>, mut stream: TcpStream, deflate: bool) {
    let mut deflater = Deflater::new();
    while let Ok(mut bytes) = messages.recv() {
        while let Ok(more) = messages.try_recv() {
            bytes.extend(more); // in one piece, which also deflates better
        }
        if deflate {
            let mut packed = vec![0; max_len(bytes.len())];
            let len = deflater.flush(&bytes, &mut packed).expect("long enough");
            packed.truncate(len);
            bytes = packed;
        }
        if stream.write_all(&bytes).is_err() {
            break;
        }
    }
    let _ = stream.shutdown(Shutdown::Both);
}

/// Reads until the other end closes.
fn read(
    ctx: &Ctx,
    link: ConnId,
    mut stream: TcpStream,
    inflate: bool,
    rest: Vec<u8>,
) -> io::Result<()> {
    let mut inflater = Inflater::new(vec![0; Inflater::WINDOW]).map_err(io::Error::other)?;
    let mut received = rest;
    loop {
        if inflate {
            let mut packed = &received[..];
            loop {
                let piece = inflater.inflate(packed).map_err(io::Error::other)?;
                packed = &packed[piece.consumed..];
                if piece.bytes.is_empty() {
                    break;
                }
                ctx.send(Input::Bytes(link, piece.bytes.to_vec()));
            }
        } else if !received.is_empty() {
            ctx.send(Input::Bytes(link, received.clone()));
        }
        received.clear();
        read_more(&mut stream, &mut received)?;
    }
}
