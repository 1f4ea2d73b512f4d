//! A client over TCP: one thread owns the machine; others read from peers and from the user.

use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::io::{self, BufRead as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;

use examples::tcp::{Event, Mailbox, Tcp};
use examples::{cli, interrupt};
use gnutella_wire::opennap::{
    Client, ClientCloseReason, ClientEvent, File, Frame, LinkType, Login, Message, Search, Source,
    Wanted as Naming,
};
use gnutella_wire::{ConnId, Text};

use super::args::Client as Options;
use super::transfer::{Shared, Wanted, deliver, fetch, library, welcome};

/// How long the program sleeps at most, so that it notices an interruption.
const TURN: Duration = Duration::from_millis(250);

/// What the other threads send.
enum Input {
    Line(String),
    Fetched(Result<PathBuf, String>),
}

struct App {
    trace: bool,
    options: Options,
    library: Arc<Vec<Shared>>,
    port: u16,
    inputs: Mailbox<Input>,
    /// What was asked for of peers behind firewalls.
    expected: Arc<Mutex<Vec<Wanted>>>,
    client: Client,
    net: Net,
    index: ConnId,
    state: State,
    found: Vec<Wanted>,
    wanted: Vec<Wanted>,
}

type Net = Tcp<ConnId, Input>;

/// How far the connection to the index is.
#[derive(PartialEq)]
enum State {
    Dialling,
    Open,
    Closed,
}

pub fn run(index: SocketAddr, options: Options, trace: bool) -> Result<(), String> {
    let shared = options.share.as_deref();
    let shared =
        shared.map(|path| library(path).map_err(cli::failed("share", path))).transpose()?;
    let library = Arc::new(shared.unwrap_or_default());
    let unreachable = |error| format!("cannot reach the index at {index}: {error}");
    let mut net = Net::dialler().map_err(unreachable)?;
    let conn = net.dial(index).ok_or_else(|| format!("cannot reach the index at {index}"))?;
    let inputs = net.mailbox();
    let expected = Arc::new(Mutex::new(Vec::new()));
    let port = if options.firewalled {
        0
    } else {
        listen(&options, &library, &expected, &inputs).map_err(|e| format!("cannot listen: {e}"))?
    };
    let from_user = inputs.clone();
    thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            from_user.send(Input::Line(line));
        }
    });
    let client = Client::new(Duration::from_secs(10)).map_err(|e| e.to_string())?;
    let found = Vec::new();
    let wanted = Vec::new();
    let mut app = App {
        trace,
        options,
        library,
        port,
        inputs,
        expected,
        client,
        net,
        index: conn,
        state: State::Dialling,
        found,
        wanted,
    };
    app.log_in()?;
    interrupt::install();
    while !interrupt::interrupted() {
        let due = app.client.poll_timeout().map(|at| at.saturating_sub(app.net.now()));
        let due = Some(due.unwrap_or(TURN).min(TURN));
        for event in app.net.turn(due).map_err(cli::sentence)? {
            match event {
                Event::Opened { .. } => app.state = State::Open,
                Event::Bytes(_) => app.receive(),
                Event::Closed(_) if app.state == State::Dialling => {
                    return Err(format!("cannot reach the index at {index}: connection refused"));
                }
                Event::Closed(_) => {
                    println!("the index is disconnected: searches fail, transfers continue");
                    app.state = State::Closed;
                }
                Event::Message(Input::Line(line)) if line.trim() == "quit" => return Ok(()),
                Event::Message(Input::Line(line)) => app.command(line.trim()),
                Event::Message(Input::Fetched(Ok(path))) => println!("saved {}", path.display()),
                Event::Message(Input::Fetched(Err(error))) => {
                    println!("the download failed: {error}");
                }
            }
        }
        app.client.handle_timeout(app.net.now());
        app.flush()?;
    }
    println!("interrupted: {} downloads were waiting for their sharer", app.wanted.len());
    Ok(())
}

/// Takes the connections of peers; returns the port.
fn listen(
    options: &Options,
    library: &Arc<Vec<Shared>>,
    expected: &Arc<Mutex<Vec<Wanted>>>,
    inputs: &Mailbox<Input>,
) -> io::Result<u16> {
    let listener = TcpListener::bind(options.listen)?;
    let port = listener.local_addr()?.port();
    let library = Arc::clone(library);
    let into = options.into.clone();
    let expected = Arc::clone(expected);
    let inputs = inputs.clone();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let library = Arc::clone(&library);
            let into = into.clone();
            let inputs = inputs.clone();
            let expected = Arc::clone(&expected);
            thread::spawn(move || {
                let take = |nick: &str, name: &str| {
                    let mut expected = expected.lock().expect("no panics");
                    let is = |wanted: &Wanted| wanted.nick == nick && wanted.name == name;
                    expected.iter().position(is).map(|at| expected.remove(at))
                };
                match welcome(stream, &library, &take, &into) {
                    Ok(None) => {}
                    Ok(Some(path)) => inputs.send(Input::Fetched(Ok(path))),
                    Err(error) => println!("a peer: {error}"),
                }
            });
        }
    });
    Ok(port)
}

fn text(text: &str) -> Text<'_> {
    Text::new(text.as_bytes()).unwrap_or_default()
}

impl App {
    fn log_in(&mut self) -> Result<(), String> {
        let login = Login {
            nick: text(&self.options.nick),
            password: text("none"),
            port: self.port,
            client: text("gnutella-wire"),
            link: LinkType(8),
        };
        let mut buf = vec![0; 512];
        let len = self.client.login(self.net.now(), login, &mut buf);
        let len = len.map_err(|e| e.to_string())?;
        self.write(&buf[..len]);
        Ok(())
    }

    fn receive(&mut self) {
        let Some(conn) = self.net.conn(self.index) else { return };
        let mut received = core::mem::take(&mut conn.received);
        let mut rest = &received[..];
        loop {
            let handled = self.client.handle_bytes(self.net.now(), rest);
            if handled.consumed == 0 {
                break;
            }
            let (this, after) = rest.split_at(handled.consumed);
            self.print("<-", this);
            rest = after;
            if let Some(message) = handled.outcome {
                self.deliver(&message);
            }
        }
        let used = received.len() - rest.len();
        received.consume(used);
        if let Some(conn) = self.net.conn(self.index) {
            conn.received = received;
        }
    }

    fn deliver(&mut self, message: &Message<'_>) {
        match message {
            Message::Error(why) | Message::Notice(why) => println!("the index reports: {why}"),
            Message::Found(row) => self.list(&row.nick.to_string(), &row.file),
            Message::Browsed(nick, file) => self.list(&nick.to_string(), file),
            Message::SearchEnd | Message::BrowseEnd(_) => println!("{} files", self.found.len()),
            Message::DownloadAck(source) => self.fetch(source),
            Message::DownloadError(_) => println!("the file is no longer shared"),
            Message::UploadFirewalled(source) => self.upload(source),
            Message::UploadRequest(wanted) => {
                let name = wanted.name.to_string();
                if self.library.iter().any(|file| file.name == name) {
                    self.say(&Message::UploadAccept(*wanted)); // or no download starts
                }
            }
            Message::UploadLimited(wanted, _, limit) => {
                println!("{} allows {limit} uploads, and all are taken: try later", wanted.nick);
            }
            Message::AcceptFailed(wanted) => println!("{} does not accept", wanted.nick),
            Message::PortError(nick) => println!("{nick} cannot connect to this client"),
            Message::Private(nick, words) => println!("{nick}: {words}"),
            Message::PingUser(nick) => self.say(&Message::Pong(*nick)),
            Message::UserOn(nick, _) => println!("{nick} came"),
            Message::UserOff(nick) => println!("{nick} went"),
            Message::Stats(users, files, gigabytes) => {
                println!("{users} users share {files} files, {gigabytes} GB");
            }
            _ => {}
        }
    }

    fn list(&mut self, nick: &str, file: &File<'_>) {
        let name = file.name.to_string();
        let md5 = file.known_md5().map(|md5| md5.to_string()).unwrap_or_default();
        println!("{:4}  {name} ({} bytes) of {nick}", self.found.len() + 1, file.size);
        self.found.push(Wanted { nick: nick.to_owned(), name, md5, size: file.size });
    }

    /// Fetches the file from who has it; who is behind a firewall is asked to connect.
    fn fetch(&mut self, source: &Source<'_>) {
        let nick = source.nick.to_string();
        let name = source.name.to_string();
        let is = |wanted: &Wanted| wanted.nick.eq_ignore_ascii_case(&nick) && wanted.name == name;
        let Some(at) = self.wanted.iter().position(is) else { return };
        let wanted = self.wanted.remove(at);
        if source.port == 0 {
            println!("{nick} is behind a firewall: asking it to connect");
            self.expected.lock().expect("no panics").push(wanted);
            let nick = text(&nick);
            let name = text(&name);
            return self.say(&Message::DownloadFirewalled(Naming { nick, name }));
        }
        let from = SocketAddr::from((Ipv4Addr::from(source.address), source.port));
        let own = self.options.nick.clone();
        let into = self.options.into.clone();
        let inputs = self.inputs.clone();
        thread::spawn(move || {
            let fetched = fetch(&own, &wanted, from, &into).map_err(|e| e.to_string());
            inputs.send(Input::Fetched(fetched));
        });
    }

    fn upload(&mut self, source: &Source<'_>) {
        let to = SocketAddr::from((Ipv4Addr::from(source.address), source.port));
        let own = self.options.nick.clone();
        let name = source.name.to_string();
        let library = Arc::clone(&self.library);
        thread::spawn(move || {
            let Some(file) = library.iter().find(|file| file.name == name) else { return };
            if let Err(error) = deliver(&own, file, to) {
                println!("{name} to {to}: {error}");
            }
        });
    }

    fn command(&mut self, line: &str) {
        if self.state == State::Closed {
            return println!("the index is disconnected");
        }
        match line.split_once(' ').unwrap_or((line, "")) {
            ("find", words) => {
                self.found.clear();
                self.say(&Message::Search(Search::new(text(words))));
            }
            ("browse", nick) => {
                self.found.clear();
                self.say(&Message::Browse(text(nick)));
            }
            ("get", number) => {
                let at = number.parse::<usize>().ok().and_then(|n| n.checked_sub(1));
                let Some(wanted) = at.and_then(|at| self.found.get(at)).cloned() else {
                    return println!("get takes the number of a file that was found");
                };
                let nick = wanted.nick.clone();
                let name = wanted.name.clone();
                self.wanted.push(wanted);
                self.say(&Message::Download(Naming { nick: text(&nick), name: text(&name) }));
            }
            ("watch", nick) => self.say(&Message::HotlistAdd(text(nick))),
            ("tell", words) => {
                let (nick, words) = words.split_once(' ').unwrap_or((words, ""));
                self.say(&Message::Private(text(nick), text(words)));
            }
            ("stats", _) => self.say(&Message::StatsRequest),
            ("", _) => {}
            _ => {
                println!(
                    "find WORDS, get N, browse NICK, watch NICK, tell NICK WORDS, stats, quit"
                );
            }
        }
    }

    /// Writes the messages of the machine, and prints its events.
    fn flush(&mut self) -> Result<(), String> {
        let mut buf = [0; 512];
        while let Ok(Some(len)) = self.client.poll_transmit(&mut buf) {
            self.write(&buf[..len]);
        }
        match self.client.poll_event() {
            Some(ClientEvent::LoggedIn) => {
                println!(
                    "logged in as {}, sharing {} files",
                    self.options.nick,
                    self.library.len()
                );
                let library = Arc::clone(&self.library);
                for Shared { name, md5, size, .. } in library.iter() {
                    let name = text(name);
                    let md5 = text(md5);
                    let file =
                        File { name, md5, size: *size, bitrate: 0, frequency: 0, seconds: 0 };
                    self.say(&Message::Share(file));
                }
                Ok(())
            }
            Some(ClientEvent::ListingTimedOut) => {
                println!("the index does not answer");
                Ok(())
            }
            Some(ClientEvent::Closed { reason: ClientCloseReason::Frame(error) }) => {
                Err(format!("the index: {error}"))
            }
            Some(ClientEvent::Closed { reason: ClientCloseReason::Dismissed(kind) }) => {
                Err(format!("the index ends the connection: {kind}"))
            }
            Some(ClientEvent::Closed { reason: ClientCloseReason::Refused }) => Err(format!(
                "the index refuses the login of '{}'; try another --nick",
                self.options.nick
            )),
            Some(_) => Err("the index does not answer the login".into()),
            None => Ok(()),
        }
    }

    fn say(&mut self, message: &Message<'_>) {
        let mut buf = vec![0; message.encoded_len()];
        match self.client.send(self.net.now(), message, &mut buf) {
            Ok(len) => self.write(&buf[..len]),
            Err(error) => println!("{error}"),
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        self.print("->", bytes);
        self.net.send(self.index, bytes);
    }

    fn print(&self, direction: &str, bytes: &[u8]) {
        if self.trace
            && let Ok((frame, _)) = Frame::decode(bytes, u16::MAX)
        {
            println!("{direction} {frame}");
        }
    }
}
