//! Compression in zlib format (RFC 1950, 1951), as values, query-routing patches and links have it.
//!
//! | what is compressed | with |
//! |---|---|
//! | one direction of a connection, if the other end sends `Content-Encoding: deflate` | [`Inflater`], [`Deflater`] |
//! | a query-routing patch, one stream over all its messages | [`Inflater`] per neighbour, [`PatchEncoder::compress`](crate::qrp::PatchEncoder::compress) |
//! | a GGEP value | [`inflate`], [`compress`] |
//!
//! For a connection, send `Accept-Encoding: deflate` in the handshake, and let an [`Inflater`] stand between the
//! socket and the receive buffer, if the other end's head has `Content-Encoding: deflate`. The bytes
//! after the empty line belong to the stream already.
//!
//! ```
//! use gnutella_wire::deflate::{Deflater, Inflater};
//!
//! let (mut out, mut sent) = (Deflater::new(), [0; 64]);
//! let len = out.flush(b"twenty-three bytes of a header", &mut sent)?;
//! assert_eq!(sent[..2], [0x78, 0x9C]);
//!
//! let mut inflater = Inflater::new(vec![0; Inflater::WINDOW])?; // or a static array
//! let (mut received, mut buffer) = (&sent[..len], Vec::<u8>::new());
//! loop {
//!     let piece = inflater.inflate(received)?;
//!     buffer.extend(piece.bytes); // to be handled like bytes of a socket
//!     received = &received[piece.consumed..];
//!     if piece.bytes.is_empty() {
//!         break;
//!     }
//! }
//! assert_eq!(buffer, b"twenty-three bytes of a header");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod deflater;
mod inflater;

pub(crate) use deflater::compress_chunks;
pub use deflater::{Deflater, compress, max_len};
pub use inflater::{InflateError, Inflated, Inflater, WindowError, inflate};
