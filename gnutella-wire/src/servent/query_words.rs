//! What a query asks for, hashed once for all tables it is held against.

use crate::huge::{self, Part};
use crate::qrp::{KeywordHash, KeywordRules, MatchRule, QueryTable, is_letter};
use crate::wire::Query;

/// More words than this are not looked at, which lets a query pass rather than stop it.
const MOST: usize = 16;

/// The shortest word that all servents put into their tables.
const SHORTEST: usize = 3;

/// What asks for all that is new, and fits every table that holds anything.
const WHAT_IS_NEW: &[u8] = b"WhatIsNewXOXO";

/// The words and the URNs of a query.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Words {
    hashes: [KeywordHash; MOST],
    plain: usize, // how many of them are words
    urns: usize,  // and how many URNs, after these
    any: bool,
}

impl Words {
    pub(super) fn of(query: &Query<'_>) -> Self {
        let any = query.text.as_bytes() == WHAT_IS_NEW;
        let text = query.text.as_str().unwrap_or_default();
        let mut this = Self { hashes: [KeywordHash::EMPTY; MOST], plain: 0, urns: 0, any };
        // Servents cut words in different ways. What is a word to all of them is judged; only if
        // there are none, the words of `LimeWire` are.
        let words = KeywordRules::LimeWire.query_words(text).filter(|word| is_common(word));
        let mut canonical = words.flat_map(|word| KeywordRules::Gtkg.query_hashes(word));
        this.plain = this.fill(0, &mut canonical);
        if this.plain == 0 {
            this.plain = this.fill(0, &mut KeywordRules::LimeWire.query_hashes(text));
        }
        let mut urns = query.parts().filter_map(|part| match part {
            Ok(Part::Gem(gem)) => huge::keyword_hash(gem.as_bytes()),
            _ => None,
        });
        this.urns = this.fill(this.plain, &mut urns);
        // A block may hold what stands for words: a hash in binary, a longer text.
        let has_block = || query.parts().any(|part| matches!(part, Ok(Part::Ggep(_))));
        this.any |= this.plain == 0 && this.urns == 0 && has_block();
        this
    }

    /// Returns whether something behind the table may match.
    pub(super) fn may_match(&self, table: &QueryTable<&[u8]>) -> bool {
        if self.any {
            return !table.is_empty();
        }
        let (words, rest) = self.hashes.split_at_checked(self.plain).unwrap_or((&[], &[]));
        let urns = rest.iter().take(self.urns).copied();
        table.can_route(words.iter().copied(), urns, MatchRule::AllWords)
    }

    #[cfg_attr(target_os = "none", inline(never))] // once in the image of a device
    fn fill(&mut self, from: usize, hashes: &mut dyn Iterator<Item = KeywordHash>) -> usize {
        let room = self.hashes.iter_mut().skip(from);
        room.zip(hashes).map(|(slot, hash)| *slot = hash).count()
    }
}

fn is_common(word: &str) -> bool {
    let mut letters = 0_usize;
    let all = word.chars().all(|c| {
        letters = letters.saturating_add(1);
        is_letter(c)
    });
    all && letters >= SHORTEST
}
