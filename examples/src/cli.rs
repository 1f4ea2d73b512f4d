//! The command line of all programs: arguments by `clap`, the same exit codes, one style of errors.
//!
//! | code | meaning |
//! |---|---|
//! | 0 | success |
//! | 1 | failure: an error, or what was looked for does not exist |
//! | 2 | wrong usage |
//! | 3 | stopped early, by a time limit, Ctrl-C or SIGTERM |
//!
//! Results go to standard output, progress and errors to standard error. Each error is one line that begins with
//! `error: `.

use core::fmt::Display;
use core::ops::RangeInclusive;
use core::str::FromStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{fs, io, panic, process};

use clap::{ArgMatches, Command, FromArgMatches, Parser};

use crate::progress;

/// The end of every `--help`.
const EXIT_CODES: &str = "\
Exit codes: 0 success; 1 failure, or nothing found; 2 wrong usage; 3 stopped early by a time limit, Ctrl-C or SIGTERM";

/// How a program ends if nothing went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All was done.
    Success,
    /// What was looked for does not exist, or a check failed; the program has printed which.
    Failure,
    /// The arguments contradict each other; the program has printed how.
    Usage,
    /// A time limit or a signal came first.
    Stopped,
}

/// How a program ends. An error is a sentence for people, without a final stop.
pub type Result<T = Exit> = core::result::Result<T, String>;

/// The error of what a signal interrupted. A program that ends with it has the code of [`Exit::Stopped`].
pub const INTERRUPTED: &str = "interrupted";

/// Options that all programs have.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Common {
    /// Print no progress on standard error
    #[arg(long, short, global = true)]
    pub quiet: bool,
}

/// Parses the command line, runs the program and returns its exit code.
///
/// A program whose standard output is closed ends without a word, as `head` expects. One whose standard output cannot be
/// written for another reason, such as a full disk, ends as after any error.
#[must_use]
pub fn run<P: Parser>(common: fn(&P) -> Common, program: fn(P) -> Result) -> ExitCode {
    end_on_closed_pipe();
    end_on_failed_output();
    let parsed = with_exit_codes(P::command()).try_get_matches().and_then(parse::<P>);
    let args = match parsed {
        Ok(args) => args,
        Err(error) => {
            let _ = error.print(); // nobody reads it if the terminal is closed
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    progress::set_quiet(common(&args).quiet);
    let result = program(args);
    progress::clear();
    match result {
        Ok(exit) => exit.into(),
        Err(what) => {
            eprintln!("error: {what}");
            if what == INTERRUPTED { Exit::Stopped.into() } else { ExitCode::FAILURE }
        }
    }
}

fn parse<P: FromArgMatches>(mut matches: ArgMatches) -> core::result::Result<P, clap::Error> {
    P::from_arg_matches_mut(&mut matches)
}

/// Appends the exit codes to the help of a command and of all its subcommands.
fn with_exit_codes(command: Command) -> Command {
    let example = command.get_after_help().map(|text| format!("{text}\n\n")).unwrap_or_default();
    let names: Vec<String> =
        command.get_subcommands().map(|one| one.get_name().to_owned()).collect();
    let command = command.after_help(format!("{example}{EXIT_CODES}")).max_term_width(110);
    names.into_iter().fold(command, |all, name| all.mut_subcommand(name, with_exit_codes))
}

/// Ends the process, with the code of a program that SIGPIPE ended, when standard output is closed.
///
/// Sockets are not concerned: the standard library writes to them without this signal.
#[cfg(unix)]
fn end_on_closed_pipe() {
    use core::sync::atomic::AtomicBool;
    use signal_hook::{consts::SIGPIPE, flag::register_conditional_shutdown};
    let always = std::sync::Arc::new(AtomicBool::new(true));
    let _ = register_conditional_shutdown(SIGPIPE, 128 + SIGPIPE, always); // without it `println!` panics
}

#[cfg(not(unix))]
fn end_on_closed_pipe() {}

/// Ends the process with an error where `println!` would panic because standard output cannot be written.
fn end_on_failed_output() {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let text = info.payload().downcast_ref::<String>();
        let Some(error) = text.and_then(|text| text.strip_prefix("failed printing to stdout: "))
        else {
            return usual(info);
        };
        let _ = writeln!(io::stderr(), "error: cannot write to standard output: {error}"); // it may be full too
        process::exit(1);
    }));
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Success => Self::SUCCESS,
            Exit::Failure => Self::FAILURE,
            Exit::Usage => Self::from(2),
            Exit::Stopped => Self::from(3),
        }
    }
}

impl Exit {
    /// Returns success if `found`, failure otherwise.
    #[must_use]
    pub const fn success_if(found: bool) -> Self {
        if found { Self::Success } else { Self::Failure }
    }

    /// Returns [`Stopped`](Self::Stopped) if `stopped`, success otherwise.
    #[must_use]
    pub const fn stopped_if(stopped: bool) -> Self {
        if stopped { Self::Stopped } else { Self::Success }
    }
}

/// Refuses arguments that contradict each other.
///
/// # Errors
///
/// None: it returns [`Exit::Usage`].
pub fn refuse(what: &str) -> Result {
    eprintln!("error: {what}\n\nFor more information, try '--help'.");
    Ok(Exit::Usage)
}

/// Where a program writes its files: the option `--out`, the same in all of them.
#[derive(Debug, Clone, clap::Args)]
pub struct Out {
    /// Write files into this folder, which is created if needed
    #[arg(long, value_name = "DIR", default_value = "target/out")]
    pub out: PathBuf,
}

impl Out {
    /// Writes a file into the folder, and prints its path.
    ///
    /// # Errors
    ///
    /// A sentence that names the file.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> Result<()> {
        let path = self.out.join(name);
        write(&path, content.as_ref())?;
        println!("wrote {}", path.display());
        Ok(())
    }
}

/// Writes a file; creates its folder if needed.
///
/// # Errors
///
/// A sentence that names the file.
pub fn write(path: &Path, content: &[u8]) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed("create the folder", folder))?;
    }
    fs::write(path, content).map_err(failed("write", path))
}

/// Names what failed and with which file: "cannot read a.txt: permission denied".
pub fn failed(verb: &str, path: &Path) -> impl FnOnce(io::Error) -> String {
    move |error| format!("cannot {verb} {}: {error}", path.display())
}

/// Returns an error of a library as a sentence.
pub fn sentence(error: impl Display) -> String {
    error.to_string()
}

/// Returns a parser of numbers in a range, for `value_parser`.
pub fn within<T>(range: RangeInclusive<T>) -> impl Fn(&str) -> Result<T> + Clone + Send + Sync
where
    T: FromStr + PartialOrd + Display + Clone + Send + Sync + 'static,
{
    move |text| {
        let number = text.parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| {
            format!("a number from {} to {} is expected", range.start(), range.end())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_outside_of_the_range_are_refused_with_the_range() {
        let parse = within(1..=15_u8);
        assert_eq!(parse("15"), Ok(15));
        for wrong in ["0", "16", "-1", "256", "many", ""] {
            assert_eq!(parse(wrong), Err("a number from 1 to 15 is expected".into()));
        }
    }
}
