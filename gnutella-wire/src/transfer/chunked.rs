//! A body in chunks (RFC 9112, 7.1), as servers on the web send it, and gtk-gnutella for lists of files.

/// The longest line between chunks that is read, in bytes.
const MAX_LINE: usize = 1_024;

/// How far a body is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chunked {
    /// Before the size of a chunk.
    Size,
    /// Within a chunk, before this many of its bytes.
    Data(u64),
    /// Before the line end of a chunk.
    DataEnd,
    /// Before a trailer, or the empty line that ends the body.
    Trailer,
}

/// What the next bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chunk {
    /// Not known yet.
    Incomplete,
    /// This many bytes stand between chunks.
    Framing(usize, Chunked),
    /// At least one, and at most this many bytes are of the body.
    Data(usize),
    /// The body ends after this many bytes.
    End(usize),
    Malformed,
}

impl Chunked {
    /// Reads what comes next.
    pub(crate) fn read(self, bytes: &[u8]) -> Chunk {
        if let Self::Data(left) = self {
            let available = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
            return if available == 0 { Chunk::Incomplete } else { Chunk::Data(available) };
        }
        let Some(end) = bytes.iter().take(MAX_LINE).position(|byte| *byte == b'\n') else {
            return if bytes.len() < MAX_LINE { Chunk::Incomplete } else { Chunk::Malformed };
        };
        let line = bytes.get(..end).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let len = end.saturating_add(1);
        match self {
            Self::Size => match size(line) {
                Some(0) => Chunk::Framing(len, Self::Trailer),
                Some(size) => Chunk::Framing(len, Self::Data(size)),
                None => Chunk::Malformed,
            },
            Self::DataEnd if line.is_empty() => Chunk::Framing(len, Self::Size),
            Self::Trailer if line.is_empty() => Chunk::End(len),
            Self::Trailer => Chunk::Framing(len, self),
            Self::DataEnd | Self::Data(_) => Chunk::Malformed,
        }
    }

    /// Goes on by bytes of the body.
    pub(crate) fn advance(self, count: usize) -> Self {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        match self {
            Self::Data(left) if left > count => Self::Data(left.saturating_sub(count)),
            Self::Data(_) => Self::DataEnd,
            other => other,
        }
    }
}

/// Reads hexadecimal digits; what follows a semicolon is an extension.
fn size(line: &[u8]) -> Option<u64> {
    let digits = line.split(|byte| *byte == b';').next()?.trim_ascii();
    let digits = core::str::from_utf8(digits).ok()?;
    let valid = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    u64::from_str_radix(digits, 16).ok().filter(|_| valid)
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    /// Reads a whole body, `step` bytes at a time, and returns it with the number of bytes after it.
    fn body(mut bytes: &[u8], step: usize) -> Option<(Vec<u8>, usize)> {
        let mut state = Chunked::Size;
        let mut body = Vec::new();
        let mut window = step;
        loop {
            match state.read(bytes.get(..window).unwrap_or(bytes)) {
                Chunk::Incomplete if window >= bytes.len() => return None,
                Chunk::Incomplete => window = window.saturating_add(step),
                Chunk::Framing(len, next) => {
                    bytes = bytes.get(len..)?;
                    state = next;
                    window = step;
                }
                Chunk::Data(len) => {
                    body.extend(bytes.get(..len)?);
                    bytes = bytes.get(len..)?;
                    state = state.advance(len);
                    window = step;
                }
                Chunk::End(len) => return Some((body, bytes.len().saturating_sub(len))),
                Chunk::Malformed => return None,
            }
        }
    }

    #[test]
    fn bodies_are_read_in_pieces_of_any_size() {
        let text = b"4\r\nWiki\r\n6;name=\"v\"\r\npedia \r\n0E\r\nin \r\n\r\nchunks.\r\n0\r\nX-T: 1\r\n\r\nnext";
        for step in 1..text.len() {
            let read = body(text, step);
            assert_eq!(read, Some((b"Wikipedia in \r\n\r\nchunks.".to_vec(), 4)), "{step}");
        }
        assert_eq!(body(b"2\nab\n0\n\n", 3), Some((b"ab".to_vec(), 0)), "bare line ends");
    }

    #[test]
    fn what_is_no_chunk_is_refused() {
        let endless = [b'1'; MAX_LINE];
        for text in
            [&b"x\r\n"[..], b"\r\n", b"-1\r\n", b"+1\r\na\r\n", b"11111111111111111\r\n", &endless]
        {
            assert_eq!(Chunked::Size.read(text), Chunk::Malformed);
        }
        assert_eq!(
            Chunked::DataEnd.read(b"a\r\n"),
            Chunk::Malformed,
            "a longer chunk than it said"
        );
        assert_eq!(Chunked::Data(5).read(b""), Chunk::Incomplete);
    }
}
