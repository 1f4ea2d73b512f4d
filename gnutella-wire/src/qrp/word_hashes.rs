//! The hashes of the canonical words of a text, without memory for the text.

use super::canonical::Canonical;
use super::hash::{KeywordHash, Mixer};
use super::keywords::KeywordRules;

/// The most characters that are cut from a word.
const MOST_CUTS: usize = 5;

/// Iterates over the hashes of the canonical words of a name or a query.
#[derive(Debug, Clone)]
pub struct WordHashes<'a> {
    rules: KeywordRules,
    text: Canonical<'a>,
    cuts_words: bool, // for a table
    mixer: Mixer,
    tail: [char; MOST_CUTS], // the last characters of the word
    left: usize,             // how many of them are yet to be cut
}

impl KeywordRules {
    /// Iterates over the canonical characters of a text.
    #[must_use]
    pub fn canonical(self, text: &str) -> Canonical<'_> {
        Canonical::new(self, text)
    }

    /// Iterates over the hashes of the canonical words that a query for `text` asks for. gtk-gnutella
    /// does not hash words below three bytes.
    ///
    /// ```
    /// use gnutella_wire::qrp::{KeywordHash, KeywordRules};
    ///
    /// let mut words = KeywordRules::LimeWire.query_hashes("Café");
    /// assert_eq!(words.next(), Some(KeywordHash::of("cafe")));
    /// ```
    #[must_use]
    pub fn query_hashes(self, text: &str) -> WordHashes<'_> {
        self.hashes(text, false)
    }

    /// Iterates over the hashes under which a file called `name` enters a table: of its canonical
    /// words and of their beginnings. `LimeWire` cuts up to two characters from words of five or
    /// more; gtk-gnutella cuts up to five, as long as four bytes remain.
    #[must_use]
    pub fn table_hashes(self, name: &str) -> WordHashes<'_> {
        self.hashes(name, true)
    }

    #[cfg_attr(target_os = "none", inline(never))] // once in the image of a device
    fn hashes(self, text: &str, cuts_words: bool) -> WordHashes<'_> {
        let text = self.canonical(text);
        let mixer = Mixer::default();
        WordHashes { rules: self, text, cuts_words, mixer, tail: ['\0'; MOST_CUTS], left: 0 }
    }
}

impl Iterator for WordHashes<'_> {
    type Item = KeywordHash;

    fn next(&mut self) -> Option<KeywordHash> {
        if let Some(left) = self.left.checked_sub(1) {
            self.left = left;
            self.cut();
        } else {
            let skips_short = self.rules == KeywordRules::Gtkg && !self.cuts_words;
            let (chars, bytes) = loop {
                let (chars, bytes) = self.read_word();
                if chars == 0 {
                    return None;
                }
                if !skips_short || bytes >= 3 {
                    break (chars, bytes);
                }
            };
            self.left = if self.cuts_words { self.count_cuts(chars, bytes) } else { 0 };
        }
        Some(self.mixer.clone().finish())
    }
}

impl WordHashes<'_> {
    /// Mixes the next word. Returns its length in characters and in bytes, 0 at the end.
    fn read_word(&mut self) -> (usize, usize) {
        self.mixer = Mixer::default();
        let mut chars = 0_usize;
        let mut bytes = 0_usize;
        for c in self.text.by_ref().take_while(|c| *c != ' ') {
            self.mixer.add(c);
            let [_, rest @ ..] = self.tail; // written out, a device needs no routine that moves memory
            let [second, third, fourth, fifth] = rest;
            self.tail = [second, third, fourth, fifth, c];
            chars = chars.saturating_add(1);
            bytes = bytes.saturating_add(c.len_utf8());
        }
        (chars, bytes)
    }

    fn count_cuts(&self, chars: usize, bytes: usize) -> usize {
        match self.rules {
            KeywordRules::LimeWire if chars >= 5 => 2,
            KeywordRules::LimeWire => 0,
            KeywordRules::Gtkg => {
                let mut rest = bytes;
                let cuts = self.tail.iter().rev().take(chars).take_while(|c| {
                    rest = rest.saturating_sub(c.len_utf8());
                    rest >= 4
                });
                cuts.count()
            }
        }
    }

    /// Removes the last character of the word.
    fn cut(&mut self) {
        let [first, second, third, fourth, last] = self.tail;
        self.mixer.remove(last);
        self.tail = ['\0', first, second, third, fourth];
    }
}
