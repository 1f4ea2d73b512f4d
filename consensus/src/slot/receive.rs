//! Datagrams: one signed attestation each.

use super::event::DatagramError;
use super::storage::Attestation;
use crate::vote::statement::{SignedStatement, Statement, StatementKind};

/// Decodes a datagram.
pub(super) fn decode(bytes: &[u8]) -> Result<SignedStatement, DatagramError> {
    let (signed, rest) = SignedStatement::decode(bytes).map_err(DatagramError::Malformed)?;
    if rest.is_empty() { Ok(signed) } else { Err(DatagramError::TrailingBytes(rest.len())) }
}

/// Returns the attestation of a statement.
pub(super) fn attestation_of(signed: &SignedStatement) -> Result<Attestation, DatagramError> {
    let Statement { kind, slot: target, round, digest, .. } = signed.statement;
    let StatementKind::Attest { source } = kind else { return Err(DatagramError::Unexpected) };
    if source >= target || round != 0 {
        return Err(DatagramError::Unexpected);
    }
    Ok(Attestation { source, target, digest, signature: signed.signature })
}
