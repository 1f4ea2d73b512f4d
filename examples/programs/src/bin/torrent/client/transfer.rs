//! What a session reads, hashes and sends.

use std::io;

use bittorrent_pieces::peer_book::PeerSource;
use bittorrent_pieces::torrent::{HASHES_LEN, transmit_len};
use bittorrent_pieces::wire::extended::PexFlags;
use bittorrent_pieces::{Block, ConnId, Outcome, PieceCheck};

use super::session::Session;
use super::shared::Shared;
use super::storage::SLICE;
use super::trace::trace;

/// A connection that waits to send more than this gets no further block for now.
const UNSENT: usize = 128 << 10;
/// The most pieces that are hashed while they arrive.
const AHEAD: usize = 256;

impl Session<'_> {
    /// Hands the torrent what a connection has received.
    pub fn read(&mut self, shared: &mut Shared, id: ConnId) -> io::Result<()> {
        let now = shared.net.now();
        let Some((addr, mut received)) = shared.net.take_received(id) else { return Ok(()) };
        let mut used = 0;
        while used < received.len() && shared.down.allows(now) {
            let consumed = self.accept(shared, id, &received[used..])?;
            if consumed == 0 {
                break;
            }
            trace(self.args.trace, "<-", addr, &received[used..used + consumed]);
            used += consumed;
        }
        received.consume(used);
        shared.net.put_back(id, received);
        Ok(())
    }

    /// Hands the torrent the message at the front of what a peer sent; returns its length, or 0 for now.
    pub fn accept(&mut self, shared: &mut Shared, id: ConnId, bytes: &[u8]) -> io::Result<usize> {
        let now = shared.net.now();
        let Ok(handled) = self.torrent.handle_bytes(now, id, bytes) else { return Ok(0) };
        shared.down.pass(handled.consumed);
        match handled.outcome {
            Some(Outcome::Block { block, data }) => {
                self.storage.write(block, data)?;
                self.parts.add(block, id);
                self.hash_ahead(block, data);
                self.received += data.len() as u64;
                self.progressed = now;
                self.finder.block(now, id);
            }
            Some(Outcome::Peers(peers)) => {
                for (addr, flags) in peers.added() {
                    if flags.contains(PexFlags::HOLEPUNCH) {
                        self.relays.add(addr, id);
                    }
                    self.finder.add(now, PeerSource::Exchange(id), [addr]);
                }
            }
            Some(Outcome::Holepunch(addr))
                if shared.net.dial_utp(self.metainfo.info_hash(), addr) =>
            {
                self.relays.begin(addr);
            }
            _ => {}
        }
        Ok(handled.consumed)
    }

    /// Hashes a block while it is in the cache, if those before it in its piece were hashed.
    fn hash_ahead(&mut self, block: Block, data: &[u8]) {
        if block.begin == 0 && !self.ahead.contains_key(&block.piece) {
            if self.ahead.len() >= AHEAD {
                self.ahead.pop_first(); // it is read again
            }
            self.ahead.insert(block.piece, self.torrent.check_ahead(block.piece));
        }
        if let Some(check) = self.ahead.get_mut(&block.piece) {
            check.hash_block(block, data);
        }
    }

    /// Hashes a slice of a piece that is to be checked.
    pub fn hash(&mut self, shared: &Shared) -> io::Result<()> {
        let Some(check) = self.checks.front_mut() else { return Ok(()) };
        if let Some(block) = check.next(SLICE) {
            let slice = self.buffer.room(block.len as usize);
            self.storage.read(block, slice)?;
            check.hash_step(slice);
        }
        if check.next(SLICE).is_none()
            && let Some(check) = self.checks.pop_front()
        {
            self.checked(shared, check)?;
        }
        Ok(())
    }

    pub fn checked(&mut self, shared: &Shared, check: PieceCheck) -> io::Result<()> {
        self.parts.close(check.piece());
        self.torrent.handle_checked(shared.net.now(), check).map_err(io::Error::other)?;
        Ok(())
    }

    /// Handles the events of the torrent, and sends what is due.
    pub fn flush(&mut self, shared: &mut Shared) -> io::Result<()> {
        while let Some(event) = self.torrent.poll_event() {
            self.react(shared, event)?;
        }
        let mut buf = vec![0; transmit_len(self.torrent.geometry().pieces()).max(HASHES_LEN)];
        for id in self.conns.clone() {
            self.transmit(shared, id, &mut buf)?;
            if shared.net.link(id).is_some_and(|link| !link.received.is_empty()) {
                self.read(shared, id)?; // what was too much before may fit now
            }
        }
        Ok(())
    }

    /// Sends what is due to a peer, as far as its socket and the limit allow: as few times as possible, since each is a call
    /// of the system and at least a packet.
    fn transmit(&mut self, shared: &mut Shared, id: ConnId, buf: &mut [u8]) -> io::Result<()> {
        loop {
            self.gather(shared, id, buf)?;
            if self.buffer.is_empty() {
                return Ok(());
            }
            shared.net.send(id, &mut self.buffer);
            self.buffer.clear();
        }
    }

    /// Collects the next messages to a peer, as many as go together.
    fn gather(&mut self, shared: &mut Shared, id: ConnId, buf: &mut [u8]) -> io::Result<()> {
        let now = shared.net.now();
        let Some(addr) = shared.net.link(id).map(|link| link.addr) else { return Ok(()) };
        let unsent = shared.net.unsent(id);
        while unsent + self.buffer.len() < UNSENT && shared.up.allows(now) {
            let sent = self.torrent.poll_transmit_to(id, buf);
            let Some(sent) = sent.map_err(io::Error::other)? else { break };
            let begin = self.buffer.len();
            self.buffer.extend_from_slice(&buf[..sent.len]);
            if let Some(block) = sent.block {
                let len = block.len as usize;
                self.storage.read(block, self.buffer.room(len))?;
                self.buffer.fill(len);
                self.sent += u64::from(block.len);
                shared.up.pass(len);
                let padding = sent.padding as usize;
                self.buffer.room(padding).fill(0);
                self.buffer.fill(padding);
            }
            self.buffer.extend_from_slice(self.torrent.metadata(sent.metadata));
            trace(self.args.trace, "->", addr, &self.buffer[begin..]);
            if shared.net.sends_alone(id) {
                break;
            }
        }
        Ok(())
    }
}
