//! How a torrent behaves, and what it begins with.

use core::time::Duration;

use crate::bitfield::Bitfield;
use crate::choker::ChokerPolicy;
use crate::error::ConfigError;
use crate::id::{InfoHash, PeerId};
use crate::picker::Policy;

/// How often the choker decides (BEP 3).
pub(super) const ROUND: Duration = Duration::from_secs(10);
/// How often it decides before the first of these rounds.
pub(super) const EARLY_TURN: Duration = Duration::from_secs(1);

/// How a torrent behaves. [`Config::new`] has the values of BEP 3.
///
/// ```
/// use bittorrent_pieces::{Config, InfoHash, PeerId};
///
/// let mut config = Config::new(InfoHash([7; 20]), PeerId(*b"-XX0100-0123456789ab"));
/// config.port = Some(6881);
/// config.upload_slots = 8; // for a fast uplink
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
pub struct Config {
    /// The torrent.
    pub info_hash: InfoHash,
    /// The truncated hash of version 2, for a hybrid torrent whose [`TorrentContent`](crate::TorrentContent) has the
    /// hashes of both versions. Connections then use version 2 if the peer supports it (BEP 52).
    pub info_hash_v2: Option<InfoHash>,
    /// Our peer id.
    pub peer_id: PeerId,
    /// For ties and draws. It need not be secret and should differ from peer to peer.
    pub seed: u64,
    /// The most requests in flight to a peer, at least 1, besides what the request slots and the peer
    /// allow. Within this, a peer gets as many requests as it answers in half a second beyond its fastest
    /// answer.
    pub pipeline: u16,
    /// How many interested peers are unchoked at a time; 0 never uploads.
    pub upload_slots: u8,
    /// Which of them, while pieces are missing.
    pub choker: ChokerPolicy,
    /// Which of them, when the torrent is complete. A seed that prefers the fastest peers is captured by those that
    /// request the same blocks without end, so the peers take turns unless another policy is chosen.
    pub seed_choker: ChokerPolicy,
    /// A peer that sends a whole piece in this time gets whole pieces rather than parts of what others
    /// send, and as many in a row as it sends in it, up to 4 MiB. Zero: no peer does.
    pub whole_within: Duration,
    /// Whether to super-seed (BEP 16): peers that connect while the torrent is complete see a peer without
    /// pieces, and one piece at a time is announced to them. See
    /// [`Torrent::set_super_seeding`](crate::Torrent::set_super_seeding).
    pub super_seeding: bool,
    /// How long after the last message to a peer a keepalive is sent; not zero.
    pub keep_alive: Duration,
    /// How long a peer may leave requests without a block before they go to others; not zero.
    pub patience: Duration,
    /// How long a peer may be silent before its connection is closed; not zero.
    pub silence: Duration,
    /// How long no block may go either way before a peer makes room for another. That happens only while all peer
    /// slots are in use: at most one peer in a choking round that neither side needs, and one a minute of the others.
    /// Longer than 42 minutes counts as for ever.
    pub idle: Duration,
    /// Whether to offer the fast extension (BEP 6).
    pub fast: bool,
    /// Whether to send peers the addresses of others (BEP 11). Never for a private torrent (BEP 27).
    pub peer_exchange: bool,
    /// Whether to offer the holepunch extension (BEP 55): only for a caller that dials by uTP.
    pub holepunch: bool,
    /// The TCP port on which others reach us, for the extended handshake (BEP 10).
    pub port: Option<u16>,
    /// The UDP port of our DHT node, if there is one (BEP 5).
    pub dht_port: Option<u16>,
}

impl Config {
    /// Returns the configuration that fits most: 250 requests, 4 slots, turns at a seed, whole pieces for peers that send
    /// one in 20 s, keepalive after 2 minutes, patience of 60 s, silence of 4 minutes, idle after 5 minutes, fast extension,
    /// peer exchange, no holepunch, no ports, seed 0.
    #[must_use]
    pub const fn new(info_hash: InfoHash, peer_id: PeerId) -> Self {
        Self {
            info_hash,
            info_hash_v2: None,
            peer_id,
            seed: 0,
            pipeline: 250,
            upload_slots: 4,
            choker: ChokerPolicy::new(),
            seed_choker: ChokerPolicy::SEED,
            whole_within: Duration::from_secs(20),
            super_seeding: false,
            keep_alive: Duration::from_secs(120),
            patience: Duration::from_secs(60),
            silence: Duration::from_secs(240),
            idle: Duration::from_secs(300),
            fast: true,
            peer_exchange: true,
            holepunch: false,
            port: None,
            dht_port: None,
        }
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        if self.pipeline == 0 {
            return Err(ConfigError::Zero("pipeline"));
        }
        let spans = [
            ("keep_alive", self.keep_alive),
            ("patience", self.patience),
            ("silence", self.silence),
        ];
        let zero = spans.into_iter().find(|(_, span)| span.as_millis() == 0);
        zero.map_or(Ok(()), |(name, _)| Err(ConfigError::Zero(name)))
    }
}

/// What a torrent begins with: [`TorrentSetup::new`] is a fresh download.
///
/// ```
/// use bittorrent_pieces::{Bitfield, Config, InfoHash, PeerId, TorrentSetup};
///
/// let mut setup = TorrentSetup::new(Config::new(InfoHash([7; 20]), PeerId([1; 20])));
/// let have = [0b1100_0000]; // the first two of three pieces are in storage and checked
/// setup.have = Some(Bitfield::new(3, &have[..])?);
/// # Ok::<(), bittorrent_pieces::bitfield::BitfieldError>(())
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct TorrentSetup<'a> {
    /// How it behaves.
    pub config: Config,
    /// How new pieces are chosen.
    pub policy: Policy,
    /// The pieces that are in storage and checked. `None`: no piece.
    pub have: Option<Bitfield<&'a [u8]>>,
}

impl TorrentSetup<'_> {
    /// Returns the setup of a fresh download.
    #[must_use]
    pub const fn new(config: Config) -> Self {
        Self { config, policy: Policy::new(), have: None }
    }
}
