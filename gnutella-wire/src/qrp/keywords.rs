//! What counts as a word, by the rules of two servents.

use super::fold::is_letter;

/// How a servent cuts names and queries into words.
///
/// Both remove accents first: [`canonical`](Self::canonical) does so, and
/// [`table_hashes`](Self::table_hashes) and [`query_hashes`](Self::query_hashes) hash the words that
/// result. [`table_words`](Self::table_words) and [`query_words`](Self::query_words) return slices of
/// the text as it is.
///
/// ```
/// use gnutella_wire::qrp::KeywordRules;
///
/// let words: Vec<_> = KeywordRules::LimeWire.query_words("good GOODS").collect();
/// assert_eq!(words, ["good", "GOODS"]);
/// let words: Vec<_> = KeywordRules::LimeWire.table_words("my goods").collect();
/// assert_eq!(words, ["my", "goods", "good", "goo"]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeywordRules {
    /// `LimeWire`: cuts at a space and at ``-._+/*()\,``. A word of five letters or more also
    /// enters without its last one and without its last two.
    LimeWire,
    /// gtk-gnutella: cuts at whatever is neither letter nor digit. Words of fewer than three
    /// letters do not count; a word also enters as each of its beginnings of three letters or more.
    Gtkg,
}

/// The words of a query.
#[derive(Debug, Clone)]
pub struct QueryWords<'a> {
    rules: KeywordRules,
    rest: &'a str,
}

/// The words of a name, with the beginnings that enter a table.
#[derive(Debug, Clone)]
pub struct TableWords<'a> {
    words: QueryWords<'a>,
    cut: Option<&'a str>, // what comes next of the present word
    left: usize,          // and how many more after it
}

impl KeywordRules {
    /// Iterates over the words that a query for `text` asks for.
    #[must_use]
    pub const fn query_words(self, text: &str) -> QueryWords<'_> {
        QueryWords { rules: self, rest: text }
    }

    /// Iterates over the words under which a file called `name` enters a table.
    #[must_use]
    pub const fn table_words(self, name: &str) -> TableWords<'_> {
        TableWords { words: self.query_words(name), cut: None, left: 0 }
    }

    pub(super) fn separates(self, c: char) -> bool {
        match self {
            Self::LimeWire => {
                matches!(c, ' ' | '-' | '.' | '_' | '+' | '/' | '*' | '(' | ')' | '\\' | ',')
            }
            Self::Gtkg => !is_letter(c),
        }
    }

    const fn shortest(self) -> usize {
        match self {
            Self::LimeWire => 1,
            Self::Gtkg => 3,
        }
    }

    /// Returns how many beginnings of a word of `letters` letters enter besides it.
    const fn cuts(self, letters: usize) -> usize {
        match self {
            Self::LimeWire if letters >= 5 => 2,
            Self::LimeWire => 0,
            Self::Gtkg => letters.saturating_sub(3),
        }
    }
}

impl<'a> Iterator for QueryWords<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let rules = self.rules;
        while !self.rest.is_empty() {
            let cut = self.rest.split_once(|c| rules.separates(c));
            let (word, rest) = cut.unwrap_or((self.rest, ""));
            self.rest = rest;
            if word.chars().take(rules.shortest()).count() == rules.shortest() {
                return Some(word);
            }
        }
        None
    }
}

impl<'a> Iterator for TableWords<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let word = if let Some(cut) = self.cut {
            cut
        } else {
            let word = self.words.next()?;
            self.left = self.words.rules.cuts(word.chars().count());
            word
        };
        let mut shorter = word.chars();
        let has_shorter = self.left > 0 && shorter.next_back().is_some();
        self.cut = has_shorter.then_some(shorter.as_str());
        self.left = self.left.saturating_sub(1);
        Some(word)
    }
}
