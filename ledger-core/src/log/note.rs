//! Signed notes (C2SP signed-note): a text, an empty line, and lines of signatures.

use core::fmt;

use thiserror::Error;

use super::key::{KeyId, KeyKind, SignerKey, VerifierKey, is_name};
use super::text::{TextWriter, scan_base64};
use crate::error::BufferTooSmall;

/// The most signature lines that a note may have. The format asks for 16 at least.
pub const MAX_SIGNATURES: usize = 64;

/// The most bytes of text that can be signed or checked as a checkpoint.
pub const MAX_TEXT_LEN: usize = 1024;

/// What begins a signature line: an em dash and a space.
const DASH: &str = "\u{2014} ";

/// A note whose form was checked. Its signatures were not: that is what a
/// [`Policy`](super::Policy) does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Note<'n> {
    text: &'n str,
    signatures: &'n str,
}

/// One signature line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SignatureLine<'n> {
    /// The name of the key.
    pub name: &'n str,
    /// The id of the key.
    pub id: KeyId,
    /// What follows the id: 64 bytes of Ed25519, or 72 of a cosignature; `None` for any other length.
    pub payload: Option<Payload>,
}

/// The bytes of a signature behind the id of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "other lengths are not representable")]
pub enum Payload {
    /// 64 bytes: a signature over the text.
    Plain([u8; 64]),
    /// 72 bytes: a time in Unix seconds, and a signature over time and text.
    Timed {
        /// The time in Unix seconds.
        time: u64,
        /// The signature.
        signature: [u8; 64],
    },
}

/// The signature lines of a [`Note`].
#[derive(Debug, Clone)]
pub struct SignatureLines<'n>(core::str::SplitTerminator<'n, [char; 1]>);

/// The bytes are not a signed note.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum NoteError {
    /// Not UTF-8.
    #[error("invalid UTF-8 at byte {0}")]
    Utf8(usize),
    /// A control character other than the line feed.
    #[error("control character at byte {0}")]
    Control(usize),
    /// No empty line separates a text from signatures.
    #[error("no empty line before the signatures")]
    NoSeparator,
    /// A signature line is malformed.
    #[error("malformed signature line {0}")]
    SignatureLine(usize),
    /// More than [`MAX_SIGNATURES`] signature lines.
    #[error("more than {MAX_SIGNATURES} signature lines")]
    TooManySignatures,
    /// The text is longer than [`MAX_TEXT_LEN`] bytes.
    #[error("a text of {0} bytes; at most {MAX_TEXT_LEN} are accepted")]
    TextTooLong(usize),
}

impl<'n> Note<'n> {
    /// Parses a note. Signatures may be of any kind and by anybody.
    ///
    /// # Errors
    ///
    /// [`NoteError`] names the line or byte.
    pub fn parse(bytes: &'n [u8]) -> Result<Self, NoteError> {
        let note =
            core::str::from_utf8(bytes).map_err(|error| NoteError::Utf8(error.valid_up_to()))?;
        let control = |byte: &u8| *byte < b' ' && *byte != b'\n';
        if let Some(at) = bytes.iter().position(control) {
            return Err(NoteError::Control(at));
        }
        let separator = bytes.windows(2).rposition(|pair| pair == b"\n\n");
        let (text, rest) = separator
            .and_then(|at| note.split_at_checked(at.saturating_add(1)))
            .ok_or(NoteError::NoSeparator)?;
        let signatures = rest.strip_prefix('\n').unwrap_or_default();
        if signatures.is_empty() || !signatures.ends_with('\n') {
            return Err(NoteError::SignatureLine(0));
        }
        if text.len() > MAX_TEXT_LEN {
            return Err(NoteError::TextTooLong(text.len()));
        }
        for (number, line) in signatures.split_terminator(['\n']).enumerate() {
            if number >= MAX_SIGNATURES {
                return Err(NoteError::TooManySignatures);
            }
            SignatureLine::parse(line).ok_or(NoteError::SignatureLine(number))?;
        }
        Ok(Self { text, signatures })
    }

    /// Returns the text, with the line feed at its end: what is signed.
    #[must_use]
    pub const fn text(&self) -> &'n str {
        self.text
    }

    /// Iterates over the signature lines.
    #[must_use]
    pub fn signatures(&self) -> SignatureLines<'n> {
        SignatureLines(self.signatures.split_terminator(['\n']))
    }
}

impl<'n> SignatureLine<'n> {
    fn parse(line: &'n str) -> Option<Self> {
        let (name, base64) = line.strip_prefix(DASH)?.split_once(' ')?;
        let (len, bytes) = scan_base64::<76>(base64)?;
        if len < 5 {
            return None; // an id and at least one byte
        }
        let ([a, b, c, d], payload) = bytes.split_first_chunk::<4>()?;
        let payload = match len {
            68 => payload.first_chunk().copied().map(Payload::Plain),
            76 => Payload::timed(payload),
            _ => None,
        };
        let id = KeyId::from_bytes([*a, *b, *c, *d]);
        is_name(name).then_some(Self { name, id, payload })
    }

    /// Returns whether the line claims to be of this key. Both name and id count.
    #[must_use]
    pub fn is_by(&self, key: &VerifierKey<'_>) -> bool {
        self.name == key.name() && self.id == key.id()
    }

    /// Returns the time of a cosignature.
    pub(super) fn time(&self) -> Option<u64> {
        match self.payload? {
            Payload::Plain(_) => None,
            Payload::Timed { time, .. } => Some(time),
        }
    }

    /// Returns the time of a good signature of `key` over `text`: 0 for a key without times, `None` if the
    /// signature is not good.
    pub(super) fn verify(&self, key: &VerifierKey<'_>, text: &str) -> Option<u64> {
        match (key.kind(), self.payload?) {
            (KeyKind::Note, Payload::Plain(signature)) => {
                key.verifies(text.as_bytes(), &signature).then_some(0)
            }
            (KeyKind::Cosigner, Payload::Timed { time, signature }) => {
                let mut buf = [0; COSIGNED_LEN];
                let message = cosigned_message(time, text, &mut buf)?;
                key.verifies(message, &signature).then_some(time)
            }
            _ => None,
        }
    }
}

impl Payload {
    fn timed(bytes: &[u8]) -> Option<Self> {
        let (time, signature) = bytes.split_first_chunk::<8>()?;
        let signature = *signature.first_chunk()?;
        Some(Self::Timed { time: u64::from_be_bytes(*time), signature })
    }
}

impl<'n> Iterator for SignatureLines<'n> {
    type Item = SignatureLine<'n>;

    fn next(&mut self) -> Option<SignatureLine<'n>> {
        SignatureLine::parse(self.0.next()?) // every line was parsed before
    }
}

/// Signs a text and writes the signature line, to be appended to a note, into `buf`. `time` is that of a
/// cosignature, in Unix seconds; a key of another kind does not use it.
///
/// # Errors
///
/// [`BufferTooSmall`].
pub(super) fn sign_line(
    signer: &SignerKey<'_>,
    text: &str,
    time: u64,
    buf: &mut [u8],
) -> Result<usize, BufferTooSmall> {
    let mut out = TextWriter::new(buf);
    write_signature(&mut out, signer, text, time)?;
    out.finish()
}

/// Appends a signature line to a text that is being written.
pub(super) fn write_signature(
    out: &mut TextWriter<'_>,
    signer: &SignerKey<'_>,
    text: &str,
    time: u64,
) -> Result<(), BufferTooSmall> {
    let key = signer.verifier();
    let mut payload = [0; 76];
    let id = key.id();
    let parts: [&[u8]; 3] = match key.kind() {
        KeyKind::Note => [id.as_bytes(), &[], &signer.sign(&[text.as_bytes()])],
        KeyKind::Cosigner => {
            let mut buf = [0; COSIGNED_HEAD_LEN];
            let head = write_cosigned_head(time, &mut buf)?;
            let head = buf.get(..head).unwrap_or_default();
            [id.as_bytes(), &time.to_be_bytes(), &signer.sign(&[head, text.as_bytes()])]
        }
    };
    let mut len = 0_usize;
    for byte in parts.into_iter().flatten() {
        if let Some(place) = payload.get_mut(len) {
            *place = *byte;
        }
        len = len.saturating_add(1);
    }
    out.put(format_args!("{DASH}{} ", key.name()));
    out.put_base64(payload.get(..len).unwrap_or_default());
    out.put(format_args!("\n"));
    Ok(())
}

/// `cosignature/v1`, `time`, up to 20 digits, spaces and line feeds.
const COSIGNED_HEAD_LEN: usize = 41;
const COSIGNED_LEN: usize = COSIGNED_HEAD_LEN + MAX_TEXT_LEN;

/// Returns what a witness signs (tlog-cosignature): a domain line, the time, and the whole text.
fn cosigned_message<'b>(
    time: u64,
    text: &str,
    buf: &'b mut [u8; COSIGNED_LEN],
) -> Option<&'b [u8]> {
    let head = write_cosigned_head(time, buf).ok()?;
    let mut out = TextWriter::new(buf.get_mut(head..)?);
    out.put_bytes(text.as_bytes());
    let len = head.saturating_add(out.finish().ok()?);
    buf.get(..len)
}

/// Writes what stands before the text, and returns its length.
fn write_cosigned_head(time: u64, buf: &mut [u8]) -> Result<usize, BufferTooSmall> {
    let mut out = TextWriter::new(buf);
    out.put(format_args!("cosignature/v1\ntime {time}\n"));
    out.finish()
}

impl fmt::Display for Note<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}", self.text, self.signatures)
    }
}
