//! One element of a path, made safe.

/// The length in bytes from which an element is shortened.
const LONGEST: usize = 240;
/// An extension of at most this many bytes, its dot included, survives the shortening.
const EXTENSION: usize = 9;
/// Names of devices on Windows, with any extension.
const DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "conin$", "conout$"];

/// A safe element: at most 255 bytes of UTF-8.
#[derive(Debug, Clone, Copy)]
pub(super) struct Element {
    bytes: [u8; 256],
    len: usize,
}

impl Element {
    /// Makes an element safe; `windows` asks for a name that is valid there too.
    pub(super) fn new(raw: &[u8], windows: bool) -> Self {
        let mut element = Self { bytes: [0; 256], len: 0 };
        let mut rest = raw;
        let mut shortened = false;
        loop {
            if element.len >= LONGEST && !shortened {
                shortened = true;
                rest = extension(rest);
            }
            let Some((char, after)) = next_char(rest) else { break };
            rest = after;
            element.push(char, windows);
        }
        if windows {
            element.trim_end();
        }
        if matches!(element.as_bytes(), b"" | b"." | b"..") {
            element.len = 0;
            element.push(Some('_'), false);
        }
        if windows && element.is_device() {
            element.prefix_underscore();
        }
        element
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    pub(super) fn as_str(&self) -> &str {
        core::str::from_utf8(self.as_bytes()).unwrap_or("_") // only whole characters are pushed
    }

    fn push(&mut self, char: Option<char>, windows: bool) {
        let char = match char {
            None => '_',
            Some(char) if is_dropped(char) => return,
            Some(char) if char.is_control() || windows && is_special(char) => '_',
            Some(char) => char,
        };
        let mut utf8 = [0; 4];
        for byte in char.encode_utf8(&mut utf8).bytes() {
            if let Some(place) = self.bytes.get_mut(self.len) {
                *place = byte;
                self.len = self.len.saturating_add(1);
            }
        }
    }

    fn trim_end(&mut self) {
        while matches!(self.as_bytes(), [.., b'.' | b' ']) {
            self.len = self.len.saturating_sub(1);
        }
    }

    fn is_device(&self) -> bool {
        let stem = self.as_str().split('.').next().unwrap_or_default().trim_end();
        let numbered = |prefix: &str| {
            let (head, tail) = stem.split_at_checked(3).unwrap_or_default();
            let digit = matches!(tail, "\u{B9}" | "\u{B2}" | "\u{B3}") // superscripts too
                || matches!(tail.as_bytes(), [b'1'..=b'9']);
            head.eq_ignore_ascii_case(prefix) && digit
        };
        let named = DEVICES.iter().any(|device| stem.eq_ignore_ascii_case(device));
        named || numbered("com") || numbered("lpt")
    }

    fn prefix_underscore(&mut self) {
        self.len = self.len.saturating_add(1).min(self.bytes.len());
        if let Some(used) = self.bytes.get_mut(..self.len)
            && let Some(last) = used.last_mut()
        {
            *last = b'_';
            used.rotate_right(1);
        }
    }
}

/// Returns the extension of what is left of an element, or nothing.
fn extension(rest: &[u8]) -> &[u8] {
    let start = rest.len().saturating_sub(EXTENSION).max(1);
    let tail = rest.get(start..).unwrap_or_default();
    let dot = tail.iter().rposition(|byte| *byte == b'.');
    dot.and_then(|dot| tail.get(dot..)).unwrap_or_default()
}

/// Returns the next character and what follows it; `None` for a sequence that is not UTF-8, whose first byte
/// decides its length.
fn next_char(bytes: &[u8]) -> Option<(Option<char>, &[u8])> {
    let first = *bytes.first()?;
    let len = match first {
        0xC0..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF7 => 4,
        _ => 1,
    };
    let (sequence, rest) = bytes.split_at_checked(len).unwrap_or((bytes, &[]));
    let char = core::str::from_utf8(sequence).ok().and_then(|text| text.chars().next());
    Some((char, rest))
}

/// Separators, and characters that are invisible or change the direction of text.
const fn is_dropped(char: char) -> bool {
    matches!(
        char,
        '/' | '\\'
            | '\0'
            | '\u{061C}'
            | '\u{200B}'..='\u{200F}'
            | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{2064}'
            | '\u{2066}'..='\u{2069}'
            | '\u{FEFF}'
    )
}

/// Characters that are not valid in names on Windows.
const fn is_special(char: char) -> bool {
    matches!(char, '?' | '<' | '>' | '"' | '|' | '*' | ':')
}
