//! The interchange format of signing guards (EIP-3076, version 5). See `validators import --help`.

use core::fmt::Write as _;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use consensus::guard::MinimalGuard;
use examples::cli::{self, Exit, failed};
use examples::storage;
use serde_json::{Value, json};

const VERSION: &str = "5";

/// Read what keys have signed elsewhere into a guard file
///
/// The file is in the interchange format of EIP-3076, version 5. The guard keeps the greatest numbers of each key (minimal
/// strategy); what it holds already never gets lower. A file of another chain or version is refused as a whole.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: validators import interchange.json --guard guard.txt")]
pub struct Import {
    /// The interchange file
    file: PathBuf,
    /// The guard file, which is created if needed
    #[arg(long, value_name = "FILE", default_value = "guard.txt")]
    guard: PathBuf,
}

/// Write a guard file in the interchange format
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: validators export --guard guard.txt --output interchange.json")]
pub struct Export {
    /// The guard file
    #[arg(long, value_name = "FILE", default_value = "guard.txt")]
    guard: PathBuf,
    /// The file to write
    #[arg(long, value_name = "FILE", default_value = "interchange.json")]
    output: PathBuf,
}

/// The guards of the keys of one chain.
struct Guards {
    genesis: String,
    keys: BTreeMap<String, MinimalGuard>,
}

/// Runs `import`.
pub fn import(args: &Import) -> cli::Result {
    let text = fs::read_to_string(&args.file).map_err(failed("read", &args.file))?;
    let imported = parse(&text).map_err(|what| format!("{}: {what}", args.file.display()))?;
    let known = if args.guard.exists() { Some(load(&args.guard)?) } else { None };
    let mut guards =
        known.unwrap_or(Guards { genesis: imported.genesis.clone(), keys: BTreeMap::new() });
    if guards.genesis != imported.genesis {
        return Err(format!("{} belongs to the chain {}", args.guard.display(), guards.genesis));
    }
    for (key, guard) in imported.keys {
        let kept = guards.keys.entry(key).or_default();
        if let Some(slot) = guard.block() {
            kept.import_block(slot);
        }
        if let Some((source, target)) = guard.attestation() {
            kept.import_attestation(source, target);
        }
    }
    storage::save(&args.guard, store(&guards).as_bytes()).map_err(failed("write", &args.guard))?;
    for (key, guard) in &guards.keys {
        println!("{key:.20}  {}", describe(guard));
    }
    println!("{} keys in {}", guards.keys.len(), args.guard.display());
    Ok(Exit::Success)
}

/// Runs `export`.
pub fn export(args: &Export) -> cli::Result {
    let guards = load(&args.guard)?;
    let data: Vec<_> = guards.keys.iter().map(|(key, guard)| entry(key, guard)).collect();
    let file = json!({
        "metadata": {
            "interchange_format_version": VERSION,
            "genesis_validators_root": guards.genesis,
        },
        "data": data,
    });
    cli::write(&args.output, format!("{file:#}\n").as_bytes())?;
    println!("{} keys in {}", guards.keys.len(), args.output.display());
    Ok(Exit::Success)
}

fn entry(key: &str, guard: &MinimalGuard) -> Value {
    let blocks = guard.block().map(|slot| json!({ "slot": slot.to_string() }));
    let attestations = guard.attestation().map(|(source, target)| {
        json!({ "source_epoch": source.to_string(), "target_epoch": target.to_string() })
    });
    json!({
        "pubkey": key,
        "signed_blocks": blocks.into_iter().collect::<Vec<_>>(),
        "signed_attestations": attestations.into_iter().collect::<Vec<_>>(),
    })
}

fn describe(guard: &MinimalGuard) -> String {
    let block = guard.block().map_or("no block".into(), |slot| format!("block {slot}"));
    let vote = guard.attestation();
    let vote =
        vote.map_or("no attestation".into(), |(from, to)| format!("attestation {from} to {to}"));
    format!("{block}, {vote}")
}

/// Parses a whole interchange file.
fn parse(text: &str) -> cli::Result<Guards> {
    let file: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let metadata = &file["metadata"];
    let version = metadata["interchange_format_version"].as_str().unwrap_or("none");
    if version != VERSION {
        return Err(format!("version {version}, but {VERSION} is required"));
    }
    let genesis = hexadecimal(&metadata["genesis_validators_root"], 32)?;
    let mut keys: BTreeMap<String, MinimalGuard> = BTreeMap::new();
    for entry in list(&file["data"])? {
        let guard = keys.entry(hexadecimal(&entry["pubkey"], 48)?).or_default();
        for block in list(&entry["signed_blocks"])? {
            guard.import_block(number(&block["slot"])?);
        }
        for vote in list(&entry["signed_attestations"])? {
            let source = number(&vote["source_epoch"])?;
            let target = number(&vote["target_epoch"])?;
            guard.import_attestation(source, target);
        }
    }
    Ok(Guards { genesis, keys })
}

fn list(value: &Value) -> cli::Result<&[Value]> {
    value.as_array().map(Vec::as_slice).ok_or_else(|| format!("a list is expected, not {value}"))
}

/// Integers are decimal strings.
fn number(value: &Value) -> cli::Result<u64> {
    let parsed = value.as_str().and_then(|text| text.parse().ok());
    parsed.ok_or_else(|| format!("a decimal number in quotes is expected, not {value}"))
}

/// Returns `0x` and this many bytes in lower-case hexadecimal.
fn hexadecimal(value: &Value, bytes: usize) -> cli::Result<String> {
    let text = value.as_str().map(str::to_lowercase).unwrap_or_default();
    let digits = text.strip_prefix("0x").unwrap_or_default();
    let is_right = digits.len() == 2 * bytes && digits.bytes().all(|it| it.is_ascii_hexdigit());
    if is_right { Ok(text) } else { Err(format!("0x and {bytes} bytes are expected, not {value}")) }
}

/// A guard file: the chain, then a line with key and guard for each key.
fn store(guards: &Guards) -> String {
    let mut text = format!("{}\n", guards.genesis);
    for (key, guard) in &guards.keys {
        let hex = guard.to_bytes().iter().fold(String::new(), |mut out, byte| {
            let _ = write!(out, "{byte:02x}");
            out
        });
        let _ = writeln!(text, "{key} {hex}");
    }
    text
}

fn load(path: &Path) -> cli::Result<Guards> {
    let text = fs::read_to_string(path).map_err(failed("read", path))?;
    let malformed = || format!("{} is not a guard file", path.display());
    let mut lines = text.lines();
    let genesis = lines.next().ok_or_else(malformed)?.to_owned();
    let mut keys = BTreeMap::new();
    for line in lines {
        let parsed = line.split_once(' ').and_then(|(key, hex)| {
            let digits = hex.as_bytes().chunks(2).map(|pair| {
                let pair = core::str::from_utf8(pair).ok()?;
                u8::from_str_radix(pair, 16).ok()
            });
            let bytes: Vec<u8> = digits.collect::<Option<_>>()?;
            Some((key.to_owned(), MinimalGuard::from_bytes(&bytes.try_into().ok()?)))
        });
        let (key, guard) = parsed.ok_or_else(malformed)?;
        keys.insert(key, guard);
    }
    Ok(Guards { genesis, keys })
}
