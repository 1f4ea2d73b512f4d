//! The kernels against `sha2`.

use sha2::{Digest, Sha256};

use super::Kernel;
use super::headers::{EncodedHeaders, GROUP, HeaderIds};
#[cfg(feature = "ledger")]
use super::messages::{Digests, Messages, hash};
use crate::sha256::hash_header;

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
    let messages: Messages = core::array::from_fn(|lane| {
        core::array::from_fn(|block| {
            core::array::from_fn(|at| {
                u8::try_from((lane * 41 + block * 97 + at * 13) % 251).unwrap_or(0)
            })
        })
    });
    let expected: Digests = messages.map(|message| hash(&message));
    for kernel in Kernel::available() {
        let mut digests = [[0; 32]; GROUP];
        kernel.digests(&messages, &mut digests);
        assert_eq!(digests, expected, "{kernel}");
    }
}
