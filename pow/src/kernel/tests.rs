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
            kernel.compress(
                &mut states,
                &messages.map(|blocks| blocks.get(block).copied().unwrap_or([0; 64])),
            );
        }
        for (lane, message) in messages.iter().enumerate() {
            let mut state = INITIAL;
            compress256(&mut state, message);
            assert_eq!(digest(&states, lane), bytes_of(state), "{kernel}");
        }
    }
}
