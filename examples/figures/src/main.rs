//! Measures the crates beside published crates that do the same, runs their benches, and writes the tables of the project's
//! texts.
//!
//! Contestants run in turn in one run: CPU time of one thread, the best of several rounds. Only ratios of one run mean something.

mod benches;
mod bencode;
mod cpu;
mod end_to_end;
mod headers;
mod machine;
mod measure;
mod merkle;
mod nearest;
mod next_hop;
mod picker;
mod routes;
mod signatures;
mod texts;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// A name, and what measures it in the folder of the project.
type Table = (&'static str, fn(&Path) -> Result<String, String>);

const TABLES: [Table; 10] = [
    ("end_to_end", end_to_end::measure),
    ("headers", |_| Ok(headers::measure())),
    ("merkle", |_| Ok(merkle::measure())),
    ("messages", |_| Ok(bencode::messages())),
    ("metainfo", |_| Ok(bencode::metainfo())),
    ("nearest", |_| Ok(nearest::measure())),
    ("next_hop", next_hop::measure),
    ("picker", picker::measure),
    ("routes", |_| Ok(routes::measure())),
    ("signatures", |_| Ok(signatures::measure())),
];

const USAGE: &str = "Measures the crates beside published crates that do the same, and runs their benches.

Usage: figures [--write] [NAME]...

  NAME     A table beside other crates, or CRATE/BENCH for a bench of a crate. Without a name: all of them.
  --write  Also replaces what stands between `<!-- figures: NAME -->` and `<!-- end of figures -->` in the Markdown
           files of the project.

Exit status: 0 done, 1 a bench or a file failed, 2 wrong arguments.

Example:
  cargo run --release --manifest-path examples/figures/Cargo.toml -- headers ledger-core/state
";

fn main() -> ExitCode {
    let mut wanted: Vec<String> = std::env::args().skip(1).collect();
    if wanted.iter().any(|word| word == "--help" || word == "-h") {
        print!("{USAGE}\nNames: {}\n", names().join(", "));
        return ExitCode::SUCCESS;
    }
    let is_written = wanted.iter().any(|word| word == "--write");
    wanted.retain(|word| word != "--write");
    let names = names();
    if let Some(unknown) = wanted.iter().find(|word| !names.contains(word)) {
        eprintln!("figures: there is no table `{unknown}`, only {}", names.join(", "));
        return ExitCode::from(2);
    }
    if wanted.is_empty() {
        wanted = names;
    }
    match run(&wanted, is_written) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("figures: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Returns the names of all tables and benches.
fn names() -> Vec<String> {
    let tables = TABLES.iter().map(|(name, _)| (*name).to_owned());
    let benches = benches::ALL.iter().map(|(package, bench)| format!("{package}/{bench}"));
    tables.chain(benches).collect()
}

fn run(wanted: &[String], is_written: bool) -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let texts = if is_written { marked(&root)? } else { vec![] };
    for (position, name) in wanted.iter().enumerate() {
        eprintln!("{} of {}: {name}", position + 1, wanted.len());
        let table = measure(&root, name)?;
        println!("{table}");
        for path in &texts {
            write(path, name, &table)?;
        }
    }
    Ok(())
}

/// Returns a table with the command, the machine and the day above it.
fn measure(root: &Path, name: &str) -> Result<String, String> {
    let (command, table) = match name.split_once('/') {
        Some((package, bench)) => {
            let command = format!("cargo bench --all-features -p {package} --bench {bench}");
            (command, benches::run(root, package, bench)?)
        }
        None => {
            let table = TABLES.iter().find(|(known, _)| *known == name);
            let (_, measure) = table.ok_or_else(|| format!("there is no table `{name}`"))?;
            (format!("figures {name}"), measure(root)?)
        }
    };
    Ok(format!("`{command}`, {}\n\n{table}", machine::description()))
}

/// Returns the files with marks, all of which name tables that exist.
fn marked(root: &Path) -> Result<Vec<PathBuf>, String> {
    let known = names();
    let mut found = vec![];
    for path in texts::below(root).map_err(|error| format!("{}: {error}", root.display()))? {
        let text = read(&path)?;
        let marks = texts::names(&text);
        if let Some(unknown) = marks.iter().find(|mark| !known.iter().any(|name| name == *mark)) {
            return Err(format!("{}: no table is called `{unknown}`", path.display()));
        }
        if !marks.is_empty() {
            found.push(path);
        }
    }
    Ok(found)
}

fn write(path: &Path, name: &str, table: &str) -> Result<(), String> {
    let text = read(path)?;
    if !texts::names(&text).contains(&name) {
        return Ok(());
    }
    let replaced = texts::replaced(&text, name, table);
    let replaced =
        replaced.ok_or_else(|| format!("{}: `{name}` has no end mark", path.display()))?;
    fs::write(path, replaced).map_err(|error| format!("{}: {error}", path.display()))
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}
