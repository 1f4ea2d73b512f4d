//! Strangers that connect, and pushes: who serves and who fetches is decided here.

use core::net::SocketAddrV4;
use std::io::{self, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use gnutella_wire::http::{Giv, QueueCall};
use gnutella_wire::{DecodeError, Opening, Text};

use super::ctx::{Ctx, Input, peer};
use super::links::{PATIENCE, accept, read_more};
use super::{fetch, serve};

/// Finds out what a stranger wants that connected: a link, a file, or to hand over one.
pub fn welcome(ctx: &Arc<Ctx>, mut stream: TcpStream) -> io::Result<()> {
    if ctx.firewalled && ctx.expected.lock().expect("no panics").is_empty() {
        return Ok(()); // the firewall lets nobody in
    }
    let deadline = Instant::now() + PATIENCE;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut received = Vec::new();
    let opening = loop {
        match Opening::of(&received) {
            Ok(opening) => break opening,
            Err(DecodeError::Incomplete { .. }) => read_more(&mut stream, &mut received, deadline)?,
            Err(error) => return Err(io::Error::other(error)),
        }
    };
    match opening {
        Opening::Giv => take_over(ctx, stream, received, deadline),
        Opening::Queue => take_turn(ctx, stream, received, deadline),
        _ if ctx.firewalled => Ok(()),
        Opening::Http => {
            ctx.serve(serve::Input::Connected(stream, received));
            Ok(())
        }
        Opening::Handshake => {
            ctx.send(Input::Joined(Box::new(accept(ctx, stream, received)?)));
            Ok(())
        }
    }
}

/// Follows a push: connects to the servent that wants the file, offers it, and answers its requests.
pub fn offer(ctx: &Arc<Ctx>, to: SocketAddrV4, index: u32) {
    let ctx = Arc::clone(ctx);
    thread::spawn(move || {
        if let Err(error) = give(&ctx, to, index) {
            ctx.trace(|| format!("   {to} after a push: {error}"));
        }
    });
}

fn give(ctx: &Ctx, to: SocketAddrV4, index: u32) -> io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&to.into(), PATIENCE)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let library = ctx.library();
    let file = library.0.iter().find(|file| file.index == index);
    let name = file.map_or("", |file| &file.name);
    let name = Text::new(name.as_bytes()).unwrap_or_default();
    let giv = Giv { index, servent: ctx.servent, name };
    let mut buf = vec![0; giv.encoded_len()];
    let len = giv.encode(&mut buf).map_err(io::Error::other)?;
    ctx.trace(|| format!("-> {to} {giv}"));
    stream.write_all(&buf[..len])?;
    ctx.serve(serve::Input::Connected(stream, Vec::new()));
    Ok(())
}

/// Offers a connection on which a queue calls to the downloads; the one that waits in that queue takes it.
fn take_turn(
    ctx: &Ctx,
    mut stream: TcpStream,
    mut received: Vec<u8>,
    deadline: Instant,
) -> io::Result<()> {
    let call = loop {
        match QueueCall::decode(&received) {
            Ok((call, _)) => break call,
            Err(DecodeError::Incomplete { .. }) => read_more(&mut stream, &mut received, deadline)?,
            Err(error) => return Err(io::Error::other(error)),
        }
    };
    ctx.trace(|| format!("<- {} {call}", peer(&stream)));
    for download in ctx.downloads.lock().expect("no panics").iter() {
        let _ = download.send(fetch::Input::Called { stream: stream.try_clone()?, call });
    }
    Ok(())
}

/// Hands a connection that began with a GIV to the download that asked for it.
fn take_over(
    ctx: &Ctx,
    mut stream: TcpStream,
    mut received: Vec<u8>,
    deadline: Instant,
) -> io::Result<()> {
    let (index, servent, consumed) = loop {
        match Giv::decode(&received) {
            Ok((giv, rest)) => {
                ctx.trace(|| format!("<- {} {giv}", peer(&stream)));
                break (giv.index, giv.servent, received.len() - rest.len());
            }
            Err(DecodeError::Incomplete { .. }) => read_more(&mut stream, &mut received, deadline)?,
            Err(error) => return Err(io::Error::other(error)),
        }
    };
    received.drain(..consumed);
    let mut expected = ctx.expected.lock().expect("no panics");
    if let Some(at) = expected.iter().position(|(known, _)| *known == servent) {
        let (_, download) = expected.remove(at);
        let _ = download.send(fetch::Input::Giv { stream, received, index, servent });
    }
    Ok(())
}
