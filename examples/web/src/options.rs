//! The setup of a world as the page's address has it: `m=5&nodes=1,4,8`.

use core::str::FromStr;

/// Named values.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options(Vec<(String, String)>);

impl Options {
    /// Reads `name=value` pairs between `&`. A pair without `=` has an empty value.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (name.to_owned(), value.to_owned())
        };
        Self(text.split('&').filter(|text| !text.is_empty()).map(pair).collect())
    }

    /// Returns a value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Sets a value.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.0.retain(|(known, _)| known != name);
        self.0.push((name.into(), value.into()));
        self
    }

    /// Returns a number, or `default` if it is missing.
    ///
    /// # Errors
    ///
    /// A sentence that names the option and its bounds.
    #[expect(clippy::needless_pass_by_value, reason = "numbers")]
    pub fn number<T>(&self, name: &str, default: T, least: T, most: T) -> Result<T, String>
    where
        T: FromStr + PartialOrd + core::fmt::Display,
    {
        let Some(value) = self.get(name) else { return Ok(default) };
        let number = value.parse().ok().filter(|number| (&least..=&most).contains(&number));
        number.ok_or_else(|| format!("{name} is a number from {least} to {most}, not {value:?}"))
    }

    /// Returns a list of numbers.
    ///
    /// # Errors
    ///
    /// A sentence that names the option.
    pub fn list<T: FromStr>(&self, name: &str) -> Result<Option<Vec<T>>, String> {
        self.get(name).map(|value| list(name, value)).transpose()
    }
}

/// Reads numbers between commas.
///
/// # Errors
///
/// A sentence that names the list.
pub fn list<T: FromStr>(name: &str, text: &str) -> Result<Vec<T>, String> {
    let numbers = text.split(',').filter(|part| !part.is_empty()).map(str::parse);
    let wrong = |_| format!("{name} is a list of numbers such as 1,4,8, not {text:?}");
    numbers.collect::<Result<_, _>>().map_err(wrong)
}

/// Reads the number of a command.
///
/// # Errors
///
/// A sentence that names what is missing.
pub fn number<T: FromStr>(what: &str, word: Option<&&str>) -> Result<T, String> {
    word.and_then(|word| word.parse().ok()).ok_or_else(|| format!("{what} is a number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_lists_are_read_within_their_bounds() {
        let options = Options::parse("m=5&nodes=1,4,8&empty");
        assert_eq!(options.number("m", 3, 1, 16), Ok(5));
        assert_eq!(options.number("seed", 7, 0, 9), Ok(7));
        assert!(options.number("m", 3, 6, 16).unwrap_err().contains("from 6 to 16"));
        assert_eq!(options.list("nodes"), Ok(Some(vec![1_u32, 4, 8])));
        assert!(
            options.list::<u32>("m").is_ok() && Options::parse("n=a").list::<u32>("n").is_err()
        );
        assert_eq!(options.get("empty"), Some(""));
        assert_eq!(options.get("other"), None);
    }
}
