//! Every body holds for every seed of its corpus, and for seeds that were changed a little.

use std::fs;
use std::path::Path;

use sim::Rng;

/// How many changed copies of each seed are tried.
const CHANGES: u64 = 40;

fn seeds(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let files =
        fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = files.map(|file| file.expect("it is listed").path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("it can be read")).collect()
}

#[test]
fn bodies_hold_for_the_corpus() {
    for (name, body) in fuzz::bodies() {
        println!("{name}"); // shown when it fails
        let seeds = seeds(name);
        assert!(!seeds.is_empty(), "{name} has no seeds");
        for seed in &seeds {
            body(seed);
        }
    }
}

#[test]
fn bodies_hold_for_changed_seeds() {
    for (name, body) in fuzz::bodies() {
        println!("{name}"); // shown when it fails
        let seeds = seeds(name);
        for (n, seed) in seeds.iter().enumerate() {
            for change in 0..CHANGES {
                let mut rng = Rng::new(change << 32 | n as u64);
                body(&changed(seed, &seeds, &mut rng));
            }
        }
    }
}

/// Flips, drops or repeats a few bytes, or goes on with another seed.
fn changed(seed: &[u8], seeds: &[Vec<u8>], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=rng.below(3) {
        let at = rng.below(bytes.len() as u64 + 1) as usize;
        match rng.below(5) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, rng.next_u64() as u8),
            2 if at < bytes.len() => bytes[at] ^= 1 << rng.below(8),
            3 if at < bytes.len() => bytes[at] = [0x00, 0x7F, 0x80, 0xFF][rng.below(4) as usize],
            _ => {
                let other = &seeds[rng.below(seeds.len() as u64) as usize];
                bytes.extend_from_slice(&other[other.len() / 2..]);
            }
        }
    }
    bytes
}

#[test]
fn every_body_has_a_fuzz_target() {
    let manifest = include_str!("../Cargo.toml");
    for (name, _) in fuzz::bodies() {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} has no target");
        let target = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fuzz_targets/{name}.rs"));
        let text = fs::read_to_string(target).expect("the target is there");
        assert!(text.contains(&format!("\"{name}\"")));
    }
    let folders =
        fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")).expect("a corpus");
    for folder in folders {
        let name = folder.expect("it is listed").file_name().into_string().expect("text");
        assert!(
            fuzz::bodies().any(|(known, _)| known == name),
            "{name} is a corpus without a body"
        );
    }
}
