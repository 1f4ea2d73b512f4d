//! Queries by datagram (GUESS): the own ones ask ultrapeers host by host, and those of others are answered, by the own
//! files and by those of leaves.

use core::net::{SocketAddr, SocketAddrV4};
use core::time::Duration;
use std::collections::VecDeque;
use std::io;
use std::net::UdpSocket;
use std::sync::Arc;
use std::thread;

use examples::random::random;
use gnutella_wire::datagram::{DatagramConfig, DatagramLimits, DatagramVec, Datagrams};
use gnutella_wire::huge::Part;
use gnutella_wire::wire::{HitData, Payload, Query, QueryHit};
use gnutella_wire::{Guid, Role};

use super::ctx::{Ctx, Input};
use super::hits::{MAX_HITS, MAX_LEN, for_each_hit};
use super::node::{Node, describe_message};
use super::transfer::offer;

/// Longer than any datagram.
const LONGEST: usize = 65_536;
const LIMITS: DatagramLimits = DatagramLimits { peers: 64, searches: 8 };
/// How many hosts of the cache are added for a search.
const MAX_HOSTS: usize = 16;
/// How many queries of others are remembered, whose hits from leaves go on by datagram.
const MAX_ASKED: usize = 256;

/// The machine and its socket.
pub struct Guess {
    pub machine: Datagrams<DatagramVec>,
    socket: UdpSocket,
    asked: VecDeque<(Guid, SocketAddrV4)>,
    has_hosts: bool,
}

impl Guess {
    /// Begins on an open socket, and asks `hosts` in each search.
    pub fn start(ctx: &Arc<Ctx>, socket: UdpSocket, hosts: &[SocketAddrV4]) -> io::Result<Self> {
        let mut config = DatagramConfig::new(ctx.servent, ctx.address, random());
        config.seed = u64::from_le_bytes(random());
        config.answers_queries = ctx.role == Role::Ultrapeer;
        let machine = Datagrams::new(config, DatagramVec::new(LIMITS)).map_err(io::Error::other)?;
        let reader = socket.try_clone()?;
        let ctx = Arc::clone(ctx);
        let now = ctx.start.elapsed();
        thread::spawn(move || {
            let mut buf = vec![0; LONGEST];
            loop {
                match reader.recv_from(&mut buf) {
                    Ok((len, SocketAddr::V4(from))) => {
                        ctx.send(Input::Datagram(from, buf[..len].to_vec()));
                    }
                    Ok(_) => {}
                    // Some systems report here that nobody listens where a datagram was sent.
                    Err(_) => thread::sleep(Duration::from_millis(10)),
                }
            }
        });
        let mut guess = Self { machine, socket, asked: VecDeque::new(), has_hosts: false };
        for host in hosts {
            guess.add_host(now, *host);
        }
        Ok(guess)
    }

    /// Returns whether there is somebody to ask.
    pub const fn has_hosts(&self) -> bool {
        self.has_hosts
    }

    /// Returns the next deadline.
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.machine.poll_timeout()
    }

    fn add_host(&mut self, now: Duration, host: SocketAddrV4) {
        self.has_hosts |= self.machine.add_host(now, host);
    }

    fn send(&self, ctx: &Ctx, to: SocketAddrV4, bytes: &[u8]) {
        ctx.trace(|| format!("-> {to} by datagram {}", describe_message(bytes)));
        let _ = self.socket.send_to(bytes, to); // as if it were lost
    }
}

impl Node {
    /// Sends what is due, and fires expired timers.
    pub(super) fn drive_guess(&mut self) {
        let now = self.now();
        let Some(guess) = &mut self.guess else { return };
        guess.machine.handle_timeout(now);
        let mut buf = [0; Datagrams::<DatagramVec>::MAX_TRANSMIT_LEN];
        while let Ok(Some(sent)) = guess.machine.poll_transmit(&mut buf) {
            guess.send(&self.ctx, sent.to, &buf[..sent.len]);
        }
        while let Some(event) = guess.machine.poll_event() {
            self.ctx.trace(|| format!("   {event}"));
        }
    }

    /// Asks the hosts that are known, but for the neighbours, which receive the query anyway.
    pub(super) fn search_by_datagram(&mut self, guid: Guid, query: &Query<'_>) {
        let now = self.now();
        let links: Vec<_> = self.links.values().map(|link| link.name).collect();
        let hosts = self.servent.hosts().map(|host| host.address);
        let hosts: Vec<_> = hosts.filter(|host| !links.contains(host)).take(MAX_HOSTS).collect();
        let Some(guess) = &mut self.guess else { return };
        for host in hosts {
            guess.add_host(now, host);
        }
        if guess.has_hosts
            && let Err(error) = guess.machine.search(now, guid, query)
        {
            self.ctx.trace(|| format!("   no search by datagram: {error}"));
        }
    }

    pub(super) fn receive_datagram(&mut self, from: SocketAddrV4, bytes: &[u8]) {
        let now = self.now();
        self.ctx.trace(|| format!("<- {from} by datagram {}", describe_message(bytes)));
        let Some(guess) = &mut self.guess else { return };
        match guess.machine.handle_datagram(now, from, bytes) {
            Ok(Some(message)) => match message.payload {
                Payload::Query(query) => self.answer_datagram(from, message.guid, &query),
                Payload::QueryHit(hit) => self.collect(&hit),
                Payload::Push(push) => offer(&self.ctx, push.address, push.index),
                _ => {}
            },
            Ok(None) => {}
            Err(error) => self.ctx.trace(|| format!("   {from}: {error}")),
        }
    }

    /// Answers a query by datagram, and asks the leaves that may have the file.
    fn answer_datagram(&mut self, from: SocketAddrV4, guid: Guid, query: &Query<'_>) {
        let ctx = Arc::clone(&self.ctx);
        let library = ctx.library();
        let files = library.find(query);
        let data = self.hit_data();
        for_each_hit(&files, MAX_HITS, |records| {
            let hit = QueryHit {
                address: ctx.address,
                speed: self.servent.config().speed,
                records,
                data: HitData::new(&data),
                servent: ctx.servent,
            };
            self.pass_hit(from, guid, &hit);
        });
        // Without the key, which is nobody else's business.
        let gems = query.parts().filter_map(|part| match part {
            Ok(Part::Gem(gem)) => Some(gem.as_bytes()),
            _ => None,
        });
        let extensions = gems.collect::<Vec<_>>().join(&0x1C);
        let asked = Query { extensions: &extensions, ..*query };
        let mut buf = [0; 512];
        let now = self.now();
        match self.servent.ask_leaves(now, guid, &asked, &mut buf) {
            Ok(sent) => {
                self.send(sent.to, &buf[..sent.len]);
                let Some(guess) = &mut self.guess else { return };
                guess.asked.push_front((guid, from));
                guess.asked.truncate(MAX_ASKED);
            }
            Err(error) => ctx.trace(|| format!("   no leaf is asked: {error}")),
        }
    }

    /// Passes on the hit of a leaf to who asked by datagram. Returns whether it answers such a query.
    pub(super) fn relay_hit(&mut self, guid: Guid, hit: &QueryHit<'_>) -> bool {
        let Some(guess) = &self.guess else { return false };
        let asker = guess.asked.iter().find(|(asked, _)| *asked == guid).map(|(_, asker)| *asker);
        if let Some(asker) = asker {
            self.pass_hit(asker, guid, hit);
        }
        asker.is_some()
    }

    fn pass_hit(&mut self, to: SocketAddrV4, guid: Guid, hit: &QueryHit<'_>) {
        let now = self.now();
        let Some(guess) = &mut self.guess else { return };
        let mut buf = vec![0; MAX_LEN];
        match guess.machine.answer(now, to, guid, hit, &mut buf) {
            Ok(sent) => guess.send(&self.ctx, sent.to, &buf[..sent.len]),
            Err(error) => self.ctx.trace(|| format!("   {to}: {error}")),
        }
    }
}

/// Opens the socket beside the listener, at the same port. Without it the servent works by links alone.
pub fn bind(listener: SocketAddr) -> Option<UdpSocket> {
    match UdpSocket::bind(listener) {
        Ok(socket) => Some(socket),
        Err(error) => {
            println!("no queries by datagram, {listener} (UDP): {error}");
            None
        }
    }
}
