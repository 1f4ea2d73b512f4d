//! The RC4 stream cipher, as message stream encryption uses it.

/// The number of key stream bytes that both sides drop.
const DROPPED: usize = 1024;

/// The state of a stream in one direction.
#[derive(Clone)]
pub(super) struct Rc4 {
    state: [u8; 256],
    i: u8,
    j: u8,
}

impl Rc4 {
    /// Creates a cipher that has dropped the first 1,024 bytes of its key stream.
    pub(super) fn new(key: &[u8; 20]) -> Self {
        let mut cipher = Self::without_drop(key);
        (0..DROPPED).for_each(|_| {
            cipher.next();
        });
        cipher
    }

    fn without_drop(key: &[u8]) -> Self {
        let mut cipher = Self { state: [0; 256], i: 0, j: 0 };
        for (byte, value) in cipher.state.iter_mut().zip(0..=u8::MAX) {
            *byte = value;
        }
        let mut j = 0_u8;
        for (i, key) in (0..=u8::MAX).zip(key.iter().cycle()) {
            j = j.wrapping_add(cipher.at(i)).wrapping_add(*key);
            cipher.state.swap(usize::from(i), usize::from(j));
        }
        cipher
    }

    /// Encrypts or decrypts bytes in place, which is the same.
    pub(super) fn apply(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte ^= self.next();
        }
    }

    /// Returns the next byte of the key stream.
    fn next(&mut self) -> u8 {
        self.i = self.i.wrapping_add(1);
        self.j = self.j.wrapping_add(self.at(self.i));
        self.state.swap(usize::from(self.i), usize::from(self.j));
        self.at(self.at(self.i).wrapping_add(self.at(self.j)))
    }

    fn at(&self, index: u8) -> u8 {
        self.state.get(usize::from(index)).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6229, the key of 40 bits: the key stream at offsets 0 and 1,024.
    #[test]
    fn the_key_stream_is_that_of_rfc_6229() {
        let mut cipher = Rc4::without_drop(&[1, 2, 3, 4, 5]);
        let mut stream = [0; 1_040];
        cipher.apply(&mut stream);
        assert_eq!(stream[..4], [0xB2, 0x39, 0x63, 0x05]);
        let at_1024 = 0x30AB_BCC7_C20B_0160_9F23_EE2D_5F6B_B7DF_u128;
        assert_eq!(stream[1_024..], at_1024.to_be_bytes());
    }
}
