//! The store that uses the ring: the owner of a key stores the holders of the file.

use std::io;

use super::{Command, REPEAT, Ring};
use crate::ctx::{Ctx, Protocol};
use crate::net::NodeId;

// The store that uses the ring speaks on the same port; Chord's messages begin with their version, 1.
pub(super) const PUT: u8 = b'P'; // key, holder
pub(super) const DONE: u8 = b'D'; // key
pub(super) const ASK: u8 = b'A'; // key
pub(super) const HOLDERS: u8 = b'H'; // key, holders

impl Ring<'_> {
    /// Begins a command: the ring finds the owner of the key, then the owner is asked.
    pub(super) fn send_command(
        &mut self,
        ctx: &mut Ctx,
        at: NodeId,
        request: Vec<u8>,
    ) -> io::Result<()> {
        let lookup =
            self.members[at.index()].lookup(ctx.now(), self.key).map_err(io::Error::other)?;
        let repeat_at = ctx.now() + REPEAT;
        let command =
            Command { lookup: Some(lookup), owner: None, request, repeat_at, fetching: false };
        self.commands.insert(at, command);
        self.flush(ctx, at)
    }

    pub(super) fn ask_owner(&mut self, ctx: &mut Ctx, at: NodeId) -> io::Result<()> {
        let Some(command) = self.commands.get_mut(&at) else { return Ok(()) };
        let Some(owner) =
            command.owner.filter(|_| !command.fetching && ctx.now() >= command.repeat_at)
        else {
            return Ok(());
        };
        command.repeat_at = ctx.now() + REPEAT;
        let request = command.request.clone();
        if owner == at {
            return self.store(ctx, at, at, &request);
        }
        ctx.send_datagram(at, owner, Protocol::Store, describe(&request), &request)
    }

    /// The store's side of the port: at the owner requests, at the asker answers.
    pub(super) fn store(
        &mut self,
        ctx: &mut Ctx,
        at: NodeId,
        from: NodeId,
        bytes: &[u8],
    ) -> io::Result<()> {
        let key = <[u8; 20]>::from(self.key);
        let Some(rest) = bytes.get(1..).and_then(|rest| rest.strip_prefix(&key)) else {
            return Ok(());
        };
        let reply = match (bytes[0], rest) {
            (PUT, [high, low]) => {
                let holder = NodeId(u16::from_be_bytes([*high, *low]));
                let holders = self.stored.entry(at).or_default();
                if !holders.contains(&holder) {
                    holders.push(holder);
                }
                message(DONE, &key, &[])
            }
            (ASK, []) => {
                let holders = self.stored.get(&at).map_or(&[][..], Vec::as_slice);
                let list: Vec<u8> =
                    holders.iter().flat_map(|holder| holder.0.to_be_bytes()).collect();
                message(HOLDERS, &key, &list)
            }
            (DONE, []) => {
                self.commands.remove(&at);
                return self.maybe_ask(ctx);
            }
            (HOLDERS, list) => return self.fetch_from(ctx, at, list),
            _ => return Ok(()),
        };
        if from == at {
            return self.store(ctx, at, at, &reply);
        }
        ctx.send_datagram(at, from, Protocol::Store, describe(&reply), &reply)
    }

    /// A leech knows the holders now: each asks another one for the metainfo.
    fn fetch_from(&mut self, ctx: &mut Ctx, at: NodeId, list: &[u8]) -> io::Result<()> {
        let Some(command) = self.commands.get_mut(&at).filter(|command| !command.fetching) else {
            return Ok(());
        };
        let (pairs, _) = list.as_chunks::<2>();
        if pairs.is_empty() {
            return Ok(()); // the holders' words are still under way; the request is repeated
        }
        command.fetching = true;
        let holder = NodeId(u16::from_be_bytes(pairs[at.index() % pairs.len()]));
        ctx.note(
            at,
            format_args!(
                "the owner of the key names {} holders; fetching from {holder}",
                pairs.len()
            ),
        )?;
        self.http.fetch(ctx, at, holder);
        Ok(())
    }
}

pub(super) fn message(kind: u8, key: &[u8; 20], rest: &[u8]) -> Vec<u8> {
    [&[kind][..], key, rest].concat()
}

fn describe(bytes: &[u8]) -> &'static str {
    match bytes.first() {
        Some(&PUT) => "PUT holder under key",
        Some(&DONE) => "DONE",
        Some(&ASK) => "ASK for the holders of key",
        Some(&HOLDERS) => "HOLDERS of key",
        _ => "?",
    }
}
