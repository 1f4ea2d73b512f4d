//! How a torrent behaves.

use core::time::Duration;

use crate::{ChokerPolicy, InfoHash, PeerId};

/// How a torrent behaves. [`Config::new`] gives the values of BEP 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// The torrent.
    pub info_hash: InfoHash,
    /// What we call ourselves.
    pub peer_id: PeerId,
    /// For ties and draws; it need not be secret and should differ from peer to peer.
    pub seed: u64,
    /// The most requests under way to a peer, at least 1, besides what the lent request slots and
    /// the peer allow. Within this, a peer is asked for as much as it gives in half a second beyond its
    /// fastest answer.
    pub pipeline: u16,
    /// How many interested peers are unchoked at a time; 0 never uploads.
    pub upload_slots: u8,
    /// Who gets them; see [`Torrent::set_choker`](crate::Torrent::set_choker) for a change when the torrent is complete.
    pub choker: ChokerPolicy,
    /// A peer that gives a whole piece in this time gets whole pieces rather than parts of what others
    /// give, and so many in a row as it gives in it, up to 4 MiB. Zero: no peer does.
    pub whole_within: Duration,
    /// Whether to super-seed (BEP 16): peers that connect while all pieces are there see one that has
    /// none, and are told of one piece at a time. See [`Torrent::set_super_seeding`](crate::Torrent::set_super_seeding).
    pub super_seeding: bool,
    /// How long after the last message to a peer a keepalive is sent.
    pub keep_alive: Duration,
    /// How long a peer may leave requests without a block before they go to others.
    pub patience: Duration,
    /// How long a peer may say nothing at all before it is given up.
    pub silence: Duration,
    /// Whether to offer the fast extension (BEP 6).
    pub fast: bool,
    /// Whether to tell peers of each other (BEP 11). Never for a private torrent (BEP 27).
    pub peer_exchange: bool,
    /// The TCP port on which others reach us, told in the extended handshake (BEP 10).
    pub port: Option<u16>,
    /// The UDP port of our DHT node, if there is one (BEP 5).
    pub dht_port: Option<u16>,
}

impl Config {
    /// Returns the configuration that fits most: 250 requests, 4 slots, whole pieces for peers
    /// that give one in 20 s, keepalive after 2 minutes,
    /// patience of 60 s, silence of 4 minutes, fast extension, exchange of peers, no ports, seed 0.
    #[must_use]
    pub const fn new(info_hash: InfoHash, peer_id: PeerId) -> Self {
        Self {
            info_hash,
            peer_id,
            seed: 0,
            pipeline: 250,
            upload_slots: 4,
            choker: ChokerPolicy::new(),
            whole_within: Duration::from_secs(20),
            super_seeding: false,
            keep_alive: Duration::from_secs(120),
            patience: Duration::from_secs(60),
            silence: Duration::from_secs(240),
            fast: true,
            peer_exchange: true,
            port: None,
            dht_port: None,
        }
    }
}
