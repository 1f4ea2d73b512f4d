//! The words of a command line, for the smaller programs.

use core::fmt::Display;
use core::ops::RangeInclusive;
use core::str::FromStr;
use std::process::ExitCode;

/// The words that were not read yet.
pub struct Words(std::vec::IntoIter<String>);

/// A subcommand: its name, and what runs it.
pub type Subcommand = (&'static str, fn(Vec<String>) -> ExitCode);

/// Runs the subcommand that the first word of the command line names.
#[must_use]
pub fn dispatch(program: &str, subcommands: &[Subcommand]) -> ExitCode {
    let mut words = std::env::args().skip(1);
    let first = words.next().unwrap_or_default();
    let known = subcommands.iter().find(|(name, _)| *name == first);
    if let Some((_, run)) = known {
        return run(words.collect());
    }
    let names: Vec<_> = subcommands.iter().map(|(name, _)| *name).collect();
    let usage = format!("Usage: {program} COMMAND ..\n\nCommands: {}", names.join(", "));
    if first == "--help" || first == "-h" {
        println!("{usage}\n\nExample: {program} {} --help", names[0]);
        return ExitCode::SUCCESS;
    }
    eprintln!("{program}: unknown command {first:?}; see {program} --help\n\n{usage}");
    ExitCode::from(2)
}

/// Runs a program: prints its help if one of the words asks for it, and otherwise what is wrong.
pub fn start<A>(
    words: Vec<String>,
    program: &str,
    help: &str,
    parse: impl FnOnce(Words) -> Result<A, String>,
    run: impl FnOnce(A) -> Result<ExitCode, String>,
) -> ExitCode {
    if words.iter().any(|word| word == "--help" || word == "-h") {
        println!("{help}");
        return ExitCode::SUCCESS;
    }
    match parse(Words(words.into_iter())) {
        Ok(args) => run(args).unwrap_or_else(|what| {
            eprintln!("{program}: {what}");
            ExitCode::FAILURE
        }),
        Err(what) => {
            eprintln!("{program}: {what}; see {program} --help");
            ExitCode::from(2)
        }
    }
}

impl Words {
    /// Returns the value of an option.
    ///
    /// # Errors
    ///
    /// A text for people if there is none.
    pub fn value(&mut self, flag: &str) -> Result<String, String> {
        self.next().ok_or_else(|| format!("{flag} needs a value"))
    }

    /// Returns the value of an option as a number.
    ///
    /// # Errors
    ///
    /// A text for people if there is none, or it is no number or out of range.
    pub fn number<T: FromStr + PartialOrd + Display>(
        &mut self,
        flag: &str,
        range: RangeInclusive<T>,
    ) -> Result<T, String> {
        let value = self.value(flag)?;
        let number = value.parse().ok().filter(|number| range.contains(number));
        let (least, most) = range.into_inner();
        number.ok_or_else(|| format!("{flag} takes a number from {least} to {most}, not {value}"))
    }
}

impl Iterator for Words {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        self.0.next()
    }
}
