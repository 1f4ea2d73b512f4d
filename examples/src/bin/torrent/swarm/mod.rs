//! What a swarm does: a flash crowd, live television, one image for a fleet of devices.

mod scenes;
mod world;

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use scenes::Scene;

const HELP: &str = "\
What a swarm does, simulated with the real torrent machine of each node, in virtual time.

Usage: swarm [SCENE] [OPTIONS]

  crowd         a flash crowd on one seed; the curve of completion if the rarest pieces come first, if
                random ones do, and in sequence (the default)
  tv            live television in pieces with deadlines: viewers that can send a tenth of what they
                watch, alone, and with one in ten as supernodes between the source and the others
  fleet         one image for a fleet of devices, from a server alone and from each other

  --peers N     how many nodes beside the seed, 2 to 2000 (default 60)
  --pieces N    how many pieces, 4 to 4096 (default 64)
  --uplink N    what each node can send, in KiB a second, 8 to 100000 (default 128); the seed sends
                twice as much in a crowd, and ten times as much to a fleet
  --seed N      the seed of all choices (default 1)
  --out FILE    where the picture goes (default target/swarm-SCENE.svg)
  --help        print this

Example: swarm fleet --peers 100 --pieces 64";

/// What was asked for.
pub(crate) struct Args {
    pub(crate) scene: Scene,
    pub(crate) peers: usize,
    pub(crate) pieces: u32,
    /// Bytes per second.
    pub(crate) uplink: u64,
    pub(crate) seed: u64,
    out: Option<PathBuf>,
}

/// Runs the subcommand.
pub fn run(words: Vec<String>) -> ExitCode {
    let args = match Args::parse(words.into_iter()) {
        Ok(Some(args)) => args,
        Ok(None) => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(complaint) => {
            eprintln!("swarm: {complaint}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    let chart = scenes::run(&args, &progress);
    let out = args.out.unwrap_or_else(|| format!("target/swarm-{}.svg", args.scene.name()).into());
    let written = out.parent().map_or(Ok(()), std::fs::create_dir_all);
    match written.and_then(|()| std::fs::write(&out, chart.draw_percent())) {
        Ok(()) => {
            println!("\nThe picture is {}.", out.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("swarm: {} cannot be written: {error}", out.display());
            ExitCode::FAILURE
        }
    }
}

/// Says how far it is, where somebody looks.
fn progress(text: &str) {
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[K{text}");
        let _ = std::io::stderr().flush(); // it is only for looks
    }
}

impl Args {
    fn parse(mut words: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let (scene, uplink) = (Scene::Crowd, 128 << 10);
        let mut args = Self { scene, peers: 60, pieces: 64, uplink, seed: 1, out: None };
        while let Some(word) = words.next() {
            let mut number = |least, most| number(&word, words.next().as_ref(), least, most);
            match word.as_str() {
                "--help" | "-h" => return Ok(None),
                "--peers" => args.peers = number(2, 2_000)? as usize,
                "--pieces" => args.pieces = number(4, 4_096)? as u32,
                "--uplink" => args.uplink = number(8, 100_000)? << 10,
                "--seed" => args.seed = number(0, u64::MAX)?,
                "--out" => args.out = Some(words.next().ok_or("--out needs a file")?.into()),
                other => {
                    args.scene = Scene::of(other)
                        .ok_or(format!("{other} is neither a scene nor an option"))?;
                }
            }
        }
        Ok(Some(args))
    }
}

fn number(option: &str, word: Option<&String>, least: u64, most: u64) -> Result<u64, String> {
    let number = word.and_then(|word| word.parse().ok());
    number
        .filter(|number| (least..=most).contains(number))
        .ok_or(format!("{option} needs a number from {least} to {most}"))
}
