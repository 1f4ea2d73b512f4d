//! How a node processes a datagram.

use core::net::SocketAddr;
use core::time::Duration;

use super::event::{DatagramError, DhtOutcome, LookupId};
use super::found::FoundPeers;
use super::inner::{Cause, Pending, View};
use super::items;
use crate::compact::Family;
use crate::dht::id::NodeId;
use crate::dht::krpc::{Body, CompactNodes, Message, Response};
use crate::dht::lookup::Purpose;
use crate::dht::table::Contact;

/// The number of nodes that one response can add to a lookup.
const NAMED: usize = 8;

impl View<'_> {
    pub(super) fn datagram<'a>(
        &mut self,
        now: Duration,
        from: SocketAddr,
        bytes: &'a [u8],
    ) -> Result<DhtOutcome<'a>, DatagramError> {
        if Family::of(from) != self.core.config.family {
            return Err(DatagramError::Family);
        }
        let decoded = Message::decode(bytes);
        let message = decoded.as_ref().map_err(|error| *error)?; // in place: it is large
        match &message.body {
            Body::Query(query) => Ok(self.query(now, from, bytes.len(), message, query)),
            Body::Response(response) => {
                let lookup = self.response(now, from, message, response)?;
                let found = match lookup {
                    Some(number) => self.found(number, response),
                    None => DhtOutcome::Handled,
                };
                self.bootstrap();
                self.remove_settled();
                Ok(found)
            }
            Body::Error { code, .. } => {
                let query = self.take_pending(from, message)?;
                self.core.advance_clock(now);
                // The node is reachable, but does not provide what was asked for.
                match query.cause {
                    Cause::Put(number) => self.refused(number, from, Some(*code)),
                    _ => self.fail_lookup(&query),
                }
                self.remove_settled();
                Ok(DhtOutcome::Handled)
            }
        }
    }

    /// Notes a response; returns the number of the lookup that it continues.
    #[inline(never)] // its locals are not for queries
    fn response(
        &mut self,
        now: Duration,
        from: SocketAddr,
        message: &Message<'_>,
        response: &Response<'_>,
    ) -> Result<Option<u32>, DatagramError> {
        let query = self.take_pending(from, message)?;
        self.core.advance_clock(now);
        let contact = Contact { id: response.id, addr: from };
        self.note_response(&query, contact);
        self.core.vote(from, message.ip);
        Ok(match query.cause {
            Cause::Lookup(number) => {
                Some(number).filter(|number| self.continue_lookup(*number, contact, response))
            }
            Cause::Put(number) => {
                if let Some(lookup) = self.lookup(number) {
                    lookup.stored(from);
                }
                None
            }
            Cause::Own | Cause::Unproven => None,
        })
    }

    /// Updates the routing table.
    fn note_response(&mut self, query: &Pending, contact: Contact) {
        let now = self.core.now;
        self.table(|table| {
            if query.known && query.to.id != contact.id {
                table.failed(query.to.id); // another node has its address
            }
            table.responded(now, contact);
        });
        self.core.pings.retain(|ping| ping.addr != contact.addr);
    }

    /// Adds the nodes of a response to its lookup; returns whether it was expected.
    fn continue_lookup(&mut self, number: u32, contact: Contact, response: &Response<'_>) -> bool {
        let enforce_ids = self.core.config.enforce_ids;
        let own = self.core.config.id;
        let counts = |contact: &Contact| !enforce_ids || contact.id.fits(contact.addr.ip());
        let nodes = match self.core.config.family {
            Family::V4 => response.nodes,
            Family::V6 => response.nodes6,
        };
        let Some(lookup) = self.lookup(number) else { return false };
        if !lookup.answered(contact, response.token.filter(|_| counts(&contact))) {
            return false;
        }
        for contact in usable(nodes, own) {
            lookup.add_named(contact, counts(&contact));
        }
        true
    }

    /// Returns what a response to a lookup brought for the caller.
    #[inline(never)] // its locals are not for queries
    fn found<'a>(&mut self, number: u32, response: &Response<'a>) -> DhtOutcome<'a> {
        let Some(lookup) = self.lookup(number) else { return DhtOutcome::Handled };
        if let Purpose::Get(_) | Purpose::Put { .. } = lookup.purpose {
            return items::accept(lookup, response);
        }
        let Some(peers) = response.values.map(FoundPeers) else { return DhtOutcome::Handled };
        lookup.found = lookup.found.saturating_add(peers.count());
        DhtOutcome::Peers { lookup: LookupId(number), torrent: lookup.torrent(), peers }
    }

    /// Removes and returns the query that a message answers.
    fn take_pending(
        &mut self,
        from: SocketAddr,
        message: &Message<'_>,
    ) -> Result<Pending, DatagramError> {
        let transaction: [u8; 2] =
            message.transaction.try_into().map_err(|_| DatagramError::Unexpected)?;
        let transaction = u16::from_be_bytes(transaction);
        let matches = |query: &Pending| query.transaction == transaction && query.to.addr == from;
        let at = self.core.queries.iter().position(matches).ok_or(DatagramError::Unexpected)?;
        Ok(self.core.queries.swap_remove(at))
    }
}

/// Returns the nodes of a response that can be queried.
fn usable(nodes: Option<CompactNodes<'_>>, own: NodeId) -> impl Iterator<Item = Contact> {
    let nodes = nodes.into_iter().flat_map(|nodes| nodes.iter());
    let contacts = nodes.map(|(id, addr)| Contact { id, addr });
    contacts.filter(move |contact| contact.id != own && contact.addr.port() != 0).take(NAMED)
}
