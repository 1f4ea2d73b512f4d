//! Names and queries as other servents spell them before they hash: without case and accents.

use core::str::Chars;

use super::fold;
use super::keywords::KeywordRules;

/// The longest decomposition of a character of Unicode, in characters.
const MOST_PARTS: usize = 18;

/// Iterates over the characters of a text in canonical form: decomposed by compatibility, in lower
/// case, without accents, its words separated by single spaces.
///
/// A word also ends between two blocks of Unicode, so `Søren` becomes `s ø ren`, as in `LimeWire`
/// and gtk-gnutella. Without the feature `unicode` Latin loses its accents, and so do the common
/// letters of Greek and Cyrillic; other scripts keep theirs.
///
/// ```
/// use gnutella_wire::qrp::KeywordRules;
///
/// let text: String = KeywordRules::Gtkg.canonical("Björk - Jóga.flac").collect();
/// assert_eq!(text, "bjork joga flac");
/// ```
#[derive(Debug, Clone)]
pub struct Canonical<'a> {
    rules: KeywordRules,
    folded: Folded<'a>,
    last: Option<char>, // of the word that was returned last
    next: Option<char>, // after a space
}

impl<'a> Canonical<'a> {
    pub(super) fn new(rules: KeywordRules, text: &'a str) -> Self {
        let parts = Parts { chars: ['\0'; MOST_PARTS], len: 0, at: 0 };
        let folded = Folded { rules, source: text.chars(), parts, held: None };
        Self { rules, folded, last: None, next: None }
    }
}

impl Iterator for Canonical<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        if let Some(next) = self.next.take() {
            self.last = Some(next);
            return Some(next);
        }
        let mut between = false;
        loop {
            let c = self.folded.next()?;
            match self.rules.class(c) {
                Class::Dropped => {}
                Class::Separator => between = true,
                Class::Letter => {
                    let last = self.last.replace(c);
                    let ends =
                        last.is_some_and(|last| between || fold::block(last) != fold::block(c));
                    if !ends {
                        return Some(c);
                    }
                    self.next = Some(c);
                    return Some(' ');
                }
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Class {
    Letter,
    Separator,
    Dropped,
}

impl KeywordRules {
    /// Returns what becomes of a folded character.
    fn class(self, c: char) -> Class {
        match self {
            _ if c.is_control() => Class::Dropped,
            Self::LimeWire if is_excluded(c) => Class::Dropped,
            Self::LimeWire if self.separates(c) => Class::Separator,
            // A capital here comes from a symbol such as U+2116.
            Self::Gtkg if !fold::is_letter(c) || fold::lower(c) != c => Class::Separator,
            Self::LimeWire | Self::Gtkg => Class::Letter,
        }
    }
}

/// Returns whether `LimeWire` drops a character: signs of currencies and of mathematics.
fn is_excluded(c: char) -> bool {
    fold::is_in(&EXCLUDED, c)
}

const EXCLUDED: [(u16, u16); 18] = [
    (0x24, 0x24), // dollar
    (0x27, 0x27), // apostrophe
    (0x2B, 0x2B), // plus
    (0x3C, 0x3E), // less, equal, greater
    (0x5E, 0x5E), // circumflex
    (0x60, 0x60), // grave
    (0x7C, 0x7C), // bar
    (0x7E, 0x7E), // tilde
    (0xA2, 0xA5),
    (0xAC, 0xAC),
    (0xB1, 0xB1),
    (0xD7, 0xD7),
    (0xF7, 0xF7),
    (0x2044, 0x2044),
    (0x2052, 0x2052),
    (0x20A0, 0x20CF),
    (0x2190, 0x2194),
    (0x2200, 0x22FF),
];

/// The characters of a text, decomposed, without marks, and composed again.
#[derive(Debug, Clone)]
struct Folded<'a> {
    rules: KeywordRules,
    source: Chars<'a>,
    parts: Parts,
    held: Option<char>, // which the next one may compose with
}

impl Iterator for Folded<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        loop {
            let Some(part) = self.next_part() else { return self.held.take() };
            if fold::is_mark(part) {
                continue;
            }
            let Some(held) = self.held.replace(part) else { continue };
            match fold::compose(held, part) {
                Some(both) => self.held = Some(both),
                None => return Some(held),
            }
        }
    }
}

impl Folded<'_> {
    fn next_part(&mut self) -> Option<char> {
        loop {
            if let Some(part) = self.parts.take() {
                return Some(part);
            }
            let c = self.source.next()?;
            self.parts.clear();
            let lowers_first = self.rules == KeywordRules::Gtkg;
            let lower_if = |wanted, c| if wanted { fold::lower(c) } else { c };
            let c = lower_if(lowers_first, c);
            fold::decompose(c, |part| self.parts.put(lower_if(!lowers_first, part)));
        }
    }
}

/// The parts of one character.
#[derive(Debug, Clone)]
struct Parts {
    chars: [char; MOST_PARTS],
    len: usize,
    at: usize,
}

impl Parts {
    const fn clear(&mut self) {
        self.len = 0;
        self.at = 0;
    }

    fn put(&mut self, c: char) {
        if let Some(free) = self.chars.get_mut(self.len) {
            *free = c;
            self.len = self.len.saturating_add(1);
        }
    }

    fn take(&mut self) -> Option<char> {
        let part = self.chars.get(..self.len)?.get(self.at).copied()?;
        self.at = self.at.saturating_add(1);
        Some(part)
    }
}
