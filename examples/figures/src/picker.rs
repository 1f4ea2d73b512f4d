//! The picker beside libtorrent's: both programs run the workloads of `bittorrent-pieces/benches/picker`, in turn.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::benches;

const PIECES: [u32; 4] = [1_000, 10_000, 100_000, 1_000_000];
const PEERS: [u32; 3] = [50, 200, 1_000];
const ROUNDS: u32 = 5;

/// A line that a program prints: what it measured, and the least of all rounds.
struct Figure {
    name: String,
    unit: String,
    least: f64,
}

/// Measures both, or ours alone where libtorrent cannot be built, and says why.
///
/// # Errors
///
/// A sentence if a program fails.
pub fn measure(root: &Path) -> Result<String, String> {
    let ours = benches::executable(root, "bittorrent-pieces", "picker")?;
    let libtorrent = build(root);
    let version = match &libtorrent {
        Ok((_, version)) => version.as_str(),
        Err(_) => "that is missing",
    };
    let mut text = format!(
        "Ours, libtorrent {version}, and the ratio of the two: below 1 ours is faster. The least of {ROUNDS} rounds.\n"
    );
    for pieces in PIECES {
        let mut columns = vec![];
        for peers in PEERS {
            eprintln!("  {pieces} pieces, {peers} peers");
            let mut ours_least = vec![];
            let mut libtorrent_least = vec![];
            for _ in 0..ROUNDS {
                keep_least(&mut ours_least, run(&ours, pieces, peers)?);
                if let Ok((program, _)) = &libtorrent {
                    keep_least(&mut libtorrent_least, run(program, pieces, peers)?);
                }
            }
            columns.push((peers, ours_least, libtorrent_least));
        }
        text += &table(pieces, &columns);
    }
    if let Err(reason) = libtorrent {
        _ = writeln!(text, "\nlibtorrent was not measured: {reason}."); // a `String` takes all
    }
    Ok(text)
}

/// Builds libtorrent's picker; returns the program and the version, or why it cannot be built.
fn build(root: &Path) -> Result<(PathBuf, String), String> {
    let folder = root.join("target/libtorrent");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("libtorrent/build.sh");
    let output = Command::new("bash").arg(script).arg(&folder).output();
    let output = output.map_err(|error| format!("bash does not start: {error}"))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        eprint!("{errors}");
        return Err(errors.lines().last().unwrap_or("build.sh failed").to_owned());
    }
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Ok((folder.join("picker"), version))
}

/// Runs a program once for one size.
fn run(program: &Path, pieces: u32, peers: u32) -> Result<Vec<Figure>, String> {
    let sizes = [pieces, peers, 1].map(|number| number.to_string());
    let named = |error: String| format!("{} {}: {error}", program.display(), sizes.join(" "));
    let output = Command::new(program).args(&sizes).stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| named(error.to_string()))?;
    if !output.status.success() {
        return Err(named(output.status.to_string()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).lines().filter_map(figure).collect())
}

/// Reads a line of a time, or that of the memory.
fn figure(line: &str) -> Option<Figure> {
    let line = line.strip_prefix("  ")?;
    let (name, rest) = if line.starts_with('W') {
        line.split_at_checked(36)?
    } else if line.contains("bytes for each piece") {
        ("memory, for each piece", line)
    } else {
        return None;
    };
    let mut words = rest.split_whitespace();
    let least = words.next()?.parse().ok()?;
    Some(Figure { name: name.trim_end().to_owned(), unit: words.next()?.to_owned(), least })
}

fn keep_least(kept: &mut Vec<Figure>, round: Vec<Figure>) {
    if kept.is_empty() {
        *kept = round;
        return;
    }
    for (kept, figure) in kept.iter_mut().zip(round) {
        kept.least = kept.least.min(figure.least);
    }
}

/// Returns the figures of one number of pieces, and of several numbers of peers.
fn table(pieces: u32, columns: &[(u32, Vec<Figure>, Vec<Figure>)]) -> String {
    let mut text = format!("\n| {pieces} pieces | |");
    for (peers, ..) in columns {
        _ = write!(text, " {peers} peers | libtorrent | ratio |");
    }
    _ = writeln!(text, "\n|---|---|{}", "---|---|---|".repeat(columns.len()));
    let rows = columns.first().map_or(&[][..], |(_, ours, _)| ours);
    for (row, first) in rows.iter().enumerate() {
        _ = write!(text, "| {} | {} |", first.name, first.unit);
        for (_, ours, libtorrent) in columns {
            let cell = |figures: &[Figure]| figures.get(row).map(|figure| figure.least);
            let ours = cell(ours);
            let libtorrent = cell(libtorrent);
            let ratio = ours.zip(libtorrent).map(|(ours, libtorrent)| ours / libtorrent);
            let ratio = ratio.map_or("–".into(), |ratio| format!("{ratio:.3}"));
            _ = write!(text, " {} | {} | {ratio} |", rounded(ours), rounded(libtorrent));
        }
        text.push('\n');
    }
    text
}

/// Writes three digits or more.
fn rounded(figure: Option<f64>) -> String {
    match figure {
        None => "–".into(),
        Some(figure) if figure < 10.0 => format!("{figure:.2}"),
        Some(figure) if figure < 100.0 => format!("{figure:.1}"),
        Some(figure) => format!("{figure:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "
1000 pieces, 50 peers
  W1 join a bitfield                         0.052 us
  W5 pick of 16, 0.1 % of the pieces      5987.099 ns   bar     60
  blocks that came twice 0, most open pieces 50
  3.58 bytes for each piece beside the bitfields (bar 10)
";

    #[test]
    fn times_and_memory_are_read_and_nothing_else() {
        let figures: Vec<_> = OUTPUT.lines().filter_map(figure).collect();
        let read = figures.iter().map(|figure| {
            let Figure { name, unit, least } = figure;
            format!("{name}: {least} {unit}")
        });
        let expected = [
            "W1 join a bitfield: 0.052 us",
            "W5 pick of 16, 0.1 % of the pieces: 5987.099 ns",
            "memory, for each piece: 3.58 bytes",
        ];
        assert_eq!(read.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn without_libtorrent_its_columns_are_empty() {
        let ours = OUTPUT.lines().filter_map(figure).collect();
        let text = table(1_000, &[(50, ours, vec![])]);
        let row = text.lines().find(|line| line.contains("W1")).expect("a row");
        assert_eq!(row, "| W1 join a bitfield | us | 0.05 | – | – |");
    }
}
