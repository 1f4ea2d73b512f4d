//! Just enough of JSON for the data files of the tests.

#![allow(dead_code, reason = "each test file uses a part")]

use std::collections::BTreeMap;

/// A value without escapes, fractions or exponents.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    Text(String),
    Number(i64),
    List(Vec<Json>),
    Map(BTreeMap<String, Json>),
}

impl Json {
    /// Parses a whole text.
    pub fn of(text: &str) -> Self {
        Self::parse(&mut text.trim_start())
    }

    /// Parses a value from the front of the text.
    pub fn parse(text: &mut &str) -> Self {
        let value = match text.as_bytes()[0] {
            b'"' => Self::Text(parse_text(text)),
            b'[' => Self::List(parse_list(text)),
            b'{' => Self::Map(parse_map(text)),
            _ => parse_word(text),
        };
        *text = text.trim_start();
        value
    }

    pub fn get(&self, key: &str) -> Option<&Self> {
        let Self::Map(map) = self else { panic!("a map: {self:?}") };
        map.get(key)
    }

    pub fn at(&self, key: &str) -> &Self {
        self.get(key).unwrap_or_else(|| panic!("{key}: {self:?}"))
    }

    pub fn list(&self) -> &[Self] {
        let Self::List(list) = self else { panic!("a list: {self:?}") };
        list
    }

    pub fn text(&self) -> &str {
        let Self::Text(text) = self else { panic!("text: {self:?}") };
        text
    }

    pub fn number(&self) -> i64 {
        let Self::Number(number) = self else { panic!("a number: {self:?}") };
        *number
    }

    pub fn bool(&self) -> bool {
        let Self::Bool(value) = self else { panic!("a bool: {self:?}") };
        *value
    }

    pub fn is_null(&self) -> bool {
        *self == Self::Null
    }
}

fn skip(text: &mut &str, len: usize) {
    *text = text[len..].trim_start();
}

fn parse_text(text: &mut &str) -> String {
    let end = text[1..].find('"').expect("a closing quote") + 1;
    let word = text[1..end].to_owned();
    skip(text, end + 1);
    word
}

fn parse_list(text: &mut &str) -> Vec<Json> {
    let mut items = Vec::new();
    skip(text, 1);
    while !text.starts_with(']') {
        items.push(Json::parse(text));
        *text = text.strip_prefix(',').unwrap_or(text).trim_start();
    }
    skip(text, 1);
    items
}

fn parse_map(text: &mut &str) -> BTreeMap<String, Json> {
    let mut map = BTreeMap::new();
    skip(text, 1);
    while !text.starts_with('}') {
        let key = parse_text(text);
        skip(text, 1);
        map.insert(key, Json::parse(text));
        *text = text.strip_prefix(',').unwrap_or(text).trim_start();
    }
    skip(text, 1);
    map
}

fn parse_word(text: &mut &str) -> Json {
    let end = text.find([',', ']', '}', '\n', ' ']).unwrap_or(text.len());
    let word = text[..end].to_owned();
    skip(text, end);
    match word.as_str() {
        "null" => Json::Null,
        "true" => Json::Bool(true),
        "false" => Json::Bool(false),
        number => Json::Number(number.parse().expect("a number")),
    }
}
