//! Signatures that are hashes: cheap, and nobody forges them here.

use consensus::{Keys, ValidatorId, Verify};

/// Signs with a hash of the id and the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TestKeys(pub ValidatorId);

impl Verify for TestKeys {
    fn verify(&self, author: &ValidatorId, message: &[u8], signature: &[u8; 64]) -> bool {
        hash(author, message) == *signature
    }
}

impl Keys for TestKeys {
    fn id(&self) -> ValidatorId {
        self.0
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        hash(&self.0, message)
    }
}

fn hash(author: &ValidatorId, message: &[u8]) -> [u8; 64] {
    let mut state = 0xCBF2_9CE4_8422_2325_u64;
    for byte in author.0.iter().chain(message) {
        state = (state ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3);
    }
    let mut out = [0; 64];
    let (words, _) = out.as_chunks_mut::<8>();
    for word in words {
        state = state.rotate_left(29).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ state;
        *word = state.to_be_bytes();
    }
    out
}
