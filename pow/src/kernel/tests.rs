//! The kernels against `sha2`.

#[cfg(feature = "ledger")]
use sha2::block_api::compress256;
use sha2::{Digest, Sha256};

use super::Kernel;
use super::headers::{EncodedHeaders, GROUP, HeaderIds};
#[cfg(feature = "ledger")]
use super::messages::{START, digest};
use crate::sha256::hash_header;
#[cfg(feature = "ledger")]
use crate::sha256::{INITIAL, bytes_of};

#[test]
fn all_kernels_hash_headers_as_sha2_does() {
    let headers: EncodedHeaders = core::array::from_fn(|lane| {
        core::array::from_fn(|at| u8::try_from((lane * 37 + at * 11) % 251).unwrap_or(0))
    });
    let expected: HeaderIds = headers.map(|header| Sha256::digest(Sha256::digest(header)).into());
    assert_eq!(headers.each_ref().map(hash_header), expected);
    for kernel in Kernel::available() {
        let mut ids = [[0; 32]; GROUP];
        kernel.header_ids(&headers, &mut ids);
        assert_eq!(ids, expected, "{kernel}");
    }
}

#[test]
#[cfg(feature = "ledger")]
fn all_kernels_hash_messages_as_sha2_does() {
    let message = |lane| -> [[u8; 64]; 3] {
        core::array::from_fn(|block| {
            core::array::from_fn(|at| {
                u8::try_from((lane * 41 + block * 97 + at * 13) % 251).unwrap_or(0)
            })
        })
    };
    let messages: [_; GROUP] = core::array::from_fn(message);
    for kernel in Kernel::available() {
        let mut states = START;
        for block in 0..3 {
            kernel.compress(&mut states, &messages.map(|message| message[block]));
        }
        for (lane, message) in messages.iter().enumerate() {
            let mut state = INITIAL;
            compress256(&mut state, message);
            assert_eq!(digest(&states, lane), bytes_of(state), "{kernel}");
        }
    }
}

/// Every length around the ends of blocks, in groups of every size, and mixed.
#[test]
#[cfg(feature = "ledger")]
fn all_kernels_hash_leaves_as_sha2_does() {
    use ledger_core::{Hash, MerkleTree, merkle::HashPairs as _};
    let content: [u8; 300] = core::array::from_fn(|at| u8::try_from(at % 253).unwrap_or(0));
    let lengths = [0, 1, 53, 54, 55, 56, 62, 63, 64, 117, 118, 119, 127, 128, 196, 255, 256, 300];
    for mut kernel in Kernel::available() {
        let mut check = |contents: &[&[u8]]| {
            let mut hashes = [Hash::ZERO; 40];
            kernel.hash_leaves(contents, &mut hashes);
            for (content, hash) in contents.iter().zip(hashes) {
                assert_eq!(hash, MerkleTree::leaf(content), "{} bytes", content.len());
            }
            assert_eq!(hashes[contents.len()..], [Hash::ZERO; 40][contents.len()..]);
        };
        for len in lengths {
            let contents: [&[u8]; 33] =
                core::array::from_fn(|at| &content[at % 2..][..len.min(298)]);
            for count in [0, 1, 5, 6, 15, 16, 17, 33] {
                check(&contents[..count]);
            }
        }
        let mixed: [&[u8]; 36] = core::array::from_fn(|at| &content[..lengths[at * 7 / 8 % 18]]);
        check(&mixed);
        // Fewer places than leaves: the first ones are filled.
        let mut few = [Hash::ZERO; 7];
        kernel.hash_leaves(&mixed, &mut few);
        assert_eq!(few[6], MerkleTree::leaf(mixed[6]));
    }
}
