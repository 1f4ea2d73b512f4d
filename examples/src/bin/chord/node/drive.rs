//! The loop around a member: a socket, a clock, and what the user types.

use core::net::{SocketAddr, SocketAddrV4};
use core::time::Duration;
use std::io::{self, BufRead as _};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Instant;

use chord_core::{Config, Event, Id160, Identifier as _, LookupId, Message, Peer, State};
use examples::cli::Exit;
use examples::interrupt;
use examples::udp::{Datagrams, Udp};
use sha1::{Digest as _, Sha1};

use super::args::{Args, Command};
use super::member::{Member, MemberEvent};
use super::transfer::{FIRST, LONGEST, Transfer};

/// The longest wait for a datagram, so that a command is read soon.
const TICK: Duration = Duration::from_millis(20);
/// How long a leaving node stays, so that its last datagrams are sent.
const LEAVE_WAIT: Duration = Duration::from_millis(200);

pub struct Driver {
    udp: Udp,
    traced: Traced,
    commands: Receiver<Result<Command, String>>,
    /// The only thing to do before leaving, and how it ended.
    command: Option<Command>,
    ended: Option<Exit>,
    /// While the ring is walked round: the lookup of the next node, and those found.
    walk: Option<(LookupId, Vec<Peer<Id160, SocketAddrV4>>)>,
}

/// The member and its trace.
struct Traced {
    member: Member<SocketAddrV4>,
    start: Instant,
    trace: bool,
}

/// The place of a name, or of an address, on the ring: its SHA-1 value (Stoica 2003, IV-A).
pub fn place(name: &str) -> Id160 {
    Id160::from(<[u8; 20]>::from(Sha1::digest(name)))
}

impl Driver {
    pub fn start(args: &Args) -> Result<Self, String> {
        let udp = Udp::bind(args.listen.into())?;
        let SocketAddr::V4(address) = udp.address()? else {
            return Err("the socket has no IPv4 address".into());
        };
        let me = Peer { id: place(&address.to_string()), address };
        let mut config = Config::default();
        config.stabilize = args.stabilize();
        config.fix_fingers = args.stabilize();
        config.patience =
            args.stabilize().clamp(Duration::from_millis(50), Duration::from_millis(500));
        config.tries = 4;
        config.seed = seed(&address.to_string());
        let mut member = Member::new(config, args.successors.into(), me);
        let begun = match args.join {
            Some(contact) => member.join(Duration::ZERO, contact),
            None => member.create(Duration::ZERO),
        };
        begun.map_err(|error| error.to_string())?;
        interrupt::install();
        println!("listening on {address}, node {:.8}", me.id);
        Ok(Self {
            udp,
            traced: Traced { member, start: Instant::now(), trace: args.trace },
            commands: listen_to_user(),
            command: args.command(),
            ended: None,
            walk: None,
        })
    }

    pub fn run(mut self) -> Result<Exit, String> {
        loop {
            if interrupt::interrupted() {
                return self.leave(Exit::Stopped);
            }
            self.udp.flush(&mut self.traced)?;
            self.print_events();
            if let Some(status) = self.ended {
                return self.leave(status);
            }
            while let Ok(command) = self.commands.try_recv() {
                match command {
                    Ok(command) => self.execute(&command),
                    Err(complaint) => println!("{complaint}"),
                }
            }
            self.udp.turn(&mut self.traced, TICK)?;
        }
    }

    /// Prints the events of the member.
    fn print_events(&mut self) {
        while let Some(event) = self.traced.member.poll_event() {
            match event {
                MemberEvent::Chord(event) => self.handle_chord_event(event),
                MemberEvent::Stored { key } => self.finish(true, &format!("stored under {key:.8}")),
                MemberEvent::Found { value: Some(value), .. } => {
                    self.finish(true, &String::from_utf8_lossy(&value));
                }
                MemberEvent::Found { key, value: None } => {
                    self.finish(false, &format!("nothing under {key:.8}"));
                }
                MemberEvent::GaveUp { key } => {
                    self.finish(false, &format!("no answer about {key:.8}"));
                }
            }
        }
    }

    fn handle_chord_event(&mut self, event: Event<Id160, SocketAddrV4>) {
        match event {
            Event::Joined => {
                if let Some(command) = self.command.clone() {
                    self.execute(&command);
                } else {
                    println!("joined");
                }
            }
            Event::JoinFailed(reason) => {
                println!("join failed: {reason:?}; is there a node at the address of --join?");
                self.ended = Some(Exit::Failure);
            }
            Event::LookupDone { lookup, owner, .. } => self.walk_on(lookup, Some(owner)),
            Event::LookupFailed { lookup, .. } => self.walk_on(lookup, None),
            event if self.traced.trace => println!("   {event}"),
            _ => {}
        }
    }

    fn finish(&mut self, well: bool, text: &str) {
        println!("{text}");
        if self.command.is_some() {
            self.ended = Some(if well { Exit::Success } else { Exit::Failure });
        }
    }

    fn execute(&mut self, command: &Command) {
        let now = self.udp.now();
        match command {
            Command::Put(_, value) if value.len() > LONGEST => {
                let text = format!("a value has {LONGEST} bytes at most, not {}", value.len());
                self.finish(false, &text);
            }
            Command::Put(name, value) => {
                self.traced.member.put(now, place(name), value.clone().into_bytes());
            }
            Command::Get(name) => self.traced.member.get(now, place(name)),
            Command::Ring => {
                let me = self.traced.member.node().me();
                self.look_behind(vec![me]);
            }
            Command::Fingers => self.show_fingers(),
            Command::Leave => self.ended = Some(Exit::Success),
        }
    }

    /// Goes round the ring by lookups: who owns what lies right behind the last node?
    fn look_behind(&mut self, found: Vec<Peer<Id160, SocketAddrV4>>) {
        let Some(last) = found.last() else { return };
        let behind = last.id.finger_start(1);
        let lookup = self.traced.member.lookup(self.udp.now(), behind);
        self.walk = lookup.map(|lookup| (lookup, found));
    }

    fn walk_on(&mut self, lookup: LookupId, next: Option<Peer<Id160, SocketAddrV4>>) {
        if self.walk.as_ref().is_none_or(|(ours, _)| *ours != lookup) {
            return;
        }
        let Some((_, mut found)) = self.walk.take() else { return };
        match next {
            Some(next) if found.iter().all(|peer| peer.id != next.id) => {
                found.push(next);
                self.look_behind(found);
            }
            _ => {
                println!("ring of {} nodes, from here on:", found.len());
                for peer in found {
                    println!("  {:.8} {}", peer.id, peer.address);
                }
            }
        }
    }

    fn show_fingers(&self) {
        let node = self.traced.member.node();
        let keys = node.keys();
        println!(
            "node {:.8}, keys ({:.8}, {:.8}], {} values kept",
            node.me().id,
            keys.after,
            keys.through,
            self.traced.member.store.len()
        );
        for (n, peer) in (1..).zip(node.successors()) {
            println!("  successor {n}: {:.8} {}", peer.id, peer.address);
        }
        for peer in &node.routing_table().fingers {
            let octave = node.me().id.distance(peer.id).log2().map_or(1, |log| log + 1);
            println!("  finger {octave}: {:.8} {}", peer.id, peer.address);
        }
    }

    /// Hands the keys over, says farewell, and stays for a moment so that all of it is sent.
    fn leave(mut self, status: Exit) -> Result<Exit, String> {
        let member = self.traced.member.node().state();
        self.traced.member.leave(self.udp.now());
        self.udp.flush(&mut self.traced)?;
        if !matches!(member, State::Outside | State::Joining) {
            thread::sleep(LEAVE_WAIT);
            println!("left");
        }
        Ok(status)
    }
}

impl Datagrams for Traced {
    fn handle_datagram(&mut self, now: Duration, from: SocketAddr, bytes: &[u8]) {
        let SocketAddr::V4(from) = from else { return };
        self.print("<-", from, bytes);
        let handled = self.member.handle_datagram(now, from, bytes);
        if let (Err(why), true) = (handled, self.trace) {
            println!("   dropped: {why}");
        }
    }

    fn handle_timeout(&mut self, now: Duration) {
        self.member.handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Duration> {
        self.member.poll_timeout()
    }

    fn poll_transmit(&mut self, buf: &mut [u8]) -> Result<Option<(SocketAddr, usize)>, String> {
        let sent = self.member.poll_transmit(buf).map_err(|error| error.to_string())?;
        let Some((to, len)) = sent else { return Ok(None) };
        self.print("->", to, &buf[..len]);
        Ok(Some((to.into(), len)))
    }
}

impl Traced {
    fn print(&self, arrow: &str, peer: SocketAddrV4, bytes: &[u8]) {
        if !self.trace {
            return;
        }
        let text = if bytes.first() == Some(&FIRST) {
            Transfer::decode(bytes).map(|transfer| transfer.to_string())
        } else {
            Message::<Id160, SocketAddrV4>::decode(bytes)
                .ok()
                .map(|(message, _)| message.to_string())
        };
        let text = text.unwrap_or_else(|| format!("{} bytes that mean nothing here", bytes.len()));
        println!("{:9.3} {arrow} {peer} {text}", self.start.elapsed().as_secs_f64());
    }
}

/// Reads the standard input on a thread of its own; the end of the input changes nothing.
fn listen_to_user() -> Receiver<Result<Command, String>> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if !line.trim().is_empty() && sender.send(Command::parse(&line)).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Differs from start to start, so that tokens do.
fn seed(address: &str) -> u64 {
    let time = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let hash = Sha1::digest(format!("{address} {:?}", time.unwrap_or_default()));
    hash.iter().take(8).fold(0, |seed, byte| seed << 8 | u64::from(*byte))
}
