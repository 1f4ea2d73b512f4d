//! The handshake as it is received.

use super::state::{HEAD_LEN, MAX_PADDING, PLAIN, Progress, Role, State, Step};
use crate::encryption::error::EncryptionError;
use crate::encryption::group::{KEY_LEN, shared_secret};
use crate::encryption::keys::{ObfuscatedHash, Secret};
use crate::encryption::policy::{EncryptionPolicy, Method};
use crate::encryption::rc4::Rc4;
use crate::id::InfoHash;

impl State {
    /// Processes one part of the handshake, or payload.
    pub(super) fn advance(
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
}
