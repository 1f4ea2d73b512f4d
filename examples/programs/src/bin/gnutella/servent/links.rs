//! Links: the handshake from both ends, and a thread to read and one to write, with compression.

use core::net::SocketAddrV4;
use core::time::Duration;
use std::io::{self, Read, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Instant;

use gnutella_wire::deflate::{Deflater, Inflater, max_len};
use gnutella_wire::handshake::{Handshake, Line, State};
use gnutella_wire::head::{Head, HeadLimits, Header};
use gnutella_wire::servent::{HeaderList, Refusal};
use gnutella_wire::{ConnId, Neighbour};

use super::ctx::{Ctx, Input, Judgement, peer};

/// How long a stranger may take to connect, and then for its handshake or request.
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
    let mut talk = Talk::new(ctx, &mut stream, Handshake::dialler_06(), Vec::new());
    let own = ctx.headers()?;
    talk.send(Handshake::greet, &own.greeting())?;
    let received = talk.receive()?;
    hints.extend(&received.hints);
    if let Some(why) = received.refusal {
        return Err(io::Error::other(format!("refused: {why}")));
    }
    let neighbour = talk.agree(&received)?;
    let rest = talk.received;
    let deflate = received.reads_deflate;
    let inflate = received.writes_deflate;
    Ok(Joined { stream, neighbour, dialled: None, inflate, deflate, rest })
}

/// Answers a stranger who dialled, from the first bytes on.
pub fn accept(ctx: &Ctx, mut stream: TcpStream, received: Vec<u8>) -> io::Result<Joined> {
    let mut talk = Talk::new(ctx, &mut stream, Handshake::acceptor(), received);
    let received = talk.receive()?;
    let neighbour = talk.agree(&received)?;
    let deflate = received.reads_deflate;
    let mut inflate = false;
    if talk.handshake.state() != State::Open {
        let received = talk.receive()?; // in 0.6 there is a third step
        inflate = received.writes_deflate;
        if let Some(why) = received.refusal {
            return Err(io::Error::other(format!("it changed its mind: {why}")));
        }
    }
    let rest = talk.received;
    Ok(Joined { stream, neighbour, dialled: None, inflate, deflate, rest })
}

/// A handshake over a socket.
struct Talk<'a> {
    ctx: &'a Ctx,
    stream: &'a mut TcpStream,
    handshake: Handshake,
    received: Vec<u8>,
    deadline: Instant,
}

/// What the other end announced.
struct Introduction {
    head: Vec<u8>,
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
        Self { ctx, stream, handshake, received, deadline: Instant::now() + PATIENCE }
    }

    /// Agrees to the handshake, or refuses it, as the servent judges the other end.
    fn agree(&mut self, other: &Introduction) -> io::Result<Neighbour> {
        let Judgement { headers, verdict } = self.ctx.judge(&other.head)?;
        let (head, _) = Head::decode(&other.head, HeadLimits::GTKG).map_err(io::Error::other)?;
        match verdict {
            Ok(neighbour) => {
                self.send(Handshake::agree, &headers.agreement(&head))?;
                Ok(neighbour)
            }
            Err(Refusal { code, reason, .. }) => {
                self.send(
                    |handshake, list, buf| handshake.refuse(code, reason, list, buf),
                    &headers.refusal(),
                )?;
                Err(io::Error::other(format!("refused it: {code} {reason}")))
            }
        }
    }

    /// Sends one step.
    fn send<E: core::error::Error + Send + Sync + 'static>(
        &mut self,
        step: impl FnOnce(&mut Handshake, &[Header<'_>], &mut [u8]) -> Result<usize, E>,
        headers: &HeaderList<'_>,
    ) -> io::Result<()> {
        let mut buf = [0; 2_048];
        let headers = headers.as_slice();
        let len = step(&mut self.handshake, headers, &mut buf).map_err(io::Error::other)?;
        self.ctx.trace(|| format!("-> {} {}", peer(self.stream), one_line(&buf[..len])));
        self.stream.set_write_timeout(Some(PATIENCE))?;
        self.stream.write_all(&buf[..len])
    }

    /// Waits for one step of the other end.
    fn receive(&mut self) -> io::Result<Introduction> {
        loop {
            let received = self.handshake.handle_bytes(&self.received).map_err(io::Error::other)?;
            if let Some(step) = received.outcome {
                self.ctx.trace(|| format!("<- {} {}", peer(self.stream), step.head));
                let mut introduction = read_head(&step.head, step.line);
                let consumed = received.consumed;
                introduction.head = self.received.drain(..consumed).collect();
                return Ok(introduction);
            }
            read_more(self.stream, &mut self.received, self.deadline)?;
        }
    }
}

fn read_head(head: &Head<'_>, line: Line<'_>) -> Introduction {
    Introduction {
        head: Vec::new(),
        refusal: match line {
            Line::Status { code, reason } if code != 200 => Some(format!("{code} {reason}")),
            _ => None,
        },
        reads_deflate: head.has_item("Accept-Encoding", "deflate"),
        writes_deflate: head.has_item("Content-Encoding", "deflate"),
        hints: head.addresses("X-Try-Ultrapeers").chain(head.addresses("X-Try")).collect(),
    }
}

/// Appends what the socket has before a deadline; an end is an error.
pub fn read_more(
    stream: &mut TcpStream,
    received: &mut Vec<u8>,
    deadline: Instant,
) -> io::Result<()> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(io::ErrorKind::TimedOut.into());
    }
    stream.set_read_timeout(Some(left))?;
    read_some(stream, received)
}

/// Appends what the socket has; an end is an error.
fn read_some(stream: &mut TcpStream, received: &mut Vec<u8>) -> io::Result<()> {
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
        read_some(&mut stream, &mut received)?;
    }
}
