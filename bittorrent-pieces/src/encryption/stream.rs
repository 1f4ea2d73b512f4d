//! One connection: the handshake of both roles, then the payload.

use super::error::{EncryptionError, NotReady};
use super::group::{KEY_LEN, PRIVATE_KEY_LEN, public_key, shared_secret};
use super::keys::{ObfuscatedHash, Secret};
use super::policy::{EncryptionPolicy, Method};
use super::rc4::Rc4;
use crate::error::BufferTooSmall;
use crate::id::InfoHash;
use crate::received::Received;
use crate::rng::Rng;

/// The longest padding.
const MAX_PADDING: u16 = 512;
/// How a plain connection begins (BEP 3).
const PLAIN: &[u8; 20] = b"\x13BitTorrent protocol";
/// The first payload of most clients: the BitTorrent handshake.
const EARLY_LEN: usize = 68;
/// Constant, methods and length of the padding.
const HEAD_LEN: usize = 14;

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
/// The [module](crate::encryption) has an example.
#[derive(Clone)]
pub struct EncryptedStream {
    role: Role,
    policy: EncryptionPolicy,
    private_key: [u8; PRIVATE_KEY_LEN],
    padding_seed: u64,
    step: Step,
    due: Due,
    secret: Secret,
    torrent: Option<InfoHash>,
    method: Option<Method>,
    early: [u8; EARLY_LEN],
    early_len: u8,
    incoming: Option<Rc4>,
    outgoing: Option<Rc4>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Dialler,
    Acceptor,
}

/// What is received next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
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
struct Due {
    public_key: bool,
    /// Message 3 of the dialler, message 4 of the acceptor.
    answer: bool,
}

/// What the bytes were good for.
enum Progress {
    /// Handshake bytes, of which this many are done with.
    Consumed(usize),
    /// Payload, this many bytes.
    Payload(usize),
    /// More bytes are needed.
    Wait,
}

impl EncryptedStream {
    /// The buffer length that is always enough for [`poll_transmit`](Self::poll_transmit), in bytes.
    pub const TRANSMIT_LEN: usize = 608;

    /// Creates the stream of a connection without encryption, through which all bytes pass unchanged.
    #[must_use]
    pub const fn plain() -> Self {
        let mut stream = Self::new(Role::Acceptor, EncryptionPolicy::Off, [0; PRIVATE_KEY_LEN], 0);
        stream.step = Step::Payload;
        stream.method = Some(Method::Plaintext);
        stream
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
        let mut stream = Self::new(Role::Dialler, policy, private_key, seed);
        stream.torrent = Some(torrent);
        stream.due.public_key = true;
        stream
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
        Self::new(Role::Acceptor, policy, private_key, seed)
    }

    const fn new(
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

    /// Returns the torrent: the one that was dialled for, or the one that the peer named in its handshake.
    #[must_use]
    pub const fn torrent(&self) -> Option<InfoHash> {
        self.torrent
    }

    /// Returns how the payload is sent, once that is known. It is `Plaintext` also for a connection without any
    /// handshake of message stream encryption.
    #[must_use]
    pub const fn method(&self) -> Option<Method> {
        self.method
    }

    /// Returns whether our part of the handshake is over and payload can be sent.
    #[must_use]
    pub const fn is_ready(&self) -> bool {
        self.method.is_some() && !self.due.public_key && !self.due.answer
    }

    /// Keeps the first payload of a connection that we dialled, so that it is sent within the handshake: it arrives a
    /// round trip earlier. Returns how many bytes were taken, at most 68: the length of a BitTorrent handshake. It is 0
    /// once the handshake was sent, and if we did not dial.
    pub fn send_early(&mut self, payload: &[u8]) -> usize {
        if self.role != Role::Dialler || self.method.is_some() || self.step_is_past_key() {
            return 0;
        }
        let used = usize::from(self.early_len);
        let room = self.early.get_mut(used..).unwrap_or_default();
        let pairs = room.iter_mut().zip(payload);
        let taken = pairs.map(|(place, byte)| *place = *byte).count();
        let len = u8::try_from(used.saturating_add(taken));
        self.early_len = len.unwrap_or(self.early_len);
        taken
    }

    fn step_is_past_key(&self) -> bool {
        self.step != Step::PublicKey && !self.due.answer
    }

    /// Writes the next handshake bytes; returns how many.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`], which never happens with [`TRANSMIT_LEN`](Self::TRANSMIT_LEN) bytes.
    pub fn poll_transmit(&mut self, buf: &mut [u8]) -> Result<Option<usize>, BufferTooSmall> {
        if self.due.public_key {
            let len = self.write_public_key(buf)?;
            self.due.public_key = false;
            return Ok(Some(len));
        }
        if self.due.answer {
            let len = match self.role {
                Role::Dialler => self.write_request(buf)?,
                Role::Acceptor => self.write_selection(buf)?,
            };
            self.due.answer = false;
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
        if self.method == Some(Method::Rc4)
            && let Some(cipher) = &mut self.outgoing
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
            let progress = self.advance(rest, find).inspect_err(|error| {
                self.step = Step::Failed(*error);
                self.due = Due::default();
                self.method = None;
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

    /// Processes one part of the handshake, or payload.
    fn advance(
        &mut self,
        bytes: &mut [u8],
        find: &dyn Fn(ObfuscatedHash) -> Option<InfoHash>,
    ) -> Result<Progress, EncryptionError> {
        match self.step {
            Step::PublicKey => self.read_public_key(bytes),
            Step::Synchronization { skipped } => self.read_padding(bytes, skipped),
            Step::Torrent => self.read_torrent(bytes, find),
            Step::Head => self.read_head(bytes),
            Step::Padding { left } => Ok(self.skip_padding(bytes, left)),
            Step::InitialLen => Ok(self.read_initial_len(bytes)),
            Step::Initial { left } => Ok(self.read_initial(bytes, left)),
            Step::Payload => Ok(self.read_payload(bytes)),
            Step::Failed(error) => Err(error),
        }
    }

    fn read_public_key(&mut self, bytes: &[u8]) -> Result<Progress, EncryptionError> {
        let plain = bytes.iter().zip(PLAIN).all(|(byte, expected)| byte == expected);
        if plain {
            if bytes.len() < PLAIN.len() {
                return Ok(Progress::Wait);
            }
            if self.role == Role::Dialler {
                return Err(EncryptionError::PlainAnswer);
            }
            if self.policy == EncryptionPolicy::Require {
                return Err(EncryptionError::PlainRefused);
            }
            self.method = Some(Method::Plaintext);
            self.step = Step::Payload;
            return Ok(Progress::Consumed(0));
        }
        let Some(public) = bytes.first_chunk() else { return Ok(Progress::Wait) };
        let secret = shared_secret(public, &self.private_key);
        self.secret = Secret(secret.ok_or(EncryptionError::PublicKey)?);
        match (self.role, self.torrent) {
            (Role::Dialler, Some(torrent)) => {
                self.start_ciphers(torrent);
                self.due.answer = true;
            }
            _ => self.due.public_key = true,
        }
        self.step = Step::Synchronization { skipped: 0 };
        Ok(Progress::Consumed(KEY_LEN))
    }

    fn start_ciphers(&mut self, torrent: InfoHash) {
        let of_dialler = Rc4::new(&self.secret.key_of_dialler(torrent));
        let of_acceptor = Rc4::new(&self.secret.key_of_acceptor(torrent));
        let ciphers = match self.role {
            Role::Dialler => [of_acceptor, of_dialler],
            Role::Acceptor => [of_dialler, of_acceptor],
        };
        let [incoming, outgoing] = ciphers;
        self.incoming = Some(incoming);
        self.outgoing = Some(outgoing);
    }

    /// Looks for the pattern behind the padding in clear.
    fn read_padding(&mut self, bytes: &[u8], skipped: u16) -> Result<Progress, EncryptionError> {
        let mut pattern = [0; 20];
        let pattern = match self.role {
            Role::Dialler => {
                // The encrypted constant: the first eight bytes of the key stream. It is decrypted with the head.
                let pattern = pattern.first_chunk_mut::<8>().map_or(&mut [][..], |first| first);
                if let Some(mut cipher) = self.incoming.clone() {
                    cipher.apply(pattern);
                }
                &*pattern
            }
            Role::Acceptor => {
                pattern = self.secret.synchronization();
                &pattern
            }
        };
        let left = usize::from(MAX_PADDING.saturating_sub(skipped));
        let window = bytes.get(..left.saturating_add(pattern.len())).unwrap_or(bytes);
        if let Some(at) = window.windows(pattern.len()).position(|window| window == pattern) {
            return Ok(Progress::Consumed(self.end_of_padding(at)));
        }
        let passed = window.len().saturating_add(1).saturating_sub(pattern.len());
        if passed > left {
            return Err(EncryptionError::Synchronization);
        }
        if passed == 0 {
            return Ok(Progress::Wait);
        }
        let passed_more = u16::try_from(passed).unwrap_or(MAX_PADDING);
        self.step = Step::Synchronization { skipped: skipped.saturating_add(passed_more) };
        Ok(Progress::Consumed(passed))
    }

    /// Goes on behind `at` bytes of padding; returns how many bytes are done with.
    fn end_of_padding(&mut self, at: usize) -> usize {
        match self.role {
            Role::Dialler => {
                self.step = Step::Head;
                at
            }
            Role::Acceptor => {
                self.step = Step::Torrent;
                at.saturating_add(20)
            }
        }
    }

    fn read_torrent(
        &mut self,
        bytes: &[u8],
        find: &dyn Fn(ObfuscatedHash) -> Option<InfoHash>,
    ) -> Result<Progress, EncryptionError> {
        let Some(masked) = bytes.first_chunk() else { return Ok(Progress::Wait) };
        let hash = ObfuscatedHash(self.secret.mask(*masked));
        let torrent = find(hash).ok_or(EncryptionError::UnknownTorrent)?;
        self.torrent = Some(torrent);
        self.start_ciphers(torrent);
        self.step = Step::Head;
        Ok(Progress::Consumed(masked.len()))
    }

    fn read_head(&mut self, bytes: &[u8]) -> Result<Progress, EncryptionError> {
        let Some(head) = bytes.first_chunk::<HEAD_LEN>() else { return Ok(Progress::Wait) };
        let mut head = *head;
        self.decrypt(&mut head);
        let [constant @ .., m0, m1, m2, m3, p0, p1] = head;
        if constant != [0; 8] {
            return Err(EncryptionError::Verification);
        }
        let methods = u32::from_be_bytes([m0, m1, m2, m3]);
        let padding = u16::from_be_bytes([p0, p1]);
        if padding > MAX_PADDING {
            return Err(EncryptionError::Padding(padding));
        }
        let method = match self.role {
            Role::Dialler => [Method::Plaintext, Method::Rc4]
                .into_iter()
                .find(|method| method.bit() == methods && methods & self.policy.offer() != 0),
            Role::Acceptor => self.policy.select(methods),
        };
        self.method = Some(method.ok_or(EncryptionError::Method(methods))?);
        self.due.answer |= self.role == Role::Acceptor;
        self.step = Step::Padding { left: padding };
        Ok(Progress::Consumed(HEAD_LEN))
    }

    fn skip_padding(&mut self, bytes: &mut [u8], left: u16) -> Progress {
        let [len, rest] = self.decrypt_up_to(bytes, left);
        if rest > 0 {
            self.step = Step::Padding { left: rest };
            return if len == 0 { Progress::Wait } else { Progress::Consumed(len.into()) };
        }
        self.step = match self.role {
            Role::Dialler => Step::Payload,
            Role::Acceptor => Step::InitialLen,
        };
        Progress::Consumed(len.into())
    }

    fn read_initial_len(&mut self, bytes: &[u8]) -> Progress {
        let Some(len) = bytes.first_chunk() else { return Progress::Wait };
        let mut len = *len;
        self.decrypt(&mut len);
        self.step = Step::Initial { left: u16::from_be_bytes(len) };
        Progress::Consumed(len.len())
    }

    fn read_initial(&mut self, bytes: &mut [u8], left: u16) -> Progress {
        let [len, rest] = self.decrypt_up_to(bytes, left);
        self.step = if rest == 0 { Step::Payload } else { Step::Initial { left: rest } };
        if len == 0 && rest > 0 { Progress::Wait } else { Progress::Payload(len.into()) }
    }

    fn read_payload(&mut self, bytes: &mut [u8]) -> Progress {
        if bytes.is_empty() {
            return Progress::Wait;
        }
        if self.method == Some(Method::Rc4) {
            self.decrypt(bytes);
        }
        Progress::Payload(bytes.len())
    }

    /// Decrypts at most `left` bytes; returns how many, and how many of `left` remain.
    fn decrypt_up_to(&mut self, bytes: &mut [u8], left: u16) -> [u16; 2] {
        let available = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
        let len = available.min(left);
        self.decrypt(bytes.get_mut(..usize::from(len)).unwrap_or_default());
        [len, left.saturating_sub(len)]
    }

    fn decrypt(&mut self, bytes: &mut [u8]) {
        if let Some(cipher) = &mut self.incoming {
            cipher.apply(bytes);
        }
    }

    /// Messages 1 and 2.
    fn write_public_key(&self, buf: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let mut rng = Rng::new(self.padding_seed);
        let padding = rng.below(u64::from(MAX_PADDING).saturating_add(1));
        let needed = KEY_LEN.saturating_add(usize::try_from(padding).unwrap_or_default());
        let out = buf.get_mut(..needed).ok_or(BufferTooSmall { needed })?;
        if let Some((key, padding)) = out.split_first_chunk_mut() {
            *key = public_key(&self.private_key);
            for bytes in padding.chunks_mut(8) {
                let random = rng.next_u64().to_le_bytes();
                bytes.iter_mut().zip(random).for_each(|(place, byte)| *place = byte);
            }
        }
        Ok(needed)
    }

    /// Message 3. Its padding is empty, as that of Transmission.
    fn write_request(&mut self, buf: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let torrent = self.torrent.unwrap_or_default();
        let early = self.early.get(..usize::from(self.early_len)).unwrap_or_default();
        let parts: [&[u8]; 7] = [
            &self.secret.synchronization(),
            &self.secret.mask(ObfuscatedHash::of(torrent).0),
            &[0; 8],
            &self.policy.offer().to_be_bytes(),
            &[0; 2],
            &u16::from(self.early_len).to_be_bytes(),
            early,
        ];
        let len = write(&parts, buf)?;
        self.encrypt_handshake(buf.get_mut(40..len).unwrap_or_default());
        Ok(len)
    }

    /// Message 4. Its padding is empty, as that of Transmission.
    fn write_selection(&mut self, buf: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let selected = self.method.map_or(0, Method::bit);
        let len = write(&[&[0; 8], &selected.to_be_bytes(), &[0; 2]], buf)?;
        self.encrypt_handshake(buf.get_mut(..len).unwrap_or_default());
        Ok(len)
    }

    fn encrypt_handshake(&mut self, bytes: &mut [u8]) {
        if let Some(cipher) = &mut self.outgoing {
            cipher.apply(bytes);
        }
    }
}

/// Writes parts one behind the other; returns their length.
fn write(parts: &[&[u8]], buf: &mut [u8]) -> Result<usize, BufferTooSmall> {
    let needed = parts.iter().map(|part| part.len()).fold(0, usize::saturating_add);
    let out = buf.get_mut(..needed).ok_or(BufferTooSmall { needed })?;
    let bytes = parts.iter().copied().flatten();
    out.iter_mut().zip(bytes).for_each(|(place, byte)| *place = *byte);
    Ok(needed)
}
