//! A central index (`gnutella_wire::opennap::Index`) and its clients.

use core::net::Ipv4Addr;
use core::time::Duration;

use gnutella_wire::opennap::{
    Client, ClientState, File, Frame, Index, IndexConfig, IndexLimits, IndexVec, Kind, LinkType,
    Login, Message, Search, UserState,
};
use gnutella_wire::{ConnId, Text};

use super::{Counts, FIRST, counts};
use crate::Json;
use crate::post::{Parcel, Post};

type Server = Index<IndexVec>;

/// The number of the index; its clients are numbered from `FIRST[2]` on.
const SERVER: u32 = 3_000;
/// How long a client waits for the rows of an answer: much longer than any message here is under way.
const PATIENCE: Duration = Duration::from_secs(10);
/// The states of a client, and what ends them.
const CLIENT_STATES: [(ClientState, &str); 5] = [
    (ClientState::Connected, "it sends its login"),
    (ClientState::LoggingIn, "the index answers"),
    (ClientState::LoggedIn, "it searches"),
    (ClientState::Listing, "the last row arrives, or none for 10 s"),
    (ClientState::Closed, "nothing"),
];
/// The states of a user in the index, and what ends them.
const USER_STATES: [(UserState, &str); 4] = [
    (UserState::Connected, "a login with a free nick"),
    (UserState::LoggedIn, "a search, or silence"),
    (UserState::Listing, "its last row is sent"),
    (UserState::Pinged, "any message"),
];

pub(super) struct Central {
    index: Server,
    clients: Vec<User>,
    asker: Option<u32>,
    alive: bool,
    pub(super) counts: Counts,
    setup: u64,
}

struct User {
    client: Client,
    file: String,
    alive: bool,
}

fn text(text: &str) -> Text<'_> {
    Text::new(text.as_bytes()).unwrap_or_default()
}

impl Central {
    pub(super) fn new(nodes: usize, file: fn(usize) -> String) -> Result<Self, String> {
        let storage = IndexVec::new(IndexLimits { users: nodes, files: nodes });
        let index =
            Index::new(IndexConfig::CUSTOMARY, storage).map_err(|error| error.to_string())?;
        let mut central = Self {
            index,
            clients: Vec::new(),
            asker: None,
            alive: true,
            counts: Counts::default(),
            setup: 0,
        };
        for node in 0..nodes {
            central.enter(node, file(node))?;
        }
        Ok(central)
    }

    /// Lets a client log in and share its file before the page begins; messages arrive at once.
    fn enter(&mut self, node: usize, file: String) -> Result<(), String> {
        let conn = ConnId(node as u32);
        let now = Duration::ZERO;
        let connected =
            self.index.handle_connected(now, conn, Ipv4Addr::from(0x0A00_0000 + node as u32));
        connected.map_err(|error| error.to_string())?;
        let mut client = Client::new(PATIENCE).map_err(|error| error.to_string())?;
        let nick = format!("node{node}");
        let login = Login {
            nick: text(&nick),
            password: text("none"),
            port: 6_699,
            client: text("page"),
            link: LinkType(8),
        };
        let mut buf = [0; 512];
        let len = client.login(now, login, &mut buf).map_err(|error| error.to_string())?;
        self.exchange(conn, &mut client, &buf[..len])?;
        let shared = Message::Share(File {
            name: text(&file),
            md5: text("0123456789abcdef0123456789abcdef"),
            size: 4_000_000,
            bitrate: 128,
            frequency: 44_100,
            seconds: 240,
        });
        let len = client.send(now, &shared, &mut buf).map_err(|error| error.to_string())?;
        self.exchange(conn, &mut client, &buf[..len])?;
        self.clients.push(User { client, file, alive: true });
        Ok(())
    }

    fn exchange(&mut self, conn: ConnId, client: &mut Client, bytes: &[u8]) -> Result<(), String> {
        self.setup += 1;
        let handled = self.index.handle_bytes(Duration::ZERO, conn, bytes);
        handled.map_err(|error| error.to_string())?;
        let mut buf = [0; Server::MAX_TRANSMIT_LEN];
        while let Ok(Some(sent)) = self.index.poll_transmit(&mut buf) {
            self.setup += 1;
            client.handle_bytes(Duration::ZERO, &buf[..sent.len]);
        }
        while client.poll_event().is_some() {}
        Ok(())
    }

    /// Lets a client search. One that still waits for rows searches in the other networks only.
    pub(super) fn search(&mut self, node: u32, words: &str, post: &mut Post) {
        self.counts = Counts::default();
        self.asker = Some(node);
        let user = &mut self.clients[node as usize];
        let mut buf = [0; 512];
        let search = Message::Search(Search::new(text(words)));
        match user.client.send(post.now(), &search, &mut buf) {
            Ok(len) => self.send(node + FIRST[2], SERVER, &buf[..len], post),
            Err(error) => post.note(node + FIRST[2], "other", format!("no search: {error}")),
        }
    }

    /// Returns the living client with the next deadline.
    pub(super) fn due(&self) -> Option<(Duration, usize)> {
        let living = self.clients.iter().enumerate().filter(|(_, user)| user.alive);
        living.filter_map(|(at, user)| Some((user.client.poll_timeout()?, at))).min()
    }

    pub(super) fn wake(&mut self, node: usize, post: &mut Post) {
        let user = &mut self.clients[node];
        user.client.handle_timeout(post.now());
        while let Some(event) = user.client.poll_event() {
            post.note(node as u32 + FIRST[2], "other", format!("{event:?}"));
        }
    }

    fn send(&mut self, from: u32, to: u32, bytes: &[u8], post: &mut Post) {
        let Ok((frame, _)) = Frame::decode(bytes, u16::MAX) else { return };
        let kind = match frame.kind {
            Kind::SEARCH => {
                self.counts.queries += 1;
                "query"
            }
            Kind::FOUND | Kind::SEARCH_END => {
                self.counts.hits += 1;
                "hit"
            }
            _ => "other",
        };
        self.counts.bytes += bytes.len() as u64;
        post.send(Parcel { from, to, bytes: bytes.to_vec() }, kind, frame.to_string());
    }

    pub(super) fn deliver(&mut self, parcel: &Parcel, post: &mut Post) {
        let now = post.now();
        if parcel.to == SERVER {
            let conn = ConnId(parcel.from - FIRST[2]);
            self.counts.reached += 1;
            if self.index.handle_bytes(now, conn, &parcel.bytes).is_ok() {
                self.flush(post);
            }
            return;
        }
        let Some(user) = self.clients.get_mut((parcel.to - FIRST[2]) as usize) else { return };
        let received = user.client.handle_bytes(now, &parcel.bytes);
        if matches!(received.outcome, Some(Message::Found(_))) {
            self.counts.found += 1;
        }
    }

    fn flush(&mut self, post: &mut Post) {
        let mut buf = [0; Server::MAX_TRANSMIT_LEN];
        while let Ok(Some(sent)) = self.index.poll_transmit(&mut buf) {
            self.send(SERVER, sent.conn.0 + FIRST[2], &buf[..sent.len], post);
        }
    }

    pub(super) fn kill(&mut self, post: &mut Post) {
        self.alive = false;
        post.kill(SERVER);
    }

    /// A client is gone: the index removes it and its files.
    pub(super) fn leave(&mut self, node: u32, post: &mut Post) {
        self.clients[node as usize].alive = false;
        post.kill(node + FIRST[2]);
        self.index.handle_closed(post.now(), ConnId(node));
    }

    pub(super) fn details(&self, node: u32) -> Option<Json> {
        if node == SERVER {
            let known =
                [("users", self.index.users() as u64), ("files", self.index.files() as u64)];
            let rows = known.map(|(name, value)| Json::List(vec![name.into(), value.into()]));
            return Some(Json::object([
                ("id", node.into()),
                ("role", "index".into()),
                ("alive", self.alive.into()),
                ("rows", Json::list(rows)),
                ("users", self.user_states()),
            ]));
        }
        let user = self.clients.get((node - FIRST[2]) as usize)?;
        Some(Json::object([
            ("id", node.into()),
            ("role", "client".into()),
            ("file", user.file.as_str().into()),
            ("alive", user.alive.into()),
            ("states", self.client_states(node - FIRST[2], user)),
        ]))
    }

    /// Describes the two ends of the connection of a client. A dead end has no state.
    fn client_states(&self, node: u32, user: &User) -> Json {
        let row = |end: &str, state: String, ends: &str, here: bool| {
            let cells = Json::list([end.to_owned(), state, ends.to_owned()]);
            Json::object([("cells", cells), ("here", here.into())])
        };
        let seen = self.index.user_state(ConnId(node)).filter(|_| self.alive);
        let own = CLIENT_STATES.map(|(state, ends)| {
            let here = user.alive && user.client.state() == state;
            row("client", format!("{state:?}"), ends, here)
        });
        let theirs = USER_STATES
            .map(|(state, ends)| row("index", format!("{state:?}"), ends, seen == Some(state)));
        Json::list(own.into_iter().chain(theirs))
    }

    /// Describes how many users of the index are in each state.
    fn user_states(&self) -> Json {
        let conns = || (0..self.clients.len() as u32).map(ConnId);
        Json::list(USER_STATES.map(|(state, ends)| {
            let count = conns().filter(|conn| self.index.user_state(*conn) == Some(state)).count();
            let cells = [format!("{state:?}"), ends.to_owned(), count.to_string()];
            let here = self.alive && count > 0;
            Json::object([("cells", Json::list(cells)), ("here", here.into())])
        }))
    }

    pub(super) fn view(&self, name: &'static str) -> Json {
        let clients = (0_u32..).zip(&self.clients).map(|(node, user)| {
            Json::List(vec![
                (node + FIRST[2]).into(),
                "client".into(),
                user.alive.into(),
                false.into(),
                (self.asker == Some(node)).into(),
                0_u64.into(),
            ])
        });
        let seen = self.counts.reached > 0;
        let server: [Json; 6] = [
            SERVER.into(),
            "index".into(),
            self.alive.into(),
            seen.into(),
            false.into(),
            0_u64.into(),
        ];
        let nodes = clients.chain([Json::List(server.into())]).collect();
        let links =
            (0..self.clients.len() as u32).map(|node| Json::list([node + FIRST[2], SERVER]));
        Json::object([
            ("name", name.into()),
            ("nodes", Json::List(nodes)),
            ("links", Json::List(links.collect())),
            ("counts", counts(self.counts)),
            ("setup", self.setup.into()),
        ])
    }
}
