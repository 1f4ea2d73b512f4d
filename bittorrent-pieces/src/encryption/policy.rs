//! Which connections are encrypted, and by which method.

/// Whether connections are encrypted.
///
/// | policy | dials | offers | accepts | selects |
/// |---|---|---|---|---|
/// | `Off` | plain | | plain | |
/// | `Allow` | plain, then encrypted | both methods | everything | plaintext, else RC4 |
/// | `Prefer` | encrypted, then plain | both methods | everything | RC4, else plaintext |
/// | `Require` | encrypted | RC4 | encrypted | RC4 |
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_enums, reason = "the four policies of every client")]
pub enum EncryptionPolicy {
    /// No encryption.
    Off,
    /// Plain connections first. Choose this where no filter is in the way: it reaches every peer and costs least.
    #[default]
    Allow,
    /// Encrypted connections first, plain ones with peers that cannot. Choose this where a filter slows traffic.
    Prefer,
    /// Only encrypted connections. This loses peers that cannot.
    Require,
}

/// One way to dial a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_enums, reason = "there is nothing between them")]
pub enum Attempt {
    /// Without a handshake of message stream encryption.
    Plain,
    /// With it.
    Encrypted,
}

/// What is sent behind the handshake of message stream encryption.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_enums, reason = "the two methods of the protocol")]
pub enum Method {
    /// The payload as it is.
    Plaintext,
    /// The payload encrypted by RC4.
    Rc4,
}

impl EncryptionPolicy {
    /// Returns the ways to dial a peer, the first one first. The next one is for after a failure.
    #[must_use]
    pub const fn attempts(self) -> &'static [Attempt] {
        match self {
            Self::Off => &[Attempt::Plain],
            Self::Allow => &[Attempt::Plain, Attempt::Encrypted],
            Self::Prefer => &[Attempt::Encrypted, Attempt::Plain],
            Self::Require => &[Attempt::Encrypted],
        }
    }

    /// Returns the bits of the methods that are offered.
    pub(super) fn offer(self) -> u32 {
        self.preference().iter().fold(0, |bits, method| bits | method.bit())
    }

    /// Returns the preferred method among those that a peer offers.
    pub(super) fn select(self, offered: u32) -> Option<Method> {
        let mut methods = self.preference().iter().copied();
        methods.find(|method| offered & method.bit() != 0)
    }

    /// Returns the methods that are allowed, the preferred one first.
    const fn preference(self) -> &'static [Method] {
        match self {
            Self::Off => &[],
            Self::Allow => &[Method::Plaintext, Method::Rc4],
            Self::Prefer => &[Method::Rc4, Method::Plaintext],
            Self::Require => &[Method::Rc4],
        }
    }
}

impl Method {
    pub(super) const fn bit(self) -> u32 {
        match self {
            Self::Plaintext => 1,
            Self::Rc4 => 2,
        }
    }
}
