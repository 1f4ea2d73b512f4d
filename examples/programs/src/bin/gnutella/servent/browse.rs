//! Asking a servent for all that it shares.

use core::net::SocketAddrV4;
use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;

use gnutella_wire::head::{Head, HeadLimits, Header};
use gnutella_wire::http::{Method, Request, Resource, Response, Version};

use super::ctx::{Ctx, Input};
use super::links::PATIENCE;

/// What a listing is called in `Accept` and `Content-Type`.
pub const MEDIA_TYPE: &str = "application/x-gnutella-packets";
/// The longest answer, in bytes.
const MAX_LEN: u64 = 8 << 20;

/// Asks on a thread of its own.
pub fn ask(ctx: &Arc<Ctx>, address: SocketAddrV4) {
    let ctx = Arc::clone(ctx);
    thread::spawn(move || {
        let listing = fetch(address).map_err(|error| error.to_string());
        ctx.send(Input::Browsed(address, listing));
    });
}

fn fetch(address: SocketAddrV4) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&address.into(), PATIENCE)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let request = Request {
        method: Method::Get,
        resource: Resource::Other(b"/"),
        version: Version::Http10, // so that the answer is not cut into chunks
        keep_alive: false,
        range: None,
    };
    let host = address.to_string();
    let headers = [Header::new("Host", &host), Header::new("Accept", MEDIA_TYPE)];
    let mut buf = vec![0; request.encoded_len(&headers)];
    request.encode(&headers, &mut buf).map_err(io::Error::other)?;
    stream.write_all(&buf)?;
    let mut answer = Vec::new();
    stream.take(MAX_LEN).read_to_end(&mut answer)?;
    let (head, body) = Head::decode(&answer, HeadLimits::GTKG).map_err(io::Error::other)?;
    let response = Response::from_head(&head).map_err(io::Error::other)?;
    let is_plain = head.items("Content-Encoding").all(|item| item.is("identity"));
    if response.status != 200 || !is_plain || !head.has_item("Content-Type", MEDIA_TYPE) {
        return Err(io::Error::other(format!("cannot be browsed: {response}")));
    }
    Ok(body.to_vec())
}
