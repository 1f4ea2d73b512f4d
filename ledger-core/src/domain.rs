//! Domain strings: the first bytes of everything that is hashed or signed, so that no value passes for another.
//!
//! Each ends in a zero byte. Where a chain is meant, its genesis id follows.

/// The encoding of a `ChainSpec`; its hash is the genesis id.
pub(crate) const SPEC: &[u8] = b"ledger-core/1 spec\0";
/// A policy; its hash is the account.
pub(crate) const ACCOUNT: &[u8] = b"ledger-core/1 account\0";
/// Genesis id and header; the hash is the block id.
pub(crate) const BLOCK: &[u8] = b"ledger-core/1 block\0";
/// Genesis id and transaction without its approval; the hash is the transaction id.
pub(crate) const TRANSACTION: &[u8] = b"ledger-core/1 transaction\0";
/// Genesis id and transaction id: what the owner of an account signs.
pub(crate) const SIGN_TRANSACTION: &[u8] = b"ledger-core/1 sign transaction\0";
/// Genesis id, minter and salt; the hash is the asset id.
pub(crate) const ASSET: &[u8] = b"ledger-core/1 asset\0";
/// Name space and subject; the hash is the key in the state.
pub(crate) const KEY: &[u8] = b"ledger-core/1 key\0";
/// A value of the state.
pub(crate) const VALUE: &[u8] = b"ledger-core/1 value\0";
/// A node of the map that is the state.
pub(crate) const MAP: &[u8] = b"ledger-core/1 map\0";
/// The seed of a node; the hash is its nonce in the gossip.
pub(crate) const NONCE: &[u8] = b"ledger-core/1 nonce\0";
/// A snapshot of a node.
pub(crate) const SNAPSHOT: &[u8] = b"ledger-core/1 snapshot\0";
