//! Message stream encryption (MSE/PE): a stream adapter that hides BitTorrent from filters. Feature `encryption`.
//!
//! **This is obfuscation, not security.** The key exchange has 768 bits and no authentication, the cipher is RC4, and
//! everybody who knows the info-hash can take part. It keeps simple filters from recognising the traffic, and reaches
//! peers that refuse plain connections.
//!
//! There is no BEP. The rules are those of the handshake that libtorrent, Transmission, aria2 and `WebTorrent` share.
//!
//! | # | from | bytes |
//! |---|---|---|
//! | 1 | dialler | public key (96), padding (0 to 512) |
//! | 2 | acceptor | public key (96), padding (0 to 512) |
//! | 3 | dialler | hash of the secret (20), masked hash of the torrent (20), encrypted: constant (8), offered methods (4), padding (2 + 0 to 512), initial payload (2 + 0 to 65,535) |
//! | 4 | acceptor | encrypted: constant (8), selected method (4), padding (2 + 0 to 512) |
//! | 5 | both | payload by the selected method |
//!
//! A client that already has a torrent machine puts one [`EncryptedStream`] between each socket and the machine.
//!
//! # Example
//!
//! ```
//! use bittorrent_pieces::InfoHash;
//! use bittorrent_pieces::encryption::{EncryptedStream, EncryptionPolicy, Method, ObfuscatedHash};
//!
//! let torrent = InfoHash([7; 20]);
//! // Private keys come from the random number generator of the machine, 20 bytes for each connection.
//! let mut dialler = EncryptedStream::dial(EncryptionPolicy::Prefer, torrent, [1; 20], 1);
//! let mut acceptor = EncryptedStream::accept(EncryptionPolicy::Allow, [2; 20], 2);
//! let find = |hash| (hash == ObfuscatedHash::of(torrent)).then_some(torrent);
//!
//! let mut buf = [0; EncryptedStream::TRANSMIT_LEN];
//! let mut to_acceptor = Vec::new();
//! let mut to_dialler = Vec::new();
//! while !(dialler.is_ready() && acceptor.is_ready()) {
//!     while let Some(len) = dialler.poll_transmit(&mut buf)? {
//!         to_acceptor.extend_from_slice(&buf[..len]);
//!     }
//!     let consumed = acceptor.handle_bytes(&mut to_acceptor, &find)?.consumed;
//!     to_acceptor.drain(..consumed);
//!     while let Some(len) = acceptor.poll_transmit(&mut buf)? {
//!         to_dialler.extend_from_slice(&buf[..len]);
//!     }
//!     let consumed = dialler.handle_bytes(&mut to_dialler, &find)?.consumed;
//!     to_dialler.drain(..consumed);
//! }
//!
//! assert_eq!(acceptor.method(), Some(Method::Plaintext)); // what the acceptor prefers
//! let mut message = *b"payload";
//! dialler.encrypt(&mut message)?;
//! assert_eq!(acceptor.handle_bytes(&mut message, &find)?.outcome, Some(&b"payload"[..]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
mod group;
mod keys;
mod policy;
mod rc4;
mod stream;

pub use error::{EncryptionError, NotReady};
pub use keys::ObfuscatedHash;
pub use policy::{Attempt, EncryptionPolicy, Method};
pub use stream::EncryptedStream;

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a malformed table fails the test"
)]
mod vectors {
    const TABLE: &str = include_str!("../../tests/data/mse.txt");

    /// Returns a value of the table of vectors, in hexadecimal.
    pub(super) fn value(section: &str, name: &str) -> &'static str {
        let row = TABLE.lines().find_map(|line| {
            let mut words = line.split(' ');
            let found = words.next() == Some(section) && words.next() == Some(name);
            found.then(|| words.next().unwrap_or_default())
        });
        row.expect(name)
    }

    pub(super) fn bytes<const LEN: usize>(hex: &str) -> [u8; LEN] {
        assert_eq!(hex.len(), 2 * LEN);
        core::array::from_fn(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap())
    }
}
