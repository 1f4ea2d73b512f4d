//! The loop around a member: a socket, a clock, and what the user types.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::VecDeque;
use std::io::{self, BufRead as _};
use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use chord_core::{Config, Event, Id160, Identifier as _, LookupId, Peer, State};
use examples::cli::{self, Exit};
use examples::udp::Udp;
use examples::{interrupt, random};

use super::args::{Command, Run};
use super::ask::describe;
use super::endpoint::{Endpoint, canonical, resolve_all};
use super::file::Log;
use super::join::{Attempts, Verdict};
use super::key;
use super::line::Line;
use super::parts::place;
use super::store::{Member, MemberEvent};
use super::task::Task;

/// The longest wait for a datagram, so that a command is read soon.
const TICK: Duration = Duration::from_millis(20);
/// How long a leaving node stays, so that its last datagrams are sent.
const LEAVE_WAIT: Duration = Duration::from_millis(200);
/// How many addresses of `--join` a node remembers for good, so that parts of a ring find each other.
const MOST_SEEDS: usize = 3;

/// How many nodes of a ring are shown.
const MOST_SHOWN: usize = 10_000;
/// How many commands of the user wait at a time.
const MOST_TASKS: usize = 64;

pub struct Driver {
    udp: Udp,
    line: Line<Member<SocketAddr>>,
    log: Option<Log>,
    commands: Receiver<Result<Command, String>>,
    /// None for the founder of a ring.
    attempts: Option<Attempts>,
    /// What the user wants, one after the other.
    tasks: VecDeque<Task>,
    leaves: bool,
    /// While the ring is walked round: the lookup of the next node, and those found.
    walk: Option<(LookupId, Vec<Peer<Id160, SocketAddr>>)>,
}

impl Driver {
    pub fn start(args: &Run) -> Result<Self, String> {
        let key = args.key_file.as_deref().map(key::read).transpose()?;
        let udp = bind(&args.listen)?;
        let socket = udp.address()?;
        let address = public_address(args.public.as_ref(), socket)?;
        let me = Peer { id: place(&address.to_string()), address };
        let contacts = resolve_all(&args.join, Some(address))?;
        if contacts.contains(&address) {
            return Err(format!("{address} is the node itself; --join names another one"));
        }
        let mut member = Member::new(config(args), args.successors.into(), me, args.limits());
        let log = args.store.as_deref().map(|path| open_log(path, &mut member)).transpose()?;
        for contact in contacts.iter().take(MOST_SEEDS) {
            let _ = member.add_seed(*contact); // there is room for more
        }
        let attempts = Attempts::new(contacts, args.join_for());
        if attempts.is_none() {
            member.create(Duration::ZERO).map_err(cli::sentence)?;
        }
        interrupt::install();
        println!("listening on {address}, node {:.8}", me.id);
        let mut driver = Self {
            udp,
            line: Line::new(member, socket, key, args.trace),
            log,
            commands: listen_to_user(),
            attempts,
            tasks: VecDeque::new(),
            leaves: false,
            walk: None,
        };
        driver.join()?;
        Ok(driver)
    }

    /// Runs until the node leaves.
    pub fn run(mut self) -> cli::Result {
        loop {
            if interrupt::interrupted() {
                return self.leave(Exit::Stopped);
            }
            self.run_task();
            self.handle_events()?;
            if self.leaves {
                return self.leave(Exit::Success);
            }
            let now = self.udp.now();
            if self.attempts.as_ref().is_some_and(|attempts| attempts.is_due(now)) {
                self.join()?;
            }
            while let Ok(command) = self.commands.try_recv() {
                match command {
                    Ok(command) => self.execute(command),
                    Err(complaint) => println!("{complaint}"),
                }
            }
            // Nothing is sent that the file does not have: an answer says that a value is kept.
            self.save()?;
            self.udp.turn(&mut self.line, TICK)?;
        }
    }

    /// Joins through the next contact.
    fn join(&mut self) -> cli::Result<()> {
        let Some(attempts) = &mut self.attempts else { return Ok(()) };
        let contact = attempts.contact();
        let now = self.udp.now();
        self.line.speaker.join(now, contact).map_err(cli::sentence)
    }

    fn save(&mut self) -> cli::Result<()> {
        let now = self.udp.now();
        match &mut self.log {
            Some(log) => log.save(&mut self.line.speaker.store, now),
            None => Ok(()),
        }
    }

    fn handle_events(&mut self) -> cli::Result<()> {
        while let Some(event) = self.line.speaker.poll_event() {
            match event {
                MemberEvent::Chord(event) => self.handle_chord_event(event)?,
                MemberEvent::Answered { key, answer } => {
                    if let Some(task) = self.tasks.front_mut() {
                        task.handle(key, answer);
                    }
                }
            }
        }
        Ok(())
    }

    /// Goes on with the first task.
    fn run_task(&mut self) {
        let Some(task) = self.tasks.front_mut() else { return };
        let now = self.udp.now();
        while let Some(request) = task.next() {
            match request.change {
                Some(change) => self.line.speaker.put(now, request.key, change),
                None => self.line.speaker.get(now, request.key),
            }
        }
        if let Some(outcome) = task.outcome() {
            println!("{}", describe(task.key, &outcome));
            self.tasks.pop_front();
        }
    }

    fn handle_chord_event(&mut self, event: Event<Id160, SocketAddr>) -> cli::Result<()> {
        match event {
            Event::Joined => {
                if let Some(attempts) = &mut self.attempts {
                    attempts.handle_joined();
                }
                println!("joined");
            }
            // A member that gives way to another one with its identifier is outside again, too.
            Event::JoinFailed(reason) => {
                let now = self.udp.now();
                let verdict = self.attempts.as_mut().map(|it| it.handle_failure(now, reason));
                match verdict {
                    Some(Verdict::Wait(text)) => eprintln!("{text}"),
                    Some(Verdict::GiveUp(text)) => return Err(text),
                    None => return Err("another node has the same identifier".into()),
                }
            }
            Event::LookupDone { lookup, owner, .. } => self.walk_on(lookup, Some(owner)),
            Event::LookupFailed { lookup, .. } => self.walk_on(lookup, None),
            event if self.line.is_traced() => println!("   {event}"),
            _ => {}
        }
        Ok(())
    }

    fn execute(&mut self, command: Command) {
        match command {
            Command::Task(..) if self.tasks.len() >= MOST_TASKS => {
                println!("{MOST_TASKS} commands wait already");
            }
            Command::Task(name, goal) => self.tasks.push_back(Task::new(place(&name), goal)),
            Command::Ring => {
                let me = self.line.speaker.node().me();
                self.look_behind(vec![me]);
            }
            Command::Fingers => self.show_fingers(),
            Command::Leave => self.leaves = true,
        }
    }

    /// Goes round the ring by lookups: who owns what lies right behind the last node?
    fn look_behind(&mut self, found: Vec<Peer<Id160, SocketAddr>>) {
        let Some(last) = found.last() else { return };
        let behind = last.id.finger_start(1);
        let lookup = self.line.speaker.lookup(self.udp.now(), behind);
        self.walk = lookup.map(|lookup| (lookup, found));
    }

    fn walk_on(&mut self, lookup: LookupId, next: Option<Peer<Id160, SocketAddr>>) {
        if self.walk.as_ref().is_none_or(|(ours, _)| *ours != lookup) {
            return;
        }
        let Some((_, mut found)) = self.walk.take() else { return };
        match next {
            Some(next)
                if found.len() < MOST_SHOWN && found.iter().all(|peer| peer.id != next.id) =>
            {
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
        let node = self.line.speaker.node();
        let keys = node.keys();
        println!(
            "node {:.8}, keys ({:.8}, {:.8}], {} values kept",
            node.me().id,
            keys.after,
            keys.through,
            self.line.speaker.store.len()
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
    fn leave(mut self, status: Exit) -> cli::Result {
        let member = self.line.speaker.node().state();
        self.line.speaker.leave(self.udp.now());
        self.save()?;
        if let Some(log) = &mut self.log {
            log.sync()?;
        }
        self.udp.flush(&mut self.line)?;
        if !matches!(member, State::Outside | State::Joining) {
            thread::sleep(LEAVE_WAIT);
            println!("left");
        }
        Ok(status)
    }
}

fn config(args: &Run) -> Config {
    let mut config = Config::default();
    config.stabilize = args.stabilize();
    config.fix_fingers = args.stabilize();
    config.patience = args.stabilize().clamp(Duration::from_millis(50), Duration::from_millis(500));
    config.tries = 4;
    config.relay_percent = args.relay_percent;
    config.seed = u64::from_be_bytes(random::random()); // tokens differ from start to start
    config
}

/// Opens the file of the store, and keeps what it held.
fn open_log(path: &Path, member: &mut Member<SocketAddr>) -> cli::Result<Log> {
    let (log, loaded) = Log::open(path)?;
    let count = loaded.entries.len();
    let restored = loaded.entries.into_iter().filter(|it| {
        let lifetime = if it.entry.deleted { it.lifetime.max(1) } else { it.lifetime };
        member.restore(it.key, it.entry.clone(), lifetime, it.origin)
    });
    let restored = restored.count();
    if restored < count {
        eprintln!(
            "{} of {count} entries of {} have no room; see --store-limit",
            count - restored,
            path.display()
        );
    }
    member.store.watch();
    Ok(log)
}

/// Opens the socket at the first address of the host that can be opened.
fn bind(listen: &Endpoint) -> cli::Result<Udp> {
    let mut result = Err(format!("the host of {listen} has no address"));
    for address in listen.resolve()? {
        result = result.or_else(|_: String| Udp::bind(address));
    }
    result
}

/// Returns where others reach the socket.
fn public_address(public: Option<&Endpoint>, socket: SocketAddr) -> cli::Result<SocketAddr> {
    let mut address = canonical(socket);
    if let Some(public) = public {
        let all = resolve_all(core::slice::from_ref(public), Some(socket))?;
        let usable = all.into_iter().find(|address| socket.is_ipv6() || address.is_ipv4());
        address = usable.ok_or_else(|| format!("{public} is not of the family of --listen"))?;
        if address.port() == 0 {
            address.set_port(socket.port());
        }
    }
    if address.ip().is_unspecified() {
        return Err(format!(
            "others cannot send to {address}; --public names where they reach this node"
        ));
    }
    Ok(address)
}

/// Reads the standard input on a thread of its own; the end of the input changes nothing.
fn listen_to_user() -> Receiver<Result<Command, String>> {
    let (sender, receiver) = sync_channel(MOST_TASKS);
    thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if !line.trim().is_empty() && sender.send(Command::parse(&line)).is_err() {
                return;
            }
        }
    });
    receiver
}
