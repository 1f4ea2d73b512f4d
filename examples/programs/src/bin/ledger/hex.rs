//! Hexadecimal text.

use core::fmt::Write as _;

/// Returns bytes as lower-case digits.
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Returns the bytes of an even number of digits.
pub fn decode(text: &str) -> Result<Vec<u8>, String> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|digit| digit.to_digit(16).map(|digit| digit as u8)).collect();
    let digits = digits.ok_or("hexadecimal digits are expected")?;
    let (pairs, odd) = digits.as_chunks::<2>();
    if !odd.is_empty() {
        return Err(format!("an even number of digits is expected, not {}", digits.len()));
    }
    Ok(pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

/// Returns the 32 bytes of 64 digits.
pub fn decode32(text: &str) -> Result<[u8; 32], String> {
    let bytes = decode(text)?;
    let len = bytes.len();
    bytes.try_into().map_err(|_| format!("64 digits are expected, not {}", len * 2))
}
