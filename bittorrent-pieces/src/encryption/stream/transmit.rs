//! The handshake as it is sent.

use super::state::{MAX_PADDING, State};
use crate::encryption::group::{KEY_LEN, public_key};
use crate::encryption::keys::ObfuscatedHash;
use crate::encryption::policy::Method;
use crate::error::BufferTooSmall;
use crate::rng::Rng;

impl State {
    /// Messages 1 and 2.
    pub(super) fn write_public_key(&self, buf: &mut [u8]) -> Result<usize, BufferTooSmall> {
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
    pub(super) fn write_request(&mut self, buf: &mut [u8]) -> Result<usize, BufferTooSmall> {
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
    pub(super) fn write_selection(&mut self, buf: &mut [u8]) -> Result<usize, BufferTooSmall> {
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
