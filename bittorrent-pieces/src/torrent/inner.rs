//! What a torrent keeps besides its storage.

use core::time::Duration;

use heapless::Vec;

use super::config::{Config, TorrentSetup};
use super::peer::PeerSlot;
use super::queue::RequestSlot;
use super::schedule::Schedule;
use super::storage::{TorrentParts, bits_len};
use super::trees::Root;
use crate::bitfield::Bitfield;
use crate::choker::{self, ChokerPolicy};
use crate::compact_time::Maybe;
use crate::error::ConfigError;
use crate::id::ConnId;
use crate::index::slot;
use crate::picker::{self, PickerParts};
use crate::ready::MOST_SLOTS;

/// The number of convicts that had left before, whose event waits to be polled.
const BANNED: usize = 1;

/// What the peers of a torrent share.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Swarm {
    pub(super) rtt: u32,                     // smoothed, in milliseconds
    pub(super) blocks_received: bool,        // of any peer
    pub(super) endgame_at: Option<Duration>, // when idle peers look for late blocks
}

/// All of a torrent but the storage.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Core {
    pub(super) config: Config,
    pub(super) root: Option<Root>, // of the one file of v2
    pub(super) picker: picker::State,
    pub(super) choker: choker::State,
    pub(super) now: Duration, // the newest seen
    pub(super) swarm: Swarm,
    pub(super) schedule: Schedule,
    pub(super) slots_full: bool, // all upload slots are given, and none appears before the next round
    pub(super) next_round: Option<Duration>,
    pub(super) early_turn: Maybe, // the stamp of the last one, before the first round
    pub(super) turnover_rounds: u8, // since an idle peer last made room
    pub(super) generation: u32,   // of the picker, when all peers were last served
    pub(super) completed_due: bool, // the event
    pub(super) banned: Vec<ConnId, BANNED, u8>, // after they left; the events are due
}

impl Core {
    /// `root` is that of the one file of v2.
    pub(super) fn new(
        setup: &TorrentSetup<'_>,
        root: Option<Root>,
        parts: TorrentParts<'_>,
    ) -> Result<Self, ConfigError> {
        let config = setup.config;
        config.validate()?;
        let TorrentParts { content, pieces, rarest, partials, blocks, peers, bits, requests } =
            parts;
        let count = content.geometry.pieces();
        if content.hashes.len() != slot(count) {
            return Err(ConfigError::Hashes { hashes: content.hashes.len(), pieces: count });
        }
        if peers.len() > MOST_SLOTS {
            return Err(ConfigError::TooManySlots(peers.len()));
        }
        let needed = bits_len(count, peers.len());
        if bits.len() < needed {
            return Err(ConfigError::Bits(needed));
        }
        let needed = peers.len().saturating_mul(2);
        if requests.len() < needed {
            return Err(ConfigError::Requests(needed));
        }
        bits.fill(0);
        if let Some(have) = setup.have {
            if have.len() != count {
                return Err(ConfigError::Bitfield(have.len()));
            }
            bits.iter_mut().zip(have.as_bytes()).for_each(|(to, from)| *to = *from);
        }
        let ours = bits.get(..Bitfield::byte_len(count)).unwrap_or_default();
        let have = Bitfield::trusted(count, ours);
        let parts = PickerParts { geometry: content.geometry, pieces, rarest, partials, blocks };
        let mut picker = picker::State::new(config.seed, have, parts)?;
        picker.set_policy(setup.policy);
        peers.fill(PeerSlot::EMPTY);
        requests.fill(RequestSlot::EMPTY);
        Ok(Self {
            config,
            root,
            choker: choker::State::new(config.seed),
            now: Duration::ZERO,
            swarm: Swarm::default(),
            schedule: Schedule::new(peers),
            slots_full: false,
            next_round: None,
            early_turn: Maybe::NONE,
            turnover_rounds: u8::MAX,
            generation: picker.generation(),
            completed_due: false,
            banned: Vec::new(),
            picker,
        })
    }

    pub(super) fn choker_policy(&self) -> ChokerPolicy {
        if self.is_complete() { self.config.seed_choker } else { self.config.choker }
    }

    pub(super) fn choker_rules(&self) -> choker::Rules {
        choker::Rules { policy: self.choker_policy(), slots: self.config.upload_slots }
    }

    pub(super) fn is_complete(&self) -> bool {
        self.picker.have_count() == self.picker.shape.pieces()
    }

    /// Moves the clock on; an older time counts as the newest seen.
    pub(super) fn advance_clock(&mut self, now: Duration) {
        self.now = self.now.max(now);
    }
}
