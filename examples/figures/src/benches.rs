//! The benches of the crates, whose output is a table of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Crate and bench.
pub const ALL: [(&str, &str); 19] = [
    ("bittorrent-pieces", "connections"),
    ("bittorrent-pieces", "dht"),
    ("bittorrent-pieces", "hashes"),
    ("bittorrent-pieces", "metainfo"),
    ("bittorrent-pieces", "picker"),
    ("chord-core", "ring"),
    ("consensus", "consensus"),
    ("gnutella-wire", "index"),
    ("gnutella-wire", "qrp"),
    ("gnutella-wire", "routes"),
    ("gnutella-wire", "servent"),
    ("gnutella-wire", "wire"),
    ("ledger-core", "gossip"),
    ("ledger-core", "merkle"),
    ("ledger-core", "node"),
    ("ledger-core", "state"),
    ("pow", "merkle"),
    ("pow", "pool"),
    ("pow", "search"),
];

/// Runs a bench and returns what it prints, as a block of Markdown.
pub fn run(root: &Path, package: &str, bench: &str) -> Result<String, String> {
    let text = cargo_bench(root, package, bench, &[])?;
    Ok(format!("```text\n{}\n```\n", text.trim_matches('\n')))
}

/// Builds a bench and returns its program.
pub fn executable(root: &Path, package: &str, bench: &str) -> Result<PathBuf, String> {
    let text = cargo_bench(root, package, bench, &["--no-run", "--message-format=json"])?;
    let after = text.split("\"executable\":\"").nth(1);
    let path = after.and_then(|rest| rest.split('"').next());
    path.map(PathBuf::from).ok_or_else(|| format!("cargo does not say where `{bench}` is"))
}

/// Returns what cargo prints, and the bench if it runs.
fn cargo_bench(root: &Path, package: &str, bench: &str, more: &[&str]) -> Result<String, String> {
    let mut command = Command::new("cargo");
    command.args(["bench", "--quiet", "--all-features", "-p", package, "--bench", bench]);
    command.args(more).current_dir(root);
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| format!("cargo does not start: {error}"))?;
    if !output.status.success() {
        return Err(format!("`cargo bench -p {package} --bench {bench}` failed; see above"));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
