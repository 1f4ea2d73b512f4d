//! The next hop of a Chord lookup, beside rings-core: the same nodes with exact fingers, and the same keys, each of which is
//! looked up once.

use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use chord_core::{Id160, Identifier as _, Peer, RoutingTableVec};

use crate::cpu;
use crate::measure::{rows, scatter};

type Node = Peer<Id160, SocketAddrV4>;
type Table = RoutingTableVec<Id160, SocketAddrV4>;

const RINGS: [usize; 3] = [100, 100_000, 1_000_000];
/// Nodes that decide in turn.
const DECIDERS: usize = 8;
const SUCCESSORS: usize = 20;
const FINGERS: usize = 24; // more than log2 of the largest ring
const KEYS: usize = 16_384;
const ROUNDS: usize = 10;

/// Measures both, or ours alone where rings-core cannot be built, and says so.
///
/// # Errors
///
/// A sentence if a program or a file fails.
pub fn measure(root: &Path) -> Result<String, String> {
    let rings = build(root);
    let mut text = String::new();
    for size in RINGS {
        let ring: Vec<Node> = (0..size).map(node).collect();
        for (where_, keys) in [("anywhere", anywhere()), ("mid-lookup", on_the_way(&ring))] {
            eprintln!("  {size} nodes, keys {where_}");
            let title = format!("next hop among {size} nodes, keys {where_}");
            let path = root.join("target/rings/ring.txt");
            let peer = rings.as_ref().ok().map(|program| {
                write(&path, &ring, &keys)
                    .map_err(|error| format!("{}: {error}", path.display()))?;
                Rings::start(program, &path)
            });
            let (ours, peer) = alternate(&ring, &keys, peer.transpose()?)?;
            let mut times = vec![("`RoutingTable::route`", ours)];
            times.splice(0..0, peer.map(|peer| ("rings-core 0.20, `closest_predecessor`", peer)));
            _ = writeln!(text, "{}", rows(&title, "ns", &times)); // a `String` takes all
        }
    }
    if let Err(reason) = rings {
        _ = writeln!(text, "rings-core was not measured: {reason}.");
    }
    Ok(text.trim_end().to_owned() + "\n")
}

/// Builds the program that calls rings-core.
fn build(root: &Path) -> Result<PathBuf, String> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("rings/Cargo.toml");
    let target = root.join("target/rings");
    let mut command = Command::new("cargo");
    command.args(["build", "--quiet", "--release", "--locked", "--manifest-path"]).arg(manifest);
    let status = command.arg("--target-dir").arg(&target).status();
    let status = status.map_err(|error| format!("cargo does not start: {error}"))?;
    if !status.success() {
        return Err("cargo cannot build it".into());
    }
    Ok(target.join("release/rings"))
}

/// Times both in turn, a share of the keys in each round; returns the least nanoseconds of a decision.
fn alternate(
    ring: &[Node],
    keys: &[Id160],
    mut rings: Option<Rings>,
) -> Result<(f64, Option<f64>), String> {
    let deciders = &ring[..DECIDERS];
    let tables = deciders.iter().map(|me| Table::of_ring(*me, SUCCESSORS, FINGERS, ring));
    let tables: Vec<Table> = tables.collect();
    let mut ours = f64::INFINITY;
    let mut theirs = None;
    for keys in keys.chunks(KEYS) {
        let start = cpu::seconds();
        for (n, key) in keys.iter().enumerate() {
            black_box(tables[n % DECIDERS].route(*key));
        }
        ours = ours.min((cpu::seconds() - start) * 1e9 / KEYS as f64);
        if let Some(rings) = &mut rings {
            let round = rings.round()?;
            theirs = Some(round.min(theirs.unwrap_or(f64::INFINITY)));
        }
    }
    Ok((ours, theirs))
}

/// Random keys, as the first node of a lookup sees them.
fn anywhere() -> Vec<Id160> {
    (0..KEYS * ROUNDS).map(|n| id(1, n as u64)).collect()
}

/// Keys at distances whose logarithm is uniform, from that of the next node on, as the later nodes of a lookup see them.
fn on_the_way(ring: &[Node]) -> Vec<Id160> {
    let least = 159 - ring.len().ilog2();
    let key = |n: usize| {
        let octave = least + n as u32 / DECIDERS as u32 % (160 - least);
        ring[n % DECIDERS].id.plus(within(id(2, n as u64), octave))
    };
    (0..KEYS * ROUNDS).map(key).collect()
}

/// Returns the number from 2^octave up to 2^(octave + 1) that has the lower bits of `random`.
fn within(random: Id160, octave: u32) -> Id160 {
    let mut bytes = <[u8; 20]>::from(random);
    let first = 19 - octave as usize / 8;
    bytes[..first].fill(0);
    let top = 1 << (octave % 8);
    bytes[first] = bytes[first] & (top - 1) | top;
    Id160::from(bytes)
}

fn node(n: usize) -> Node {
    let address = SocketAddrV4::new(Ipv4Addr::from(n as u32), 4000);
    Peer { id: id(0, n as u64), address }
}

/// Returns a random identifier, another one for each number of each kind.
fn id(kind: u64, n: u64) -> Id160 {
    let mut bytes = [0; 20];
    for (part, chunk) in (0_u64..).zip(bytes.chunks_mut(8)) {
        let number = scatter(scatter(4 * n + part) ^ scatter(!kind));
        chunk.copy_from_slice(&number.to_be_bytes()[..chunk.len()]);
    }
    Id160::from(bytes)
}

/// Writes the deciders, finger `k` of each, which is the first node from 2^k on, and all keys.
fn write(path: &Path, ring: &[Node], keys: &[Id160]) -> std::io::Result<()> {
    let mut sorted: Vec<Id160> = ring.iter().map(|node| node.id).collect();
    sorted.sort_unstable();
    let mut text = String::new();
    for me in &ring[..DECIDERS] {
        _ = writeln!(text, "node {}", hex(me.id)); // a `String` takes all
        for finger in 0..160 {
            let start = me.id.plus(within(Id160::from([0; 20]), finger));
            let at = sorted.partition_point(|id| *id < start) % sorted.len();
            _ = writeln!(text, "finger {finger} {}", hex(sorted[at]));
        }
    }
    for key in keys {
        _ = writeln!(text, "key {}", hex(*key));
    }
    fs::write(path, text)
}

fn hex(id: Id160) -> String {
    <[u8; 20]>::from(id).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The program that calls rings-core.
struct Rings {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Rings {
    fn start(program: &Path, path: &Path) -> Result<Self, String> {
        let mut command = Command::new(program);
        let pipes = command.arg(path).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = pipes.spawn().map_err(|error| format!("{}: {error}", program.display()))?;
        let input = child.stdin.take().ok_or("no pipe")?;
        let output = BufReader::new(child.stdout.take().ok_or("no pipe")?);
        Ok(Self { child, input, output })
    }

    /// Lets it decide for the next keys; returns the nanoseconds of a decision.
    fn round(&mut self) -> Result<f64, String> {
        let failed = |error: std::io::Error| format!("rings: {error}");
        writeln!(self.input, "{KEYS}").map_err(failed)?;
        let mut line = String::new();
        self.output.read_line(&mut line).map_err(failed)?;
        line.trim().parse().map_err(|_| "rings ended".into())
    }
}

impl Drop for Rings {
    fn drop(&mut self) {
        _ = self.child.kill(); // it has nothing to end
        _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distance_has_its_highest_bit_at_the_octave() {
        let all = Id160::from([0xFF; 20]);
        let mut expected = [0; 20];
        expected[18..].copy_from_slice(&[0x07, 0xFF]);
        assert_eq!(within(all, 10), Id160::from(expected));
        expected[18..].copy_from_slice(&[0x04, 0x00]);
        assert_eq!(within(Id160::from([0; 20]), 10), Id160::from(expected));
    }
}
