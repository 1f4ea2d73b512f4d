//! A function that this crate does not interpret, kept whole.

use core::fmt;

use super::fields::extra;
use super::function::Function;
use super::qrp::Qrp;
use super::vendor::VendorMessage;
use crate::error::BufferTooSmall;
use crate::writer::Writer;

// No fields that are known.

/// A payload that is carried and not read: query-routing tables, vendor messages, and what is yet
/// to be invented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Other<'a> {
    /// The function in the header.
    pub function: Function,
    /// The payload as it stands.
    pub body: &'a [u8],
}

impl<'a> Other<'a> {
    /// Takes a whole payload.
    #[must_use]
    pub const fn decode(function: Function, payload: &'a [u8]) -> Self {
        Self { function, body: payload }
    }

    /// Returns the length of the payload, in bytes.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        Writer::measure(|w| self.write(w))
    }

    /// Writes the payload and returns its length.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] below [`encoded_len`](Self::encoded_len) bytes.
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        Writer::fill(out, |w| self.write(w))
    }

    pub(crate) fn write(&self, w: &mut Writer<'_>) {
        w.bytes(self.body);
    }
}

/// The decoded body, if this crate knows it.
impl fmt::Display for Other<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.function {
            Function::QRP => match Qrp::decode(self.body) {
                Ok(qrp) => write!(f, " {qrp}"),
                Err(_) => extra(f, self.body),
            },
            Function::VENDOR | Function::VENDOR_STANDARD => {
                match VendorMessage::decode(self.body) {
                    Ok(message) => write!(f, " {message}"),
                    Err(_) => extra(f, self.body),
                }
            }
            _ => extra(f, self.body),
        }
    }
}
