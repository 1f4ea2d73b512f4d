//! A node of a Chord ring over UDP, with a store, and its clients. See `chord node --help`.
//!
//! | file | content |
//! |---|---|
//! | `store` | the node and its store, without sockets and clock |
//! | `client` | a client without sockets and clock |
//! | `task`, `parts` | values, which may have many entries |
//! | `drive`, `ask` | the programs: a node, and a client |
//! | `line` | between a machine and its socket: addresses, the shared key, the trace |
//! | `join` | attempts to join |
//! | `file`, `key` | the store in a file; the file of the shared key |

mod args;
mod ask;
mod client;
mod drive;
mod endpoint;
mod file;
mod join;
mod key;
mod line;
mod parts;
mod store;
mod task;

use examples::cli;

pub use args::Args;

/// Runs the subcommand.
pub fn run(args: &Args) -> cli::Result {
    match &args.ask {
        Some(ask) => ask::run(ask),
        None => drive::Driver::start(&args.run)?.run(),
    }
}
