//! From peer to peer: `1`, then `GET` or `SEND` with a name and a number, then the file.
//!
//! The protocol ends none of its words: what one read returns counts as whole, as with the programs of the time.

use core::net::SocketAddr;
use core::time::Duration;
use std::fs::{self, File};
use std::io::{self, Read, Seek as _, SeekFrom, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use examples::progress::{self, Meter};
use examples::storage;
use gnutella_wire::Text;
use gnutella_wire::opennap::MAX_NAME;
use gnutella_wire::opennap::peer::{Answer, Ask, GET, READY, SEND};
use md5::{Digest as _, Md5};

const PATIENCE: Duration = Duration::from_secs(10);
/// The part of a file that its MD5 covers, by custom.
const HASHED: u64 = 299_008;

/// A file that is shared.
pub struct Shared {
    pub name: String,
    pub md5: String,
    pub size: u32,
    pub path: PathBuf,
}

/// A file that is wanted, as the index describes it.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub nick: String,
    pub name: String,
    pub md5: String,
    pub size: u32,
}

/// Reads the files of a folder that the index can name.
pub fn library(folder: &Path) -> io::Result<Vec<Shared>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let Ok(size) = u32::try_from(path.metadata()?.len()) else { continue };
        if path.is_file() && name.len() <= MAX_NAME {
            files.push(Shared { name: name.to_owned(), md5: md5(&path)?, size, path });
        }
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

fn md5(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(HASHED).read_to_end(&mut bytes)?;
    Ok(Md5::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect())
}

fn connect(to: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&to, PATIENCE)?;
    patient(stream)
}

fn patient(stream: TcpStream) -> io::Result<TcpStream> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn ask(nick: &str, name: &str, number: u64) -> io::Result<Vec<u8>> {
    let nul = || io::Error::other("a NUL in a name");
    let nick = Text::new(nick.as_bytes()).ok_or_else(nul)?;
    let name = Text::new(name.as_bytes()).ok_or_else(nul)?;
    let mut buf = vec![0; nick.len() + name.len() + 30];
    let len = Ask { nick, name, number }.encode(&mut buf).map_err(io::Error::other)?;
    buf.truncate(len);
    Ok(buf)
}

/// Waits for exactly the words that the protocol has here.
fn expect(stream: &mut TcpStream, word: &[u8]) -> io::Result<()> {
    let mut got = vec![0; word.len()];
    stream.read_exact(&mut got)?;
    if got == word { Ok(()) } else { Err(io::Error::other("the peer speaks otherwise")) }
}

fn read_ask(stream: &mut TcpStream) -> io::Result<(String, String, u64)> {
    let mut received = Vec::new();
    while received.len() < 1_024 {
        let mut buf = [0; 1_024];
        let len = stream.read(&mut buf)?;
        received.extend_from_slice(&buf[..len]);
        if let Some(ask) = Ask::decode(&received) {
            return Ok((ask.nick.to_string(), ask.name.to_string(), ask.number));
        }
        if len == 0 {
            break;
        }
    }
    Err(io::Error::other("the peer asks for nothing"))
}

/// Fetches a file from a peer that takes connections.
pub fn fetch(nick: &str, wanted: &Wanted, from: SocketAddr, into: &Path) -> io::Result<PathBuf> {
    let mut stream = connect(from)?;
    expect(&mut stream, READY)?;
    stream.write_all(GET)?;
    stream.write_all(&ask(nick, &wanted.name, 0)?)?;
    let mut received = Vec::new();
    let mut buf = vec![0; 1 << 16];
    let (size, digits) = loop {
        let len = stream.read(&mut buf)?;
        received.extend_from_slice(&buf[..len]);
        match Answer::decode_sized(&received, wanted.size.into(), len == 0) {
            None => {}
            Some(Answer::Size(size, digits)) => break (size, digits),
            Some(Answer::Refused) => {
                let why = String::from_utf8_lossy(&received).into_owned();
                return Err(io::Error::other(format!("the peer refuses: {why}")));
            }
        }
    };
    keep(wanted, size, io::Cursor::new(received.split_off(digits)).chain(stream), into)
}

/// Takes a connection: a peer fetches a file, or delivers one that was asked for.
pub fn welcome(
    stream: TcpStream,
    library: &[Shared],
    expected: &dyn Fn(&str, &str) -> Option<Wanted>,
    into: &Path,
) -> io::Result<Option<PathBuf>> {
    let mut stream = patient(stream)?;
    stream.write_all(READY)?;
    let mut word = [0; 3];
    stream.read_exact(&mut word)?;
    if word == GET {
        let (_, name, offset) = read_ask(&mut stream)?;
        let Some(file) = library.iter().find(|file| file.name == name) else {
            stream.write_all(b"FILE NOT SHARED")?;
            return Ok(None);
        };
        stream.write_all(file.size.to_string().as_bytes())?;
        send(&mut stream, file, offset)?;
        return Ok(None);
    }
    expect(&mut stream, &SEND[3..])?;
    let (nick, name, size) = read_ask(&mut stream)?;
    let Some(wanted) = expected(&nick, &name) else {
        stream.write_all(b"INVALID REQUEST")?;
        return Ok(None);
    };
    stream.write_all(b"0")?;
    keep(&wanted, size, stream, into).map(Some)
}

/// Delivers a file from behind a firewall.
pub fn deliver(nick: &str, file: &Shared, to: SocketAddr) -> io::Result<()> {
    let mut stream = connect(to)?;
    expect(&mut stream, READY)?;
    stream.write_all(SEND)?;
    stream.write_all(&ask(nick, &file.name, file.size.into())?)?;
    let mut buf = [0; 20];
    let len = stream.read(&mut buf)?;
    match Answer::decode(&buf[..len], true) {
        Some(Answer::Size(offset, _)) => send(&mut stream, file, offset),
        _ => Err(io::Error::other("the peer does not want it")),
    }
}

fn send(stream: &mut TcpStream, file: &Shared, offset: u64) -> io::Result<()> {
    let mut source = File::open(&file.path)?;
    source.seek(SeekFrom::Start(offset))?;
    io::copy(&mut source, stream).map(drop)
}

/// Writes what comes into a file, and checks size and MD5.
fn keep(wanted: &Wanted, size: u64, from: impl Read, into: &Path) -> io::Result<PathBuf> {
    if size != u64::from(wanted.size) {
        return Err(io::Error::other(format!(
            "{size} bytes, where the index announced {}",
            wanted.size
        )));
    }
    fs::create_dir_all(into)?;
    let name: String =
        wanted.name.chars().map(|c| if "/\\:".contains(c) { '_' } else { c }).collect();
    let path = into.join(if name.starts_with('.') { format!("_{name}") } else { name });
    let part = storage::beside(&path, ".part");
    let came = copy(from.take(size), &mut File::create(&part)?, &wanted.name, size)?;
    progress::clear();
    if came != size {
        return Err(io::Error::other(format!("{came} of {size} bytes came")));
    }
    if !wanted.md5.is_empty() && !md5(&part)?.eq_ignore_ascii_case(&wanted.md5) {
        return Err(io::Error::other("its MD5 differs from that of the index"));
    }
    storage::settle(&part, &path)
}

/// Copies a file, and shows how far it is.
fn copy(mut from: impl Read, to: &mut File, name: &str, size: u64) -> io::Result<u64> {
    let meter = Meter::new(0, size);
    let mut buf = vec![0; 1 << 16];
    let mut came = 0;
    loop {
        let len = from.read(&mut buf)?;
        if len == 0 {
            return Ok(came);
        }
        to.write_all(&buf[..len])?;
        came += len as u64;
        progress::show(|| format!("{name}: {}", meter.describe(came)));
    }
}
