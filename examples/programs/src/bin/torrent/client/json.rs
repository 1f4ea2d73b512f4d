//! JSON, one object in a line.

use core::fmt::Write as _;

/// A value.
#[derive(Debug, Clone)]
pub enum Json {
    Text(String),
    Number(u64),
    Float(f64),
    Switch(bool),
    Null,
    List(Vec<Json>),
    Object(Vec<(&'static str, Json)>),
}

impl Json {
    /// Returns the text of something that can be displayed.
    #[expect(clippy::needless_pass_by_value, reason = "it is passed to `map`")]
    pub fn text(value: impl ToString) -> Self {
        Self::Text(value.to_string())
    }

    /// Returns a value or `null`.
    pub fn option<T>(value: Option<T>, json: impl FnOnce(T) -> Self) -> Self {
        value.map_or(Self::Null, json)
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Text(text) => quote(text, out),
            Self::Number(number) => out.push_str(&number.to_string()),
            Self::Float(number) => {
                let _ = write!(out, "{number:.3}"); // a string takes everything
            }
            Self::Switch(on) => out.push_str(if *on { "true" } else { "false" }),
            Self::Null => out.push_str("null"),
            Self::List(items) => {
                out.push('[');
                for (nth, item) in items.iter().enumerate() {
                    out.push_str(if nth == 0 { "" } else { "," });
                    item.write(out);
                }
                out.push(']');
            }
            Self::Object(fields) => {
                out.push('{');
                for (nth, (key, value)) in fields.iter().enumerate() {
                    out.push_str(if nth == 0 { "" } else { "," });
                    quote(key, out);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

impl core::fmt::Display for Json {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let mut out = String::new();
        self.write(&mut out);
        f.write_str(&out)
    }
}

fn quote(text: &str, out: &mut String) {
    out.push('"');
    for char in text.chars() {
        match char {
            '"' | '\\' => out.extend(['\\', char]),
            // Control characters, and the two that end a line in JavaScript.
            '\0'..='\x1F' | '\x7F'..='\u{9F}' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(char)); // a string takes everything
            }
            _ => out.push(char),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_rfc_8259_says() {
        let value = Json::Object(vec![
            ("text", Json::text("a\"b\\c\n\u{1b}[0mé")),
            ("list", Json::List(vec![Json::Number(1), Json::Null, Json::Switch(true)])),
            ("float", Json::Float(0.5)),
        ]);
        let line = r#"{"text":"a\"b\\c\u000a\u001b[0mé","list":[1,null,true],"float":0.500}"#;
        assert_eq!(value.to_string(), line);
    }
}
