//! Decompression: `miniz_oxide` over a caller-provided window.

use core::fmt;

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::{
    TINFL_FLAG_HAS_MORE_INPUT, TINFL_FLAG_PARSE_ZLIB_HEADER,
    TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
};
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};
use thiserror::Error;

/// Inflates a stream of zlib format of any length, in bounded memory. `W` is the window: 32,768
/// bytes for any stream, or another power of two for a sender that is known to look back less far.
///
/// However much comes out of little input, it comes in pieces no longer than the window.
#[derive(Clone)]
pub struct Inflater<W: ?Sized> {
    core: DecompressorOxide,
    at: usize, // where in the window the next byte goes
    state: State,
    window: W, // last, so that an array coerces to a slice
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Ended,
    Failed,
}

/// Result of [`Inflater::inflate`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Inflated<'w> {
    /// How many bytes of the input were consumed.
    pub consumed: usize,
    /// The inflated bytes; none if more input is needed, or the stream has ended.
    pub bytes: &'w [u8],
    /// Whether the stream has ended; what follows it is not consumed.
    pub ended: bool,
}

/// The storage for a window is unsuitable: the caller's mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("window of {len} bytes; its length must be a power of two")]
#[expect(clippy::exhaustive_structs, reason = "the length is all there is to report")]
pub struct WindowError {
    /// The length of the storage, in bytes.
    pub len: usize,
}

/// The bytes are not a valid stream: the sender's fault. The rest of it is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InflateError {
    /// The stream is damaged, or looks back farther than the window reaches.
    #[error("damaged compression")]
    Damaged,
    /// The value ends before its stream does.
    #[error("compression cut short")]
    Truncated,
    /// More comes out than the buffer holds: the caller's fault, or a bomb.
    #[error("more than {len} bytes come out")]
    TooLong {
        /// The length of the buffer.
        len: usize,
    },
}

impl Inflater<()> {
    /// The window that serves for any stream, in bytes.
    pub const WINDOW: usize = 32_768;
}

impl<W: AsMut<[u8]>> Inflater<W> {
    /// Begins a stream, and clears the window.
    ///
    /// # Errors
    ///
    /// [`WindowError`] unless the window has a power of two of bytes.
    pub fn new(mut window: W) -> Result<Self, WindowError> {
        let bytes = window.as_mut();
        let len = bytes.len();
        if !len.is_power_of_two() {
            return Err(WindowError { len });
        }
        bytes.fill(0);
        Ok(Self { core: DecompressorOxide::new(), at: 0, state: State::Open, window })
    }
}

impl<W: AsMut<[u8]> + ?Sized> Inflater<W> {
    /// Begins another stream, whatever the last one came to.
    pub fn restart(&mut self) {
        self.core.init();
        self.window.as_mut().fill(0); // a stream must not reach into the one before
        self.at = 0;
        self.state = State::Open;
    }

    /// Inflates some of `input`, and returns some of the output. Call it again with the rest of
    /// the input until nothing comes out.
    ///
    /// # Errors
    ///
    /// [`InflateError::Damaged`] once all that came before the damage has come out, and ever after.
    pub fn inflate(&mut self, input: &[u8]) -> Result<Inflated<'_>, InflateError> {
        match self.state {
            State::Failed => return Err(InflateError::Damaged),
            State::Ended => return Ok(Inflated { consumed: 0, bytes: &[], ended: true }),
            State::Open => {}
        }
        let window = self.window.as_mut();
        if self.at >= window.len() {
            self.at = 0;
        }
        let flags = TINFL_FLAG_PARSE_ZLIB_HEADER | TINFL_FLAG_HAS_MORE_INPUT;
        let (status, consumed, len) = decompress(&mut self.core, input, window, self.at, flags);
        self.state = match status {
            TINFLStatus::Done => State::Ended,
            TINFLStatus::NeedsMoreInput | TINFLStatus::HasMoreOutput => State::Open,
            _ => State::Failed,
        };
        if self.state == State::Failed && len == 0 {
            return Err(InflateError::Damaged);
        }
        let from = self.at;
        self.at = from.saturating_add(len);
        let bytes = window.get(from..self.at).unwrap_or_default();
        Ok(Inflated { consumed, bytes, ended: self.state == State::Ended })
    }
}

/// Inflates a whole value, such as a GGEP value whose
/// [`is_deflated`](crate::ggep::Extension::is_deflated) is set: zlib format, or the raw deflate that
/// some servents write. Returns the length of what comes out.
///
/// It needs about 11 KB of stack.
///
/// # Errors
///
/// Any [`InflateError`]; `out` is then of no use.
pub fn inflate(value: &[u8], out: &mut [u8]) -> Result<usize, InflateError> {
    let zlib = match value {
        // A method of 8, a window of at most 32 KiB, no dictionary, and a check (RFC 1950, 2.2).
        [method, flags, ..] => {
            method & 0x8F == 8
                && flags & 0x20 == 0
                && u16::from_be_bytes([*method, *flags]).is_multiple_of(31)
        }
        _ => false,
    };
    let form = if zlib { TINFL_FLAG_PARSE_ZLIB_HEADER } else { 0 };
    let flags = form | TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    let mut core = DecompressorOxide::new();
    let (status, _, len) = decompress(&mut core, value, out, 0, flags);
    match status {
        TINFLStatus::Done => Ok(len),
        TINFLStatus::HasMoreOutput => Err(InflateError::TooLong { len: out.len() }),
        TINFLStatus::NeedsMoreInput | TINFLStatus::FailedCannotMakeProgress => {
            Err(InflateError::Truncated)
        }
        _ => Err(InflateError::Damaged),
    }
}

impl<W: ?Sized> fmt::Debug for Inflater<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater")
            .field("at", &self.at)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}
