//! The kernels as hashers of the trees of `ledger-core`.

use ledger_core::Hash;
use ledger_core::merkle::{HashPairs, TwoBlocks};

use crate::kernel::headers::GROUP;
use crate::kernel::messages::hash;
use crate::kernel::{BATCHES, Kernel};

/// The number of messages from which a group with unused lanes is faster than hashing one after the other.
const WORTH_A_GROUP: usize = 6;

/// Hashes groups of 16 messages side by side.
///
/// ```
/// use ledger_core::MerkleTree;
/// use ledger_core::merkle::root_by_levels;
/// use pow::Kernel;
///
/// let mut leaves: Vec<_> = (0..100_u8).map(|i| MerkleTree::leaf(&[i])).collect();
/// let root = MerkleTree::root_of(&leaves);
/// assert_eq!(root_by_levels(&mut leaves, &mut Kernel::best()), root);
/// ```
impl HashPairs for Kernel {
    fn hash_messages(&mut self, messages: &[TwoBlocks], hashes: &mut [Hash]) {
        for (messages, hashes) in messages.chunks(GROUP).zip(hashes.chunks_mut(GROUP)) {
            if !BATCHES || messages.len() < WORTH_A_GROUP {
                for (message, out) in messages.iter().zip(hashes) {
                    *out = Hash::from_bytes(hash(message));
                }
                continue;
            }
            let mut group = [[[0; 64]; 2]; GROUP];
            for (place, message) in group.iter_mut().zip(messages) {
                *place = *message;
            }
            let mut digests = [[0; 32]; GROUP];
            self.digests(&group, &mut digests);
            for (out, digest) in hashes.iter_mut().zip(digests) {
                *out = Hash::from_bytes(digest);
            }
        }
    }
}
