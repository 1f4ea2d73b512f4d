//! Files: sending them to who asks, and fetching them with progress and a checked hash.

use core::net::SocketAddrV4;
use core::time::Duration;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek as _, SeekFrom, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use gnutella_wire::head::{Head, HeadLimits, Header};
use gnutella_wire::http::{
    ContentRange, Giv, Method, Name, Range, Request, Resource, Response, Version,
};
use gnutella_wire::huge::Urn;
use gnutella_wire::{Opening, Text};

use super::ctx::{Ctx, Found, Input, peer};
use super::links::{PATIENCE, accept, read_more};
use super::share::{Shared, hash};

/// Finds out what a stranger wants who connected: a link, a file, or to hand over one.
pub fn welcome(ctx: &Arc<Ctx>, mut stream: TcpStream) -> io::Result<()> {
    if ctx.firewalled && ctx.expected.lock().expect("no panics").is_empty() {
        return Ok(()); // the firewall lets nobody in
    }
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut received = Vec::new();
    let opening = loop {
        match Opening::of(&received) {
            Ok(opening) => break opening,
            Err(gnutella_wire::DecodeError::Incomplete { .. }) => {
                read_more(&mut stream, &mut received)?;
            }
            Err(error) => return Err(io::Error::other(error)),
        }
    };
    match opening {
        Opening::Giv => take_over(ctx, stream, received),
        _ if ctx.firewalled => Ok(()),
        Opening::Http => serve(ctx, stream, received),
        Opening::Handshake => {
            ctx.tell(Input::Joined(Box::new(accept(ctx, stream, received)?)));
            Ok(())
        }
    }
}

/// Answers requests on a connection until the other end closes or asks for that.
pub fn serve(ctx: &Ctx, mut stream: TcpStream, mut received: Vec<u8>) -> io::Result<()> {
    loop {
        let (head, consumed) = match Head::decode(&received, HeadLimits::GTKG) {
            Ok((head, rest)) => (head, received.len() - rest.len()),
            Err(gnutella_wire::DecodeError::Incomplete { .. }) => {
                read_more(&mut stream, &mut received)?;
                continue;
            }
            Err(error) => return Err(io::Error::other(error)),
        };
        ctx.trace(|| format!("<- {} {head}", peer(&stream)));
        let request = Request::from_head(&head).map_err(io::Error::other)?;
        respond(ctx, &mut stream, &request)?;
        if !request.keep_alive {
            return Ok(());
        }
        received.drain(..consumed);
    }
}

fn respond(ctx: &Ctx, stream: &mut TcpStream, request: &Request<'_>) -> io::Result<()> {
    let version = request.version;
    let Some(file) = ctx.library.resource(&request.resource) else {
        return answer(ctx, stream, Response::refusal(version, 404, "Not Found"), None);
    };
    let Some(_slot) = ctx.upload() else {
        let busy = Response::refusal(version, 503, "I have it, but I am busy. Try again later");
        return answer(ctx, stream, busy, None);
    };
    let whole = ContentRange { first: 0, last: file.size.saturating_sub(1), size: Some(file.size) };
    let (part, response) = match request.range.map(|range| range.of(file.size)) {
        None => (whole, Response::ok(version, file.size)),
        Some(Some(part)) => (part, Response::partial(version, part)),
        Some(None) => {
            let bad = Response::refusal(version, 416, "Requested Range Not Satisfiable");
            return answer(ctx, stream, bad, None);
        }
    };
    answer(ctx, stream, response, Some(file))?;
    if request.method == Method::Get && file.size > 0 {
        let mut source = File::open(&file.path)?;
        source.seek(SeekFrom::Start(part.first))?;
        io::copy(&mut source.take(part.len()), stream)?;
    }
    Ok(())
}

fn answer(
    ctx: &Ctx,
    stream: &mut TcpStream,
    response: Response<'_>,
    file: Option<&Shared>,
) -> io::Result<()> {
    let urn = file.map(|file| Urn::Sha1(file.sha1).to_string()).unwrap_or_default();
    let mut headers = vec![
        Header::new("Server", "gnutella-wire"),
        Header::new("Content-Type", "application/binary"),
    ];
    if file.is_some() {
        headers.push(Header::new("X-Gnutella-Content-URN", &urn));
    }
    let mut buf = vec![0; response.encoded_len(&headers)];
    let len = response.encode(&headers, &mut buf).map_err(io::Error::other)?;
    ctx.trace(|| format!("-> {} {response}", peer(stream)));
    stream.write_all(&buf[..len])
}

/// Follows a push: connects to who wants the file, offers it, and answers the requests.
pub fn offer(ctx: &Arc<Ctx>, to: SocketAddrV4, index: u32) {
    let ctx = Arc::clone(ctx);
    thread::spawn(move || {
        let offered = TcpStream::connect_timeout(&to.into(), PATIENCE).and_then(|mut stream| {
            let Some(file) = ctx.library.0.iter().find(|file| file.index == index) else {
                return Ok(());
            };
            let name = Text::new(file.name.as_bytes()).unwrap_or_default();
            let giv = Giv { index, servent: ctx.servent, name };
            let mut buf = vec![0; giv.encoded_len()];
            let len = giv.encode(&mut buf).map_err(io::Error::other)?;
            ctx.trace(|| format!("-> {to} {giv}"));
            stream.write_all(&buf[..len])?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            serve(&ctx, stream, Vec::new())
        });
        if let Err(error) = offered {
            ctx.trace(|| format!("   {to} after a push: {error}"));
        }
    });
}

/// Takes a file that comes by GIV, if it was asked for.
fn take_over(ctx: &Ctx, mut stream: TcpStream, mut received: Vec<u8>) -> io::Result<()> {
    let (servent, index, consumed) = loop {
        match Giv::decode(&received) {
            Ok((giv, rest)) => {
                ctx.trace(|| format!("<- {} {giv}", peer(&stream)));
                break (giv.servent, giv.index, received.len() - rest.len());
            }
            Err(gnutella_wire::DecodeError::Incomplete { .. }) => {
                read_more(&mut stream, &mut received)?;
            }
            Err(error) => return Err(io::Error::other(error)),
        }
    };
    received.drain(..consumed);
    let found = {
        let mut expected = ctx.expected.lock().expect("no panics");
        let wanted = |found: &Found| found.servent == servent && found.index == index;
        expected.iter().position(wanted).map(|at| expected.remove(at))
    };
    if let Some(found) = found {
        ctx.tell(Input::Fetched(fetch(ctx, &found, stream, received).map_err(|e| e.to_string())));
    }
    Ok(())
}

/// Fetches a file from where it was found, on a thread of its own.
pub fn download(ctx: &Arc<Ctx>, found: Found) {
    let ctx = Arc::clone(ctx);
    thread::spawn(move || {
        let Ok(stream) = TcpStream::connect_timeout(&found.address.into(), PATIENCE) else {
            return ctx.tell(Input::Unreachable(found));
        };
        let fetched = stream
            .set_read_timeout(Some(PATIENCE))
            .and_then(|()| fetch(&ctx, &found, stream, Vec::new()));
        ctx.tell(Input::Fetched(fetched.map_err(|error| error.to_string())));
    });
}

/// Asks for a file on an open connection, goes on where an earlier attempt stopped, and checks it.
fn fetch(
    ctx: &Ctx,
    found: &Found,
    mut stream: TcpStream,
    mut received: Vec<u8>,
) -> io::Result<PathBuf> {
    fs::create_dir_all(&ctx.into)?;
    let part = ctx.into.join(format!("{}.part", safe(&found.name)));
    let have = fs::metadata(&part).map_or(0, |meta| meta.len());
    let have = if have < found.size { have } else { 0 };
    let urn = found.sha1.map(|sha1| Urn::Sha1(sha1).to_string());
    let name = Name::new(found.name.as_bytes());
    let request = Request {
        resource: match &urn {
            Some(urn) => Resource::Urn(urn),
            None => Resource::File { index: found.index, name },
        },
        version: Version::Http11,
        keep_alive: false,
        range: Some(Range::From(have)),
        method: Method::Get,
    };
    let host = found.address.to_string();
    let headers = [Header::new("Host", &host), Header::new("User-Agent", "gnutella-wire")];
    let mut buf = vec![0; request.encoded_len(&headers)];
    let len = request.encode(&headers, &mut buf).map_err(io::Error::other)?;
    ctx.trace(|| format!("-> {} {request}", peer(&stream)));
    stream.write_all(&buf[..len])?;
    let (first, length) = loop {
        match Head::decode(&received, HeadLimits::GTKG) {
            Ok((head, rest)) => {
                ctx.trace(|| format!("<- {} {head}", peer(&stream)));
                let response = Response::from_head(&head).map_err(io::Error::other)?;
                if !matches!(response.status, 200 | 206) {
                    return Err(io::Error::other(response.to_string()));
                }
                let first = response.range.map_or(0, |range| range.first);
                let consumed = received.len() - rest.len();
                let length = response.length.unwrap_or(found.size - first.min(found.size));
                received.drain(..consumed);
                break (first, length);
            }
            Err(gnutella_wire::DecodeError::Incomplete { .. }) => {
                read_more(&mut stream, &mut received)?;
            }
            Err(error) => return Err(io::Error::other(error)),
        }
    };
    if first > have || first.checked_add(length) != Some(found.size) {
        return Err(io::Error::other("the other end sends another part than was asked for"));
    }
    let mut out = OpenOptions::new().create(true).truncate(false).write(true).open(&part)?;
    out.set_len(first)?;
    out.seek(SeekFrom::Start(first))?;
    copy(found, first, io::Cursor::new(received).chain(stream).take(length), &mut out)?;
    check(ctx, found, &part)
}

/// Copies what comes and prints how far it is, twice a second.
fn copy(found: &Found, first: u64, mut from: impl Read, out: &mut File) -> io::Result<()> {
    let began = Instant::now();
    let mut told = Instant::now();
    let mut have = first;
    let mut buf = vec![0; 1 << 16];
    loop {
        let len = from.read(&mut buf)?;
        out.write_all(&buf[..len])?;
        have += len as u64;
        if len == 0 || told.elapsed() > Duration::from_millis(500) {
            told = Instant::now();
            let percent = (have * 100).checked_div(found.size).unwrap_or(100);
            let speed = (have - first) as f64 / began.elapsed().as_secs_f64().max(0.001) / 1e6;
            println!("{}: {percent} % of {} bytes, {speed:.1} MB/s", found.name, found.size);
        }
        if len == 0 {
            return Ok(());
        }
    }
}

/// Compares size and hash, and gives the file its name.
fn check(ctx: &Ctx, found: &Found, part: &Path) -> io::Result<PathBuf> {
    let (size, sha1) = hash(part)?;
    if size != found.size {
        return Err(io::Error::other(format!("{size} of {} bytes came", found.size)));
    }
    match found.sha1 {
        Some(expected) if expected != sha1 => {
            fs::remove_file(part)?;
            return Err(io::Error::other(format!("its hash is {sha1}, not {expected}: deleted")));
        }
        Some(_) => println!("{}: SHA-1 {sha1} as promised", found.name),
        None => println!("{}: SHA-1 {sha1}; the hit promised none", found.name),
    }
    let path = ctx.into.join(safe(&found.name));
    fs::rename(part, &path)?;
    Ok(path)
}

/// A name from the network must stay in the folder.
fn safe(name: &str) -> String {
    let name: String = name.chars().map(|c| if "/\\:\0".contains(c) { '_' } else { c }).collect();
    if name.is_empty() || name.starts_with('.') { format!("_{name}") } else { name }
}
