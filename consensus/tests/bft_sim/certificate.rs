//! The check of a certificate without an engine.

use std::format;
use std::prelude::rust_2024::*;

use consensus::{SignedStatement, Statement};

use super::keys::TestKeys;
use super::validator;

/// A certificate proves the decision to anybody.
pub(super) fn check_certificate(
    certificate: &[SignedStatement],
    height: u64,
    value: &[u8; 32],
    nodes: usize,
) -> Result<(), String> {
    let mut authors: Vec<_> = certificate.iter().map(|signed| signed.author).collect();
    authors.sort();
    authors.dedup();
    let is_for = |signed: &SignedStatement| {
        let Statement { slot, digest, .. } = signed.statement;
        slot == height && digest == *value && signed.verify_with(&TestKeys(validator(0))).is_ok()
    };
    if certificate.iter().all(is_for) && authors.len() * 3 > nodes * 2 {
        return Ok(());
    }
    Err(format!("a certificate of {} for height {height}", authors.len()))
}
