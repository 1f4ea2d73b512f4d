//! File requests on the port of Gnutella: a servent that shares the metainfo file, and one that fetches it.

use std::collections::BTreeMap;
use std::io;

use gnutella_wire::DecodeError;
use gnutella_wire::head::{Head, HeadLimits, Header};
use gnutella_wire::http::{Name, Range, Request, Resource, Response};

use crate::ctx::{Ctx, Protocol};
use crate::net::{Conn, NodeId, Service};
use crate::song::Song;

/// The index under which a servent shares the metainfo; that of the file itself is 1.
pub const TORRENT_INDEX: u32 = 2;

/// The connections of this language, on both sides.
#[derive(Default)]
pub struct HttpSide {
    conns: BTreeMap<Conn, (NodeId, Role, Vec<u8>)>,
    /// Who has fetched what.
    pub fetched: BTreeMap<NodeId, Vec<u8>>,
}

enum Role {
    Asks { said: bool },
    Serves,
}

impl HttpSide {
    /// Begins to fetch the metainfo of `song` for `node`.
    pub fn fetch(&mut self, ctx: &mut Ctx, node: NodeId, holder: NodeId) {
        let conn = ctx.net.connect(node, holder, Service::Gnutella);
        self.conns.insert(conn, (node, Role::Asks { said: false }, Vec::new()));
    }

    /// Takes over a connection whose first bytes were recognised.
    pub fn serve(&mut self, conn: Conn, node: NodeId, first: Vec<u8>) {
        self.conns.insert(conn, (node, Role::Serves, first));
    }

    pub fn owns(&self, conn: Conn) -> bool {
        self.conns.contains_key(&conn)
    }

    pub fn closed(&mut self, conn: Conn) {
        self.conns.remove(&conn);
    }

    /// The asking end of a connection is open.
    pub fn opened(&mut self, ctx: &mut Ctx, conn: Conn, song: &Song) -> io::Result<()> {
        let Some((_, Role::Asks { said }, _)) = self.conns.get_mut(&conn) else { return Ok(()) };
        *said = true;
        let name = song.torrent_name();
        let request = Request::get_04(TORRENT_INDEX, Name::new(name.as_bytes()), 0);
        let agent = [Header::new("User-Agent", "Gnutella")];
        let mut buf = vec![0; request.encoded_len(&agent)];
        request.encode(&agent, &mut buf).map_err(io::Error::other)?;
        ctx.send(conn, Protocol::Http, request, &[&buf])
    }

    /// Processes received bytes: answers a complete request, keeps a complete response.
    pub fn bytes(
        &mut self,
        ctx: &mut Ctx,
        conn: Conn,
        bytes: &[u8],
        song: &Song,
    ) -> io::Result<()> {
        let Some((node, role, buffer)) = self.conns.get_mut(&conn) else { return Ok(()) };
        buffer.extend_from_slice(bytes);
        let (head, body) = match Head::decode(buffer, HeadLimits::GTKG) {
            Ok(whole) => whole,
            Err(DecodeError::Incomplete { .. }) => return Ok(()),
            Err(error) => {
                ctx.note(*node, format_args!("bad head: {error}"))?;
                ctx.net.close(conn);
                self.closed(conn);
                return Ok(());
            }
        };
        match role {
            Role::Serves => {
                if let Ok(request) = Request::from_head(&head) {
                    answer(ctx, conn, &request, song)?;
                }
            }
            Role::Asks { .. } => {
                let length = Response::from_head(&head).ok().and_then(|response| response.length);
                if length.is_none_or(|length| (body.len() as u64) < length) {
                    return Ok(()); // more is to come
                }
                self.fetched.insert(*node, body.to_vec());
            }
        }
        ctx.net.close(conn);
        self.closed(conn);
        Ok(())
    }
}

fn answer(ctx: &mut Ctx, conn: Conn, request: &Request<'_>, song: &Song) -> io::Result<()> {
    let wanted = match request.resource {
        Resource::File { index: TORRENT_INDEX, name } => {
            name.bytes().eq(song.torrent_name().bytes())
        }
        _ => false,
    };
    let size = song.metainfo.len() as u64;
    let range = request.range.unwrap_or(Range::From(0)).of(size);
    let (response, body) = match range {
        Some(range) if wanted && range.len() < size => {
            let first = range.first as usize;
            let last = range.last as usize;
            (Response::partial(request.version, range), &song.metainfo[first..=last])
        }
        Some(_) if wanted => (Response::ok(request.version, size), &song.metainfo[..]),
        _ => (Response::refusal(request.version, 404, "Not Found"), &[][..]),
    };
    let headers =
        [Header::new("Server", "Gnutella"), Header::new("Content-Type", "application/binary")];
    let mut head = vec![0; response.encoded_len(&headers)];
    response.encode(&headers, &mut head).map_err(io::Error::other)?;
    ctx.send(conn, Protocol::Http, response, &[&head, body])
}
