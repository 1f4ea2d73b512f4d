//! The table of machines in CONTRIBUTING.md is what the sources say: the machines differ in their protocol only.
//!
//! `UPDATE=1 cargo test -p examples --test machines` writes the table anew.

use core::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

const BEGIN: &str = "<!-- machines: made by examples/tests/machines.rs -->\n";
const END: &str = "<!-- end of machines -->\n";

/// A machine, the file with its constructor, and where the rest of it is.
const MACHINES: &[(&str, &str, &str)] = &[
    ("gnutella_wire::Servent", "gnutella-wire/src/servent/mod.rs", "gnutella-wire/src/servent"),
    (
        "gnutella_wire::datagram::Datagrams",
        "gnutella-wire/src/datagram/mod.rs",
        "gnutella-wire/src/datagram",
    ),
    (
        "gnutella_wire::opennap::Index",
        "gnutella-wire/src/opennap/index/mod.rs",
        "gnutella-wire/src/opennap/index",
    ),
    (
        "gnutella_wire::opennap::Client",
        "gnutella-wire/src/opennap/client.rs",
        "gnutella-wire/src/opennap/client.rs",
    ),
    (
        "gnutella_wire::transfer::Download",
        "gnutella-wire/src/transfer/download/mod.rs",
        "gnutella-wire/src/transfer/download",
    ),
    (
        "gnutella_wire::transfer::Uploads",
        "gnutella-wire/src/transfer/upload/mod.rs",
        "gnutella-wire/src/transfer/upload",
    ),
    ("chord_core::Node", "chord-core/src/node/mod.rs", "chord-core/src/node"),
    (
        "bittorrent_pieces::Torrent",
        "bittorrent-pieces/src/torrent/mod.rs",
        "bittorrent-pieces/src/torrent",
    ),
    (
        "bittorrent_pieces::MetadataFetch",
        "bittorrent-pieces/src/fetch/mod.rs",
        "bittorrent-pieces/src/fetch",
    ),
    (
        "bittorrent_pieces::PeerBook",
        "bittorrent-pieces/src/peer_book/mod.rs",
        "bittorrent-pieces/src/peer_book",
    ),
    (
        "bittorrent_pieces::tracker::UdpTracker",
        "bittorrent-pieces/src/tracker/client/mod.rs",
        "bittorrent-pieces/src/tracker/client",
    ),
    (
        "bittorrent_pieces::dht::DhtNode",
        "bittorrent-pieces/src/dht/node/mod.rs",
        "bittorrent-pieces/src/dht/node",
    ),
    (
        "bittorrent_pieces::utp::UtpEndpoint",
        "bittorrent-pieces/src/utp/mod.rs",
        "bittorrent-pieces/src/utp",
    ),
    (
        "bittorrent_pieces::web_seed::WebSeed",
        "bittorrent-pieces/src/web_seed/mod.rs",
        "bittorrent-pieces/src/web_seed",
    ),
    (
        "bittorrent_pieces::Picker",
        "bittorrent-pieces/src/picker/mod.rs",
        "bittorrent-pieces/src/picker",
    ),
    ("ledger_core::node::Node", "ledger-core/src/node/machine.rs", "ledger-core/src/node"),
    ("ledger_core::node::Join", "ledger-core/src/node/join.rs", "ledger-core/src/node/join.rs"),
    ("ledger_core::gossip::Gossip", "ledger-core/src/gossip/machine.rs", "ledger-core/src/gossip"),
    (
        "ledger_core::gossip::Presync",
        "ledger-core/src/gossip/presync.rs",
        "ledger-core/src/gossip/presync.rs",
    ),
    ("pow::pool::Pool", "pow/src/pool/machine.rs", "pow/src/pool"),
    ("pow::pool::Worker", "pow/src/pool/worker.rs", "pow/src/pool/worker.rs"),
    ("consensus::bft::Bft", "consensus/src/bft/machine.rs", "consensus/src/bft"),
    ("consensus::slot::Ffg", "consensus/src/slot/machine.rs", "consensus/src/slot"),
];

#[test]
fn the_table_of_machines_is_what_the_sources_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let path = root.join("CONTRIBUTING.md");
    let page = fs::read_to_string(&path).expect("the page");
    let (before, rest) = page.split_once(BEGIN).expect("the table begins");
    let (table, after) = rest.split_once(END).expect("the table ends");
    let expected = table_of(&root);
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, format!("{before}{BEGIN}{expected}{END}{after}")).expect("it is written");
    } else {
        assert!(table == expected, "run this test with UPDATE=1; expected\n{expected}");
    }
}

/// Every machine with storage gives it back, and is built from one.
#[test]
fn every_storage_is_given_back() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (name, main, folder) in MACHINES {
        let source = read(&root.join(folder), &root);
        let new = new_of(&fs::read_to_string(root.join(main)).expect("a source"));
        let has_storage = ["storage", "slots", "node"].iter().any(|word| new.contains(word));
        assert_eq!(!gives_back(&source).is_empty(), has_storage, "{name}");
    }
}

/// Each machine is created in an example that `.ci/steps/52-device-examples.sh` compiles for a Cortex-M0.
#[test]
fn every_machine_has_a_device_example() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (name, main, _) in MACHINES {
        let (crate_folder, _) = main.split_once('/').expect("a path in a crate");
        let folder = root.join(crate_folder).join("examples");
        let files = fs::read_dir(folder).expect("examples").map(|entry| entry.expect("an entry"));
        let devices =
            files.filter(|file| file.file_name().to_string_lossy().starts_with("device_"));
        let mut sources = devices.map(|file| fs::read_to_string(file.path()).expect("an example"));
        let call = format!("{}::new(", name.rsplit("::").next().expect("a name"));
        let creates = |source: String| {
            source
                .match_indices(&call)
                .any(|(at, _)| !source[..at].ends_with(char::is_alphanumeric))
        };
        assert!(sources.any(creates), "no device example creates {name}");
    }
}

fn table_of(root: &Path) -> String {
    let mut table = String::from(
        "| machine | `new` | storage | given back by | `handle_*` | outcome of `Received` | reasons of `Closed` | timers |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for (name, main, folder) in MACHINES {
        let source = read(&root.join(folder), root);
        let _ = writeln!(
            table,
            "| `{name}` | {} | {} | {} | {} | {} | {} | {} |",
            code(&new_of(&fs::read_to_string(root.join(main)).expect("a source"))),
            code(&storage_of(&source)),
            code(gives_back(&source)),
            list(&handles_of(&source)),
            code(&outcome_of(&source)),
            list(&variants_of(&source, "enum CloseReason")),
            list(&variants_of(&source, "enum Timer")),
        );
    }
    table
}

fn code(text: &str) -> String {
    if text.is_empty() { "–".into() } else { format!("`{text}`") }
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "–".into() } else { names.join(", ") }
}

/// Returns all sources of a file or folder, in the order of their paths, but for files that are another machine.
fn read(path: &Path, root: &Path) -> String {
    if path.is_file() {
        return fs::read_to_string(path).expect("a source");
    }
    let entries = fs::read_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths.retain(|path| MACHINES.iter().all(|(_, _, own)| root.join(own) != *path));
    paths.iter().map(|path| read(path, root)).collect()
}

/// Returns the names of the parameters of the constructor: of the one that can fail, if there is one.
fn new_of(source: &str) -> String {
    let starts = source.match_indices("fn new(").map(|(at, found)| at + found.len());
    let signatures: Vec<_> = starts.filter_map(|at| source[at..].split_once(") -> ")).collect();
    let checked = |(_, result): &&(&str, &str)| result.starts_with("Result<Self");
    let chosen = signatures.iter().find(checked).or(signatures.first());
    let parameters = chosen.map_or("", |(parameters, _)| parameters);
    let names = parameters.split(',').filter_map(|part| part.split_once(": "));
    let names = names.map(|(name, _)| name.trim().trim_start_matches("mut "));
    format!("new({})", names.collect::<Vec<_>>().join(", "))
}

fn storage_of(source: &str) -> String {
    let traits = source.split("pub trait ").skip(1).map(identifier);
    let named = traits.filter(|name| name.ends_with("Storage")).min();
    let slice = || {
        let bound = source.split("S: AsRef<[").nth(1)?;
        Some(format!("[{}]", identifier(bound)))
    };
    named.or_else(slice).unwrap_or_default()
}

/// Returns the method that gives the storage back.
fn gives_back(source: &str) -> &'static str {
    if source.contains("pub fn into_storage(self)") { "into_storage" } else { "" }
}

fn handles_of(source: &str) -> Vec<String> {
    let public = source.split("pub ").skip(1).filter_map(|item| {
        item.strip_prefix("fn handle_").or_else(|| item.strip_prefix("const fn handle_"))
    });
    let mut names: Vec<String> = public.map(identifier).collect();
    names.sort();
    names.dedup();
    names
}

fn outcome_of(source: &str) -> String {
    let Some(after) = source.split("fn handle_bytes").nth(1) else { return String::new() };
    let signature = after.split('{').next().unwrap_or_default();
    let Some(rest) = signature.split("Received<").nth(1) else { return String::new() };
    let mut depth = 1;
    let end = rest.find(|letter| {
        depth += i32::from(letter == '<') - i32::from(letter == '>');
        depth == 0
    });
    rest[..end.unwrap_or(rest.len())].to_owned()
}

/// Returns the variants of an enumeration: the names that stand four spaces deep.
fn variants_of(source: &str, start: &str) -> Vec<String> {
    let Some((_, rest)) = source.split_once(&format!("{start} {{\n")) else { return Vec::new() };
    let body = rest.split("\n}").next().unwrap_or_default();
    let variants = body.lines().filter_map(|line| line.strip_prefix("    "));
    let names = variants.filter(|line| line.starts_with(|first: char| first.is_ascii_uppercase()));
    names.map(identifier).collect()
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect()
}
