//! The lines of JSON in published vectors.

/// The value of a key on a line of JSON: a number, a word, a text without its quotes, or a list.
pub fn field<'l>(line: &'l str, key: &str) -> &'l str {
    let start = line.find(&format!("\"{key}\":")).expect("the key is there") + key.len() + 3;
    let value = &line[start..];
    match value.as_bytes()[0] {
        b'"' => value[1..].split('"').next().expect("it is closed"),
        b'[' => &value[1..value.find(']').expect("it is closed")],
        _ => value.split([',', '}']).next().expect("it ends"),
    }
}
