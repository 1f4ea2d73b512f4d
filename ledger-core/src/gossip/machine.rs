//! The calls of the machine over any storage.

use core::time::Duration;

use super::config::GossipConfig;
use super::inner::{Inner, InnerMut};
use super::message::{Message, SnapshotPlace, Status};
use super::storage::GossipStorage;
use super::types::{BlockVerdict, Event, NotConnected, Received, TransactionVerdict, Transmit};
use crate::conn::ConnId;
use crate::engine::Tip;
use crate::error::{BufferTooSmall, ConfigError, Full};
use crate::hash::{BlockId, TxId};
use crate::header::Height;

/// Exchanges headers, blocks and transactions with peers. `S` is the storage. The [module](super) has an example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gossip<S: ?Sized> {
    inner: Inner,
    storage: S,
}

impl<S: GossipStorage> Gossip<S> {
    /// Creates a machine without peers, whose chain ends in block 0, and clears the storage.
    ///
    /// # Errors
    ///
    /// [`ConfigError::ZeroTimeout`].
    pub fn new(config: GossipConfig, mut storage: S) -> Result<Self, ConfigError> {
        config.check()?;
        let inner = Inner::new(config, &mut storage.parts());
        Ok(Self { inner, storage })
    }

    /// Returns the storage.
    pub fn into_storage(self) -> S {
        self.storage
    }
}

impl<S: GossipStorage + ?Sized> Gossip<S> {
    /// Reports a new connection, which `dialled` says this node has opened. A connection that is known begins anew.
    ///
    /// # Errors
    ///
    /// [`Full`] if there is no slot for it. Nothing changed; close the socket.
    pub fn handle_connected(
        &mut self,
        now: Duration,
        conn: ConnId,
        dialled: bool,
    ) -> Result<(), Full> {
        self.inner_mut().connected(now, conn, dialled)
    }

    /// Handles the bytes that a connection has received. Call it until nothing is consumed, and do what the outcome asks
    /// for:
    ///
    /// | outcome | the caller |
    /// |---|---|
    /// | `GetHeaders`, `GetBlock`, `GetTransaction`, `GetSnapshot` | encodes the answer, or a `NotFound`, and sends it |
    /// | `Headers` | passes each one to the node, and the verdict to [`handle_header_checked`](Self::handle_header_checked) |
    /// | `Block` | keeps it, or passes it to the node, and the verdict to [`handle_block_checked`](Self::handle_block_checked) |
    /// | `Snapshot` | passes it to the [`Join`](crate::node::Join), and `Invalid` to [`handle_block_checked`](Self::handle_block_checked) if it is refused |
    /// | `Transaction` | passes it to the mempool, and the verdict to [`handle_transaction_checked`](Self::handle_transaction_checked) |
    ///
    /// While a connection has much unsent output, do not call this for it: that keeps a peer from asking for more than it
    /// reads.
    ///
    /// # Errors
    ///
    /// [`NotConnected`].
    pub fn handle_bytes<'b>(
        &mut self,
        now: Duration,
        conn: ConnId,
        bytes: &'b [u8],
    ) -> Result<Received<Message<'b>>, NotConnected> {
        self.inner_mut().received(now, conn, bytes)
    }

    /// Reports that a connection is closed. Unknown connections are ignored.
    pub fn handle_closed(&mut self, now: Duration, conn: ConnId) {
        self.inner_mut().closed(now, conn);
    }

    /// Reports what the node answered to one header of a [`Message::Headers`].
    pub fn handle_header_checked(&mut self, now: Duration, conn: ConnId, verdict: BlockVerdict) {
        self.inner_mut().header_checked(now, conn, verdict);
    }

    /// Reports what the node answered to a [`Message::Block`], that its event `Invalid` names the connection, or that a
    /// chunk of a snapshot was refused.
    pub fn handle_block_checked(&mut self, now: Duration, conn: ConnId, verdict: BlockVerdict) {
        self.inner_mut().block_checked(now, conn, verdict);
    }

    /// Reports what the mempool answered to a [`Message::Transaction`].
    pub fn handle_transaction_checked(
        &mut self,
        now: Duration,
        conn: ConnId,
        id: &TxId,
        verdict: TransactionVerdict,
    ) {
        self.inner_mut().transaction_checked(now, conn, id, verdict);
    }

    /// Reports the end of the chain and its [locator](crate::node::Node::locator), of which the first 31 ids are used.
    /// Call it at the start and after each change of the tip: it is sent to the peers.
    pub fn handle_tip(&mut self, now: Duration, tip: &Tip, locator: &[BlockId]) {
        self.inner_mut().tip_changed(now, tip, locator);
    }

    /// Fires expired timers: see [`Timer`](super::Timer).
    pub fn handle_timeout(&mut self, now: Duration) {
        self.inner_mut().timeout(now);
    }

    /// Fetches these blocks and no others, as many as there are slots. Pass what
    /// [`Node::needed_ahead`](crate::node::Node::needed_ahead) returns, without those that were delivered, after each
    /// change. Peers that report a lower height are not asked.
    pub fn want_blocks(&mut self, now: Duration, blocks: &[(Height, BlockId)]) {
        self.inner_mut().want_blocks(now, blocks);
    }

    /// Fetches a chunk of the state after a block, of which there is one at a time, or none any more. Call it with
    /// [`Join::next_key`](crate::node::Join::next_key) after each chunk. Only peers are asked that
    /// [hand out](Peer::snapshot) the state after this block; if there is none left, join by another block.
    pub fn want_snapshot(&mut self, now: Duration, place: Option<SnapshotPlace>) {
        self.inner_mut().want_snapshot(now, place);
    }

    /// Announces the block whose state this node hands out: answer [`Message::GetSnapshot`] from a
    /// [`SnapshotSource`](crate::node::SnapshotSource).
    pub fn offer_snapshot(&mut self, now: Duration, offer: Option<(Height, BlockId)>) {
        let offer = offer.map(|(height, tip)| Status { height, tip });
        self.inner_mut().offer_snapshot(now, offer);
    }

    /// Announces a transaction that the mempool accepted from elsewhere than a peer.
    pub fn announce_transaction(&mut self, now: Duration, id: &TxId) {
        self.inner_mut().announce(now, id);
    }

    /// Does not announce a transaction any more: it is confirmed, or has left the mempool.
    pub fn forget_transaction(&mut self, now: Duration, id: &TxId) {
        self.inner_mut().forget(now, id);
    }

    /// Returns the next deadline. Poll after each call.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.inner.next_deadline(&self.storage.parts_ref())
    }

    /// Writes the next message to `buf`. Poll after each call until it returns `None`.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`]; [`Message::MAX_CONTROL_LEN`] bytes always suffice.
    pub fn poll_transmit(&mut self, buf: &mut [u8]) -> Result<Option<Transmit>, BufferTooSmall> {
        self.inner_mut().transmit(buf)
    }

    /// Returns the next event. Poll after each call until it returns `None`.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.inner_mut().event()
    }

    /// Returns the connections whose hello was received.
    pub fn peers(&self) -> impl Iterator<Item = Peer> {
        let open = self.storage.parts_ref().peers.iter().filter(|peer| peer.is_open());
        open.map(|peer| Peer {
            conn: peer.conn,
            dialled: peer.dialled,
            height: Height(peer.height),
            tip: peer.tip,
            snapshot: peer.snapshot.map(|offer| (offer.height, offer.tip)),
        })
    }

    /// Returns the configuration.
    #[must_use]
    pub const fn config(&self) -> &GossipConfig {
        &self.inner.config
    }

    fn inner_mut(&mut self) -> InnerMut<'_> {
        InnerMut { inner: &mut self.inner, parts: self.storage.parts() }
    }
}

/// A connected peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Peer {
    /// The connection.
    pub conn: ConnId,
    /// Whether this node has opened it.
    pub dialled: bool,
    /// The height that it reported last. A claim.
    pub height: Height,
    /// The end of its chain. A claim.
    pub tip: BlockId,
    /// The block whose state it hands out. A claim.
    pub snapshot: Option<(Height, BlockId)>,
}
