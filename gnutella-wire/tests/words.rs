//! The words of names as `LimeWire` and gtk-gnutella spell and hash them.

use gnutella_wire::qrp::{KeywordHash, KeywordRules, WordHashes};

const BITS: u8 = 16;

fn slots(hashes: WordHashes<'_>) -> Vec<u32> {
    let mut slots: Vec<_> = hashes.map(|hash| hash.slot(BITS)).collect();
    slots.sort_unstable();
    slots.dedup();
    slots
}

fn numbers(field: &str) -> Vec<u32> {
    let mut numbers: Vec<_> = field.split_whitespace().map(|n| n.parse().unwrap()).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// Passes with the tables of Unicode and without.
#[test]
fn names_become_the_words_and_slots_of_other_servents() {
    let mut seen = 0;
    for row in include_str!("data/words.tsv").lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<_> = row.split('\t').collect();
        let [name, limewire, limewire_table, gtkg, gtkg_table, gtkg_query] = fields[..] else {
            panic!("{row}");
        };
        let words = |rules: KeywordRules| rules.canonical(name).collect::<String>();
        assert_eq!(words(KeywordRules::LimeWire), limewire, "{name}");
        assert_eq!(words(KeywordRules::Gtkg), gtkg, "{name}");
        let table = slots(KeywordRules::LimeWire.table_hashes(name));
        assert_eq!(table, numbers(limewire_table), "{name}");
        assert_eq!(slots(KeywordRules::Gtkg.table_hashes(name)), numbers(gtkg_table), "{name}");
        assert_eq!(slots(KeywordRules::Gtkg.query_hashes(name)), numbers(gtkg_query), "{name}");
        seen += 1;
    }
    assert_eq!(seen, 20);
}

#[test]
fn accents_do_not_matter_however_they_are_spelt() {
    let of = |text: &str| KeywordRules::Gtkg.canonical(text).collect::<String>();
    for name in
        ["Café Song", "CAFE\u{301} SONG", "cafe song", "ＣＡＦＥ　ｓｏｎｇ", "cafe\u{301}--song"]
    {
        assert_eq!(of(name), "cafe song", "{name}");
    }
    assert_eq!(of("Đặng Thái Sơn"), "đ ang thai son");
    assert_eq!(of("Příliš žluťoučký kůň"), "prilis zlutoucky kun");
    assert_eq!(of("Ελλάδα Ήλιος"), "ελλαδα ηλιος");
    assert_eq!(of(" -- "), "");
}

/// Control characters are neither letters nor signs between words: they are dropped.
#[test]
fn control_characters_are_dropped() {
    for rules in [KeywordRules::Gtkg, KeywordRules::LimeWire] {
        let of = |text: &str| rules.canonical(text).collect::<String>();
        assert_eq!(of("he\u{7}y ju\u{0}de\u{7F}"), "hey jude", "{rules:?}");
        assert_eq!(of("hey\u{85}jude"), "heyjude", "{rules:?}");
    }
}

/// Without the tables of Unicode too.
#[test]
fn lower_case_covers_the_common_alphabets() {
    let pairs =
        ["ÀÞŸ àþÿ", "ĀĶĹŇŊŶŹŽ āķĺňŋŷźž", "ΑΡΣΩ αρσω", "АЯЁЂҐ аяёђґ", "ԱՖ աֆ", "ǍǛǞǮȀ ǎǜǟǯȁ"];
    for pair in pairs {
        let (upper, lower) = pair.split_once(' ').unwrap();
        assert_eq!(KeywordHash::of(upper), KeywordHash::of(lower), "{pair}");
    }
}

#[cfg(feature = "unicode")]
#[test]
fn the_tables_fold_other_scripts() {
    let of = |text: &str| KeywordRules::Gtkg.canonical(text).collect::<String>();
    assert_eq!(of("ｶﾞｿﾞｳ"), "ガゾウ", "half width");
    assert_eq!(of("한글"), "한글", "composed again");
    assert_eq!(of("ἀ ὧ"), "α ω", "Greek extended");
}
