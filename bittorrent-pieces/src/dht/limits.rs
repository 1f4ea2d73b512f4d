//! Numbers that several files of the DHT share.

/// The maximum length in bytes of a datagram that a [`DhtNode`](super::DhtNode) sends.
pub const MAX_LEN: usize = 1_400;
/// The number of nodes in a bucket and in an answer (BEP 5).
pub const K: usize = 8;
