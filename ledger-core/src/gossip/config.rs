//! The configuration and the timers.

use core::time::Duration;

use crate::domain;
use crate::engine::Weight;
use crate::error::ConfigError;
use crate::hash::{GenesisId, Hash};

/// How a [`Gossip`](super::Gossip) treats its peers. Nodes of one chain may differ in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct GossipConfig {
    /// The chain. Peers of other chains are disconnected.
    pub genesis: GenesisId,
    /// The length of the longest block in bytes: [`Rules::max_block_len`](crate::Rules::max_block_len). A connection
    /// needs a receive buffer of [`FRAME_LEN`](super::FRAME_LEN) bytes more, and of at least
    /// [`Message::MAX_CONTROL_LEN`](super::Message::MAX_CONTROL_LEN).
    pub max_block_len: u32,
    /// The peer slots that are left to connections which this node has dialled. Who connects to a node cannot take all
    /// its slots then.
    pub reserved_for_dialled: usize,
    /// How long a new peer may take for its hello.
    pub hello_timeout: Duration,
    /// A peer that sends nothing for this long is disconnected. Longer than `keep_alive` of the peers.
    pub silence_timeout: Duration,
    /// After this long without a message the status is sent again.
    pub keep_alive: Duration,
    /// How long a peer may take for an answer: longer than the largest block takes over the slowest useful connection.
    pub request_timeout: Duration,
    /// After this long without an answer a block is asked for elsewhere, if a peer is left that was not asked yet. A late
    /// answer is still used.
    pub patience: Duration,
    /// The wait before something is asked for again that could not be had or used.
    pub retry: Duration,
    /// A peer that has left this many requests unanswered is disconnected, unless it is the only one. An answer makes up
    /// for one.
    pub max_stalls: u8,
    /// A peer whose branch stays lighter than the chain for this many headers is not asked for more for a while. At
    /// least twice the depth of the node.
    pub max_light_headers: u32,
    /// Headers are stored once their branch weighs at least this much: the weight of the chain when the program was
    /// released, or 0. [`Presync`](super::Presync) weighs them before.
    pub min_weight: Weight,
    /// A branch with more headers that is not heavy enough by then is not followed further. At least the length that the
    /// chain can reach.
    pub max_presync_headers: u32,
    /// Blocks that one peer is asked for at a time, 1 to 16: one at first, and one more with each that comes.
    pub max_blocks_in_flight: u8,
    /// Transactions per second that one peer is asked for. Four times as many in a burst.
    pub transactions_per_second: u16,
    /// Random and secret. Its hash, which is sent, recognises a connection to this node itself. It also decides where ids lie in
    /// the index, and which bits of headers [`Presync`](super::Presync) remembers.
    pub seed: u64,
}

/// The timers of a [`Gossip`](super::Gossip).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_enums, reason = "all timers of the machine")]
pub enum Timer {
    /// The peer owes its hello. Fires once; the peer is disconnected.
    Hello,
    /// The peer has sent nothing. Restarts with each message; when it fires, the peer is disconnected.
    Silence,
    /// Nothing was sent to the peer. Restarts with each message; when it fires, the status is sent.
    KeepAlive,
    /// The peer owes headers, or is asked for headers again later.
    Headers,
    /// A peer owes a block, or all are asked for it again later.
    Block,
    /// A peer owes a transaction, or is asked for it again later; or it may announce more, or more is announced to it.
    Transaction,
    /// A peer owes a chunk of a snapshot. Starts with the request; when it fires, the next peer is asked.
    Snapshot,
}

impl GossipConfig {
    /// Returns a configuration for a chain with blocks of up to `max_block_len` bytes, with a secret random `seed`: 10
    /// seconds for an answer, 90 of silence, 4 blocks at a time, 50 transactions per second.
    #[must_use]
    pub const fn new(genesis: GenesisId, max_block_len: u32, seed: u64) -> Self {
        Self {
            genesis,
            max_block_len,
            reserved_for_dialled: 0,
            hello_timeout: Duration::from_secs(10),
            silence_timeout: Duration::from_secs(90),
            keep_alive: Duration::from_secs(30),
            request_timeout: Duration::from_secs(10),
            patience: Duration::from_secs(2),
            retry: Duration::from_secs(5),
            max_stalls: 3,
            max_light_headers: 1024,
            min_weight: Weight(0),
            max_presync_headers: 1 << 22,
            max_blocks_in_flight: 4,
            transactions_per_second: 50,
            seed,
        }
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let times = [
            self.hello_timeout,
            self.silence_timeout,
            self.keep_alive,
            self.request_timeout,
            self.patience,
            self.retry,
        ];
        if times.iter().any(Duration::is_zero) { Err(ConfigError::ZeroTimeout) } else { Ok(()) }
    }

    /// Returns the nonce of the hello. It does not tell the seed.
    pub(super) fn nonce(&self) -> u64 {
        let hash = Hash::of_parts(&[domain::NONCE, &self.seed.to_be_bytes()]);
        hash.as_bytes().first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
    }

    /// Returns the blocks that one peer is asked for at a time.
    pub(super) fn most_in_flight(&self) -> u8 {
        self.max_blocks_in_flight.clamp(1, 16)
    }

    /// Returns the burst of transactions that a peer is asked for.
    pub(super) fn burst(&self) -> u32 {
        u32::from(self.transactions_per_second).saturating_mul(4)
    }
}
