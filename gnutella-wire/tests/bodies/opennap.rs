//! Bodies of the central index.

use core::net::Ipv4Addr;
use core::time::Duration;

use gnutella_wire::opennap::peer::{Answer, Ask};
use gnutella_wire::opennap::{
    Client, File, Folder, Frame, Index, IndexConfig, IndexLimits, IndexVec, LinkType, Login,
    MAX_DATA, Message, NapError, Search, Wanted,
};
use gnutella_wire::{ConnId, Text};
use sim::laws::{Input, Machine, Outcome, check, check_poll_order};

/// A frame encodes back to its bytes, and its message, written and read again, is the same.
pub fn message(bytes: &[u8]) {
    match Frame::decode(bytes, MAX_DATA) {
        Ok((frame, rest)) => {
            let used = &bytes[..bytes.len() - rest.len()];
            let mut out = vec![0; frame.encoded_len()];
            assert_eq!(frame.encode(&mut out), Ok(out.len()));
            assert_eq!(out, used);
            assert!(!frame.to_string().contains(['\n', '\r']), "a trace is one line");
            if let Ok(message) = Message::from_frame(frame) {
                written_again(&message);
            }
        }
        Err(NapError::Incomplete { needed }) => {
            let longer = [bytes, &vec![0; needed - 1]].concat();
            assert!(matches!(Frame::decode(&longer, MAX_DATA), Err(NapError::Incomplete { .. })));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    if let Some(ask) = Ask::decode(bytes) {
        let mut out = vec![0; bytes.len() + 30];
        let len = ask.encode(&mut out).unwrap();
        assert_eq!(Ask::decode(&out[..len]), Some(ask));
    }
    if let Some(Answer::Size(_, digits)) = Answer::decode(bytes, true) {
        assert!(bytes[..digits].iter().all(u8::is_ascii_digit));
    }
}

fn written_again(message: &Message<'_>) {
    let mut out = vec![0; message.encoded_len()];
    assert_eq!(message.encode(&mut out), Ok(out.len()));
    if out.len() <= usize::from(MAX_DATA) {
        let (frame, rest) = Frame::decode(&out, MAX_DATA).unwrap();
        assert!(rest.is_empty());
        let again = Message::from_frame(frame).unwrap();
        let mut once_more = vec![0; again.encoded_len()];
        again.encode(&mut once_more).unwrap();
        assert_eq!(once_more, out, "what was written once is written the same again");
    }
    assert!(message.encode(&mut out[1..]).is_err());
}

const NICKS: [&str; 4] = ["ann", "ben", "cat", "a-nick-of-more-than-19-letters"];
const NAMES: [&str; 4] = ["hey jude.mp3", "let \"it\" be.mp3", "jude", ""];

fn text(text: &str) -> Text<'_> {
    Text::new(text.as_bytes()).expect("no NUL")
}

/// Chooses a message of a client.
fn some_message(input: &mut Input<'_>) -> Message<'static> {
    let nick = text(NICKS[input.below(4)]);
    let name = text(NAMES[input.below(4)]);
    let wanted = Wanted { nick, name };
    let port = u16::from(input.byte() & 1);
    let login = Login { nick, password: nick, port, client: name, link: LinkType(7) };
    let md5 = text("00");
    let file = File { name, md5, size: 1, bitrate: 2, frequency: 3, seconds: 4 };
    match input.below(23) {
        0..3 => Message::Login(login),
        3 | 4 => Message::Share(file),
        5 => Message::Unshare(name),
        6 => Message::Search(Search::new(name)),
        7 => Message::Browse(nick),
        8 => Message::Download(wanted),
        9 => Message::DownloadFirewalled(wanted),
        10 => Message::HotlistAdd(nick),
        11 => Message::HotlistRemove(nick),
        12 => Message::StatsRequest,
        13 | 14 => Message::UploadAccept(wanted),
        15 => Message::UploadLimit(wanted, 2),
        16 => Message::AcceptFailed(wanted),
        17 => Message::PortError(nick),
        18 => Message::ShareFolder(Folder { path: nick, files: text("\"a.mp3\" 0 1 2 3 4") }),
        19 => Message::Private(nick, name),
        20 => Message::PingUser(nick),
        21 => Message::Pong(nick),
        _ => Message::NickCheck(nick),
    }
}

/// An index keeps the laws, whatever its users send, with any number of slots.
pub fn index(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let users = input.below(5);
    let files = input.below(6);
    let bytes = input.bytes(usize::MAX);
    let new = || {
        let mut config = IndexConfig::CUSTOMARY;
        config.max_files = 3;
        config.max_per_address = 4;
        Server(Index::new(config, IndexVec::new(IndexLimits { users, files })).expect("valid"))
    };
    check(new, Index::<IndexVec>::MAX_TRANSMIT_LEN, bytes);
    check_poll_order(new, Index::<IndexVec>::MAX_TRANSMIT_LEN, bytes);
}

struct Server(Index<IndexVec>);

impl Machine for Server {
    fn call(&mut self, now: Duration, input: &mut Input<'_>) -> Outcome {
        let link = ConnId(input.below(5) as u32);
        match input.below(8) {
            0 => Outcome::of(self.0.handle_connected(now, link, Ipv4Addr::LOCALHOST)),
            1 if input.below(4) == 0 => {
                self.0.handle_closed(now, link);
                Outcome::Done(String::new())
            }
            2 => {
                let len = input.below(64);
                Outcome::of(self.0.handle_bytes(now, link, input.bytes(len)))
            }
            _ => {
                let message = some_message(input);
                let mut out = vec![0; message.encoded_len()];
                message.encode(&mut out).expect("long enough");
                Outcome::of(self.0.handle_bytes(now, link, &out))
            }
        }
    }

    fn handle_timeout(&mut self, now: Duration) {
        self.0.handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Duration> {
        self.0.poll_timeout()
    }

    fn poll_transmit(&mut self, buf: &mut [u8]) -> Result<Option<(String, usize)>, usize> {
        let sent = self.0.poll_transmit(buf).map_err(|error| error.needed)?;
        Ok(sent.map(|sent| {
            let (message, rest) = Message::decode(&buf[..sent.len], MAX_DATA).expect("a message");
            assert!(rest.is_empty() && !matches!(message, Message::Other(_)));
            (sent.conn.to_string(), sent.len)
        }))
    }

    fn poll_event(&mut self) -> Option<String> {
        self.0.poll_event().map(|event| format!("{event:?}"))
    }

    fn state(&self) -> String {
        assert!(self.0.users() <= 5 && self.0.files() <= 6);
        format!("{:?}", self.0)
    }

    fn same_state(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

/// A client keeps the laws, whatever the index sends.
pub fn client(bytes: &[u8]) {
    let new = || User(Client::new(Duration::from_secs(5)).expect("valid"));
    check(new, 64, bytes);
    check_poll_order(new, 64, bytes);
}

struct User(Client);

impl Machine for User {
    fn call(&mut self, now: Duration, input: &mut Input<'_>) -> Outcome {
        let mut out = vec![0; 4 * input.below(64)];
        match (input.below(8), some_message(input)) {
            (0, Message::Login(login)) => Outcome::of(self.0.login(now, login, &mut out)),
            (0 | 1, message) => Outcome::of(self.0.send(now, &message, &mut out)),
            (2, _) => {
                Outcome::Done(format!("{:?}", self.0.handle_bytes(now, input.bytes(out.len()))))
            }
            (3, _) => self.receive(now, &Message::LoginAck(Text::EMPTY)),
            (4, _) => self.receive(now, &Message::Ping(Text::EMPTY)),
            (5, _) => self.receive(now, &Message::SearchEnd),
            (6, _) => self.receive(now, &Message::Error(Text::EMPTY)),
            (_, message) => self.receive(now, &message),
        }
    }

    fn handle_timeout(&mut self, now: Duration) {
        self.0.handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Duration> {
        self.0.poll_timeout()
    }

    fn poll_transmit(&mut self, buf: &mut [u8]) -> Result<Option<(String, usize)>, usize> {
        let sent = self.0.poll_transmit(buf).map_err(|error| error.needed)?;
        Ok(sent.map(|len| (String::new(), len)))
    }

    fn poll_event(&mut self) -> Option<String> {
        self.0.poll_event().map(|event| format!("{event:?}"))
    }

    fn state(&self) -> String {
        format!("{:?}", self.0)
    }

    fn same_state(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl User {
    fn receive(&mut self, now: Duration, message: &Message<'_>) -> Outcome {
        let mut bytes = vec![0; message.encoded_len()];
        message.encode(&mut bytes).expect("long enough");
        Outcome::Done(format!("{:?}", self.0.handle_bytes(now, &bytes)))
    }
}
