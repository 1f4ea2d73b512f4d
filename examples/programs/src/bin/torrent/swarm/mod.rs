//! What a swarm does: a flash crowd, live television, one image for a fleet of devices.

mod scenes;
mod world;

use examples::cli::{self, Exit, Out, within};
use scenes::Scene;

/// What a swarm does, simulated with the real torrent machine of each node, in virtual time
///
/// Draws the scene as `SCENE.svg`.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Example: torrent swarm fleet --peers 100 --pieces 64")]
pub struct Args {
    #[arg(value_enum, default_value_t = Scene::Crowd)]
    scene: Scene,
    /// How many nodes beside the seed
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = within(2..=2_000_usize))]
    peers: usize,
    /// How many pieces
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = within(4..=4_096_u32))]
    pieces: u32,
    /// KiB per second of each node; the seed sends twice as much in a crowd, ten times as much to a fleet
    #[arg(long = "uplink", value_name = "N", default_value_t = 128, value_parser = within(8..=100_000_u64))]
    uplink_kib: u64,
    /// The seed of all choices
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    out: Out,
}

impl Args {
    /// Bytes per second that each node can send.
    const fn uplink(&self) -> u64 {
        self.uplink_kib << 10
    }
}

/// Runs the subcommand.
pub fn run(args: &Args) -> cli::Result {
    let picture = scenes::run(args).draw().map_err(cli::sentence)?;
    args.out.write(&format!("{}.svg", args.scene.name()), picture)?;
    Ok(Exit::Success)
}
