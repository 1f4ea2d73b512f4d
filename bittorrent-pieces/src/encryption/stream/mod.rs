//! One connection: the handshake of both roles, then the payload.

mod receive;
mod state;
mod transmit;

use super::error::{EncryptionError, NotReady};
use super::group::PRIVATE_KEY_LEN;
use super::keys::ObfuscatedHash;
use super::policy::{EncryptionPolicy, Method};
use crate::error::BufferTooSmall;
use crate::id::InfoHash;
use crate::received::Received;
use state::{Due, Progress, Role, State, Step};

/// The adapter of one connection: the handshake of message stream encryption, then the payload in place.
///
/// It holds no payload and takes at most 760 bytes. Per connection the driver does this:
///
/// 1. It sends what [`poll_transmit`](Self::poll_transmit) writes, until that is `None`.
/// 2. It hands what it receives to [`handle_bytes`](Self::handle_bytes), which returns the payload in plain, and does
///    step 1 again.
/// 3. Once [`is_ready`](Self::is_ready) it sends its own payload through [`encrypt`](Self::encrypt).
///
/// A handshake costs the accepting side two powers modulo a number of 768 bits, on a desk 0.1 ms. Nothing is computed
/// before the 96 bytes of the peer's key are there. The stream has no clock: close a connection whose handshake is
/// not over in time, ten seconds with libtorrent.
///
/// ```
/// use bittorrent_pieces::InfoHash;
/// use bittorrent_pieces::encryption::{EncryptedStream, EncryptionPolicy};
///
/// let key = [7; 20]; // from a random number generator
/// let mut stream = EncryptedStream::dial(EncryptionPolicy::Prefer, InfoHash([1; 20]), key, 5);
/// let mut buf = [0; EncryptedStream::TRANSMIT_LEN];
/// let len = stream.poll_transmit(&mut buf)?.ok_or("nothing to send")?;
/// assert!(len >= 96 && !stream.is_ready()); // our public key; the peer's is missing
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The [module](crate::encryption) has an example of a whole handshake.
#[derive(Clone)]
pub struct EncryptedStream {
    state: State,
}

impl EncryptedStream {
    /// The buffer length that is always enough for [`poll_transmit`](Self::poll_transmit), in bytes.
    pub const TRANSMIT_LEN: usize = 608;

    /// Creates the stream of a connection without encryption, through which all bytes pass unchanged.
    #[must_use]
    pub const fn plain() -> Self {
        let mut state = State::new(Role::Acceptor, EncryptionPolicy::Off, [0; PRIVATE_KEY_LEN], 0);
        state.step = Step::Payload;
        state.method = Some(Method::Plaintext);
        Self { state }
    }

    /// Creates the stream of a connection that we dialled to encrypt it. With [`EncryptionPolicy::Off`] it is
    /// [`plain`](Self::plain).
    ///
    /// `private_key` comes from a random number generator and is used once. `seed` determines the padding; it need
    /// not be secret.
    #[must_use]
    pub const fn dial(
        policy: EncryptionPolicy,
        torrent: InfoHash,
        private_key: [u8; PRIVATE_KEY_LEN],
        seed: u64,
    ) -> Self {
        if matches!(policy, EncryptionPolicy::Off) {
            return Self::plain();
        }
        let mut state = State::new(Role::Dialler, policy, private_key, seed);
        state.torrent = Some(torrent);
        state.due.public_key = true;
        Self { state }
    }

    /// Creates the stream of an accepted connection. It finds out whether the peer encrypts. With
    /// [`EncryptionPolicy::Off`] it is [`plain`](Self::plain).
    ///
    /// `private_key` comes from a random number generator and is used once. `seed` determines the padding; it need
    /// not be secret.
    #[must_use]
    pub const fn accept(
        policy: EncryptionPolicy,
        private_key: [u8; PRIVATE_KEY_LEN],
        seed: u64,
    ) -> Self {
        if matches!(policy, EncryptionPolicy::Off) {
            return Self::plain();
        }
        Self { state: State::new(Role::Acceptor, policy, private_key, seed) }
    }

    /// Returns the torrent: the one that was dialled for, or the one that the peer named in its handshake.
    #[must_use]
    pub const fn torrent(&self) -> Option<InfoHash> {
        self.state.torrent
    }

    /// Returns how the payload is sent, once that is known. It is `Plaintext` also for a connection without any
    /// handshake of message stream encryption.
    #[must_use]
    pub const fn method(&self) -> Option<Method> {
        self.state.method
    }

    /// Returns whether our part of the handshake is over and payload can be sent.
    #[must_use]
    pub const fn is_ready(&self) -> bool {
        self.state.method.is_some() && !self.state.due.public_key && !self.state.due.answer
    }

    /// Keeps the first payload of a connection that we dialled, so that it is sent within the handshake: it arrives a
    /// round trip earlier. Returns how many bytes were taken, at most 68: the length of a BitTorrent handshake. It is 0
    /// once the handshake was sent, and if we did not dial.
    pub fn send_early(&mut self, payload: &[u8]) -> usize {
        if self.state.role != Role::Dialler
            || self.state.method.is_some()
            || self.state.is_past_key()
        {
            return 0;
        }
        let used = usize::from(self.state.early_len);
        let room = self.state.early.get_mut(used..).unwrap_or_default();
        let pairs = room.iter_mut().zip(payload);
        let taken = pairs.map(|(place, byte)| *place = *byte).count();
        let len = u8::try_from(used.saturating_add(taken));
        self.state.early_len = len.unwrap_or(self.state.early_len);
        taken
    }

    /// Writes the next handshake bytes; returns how many.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`], which never happens with [`TRANSMIT_LEN`](Self::TRANSMIT_LEN) bytes.
    pub fn poll_transmit(&mut self, buf: &mut [u8]) -> Result<Option<usize>, BufferTooSmall> {
        if self.state.due.public_key {
            let len = self.state.write_public_key(buf)?;
            self.state.due.public_key = false;
            return Ok(Some(len));
        }
        if self.state.due.answer {
            let len = match self.state.role {
                Role::Dialler => self.state.write_request(buf)?,
                Role::Acceptor => self.state.write_selection(buf)?,
            };
            self.state.due.answer = false;
            return Ok(Some(len));
        }
        Ok(None)
    }

    /// Encrypts payload in place, in the order in which it is sent.
    ///
    /// # Errors
    ///
    /// [`NotReady`] until [`is_ready`](Self::is_ready).
    pub fn encrypt(&mut self, payload: &mut [u8]) -> Result<(), NotReady> {
        if !self.is_ready() {
            return Err(NotReady);
        }
        if self.state.method == Some(Method::Rc4)
            && let Some(cipher) = &mut self.state.outgoing
        {
            cipher.apply(payload);
        }
        Ok(())
    }

    /// Processes received bytes, and decrypts the payload among them in place.
    ///
    /// `find` returns the torrent that a hash names; it is called once, for an accepted connection. Drop the consumed
    /// bytes, and hand over the others again with those that follow: at most 95 wait.
    ///
    /// # Errors
    ///
    /// [`EncryptionError`]: close the connection. Every later call returns it again.
    pub fn handle_bytes<'b>(
        &mut self,
        bytes: &'b mut [u8],
        find: &dyn Fn(ObfuscatedHash) -> Option<InfoHash>,
    ) -> Result<Received<&'b [u8]>, EncryptionError> {
        let mut consumed = 0_usize;
        let mut payload = 0_usize;
        loop {
            let rest = bytes.get_mut(consumed..).unwrap_or_default();
            let progress = self.state.advance(rest, find).inspect_err(|error| {
                self.state.step = Step::Failed(*error);
                self.state.due = Due::default();
                self.state.method = None;
            })?;
            match progress {
                Progress::Consumed(len) => consumed = consumed.saturating_add(len),
                Progress::Payload(len) => {
                    consumed = consumed.saturating_add(len);
                    payload = payload.saturating_add(len);
                }
                Progress::Wait => break,
            }
        }
        let start = consumed.saturating_sub(payload);
        let payload = bytes.get(start..consumed).filter(|payload| !payload.is_empty());
        Ok(Received { consumed, outcome: payload })
    }
}
