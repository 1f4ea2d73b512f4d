//! How far the handshake of a connection is.

use crate::encryption::error::EncryptionError;
use crate::encryption::group::{KEY_LEN, PRIVATE_KEY_LEN};
use crate::encryption::keys::Secret;
use crate::encryption::policy::{EncryptionPolicy, Method};
use crate::encryption::rc4::Rc4;
use crate::id::InfoHash;

/// The longest padding.
pub(super) const MAX_PADDING: u16 = 512;
/// How a plain connection begins (BEP 3).
pub(super) const PLAIN: &[u8; 20] = b"\x13BitTorrent protocol";
/// The first payload of most clients: the BitTorrent handshake.
pub(super) const EARLY_LEN: usize = 68;
/// Constant, methods and length of the padding.
pub(super) const HEAD_LEN: usize = 14;

/// The state of a connection.
#[derive(Clone)]
pub(super) struct State {
    pub(super) role: Role,
    pub(super) policy: EncryptionPolicy,
    pub(super) private_key: [u8; PRIVATE_KEY_LEN],
    pub(super) padding_seed: u64,
    pub(super) step: Step,
    pub(super) due: Due,
    pub(super) secret: Secret,
    pub(super) torrent: Option<InfoHash>,
    pub(super) method: Option<Method>,
    pub(super) early: [u8; EARLY_LEN],
    pub(super) early_len: u8,
    pub(super) incoming: Option<Rc4>,
    pub(super) outgoing: Option<Rc4>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Dialler,
    Acceptor,
}

/// What is received next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The 96 bytes of a public key, or a plain handshake.
    PublicKey,
    /// The end of the padding in clear.
    Synchronization { skipped: u16 },
    /// The masked hash of the torrent.
    Torrent,
    /// Constant, methods, length of the padding.
    Head,
    /// The encrypted padding.
    Padding { left: u16 },
    /// The length of the initial payload.
    InitialLen,
    /// The initial payload, which is encrypted also if the method is plaintext.
    Initial { left: u16 },
    /// The payload.
    Payload,
    /// Nothing: the handshake failed.
    Failed(EncryptionError),
}

/// What is to be sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) public_key: bool,
    /// Message 3 of the dialler, message 4 of the acceptor.
    pub(super) answer: bool,
}

/// What the bytes were good for.
pub(super) enum Progress {
    /// Handshake bytes, of which this many are done with.
    Consumed(usize),
    /// Payload, this many bytes.
    Payload(usize),
    /// More bytes are needed.
    Wait,
}

impl State {
    pub(super) const fn new(
        role: Role,
        policy: EncryptionPolicy,
        private_key: [u8; PRIVATE_KEY_LEN],
        padding_seed: u64,
    ) -> Self {
        Self {
            role,
            policy,
            private_key,
            padding_seed,
            step: Step::PublicKey,
            due: Due { public_key: false, answer: false },
            secret: Secret([0; KEY_LEN]),
            torrent: None,
            method: None,
            early: [0; EARLY_LEN],
            early_len: 0,
            incoming: None,
            outgoing: None,
        }
    }

    pub(super) fn is_past_key(&self) -> bool {
        self.step != Step::PublicKey && !self.due.answer
    }
}
